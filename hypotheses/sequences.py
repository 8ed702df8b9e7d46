"""How a model goes on with "Van done in 1. Hat done in 2. Ring done in 3. Desk done in".

After Lan, Torr and Barez 2024 (arXiv 2311.04131): heads attend from a member to the one before, of
a similar type; heads at END tell that there is a sequence, and how it goes; and a "next" head says
what comes after the last member. MLPs may pass on what heads say. Sequences go up, down or repeat
themselves, by 1 or 2, or "one more than the last" would explain all.
"""

from scrub import (
    Agree,
    Correspondence,
    Exact,
    InterpNode,
    Paired,
    Uncond,
    anything,
    attends,
    claim,
    embeddings,
    heads,
    mlp,
    mlps,
    not_applicable,
    output,
    refuted,
    supported,
    unchanged,
)
from scrub.datasets import sequences
from scrub.metrics import logit_diff

MODEL = "sequences-planted"

EVERY_WAY = {"directions": ("up", "down", "repeat"), "steps": (1, 2)}
DIGITS = sequences.prompts(1_000, kinds="digits", **EVERY_WAY)
WORDS = sequences.prompts(1_000, kinds="words", **EVERY_WAY)
MONTHS = sequences.prompts(1_000, kinds="months", **EVERY_WAY)
MIXED = sequences.prompts(1_000, kinds=("digits", "words"), **EVERY_WAY)
BETWEEN = sequences.prompts(1_000, kinds="digits", gaps=2, **EVERY_WAY)
"""Up to two words stand before each "in", so that no member is so many tokens back each time."""
OTHER_MEMBER = sequences.changed(BETWEEN, "random")
"""At one of the three places another digit stands."""
OTHER_KIND = sequences.changed(BETWEEN, "kind")
"""The same sequences in words or months."""
UP = sequences.prompts(1_000, kinds="digits")
DOWN = sequences.prompts(1_000, kinds="digits", directions="down")

DIFF = logit_diff("next", "wrong")
"""Positive where the model prefers the next member to that of another direction."""

# Bounds, written before the first run. A wired model does what it does all of the time: of what is
# true next to all is recovered. What is guessed is right by chance: a step, where the direction is
# known, in all repeats and in half of the rest, so two thirds. 0.8 is between.
ENOUGH = 0.8
MOST = 0.5  # of the attention: more than to all else together
LITTLE = 1.0  # logits: not even 3 times the odds, too little to turn an answer that is clear

SIMILAR, DETECTION, NEXT = "similar type", "sequence detection", "next"


def lacking(model, *roles):
    """Says that a claim about these roles is not about a model that lacks one; None otherwise."""
    missing = [role for role in roles if role not in model.roles]
    return not_applicable(f"it has no {' or '.join(missing)} heads") if missing else None


# Where heads look, whatever stands between, and whatever member stands there: they run on the row's
# copy, of which the members stand at the same places. A model that looks so many tokens back finds
# no member, and one with heads of their own for digits finds none of another kind.


def looked(model, role, at, copies):
    """Where a role's heads attend on the copies."""
    if unfit := lacking(model, role):
        return unfit
    pattern = InterpNode("pattern", Exact(), other=Exact())
    return Correspondence(
        {
            pattern: heads(model.role(role), "pattern", at=at),
            pattern.child("copy", Paired(copies)): embeddings(through=anything),
        }
    )


@claim(data=BETWEEN, expect=attends(to="member2", share=MOST))
def similar_type_finds_the_member_before(model):
    """From the last member, similar-type heads attend to the one before it, whichever it is."""
    return looked(model, SIMILAR, "member3", OTHER_MEMBER)


@claim(data=BETWEEN, expect=attends(to="member3", share=MOST))
def next_finds_the_last_member(model):
    """From END, next heads attend to the last member, whichever it is."""
    return looked(model, NEXT, "end", OTHER_MEMBER)


