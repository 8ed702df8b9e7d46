"""Looking at many rows says how far it is, and announces what takes long."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import define, field

from scrub.api import collected_behaviour
from scrub.datasets import ioi
from scrub.observations import subject as looked_at
from scrub.observations.attention import attention
from scrub.observations.lens import logit_lens
from scrub.observations.overview import overview
from scrub.observations.tokens import SEQUENCES
from scrub.runner.options import Options
from scrub.runner.progress import Silent
from scrub.runner.session import Session

ROWS = 80


@define
class Counted(Silent):
    """What a progress bar would have shown."""

    expected: int = 0
    advanced: list[int] = field(factory=list)
    notes: list[str] = field(factory=list)

    def note(self, text: str) -> None:
        self.notes += [text] * bool(text)

    def expects(self, samples: int) -> None:
        self.expected += samples

    def advance(self, samples: int) -> None:
        self.advanced.append(samples)


def about(progress: Counted, **options: Any) -> looked_at.Subject:
    item = collected_behaviour(ioi.behaviour(ROWS))
    return looked_at.subject(item, Session(), Options(model="ioi-planted", **options), progress)


def test_every_row_is_expected_and_seen() -> None:
    progress = Counted()
    attention(about(progress))
    assert progress.expected == sum(progress.advanced) == ROWS
    assert len(progress.advanced) > 1
    assert progress.notes == []


def test_all_heads_at_a_glance_count_the_rows_of_each_look() -> None:
    progress = Counted()
    seen = about(progress, samples=10)
    overview(seen.model, seen.values.memory, 0, seen, progress=progress)
    assert (
        progress.expected == sum(progress.advanced) == SEQUENCES + 3 * 10
    )  # copying, attention, logits


def test_what_takes_long_is_announced_once_for_values_that_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(looked_at, "estimated_seconds", lambda flops, device, dtype: flops)
    monkeypatch.setattr(looked_at, "ANNOUNCED", 1e3)
    progress = Counted()
    seen = about(progress)
    logit_lens(seen)
    (said,) = progress.notes
    assert said.startswith("about ")
    assert said.endswith(f" for {ROWS} rows of {ROWS} ioi prompts, mixed order, seed 0")
    logit_lens(seen)
    assert progress.notes == [said]
