"""The terminal that reports are printed on."""

from __future__ import annotations

import sys

from rich.console import Console


class Terminal(Console):
    """Rich's console, without its own end to a program whose pipe was closed: exit code 1."""

    def on_broken_pipe(self) -> None:
        raise  # rich calls this while it handles the BrokenPipeError


def terminal() -> Console:
    """Standard output, as wide as it is; a pipe gets 120 columns and no colour."""
    return Terminal() if sys.stdout.isatty() else Terminal(width=120, no_color=True)
