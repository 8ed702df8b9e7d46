"""A result as HTML: the verdict in plain words first, then what it rests on, folded."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen
from markupsafe import Markup

from scrub.report.claims_table import bounds_in_words, figure_name
from scrub.report.diagnosis import (
    conventions_table,
    nulls_in_words,
    specificity_table,
)
from scrub.report.html.blames import waterfall_part
from scrub.report.html.frames import Cell, grid_html, grid_of_rows, table_html
from scrub.report.html.rendering import fragment, render
from scrub.report.html.scales import figure_picture
from scrub.report.html.trees import tree_part
from scrub.report.html.worst import worst_part
from scrub.report.inputs import Drawn
from scrub.report.node_details import memory_line
from scrub.results.doubts import doubts
from scrub.results.inapplicable import Inapplicable
from scrub.results.population import few_rows, on_rows, references_in_words, small_classes
from scrub.results.result import Result
from scrub.results.verdict_words import expected_in_words, verdict_in_words
from scrub.stats.cancellation import in_words
from scrub.stats.rounding import interval, number


@frozen
class Part:
    """A part of a result that folds. `unfolded`: shown at first."""

    title: str
    content: Markup
    unfolded: bool = False


def result_html(result: Result | Inapplicable) -> str:
    """A result as a fragment: verdict, figure, doubts; its tree, its figures and diagnoses folded.

    It stands by itself, with its style, and reads without scripts and network, in a light page and
    in a dark one.
    """
    return fragment(result_part(result))


def result_part(
    result: Result | Inapplicable, further: Sequence[Part] = (), images: Drawn | None = None
) -> Markup:
    """A result without style of its own.

    Args:
        further: parts that stand after those of its diagnoses.
        images: which tokens are an image's, where the data has any.
    """
    if isinstance(result, Inapplicable):
        parts, picture = [], Markup()
    else:
        parts = [*_parts(result, images), *further, Part("What it rests on", _rests_on(result))]
        picture = figure_picture(result)
    return render(
        "result.html",
        name=result.claim.name,
        about=f"{result.file} on {result.model}" if result.file else f"on {result.model}",
        belief=result.claim.belief,
        verdict=result.judgement.verdict or "no verdict",
        kind=passed_kind(result),
        expected=expected_in_words(result),
        words=verdict_in_words(result),
        picture=picture,
        doubts=[f"{reason[0].upper()}{reason[1:]}." for reason in reasons_of(result)],
        parts=parts,
    )


def reasons_of(result: Result | Inapplicable) -> list[str]:
    """All reasons to doubt a result; of a claim that is not applicable the verdict says it."""
    if isinstance(result, Inapplicable):
        return []
    return [*doubts(result), *few_rows(result), *small_classes(result)]


def passed_kind(result: Result | Inapplicable) -> str:
    """The class of a verdict: "good" as expected, "bad" otherwise, "dim" where nothing was."""
    if isinstance(result, Inapplicable) or result.expect is None:
        return "dim"
    return "good" if result.passed else "bad"


def _parts(result: Result, images: Drawn | None) -> list[Part]:
    found = [
        Part("Tree", tree_part(result.tree, result.nodes, result.support), unfolded=True),
        Part("Figures", _figures(result)),
    ]
    diagnosis = result.diagnosis
    if diagnosis is None:
        return found
    if diagnosis.blame:
        found.append(Part("Where it loses", waterfall_part(result, diagnosis.blame), True))
    if diagnosis.blame and diagnosis.blame.worst:
        found.append(
            Part("References that lose most", worst_part(result, diagnosis.blame.worst, images))
        )
    if diagnosis.nulls:
        words = nulls_in_words(diagnosis.nulls, result.expect)
        found.append(Part("Against random components", _paragraph(f"{words}.")))
    if diagnosis.conventions:
        name = result.belief.figure if result.belief else "recovered"
        table = table_html(conventions_table(diagnosis.conventions, name))
        found.append(Part("Under other conventions", table))
    if diagnosis.specificity:
        table = table_html(specificity_table(diagnosis.specificity))
        found.append(Part("How specific it is", table))
    if diagnosis.fresh:
        fresh = diagnosis.fresh
        rows = [
            (f"seed {seed}", interval(one))
            for seed, one in zip(fresh.seeds, fresh.recovered[1:], strict=True)
        ]
        rows.append(("on fresh data", interval(fresh.value)))
        found.append(Part("On other datasets", grid_html(grid_of_rows(("", "recovered"), rows))))
    return found


def _figures(result: Result) -> Markup:
    """Means of every metric, and the figures of all checks that take no diagnosis."""
    measured = [(result.metric.name, result.scores, result.figure)]
    measured += [(other.metric.name, other.scores, other.figure) for other in result.others]
    names = ("before", "scrubbed", "original")
    if result.kind == "scrub":
        names = ("original", "scrubbed", "baseline")
    rows = [
        (metric, *(number(scores.means[name]) for name in names), interval(figure))
        for metric, scores, figure in measured
    ]
    columns = ("metric", *(f">{name}" for name in names), figure_name(result))
    lines = [f"believed: {bounds_in_words(result.expect)}"]
    if result.with_any_input is not None:
        figure = interval(result.with_any_input)
        lines.append(f"with any input in place of those that agree: {figure}")
    lines += [
        f'"{one.name}" {one.words}: {interval(one.recovered)}' for one in result.support.finer
    ]
    if result.kind == "scrub":
        lines.append(in_words(result.cancellation, interval(result.cancellation.recovered)))
    lines += [f"correction: {result.correction}", memory_line(result)]
    return grid_html(grid_of_rows(columns, rows)) + _paragraph(*lines)


def _rests_on(result: Result) -> Markup:
    """What somebody else needs to compute the same numbers."""
    direction = {True: "higher is better", False: "lower is better", None: "no direction given"}
    better = direction[result.metric.higher_is_better]
    rows = [
        ("model", f"{result.model}, {result.dtype}"),
        ("weights, sha256", Cell(result.weights_sha256 or "not known", "hash")),
        ("data", f"{references_in_words(result.samples)} {on_rows(result)}"),
        ("data, sha256", Cell(result.data_sha256, "hash")),
        ("metric", f"{result.metric.name}, {better}"),
        ("seed", str(result.seed)),
        ("seconds", f"{result.seconds:.1f}"),
    ]
    return grid_html(grid_of_rows(("", ""), rows))


def _paragraph(*lines: str) -> Markup:
    return render("lines.html", lines=lines)
