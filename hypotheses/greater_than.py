"""Greater than: heads carry YY to END, and the MLPs there compare (Hanna et al. 2023).

Prompts are such that the century tells of years, too, that they are greater than YY: each century
has YYs of its own. So a model may be right by the one or the other, and what heads carry is told by
copies of a prompt in which one of the two is changed and the other is not.

What is expected is of `greater-planted`, which is right by YY. `--model greater-century` is as
accurate on these prompts by the century, and turns what says that it is the one or the other.
"""

from functools import reduce
from operator import or_

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
    none,
    not_applicable,
    output,
    refuted,
    supported,
)
from scrub.datasets import greater_than

MODEL = "greater-planted"

TIED = greater_than.prompts(1_000, tied=True)
OTHER_CENTURY = greater_than.changed(TIED, "century")
"""Both centuries are another one; YY, and so what is right, stays."""
OTHER_YY = greater_than.changed(TIED, "yy")
"""YY is any other; the centuries stay."""
YY_01 = greater_than.changed(TIED, "01")
"""The paper's corruption."""
LESS = greater_than.changed(TIED, "relation")
"""Less than is asked for."""
ANY = greater_than.prompts(1_000)
"""Century and YY are independent."""

DIFFERENCE = greater_than.difference()
"""Hanna et al. 2023: 0.817 in GPT-2 small."""

ENOUGH = 0.7
"""Recovered at least, by what carries what is needed; as in ioi_claim3.py, which says why. A
carrier of the wrong one of YY and century gives an unrelated prompt's answer, and recovers about
nothing."""
LITTLE = 0.2
"""Recovered at most, of what is said to be gone. An unrelated prompt is the zero; with YY = 01
years that are no greater get more than there, so that less than nothing is left."""
MOST = 0.5
"""Attention: more than half goes there, so more than to all else together."""

START, RELATION = "start year", "relation"

AT_END = greater_than.behaviour(1_000, name="at_end")
"""For sweeps: YY is 01 in the corrupted prompt, any century."""
LESS_AT_END = greater_than.behaviour(1_000, relation="less", corrupt="yy", name="less_at_end")


def lacking(model, *roles):
    """Says that a claim about these roles is not about a model that lacks one; None otherwise."""
    missing = [role for role in roles if role not in model.roles]
    return not_applicable(f"it has no {' or '.join(missing)} heads") if missing else None


def saying(model, role, sampler, through=anything, other=None):
    """The model on `other` (itself), but that heads of a role say at END what they do elsewhere."""
    if unfit := lacking(model, role):
        return unfit
    logits = InterpNode("logits", Exact(), other=other or Exact())
    said = heads(model.role(role), at="end", through=through)
    return Correspondence({logits: output(at="end"), logits.child("heads", sampler): said})


def comparing(model, sampler):
    """The model as it is, but that the MLPs after start-year heads write what they do elsewhere."""
    if unfit := lacking(model, START):
        return unfit
    first = min(layer for layer, _ in model.role(START))
    logits = InterpNode("logits", Exact(), other=Exact())
    after = reduce(or_, (mlp(layer, at="end") for layer in range(first, model.layers)))
    return Correspondence({logits: output(at="end"), logits.child("MLPs", sampler): after})


def looking(model):
    """Where start-year heads look, whatever YY is."""
    if unfit := lacking(model, START):
        return unfit
    pattern = InterpNode("pattern", Exact(), other=Exact())
    prompt = pattern.child("prompt", Paired(OTHER_YY))
    look = heads(model.role(START), "pattern", at="end")
    return Correspondence({pattern: look, prompt: embeddings(through=anything)})


# What start-year heads look at, and carry. True of the one model, false of the other.


@claim(data=TIED, expect=attends(to="yy", share=MOST))
def attend_to_yy(model):
    """From END start-year heads attend to YY, whatever it is."""
    return looking(model)


@claim(data=TIED, expect=refuted(attends(to="century1", share=MOST)))
def attend_to_the_century(model):
    """From END start-year heads attend to the first century."""
    return looking(model)


@claim(data=TIED, metric=DIFFERENCE, expect=supported(above=ENOUGH))
def carry_yy(model):
    """All else runs on another YY, start-year heads at END on another century: YY is kept."""
    return saying(model, START, Paired(OTHER_CENTURY), other=Paired(OTHER_YY))


@claim(data=TIED, metric=DIFFERENCE, expect=refuted(below=ENOUGH))
def carry_the_century(model):
    """All else runs on another century, start-year heads at END on another YY: it is enough."""
    return saying(model, START, Paired(OTHER_YY), other=Paired(OTHER_CENTURY))


@claim(data=ANY, metric=DIFFERENCE, expect=supported(above=ENOUGH))
def carry_yy_of_any_century(model):
    """Where century and YY are independent, these heads' YY is all that is needed of a prompt."""
    return saying(model, START, Agree("yy"), other=Uncond())


@claim(data=TIED, metric=DIFFERENCE, expect=refuted(below=ENOUGH))
def carry_the_noun(model):
    """All that is needed of a prompt is what lasted, by start-year heads at END."""
    return saying(model, START, Agree("noun"), other=Uncond())


# Who compares. Heads say YY; that years are greater is written by MLPs, from what heads say.


@claim(data=TIED, metric=DIFFERENCE, expect=supported(below=LITTLE))
def mlps_write_the_answer(model):
    """Where MLPs after them write what they do for the year 01, nothing is left."""
    return comparing(model, Paired(YY_01))


@claim(data=TIED, metric=DIFFERENCE, expect=supported(above=ENOUGH))
def mlps_read_yy(model):
    """What these MLPs write for another century's year with that YY does as well."""
    return comparing(model, Paired(OTHER_CENTURY))


@claim(data=TIED, metric=DIFFERENCE, expect=refuted(above=LITTLE))
def heads_write_the_answer(model):
    """Where start-year heads write to the logits what they do for the year 01, nothing is left."""
    return saying(model, START, Paired(YY_01), through=none)


@claim(data=TIED, metric=DIFFERENCE, expect=supported(below=LITTLE))
def relation_heads_turn_it(model):
    """Where relation heads say that less is asked for, nothing is left."""
    return saying(model, RELATION, Paired(LESS))
