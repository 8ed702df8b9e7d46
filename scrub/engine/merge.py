"""Merge the steps of several trees: those that compute the same value become one step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

from attrs import evolve, field, frozen

from scrub.engine.steps import (
    Patch,
    Result,
    SiteRead,
    SiteStep,
    Source,
    Step,
    StreamRead,
)

Member = tuple[tuple[Step, ...], Result]
"""The steps of a tree, and where its root is found."""


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
    merged = _Merged()
    results: dict[int, Result] = {}
    for member in sorted(range(len(members)), key=shared.__getitem__):
        steps, result = members[member]
        numbers = merged.add(steps)
        cells = tuple((cell, _moved(source, numbers)) for cell, source in result.cells)
        results[member] = evolve(result, cells=cells)
    return tuple(merged.steps), [results[member] for member in range(len(members))]


@frozen(eq=False)
class _Merged:
    """Steps, each once, and the number of each by what it computes."""

    steps: list[Step] = field(factory=list)
    known: dict[Hashable, int] = field(factory=dict)

    def add(self, steps: Sequence[Step]) -> list[int]:
        """Add the steps of a tree that are new; say which number each has here."""
        numbers: list[int] = []
        for step in steps:
            here = _renumbered(step, numbers)
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


def _renumbered(step: Step, numbers: Sequence[int]) -> Step:
    """A step that reads others by their new numbers."""
    if isinstance(step, SiteStep):
        return evolve(step, reads=tuple(_read(read, numbers) for read in step.reads))
    base = None if step.base is None else numbers[step.base]
    return evolve(step, base=base, patches=tuple(_patch(p, numbers) for p in step.patches))


def _read(read: SiteRead | StreamRead, numbers: Sequence[int]) -> SiteRead | StreamRead:
    if isinstance(read, StreamRead):
        return (
            read if read.difference is None else evolve(read, difference=numbers[read.difference])
        )
    pieces = tuple(evolve(piece, source=_moved(piece.source, numbers)) for piece in read.pieces)
    return evolve(read, pieces=pieces, patches=tuple(_patch(p, numbers) for p in read.patches))


def _patch(patch: Patch, numbers: Sequence[int]) -> Patch:
    return evolve(patch, source=_moved(patch.source, numbers), over=_moved(patch.over, numbers))


def _moved(source: Source, numbers: Sequence[int]) -> Source:
    return source if source.step is None else Source(source.frame, numbers[source.step])
