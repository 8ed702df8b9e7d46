"""Standard output and error where they are closed, full, or read by nobody."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO

import click

from scrub.printing import printable


def open_closed() -> None:
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


def settled(stream: TextIO) -> OSError | ValueError | None:
    """Write out what waits in a stream. What cannot be written is discarded: the exit code stands.

    Python writes what still waits at its end, and a failure there becomes the exit code.

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


def say(text: str) -> None:
    """A line for people on standard error, if anybody can be told."""
    with contextlib.suppress(OSError):
        click.echo(printable(text), err=True)
