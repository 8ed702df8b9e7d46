"""The benchmark of a cold start: its parts are all of it, and its ratios are to the least."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import cold_start
import pytest
from cold_start import IMPORT_TORCH, RECHECK, SCRUB, SCRUBS, Cost

from support.command import ROOT, SUMS


def test_the_parts_are_all_that_the_process_took() -> None:
    before = time.process_time()
    found = cold_start.parts(ROOT / SUMS)
    assert before <= sum(found.values()) <= time.process_time()
    assert min(found.values()) >= 0
    assert found[SCRUBS] > 0


def test_ratios_are_to_torch_and_the_scrubs() -> None:
    costs = {IMPORT_TORCH: Cost(1.0, 2.0), SCRUB: Cost(3.0, 4.0), RECHECK: Cost(9.0, 10.0)}
    text = cold_start.page(costs, {SCRUBS: 0.5}, {"pandas": 0.25}, 3, Path("some/claims.py"))
    assert text.startswith("`scrub test claims.py` in a new process takes 2.00 times ")
    assert "with a TransformerBridge 6.00 times" in text
    assert "| `scrub test` | 3.00 | 4.00 | 2.00 |" in text


def test_a_command_that_fails_is_not_measured() -> None:
    with pytest.raises(AssertionError, match="nothing to say"):
        cold_start.run(
            [
                sys.executable,
                "-c",
                "import sys; print('nothing to say', file=sys.stderr); sys.exit(3)",
            ]
        )
