"""Rows of frames as JSON has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scrub.stats.rounding import finite

if TYPE_CHECKING:
    import pandas as pd


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame; `null` is what is undefined or unbounded."""
    return list(map(row_of, frame.astype(object).to_dict("records")))


def row_of(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row, `null` where a number is undefined or unbounded."""
    return {str(key): finite(x) if isinstance(x, float) else x for key, x in row.items()}
