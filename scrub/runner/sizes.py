"""Numbers of bytes as people write them: 1073741824, 64MB, 1.5GiB."""

from __future__ import annotations

import math
import re

UNITS = {"": 1} | {
    f"{prefix}{i}b": base**power
    for power, prefix in enumerate("kmgt", start=1)
    for i, base in (("", 1000), ("i", 1024))
}
"""Bytes in each unit, in lower case: "mb", "gib"."""
PREFIXES = ("", "k", "M", "G", "T", "P")
EXAMPLES = "500000000, 500MB or 2GiB"


def in_bytes(text: str) -> int | None:
    """The number of bytes, with or without a unit; None where it is none, or less than one."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) *([a-z]*)", text.lower())
    size = int(float(found[1]) * UNITS.get(found[2], 0)) if found else 0
    return size if size >= 1 else None


def shown(size: float) -> str:
    """ "1.5 GB": a number of bytes to two digits, or three."""
    power = min(int(math.log(max(size, 1), 1000)), len(PREFIXES) - 1)
    number = size / 1000**power
    return (
        f"{number:,.0f} {PREFIXES[power]}B" if number >= 10 else f"{number:.2g} {PREFIXES[power]}B"
    )
