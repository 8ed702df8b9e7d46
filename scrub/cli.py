"""The command line. Heavy modules are imported where they are used: `--help` must not wait."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scrub.errors import NoClaimError, Problem, UserError
from scrub.outputs import check_outputs
from scrub.stopping import Terminated

if TYPE_CHECKING:
    from rich.console import Console

    from scrub.options import Options
    from scrub.prepare import Prepared
    from scrub.suite import Outcome

AS_EXPECTED, UNEXPECTED, BAD_INPUT, OUR_FAULT, NO_CLAIM = 0, 1, 2, 3, 5
INTERRUPTED, BROKEN_PIPE, TERMINATED = 130, 141, 143


def _reporting(command: Callable[..., int]) -> Callable[..., None]:
    """Turn a command's return value into the exit code, and errors into messages."""

    @wraps(command)
    def wrapped(**arguments: Any) -> None:
        try:
            code = command(**arguments)
        except UserError as error:
            for problem in error.problems:
                click.echo(f"error: {problem}", err=True)
            code = NO_CLAIM if isinstance(error, NoClaimError) else BAD_INPUT
        except click.ClickException:
            raise
        except Terminated as stopped:
            click.echo(": ".join(filter(None, ("terminated", str(stopped)))), err=True)
            code = TERMINATED
        except (KeyboardInterrupt, click.Abort) as stopped:
            click.echo(": ".join(filter(None, ("interrupted", str(stopped)))), err=True)
            code = INTERRUPTED
        except BrokenPipeError:  # nobody reads on, as in `scrub check … | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = BROKEN_PIPE
        except Exception:  # a bug of ours: show it whole
            traceback.print_exc()
            click.echo("This is a fault of scrub, not of your file. Please report it.", err=True)
            code = OUR_FAULT
        sys.exit(code)

    return wrapped


MODEL = click.option(
    "--model", metavar="NAME|DIR", help="Use this model instead of the one the file names."
)
KEYWORD = click.option(
    "-k",
    "keyword",
    default="",
    metavar="EXPR",
    help='Only claims whose names match: "position and not absolute".',
)
MEMORY = click.option(
    "--max-memory",
    type=click.IntRange(min=1),
    default=2**30,
    metavar="BYTES",
    help="For values while computing.  [default: 1 GiB]",
)
SEED = click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="scrub")
def main() -> None:
    """Test mechanistic-interpretability claims by causal scrubbing."""
    # Before torch is imported: threads that spin while they wait take four times as long where
    # another process wants the cores (27 s against 7 s for ioi_claim3.py on two busy cores).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a "≥" must not break a pipe that takes ASCII
            stream.reconfigure(errors="replace")


@main.command("test")
@click.argument("targets", nargs=-1, required=True, metavar="PATH[::CLAIM]...")
@MODEL
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="References to draw.",
)
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
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write what is needed to recompute every number, one folder a claim.",
)
@KEYWORD
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("-v", "--verbose", is_flag=True, help="Per node: sites, donors, its scrub alone.")
@_reporting
def test_command(
    targets: tuple[str, ...],
    json_file: Path | None,
    save_run: Path | None,
    by: str | None,
    quiet: bool,
    verbose: bool,
    keyword: str,
    **chosen: Any,
) -> int:  # fmt: skip
    """Scrub the claims of hypothesis files and judge them."""
    if quiet and verbose:
        raise click.UsageError("-q and -v exclude each other.")
    check_outputs(json_file, save_run)
    from scrub.collect import collect

    claims = collect(targets, keyword=keyword)
    from scrub.options import check_device
    from scrub.prepare import Session, prepare
    from scrub.progress import Progress
    from scrub.report import show
    from scrub.suite import partial_file, remove_partial, run_claims, write_finished

    options = _options(alone=verbose, **chosen)
    check_device(options.device)
    session = Session()
    prepared = prepare(claims, session, options)
    if by:
        _check_column(by, prepared)
    progress = Progress(options.samples * len(prepared), quiet=quiet)
    outcome = run_claims(
        prepared, session, options, progress, json_file=json_file, save_run=save_run
    )
    results = outcome.results
    if results and not quiet:
        show(results, _console(), verbose=verbose, by=by)
    if outcome.stopped:
        raise type(outcome.stopped)(_what_is_kept(outcome, len(prepared)))
    if json_file:
        write_finished(results, options.seed, json_file)
    remove_partial(partial_file(prepared, options, json_file))
    return AS_EXPECTED if all(result.passed for result in results) else UNEXPECTED


