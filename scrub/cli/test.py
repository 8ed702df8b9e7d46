"""`scrub test`: scrub claims and judge them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scrub.cli.claims import print_notice
from scrub.cli.exit_codes import AS_EXPECTED, NO_CLAIM, UNEXPECTED
from scrub.cli.options import (
    CACHE,
    CACHE_SIZE,
    DEVICE,
    DTYPE,
    KEYWORD,
    MEMORY,
    MODEL,
    RECHECK,
    SAMPLES,
    SEED,
    html_option,
    json_option,
    options_of,
    session_of,
    typed,
)
from scrub.cli.run import run
from scrub.errors import Problem, UserError
from scrub.runner.outputs import check_outputs

if TYPE_CHECKING:
    from scrub.report.reporter import Reporter
    from scrub.runner.prepare import Prepared


@click.command("test")
@click.argument("targets", nargs=-1, required=True, metavar="PATH[::CLAIM]...")
@MODEL
@SAMPLES
@click.option(
    "--precision",
    type=click.FloatRange(min=0, min_open=True),
    metavar="X",
    help="Stop once the interval is ±X wide (at most --samples references).",
)
@SEED
@DEVICE
@DTYPE
@MEMORY
@click.option("--by", metavar="COLUMN", help="Break every figure down by a column of the data.")
@json_option("Write results here.")
@click.option(
    "--save-run",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write what is needed to recompute every number, one folder a claim.",
)
@click.option(
    "--figures",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Draw an example of each claim on images: what was swapped, where heads look.",
)
@html_option("Write one page here: claims, trees, what loses, where heads look.")
@click.option(
    "--junit",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write one test case a claim here, for continuous integration (XML).",
)
@click.option(
    "--nulls",
    type=click.IntRange(min=0),
    metavar="N",
    help="Random components in place of the claim's own, N times.  [default: 20 where cheap]",
)
@click.option(
    "--diagnose/--no-diagnose",
    default=None,
    help="Nulls, other conventions, coarser and finer features, or none.  [default: what is cheap]",
)
@click.option(
    "--fresh",
    type=click.IntRange(min=1),
    metavar="K",
    help="Repeat on K datasets that the recipe makes with other seeds: the spread between them.",
)
@KEYWORD
@CACHE
@CACHE_SIZE
@RECHECK
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("-v", "--verbose", is_flag=True, help="Per node: sites, donors, its scrub alone.")
def test_command(
    targets: tuple[str, ...],
    json_file: Path | None,
    save_run: Path | None,
    figures: Path | None,
    html_file: Path | None,
    junit: Path | None,
    by: str | None,
    nulls: int | None,
    diagnose: bool | None,
    fresh: int | None,
    quiet: bool,
    verbose: bool,
    keyword: str,
    cache: Path | None,
    cache_size: int,
    **chosen: Any,
) -> int:  # fmt: skip
    """Scrub the claims of hypothesis files and judge them."""
    if quiet and verbose:
        raise click.UsageError("-q and -v exclude each other.")
    outputs = check_outputs(json_file, save_run, figures=figures, html=html_file, junit=junit)
    from scrub.hypothesis.collect import collect

    claims = collect(targets, outputs.start, keyword=keyword, note=print_notice(quiet=quiet))
    from scrub.report.results_file import ResultsFile
    from scrub.report.terminal import TerminalReporter
    from scrub.runner.diagnoses import diagnoses
    from scrub.runner.fresh import check_fresh
    from scrub.runner.prepare import prepare_all, split

    options = options_of(alone=verbose, **chosen)
    session = session_of(cache, cache_size)
    prepared = prepare_all(claims, session, options)
    applicable, _ = split(prepared)
    if by:
        _check_column(by, applicable)
    if fresh:
        check_fresh(applicable, session)
    reporters: list[Reporter] = [ResultsFile(outputs, options.seed)] if json_file else []
    if not quiet:
        diagnosed = bool(verbose or diagnose or nulls)
        reporters.append(TerminalReporter(verbose=verbose, by=by, diagnoses=diagnosed))
    if junit:
        from scrub.report.junit import JUnitFile

        reporters.append(JUnitFile(outputs, tuple(prepared)))
    if html_file:
        from scrub.report.html.documents import Made
        from scrub.report.html_report import HtmlReport

        made = Made.now(typed())
        reporters.append(HtmlReport(outputs, made, tuple(prepared), session, options))
    if figures:
        from scrub.report.figures import FiguresFolder

        drawn = tuple(applicable)
        reporters.append(FiguresFolder(figures, outputs, drawn, session, options, quiet=quiet))
    blame = _blame(verbose=verbose, diagnose=diagnose) if html_file else False
    wanted = diagnoses(diagnose, nulls, fresh, blame=blame)
    results = run(prepared, session, options, wanted, outputs, reporters, quiet=quiet)
    if not applicable:
        return NO_CLAIM
    return UNEXPECTED if any(result.passed is False for result in results) else AS_EXPECTED


def _blame(*, verbose: bool, diagnose: bool | None) -> bool | None:
    """Of which claims a page says where they lose: all, none, or (None) those that are refuted."""
    return verbose or diagnose


def _check_column(by: str, claims: list[Prepared]) -> None:
    """Refuse a column that no table can be made of, before anything runs."""
    from scrub.data.partition import check_parts

    problems: list[Problem] = []
    for claim in claims:
        try:
            check_parts(claim.data, by)
        except UserError as error:
            problems += error.at(file=claim.file, claim=claim.claim.name).problems
    if problems:
        raise UserError(*problems)
