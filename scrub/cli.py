"""The command line. Heavy modules are imported where they are used: `--help` must not wait."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scrub.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from scrub.run import Options, Prepared, Session

AS_EXPECTED, UNEXPECTED, BAD_INPUT, OUR_FAULT, NO_CLAIM = 0, 1, 2, 3, 5


def _reporting(command: Callable[..., int]) -> Callable[..., None]:
    """Turn a command's return value into the exit code, and errors into messages."""

    @wraps(command)
    def wrapped(**arguments: Any) -> None:
        try:
            code = command(**arguments)
        except UserError as error:
            for problem in error.problems:
                click.echo(f"error: {problem}", err=True)
            code = BAD_INPUT
        except (KeyboardInterrupt, click.Abort):
            click.echo("interrupted", err=True)
            code = 130
        except Exception:  # a bug of ours: show it whole
            traceback.print_exc()
            click.echo("This is a fault of scrub, not of your file. Please report it.", err=True)
            code = OUR_FAULT
        sys.exit(code)

    return wrapped


MODEL = click.option(
    "--model", metavar="NAME|DIR", help="Use this model instead of the one the file names."
)
KEYWORD = click.option("-k", "keyword", default="", metavar="EXPR", help="Only claims named so.")
SEED = click.option("--seed", default=0, show_default=True, type=int)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="scrub")
def main() -> None:
    """Test mechanistic-interpretability claims by causal scrubbing."""


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
    _check_outputs(json_file, save_run)
    from scrub.collect import collect

    claims = collect(targets, keyword=keyword)
    if not claims:
        click.echo(f"No claim found in {' '.join(targets)}.", err=True)
        return NO_CLAIM
    from scrub.record import save
    from scrub.report import show, write_json
    from scrub.run import Session, check_device, prepare, test

    options = _options(alone=verbose, **chosen)
    check_device(options.device)
    session = Session()
    prepared = prepare(claims, session, options)
    for claim in prepared if by else ():
        claim.data.feature(by)  # type: ignore[arg-type]  # refuses an unknown column before we run
    results = []
    with _progress(prepared, options.samples, quiet=quiet) as advance:
        for claim in prepared:
            result = test(claim, session, options, advance(claim.name))
            results.append(result)
            if save_run:
                save(result, save_run)
    if json_file:
        write_json(results, options.seed, json_file)
    if not quiet:
        show(results, _console(), verbose=verbose, by=by)
    return AS_EXPECTED if all(result.passed for result in results) else UNEXPECTED


@main.command("check")
@click.argument("targets", nargs=-1, required=True, metavar="PATH...")
@MODEL
@KEYWORD
@_reporting
def check_command(targets: tuple[str, ...], model: str | None, keyword: str) -> int:
    """Check correspondences and samplers without running the model."""
    _, prepared = _prepared(targets, model, keyword)
    if not prepared:
        click.echo(f"No claim found in {' '.join(targets)}.", err=True)
        return NO_CLAIM
    for claim in prepared:
        nodes = len(claim.tree.walk())
        click.echo(f"{claim.name}: legal ({nodes} nodes, {claim.model.name}, {claim.data!r})")
    return AS_EXPECTED


@main.command("plan")
@click.argument("target", metavar="PATH[::CLAIM]")
@MODEL
@click.option("--samples", type=click.IntRange(min=1), default=1000, show_default=True)
@KEYWORD
@click.option("-v", "--verbose", is_flag=True, help="Every step, in order.")
@_reporting
def plan_command(target: str, model: str | None, samples: int, keyword: str, verbose: bool) -> int:
    """Show the tree, what would run and what it would cost, without running it."""
    _, prepared = _prepared((target,), model, keyword)
    if not prepared:
        click.echo(f"No claim found in {target}.", err=True)
        return NO_CLAIM
    from scrub.show import cost_line, plan_table, tree_picture

    console = _console()
    for claim in prepared:
        graph, width = claim.model.graph, claim.data.width
        console.print(f"[bold]{claim.name}[/]: {claim.claim.belief}", highlight=False)
        console.print(tree_picture(claim.tree), highlight=False)
        if verbose:
            console.print(plan_table(claim.tree, graph, width), highlight=False)
        rows = min(len(claim.data), samples * (2 + 2 * len(claim.tree.walk())))
        line = cost_line(claim.tree, graph, width, samples=samples, rows=rows)
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
    """Show what a claim swaps: every node's own and other input, changed tokens marked."""
    _, prepared = _prepared((target,), model, "")
    if not prepared:
        click.echo(f"No claim found in {target}.", err=True)
        return NO_CLAIM
    from scrub.draw import draw
    from scrub.show import swaps

    for claim in prepared:
        if row >= len(claim.data):
            raise UserError(
                f'Dataset "{claim.data.name}" has no row {row}: its rows are 0 to '
                f"{len(claim.data) - 1}."
            ).at(file=claim.file, claim=claim.claim.name)
        draws = draw(claim.tree, claim.data, samples=1, seed=seed, references=[row])
        _console().print(f"[bold]{claim.name}[/]: {claim.claim.belief}", highlight=False)
        _console().print(swaps(claim.tree, draws, 0), highlight=False)
    return AS_EXPECTED


def _prepared(
    targets: tuple[str, ...], model: str | None, keyword: str
) -> tuple[Session, list[Prepared]]:
    from scrub.collect import collect

    claims = collect(targets, keyword=keyword)
    from scrub.run import Session, prepare

    session = Session()
    return session, prepare(claims, session, _options(model=model))


def _options(max_memory: int | None = None, **chosen: Any) -> Options:
    from scrub.run import Options

    memory = {} if max_memory is None else {"memory": max_memory}
    return Options(**chosen, **memory)


def _check_outputs(json_file: Path | None, save_run: Path | None) -> None:
    """Refuse outputs that cannot be written, before anything runs."""
    if json_file is not None:
        folder = json_file.parent
        if not folder.is_dir():
            raise UserError(f"--json {json_file}: there is no folder {folder}. Create it first.")
        writable = json_file if json_file.exists() else folder
        if json_file.is_dir() or not os.access(writable, os.W_OK):
            raise UserError(f"--json {json_file}: cannot be written. Give another file.")
    if save_run is not None:
        existing = next(path for path in (save_run, *save_run.absolute().parents) if path.exists())
        if not os.access(existing, os.W_OK):
            raise UserError(f"--save-run {save_run}: cannot be written. Give another folder.")


def _console() -> Console:
    """A terminal as wide as it is; a pipe gets 120 columns and no colour."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=120, no_color=True)


class _progress:
    """A progress bar with the time left, on a terminal; silence in a pipe."""

    def __init__(self, claims: list[Prepared], samples: int, *, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,} of {task.total:,} references"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=quiet or not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("", total=samples * len(claims))

    def __enter__(self) -> Callable[[str], Callable[[int], None]]:
        self._bar.start()
        return self._claim

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def _claim(self, name: str) -> Callable[[int], None]:
        self._bar.update(self._task, description=name)
        return lambda samples: self._bar.advance(self._task, samples)
