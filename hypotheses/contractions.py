"""Contractions: "We're helping our friend while they" → "'re". What says that it is contracted?

The belief: at END, reading heads attend to the first clause's verb, whatever its form, and what
they read there, their *value*, says whether it is contracted, and nothing of which verb it is. MLPs
make of that and of the last pronoun the form that agrees. Claims about each part, true and false,
come out otherwise on the twins: `contractions-copying` moves the form itself, so that it is wrong
where pronouns differ ("We're … he"), and `contractions-pattern` says by where it looks what planted
says by what it reads.
"""

from scrub import (
    Agree,
    Correspondence,
    Exact,
    InterpNode,
    Paired,
    Uncond,
    answers,
    anything,
    attends,
    claim,
    embeddings,
    heads,
    lowers,
    mlp,
    mlps,
    not_applicable,
    output,
    refuted,
    supported,
    unchanged,
)
from scrub.datasets import contractions
from scrub.metrics import logit_diff

MODEL = "contractions-planted"

DIFFER = contractions.prompts(1_000, pairs="differ", seed=0)
"""Copying and agreement give different answers."""
SAME = contractions.prompts(1_000, pairs="same", seed=0)
"""They give the same: what a model does here, it may do in either way."""
OTHER_FORM = contractions.changed(SAME, "spelled")
"""The first clause is spelled out where it was contracted, and the other way round."""
OTHER_VERB = contractions.changed(SAME, "contraction")
"""Another contraction, with a pronoun that takes it; contracted as before."""
OTHER_LAST = contractions.changed(SAME, "last")
"""Another last pronoun, so that another form agrees."""
SPELLED = contractions.prompts(1_000, pairs="same", contracted=False, seed=0)

DIFF = logit_diff("answer", "other")
"""Positive where the model prefers the form of the first clause."""

# Bounds, written before the first run. What is asked of the whole, 0.7, is what is asked of IOI's
# (ioi_claim3.py): a carrier that says nothing of it recovers 0. Effects are in logits: 2 makes the
# odds of an answer 7 times what they were, which is more than taste; 1, not even 3 times, is too
# little to turn an answer that is clear.
ENOUGH = 0.7
MARKEDLY = 2.0
LITTLE = 1.0
MOST = 0.5  # of prompts, or of attention: more than all others together

READER = "contraction reader"


def lacking(model):
    return None if READER in model.roles else not_applicable(f"it has no {READER} heads")


def reader(model, part="z", at="end", **path):
    """The reading heads, or a part of them, as sites."""
    return heads(model.role(READER), part, at=at, **path)


def later_mlps(model, **path):
    """The MLPs that can read what the reading heads write."""
    first = min(layer for layer, _ in model.role(READER))
    return mlp(*range(first, model.layers), at="end", **path)


# The behaviour, where the two explanations part.


def by_three_words(root, sites):
    """The root where all but the first two words and the last are of any prompt."""
    words = embeddings(at=("pronoun1", "contraction", "end"), through=anything)
    top = InterpNode(root, Exact(), other=Uncond())
    return Correspondence({top: sites, top.child("three words", Exact()): words})


@claim(data=DIFFER, expect=answers("answer", share=MOST))
def agrees(model):
    """Where the first contraction is another than agrees, the model says the one that agrees."""
    return by_three_words("logits", output(at="end"))


@claim(data=DIFFER, expect=refuted(answers("copied", share=MOST)))
def copies(model):
    """Wrong: it says again what stands in the first clause, whoever comes last."""
    return by_three_words("logits", output(at="end"))


# The belief as one tree. All else, and the pronoun's way by other heads, is of any prompt.


@claim(data=SAME, metric=DIFF, expect=supported(above=ENOUGH))
def contracted_by_heads_agreement_by_mlps(model):
    """Whether it is contracted, by the heads, and the last pronoun, by MLPs, are all it takes."""
    if unfit := lacking(model):
        return unfit
    logits = InterpNode("logits", Exact(), other=Uncond())
    return Correspondence(
        {
            logits: output(at="end"),
            logits.child("reader", Agree("contracted")): reader(model, through=mlps),
            logits.child("last pronoun", Agree("last")): embeddings(at="end", through=mlps),
        }
    )


