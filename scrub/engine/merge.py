"""Merge the steps of several trees: those that compute the same value become one step."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

from attrs import evolve, field, frozen

from scrub.engine.steps import (
    Patch,
    Piece,
    Result,
    SiteRead,
    SiteStep,
    Source,
    Step,
    StreamRead,
)

Member = tuple[tuple[Step, ...], Result]
"""The steps of a tree, and where its root is found."""
Numbers = Sequence[int] | Mapping[int, int]
"""The new number of each step, by the old one."""


def merge_steps(members: Sequence[Member]) -> tuple[tuple[Step, ...], list[Result]]:
    """The steps of all members, each once, and where each member's root is found among them.

    Members that share steps with some others follow each other, so that little is held at once.

    Law: each step reads what it read, and stands behind it. Two steps are one if they compute the
    same site or stream, for the same heads, in the same frame and at the same positions, from the
    same sources: of what node and along which routes they came makes no difference.
    """
    apart = _Merged()
    used = [apart.add(steps) for steps, _ in members]
    times = Counter(number for numbers in used for number in set(numbers))
    shared = [
        tuple(sorted(n for n in set(numbers) if 1 < times[n] < len(members))) for numbers in used
    ]
    steps: list[Step] = []
    place: dict[int, int] = {}
    results: dict[int, Result] = {}
    for member in sorted(range(len(members)), key=shared.__getitem__):
        for number in used[member]:
            if number not in place:
                steps.append(renumbered(apart.steps[number], place))
                place[number] = len(steps) - 1
        numbers, (_, result) = [place[number] for number in used[member]], members[member]
        cells = tuple((cell, moved(source, numbers)) for cell, source in result.cells)
        results[member] = evolve(result, cells=cells)
    return tuple(steps), [results[member] for member in range(len(members))]


@frozen(eq=False)
class _Merged:
    """Steps, each once, and the number of each by what it computes."""

    steps: list[Step] = field(factory=list)
    known: dict[Hashable, int] = field(factory=dict)

    def add(self, steps: Sequence[Step]) -> list[int]:
        """Add the steps of a tree that are new; say which number each has here."""
        numbers: list[int] = []
        for step in steps:
            here = renumbered(step, numbers)
            number = self.known.setdefault(_computed(here), len(self.steps))
            if number == len(self.steps):
                self.steps.append(here)
            numbers.append(number)
        return numbers


def _computed(step: Step) -> Hashable:
    """What a step computes: equal for two steps that give the same value."""
    if isinstance(step, SiteStep):
        return step.site, step.heads, step.frame, step.reads, step.at
    return step.stream, step.frame, step.base, step.patches, step.at


def renumbered(step: Step, numbers: Numbers) -> Step:
    """A step that reads others by their new numbers."""
    if isinstance(step, SiteStep):
        reads = tuple(_read(read, numbers) for read in step.reads)
        return step if _same(reads, step.reads) else evolve(step, reads=reads)
    base = None if step.base is None else numbers[step.base]
    patches = tuple(_patch(patch, numbers) for patch in step.patches)
    if base == step.base and _same(patches, step.patches):
        return step
    return evolve(step, base=base, patches=patches)


def _read(read: SiteRead | StreamRead, numbers: Numbers) -> SiteRead | StreamRead:
    if isinstance(read, StreamRead):
        if read.difference is None:
            return read
        return StreamRead(read.port, read.stream, numbers[read.difference])
    pieces = tuple(_piece(piece, numbers) for piece in read.pieces)
    patches = tuple(_patch(patch, numbers) for patch in read.patches)
    if _same(pieces, read.pieces) and _same(patches, read.patches):
        return read
    return SiteRead(read.port, read.site, read.everywhere, pieces, patches)


def _piece(piece: Piece, numbers: Numbers) -> Piece:
    source = moved(piece.source, numbers)
    return piece if source is piece.source else Piece(piece.heads, source)


def _patch(patch: Patch, numbers: Numbers) -> Patch:
    source, over = moved(patch.source, numbers), moved(patch.over, numbers)
    if source is patch.source and over is patch.over:
        return patch
    return evolve(patch, source=source, over=over)


def _same(new: Sequence[object], old: Sequence[object]) -> bool:
    """Whether nothing was made anew."""
    return all(map(operator.is_, new, old))


def moved(source: Source, numbers: Numbers) -> Source:
    """A source by its step's new number."""
    return source if source.step is None else Source(source.frame, numbers[source.step])
