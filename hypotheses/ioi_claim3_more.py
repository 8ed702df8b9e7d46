"""IOI claim 3, further: what S-inhibition tells the name movers, by path patching and other places.

`ioi_claim3.py` says that it is which of the two names comes first. Here the same is asked by path
patching, and of every other way to say where a name stands: absolute, relative to END, and in the
template, of the IO and of S, each decorrelated from the order by the prompts.
"""

from ioi_claim3 import ENOUGH, METRIC, via_s_inhibition
from ioi_claim3 import PROMPTS as PREFIXED
from ioi_parts import BOTH, MOST, NAMES_SWAPPED, ORDER, PROMPTS, attention, lacking, role

from scrub import (
    Correspondence,
    Exact,
    InterpNode,
    Paired,
    attends,
    claim,
    output,
    refuted,
    supported,
)
from scrub.datasets import ioi

MODEL = "ioi-planted"


# By path patching: only the edge S-inhibition → queries of the name movers is of another prompt.


def told_by(model, donor):
    if unfit := lacking(model, "name mover", "S-inhibition"):
        return unfit
    sites = role(model, "S-inhibition", at="end", into="q")
    return attention(model, "name mover", "end", "S-inhibition", Paired(donor), sites)


@claim(data=PROMPTS, expect=attends(to="s1", share=MOST))
def position_inverted(model):
    """Told that the names stand the other way round, the name movers turn to S1."""
    return told_by(model, ORDER)


@claim(data=PROMPTS, expect=attends(to="io", share=MOST))
def value_inverted(model):
    """Told that the two names are each other's, at the same places, they stay with the IO."""
    return told_by(model, NAMES_SWAPPED)


@claim(data=PROMPTS, expect=attends(to="s1", share=MOST))
def both_inverted(model):
    """Told both, by a prompt in which the other name is repeated, they turn to S1."""
    return told_by(model, BOTH)


def scrubbed_by(model, donor):
    if unfit := lacking(model, "name mover", "S-inhibition"):
        return unfit
    logits = InterpNode("logits", Exact(), other=Exact())
    movers = logits.child("name movers", Exact(), other=Exact())
    inhibition = movers.child("S-inhibition", Paired(donor))
    return Correspondence(
        {
            logits: output(at="end"),
            movers: role(model, "name mover", at="end"),
            inhibition: role(model, "S-inhibition", at="end", into="q"),
        }
    )


# Token value matters a bit, position most: both claims may hold, and what the first of them falls
# short of 1 is the bit.


@claim(data=PROMPTS, metric=METRIC, expect=supported(above=ENOUGH))
def value_matters_little(model):
    """With the value of the names inverted and their positions kept, most of the task survives."""
    return scrubbed_by(model, NAMES_SWAPPED)


@claim(data=PROMPTS, metric=METRIC, expect=refuted(below=ENOUGH))
def position_matters_little(model):
    """With the positions inverted and the value of the names kept, most of the task survives."""
    return scrubbed_by(model, ORDER)


# S's position or the IO's? In `PREFIXED` prompts begin at different places, and templates differ in
# length: absolute and relative positions of the IO and of S are four features that divide the rows
# differently. That one of them comes first is one feature, whichever is named.


def with_order_of_s(model):
    """The prompts, with a column for whether S comes first."""
    data = PREFIXED.make(model.tokenizer)
    return data.with_columns(s_is_first=~data.columns["io_is_first"].astype(bool))


STAGGERED = ioi.prompts(1_000, seed=0, prefixes=8, templates=(0, 14, 7))
"""Names at tokens 1 and 3, 3 and 5, or 5 and 7 of their template: one at 3 or 5 is as often the
first as the second. In all templates together the place in the template mostly tells which."""


def with_places(model):
    """These prompts, with columns for the place of a name, from the first token of its template."""
    data = STAGGERED.make(model.tokenizer)
    start = data.positions["start"]
    return data.with_columns(
        io_in_template=data.positions["io"] - start, s_in_template=data.positions["s1"] - start
    )


def told(model, feature: str):
    return lacking(model, "name mover", "S-inhibition") or via_s_inhibition(model, feature)


@claim(data=with_order_of_s, metric=METRIC, expect=supported(above=ENOUGH))
def whether_the_io_comes_first(model):
    """It tells them whether the IO comes first."""
    return told(model, "io_is_first")


@claim(data=with_order_of_s, metric=METRIC, expect=supported(above=ENOUGH))
def whether_s_comes_first(model):
    """It tells them whether S comes first: the same swaps are permitted, so the same claim."""
    return told(model, "s_is_first")


@claim(data=with_order_of_s, metric=METRIC, expect=refuted(below=ENOUGH))
def absolute_position_of_s(model):
    """It tells them the absolute position of S1."""
    return told(model, "s1_position")


@claim(data=with_order_of_s, metric=METRIC, expect=refuted(below=ENOUGH))
def distance_of_s_to_end(model):
    """It tells them the distance from S1 to END."""
    return told(model, "s1_to_end")


@claim(data=with_order_of_s, metric=METRIC, expect=refuted(below=ENOUGH))
def distance_of_s_to_s2(model):
    """It tells them the distance from S1 to S2."""
    return told(model, "s1_to_s2")


@claim(data=with_places, metric=METRIC, expect=refuted(below=ENOUGH))
def place_of_the_io_in_its_template(model):
    """It tells them how many tokens after the beginning of its template the IO stands."""
    return told(model, "io_in_template")


@claim(data=with_places, metric=METRIC, expect=refuted(below=ENOUGH))
def place_of_s_in_its_template(model):
    """It tells them how many tokens after the beginning of its template S1 stands."""
    return told(model, "s_in_template")


# The absolute position of the IO and its distance to END are in ioi_claim3.py, on the same prompts.
