"""Support support: would any other input have done as well as those that a claim asks for?

A claim that states features asserts that they matter. So it is scrubbed once more with any input at
all in place of those that agree. If that meets the belief too, nothing that was stated was put to
the test, and the claim is *vacuous*. Each node that states a feature is also loosened alone, and is
*idle* if the claim meets its belief even so; and asked for less (one of several features dropped,
or a coarser column of the data in place of all), and is *finer than needed* if nothing is lost.

What is lost is read off intervals, never off equality of bits. A belief with only an upper bound
says that a feature is *not* enough; taking it away is no test of that, and such a claim could have
failed by recovering more. So only beliefs with a lower bound can be vacuous in this way.
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
from scrub.stats.intervals import Interval, loss_recovered
from scrub.stats.rounding import number
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


def nothing_loosened(tree: Tree) -> Support:
    """What a claim states, where nothing was asked of it."""
    return Support(tuple(node.name for node in stated(tree)))


def most_scrubs(tree: Tree) -> int:
    """How many scrubs it takes to loosen nodes together and each alone, at most."""
    nodes = len(stated(tree))
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
    nodes, nothing = stated(tree), nothing_loosened(tree)
    if not nodes or np.isnan(judged.mean):
        return nothing
    try:
        anything = scrub(loosened(tree, nodes))(len(draws.references))
    except UserError as error:
        return evolve(nothing, problem=error.problems[0].what)
    found = evolve(nothing, with_any_input=anything.recovered())
    if expect is None or expect.low is expect.high is None:
        lost = _lost(anything, scores)
        alike = lost.low > -NO_LOSS and lost.high < NO_LOSS
        return evolve(found, vacuous=_vacuous(nodes, anything)) if alike else found
    if expect.low is None or verdict_of(judged, expect) != "supported":
        return found
    if verdict_of(anything.recovered(judged.confidence, judged.looks), expect) == "supported":
        return evolve(found, vacuous=_vacuous(nodes, anything))
    alone = _alone(tree, nodes, found, draws, judged, expect, scrub)
    idle = {one.name for one in alone if one.idle}
    asked = [less for less in coarser(tree, draws) if less.node.name not in idle]
    return evolve(found, loosened=alone, finer=_finer(asked, draws, scores, scrub))


def _vacuous(nodes: tuple[Stated, ...], anything: Scores) -> str:
    recovered = anything.recovered().mean
    return f"with any input in place of {in_words(nodes)}, {number(recovered)} is recovered as well"


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
            recovered = loose(samples).recovered(judged.confidence, judged.looks)
            return verdict_of(recovered, expect)

        samples = _enough(len(draws.references), lambda few: verdict(few) != "inconclusive")
        idle = verdict(samples) == "supported"
        return LoosenedNode(node.name, loose(samples).recovered(), idle)

    def known(node: Stated) -> LoosenedNode:
        try:
            return one(node)
        except UserError as error:
            return LoosenedNode(node.name, None, idle=False, problem=error.problems[0].what)

    return tuple(map(known, nodes))


def _finer(asked: list[Coarser], draws: Draws, scores: Scores, scrub: Scrub) -> tuple[Finer, ...]:
    """Each of these ways to ask for less by which nothing is lost."""

    def enough(less: Coarser) -> Finer | None:
        try:
            scrubbed = scrub(less.tree)
            all_of = len(draws.references)
            loose = scrubbed(_enough(all_of, lambda few: _lost(scrubbed(few), scores).low > 0))
        except UserError:  # what cannot be scrubbed is not known to be enough
            return None
        if not _nothing(_lost(loose, scores)):
            return None
        return Finer(less.node.name, less.words, loose.recovered())

    return tuple(found for less in asked if (found := enough(less)))


def _lost(scrubbed: Scores, scores: Scores) -> Interval:
    """By how much less is recovered than by the claim, paired by reference."""
    here = scores.where(np.arange(len(scrubbed.original)))
    which = here.defined
    here = here.where(which)
    change = scrubbed.scrubbed[which] - here.scrubbed
    return loss_recovered(here.original, here.baseline - change, here.baseline)


def _nothing(lost: Interval) -> bool:
    return lost.low <= 0 and lost.high < NO_LOSS


@frozen
class LoosenedNode:
    """One node that states a feature, with any input in its place and all else as claimed.

    Attributes:
        recovered: None where it cannot be scrubbed so; `problem` then says why.
        idle: whether the claim meets its belief even so.
    """

    name: str
    recovered: Interval | None
    idle: bool
    problem: str = ""


@frozen
class Finer:
    """A node that asks for more than it needs: nothing is lost where it asks for less.

    Attributes:
        words: what it asked for instead: 'without "io"'.
        recovered: with that.
    """

    name: str
    words: str
    recovered: Interval


@frozen
class Support:
    """Whether what a claim states was put to the test (see `scrub.analysis.support`).

    Attributes:
        states: the nodes that state a feature.
        with_any_input: loss recovered with any input in place of those that they ask for; None
            where no node states a feature, or where it cannot be scrubbed so (`problem` says why).
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
