"""`scrub watch`: test the claims of a file again whenever it changes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scrub.cli.claims import print_notice
from scrub.cli.exit_codes import AS_EXPECTED
from scrub.cli.options import (
    CACHE,
    CACHE_SIZE,
    DEVICE,
    DTYPE,
    KEYWORD,
    MEMORY,
    MODEL,
    SAMPLES,
    SEED,
    options_of,
    session_of,
)
from scrub.cli.run import run
from scrub.cli.streams import print_error
from scrub.errors import UserError
from scrub.runner.outputs import check_outputs

if TYPE_CHECKING:
    from scrub.runner.options import Options
    from scrub.runner.outputs import Outputs
    from scrub.runner.session import Session


@click.command("watch")
@click.argument("targets", nargs=-1, required=True, metavar="PATH[::CLAIM]...")
@MODEL
@SAMPLES
@SEED
@DEVICE
@DTYPE
@MEMORY
@KEYWORD
@CACHE
@CACHE_SIZE
@click.option("-v", "--verbose", is_flag=True, help="Per node: sites, donors, its scrub alone.")
def watch_command(
    targets: tuple[str, ...],
    keyword: str,
    cache: Path | None,
    cache_size: int | None,
    verbose: bool,
    **chosen: Any,
) -> int:
    """Test again whenever a file, or a module beside it, changes. Ctrl-C ends it."""
    outputs = check_outputs()
    from scrub.hypothesis.collect import hypothesis_files
    from scrub.hypothesis.keywords import selector
    from scrub.hypothesis.sibling_modules import forget_modules, loaded_files

    asked = [target.partition("::")[0] for target in targets]
    for path in asked:  # what is not there now was misspelt
        hypothesis_files(outputs.start, path, print_notice())
    selector(keyword)
    if not _beside(outputs.start, asked):  # a file that comes later would not be seen
        raise UserError(f"There is no Python file in {', '.join(asked)}, and nothing to watch.")
    from scrub.runner.interrupts import sigterm_stops
    from scrub.runner.opened_files import recorded
    from scrub.runner.watching import changed, stamps

    options, session = options_of(alone=verbose, **chosen), session_of(cache, cache_size)
    watched: set[Path] = set()
    with sigterm_stops(), _no_bytecode():
        while True:
            watched |= _beside(outputs.start, asked)
            before = stamps(watched)
            with recorded():
                fine = _tested(targets, keyword, session, options, outputs, verbose=verbose)
            sys.stdout.flush()
            loaded = loaded_files()
            read = loaded if fine else watched | loaded
            before = {file: before.get(file, now) for file, now in stamps(read).items()}
            print_error(f"watching {_named(before)}; Ctrl-C ends it")
            different = changed(before)
            print_error(f"\n{', '.join(file.name for file in different)} changed")
            watched = read
            forget_modules()
    return AS_EXPECTED


def _tested(
    targets: tuple[str, ...],
    keyword: str,
    session: Session,
    options: Options,
    outputs: Outputs,
    *,
    verbose: bool,
) -> bool:
    """Test once, and print what comes of it, or what is wrong; whether nothing was."""
    from scrub.hypothesis.collect import collect
    from scrub.report.terminal import TerminalReporter
    from scrub.runner.diagnoses import diagnoses
    from scrub.runner.prepare import prepare_all

    session.forget_failures()
    try:
        claims = collect(targets, outputs.start, keyword=keyword, note=print_notice())
        for item in claims:
            session.recognise(item.claim.data)
        prepared = prepare_all(claims, session, options)
        reporters = [TerminalReporter(verbose=verbose, diagnoses=verbose)]
        run(prepared, session, options, diagnoses(None), outputs, reporters)
    except UserError as error:
        for problem in error.problems:
            print_error(f"error: {problem}")
        return False
    return True


def _beside(start: Path, asked: list[str]) -> set[Path]:
    """The files that are asked for, and all beside them: one may keep a file from loading."""
    places = [(start / path).resolve() for path in asked]
    folders = {place if place.is_dir() else place.parent for place in places}
    return {file.resolve() for folder in folders for file in folder.glob("*.py")} | {
        place for place in places if place.suffix == ".py"
    }


def _named(files: dict[Path, Any]) -> str:
    """ "sums.py", "5 files"."""
    names = sorted(file.name for file in files)
    return ", ".join(names) if len(names) <= 3 else f"{len(names)} files"


@contextmanager
def _no_bytecode() -> Iterator[None]:
    """Meanwhile no bytecode is written: it is told by seconds, and people save twice in one."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