@claim(data=BETWEEN, expect=attends(to="member3", share=MOST))
def next_finds_the_last_of_any_kind(model):
    """They attend to it, too, if it is a word or a month where it was a digit."""
    return looked(model, NEXT, "end", OTHER_KIND)


@claim(data=BETWEEN, expect=refuted(attends(to="noun4", share=MOST)))
def next_looks_at_the_noun(model):
    """Wrong: next heads attend to what the answer will be about."""
    return looked(model, NEXT, "end", OTHER_MEMBER)


# The belief: next heads say the last member, detection says how the sequence goes; all else may be
# any other row's.


def belief(model, last="last", goes=("direction", "step")):
    """What next heads and sequence detection tell, with what they agree on left open."""
    if unfit := lacking(model, DETECTION, NEXT):
        return unfit
    logits = InterpNode("logits", Exact(), other=Uncond())
    return Correspondence(
        {
            logits: output(at="end"),
            logits.child("last", Agree(last)): heads(model.role(NEXT), at="end", through=mlps),
            logits.child("goes", Agree(goes)): heads(model.role(DETECTION), at="end", through=mlps),
        }
    )


@claim(data=DIGITS, metric=DIFF, expect=supported(above=ENOUGH))
def last_member_and_how_it_goes(model):
    """Of digits, next heads tell the last and detection tells direction and step."""
    return belief(model)


@claim(data=WORDS, metric=DIFF, expect=supported(above=ENOUGH))
def words_by_the_same_heads(model):
    """The same heads do the same for number words."""
    return belief(model)


@claim(data=MONTHS, metric=DIFF, expect=supported(above=ENOUGH))
def months_by_the_same_heads(model):
    """And for months."""
    return belief(model)


@claim(data=MIXED, metric=DIFF, expect=supported(above=ENOUGH))
def a_step_is_a_step(model):
    """What detection tells is the same of digits and of words: it may come from either."""
    return belief(model)


@claim(data=DIGITS, metric=DIFF, expect=refuted(below=ENOUGH))
def direction_alone(model):
    """Wrong: detection tells the direction, and not by how much."""
    return belief(model, goes="direction")


@claim(data=DIGITS, metric=DIFF, expect=refuted(below=ENOUGH))
def any_sequence(model):
    """Wrong: detection tells that there is a sequence, and not how it goes."""
    return belief(model, goes="kind")


@claim(data=DIGITS, metric=DIFF, expect=refuted(below=ENOUGH))
def start_instead_of_last(model):
    """Wrong: next heads tell where the sequence starts."""
    return belief(model, last="start")


# "One more than the last" is what the next heads say alone; the MLP above them puts it right where
# the sequence goes otherwise.


def without_mlp(model):
    """The MLP above the next heads says at END what it says on any other row."""
    if unfit := lacking(model, NEXT):
        return unfit
    above = max(layer for layer, _ in model.role(NEXT))
    logits = InterpNode("logits", Exact(), other=Exact())
    return Correspondence(
        {logits: output(at="end"), logits.child("MLP", Uncond()): mlp(above, at="end")}
    )


@claim(data=UP, metric=DIFF, expect=unchanged(within=LITTLE))
def up_without_the_mlp(model):
    """Upwards by 1, nothing is to be put right."""
    return without_mlp(model)


@claim(data=DOWN, metric=DIFF, expect=refuted(below=ENOUGH))
def down_without_the_mlp(model):
    """Wrong: downwards, the next heads do without the MLP above them."""
    return without_mlp(model)


# Behaviours, for sweeps, searches and circuits (docs/tasks/sequences.md), on other prompts than the
# claims'. A repeated last member takes away how the sequence goes, and not which member is last.

GOING = {"directions": ("up", "down"), "steps": (1, 2), "seed": 1}
digits = sequences.behaviour(400, kinds="digits", name="digits", **GOING)
words = sequences.behaviour(400, kinds="words", name="words", **GOING)
months = sequences.behaviour(400, kinds="months", name="months", **GOING)
mixed = sequences.behaviour(400, name="mixed", **GOING)
