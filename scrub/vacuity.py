"""Whether a claim could have failed at all. If not it is `vacuous`, whatever it recovers.

Three things make a claim vacuous, and all of them leave every number of the original as it was; so
where a scrub changed a single reference's metric, nothing more is asked.

1. *Nothing was swapped*: every input that the scrub computed on is the reference's. All samplers
   are `Exact`, or the agreement classes determine the whole input, or the donors came out so. (What
   a scrub computes on are the own inputs of leaves and the other inputs of internal nodes.)
2. *The swapped inputs have the same values* where the nodes sit: at a position that comes before
   anything that the inputs differ in, say.
3. *The metric depends on nothing that was swapped*: values changed, and no number did.

A true claim, too, leaves every number as it was: donors that agree on the right feature have the
same values at its sites, and that is what it says. What tells it from 2 and 3 is whether it could
have failed: so the claim is scrubbed once more with any inputs at all (`Uncond`) in place of those
that it swapped. If even that changes no number, no feature could have made the claim fail, and
none was tested. This needs a second run only of claims that changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from attrs import evolve

from scrub.data import Rows, padded_tokens
from scrub.draw import Draws
from scrub.model.plain import PlainCache
from scrub.results import Numbered
from scrub.samplers import Agree, Exact, Sampler, Uncond
from scrub.samplers.choices import classes
from scrub.sites import ALL, Route
from scrub.steps import Plan
from scrub.tree import Occurrence, Tree

SAME_VALUES = "vacuous: all inputs have the same values at the sites that the nodes stand for"
NO_EFFECT = "vacuous: the metric depends on nothing that was swapped; any other inputs would do"
AT_ONCE = 64
"""Samples whose plain values are compared at once."""


def rounding(dtype: torch.dtype) -> float:
    """What batches may change, relative to the largest number (docs/semantics.md, Laws)."""
    return 1e-9 if dtype == torch.float64 else 1e-5


def changed_nothing(numbers: Numbered, dtype: torch.dtype) -> bool:
    """Whether the scrub left the metric of every reference as it was."""
    finite = numbers.original[np.isfinite(numbers.original)]
    within = rounding(dtype) * np.abs(finite).max(initial=0.0)
    return np.allclose(numbers.original, numbers.scrubbed, rtol=0, atol=within, equal_nan=True)


def nothing_swapped(tree: Tree, draws: Draws) -> str:
    """Why no input was swapped, in words; "" if one was."""
    if not all(same_inputs(node.frame, draws.references) for node in draws.nodes.values()):
        return ""
    samplers = [s for node in tree.walk() for s in _samplers(node)]
    if all(isinstance(sampler, Exact) for sampler in samplers):
        return "vacuous: every sampler is Exact, so nothing was swapped"
    found = f"vacuous: in all {len(draws.references):,} references every donor is its reference"
    agree = [sampler for sampler in samplers if not isinstance(sampler, Exact)]
    if all(isinstance(s, Agree) and _determines_inputs(s, draws.references) for s in agree):
        return f"{found}, since the agreement classes determine the whole input"
    return found


def _samplers(node: Occurrence) -> list[Sampler]:
    return [node.node.sampler] if node.is_leaf else [node.node.sampler, node.node.other]


def same_inputs(first: Rows, second: Rows) -> bool:
    """Whether the model reads the same in all samples."""
    if first.data is second.data and np.array_equal(first.index, second.index):
        return True
    width = max(first.data.width, second.data.width)
    theirs = _read(second, width)
    return all(np.array_equal(values, theirs[name]) for name, values in _read(first, width).items())


def _read(rows: Rows, width: int) -> dict[str, np.ndarray]:
    """What the model reads of these rows: its inputs, and how long they are."""
    found = {name: values[rows.index] for name, values in rows.data.inputs.items()}
    if "tokens" in found:
        found["tokens"] = padded_tokens(rows.data, width)[rows.index]
    return found | {"lengths": rows.data.lengths[rows.index]}


def _determines_inputs(sampler: Agree, references: Rows) -> bool:
    """Whether all rows of each agreement class are the same input."""
    data = references.data
    every = references.at(np.arange(len(data)))
    flat = [values.reshape(len(data), -1) for values in _read(every, data.width).values()]
    same = np.unique(np.concatenate(flat, axis=1), axis=0, return_inverse=True)[1].ravel()
    pairs = np.unique(np.stack([classes(every, sampler.features)[0], same]), axis=1)
    return len(np.unique(pairs[0])) == pairs.shape[1]


def loosened(tree: Tree, draws: Draws) -> Tree:
    """The tree in which each sampler that swapped anything may swap it for any input."""

    def visit(node: Occurrence, reference: Rows) -> Occurrence:
        drawn = draws.nodes[node.path]
        own = _any_other(drawn.own, reference)
        other = Exact() if drawn.other is None else _any_other(drawn.other, drawn.own)
        return evolve(
            node,
            node=evolve(node.node, sampler=own, other=other),
            children=tuple(visit(child, drawn.own) for child in node.children),
        )

    return visit(tree, draws.references)


def _any_other(drawn: Rows, reference: Rows) -> Sampler:
    return Exact() if same_inputs(drawn, reference) else Uncond()


def same_values(plan: Plan, draws: Draws, cache: PlainCache) -> bool:
    """Whether leaves' inputs have the references' values at their sites, and no other differs."""
    width = max(rows.data.width for rows in draws.rows())
    for node in plan.tree.walk():
        drawn = draws.nodes[node.path]
        if not node.is_leaf:
            if not same_inputs(drawn.frame, draws.references):
                return False
            continue
        for route in node.routes:
            if not _same_at(route, plan, cache, width, drawn.own, draws.references):
                return False
    return True


def _same_at(
    route: Route, plan: Plan, cache: PlainCache, width: int, own: Rows, references: Rows
) -> bool:
    for start in range(0, len(own), AT_ONCE):
        both = [rows.at(rows.index[start : start + AT_ONCE]) for rows in (own, references)]
        for rows in both:
            cache.fill(rows, width, plan.plain)
        for cell in route.cells:
            mine, theirs = (
                cache.get(cell.site, rows, width, _positions(route, rows, plan), (cell.head,))
                for rows in both
            )
            within = rounding(mine.dtype) * float(theirs.abs().max())
            if not torch.allclose(mine, theirs, rtol=0, atol=within):
                return False
    return True


def _positions(route: Route, rows: Rows, plan: Plan) -> torch.Tensor | None:
    if route.at == ALL:
        return None
    columns = [rows.data.position(spec)[rows.index] for spec in route.at]
    return torch.tensor(np.stack(columns, axis=1)).to(plan.graph.device)


Scrub = Callable[[Tree], tuple[Draws, Numbered]]
"""Scrubs with another tree, on as many references."""


def why_vacuous(
    tree: Tree,
    draws: Draws,
    numbers: Numbered,
    plan: Plan,
    cache: PlainCache,
    scrub: Scrub,
) -> str:
    """Why the claim could not have failed, in words; "" if it could have.

    Args:
        numbers: of the metric that decides the verdict.
    """
    dtype = plan.graph.dtype
    if not changed_nothing(numbers, dtype):
        return ""
    if reason := nothing_swapped(tree, draws):
        return reason
    if np.array_equal(numbers.original, numbers.baseline, equal_nan=True):
        return ""  # undefined, which says more
    anything, found = scrub(loosened(tree, draws))
    if not changed_nothing(found, dtype):
        return ""
    return SAME_VALUES if same_values(plan, anything, cache) else NO_EFFECT
