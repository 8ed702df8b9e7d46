"""Whether a claim put anything to the test by swapping inputs. If not it is vacuous.

Two things make a claim vacuous whatever it recovers:

1. *Nothing was swapped*: every input that the scrub computed on is the reference's. All samplers
   are `Exact`, or the agreement classes determine the whole input, or the donors came out so. (What
   a scrub computes on are the own inputs of leaves and the other inputs of internal nodes.)
2. *The swapped inputs have the same values* where the nodes sit: at a position that comes before
   anything that the inputs differ in, say. This is asked of claims that state no feature, and of
   all rows that may be drawn, so that the answer is the same at every seed and number of samples.

A claim about an effect compares with the root's other input: for it "swapped" means that a node is
computed on other inputs than that one. A value that is the same on both cannot restore anything.

A claim of irrelevance (nothing but `Exact`, `Uncond` and `Differ`) says that what it swaps does not
matter. It could have failed wherever other values were put in, and is supported where it holds, be
it exactly or nearly. A claim that states a feature could have failed only if other inputs than
those that agree do worse: that is for `scrub.analysis.support`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from scrub.analysis.loosening import stated
from scrub.data.dataset import Dataset, Rows, padded_tokens, what_is_read
from scrub.data.virtual import gives_the_same
from scrub.draw import Draws
from scrub.engine.alignment import gather, named_index
from scrub.engine.steps import Plan
from scrub.hypothesis.sites import ALL, Route
from scrub.hypothesis.tree import Occurrence, Tree
from scrub.model.forward import Heads, batch_of, forward, read, stored_sources
from scrub.samplers import Agree, Constant, Exact, Sampler, Steer, Uncond, Zero
from scrub.samplers.agreement import classes
from scrub.stats.scores import Scores

ALL_EXACT = "every sampler is Exact, so nothing was swapped"
ONE_INPUT = "all rows of the data are the same input, so nothing was swapped"
NOTHING_PUT_IN = "every node is computed on the root's other input, so nothing was changed"
SAME_VALUES = "all inputs have the same values at the sites that the nodes stand for"
AT_ONCE = 64
"""Rows whose plain values are compared at once."""
MOST = 10_000
"""Rows that are compared; of more, so many evenly spaced ones."""


def rounding(dtype: torch.dtype) -> float:
    """What batches may change, relative to the largest number."""
    return 1e-9 if dtype == torch.float64 else 1e-5


def changed_nothing(scores: Scores, dtype: torch.dtype) -> bool:
    """Whether the scrub left the metric of every reference as it was, but for rounding."""
    start = scores.original if scores.before is None else scores.before
    finite = start[np.isfinite(start)]
    within = rounding(dtype) * np.abs(finite).max(initial=0.0)
    return np.allclose(start, scores.scrubbed, rtol=0, atol=within, equal_nan=True)


def why_vacuous(draws: Draws, scores: Scores, plan: Plan) -> str:
    """Why nothing was put to the test, in words; "" if something was."""
    effect = scores.before is not None
    if reason := nothing_swapped(plan.tree, draws, effect=effect):
        return reason
    if stated(plan.tree, effect=effect) or not changed_nothing(scores, plan.graph.dtype):
        return ""
    if effect and any(rows.data is not draws.references.population for rows in draws.rows()):
        return ""  # rows of several datasets are not compared
    return SAME_VALUES if same_values(plan, draws.references.population, effect=effect) else ""


def nothing_swapped(tree: Tree, draws: Draws, *, effect: bool = False) -> str:
    """Why no input was swapped, in words; "" if one was.

    Args:
        effect: compared with the root's other input, not with the reference.
    """
    samplers = [sampler for node in tree.walk() for sampler in _used(node)]
    if all(isinstance(sampler, Exact) for sampler in samplers):
        return ALL_EXACT
    if all(isinstance(sampler, Exact | Uncond) for sampler in samplers):
        # Not read off the draws: of few samples all may draw their own reference by chance.
        return ONE_INPUT if _one_input(draws.references.population) else ""
    start = draws.nodes[tree.path].frame if effect else draws.references
    if not all(same_inputs(node.frame, start) for node in draws.nodes.values()):
        return ""
    if effect and not same_inputs(start, draws.references):
        return NOTHING_PUT_IN
    if _one_input(draws.references.population):
        return ONE_INPUT
    found = f"in all {len(draws.references):,} references every donor is its reference"
    agree = [sampler for sampler in samplers if not isinstance(sampler, Exact)]
    if all(isinstance(s, Agree) and _determines_inputs(s, draws.references) for s in agree):
        return f"{found}, since the agreement classes determine the whole input"
    return found


def _used(node: Occurrence) -> list[Sampler]:
    return [node.node.sampler] if node.is_leaf else [node.node.sampler, node.node.other]


def same_inputs(first: Rows, second: Rows) -> bool:
    """Whether the model reads the same in all samples."""
    if first.data is second.data and np.array_equal(first.index, second.index):
        return True
    if first.data.given is not None and second.data.given is not None:
        same = gives_the_same(first.data.given, second.data.given)
        return same and np.array_equal(first.index, second.index)
    for one, input_ in ((first, second), (second, first)):
        if one.data.given is not None:  # a row by itself, or no input's
            source = one.data.given.source is input_.data
            return source and np.array_equal(one.data.given.same_as(one.index), input_.index)
    width = max(first.data.width, second.data.width)
    theirs = _read(second, width)
    mine = _read(first, width)
    return mine.keys() == theirs.keys() and all(
        np.array_equal(values, theirs[name]) for name, values in mine.items()
    )


def _read(rows: Rows, width: int) -> dict[str, np.ndarray]:
    """What the model reads of these rows: its inputs, and how long they are."""
    found = {name: values[rows.index] for name, values in what_is_read(rows.data).items()}
    if "tokens" in found:
        found["tokens"] = padded_tokens(rows.data, width)[rows.index]
    return found | {"lengths": rows.data.lengths[rows.index]}


def _one_input(data: Dataset) -> bool:
    every = _read(Rows(data, np.arange(len(data))), data.width)
    return all((values == values[:1]).all() for values in every.values())


def _determines_inputs(sampler: Agree, references: Rows) -> bool:
    """Whether all rows of each agreement class are the same input."""
    data = references.data
    every = references.at(np.arange(len(data)))
    flat = [values.reshape(len(data), -1) for values in _read(every, data.width).values()]
    same = np.unique(np.concatenate(flat, axis=1), axis=0, return_inverse=True)[1].ravel()
    pairs = np.unique(np.stack([classes(every, sampler.features)[0], same]), axis=1)
    return len(np.unique(pairs[0])) == pairs.shape[1]


def same_values(plan: Plan, data: Dataset, *, effect: bool = False) -> bool:
    """Whether all rows have the same values wherever the claim of a plan swaps one for another.

    So has their mean. Values that no row has are others.

    Args:
        effect: compared with the root's other input. Where that is not the reference, every leaf
            stands for another input's values.
    """
    elsewhere = effect and not isinstance(plan.tree.node.other, Exact)

    def swapped(node: Occurrence, moved: bool) -> list[Occurrence] | None:
        """The leaves whose inputs are swapped; None where an internal node's inputs are."""
        is_root = node.path == plan.tree.path
        moved = moved or not isinstance(node.node.sampler, Exact) or elsewhere
        if node.is_leaf and isinstance(node.node.sampler, Zero | Constant | Steer):
            return None
        if node.is_leaf:
            return [node] if moved else []
        if (moved or not isinstance(node.node.other, Exact)) and not (effect and is_root):
            return None
        below = [swapped(child, moved) for child in node.children]
        if any(leaves is None for leaves in below):
            return None
        return [leaf for leaves in below for leaf in leaves or ()]

    leaves = swapped(plan.tree, moved=False)
    if leaves is None:
        return False
    routes = [route for leaf in leaves for route in leaf.routes]
    return all(_same_in_all_rows(route, plan, data) for route in routes)


