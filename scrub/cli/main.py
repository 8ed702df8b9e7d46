"""The command line. Heavy modules are imported where they are used: `--help` must not wait."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from scrub.cli.explain_compare import compare_command, explain_command
from scrub.cli.shared import (
    AS_EXPECTED,
    KEYWORD,
    MEMORY,
    MODEL,
    SAMPLES,
    SEED,
    UNEXPECTED,
    exit_code,
    note_unless,
    options_of,
    prepared_claims,
    what_is_kept,
)
from scrub.cli.streams import open_closed
from scrub.errors import Problem, UserError
from scrub.runner.opened_files import recorded
from scrub.runner.outputs import Outputs, check_outputs

if TYPE_CHECKING:
    from scrub.runner.prepare import Prepared


def main(arguments: Sequence[str] | None = None, prog_name: str = "scrub") -> NoReturn:
    """Run a command and exit with its code."""
    open_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a "≥" must not break a pipe that takes ASCII
            stream.reconfigure(errors="replace")

    def command() -> int:
        given = sys.argv[1:] if arguments is None else list(arguments)
        with recorded(), group.make_context(prog_name, given) as context:
            return group.invoke(context)

    sys.exit(exit_code(command))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="scrub")
def group() -> None:
    """Test mechanistic-interpretability claims by causal scrubbing."""
    # Before torch is imported. How long its threads spin before they sleep, in turns of GNU's
    # OpenMP: the default, 300,000, takes 25 times as long where other processes want the cores
    # (197 s against 8 s for 1,500 samples of parens.py::exp_2b), and not to spin at all twice as
    # long where none does (17 s). With 1,000 it is 9 s quiet and 22 s busy.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


@group.command("test")
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
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, ...")
@MEMORY
@click.option("--by", metavar="COLUMN", help="Break every figure down by a column of the data.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write results here.")
@click.option(
    "--save-run",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write what is needed to recompute every number, one folder a claim.",
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
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("-v", "--verbose", is_flag=True, help="Per node: sites, donors, its scrub alone.")
def test_command(
    targets: tuple[str, ...],
    json_file: Path | None,
    save_run: Path | None,
    by: str | None,
    nulls: int | None,
    diagnose: bool | None,
    fresh: int | None,
    quiet: bool,
    verbose: bool,
    keyword: str,
    **chosen: Any,
) -> int:  # fmt: skip
    """Scrub the claims of hypothesis files and judge them."""
    if quiet and verbose:
        raise click.UsageError("-q and -v exclude each other.")
    outputs = check_outputs(json_file, save_run)
    from scrub.hypothesis.collect import collect

    claims = collect(targets, outputs.start, keyword=keyword, note=note_unless(quiet))
    from scrub.report.diagnosis import show_diagnosis
    from scrub.report.progress_bar import ProgressBar
    from scrub.report.table import show
    from scrub.report.terminal import terminal
    from scrub.runner.context import Context
    from scrub.runner.diagnoses import diagnoses
    from scrub.runner.fresh import check_fresh
    from scrub.runner.partial_results import partial_file, remove_partial, write_finished
    from scrub.runner.prepare import prepare
    from scrub.runner.session import Session
    from scrub.runner.suite import run_claims

    options = options_of(alone=verbose, **chosen)
    session = Session()
    prepared = prepare(claims, session, options)
    if by:
        _check_column(by, prepared)
    if fresh:
        check_fresh(prepared, session)
    progress = ProgressBar(options.samples * len(prepared), quiet=quiet)
    context = Context(session, options, progress)
    outcome = run_claims(prepared, context, outputs, diagnoses(diagnose, nulls, fresh))
    results = outcome.results
    try:
        if not outcome.stopped:
            write_finished(results, options.seed, outputs)
    finally:  # what cannot be written can be read at least
        if results and not quiet:
            below = {"below": show_diagnosis} if verbose or diagnose or nulls else {}
            show(results, terminal(), verbose=verbose, by=by, **below)
    if outcome.stopped:
        raise type(outcome.stopped)(what_is_kept(outcome, len(prepared)))
    remove_partial(partial_file(prepared, options, outputs), outputs)
    return AS_EXPECTED if all(result.passed for result in results) else UNEXPECTED


@group.command("check")
@click.argument("targets", nargs=-1, required=True, metavar="PATH...")
@MODEL
@KEYWORD
def check_command(targets: tuple[str, ...], model: str | None, keyword: str) -> int:
    """Check correspondences and samplers without running the model."""
    prepared = prepared_claims(targets, keyword, model=model)
    from scrub.printing import printable
    from scrub.testing.claims import hold

    holding = hold(prepared, model)
    holding.refuse()
    for claim in prepared:
        nodes = len(claim.tree.walk())
        told = f"{nodes} node{'s' if nodes > 1 else ''} on {claim.model.name}"
        click.echo(printable(f"{claim.name}: legal ({told}, data: {claim.data.name})"))
    for line in holding.report():
        click.echo(printable(line))
    return AS_EXPECTED


@group.command("plan")
@click.argument("target", metavar="PATH[::CLAIM]")
@MODEL
@SAMPLES
@SEED
@MEMORY
@KEYWORD
@click.option(
    "--svg",
    "svg_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the tree of one claim here.",
)
@click.option("-v", "--verbose", is_flag=True, help="Every step, in order.")
def plan_command(
    target: str,
    keyword: str,
    svg_file: Path | None,
    verbose: bool,
    **chosen: Any,
) -> int:
    """Show the tree, what would run and its cost, without running it."""
    outputs = check_outputs(svg=svg_file)
    prepared = prepared_claims((target,), keyword, **chosen)
    if outputs.svg:
        _draw(prepared, outputs, outputs.svg)
    from scrub.report.plan import cost_line, plan_table, tree_picture
    from scrub.report.terminal import believed, terminal

    console = terminal()
    for claim in prepared:
        console.print(believed(claim.name, claim.claim.belief))
        console.print(tree_picture(claim.tree), highlight=False)
        if verbose:
            console.print(plan_table(claim), highlight=False)
        line = cost_line(claim, options_of(**chosen))
        console.print(line, highlight=False)
        console.print()
    return AS_EXPECTED


def _draw(prepared: list[Prepared], outputs: Outputs, given: Path) -> None:
    """Draw the one claim's tree."""
    if len(prepared) > 1:
        names = ", ".join(claim.claim.name for claim in prepared)
        raise UserError(
            f"--svg draws one claim, and there are {len(prepared)}. Name one, as in "
            f"{prepared[0].name}; there are: {names}."
        )
    from scrub.report.tree_picture import save_svg

    (claim,) = prepared
    with outputs.writing("--svg", given) as file:
        save_svg(claim.tree, f"{claim.claim.name}: {claim.claim.belief}", file)


@group.command("show")
@click.argument("target", metavar="PATH::CLAIM")
@click.option("--row", type=click.IntRange(min=0), required=True, help="Row of the data.")
@MODEL
@SEED
def show_command(target: str, row: int, model: str | None, seed: int) -> int:
    """Show what a claim swaps: each node's inputs, changed tokens marked."""
    prepared = prepared_claims((target,), "", model=model)
    from scrub.draw import draw
    from scrub.report.inputs import swaps
    from scrub.report.terminal import believed, terminal

    for claim in prepared:
        if row >= len(claim.data):
            raise UserError(
                f'Dataset "{claim.data.name}" has no row {row}: its rows are 0 to '
                f"{len(claim.data) - 1}."
            ).at(file=claim.file, claim=claim.claim.name)
        draws = draw(claim.tree, claim.data, samples=1, seed=seed, references=[row])
        terminal().print(believed(claim.name, claim.claim.belief))
        terminal().print(swaps(claim.tree, draws, 0), highlight=False)
    return AS_EXPECTED


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


group.add_command(explain_command)
group.add_command(compare_command)
