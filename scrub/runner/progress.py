"""Who is told how far a run is."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen


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
