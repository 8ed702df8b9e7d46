"""The files that the user's code reads: checkpoints hold only while these are the same.

A metric may read a table when it is called, when its file is loaded, or in a module that it
imports. Python tells an audit hook of every file that it opens, whichever library asks for it; who
asked is told by the innermost frame that is neither Python's nor a library's. Not seen are files
that compiled code opens by itself (a database, safetensors), and what is no file.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import stat
import sys
from collections.abc import Iterator
from functools import cache
from types import FrameType
from typing import Any

from scrub.errors import installed, is_scrubs, is_users

SYSTEM = ("/proc/", "/sys/", "/dev/")
"""Folders of what is no file."""
_records: list[dict[str, str]] = []
"""Who listens: an audit hook is there for good, so there is one, and it is told here."""


@contextlib.contextmanager
def recorded() -> Iterator[None]:
    """Meanwhile a record is kept of what the user's code reads: see `so_far`."""
    _listen()
    _records.append({})
    try:
        yield
    finally:
        _records.pop()


def so_far() -> dict[str, str]:
    """The files that the user's code read, by path, with the sha256 of each when first opened."""
    return dict(_records[-1]) if _records else {}


def digest(path: str) -> str:
    """Hash of what is in a file; "" where there is none, or nothing that stays."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return ""
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""


@cache
def _listen() -> None:
    sys.addaudithook(_heard)


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or not _records:
        return
    path, mode, flags = arguments
    if isinstance(path, int) or not _reads(mode, flags) or not _by_the_user(sys._getframe(1)):
        return
    with contextlib.suppress(OSError, ValueError):  # what is raised here ends what it hears of
        name = os.path.abspath(os.fsdecode(path))
        if name.endswith(".pyc"):
            name = importlib.util.source_from_cache(name)
        if name not in _records[-1] and not name.startswith(SYSTEM) and not installed(name):
            _records[-1][name] = digest(name)


def _reads(mode: str | None, flags: int) -> bool:
    if mode is None:
        return flags & (os.O_WRONLY | os.O_TRUNC) == 0
    return "r" in mode or mode.startswith("a+")


def _by_the_user(frame: FrameType | None) -> bool:
    """Whether the user's code opens a file, by itself or through libraries."""
    while frame is not None:
        name, file = str(frame.f_globals.get("__name__")), frame.f_code.co_filename
        if (
            is_scrubs(name) and name != "scrub.hypothesis.sibling_modules"
        ):  # which imports for the user's code
            return False
        if _is_users(name, file):
            return True
        frame = frame.f_back
    return False


@cache
def _is_users(name: str, file: str) -> bool:
    return is_users(name, file)
