"""The references that lose most as text, with what was swapped marked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from attrs import evolve, frozen
from markupsafe import Markup

from scrub.data.dataset import Rows
from scrub.hypothesis.sites import Route
from scrub.hypothesis.tree import Occurrence
from scrub.report.html.rendering import render
from scrub.report.inputs import Drawn, Marked, inputs_of, marked_text
from scrub.results.result import Result
from scrub.samplers import describe_sampler
from scrub.stats.rounding import number
from scrub.stats.scores import COLUMNS

MANY = 8
"""Pieces in a row that are alike, from which on one stands for all."""


@frozen
class Run:
    """Some words in a row that are marked alike. `blank`: what stands before them, unmarked."""

    blank: str
    words: str
    changed: bool
    underlined: bool


@frozen
class NodeInputs:
    """What a node drew for a sample: which input, its sampler, and its text.

    A text of no run is that of the reference.
    """

    name: str
    depth: int
    inputs: tuple[tuple[str, str, tuple[Run, ...]], ...]


@frozen
class Sample:
    """A sample of a claim: its figures, its reference as text, and what its nodes drew."""

    title: str
    reference: tuple[Run, ...]
    nodes: tuple[NodeInputs, ...]


def worst_part(result: Result, samples: Sequence[int], images: Drawn | None = None) -> Markup:
    """Each sample as text: tokens that are not the reference's are marked.

    Positions that a node stands for are underlined in the input that it is computed on.

    Args:
        images: which tokens are an image's, where the data has any: they are one word.
    """
    return render("worst.html", samples=[_sample(result, sample, images) for sample in samples])


def _sample(result: Result, sample: int, images: Drawn | None) -> Sample:
    rows = result.draws.references
    reference = rows.at(rows.index[sample : sample + 1])
    values = {name: getattr(result.scores, name)[sample] for name in COLUMNS}
    figures = ", ".join(f"{name} {number(value)}" for name, value in values.items())

    def text(rows: Rows, routes: tuple[Route, ...]) -> tuple[Run, ...]:
        found = marked_text(rows, reference, routes, images)
        return in_runs(found) if any(one.changed or one.underlined for one in found) else ()

    def drawn(node: Occurrence) -> NodeInputs:
        samplers = {"own": node.node.sampler, "other": node.node.other}
        inputs = [
            (which, describe_sampler(samplers[which]), text(rows, routes))
            for which, rows, routes in inputs_of(node, result.draws, sample)
        ]
        return NodeInputs(node.node.name, len(node.path), tuple(inputs))

    return Sample(
        title=f"sample {sample} (row {rows.index[sample]}): {figures}",
        reference=in_runs(marked_text(reference, reference, (), images)),
        nodes=tuple(map(drawn, result.tree.walk())),
    )


def in_runs(pieces: Sequence[Marked]) -> tuple[Run, ...]:
    """Pieces in order, those in a row that are marked alike as one.

    Law: blanks and words in order are the pieces' text, but for blanks at the beginning, and for
    pieces that come `MANY` times in a row or more.
    """
    found: list[Run] = []
    for piece in _without_repeats(pieces):
        words = piece.text.lstrip()
        blank = piece.text[: len(piece.text) - len(words)] if found else ""
        last = found[-1] if found else None
        if last and (last.changed, last.underlined) == (piece.changed, piece.underlined):
            found[-1] = evolve(last, words=f"{last.words}{blank}{words}")
        else:
            found.append(Run(blank, words, piece.changed, piece.underlined))
    return tuple(found)


def _without_repeats(pieces: Sequence[Marked]) -> list[Marked]:
    """A piece that comes many times in a row, as an image's tokens do, once with its number."""
    found: list[Marked] = []
    for piece, same in groupby(pieces):
        count = len(list(same))
        if count < MANY:
            found += [piece] * count
        else:
            found.append(evolve(piece, text=f"{piece.text}×{count}"))
    return found