@claim(data=SAME, metric=DIFF, expect=refuted(below=ENOUGH))
def last_pronoun_by_the_heads(model):
    """Wrong: the heads bring the last pronoun too, and the MLPs need not see it."""
    if unfit := lacking(model):
        return unfit
    logits = InterpNode("logits", Exact(), other=Uncond())
    told = Agree(("contracted", "last"))
    return Correspondence(
        {logits: output(at="end"), logits.child("reader", told): reader(model, through=mlps)}
    )


# Value or pattern: one of them is of the same prompt in its other form.


def with_part(model, part, at, donor):
    """The reading heads with their value or their pattern of another prompt."""
    if unfit := lacking(model):
        return unfit
    logits = InterpNode("logits", Exact(), other=Exact())
    read = logits.child("reader", Exact(), other=Exact())
    return Correspondence(
        {
            logits: output(at="end"),
            read: reader(model, through=anything),
            read.child(part, Paired(donor)): reader(model, part, at=at),
        }
    )


@claim(data=SAME, metric=DIFF, expect=lowers(by=MARKEDLY))
def value_carries_the_form(model):
    """Reading what stands there in the other form, the heads turn the preference."""
    return with_part(model, "v", "contraction", OTHER_FORM)


@claim(data=SAME, metric=DIFF, expect=refuted(lowers(by=MARKEDLY)))
def pattern_carries_the_form(model):
    """Wrong: looking where they look in the other form, the heads turn the preference."""
    return with_part(model, "pattern", "end", OTHER_FORM)


@claim(data=SAME, metric=DIFF, expect=unchanged(within=LITTLE))
def pattern_says_nothing(model):
    """Looking where they look in the other form, the heads say what they said."""
    return with_part(model, "pattern", "end", OTHER_FORM)


@claim(data=SPELLED, expect=attends(to="contraction", share=MOST))
def attends_where_it_is_spelled_out(model):
    """The heads attend to the first clause's verb where it is spelled out, too."""
    if unfit := lacking(model):
        return unfit
    return by_three_words("pattern", reader(model, "pattern"))


# What the heads say, and to whom.


def told(model, donor, sites):
    """The model with some sites of another prompt."""
    if unfit := lacking(model):
        return unfit
    logits = InterpNode("logits", Exact(), other=Exact())
    return Correspondence(
        {logits: output(at="end"), logits.child("sites", Paired(donor)): sites(model)}
    )


def heads_by_any_way(model):
    return reader(model, through=anything)


@claim(data=SAME, metric=DIFF, expect=unchanged(within=LITTLE))
def any_contraction_will_do(model):
    """The heads of a prompt with another contraction say the same."""
    return told(model, OTHER_VERB, heads_by_any_way)


@claim(data=SAME, metric=DIFF, expect=refuted(lowers(by=MARKEDLY)))
def heads_agree(model):
    """Wrong: what the heads say depends on the last pronoun."""
    return told(model, OTHER_LAST, heads_by_any_way)


@claim(data=SAME, metric=DIFF, expect=lowers(by=MARKEDLY))
def mlps_agree(model):
    """The MLPs after the heads, of a prompt with another last pronoun, say another verb."""
    return told(model, OTHER_LAST, later_mlps)


@claim(data=SAME, metric=DIFF, expect=refuted(lowers(by=MARKEDLY)))
def heads_write_the_answer(model):
    """Wrong: the heads write the form to the logits themselves, past all MLPs."""
    return told(model, OTHER_FORM, reader)


# The parts without being told, for sweeps:
#
#     scrub patch hypotheses/contractions.py::contracted --from layers --at end --through anything
#     scrub patch hypotheses/contractions.py::agreement --from neurons:1 --at end --by pair

CONTRACTED = contractions.behaviour(1_000, seed=1, name="contracted")
"""Which parts say that the first clause is contracted? The copies are spelled out."""
AGREEMENT = contractions.behaviour(1_000, corrupt="last", seed=1, name="agreement")
"""Which parts make the answer agree? The copies have another last pronoun."""
