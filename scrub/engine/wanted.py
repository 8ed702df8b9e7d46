"""Which plain values are read of which rows, and the forward passes that compute them.

A row is often drawn for one node only, which reads little of it. So what is computed and kept of a
row is what the inputs that drew it read, and not what the whole plan reads of all rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set

import numpy as np
from attrs import frozen
from jaxtyping import Bool, Int

from scrub.data.dataset import Rows
from scrub.engine.alignment import group_by_length
from scrub.engine.sharing import by_dataset
from scrub.engine.steps import Plan, Variable
from scrub.model.forward import needed, reads, stored_sources
from scrub.model.graph import Graph

Wanted = tuple[Rows, frozenset[str]]
"""Distinct rows, and the sites and streams whose plain values are kept of each of them."""
Masks = Mapping[str, Bool[np.ndarray, " rows"]]
"""By site or stream: of which of some rows it is meant."""


@frozen(eq=False)
class Pass:
    """A forward pass of the plain model.

    Attributes:
        at: places of its rows among those that were given, int64 [rows].
        names: the sites and streams that some of these rows lack.
        known: those that are known of all of these rows, from which it may start.
    """

    at: Int[np.ndarray, " rows"]
    names: frozenset[str]
    known: frozenset[str]


def wanted_rows(plan: Plan, inputs: Mapping[Variable, Rows]) -> list[Wanted]:
    """What is read of the inputs that were drawn, but for virtual rows.

    Law: a row stands with a site or stream once if some input that drew it reads that, else never.
    """
    readers: dict[tuple[int, str], list[Variable]] = {}
    for variable in sorted(plan.reads.keys() & inputs.keys()):
        data = inputs[variable].data
        if data.given is None:
            for name in stored_sources(plan.graph, plan.reads[variable]):
                readers.setdefault((id(data), name), []).append(variable)
    together: dict[tuple[Variable, ...], set[str]] = {}
    for (_, name), variables in readers.items():
        together.setdefault(tuple(variables), set()).add(name)
    return [
        (rows, frozenset(names))
        for variables, names in sorted(together.items(), key=lambda found: found[0])
        for rows in by_dataset(inputs[variable] for variable in variables)
    ]


def of_one_dataset(wanted: Iterable[Wanted]) -> list[list[Wanted]]:
    """What is wanted, dataset by dataset."""
    found: dict[int, list[Wanted]] = {}
    for rows, names in wanted:
        found.setdefault(id(rows.data), []).append((rows, names))
    return list(found.values())


def masks_of(wanted: Iterable[Wanted], rows: Rows) -> dict[str, Bool[np.ndarray, " rows"]]:
    """For each site or stream that is wanted of rows of this dataset, of which of these rows."""
    found: dict[str, np.ndarray] = {}
    for some, names in wanted:
        if some.data is rows.data:
            here = np.zeros(len(rows.data), dtype=bool)
            here[some.index] = True
            found |= dict.fromkeys(sorted(names), here[rows.index])
    return found


def forward_passes(graph: Graph, lacking: Masks, known: Masks, at_once: int) -> list[Pass]:
    """The forward passes that compute what rows lack, of at most so many rows each.

    Rows for which the same has to be computed go together. Where they fill less than half a pass,
    others join them: a pass computes what some of its rows lack of all of them.

    Args:
        lacking: what has to be computed, of which rows.
        known: what may be read, of which rows.

    Law: every row that lacks something is in one pass, and a row that lacks nothing in none.
    """
    some = _any(lacking)
    if not len(some):
        return []
    lacking = {name: mask[some] for name, mask in lacking.items() if mask.any()}
    known = {name: mask[some] for name, mask in known.items()}
    computed, read = _propagated(graph, lacking, known, len(some))
    start = {name: mask for name, mask in known.items() if name in read and read[name].any()}
    return _passes([*reversed(computed.values())], lacking, start, some, at_once)


def given_passes(lacking: Masks, at_once: int) -> list[Pass]:
    """The same for virtual rows: no value of theirs follows from another."""
    some = _any(lacking)
    here = {name: mask[some] for name, mask in lacking.items() if mask.any()}
    return _passes([], here, {}, some, at_once) if len(some) else []


def passes_for(graph: Graph, names: Set[str], known: Masks, count: int) -> list[Pass]:
    """How these sites and streams of so many rows are found, where some are known of some rows.

    A last pass computes nothing, for rows of which all are known.
    """
    none = np.zeros(count, dtype=bool)
    lacking = {name: ~known.get(name, none) for name in sorted(names)}
    passes = forward_passes(graph, lacking, known, count)
    rest = np.setdiff1d(np.arange(count), np.concatenate([none[:0], *(one.at for one in passes)]))
    return [*passes, Pass(rest, frozenset(), frozenset())] if len(rest) else passes


def _any(lacking: Masks) -> Int[np.ndarray, " some"]:
    """The rows that lack something."""
    every = list(lacking.values())
    return np.flatnonzero(np.logical_or.reduce(every)) if every else np.empty(0, dtype=np.int64)


def _passes(
    computed: Sequence[np.ndarray],
    lacking: Masks,
    start: Masks,
    rows: Int[np.ndarray, " rows"],
    at_once: int,
) -> list[Pass]:
    """Rows alike in all of these masks go together, and are told apart by the first ones first."""
    alike, first = _patterns([*computed, *lacking.values(), *start.values()])
    found = []
    for group in group_by_length(alike, max(1, at_once // 2)):
        for here in np.split(group, range(at_once, len(group), at_once)):
            patterns = first[alike[here[0]] : alike[here[-1]] + 1]
            names = frozenset(n for n, mask in lacking.items() if mask[patterns].any())
            known = frozenset(n for n, mask in start.items() if mask[patterns].all())
            found.append(Pass(rows[here], names, known))
    return found


def _propagated(
    graph: Graph, lacking: Masks, known: Masks, count: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Of which rows each site and stream is computed, and of which it is read to do so."""
    order = needed(graph, lacking)
    read = {name: np.zeros(count, dtype=bool) for name in order}
    computed: dict[str, np.ndarray] = {}
    for name in reversed(order):
        mask = read[name] | lacking[name] if name in lacking else read[name]
        computed[name] = mask & ~known[name] if name in known else mask
        for source in reads(graph.values[name]):
            read[source] |= computed[name]
    return {name: computed[name] for name in order}, read


def _patterns(
    masks: Sequence[Bool[np.ndarray, " rows"]],
) -> tuple[Int[np.ndarray, " rows"], Int[np.ndarray, " patterns"]]:
    """The number of each row's combination of masks, and a row of each combination.

    Combinations are numbered so that those alike in the first masks follow each other.
    """
    differ = [mask for mask in masks if mask.any() and not mask.all()]
    if not differ:
        return np.zeros(len(masks[0]), dtype=np.int64), np.zeros(1, dtype=np.int64)
    bits = np.packbits(np.stack(differ), axis=0).T
    _, first, number = np.unique(bits, axis=0, return_index=True, return_inverse=True)
    return number.reshape(-1), first
