"""The progress bar of a run in a notebook: that of tqdm, which notebooks know."""

from __future__ import annotations

import warnings
from typing import Any

from attrs import define

from scrub.errors import notebook_shell
from scrub.printing import printable
from scrub.runner.progress import SILENT, Progress

DELAY = 1.0
"""Seconds after which a bar is shown: what is quicker has none."""
EVERY = 0.25
"""Seconds between two updates, which a kernel sends one by one."""


@define(eq=False)
class NotebookBar:
    """A bar with the time left, which goes when the run ends. Not of a run of less than a second.

    It follows `TQDM_DISABLE`. Where ipywidgets is not installed it is a line of text.
    """

    _bar: Any = None
    _depth: int = 0

    def __enter__(self) -> NotebookBar:
        self._depth += 1
        return self

    def __exit__(self, *error: object) -> None:
        self._depth -= 1
        if self._bar is not None and not self._depth:
            self._bar.close()
            self._bar = None

    def says(self, text: str) -> None:
        """Show what is being computed."""
        if self._depth:
            self._shown().set_description(printable(text), refresh=False)

    def note(self, text: str) -> None:
        """Print a line above the bar; nothing for an empty text."""
        if text:
            from tqdm import tqdm

            tqdm.write(printable(text))

    def expects(self, samples: int) -> None:
        """Add references to the total."""
        bar = self._shown()
        bar.total = (bar.total or 0) + samples

    def advance(self, samples: int) -> None:
        """So many references were computed; a bar that nobody closes goes with the last."""
        bar = self._shown()
        bar.update(samples)
        if not self._depth and bar.n >= bar.total:
            bar.close()
            self._bar = None

    def _shown(self) -> Any:
        if self._bar is None:
            with warnings.catch_warnings(action="ignore"):  # of tqdm, that it has no widgets
                from tqdm.auto import tqdm

                self._bar = tqdm(total=0, leave=False, delay=DELAY, mininterval=EVERY, unit="ref")
        return self._bar


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    return "IPKernelApp" in getattr(notebook_shell(), "config", {})


def shown_in_notebooks(asked: bool | None) -> Progress:
    """A bar where one is asked for, or (None) in a notebook; else nothing."""
    wanted = in_notebook() if asked is None else asked
    return NotebookBar() if wanted else SILENT
