"""Waiting until files change, by looking at them every now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

Stamp = tuple[int, int, int] | None
"""When a file was written, its size, and its number on the disk; None: it is not there."""
EVERY = 0.25
"""Seconds between two looks: short beside what people notice, and a stat costs microseconds."""


def stamps(files: Iterable[Path]) -> dict[Path, Stamp]:
    """What tells the files of now from those of later."""
    return {file: _stamp(file) for file in files}


def changed(before: Mapping[Path, Stamp], wait: Callable[[float], None] = time.sleep) -> list[Path]:
    """Wait until some files are not as they were, and stay so for a moment; which, by name.

    Editors write in several steps: files that are still being written are waited for, and so is one
    that was taken away to be put back.

    Args:
        before: the files to watch, as they were when they were last read.
        wait: waits so many seconds.
    """
    seen = dict(before)
    while True:
        wait(EVERY)
        now = stamps(before)
        different = sorted(file for file in before if now[file] != before[file])
        if different and now == seen and any(now[file] is not None for file in different):
            return different
        seen = now


def _stamp(file: Path) -> Stamp:
    try:
        about = file.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size, about.st_ino
