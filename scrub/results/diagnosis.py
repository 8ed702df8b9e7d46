"""What the diagnoses of a claim found, as data."""

from __future__ import annotations

from attrs import frozen

from scrub.analysis.blame import Blame
from scrub.analysis.conventions import Convention
from scrub.analysis.nulls import Nulls
from scrub.analysis.specificity import Tried
from scrub.printing import brief
from scrub.stats.between import Fresh


@frozen(eq=False, repr=False)
class Diagnosis:
    """What was found out beyond a claim's score; None: not asked for."""

    nulls: Nulls | None = None
    conventions: tuple[Convention, ...] | None = None
    specificity: tuple[Tried, ...] | None = None
    blame: Blame | None = None
    fresh: Fresh | None = None

    def __repr__(self) -> str:
        return brief(self)
