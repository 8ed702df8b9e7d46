"""Atomic writes: a file is whole, or is not there."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def resolved(path: Path) -> Path:
    """Where a path leads. Raises an OSError where its links lead nowhere."""
    try:
        return path.resolve()
    except RuntimeError as error:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from error


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is never there by half: a reader sees the old text or the new.

    What is no plain file (a pipe, a terminal), or lies where nothing new may be put, is written in
    place. Raises an OSError as `Path.write_bytes` does.
    """
    raw = text.encode("utf-8", "backslashreplace")  # a name that is no UTF-8 is JSON's \udc80
    path = resolved(path)  # a link stays a link
    if (path.exists() and not path.is_file()) or not os.access(path.parent, os.W_OK):
        path.write_bytes(raw)
        return
    with written_beside(path) as beside:
        beside.write_bytes(raw)


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """A file to write, which is put in the place of `path` once it is there, or removed."""
    beside = path.with_name(f".scrub.{os.getpid()}{path.suffix}")
    try:
        yield beside
        if path.exists():
            shutil.copymode(path, beside)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
