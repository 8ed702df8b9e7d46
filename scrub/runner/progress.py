"""Who is told how far a run is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, Self

from attrs import frozen


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
        """So many references more will be computed than was said before."""
        ...

    def advance(self, samples: int) -> None:
        """So many references were computed."""
        ...


@frozen(eq=False)
class Watch:
    """Told how far a run is: a progress bar, or nobody.

    Attributes:
        says: what is being done.
        expects: that so many samples more will be computed.
        advance: that so many were.
    """

    says: Callable[[str], None]
    expects: Callable[[int], None]
    advance: Callable[[int], None]


UNWATCHED = Watch(lambda text: None, lambda samples: None, lambda samples: None)