def _what_is_kept(outcome: Outcome, claims: int) -> str:
    """What became of a run that was stopped; "" where it had computed nothing."""
    if outcome.partial is not None:
        return (
            f"{len(outcome.results)} of {claims} claims finished; what was computed is in "
            f"{outcome.partial}, and the same command resumes"
        )
    return f"{len(outcome.results)} of {claims} claims finished" if outcome.results else ""


@main.command("check")
@click.argument("targets", nargs=-1, required=True, metavar="PATH...")
@MODEL
@KEYWORD
@_reporting
def check_command(targets: tuple[str, ...], model: str | None, keyword: str) -> int:
    """Check correspondences and samplers without running the model."""
    prepared = _prepared(targets, model, keyword)
    from scrub.testing.claims import hold, refuse, report

    held, left_out = hold(prepared)
    refuse(held)
    for claim in prepared:
        nodes = len(claim.tree.walk())
        click.echo(
            f"{claim.name}: legal ({nodes} node{'s' if nodes > 1 else ''} on {claim.model.name}, "
            f"data: {claim.data.name})"
        )
    for line in report(held, left_out):
        click.echo(line)
    return AS_EXPECTED


@main.command("plan")
@click.argument("target", metavar="PATH[::CLAIM]")
@MODEL
@click.option("--samples", type=click.IntRange(min=1), default=1000, show_default=True)
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
@_reporting
def plan_command(
    target: str,
    model: str | None,
    keyword: str,
    svg_file: Path | None,
    verbose: bool,
    **chosen: Any,
) -> int:
    """Show the tree, what would run and its cost, without running it."""
    prepared = _prepared((target,), model, keyword)
    if svg_file:
        _draw(prepared, svg_file)
    from rich.markup import escape

    from scrub.show import cost_line, plan_table, tree_picture

    console = _console()
    for claim in prepared:
        console.print(
            f"[bold]{escape(claim.name)}[/]: {escape(claim.claim.belief)}", highlight=False
        )
        console.print(tree_picture(claim.tree), highlight=False)
        if verbose:
            console.print(plan_table(claim), highlight=False)
        line = cost_line(claim, _options(**chosen))
        console.print(line, highlight=False)
        console.print()
    return AS_EXPECTED


def _draw(prepared: list[Prepared], file: Path) -> None:
    """Draw the one claim's tree."""
    if len(prepared) > 1:
        names = ", ".join(claim.claim.name for claim in prepared)
        raise UserError(
            f"--svg draws one claim, and there are {len(prepared)}. Name one, as in "
            f"{prepared[0].name}; there are: {names}."
        )
    from scrub.picture import save_svg

    (claim,) = prepared
    save_svg(claim.tree, f"{claim.claim.name}: {claim.claim.belief}", file)


@main.command("show")
@click.argument("target", metavar="PATH::CLAIM")
@click.option("--row", type=click.IntRange(min=0), required=True, help="Row of the data.")
@MODEL
@SEED
@_reporting
def show_command(target: str, row: int, model: str | None, seed: int) -> int:
    """Show what a claim swaps: each node's inputs, changed tokens marked."""
    prepared = _prepared((target,), model, "")
    from rich.markup import escape

    from scrub.draw import draw
    from scrub.show import swaps

    for claim in prepared:
        if row >= len(claim.data):
            raise UserError(
                f'Dataset "{claim.data.name}" has no row {row}: its rows are 0 to '
                f"{len(claim.data) - 1}."
            ).at(file=claim.file, claim=claim.claim.name)
        draws = draw(claim.tree, claim.data, samples=1, seed=seed, references=[row])
        _console().print(
            f"[bold]{escape(claim.name)}[/]: {escape(claim.claim.belief)}", highlight=False
        )
        _console().print(swaps(claim.tree, draws, 0), highlight=False)
    return AS_EXPECTED


def _prepared(targets: tuple[str, ...], model: str | None, keyword: str) -> list[Prepared]:
    from scrub.collect import collect

    claims = collect(targets, keyword=keyword)
    from scrub.prepare import Session, prepare

    return prepare(claims, Session(), _options(model=model))


def _options(max_memory: int | None = None, **chosen: Any) -> Options:
    from scrub.options import Options

    memory: dict[str, Any] = {} if max_memory is None else {"memory": max_memory}
    return Options(**chosen, **memory)


def _check_column(by: str, claims: list[Prepared]) -> None:
    """Refuse an unknown column before anything runs."""
    problems: list[Problem] = []
    for claim in claims:
        try:
            claim.data.feature(by)
        except UserError as error:
            problems += error.at(file=claim.file, claim=claim.claim.name).problems
    if problems:
        raise UserError(*problems)


def _console() -> Console:
    """A terminal as wide as it is; a pipe gets 120 columns and no colour."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=120, no_color=True)
