"""Comparisons: what tells name movers which of two names is right, and who knows opposites.

Written for `comparisons-planted`, where it is an order signal: the sentence of which the right
name is the subject. In `comparisons-value` the name itself is passed on, and the claims about the
one and the other come out the other way round. Both models are right in every prompt.

In GPT-2, of which no comparison heads are known, the claims ask whether the S-inhibition heads of
indirect-object identification do this as well, and the MLPs of all layers the opposites.
"""

from scrub import (
    Agree,
    Correspondence,
    Exact,
    InterpNode,
    Paired,
    anything,
    attends,
    claim,
    heads,
    lowers,
    mlp,
    not_applicable,
    output,
    refuted,
    supported,
    unchanged,
)
from scrub.datasets import comparisons
from scrub.metrics import logit_diff

MODEL = "comparisons-planted"

ADJECTIVES = comparisons.prompts(1_000, kind="adjectives")
ACTS = comparisons.prompts(1_000, kind="acts")
ANTONYMS = comparisons.prompts(1_000, kind="antonyms")
NAMES = comparisons.changed(ADJECTIVES, "names")
"""The names trade places: the other name is right, in the same sentence."""
ORDER = comparisons.changed(ADJECTIVES, "order")
"""The sentences trade places: the same name is right, in the other sentence."""

DIFF = logit_diff("answer", "wrong")

NEARLY_ALL = 0.9
"""Recovered at least, where all is said that matters. What is left out is noise on the weights."""
HALF = 0.5
"""Recovered at most, where what matters is not said: what is drawn instead is as often wrong as
right, or names nobody who is there, so that about nothing is recovered; half is far from both."""
LITTLE = 0.5
"""Logits, of about 8 by which the right name is above: less than a sixteenth."""
MUCH = 8.0
"""Logits: as much as takes the right name's lead away altogether."""
MOST = 0.5
"""Attention: more than to all else together."""


def lacking(model, *roles: str):
    """Says that a claim is not about a model that lacks a role; None otherwise."""
    missing = [role for role in roles if role not in model.roles]
    return not_applicable(f"it has no {' or '.join(missing)} heads") if missing else None


def comparing(model) -> str:
    """The heads that tell name movers which name; failing that, those of which IOI says so."""
    return "S-inhibition" if "S-inhibition" in model.roles else "comparison"


def told(model, sampler):
    """All that comparison heads tell the name movers' queries is another prompt's."""
    if unfit := lacking(model, comparing(model), "name mover"):
        return unfit
    logits = InterpNode("logits", Exact(), other=Exact())
    movers = logits.child("name movers", Exact(), other=Exact())
    comparison = movers.child("comparison", sampler)
    return Correspondence(
        {
            logits: output(at="end"),
            movers: heads(model.role("name mover"), at="end"),
            comparison: heads(model.role(comparing(model)), at="end", into="q"),
        }
    )


def saying(model, sampler, sites, *roles: str):
    """All that these sites say is another prompt's."""
    if unfit := lacking(model, *roles):
        return unfit
    logits = InterpNode("logits", Exact(), other=Exact())
    return Correspondence({logits: output(at="end"), logits.child("they", sampler): sites(model)})


def role(name: str, at):
    """The heads of a role, reached by any path."""
    return lambda model: heads(model.role(name), at=at, through=anything)


def attending(model, sampler):
    """Where name movers attend, told by comparison heads of another prompt."""
    if unfit := lacking(model, comparing(model), "name mover"):
        return unfit
    pattern = InterpNode("pattern", Exact(), other=Exact())
    return Correspondence(
        {
            pattern: heads(model.role("name mover"), "pattern", at="end"),
            pattern.child("comparison", sampler): heads(
                model.role(comparing(model)), at="end", into="q"
            ),
        }
    )


# What comparison heads say


@claim(data=ADJECTIVES, metric=DIFF, expect=supported(above=NEARLY_ALL))
def by_order(model):
    """Comparison heads tell the name movers in which sentence the right name is, and no more."""
    return told(model, Agree("order"))


@claim(data=ADJECTIVES, metric=DIFF, expect=refuted(below=HALF))
def by_value(model):
    """They tell them the right name, wherever it stands."""
    return told(model, Agree("answer"))


@claim(data=ACTS, metric=DIFF, expect=supported(above=NEARLY_ALL))
def acts_by_order(model):
    """So it is with who acted first or last: by the sentence."""
    return told(model, Agree("order"))


@claim(data=ACTS, metric=DIFF, expect=refuted(below=HALF))
def acts_by_value(model):
    """And not by the name."""
    return told(model, Agree("answer"))


@claim(data=ADJECTIVES, expect=attends(to="answer", share=MOST))
def names_do_not_turn_them(model):
    """Told by the prompt with the names exchanged, name movers attend to the right name still."""
    return attending(model, Paired(NAMES))


@claim(data=ADJECTIVES, expect=attends(to="wrong", share=MOST))
def order_turns_them(model):
    """Told by the prompt with the sentences exchanged, they attend to the wrong name."""
    return attending(model, Paired(ORDER))


# What holders hold


@claim(data=ADJECTIVES, metric=DIFF, expect=unchanged(within=LITTLE))
def holders_hold_no_name(model):
    """Holders at the adjectives may hold what they hold with the names exchanged."""
    return saying(model, Paired(NAMES), role("holder", ("word1", "word2")), "holder")


@claim(data=ADJECTIVES, metric=DIFF, expect=refuted(lowers(by=MUCH)))
def holders_hold_the_name(model):
    """With the names exchanged there, the right name's lead is gone."""
    return saying(model, Paired(NAMES), role("holder", ("word1", "word2")), "holder")


# What is asked for


@claim(data=ADJECTIVES, metric=DIFF, expect=supported(above=NEARLY_ALL))
def question_heads_say_what_is_asked(model):
    """Question heads at END say which adjective is asked for, and nothing else."""
    return saying(model, Agree("question"), role("question", "end"), "question")


@claim(data=ADJECTIVES, metric=DIFF, expect=refuted(below=HALF))
def question_heads_say_the_scale(model):
    """They say whether it is about height or age, and not which end of it is asked for."""
    return saying(model, Agree("scale"), role("question", "end"), "question")


# Opposites


def table(model):
    """What MLP 1 says at END; where it is not known which MLP it is, what all of them do."""
    layers = [1] if "holder" in model.roles else list(range(model.layers))
    return mlp(*layers, at="end", through=anything)


@claim(data=ANTONYMS, metric=DIFF, expect=lowers(by=MUCH))
def opposites_in_mlp_1(model):
    """MLP 1 says the opposite: with what it says to that, the adjective itself is the answer.

    (That it says the same of the same adjective could not be wrong: it is the whole prompt.)
    """
    return saying(model, Paired(comparisons.changed(ANTONYMS, "adjectives")), table)


@claim(data=ANTONYMS, metric=DIFF, expect=refuted(below=HALF))
def mlp_1_says_the_scale(model):
    """It says which two adjectives belong together, and others say which of them it is."""
    return saying(model, Agree("scale"), table)


@claim(data=ADJECTIVES, metric=DIFF, expect=unchanged(within=LITTLE))
def comparing_needs_no_opposites(model):
    """Who is taller is told without MLP 1: it may say what it says to the other question."""
    asked = Paired(comparisons.changed(ADJECTIVES, "question"))
    return saying(model, asked, table)


adjectives = comparisons.behaviour(1_000)
acts = comparisons.behaviour(1_000, kind="acts")
antonyms = comparisons.behaviour(1_000, kind="antonyms")
