"""Standard output and error that may be closed, full, or a pipe that nobody reads."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO

import click

from scrub.printing import printable


def open_closed_streams() -> None:
    """Discard what goes to a stream that was closed before Python started, as in `scrub … >&-`.

    Python has None in its place, and the next file that is opened has its number.
    """
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_WRONLY)
            if not _is_open(number):
                null = os.dup2(null, number)
            setattr(sys, name, open(null, "w", encoding="utf-8"))  # noqa: SIM115


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def flush_or_discard(stream: TextIO) -> OSError | ValueError | None:
    """Flush a stream; discard what cannot be written, so that the exit code stands.

    Python flushes streams when it exits, and a failure there would become the exit code.

    Returns:
        What keeps the stream from being written; None where nothing does.
    """
    try:
        stream.flush()
    except ValueError as error:  # the user's code closed it
        return error
    except OSError as error:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
        return error
    return None


def print_error(text: str) -> None:
    """Print a line on standard error, with control characters spelled out, unless it is closed."""
    with contextlib.suppress(OSError):
        click.echo(printable(text), err=True)
