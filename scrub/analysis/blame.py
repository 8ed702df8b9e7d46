"""Blame: which swap of a claim, and which of a node's paths, loses how much.

A claim swaps inputs in several places. Each swap is made alone, all are made but it, and they are
made one after the other from the root down. What is lost on the way from the root telescopes: it
adds up to what the claim loses. Alone and last it need not: swaps that break the same thing lose
little together, and swaps that make up for each other lose much alone. (Shapley values average
over all orders; three orders cost less and show when there is something to average.)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Literal

import numpy as np
from attrs import evolve, frozen

from scrub.analysis.single_paths import divided, parts
from scrub.analysis.unclaimed import Unclaimed
from scrub.data.dataset import Dataset
from scrub.hypothesis.sites import Route
from scrub.hypothesis.tree import NamePath, Tree
from scrub.model.graph import Graph
from scrub.printing import brief
from scrub.samplers import Exact
from scrub.stats.intervals import Interval, PerReference
from scrub.stats.scores import Scores
from scrub.stats.shares import share

ScrubVariants = Callable[[Sequence[Tree]], list[PerReference]]
"""Variants of a claim → of each the metric of its root per reference, float64 [samples]."""


NOTHING = Interval(0.0, 0.0, 0.0)
"""What a claim loses that swaps nothing, by the law that all `Exact` is the plain model."""


@frozen(order=True)
class Swap:
    """A place where a claim's tree draws other inputs: a node's own, or its other inputs."""

    path: NamePath
    which: Literal["own", "other"]


@frozen(repr=False)
class LostOnPath:
    """What one of a leaf's paths loses, as shares of baseline − original.

    Attributes:
        route: one site, position and port.
        alone: lost where this path alone takes swapped values, and all else is exact.
        last: lost by it where all else is swapped: what would be won back without it.
    """

    route: Route
    alone: Interval
    last: Interval

    def __repr__(self) -> str:
        return brief(self)


@frozen(repr=False)
class Lost:
    """What one swap loses, as shares of baseline − original (0: nothing; 1: all there is).

    Attributes:
        alone: lost where this swap alone is made.
        last: lost by it where all others are made: what would be won back without it.
        step: lost by it on top of all swaps before it, in order from the root.
        paths: of a leaf, each of its paths; () where it has but one, or where they run through
            each other.
        unclaimed: of an `other` that loses anything, its components by port.
    """

    swap: Swap
    alone: Interval
    last: Interval
    step: Interval
    paths: tuple[LostOnPath, ...] = ()
    unclaimed: Unclaimed | None = None

    def __repr__(self) -> str:
        return brief(self)


@frozen(repr=False)
class Blame:
    """Where a claim loses what it loses.

    Attributes:
        total: what the claim loses, 1 − loss recovered.
        swaps: in order from the root. Law: their `step`s add up to the total.
        worst: samples that lose most, the worst first, no row twice.
    """

    total: Interval
    swaps: tuple[Lost, ...]
    worst: tuple[int, ...]

    def __repr__(self) -> str:
        return brief(self)


def swaps(tree: Tree) -> tuple[Swap, ...]:
    """All swaps of a tree in order from the root. `Exact` swaps nothing."""
    found: list[Swap] = []
    for node in tree.walk():
        if not isinstance(node.node.sampler, Exact):
            found.append(Swap(node.path, "own"))
        if not node.is_leaf and not isinstance(node.node.other, Exact):
            found.append(Swap(node.path, "other"))
    return tuple(found)


def keeping(tree: Tree, kept: Collection[Swap]) -> Tree:
    """The tree in which these swaps are made and no others."""
    node = evolve(
        tree.node,
        sampler=tree.node.sampler if Swap(tree.path, "own") in kept else Exact(),
        other=tree.node.other if Swap(tree.path, "other") in kept else Exact(),
    )
    return evolve(tree, node=node, children=tuple(keeping(c, kept) for c in tree.children))


def blame(
    tree: Tree,
    scores: Scores,
    rows: np.ndarray,
    scrubbed: ScrubVariants,
    *,
    graph: Graph,
    data: Dataset,
    most: int,
) -> Blame:
    """Lay the blame for what a claim loses.

    Args:
        scores: of the claim itself.
        rows: row of each sample's reference, int64 [samples].
        scrubbed: scrubs variants on the claim's draws.
        most: how many of the samples that lose most to name.
    """
    made = swaps(tree)
    whole = frozenset(made)
    orders = [
        (frozenset({swap}), whole - {swap}, frozenset(made[:number]), frozenset(made[: number + 1]))
        for number, swap in enumerate(made)
    ]
    known = {frozenset[Swap](): scores.original, whole: scores.scrubbed}
    asked = [
        kept for kept in dict.fromkeys(s for sets in orders for s in sets) if kept not in known
    ]
    found = scrubbed([keeping(tree, kept) for kept in asked])
    known |= dict(zip(asked, found, strict=True))
    losses = tuple(
        Lost(
            swap,
            alone=share(known[alone] - scores.original, scores),
            last=share(scores.scrubbed - known[without], scores),
            step=share(known[after] - known[before], scores),
        )
        for swap, (alone, without, before, after) in zip(made, orders, strict=True)
    )
    pieces = [parts(tree, swap.path, graph, data) if swap.which == "own" else () for swap in made]
    by_path = _by_path(tree, losses, pieces, scores, scrubbed)
    return Blame(
        total=share(scores.scrubbed - scores.original, scores) if made else NOTHING,
        swaps=tuple(evolve(loss, paths=by_path[loss.swap]) for loss in losses),
        worst=worst(scores, rows, most),
    )


def _by_path(
    tree: Tree,
    losses: tuple[Lost, ...],
    pieces: list[tuple[Route, ...]],
    scores: Scores,
    scrubbed: ScrubVariants,
) -> dict[Swap, tuple[LostOnPath, ...]]:
    """What each swap loses by each of its leaf's paths."""
    variants: list[Tree] = []
    for loss, routes in zip(losses, pieces, strict=True):
        for piece in routes:
            others = tuple(route for route in routes if route is not piece)
            alone = divided(tree, loss.swap.path, (piece,), others)
            variants.append(keeping(alone, {loss.swap}))
            variants.append(divided(tree, loss.swap.path, others, (piece,)))
    values = iter(scrubbed(variants))

    def on_path(piece: Route) -> LostOnPath:
        alone, without = next(values), next(values)
        return LostOnPath(
            piece,
            alone=share(alone - scores.original, scores),
            last=share(scores.scrubbed - without, scores),
        )

    return {
        loss.swap: tuple(on_path(piece) for piece in routes)
        for loss, routes in zip(losses, pieces, strict=True)
    }


def worst(scores: Scores, rows: np.ndarray, most: int) -> tuple[int, ...]:
    """The samples whose metric moves furthest towards the baseline, one a row."""
    here = scores.where(scores.defined)
    towards = np.sign((here.baseline - here.original).mean())
    moved = towards * (scores.scrubbed - scores.original)
    found: dict[int, int] = {}
    for sample in np.argsort(-moved, kind="stable"):
        if len(found) == most or not moved[sample] > 0:
            break
        found.setdefault(int(rows[sample]), int(sample))
    return tuple(found.values())
