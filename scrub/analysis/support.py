"""Support support: would any other input have done as well as those that a claim asks for?

A claim that states features asserts that they matter. So it is scrubbed once more with any input at
all in place of those that agree. If that meets the belief too, nothing that was stated was put to
the test, and the claim is *vacuous*. Each node that states a feature is also loosened alone, and is
*idle* if the claim meets its belief even so; and asked for less (one of several features dropped,
or a coarser column of the data in place of all), and is *finer than needed* if nothing is lost.

What is lost is read off intervals, never off equality of bits. A belief with only an upper bound
says that a feature is *not* enough; taking it away is no test of that, and such a claim could have
failed by recovering more. So only beliefs with a lower bound can be vacuous in this way.

A belief about an effect, or about what the scrubbed model answers or attends to, is judged by its
own figure, whatever its bounds: if any input in place of those that agree meets it too, it did not
hang on what was stated. A node asks for more than it needs if the belief is met where it asks less.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from attrs import evolve, frozen

from scrub.analysis.loosening import (
    Coarser,
    Stated,
    coarser,
    in_words,
    loosened,
    stated,
)
from scrub.draw import Draws
from scrub.errors import UserError
from scrub.hypothesis.belief import Expectation, Verdict
from scrub.hypothesis.tree import Tree
from scrub.printing import brief
from scrub.stats.figure import figure
from scrub.stats.figure import in_words as figure_in_words
from scrub.stats.intervals import Interval, loss_recovered
from scrub.stats.scores import Scores
from scrub.stats.verdict import verdict_of

NO_LOSS = 0.05
"""Nothing is lost by asking for less if no loss is told, and at most this one can be, with the
interval's confidence: a twentieth of baseline − original, the least that a report speaks of."""
FIRST_LOOK = 250
"""References on which a node is loosened first; only what they leave open takes all."""

Scrub = Callable[[Tree], Callable[[int], Scores]]
"""Scrubs the claim with other samplers: gives its scores on the first so many references. What was
computed for fewer is not computed again."""


def nothing_loosened(tree: Tree, *, effect: bool = False) -> Support:
    """What a claim states, where nothing was asked of it. `effect`: as in `states`."""
    return Support(tuple(node.name for node in stated(tree, effect=effect)))


def most_scrubs(tree: Tree, *, effect: bool = False) -> int:
    """How many scrubs it takes to loosen nodes together and each alone, at most."""
    nodes = len(stated(tree, effect=effect))
    return nodes + 1 if nodes > 1 else nodes


def support_of(
    tree: Tree,
    draws: Draws,
    scores: Scores,
    judged: Interval,
    expect: Expectation | None,
    scrub: Scrub,
) -> Support:
    """Scrub a claim that states features again, without them.

    Args:
        judged: the interval that the verdict is read off.
    """
    belief = expect.belief if expect else None
    effect = expect is not None and expect.is_effect
    nodes, nothing = stated(tree, effect=effect), nothing_loosened(tree, effect=effect)
    if not nodes or np.isnan(judged.mean):
        return nothing
    try:
        anything = scrub(loosened(tree, nodes))(len(draws.references))
    except UserError as error:
        return evolve(nothing, problem=error.problems[0].what)
    found = evolve(nothing, with_any_input=figure(anything, belief))
    if vain := in_vain(in_words(nodes), scores, anything, judged, expect):
        return evolve(found, vacuous=vain)
    if expect is None or not _met_by_a_feature(judged, expect):
        return found
    alone = _alone(tree, nodes, found, draws, judged, expect, scrub)
    idle = {one.name for one in alone if one.idle}
    asked = [less for less in coarser(tree, draws) if less.node.name not in idle]
    finer = _less_meets if effect else _finer
    return evolve(found, loosened=alone, finer=finer(asked, draws, scores, judged, expect, scrub))


def in_vain(
    nodes: str, scores: Scores, anything: Scores, judged: Interval, expect: Expectation | None
) -> str:
    """Why nothing that a claim states was put to the test, in words; "" if something was.

    Args:
        nodes: those that state a feature, in words.
        anything: the scores with any input in their place, on the same references.
        judged: the interval that the verdict is read off.
    """
    if expect is None or expect.low is expect.high is None:
        lost = _lost(anything, scores)
        vain = lost.low > -NO_LOSS and lost.high < NO_LOSS
    else:
        vain = _met_by_a_feature(judged, expect) and _meets(anything, judged, expect)
    belief = expect.belief if expect else None
    met = figure_in_words(belief, figure(anything, belief).mean) if vain else ""
    return f"with any input in place of {nodes}, {met} as well" if vain else ""


def _met_by_a_feature(judged: Interval, expect: Expectation) -> bool:
    """Whether a belief is met that a claim could have met by what it states."""
    if expect.low is expect.high is None or (expect.low is None and not expect.is_effect):
        return False
    return verdict_of(judged, expect) == "supported"


def _meets(scores: Scores, judged: Interval, expect: Expectation) -> bool:
    """Whether a variant meets the belief, by an interval like the one that judges the claim."""
    found = figure(scores, expect.belief, judged.confidence, judged.looks)
    return verdict_of(found, expect) == "supported"


