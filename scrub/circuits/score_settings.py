"""What is asked of a circuit's scores."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

from attrs import field, fields, frozen

from scrub.circuits.completeness import SetsOf
from scrub.circuits.curve import LEVELS, ORDERS
from scrub.errors import Problems, did_you_mean
from scrub.hypothesis.arguments import several
from scrub.printing import printed
from scrub.runner.options import is_whole

SECTIONS = ("nulls", "parts", "completeness", "minimality", "curve")
"""What is measured beside faithfulness."""
RANDOM = 20
"""Random circuits, of each kind: enough to see a share of them down to about 1 in 20, as of a
claim's nulls (scrub.analysis.nulls)."""


@frozen
class ScoreSettings:
    """What is asked of a circuit's scores.

    Attributes:
        metrics: names of the behaviour's metrics, or metrics; None: all of the behaviour's. The
            first is what sets, orders and nodes are chosen and reported by.
        by: a column of the data; "": none.
        only: sections, of `SECTIONS`.
        sets: which sets of nodes are tried.
        random: how many random circuits of each kind.
        order: of removal, of `scrub.circuits.curve.ORDERS`.
        orders: how many orders: that one, the others, then random ones.
        levels: shares of performance.
    """

    metrics: Any = None
    by: str = ""
    only: tuple[str, ...] = SECTIONS
    sets: SetsOf = field(factory=SetsOf)
    random: int = RANDOM
    order: str = "least"
    orders: int = 1
    levels: tuple[float, ...] = LEVELS


def sections_of(only: Any) -> tuple[str, ...]:
    """Sections as a user gives them: "nulls,curve", or a list; None: all."""
    if only is None:
        return SECTIONS
    listed = only.split(",") if isinstance(only, str) else several(only)
    return tuple(dict.fromkeys(str(one).strip() for one in listed if str(one).strip()))


def check_score_settings(settings: ScoreSettings) -> None:
    """Refuse settings of which none makes sense, before anything is loaded.

    Raises:
        UserError: with every one.
    """
    problems = Problems()
    for name in settings.only:
        if name not in SECTIONS:
            problems.add(f"only={printed(name)}.", did_you_mean(str(name), SECTIONS))
    if settings.order not in ORDERS:
        problems.add(f"order={printed(settings.order)}.", did_you_mean(str(settings.order), ORDERS))
    counts = {one.name: getattr(settings.sets, one.name) for one in fields(SetsOf)}
    for name, value, least in (
        *((name, value, 0) for name, value in counts.items()),
        ("random circuits", settings.random, 0),
        ("orders", settings.orders, 1),
    ):
        if not is_whole(value) or value < least:
            problems.add(f"{name}={printed(value)}.", f"Give a whole number, {least} or more.")
    if not _are_shares(settings.levels):
        problems.add(
            f"levels={printed(settings.levels)}.",
            "Give shares of performance above 0, such as (0.9, 0.75).",
        )
    problems.refuse()


def _are_shares(levels: Any) -> bool:
    return isinstance(levels, Sequence) and all(
        isinstance(one, Real) and not isinstance(one, bool) and float(one) > 0 for one in levels
    )
