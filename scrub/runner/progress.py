"""The protocol of whatever shows how far a run is."""

from __future__ import annotations

from typing import Any, Protocol, Self


class Progress(Protocol):
    """A progress bar, or whatever else shows how far a run is."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: Any) -> None: ...

    def says(self, text: str) -> None:
        """What is being done."""
        ...

    def note(self, text: str) -> None:
        """A line that stays; nothing for an empty text."""
        ...

    def expects(self, samples: int) -> None:
        """So many more references will be computed than was said before."""
        ...

    def advance(self, samples: int) -> None:
        """So many references were computed."""
        ...


class Silent:
    """Progress that nobody is told of."""

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *error: object) -> None:
        return

    def says(self, text: str) -> None:
        return

    def note(self, text: str) -> None:
        return

    def expects(self, samples: int) -> None:
        return

    def advance(self, samples: int) -> None:
        return


SILENT = Silent()
