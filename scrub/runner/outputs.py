"""The files that a run writes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from scrub.errors import UserError
from scrub.hypothesis.start_directory import started_in
from scrub.results.atomic_write import resolved

if TYPE_CHECKING:
    from scrub.results.result import Result
    from scrub.runner.prepare import Prepared


PLOTS = (".svg", ".png", ".pdf")
"""What the name of a plot may end in."""


@frozen
class Outputs:
    """What a command writes, and from where.

    Attributes:
        start: the directory in which the command was started. The user's code may leave it, so
            that a path is looked for from here alone.
        json, save_run, plot, svg, csv, save, log, figures, circuit, html, junit: as the user gave
            them, which is how messages call them; None where they were not asked for.
    """

    start: Path
    json: Path | None = None
    save_run: Path | None = None
    plot: Path | None = None
    svg: Path | None = None
    csv: Path | None = None
    save: Path | None = None
    log: Path | None = None
    figures: Path | None = None
    circuit: Path | None = None
    html: Path | None = None
    junit: Path | None = None

    def shown(self, path: Path) -> Path:
        """A path as messages call it: from the start, if it lies below."""
        return path.relative_to(self.start) if path.is_relative_to(self.start) else path

    @contextmanager
    def writing(self, option: str, given: Path) -> Iterator[Path]:
        """Where to write what an option asks for.

        Raises:
            UserError: it cannot be written.
        """
        try:
            yield self.start / given
        except OSError as error:
            raise UserError(f"{option} {given}: cannot be written: {error.strerror}.") from error


def check_outputs(
    json: Path | None = None,
    save_run: Path | None = None,
    *,
    plot: Path | None = None,
    svg: Path | None = None,
    csv: Path | None = None,
    save: Path | None = None,
    log: Path | None = None,
    figures: Path | None = None,
    circuit: Path | None = None,
    html: Path | None = None,
    junit: Path | None = None,
) -> Outputs:
    """The outputs of a command that is started here.

    Raises:
        UserError: for all that cannot be written, before anything runs; or there is no here.
    """
    outputs = Outputs(
        started_in(), json, save_run, plot, svg, csv, save, log, figures, circuit, html, junit
    )
    problems = {
        f"--json {json}": _unwritable(json, never=(".py",)),
        f"--plot {plot}": _unwritable(plot, ends=PLOTS),
        f"--svg {svg}": _unwritable(svg, ends=(".svg",)),
        f"--csv {csv}": _unwritable(csv, ends=(".csv",)),
        f"--save {save}": _unwritable(save, ends=(".py",)),
        f"--log {log}": _unwritable(log, never=(".py",)),
        f"--circuit {circuit}": _unwritable(circuit, ends=(".json", ".csv")),
        f"--html {html}": _unwritable(html, ends=(".html", ".htm")),
        f"--junit {junit}": _unwritable(junit, ends=(".xml",)),
        f"--save-run {save_run}": _no_folder(save_run),
        f"--figures {figures}": _no_folder(figures),
    }
    found = [f"{option}: {problem}" for option, problem in problems.items() if problem]
    if found:
        raise UserError(*found)
    return outputs


def _unwritable(path: Path | None, ends: Sequence[str] = (), never: Sequence[str] = ()) -> str:
    """Why a file cannot be written there; "" if it can."""
    if path is None:
        return ""
    if (ends and path.suffix.lower() not in ends) or path.suffix in never:
        return f"give a file that ends in {', '.join(ends or ('.json',))}."
    try:
        there = resolved(path)
        folder = there.parent if path.is_symlink() else path.parent
        if not folder.is_dir():
            return f"there is no folder {folder}. Create it first."
        if there.is_dir():
            return "this is a folder. Give a file."
        if os.access(there if there.exists() else folder, os.W_OK):
            return ""
        return "cannot be written. Give another file."
    except OSError as error:
        return f"cannot be written: {error.strerror}. Give another file."


def _no_folder(path: Path | None) -> str:
    """Why no folder can be made there, or nothing put into it; "" if it can."""
    if path is None:
        return ""
    try:
        there = resolved(path)
        existing = next(above for above in (there, *there.parents) if above.exists())
        if existing.is_dir() and os.access(existing, os.W_OK):
            return ""
        return "cannot be written. Give another folder."
    except OSError as error:
        return f"cannot be written: {error.strerror}. Give another folder."


def record_folder(directory: Path, claim: Prepared, claims: Sequence[Prepared]) -> Path:
    """Where the folder of a claim's record goes: in one of its file, if two files have its name.

    That is called after the file, and where two files have one name after the folders as well that
    tell them apart.
    """
    files = [other.path for other in claims if other.claim.name == claim.claim.name]
    if len(files) == 1:
        return directory
    if len({file.stem for file in files}) == len(files):
        return directory / _called_after(claim.path)
    above = os.path.commonpath([file.parent for file in files])
    return directory / claim.path.parent.relative_to(above) / _called_after(claim.path)


def _called_after(file: Path) -> str:
    """The name of a file without its end; with it where nothing is left but dots."""
    return file.stem if file.stem.strip(".") else file.name


def save_record(result: Result, folder: Path, outputs: Outputs) -> None:
    from scrub.results.run_record import save

    try:
        save(result, outputs.start / folder)
    except OSError as error:
        where = outputs.shown(Path(error.filename2 or error.filename or folder))
        raise UserError(f"--save-run: {where} cannot be written: {error.strerror}.") from error
