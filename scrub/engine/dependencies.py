"""What steps depend on: other steps, drawn inputs, and values of the plain model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from attrs import evolve, frozen

from scrub.engine.ranges import Positions
from scrub.engine.sharing import BASELINE, REFERENCE
from scrub.engine.steps import (
    Patch,
    Plan,
    Result,
    Source,
    Step,
    StreamRead,
    StreamStep,
    Variable,
)
from scrub.hypothesis.sites import ALL


def sources(step: Step) -> list[Source]:
    """Everything that a step reads but the plain values of its own frame."""
    if isinstance(step, StreamStep):
        base = [] if step.base is None else [Source(step.frame, step.base)]
        return base + [source for p in step.patches for source in (p.source, p.over)]
    found: list[Source] = []
    for read in step.reads:
        if isinstance(read, StreamRead):
            found += [] if read.difference is None else [Source(step.frame, read.difference)]
        else:
            found += [piece.source for piece in read.pieces]
            found += [source for p in read.patches for source in (p.source, p.over)]
    return found


def find_needs(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps, each with the drawn inputs that its value depends on.

    Law: two samples that drew the same rows of these inputs have the same value, which is
    therefore computed once.
    """
    done: list[Step] = []

    def of(source: Source) -> frozenset[Variable]:
        return frozenset({source.frame}) if source.step is None else done[source.step].needs

    for step in steps:
        needs = frozenset({step.frame}).union(*(of(source) for source in sources(step)))
        done.append(evolve(step, needs=needs))
    return tuple(done)


def list_reads(
    steps: tuple[Step, ...],
    results: Sequence[Result],
    *,
    before: Source | None,
    virtual: Set[Variable],
) -> dict[Variable, frozenset[str]]:
    """Of each drawn input, the sites and streams whose plain values steps or results read.

    Law: with these in the activation cache, or with those that are stored and that they are
    recomputed from, nothing else of the plain model is computed; and each of them is read.
    """
    found: dict[Variable, set[str]] = {}
    for lookup in _lookups(steps, results, before):
        if lookup.is_plain(steps, virtual):
            found.setdefault(lookup.source.frame, set()).add(lookup.name)
    return {frame: frozenset(names) for frame, names in found.items()}


@frozen
class _Lookup:
    """A site or stream that is read of a source, at positions that are named in a frame."""

    source: Source
    name: str
    at: Positions
    frame: Variable

    def is_plain(self, steps: tuple[Step, ...], virtual: Set[Variable]) -> bool:
        """Whether plain values are read: alone, or beside the positions that a step computed.

        On virtual rows a step computes all that is read of it.
        """
        if self.source.step is None:
            return True
        computed = steps[self.source.step].at
        same = computed == self.at and self.frame == self.source.frame
        return not (computed == ALL or same or self.source.frame in virtual)


def _lookups(
    steps: tuple[Step, ...], results: Sequence[Result], before: Source | None
) -> Iterator[_Lookup]:
    """Everything that is read of sites, and of streams but for their differences."""
    for step in steps:
        if isinstance(step, StreamStep):
            for patch in step.patches:
                at, frame = _asked(patch, step)
                yield _Lookup(patch.source, patch.site, at, frame)
                yield _Lookup(patch.over, patch.site, at, step.frame)
            continue
        for read in step.reads:
            if isinstance(read, StreamRead):
                yield _Lookup(Source(step.frame), read.stream, step.at, step.frame)
                continue
            at = ALL if read.everywhere else step.at
            for piece in read.pieces:
                yield _Lookup(piece.source, read.site, at, step.frame)
            for patch in read.patches:
                yield _Lookup(patch.source, read.site, *_asked(patch, step))
    for result in results:
        for cell, source in result.cells:
            for read in (source, Source(REFERENCE), Source(BASELINE), before):
                if read is not None:
                    yield _Lookup(read, cell.site, result.at, read.frame)


def _asked(patch: Patch, step: Step) -> tuple[Positions, Variable]:
    """The positions that a patch takes of its source, and the frame in which they are named."""
    return (step.at, step.frame) if patch.at == ALL else (patch.at, patch.source.frame)


def last_uses(plan: Plan) -> dict[int, int]:
    """For each step that another reads, the last that does, after which it can be released.

    Steps whose value is the root's are left out: they are read at the end.
    """
    last: dict[int, int] = {}
    for number, step in enumerate(plan.steps):
        last |= {source.step: number for source in sources(step) if source.step is not None}
    root = {source.step for _, source in plan.result.cells}
    return {step: number for step, number in last.items() if step not in root}
