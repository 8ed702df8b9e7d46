"""Stack members of a family: those that differ in one head alone are computed together.

Of a sweep's senders, those of one layer write to the same stream, at the same positions and from
the same inputs, and what reads it is the same, too. The values of sites without heads have a head
axis of length 1, which can as well have an entry for each of several members.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence

from attrs import evolve

from scrub.engine.dependencies import sources
from scrub.engine.merge import moved, renumbered
from scrub.engine.steps import Patch, Result, SiteStep, Source, Step, StreamRead, StreamStep
from scrub.model.graph import Graph

Chain = tuple[int, ...]
"""The steps from what a head writes to a stream up to a root: each alone reads the last."""


def stack_members(
    steps: Sequence[Step], results: Sequence[Result], graph: Graph, most: int
) -> tuple[tuple[Step, ...], list[Result]]:
    """The steps, those of several members in one, and where each member's root is found.

    Members are computed together if their steps are equal but for the head that is patched, its
    values are plain, and each step from there to the root has one reader and computes the entries
    of its head axis apart (`Site.entrywise`).

    Args:
        most: members together; more would not stay near the processor from step to step.

    Law: the entry of a root that `Result.entry` names is what the member's own steps compute, to
    rounding; who is computed with whom does not depend on the order of the members.
    """
    stacks = list(_stacks(steps, results, graph, most))
    whole = {n: step for chains in stacks for n, step in _together(chains, steps)}
    others = {number for chains in stacks for chain in chains[1:] for number in chain}
    made: list[Step] = []
    place: dict[int, int] = {}
    for number, step in enumerate(steps):
        if number not in others:
            made.append(renumbered(whole.get(number, step), place))
            place[number] = len(made) - 1
    entries: dict[int | None, tuple[int, int]] = {
        chain[-1]: (place[chains[0][-1]], entry)
        for chains in stacks
        for entry, chain in enumerate(chains)
    }
    return tuple(made), [_found(result, place, entries) for result in results]


def _stacks(
    steps: Sequence[Step], results: Sequence[Result], graph: Graph, most: int
) -> Iterator[list[Chain]]:
    """Chains that are computed together, at least two, by the number of the head."""
    alike: dict[Hashable, dict[int, Chain]] = {}
    for chain in _chains(steps, results, graph):
        head = _patched_head(steps[chain[0]], graph)
        if head is not None:
            alike.setdefault(_but_for_the_head(chain, steps), {})[head] = chain
    for chains in alike.values():
        heads = sorted(chains)
        for start in range(0, len(heads), most):
            if len(together := heads[start : start + most]) > 1:
                yield [chains[head] for head in together]


def _chains(steps: Sequence[Step], results: Sequence[Result], graph: Graph) -> Iterator[Chain]:
    """The chain below each root that nothing but results reads."""
    readers = Counter(source.step for step in steps for source in sources(step))
    roots = {source.step: len(result.cells) for result in results for _, source in result.cells}
    for root, cells in roots.items():
        if root is None or readers[root] or cells > 1:
            continue
        chain = [root]
        while (below := _below(steps[chain[-1]], graph)) is not None:
            chain.append(below)
        if all(readers[number] == 1 and number not in roots for number in chain[1:]):
            yield tuple(reversed(chain))


def _below(step: Step, graph: Graph) -> int | None:
    """The step of whose value alone each entry of a site is computed, from the same entry."""
    if isinstance(step, StreamStep) or not graph.sites[step.site].entrywise:
        return None
    read, *others = step.reads
    if isinstance(read, StreamRead):
        below = read.difference
    else:
        piece, *more = read.pieces
        below = None if more or read.patches else piece.source.step
    return None if others else below


def _patched_head(step: Step, graph: Graph) -> int | None:
    """The head of the one patch that a step adds to a plain stream, where it is of plain values
    and what each head adds is the value of a site.
    """
    if not isinstance(step, StreamStep) or step.base is not None:
        return None
    patch, *others = step.patches
    head, *more = patch.heads
    if others or more or patch.source.step is not None or patch.over.step is not None:
        return None
    output = graph.sites.get(graph.sites[patch.site].output or "")
    by_head = output is not None and [port.source for port in output.ports] == [patch.site]
    return head if by_head else None


def _but_for_the_head(chain: Chain, steps: Sequence[Step]) -> Hashable:
    """What a chain computes, but for the head that is patched: each site reads the last step."""
    write, *above = (steps[number] for number in chain)
    p = _patch(write)
    patch = p.site, p.at, p.source, p.over, p.within, p.without
    return patch, *((_name(step), step.frame, step.at) for step in (write, *above))


def _together(chains: Sequence[Chain], steps: Sequence[Step]) -> list[tuple[int, Step]]:
    """The steps of the first chain, each computing those of all."""
    heads = tuple(head for chain in chains for head in _patch(steps[chain[0]]).heads)
    first, *above = (evolve(steps[number], stacked=len(chains)) for number in chains[0])
    return list(zip(chains[0], (_with_heads(first, heads), *above), strict=True))


def _with_heads(step: Step, heads: tuple[int | None, ...]) -> Step:
    """A step with these heads in its one patch."""
    return evolve(step, patches=(evolve(_patch(step), heads=heads),))


def _name(step: Step) -> str:
    return step.site if isinstance(step, SiteStep) else step.stream


def _patch(step: Step) -> Patch:
    assert isinstance(step, StreamStep)
    (patch,) = step.patches
    return patch


def _found(
    result: Result, place: Mapping[int, int], entries: Mapping[int | None, tuple[int, int]]
) -> Result:
    """A result with the new numbers of its steps."""
    (cell, source), *_ = result.cells
    if source.step in entries:
        step, entry = entries[source.step]
        return evolve(result, cells=((cell, Source(source.frame, step)),), entry=entry)
    return evolve(
        result, cells=tuple((cell, moved(source, place)) for cell, source in result.cells)
    )
