"""How far a run is, on a terminal."""

from __future__ import annotations

import contextlib
import sys

from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from scrub.printing import printable
from scrub.report.terminal import Terminal


class ProgressBar:
    """A progress bar with the time left, on a terminal; silence in a pipe."""

    def __init__(self, references: int, *, quiet: bool) -> None:
        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:,} of {task.total:,} references"),
            TimeRemainingColumn(),
            console=Terminal(stderr=True),
            transient=True,
            disable=quiet or not sys.stderr.isatty(),
        )
        self._quiet = quiet
        self._task = self._bar.add_task("", total=references)

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def says(self, text: str) -> None:
        """What is being done."""
        self._bar.update(self._task, description=printable(text), refresh=True)

    def note(self, text: str) -> None:
        """A line above the bar, which stays; nothing for an empty text, or where it is quiet."""
        if text and not self._quiet:
            with contextlib.suppress(OSError):  # that nobody can be told must not end the run
                self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def expects(self, samples: int) -> None:
        """So many references more will be computed than was said before."""
        total = self._bar.tasks[0].total or 0
        self._bar.update(self._task, total=total + samples)

    def advance(self, samples: int) -> None:
        self._bar.advance(self._task, samples)
