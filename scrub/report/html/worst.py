"""The references that lose most as text, with what was swapped marked."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen
from markupsafe import Markup

from scrub.hypothesis.tree import Occurrence
from scrub.report.html.rendering import render
from scrub.report.inputs import Drawn, Marked, inputs_of, marked_text
from scrub.results.result import Result
from scrub.samplers import describe_sampler
from scrub.stats.rounding import number
from scrub.stats.scores import COLUMNS


@frozen
class NodeInputs:
    """What a node drew for a sample: which input, its sampler, and its text."""

    name: str
    depth: int
    inputs: tuple[tuple[str, str, tuple[Marked, ...]], ...]


@frozen
class Sample:
    """A sample of a claim: its figures, its reference as text, and what its nodes drew."""

    title: str
    reference: tuple[Marked, ...]
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

    def drawn(node: Occurrence) -> NodeInputs:
        samplers = {"own": node.node.sampler, "other": node.node.other}
        inputs = [
            (which, describe_sampler(samplers[which]), marked_text(rows, reference, routes, images))
            for which, rows, routes in inputs_of(node, result.draws, sample)
        ]
        return NodeInputs(node.node.name, len(node.path), tuple(inputs))

    return Sample(
        title=f"sample {sample} (row {rows.index[sample]}): {figures}",
        reference=marked_text(reference, reference, (), images),
        nodes=tuple(map(drawn, result.tree.walk())),
    )
