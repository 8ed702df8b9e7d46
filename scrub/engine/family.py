"""Plan and execute a family: trees on common draws, most often ones that differ in one node.

One plan for all of them: what members share is computed once, and what one of them has for itself
is let go when it was read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import torch
from attrs import evolve, frozen
from torch import Tensor

from scrub.draw import Draws
from scrub.engine.activations import ActivationCache
from scrub.engine.budget import Budget
from scrub.engine.by_head import lower_family
from scrub.engine.compute import compute_step
from scrub.engine.dependencies import find_needs, list_reads, sources
from scrub.engine.execute import chunks, read_root
from scrub.engine.lookup import Chunk, Recent
from scrub.engine.merge import merge_steps
from scrub.engine.narrow import narrow_positions
from scrub.engine.readout import drop_last_site
from scrub.engine.sharing import APART, BASELINE, REFERENCE
from scrub.engine.specialise import specialise_family
from scrub.engine.stack import stack_members
from scrub.engine.steps import FamilyPlan, Plan, Result, Source, Variable
from scrub.engine.virtual import root_is_given, virtual_inputs
from scrub.engine.walks import Walks
from scrub.hypothesis.tree import Tree
from scrub.model.graph import Graph

TOGETHER = 4
"""Members whose roots are held at once where only columns are read of them: the weights of these,
which are the references', then come from memory once for all."""


@frozen(eq=False)
class Roots:
    """The roots of some members, for some samples.

    Attributes:
        members: their numbers.
        value: [samples, positions, members · cells, …].
    """

    members: tuple[int, ...]
    value: Tensor


