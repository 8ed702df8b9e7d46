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

if TYPE_CHECKING:
    from rich.console import Console

    from scrub.options import Options
    from scrub.prepare import Prepared
    from scrub.results import Result

AS_EXPECTED, UNEXPECTED, BAD_INPUT, OUR_FAULT, NO_CLAIM = 0, 1, 2, 3, 5
INTERRUPTED, BROKEN_PIPE = 130, 141


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
        except (KeyboardInterrupt, click.Abort):
            click.echo("interrupted", err=True)
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
@click.option(
    "--max-memory",
    type=click.IntRange(min=1),
    default=2**30,
    metavar="BYTES",
    help="For values while computing.  [default: 1 GiB]",
)
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
    _check_outputs(json_file, save_run)
    from scrub.collect import collect

    claims = collect(targets, keyword=keyword)
    from scrub.options import check_device
    from scrub.pipeline import scrub_claim
    from scrub.prepare import Session, load_models, prepare
    from scrub.report import show, write_json

    options = _options(alone=verbose, **chosen)
    check_device(options.device)
    session = Session()
    prepared = prepare(claims, session, options)
    if by:
        _check_column(by, prepared)
    results = []
    interrupted = False
    try:
        with _Progress(prepared, options.samples, quiet=quiet) as progress:
            progress.says("loading the model")
            load_models(prepared, session, options)
            for claim in prepared:
                progress.says(claim.name)
                result = scrub_claim(claim, session, options, progress.advance)
                if save_run:
                    _save(result, _folder(save_run, claim, prepared))
                results.append(result)
    except KeyboardInterrupt:
        if not results:
            raise
        interrupted = True
    if not quiet:
        show(results, _console(), verbose=verbose, by=by)
    if json_file:
        write_json(results, options.seed, json_file, partial=interrupted)
    if interrupted:
        click.echo(f"interrupted: {len(results)} of {len(prepared)} claims finished", err=True)
        return INTERRUPTED
    return AS_EXPECTED if all(result.passed for result in results) else UNEXPECTED


@main.command("check")
@click.argument("targets", nargs=-1, required=True, metavar="PATH...")
@MODEL
@KEYWORD
@_reporting
def check_command(targets: tuple[str, ...], model: str | None, keyword: str) -> int:
    """Check correspondences and samplers without running the model."""
    for claim in _prepared(targets, model, keyword):
        nodes = len(claim.tree.walk())
        click.echo(
            f"{claim.name}: legal ({nodes} node{'s' if nodes > 1 else ''} on {claim.model.name}, "
            f"data: {claim.data.name})"
        )
    return AS_EXPECTED


@main.command("plan")
@click.argument("target", metavar="PATH[::CLAIM]")
@MODEL
@click.option("--samples", type=click.IntRange(min=1), default=1000, show_default=True)
@KEYWORD
@click.option("-v", "--verbose", is_flag=True, help="Every step, in order.")
@_reporting
def plan_command(target: str, model: str | None, samples: int, keyword: str, verbose: bool) -> int:
    """Show the tree, what would run and its cost, without running it."""
    prepared = _prepared((target,), model, keyword)
    from rich.markup import escape

    from scrub.options import Options
    from scrub.show import cost_line, plan_table, tree_picture

    console = _console()
    for claim in prepared:
        graph, width = claim.model.graph, claim.data.width
        console.print(
            f"[bold]{escape(claim.name)}[/]: {escape(claim.claim.belief)}", highlight=False
        )
        console.print(tree_picture(claim.tree), highlight=False)
        if verbose:
            console.print(plan_table(claim.tree, graph, width), highlight=False)
        rows = min(len(claim.data), samples * (2 + 2 * len(claim.tree.walk())))
        line = cost_line(
            claim.tree, graph, width, samples=samples, rows=rows, memory=Options().memory
        )
        console.print(line, highlight=False)
        console.print()
    return AS_EXPECTED


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


def _check_outputs(json_file: Path | None, save_run: Path | None) -> None:
    """Refuse outputs that cannot be written, before anything runs."""
    problems: list[str] = []
    if json_file is not None:
        folder = json_file.parent
        if not folder.is_dir():
            problems.append(f"--json {json_file}: there is no folder {folder}. Create it first.")
        elif json_file.is_dir():
            problems.append(f"--json {json_file}: this is a folder. Give a file.")
        elif not os.access(json_file if json_file.exists() else folder, os.W_OK):
            problems.append(f"--json {json_file}: cannot be written. Give another file.")
    if save_run is not None:
        above = (save_run.absolute(), *save_run.absolute().parents)
        existing = next(path for path in above if path.exists())
        if not existing.is_dir() or not os.access(existing, os.W_OK):
            problems.append(f"--save-run {save_run}: cannot be written. Give another folder.")
    if problems:
        raise UserError(*problems)


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


def _folder(directory: Path, claim: Prepared, claims: list[Prepared]) -> Path:
    """Where a claim's record goes: one folder a file, if two files have claims of one name."""
    same = [other for other in claims if other.claim.name == claim.claim.name]
    return directory / Path(claim.file).stem if len(same) > 1 else directory


def _save(result: Result, folder: Path) -> None:
    from scrub.record import save

    try:
        save(result, folder)
    except OSError as error:
        raise UserError(f"--save-run: {folder} cannot be written: {error.strerror}.") from error


def _console() -> Console:
    """A terminal as wide as it is; a pipe gets 120 columns and no colour."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=120, no_color=True)


class _Progress:
    """A progress bar with the time left, on a terminal; silence in a pipe."""

    def __init__(self, claims: list[Prepared], samples: int, *, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:,} of {task.total:,} references"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=quiet or not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("", total=samples * len(claims))

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def says(self, text: str) -> None:
        """What is being done."""
        self._bar.update(self._task, description=text, refresh=True)

    def advance(self, samples: int) -> None:
        self._bar.advance(self._task, samples)
