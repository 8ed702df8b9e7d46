"""The beginning of a report on claims: what came out, and a table with a row a claim."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from attrs import frozen
from markupsafe import Markup

from scrub.report.claims_table import bounds_in_words
from scrub.report.html.rendering import render
from scrub.report.html.results import passed_kind, reasons_of
from scrub.report.html.scales import Scale, common_scales, figure_picture, which_figure
from scrub.results.inapplicable import Inapplicable
from scrub.results.result import Result
from scrub.results.verdict_words import expected_in_words
from scrub.stats.rounding import interval

NAMED = 6
"""Claims that the first line names of those that are not as expected; the table has all."""


@frozen
class Row:
    """A claim in the table. `key`: by which its figure is sorted."""

    anchor: str
    name: str
    file: str
    model: str
    verdict: str
    kind: str
    expected: str
    figure: str
    key: float
    picture: Markup
    belief: str
    doubts: int


def summary_part(results: Sequence[Result | Inapplicable], claims: int, state: str) -> Markup:
    """What came out, in a line, and the table.

    Args:
        claims: how many there are in the run.
        state: what there is to say of a run that is not finished; "" of one that is.
    """
    scales = common_scales([result for result in results if isinstance(result, Result)])
    rows = [row_of(result, number, scales) for number, result in enumerate(results)]
    return render(
        "summary.html",
        title=title_of(results),
        counts=counted(results),
        unexpected=[row for row in rows if row.kind == "bad"],
        most=NAMED,
        state=state,
        finished=len(results),
        claims=claims,
        rows=rows,
        files=len({row.file for row in rows}) > 1,
        models=len({row.model for row in rows}) > 1,
    )


def anchor(number: int) -> str:
    """What a claim's section is called inside of the page."""
    return f"claim-{number + 1}"


def counted(results: Sequence[Result | Inapplicable]) -> str:
    """ "3 claims: 2 supported, 1 refuted"."""
    found = Counter(result.judgement.verdict or "without a verdict" for result in results)
    listed = ", ".join(f"{count} {verdict}" for verdict, count in found.most_common())
    claims = f"{len(results)} claim{'s' if len(results) != 1 else ''}"
    return f"{claims}: {listed}" if listed else claims


def title_of(results: Sequence[Result | Inapplicable]) -> str:
    """The files, and the models where they are few."""
    files = list(dict.fromkeys(result.file for result in results if result.file))
    models = list(dict.fromkeys(result.model for result in results))
    what = ", ".join(files[:3]) + (f" and {len(files) - 3} more files" if len(files) > 3 else "")
    return (
        f"{what or 'claims'} on {', '.join(models)}" if len(models) in (1, 2) else what or "scrub"
    )


NO_SCALES: Mapping[str, Scale] = MappingProxyType({})


def row_of(
    result: Result | Inapplicable, number: int, scales: Mapping[str, Scale] = NO_SCALES
) -> Row:
    """A claim as a row. `scales`: those that several share, by figure; else each has its own."""
    picture, figure = Markup(), "–"
    expect = result.expect
    if isinstance(result, Result):
        bounds = (expect.low, expect.high) if expect else ()
        figure = interval(result.figure, bounds)
        picture = figure_picture(result, scales.get(which_figure(result)))
    mean = result.figure.mean
    return Row(
        anchor=anchor(number),
        name=result.claim.name,
        file=result.file,
        model=result.model,
        verdict=result.judgement.verdict or "no verdict",
        kind=passed_kind(result),
        expected=expected_in_words(result),
        figure=figure,
        key=mean if math.isfinite(mean) else -math.inf,
        picture=picture,
        belief=bounds_in_words(expect),
        doubts=len(reasons_of(result)),
    )