@frozen(eq=False)
class FamilyOutputs:
    """The roots' values for some samples: each [samples, positions, cells, ...].

    Attributes:
        before: the plain root on the root's `other` input; None where all roots are leaves.
        roots: the members' scrubbed roots, each member once, in an order of the engine's. They are
            computed as they are asked for, and can be asked for until the next outputs are.
        together: how many of these the memory was planned for.
    """

    samples: slice
    original: Tensor
    baseline: Tensor
    before: Tensor | None
    roots: Iterator[Roots]
    together: int = 1

    @property
    def members(self) -> Iterator[tuple[int, Tensor]]:
        """Number of each member, and its scrubbed root."""
        for roots in self.roots:
            each = roots.value.split(roots.value.shape[2] // len(roots.members), dim=2)
            yield from zip(roots.members, each, strict=True)

    def batches(self) -> Iterator[Roots]:
        """The members' roots, as many at a time as are planned for, or were computed together."""
        alone: list[Roots] = []
        for roots in self.roots:
            if len(roots.members) > 1:
                yield roots
                continue
            alone.append(roots)
            if len(alone) == self.together:
                yield _joined(alone)
                alone = []
        if alone:
            yield _joined(alone)


def _joined(several: Sequence[Roots]) -> Roots:
    if len(several) == 1:
        return several[0]
    members = tuple(member for roots in several for member in roots.members)
    return Roots(members, torch.cat([roots.value for roots in several], dim=2))


def plan_family(trees: Sequence[Tree], graph: Graph, *, columns: bool = False) -> FamilyPlan:
    """One plan of legal trees whose roots stand for the same cells at the same positions.

    Nodes with one path of names are one variable: they draw the same in all members, and must have
    the same samplers. A site that members split they must split in one way.

    Args:
        columns: as in `scrub.engine.plan.plan`.

    Laws: every member's value is that of its own plan, to rounding; no two steps compute the same
    value from the same ones; the order of the trees changes nothing.
    """
    assert len({(tree.path, tree.routes) for tree in trees}) == 1, "members have one root"
    trees, graph = specialise_family(trees, graph)
    walks = Walks.below(trees, graph)
    lowered = list(lower_family(trees, graph, walks))
    if columns and not any(map(root_is_given, trees)):
        dropped = [drop_last_site(steps, result, graph) for steps, result in lowered]
        if all(result.readout is not None for _, result in dropped):
            lowered = dropped
    narrowed = [
        (narrow_positions(steps, result, tree, graph), result)
        for tree, (steps, result) in zip(trees, lowered, strict=True)
    ]
    steps, results = merge_steps(narrowed)
    if results[0].readout is not None:
        steps, results = stack_members(steps, results, graph, TOGETHER)
    steps = find_needs(steps)
    other = Source(Variable(trees[0].path, "other"))
    before = None if all(tree.is_leaf for tree in trees) else other
    virtual = frozenset[Variable]().union(*map(virtual_inputs, trees))
    reads = list_reads(steps, results, before=before, virtual=virtual)
    return FamilyPlan(
        tuple(
            Plan(graph, tree, steps, result, reads, before, virtual)
            for tree, result in zip(trees, results, strict=True)
        )
    )


def execute_family(
    plan: FamilyPlan, draws: Draws, cache: ActivationCache, within: Budget, *, start: int = 0
) -> Iterator[FamilyOutputs]:
    """Root values of the samples from `start` on, as many at a time as the budget says.

    Args:
        draws: of every node of every member (see `scrub.hypothesis.tree.united`).

    Laws: each member's values are those of `execute` on its own plan, to rounding; the budget and
    what the cache holds change no draw and nothing beyond rounding.
    """
    first = plan.members[0]
    for samples, chunk in chunks(first, draws, cache, within, start, APART):
        chunk = evolve(chunk, recent=Recent())
        with torch.no_grad():
            outputs = FamilyOutputs(
                samples,
                original=read_root(chunk, Source(REFERENCE)),
                baseline=read_root(chunk, Source(BASELINE)),
                before=None if first.before is None else read_root(chunk, first.before),
                roots=_roots(plan, chunk, within.min_batch),
                together=roots_together(plan),
            )
        yield outputs


def _roots(plan: FamilyPlan, chunk: Chunk, min_batch: int) -> Iterator[Roots]:
    """Each root as soon as the steps that it is read from are computed."""
    readable, released = readable_after(plan), released_after(plan)
    for number in range(-1, len(plan.steps)):
        with torch.no_grad():
            if number >= 0:
                step = plan.steps[number]
                chunk.values[number] = compute_step(chunk, step, min_batch)
        for members in stacks_of(plan, readable.get(number, ())):
            with torch.no_grad():
                value = read_root(evolve(chunk, plan=plan.members[members[0]]), None)
                entries = [plan.members[member].result.entry for member in members]
                if None not in entries and entries != list(range(value.shape[2])):
                    value = value[:, :, entries]
            yield Roots(members, value)
        for old in released.get(number, ()):
            del chunk.values[old]


def roots_together(plan: FamilyPlan) -> int:
    """How many members' roots are held at once."""
    return 1 if plan.members[0].result.readout is None else TOGETHER


def stacks_of(plan: FamilyPlan, members: Sequence[int]) -> list[tuple[int, ...]]:
    """Members, those whose roots a step computes together in one tuple, by their entries."""
    together: dict[object, dict[int, int]] = {}
    times: Counter[Result] = Counter()
    for member in members:
        result = plan.members[member].result
        key = member if result.entry is None else (result.cells, times[result])
        together.setdefault(key, {})[result.entry or 0] = member
        times[result] += 1
    return [tuple(alike[entry] for entry in sorted(alike)) for alike in together.values()]


def readable_after(plan: FamilyPlan) -> dict[int, list[int]]:
    """The members whose roots can be read after each step; after −1: before the first."""
    found: dict[int, list[int]] = {}
    for number, member in enumerate(plan.members):
        found.setdefault(_last_step(member), []).append(number)
    return found


def released_after(plan: FamilyPlan) -> dict[int, list[int]]:
    """The steps whose values no step after each one reads, and no member's root."""
    last: dict[int, int] = {}
    for number, step in enumerate(plan.steps):
        last |= {source.step: number for source in sources(step) if source.step is not None}
    for member in plan.members:
        for _, source in member.result.cells:
            if source.step is not None:
                last[source.step] = max(last.get(source.step, 0), _last_step(member))
    found: dict[int, list[int]] = {}
    for step, after in last.items():
        found.setdefault(after, []).append(step)
    return found


def _last_step(member: Plan) -> int:
    """The last of the steps that a member's root is read from; −1 where it is plain."""
    steps = [source.step for _, source in member.result.cells if source.step is not None]
    return max(steps, default=-1)