def _same_in_all_rows(route: Route, plan: Plan, data: Dataset) -> bool:
    which = np.unique(np.linspace(0, len(data) - 1, min(len(data), MOST)).astype(np.int64))
    first: list[torch.Tensor] = []
    for start in range(0, len(which), AT_ONCE):
        rows = Rows(data, which[start : start + AT_ONCE])
        values = _values(route, rows, plan)
        first = first or [value[:1] for value in values]
        for one, value in zip(first, values, strict=True):
            within = rounding(value.dtype) * float(one.abs().max())
            if not torch.allclose(one.expand_as(value), value, rtol=0, atol=within):
                return False
    return True


def _values(route: Route, rows: Rows, plan: Plan) -> Sequence[torch.Tensor]:
    """Plain values at a route's sites: [rows, positions, …] each, numbers even of a mask."""
    graph, count, width = plan.graph, len(rows), rows.data.width
    names = stored_sources(graph, {cell.site for cell in route.cells})
    values = forward(graph, batch_of(rows, width, graph.device), names)
    every = torch.arange(count, device=graph.device)

    def stored(name: str, at: torch.Tensor | None, heads: Heads) -> torch.Tensor:
        return gather(values[name], every, at, heads)

    at = None if route.at == ALL else named_index(rows, route.at).to(graph.device)
    found = (
        read(graph, stored, cell.site, at, (cell.head,), count=count, width=width)
        for cell in route.cells
    )
    return [value if value.is_floating_point() else value.double() for value in found]
