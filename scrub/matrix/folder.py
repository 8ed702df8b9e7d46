"""The shared folder: its plan, one record a cell, and who is at work in it.

    matrix.json           the plan: all cells
    cells/KEY.json        a record; its numbers are in KEY.safetensors, which is written before it
    timings/KEY.json      what it took, and where: no part of the record
    failures.json         the cells that failed last, with the reason

Every file is put there whole, under a name of its own: workers on several machines write into one
folder, and a reader sees a record or none. One command at a time fills a folder: it holds a lock,
which the system lets go when its process ends, however that ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from scrub.errors import UserError
from scrub.matrix.cell import Cell, as_json, from_json

SCHEMA = "scrub.matrix/1"
PLAN, CELLS, TIMINGS, FAILURES, LOCK = "matrix.json", "cells", "timings", "failures.json", "lock"
OLD = 3600.0
"""Seconds after which what a killed worker left half written is removed."""


def shown(folder: Path) -> Path:
    """A folder as messages call it: from the directory in which one works, if it lies below."""
    with suppress(OSError):
        here = Path.cwd()
        return folder.relative_to(here) if folder.is_relative_to(here) else folder
    return folder


def put(path: Path, content: bytes) -> None:
    """Write a file so that it is never there by half, whoever else writes it at the same time."""
    beside = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def put_json(path: Path, content: Any) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    put(path, text.encode("utf-8", "backslashreplace"))


def record_file(folder: Path, cell: Cell) -> Path:
    return folder / CELLS / f"{cell.key}.json"


def timing_file(folder: Path, cell: Cell) -> Path:
    return folder / TIMINGS / f"{cell.key}.json"


def is_done(folder: Path, cell: Cell) -> bool:
    """Whether a cell's record is there."""
    return record_file(folder, cell).is_file()


def read_plan(folder: Path) -> tuple[Cell, ...]:
    """The cells of a matrix, in order; none where there is no matrix yet.

    Raises:
        UserError: the plan is damaged, or no matrix.
    """
    file = folder / PLAN
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}.") from error
    try:
        found = json.loads(text)
        if found["schema"] != SCHEMA:
            raise ValueError(f"its schema is {found['schema']}")
        return tuple(map(from_json, found["cells"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"{shown(file)} is damaged, or of another version of scrub. Give another folder."
        ) from error


def save_plan(folder: Path, cells: Sequence[Cell]) -> None:
    """Write the plan, and make the folders that records go to.

    Raises:
        UserError: it cannot be written.
    """
    try:
        for name in (CELLS, TIMINGS):
            (folder / name).mkdir(parents=True, exist_ok=True)
            _remove_old(folder / name)
        put_json(folder / PLAN, {"schema": SCHEMA, "cells": list(map(as_json, cells))})
    except OSError as error:
        raise UserError(f"--out {shown(folder)}: cannot be written: {error.strerror}.") from error


def _remove_old(folder: Path) -> None:
    for left in folder.glob(".*.json.*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > OLD:
                left.unlink()


def plan_of(
    before: Sequence[Cell], asked: Sequence[Cell], folder: Path, *, add: bool
) -> list[Cell]:
    """The plan of a folder that had one: the same cells, or with `add` those and the new ones.

    Raises:
        UserError: it holds other cells than those that are asked for.
    """
    known, wanted = {cell.key for cell in before}, {cell.key for cell in asked}
    if not before or known == wanted:
        return list(asked)
    there = {cell.place: cell for cell in before}
    pairs = [(before[0], asked[0]), *((there.get(cell.place, cell), cell) for cell in asked)]
    differs = [(what, new) for old, new in pairs if (what := _difference(old, new))]
    if differs:
        what, cell = differs[0]
        raise UserError(
            f"--out {shown(folder)}: it holds {_counted(before)} that were asked for differently. "
            f"{cell.words} now has {what}. Give another folder."
        )
    if not add:
        raise UserError(
            f"--out {shown(folder)}: it holds another matrix: {_counted(before)}, of which "
            f"{len(known & wanted):,} are among the {len(wanted):,} that are asked for. Give "
            "--add to put them together, or another folder."
        )
    return [*before, *(cell for cell in asked if cell.key not in known)]


def _counted(cells: Sequence[Cell]) -> str:
    return f"{len(cells):,} cell{'s' if len(cells) != 1 else ''}"


def _difference(old: Cell, new: Cell) -> str:
    """Which of what two cells depend on differs, in words; "" if nothing does.

    Of cells at two places only how they are run is compared, which a matrix has in common.
    """
    for name in ("samples", "shards", "precision", "dtype", "device"):
        before, now = getattr(old.how, name), getattr(new.how, name)
        if before != now:
            return f"{name} {now}, not {before}"
    words = {
        "source": "another text of its file",
        "code": "another version of scrub or of torch",
        "data": "other data",
        "weights": "other weights",
    }
    names = words if old.place == new.place else {"code": words["code"]}
    differs = (words[n] for n in names if getattr(old.depends, n) != getattr(new.depends, n))
    return next(differs, "")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder while a command fills it.

    Raises:
        UserError: another command is at work in it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except FileExistsError:
        raise UserError(f"--out {shown(folder)}: this is a file. Name a folder.") from None
    except OSError as error:
        raise UserError(f"--out {shown(folder)}: cannot be written: {error.strerror}.") from error
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            by = os.read(held, 200).decode(errors="replace").strip()
            who = f" ({by})" if by else ""
            raise UserError(
                f"--out {shown(folder)}: another command is at work in it{who}. Wait for it, or "
                "give another folder."
            ) from error
        os.ftruncate(held, 0)
        os.pwrite(held, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        yield
    finally:
        os.close(held)


def read_failures(folder: Path) -> dict[str, str]:
    """Why cells failed when they were tried last, by their keys."""
    try:
        found = json.loads((folder / FAILURES).read_text(encoding="utf-8"))
        return {str(key): str(reason) for key, reason in found.items()}
    except (OSError, ValueError, AttributeError):
        return {}
