"""How much memory this process holds, as Linux tells it (NaN elsewhere), and this machine has."""

from __future__ import annotations

import math
import os
from pathlib import Path

from attrs import frozen

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@frozen
class Resident:
    """Bytes resident at one moment, from which growth is measured."""

    start: float

    @staticmethod
    def now() -> Resident:
        """Start measuring: the peak so far is forgotten."""
        try:
            _RESET.write_text("5")  # resets VmHWM, the peak of the resident set
        except OSError:
            return Resident(math.nan)
        return Resident(_field("VmRSS"))

    def grown(self) -> float:
        """Bytes by which the peak since the start exceeds what was resident then."""
        return _field("VmHWM") - self.start


def of_machine() -> float:
    """Bytes of memory that this machine has; infinity where it does not tell."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):
        return math.inf


def _field(name: str) -> float:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return math.nan
    for line in lines:
        if line.startswith(f"{name}:"):
            return 1024.0 * int(line.split()[1])
    return math.nan
