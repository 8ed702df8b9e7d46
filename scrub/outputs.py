"""The files that a run writes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scrub.errors import UserError

if TYPE_CHECKING:
    from scrub.prepare import Prepared
    from scrub.results import Result


def check_outputs(json_file: Path | None, save_run: Path | None) -> None:
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


def save_record(result: Result, folder: Path) -> None:
    from scrub.record import save

    try:
        save(result, folder)
    except OSError as error:
        raise UserError(f"--save-run: {folder} cannot be written: {error.strerror}.") from error


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is never there by half: a reader sees the old text or the new.

    What is no plain file (a pipe, a terminal), or lies where nothing new may be put, is written in
    place. Raises an OSError as `Path.write_text` does.
    """
    path = path.resolve()  # a link stays a link
    if (path.exists() and not path.is_file()) or not os.access(path.parent, os.W_OK):
        path.write_text(text, encoding="utf-8")
        return
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        if path.exists():
            shutil.copymode(path, beside)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
