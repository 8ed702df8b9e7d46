"""The progress bar of a run, on standard error."""

from __future__ import annotations

import contextlib
import sys

from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from scrub.printing import printable
from scrub.report.console import Terminal


class ProgressBar:
    """A progress bar with the time left; nothing where standard error is no terminal."""

    def __init__(self, total: int, *, quiet: bool, counted: str = "references") -> None:
        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn(f"{{task.completed:,}} of {{task.total:,}} {counted}"),
            TimeRemainingColumn(),
            console=Terminal(stderr=True),
            transient=True,
            disable=quiet or not sys.stderr.isatty(),
        )
        self._quiet = quiet
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def says(self, text: str) -> None:
        """Show what is being computed."""
        self._bar.update(self._task, description=printable(text), refresh=True)

    def note(self, text: str) -> None:
        """Print a line above the bar, which stays; nothing for an empty text, or with -q."""
        if text and not self._quiet:
            with contextlib.suppress(OSError):  # a closed standard error must not end the run
                self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def expects(self, samples: int) -> None:
        """Add references to the total."""
        total = self._bar.tasks[0].total or 0
        self._bar.update(self._task, total=total + samples)

    def advance(self, samples: int) -> None:
        self._bar.advance(self._task, samples)