def _enough(samples: int, decides: Callable[[int], bool]) -> int:
    """The number of references on which a node is loosened: few if they decide, or all."""
    return FIRST_LOOK if samples > 2 * FIRST_LOOK and decides(FIRST_LOOK) else samples


def _alone(
    tree: Tree,
    nodes: tuple[Stated, ...],
    found: Support,
    draws: Draws,
    judged: Interval,
    expect: Expectation,
    scrub: Scrub,
) -> tuple[LoosenedNode, ...]:
    """Each node loosened by itself; the only one is what was loosened already."""
    if len(nodes) == 1:
        assert found.with_any_input is not None
        return (LoosenedNode(nodes[0].name, found.with_any_input, idle=False),)

    def one(node: Stated) -> LoosenedNode:
        loose = scrub(loosened(tree, [node]))

        def verdict(samples: int) -> Verdict:
            found = figure(loose(samples), expect.belief, judged.confidence, judged.looks)
            return verdict_of(found, expect)

        samples = _enough(len(draws.references), lambda few: verdict(few) != "inconclusive")
        idle = verdict(samples) == "supported"
        return LoosenedNode(node.name, figure(loose(samples), expect.belief), idle)

    def known(node: Stated) -> LoosenedNode:
        try:
            return one(node)
        except UserError as error:
            return LoosenedNode(node.name, None, idle=False, problem=error.problems[0].what)

    return tuple(map(known, nodes))


def _less_meets(
    asked: list[Coarser],
    draws: Draws,
    scores: Scores,
    judged: Interval,
    expect: Expectation,
    scrub: Scrub,
) -> tuple[Finer, ...]:
    """Each of these ways to ask for less by which the belief is met as well."""

    def enough(less: Coarser) -> Interval | None:
        loose = scrub(less.tree)(len(draws.references))
        return figure(loose, expect.belief) if _meets(loose, judged, expect) else None

    return _those_that_are(enough, asked)


def _finer(
    asked: list[Coarser],
    draws: Draws,
    scores: Scores,
    judged: Interval,
    expect: Expectation,
    scrub: Scrub,
) -> tuple[Finer, ...]:
    """Each of these ways to ask for less by which nothing is lost."""

    def enough(less: Coarser) -> Interval | None:
        scrubbed = scrub(less.tree)
        all_of = len(draws.references)
        loose = scrubbed(_enough(all_of, lambda few: _lost(scrubbed(few), scores).low > 0))
        return loose.recovered() if _nothing(_lost(loose, scores)) else None

    return _those_that_are(enough, asked)


def _those_that_are(
    enough: Callable[[Coarser], Interval | None], asked: list[Coarser]
) -> tuple[Finer, ...]:
    """The ways to ask for less that are enough, each with its figure."""
    found: list[Finer] = []
    for less in asked:
        try:
            interval = enough(less)
        except UserError:  # what cannot be scrubbed is not known to be enough
            continue
        if interval is not None:
            found.append(Finer(less.node.name, less.words, interval))
    return tuple(found)


def _lost(scrubbed: Scores, scores: Scores) -> Interval:
    """By how much less is recovered than by the claim, paired by reference."""
    here = scores.where(np.arange(len(scrubbed.original)))
    which = here.defined
    here = here.where(which)
    change = scrubbed.scrubbed[which] - here.scrubbed
    return loss_recovered(here.original, here.baseline - change, here.baseline)


def _nothing(lost: Interval) -> bool:
    return lost.low <= 0 and lost.high < NO_LOSS


@frozen(repr=False)
class LoosenedNode:
    """One node that states a feature, with any input in its place and all else as claimed.

    Attributes:
        recovered: the figure of the belief, loss recovered where it is about that; None where the
            claim cannot be scrubbed so: `problem` then says why.
        idle: whether the claim meets its belief even so.
    """

    name: str
    recovered: Interval | None
    idle: bool
    problem: str = ""

    def __repr__(self) -> str:
        return brief(self)


@frozen(repr=False)
class Finer:
    """A node that asks for more than it needs: nothing is lost where it asks for less.

    Attributes:
        words: what it asked for instead: 'without "io"'.
        recovered: with that; the figure of the belief, as above.
    """

    name: str
    words: str
    recovered: Interval

    def __repr__(self) -> str:
        return brief(self)


@frozen(repr=False)
class Support:
    """Whether what a claim states was put to the test (see `scrub.analysis.support`).

    Attributes:
        states: the nodes that state a feature.
        with_any_input: the belief's figure with any input in place of those that they ask for;
            None where no node states a feature, or where it cannot be scrubbed so (`problem` says
            why).
        vacuous: why nothing that was stated was put to the test; "" if something was.
        loosened: each of these nodes loosened by itself; only of claims that are supported.
        finer: nodes that ask for more than they need; only of claims that are supported.
    """

    states: tuple[str, ...] = ()
    with_any_input: Interval | None = None
    problem: str = ""
    vacuous: str = ""
    loosened: tuple[LoosenedNode, ...] = ()
    finer: tuple[Finer, ...] = ()

    def __repr__(self) -> str:
        return brief(self)
