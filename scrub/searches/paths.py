"""All paths of a claim, from its root to its leaves, each with its share of the claim's effect."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import evolve, frozen
from jaxtyping import Float

from scrub.checks.structure import check_drawn
from scrub.draw import Draws, draw
from scrub.engine.family import execute_family, plan_family
from scrub.engine.family_cost import fit_family
from scrub.errors import UserError
from scrub.hypothesis.tree import NamePath, Tree
from scrub.printing import html_of, in_brief, one_line
from scrub.runner.context import Context
from scrub.runner.memory import room_for
from scrub.runner.prepare import Prepared
from scrub.runner.scoring import measuring
from scrub.runner.user_code import RUNNING, located
from scrub.stats.effect import paired_mean
from scrub.stats.intervals import CONFIDENCE, Interval
from scrub.stats.rounding import finite, interval

if TYPE_CHECKING:
    import pandas as pd


@frozen(repr=False)
class PathEffect:
    """What a path changes, or all paths through a node.

    Attributes:
        names: of the nodes below the root, down to the leaf, or to the node.
        count: how many paths these are.
        effect: metric(the tree of these paths alone) − metric(the root's other input), in the
            metric's units.
        share: of the effect of all paths; NaN where that is not told from zero.
        last: metric(the whole tree) − metric(the tree without these paths).
    """

    names: NamePath
    count: int
    effect: Interval
    share: float
    last: Interval

    @property
    def said(self) -> str:
        """ "name mover ← S-inhibition ← duplicate token", and behind it of how many paths."""
        more = f" ← … ({self.count} paths)" if self.count > 1 else ""
        return " ← ".join(self.names) + more

    def __repr__(self) -> str:
        return in_brief("PathEffect", self.said, interval(self.effect))


@frozen(eq=False, repr=False)
class ClaimPaths:
    """The paths of a claim. In a notebook they show themselves as a table.

    Attributes:
        paths: each path, and before those that part at a node all of them together; in the order
            of the tree.
        whole: the effect of all paths, with its own 95% interval.
        tried: intervals that hold together.
    """

    claim: str
    says: str
    model: str
    metric: str
    paths: tuple[PathEffect, ...]
    whole: Interval
    tried: int
    samples: int
    seed: int
    data: str = ""
    rows: int = 0

    @property
    def frame(self) -> pd.DataFrame:
        """One row a path or group of paths, in the order of the tree.

        Columns: path (names joined by " / "), paths (how many), effect, low, high, share, last,
        last_low, last_high.
        """
        import pandas as pd

        return pd.DataFrame([self._row(one) for one in self.paths])

    def _row(self, one: PathEffect) -> dict[str, Any]:
        return {
            "path": " / ".join(one.names),
            "paths": one.count,
            "effect": one.effect.mean,
            "low": one.effect.low,
            "high": one.effect.high,
            "share": one.share,
            "last": one.last.mean,
            "last_low": one.last.low,
            "last_high": one.last.high,
        }

    def as_json(self) -> dict[str, Any]:
        """What the results file holds; `null` is what is undefined or unbounded."""
        rows = [
            {key: finite(x) if isinstance(x, float) else x for key, x in self._row(one).items()}
            for one in self.paths
        ]
        ends = (self.whole.mean, self.whole.low, self.whole.high)
        return {
            "schema": "scrub.paths/1",
            "claim": self.claim,
            "model": self.model,
            "metric": self.metric,
            "samples": self.samples,
            "seed": self.seed,
            "effect": dict(zip(("mean", "low", "high"), map(finite, ends), strict=True)),
            "paths": rows,
        }

    def __repr__(self) -> str:
        count = sum(one.count == 1 for one in self.paths)
        return one_line(f"ClaimPaths({self.claim}: {count} paths, in all {interval(self.whole)})")

    def _repr_html_(self) -> str:
        return html_of(self)


def paths_of(prepared: Prepared, context: Context) -> ClaimPaths:
    """Every path of a claim by itself, on the claim's own draws.

    Law: the effect of a claim's only path is the claim's.

    Raises:
        UserError: the claim's root has no children; or as a scrub.
    """
    with located(prepared.file, prepared.claim, RUNNING), context.progress:
        return _measured(prepared, context)


def _measured(prepared: Prepared, context: Context) -> ClaimPaths:
    tree, options = prepared.tree, context.options
    if tree.is_leaf:
        raise UserError(
            "Its root has no children, so that there is no path. Give it some: "
            "root.child(name, sampler)."
        )
    context.progress.says("loading the model")
    model = context.session.load(prepared.model, options.dtype, options.device)
    draws = draw(tree, prepared.data, samples=options.samples, seed=options.seed)
    check_drawn(tree, draws, model.graph)
    groups = list(_groups(tree))
    alone = [_only(tree, group) for group in groups]
    without = [_without(tree, group) for group in groups]
    left = [one for one in without if one is not None]
    whole, *each = _differences(prepared, [tree, *alone, *left], draws, context)
    effects, lasts = each[: len(alone)], iter(each[len(alone) :])
    confidence = 1 - (1 - CONFIDENCE) / (2 * len(groups))
    total = paired_mean(whole)
    found = []
    for group, effect, rest in zip(groups, effects, without, strict=True):
        last = whole if rest is None else whole - next(lasts)
        of = paired_mean(effect, confidence=confidence)
        told = total.low > 0 or total.high < 0
        share = of.mean / total.mean if told else math.nan
        count = len(_leaves(alone[len(found)]))
        last_of = paired_mean(last, confidence=confidence)
        found.append(PathEffect(group[1:], count, of, share, last_of))
    return ClaimPaths(
        claim=prepared.name,
        says=prepared.claim.belief,
        model=prepared.model.name,
        metric=prepared.metric.name,
        paths=tuple(found),
        whole=total,
        tried=2 * len(groups),
        samples=options.samples,
        seed=options.seed,
        data=prepared.data.name,
        rows=len(prepared.data),
    )


def _leaves(tree: Tree) -> list[NamePath]:
    return [node.path for node in tree.walk() if node.is_leaf]


def _groups(tree: Tree) -> Iterator[NamePath]:
    """Every leaf below the root, and every node at which several paths but not all part."""
    leaves = len(_leaves(tree))
    for node in tree.walk()[1:]:
        parts = len(node.children) > 1 and len(_leaves(node)) < leaves
        if node.is_leaf or parts:
            yield node.path


def _begins(path: NamePath, start: NamePath) -> bool:
    return path[: len(start)] == start


def _only(tree: Tree, group: NamePath) -> Tree:
    """The tree of the paths through a node alone."""
    if len(tree.path) >= len(group):
        return tree
    (child,) = (one for one in tree.children if _begins(group, one.path))
    return evolve(tree, children=(_only(child, group),))


def _without(tree: Tree, group: NamePath) -> Tree | None:
    """The tree without the paths through a node; None where nothing is left below the root."""
    if tree.path == group:
        return None
    if not _begins(group, tree.path):
        return tree
    below = [_without(child, group) for child in tree.children]
    left = tuple(child for child in below if child is not None)
    return evolve(tree, children=left) if left else None


def _differences(
    prepared: Prepared, trees: Sequence[Tree], draws: Draws, context: Context
) -> Float[np.ndarray, "trees samples"]:
    """What each tree changes of the metric beside the root's other input, per reference."""
    model = context.session.load(prepared.model, context.options.dtype, context.options.device)
    plan = plan_family(trees, model.graph, columns=prepared.metric.of_labels is not None)
    cache, memory = context.session.cache(model, plan.graph), context.options.max_memory
    budget = room_for(plan, draws, cache, context, lambda: fit_family(plan, draws, cache, memory))
    samples = len(draws.references)
    found = np.empty((len(trees), samples))
    context.progress.says(prepared.claim.name)
    context.progress.expects(samples * len(trees))
    for output in execute_family(plan, draws, cache, budget):
        references = draws.references.at(draws.references.index[output.samples])
        measured = measuring(plan.members[0], prepared.metric, references, output.original)
        assert output.before is not None, "the root has children"
        before = measured(output.before)
        for member, value in output.members:
            found[member, output.samples] = measured(value) - before
            context.progress.advance(len(references))
    return found
