"""The loop by which embedded models are trained does what it says, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
import torch
from parens_training import SCHEDULE
from torch.nn import Parameter
from training import BETAS, DECAY, Log, Loss, Schedule, adamw, guide_at, summed, train

TARGET = torch.tensor([1.0, -2.0])
SHORT = Schedule(peak=0.1, warm_up=3, middle=0.5, swing=0.5, largest=0.7)


def loss(weights: Parameter, progress: float, batch: int) -> Loss:
    near = ((weights - TARGET * (1 + batch % 2)) ** 2).sum()
    return summed({"near": near, "small": progress * weights.abs().sum()})


def trained(steps: int, schedule: Schedule = SHORT, log: Log = Log()) -> Parameter:  # noqa: B008
    weights = Parameter(torch.zeros(2))
    train([weights], count(), lambda p, b: loss(weights, p, b), steps, schedule=schedule, log=log)
    return weights


def by_hand(steps: int) -> Parameter:
    weights = Parameter(torch.zeros(2))
    optimiser = torch.optim.AdamW([weights], betas=BETAS, weight_decay=DECAY)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = SHORT.rate(step, steps)
        optimiser.zero_grad()
        loss(weights, step / steps, step).total.backward()
        torch.nn.utils.clip_grad_norm_([weights], 0.7)
        optimiser.step()
    return weights


def test_each_step_is_a_step_of_adamw() -> None:
    assert torch.equal(trained(12), by_hand(12))
    uncut = Schedule(peak=0.1, warm_up=3, middle=0.5, swing=0.5, largest=100.0)
    assert not torch.equal(trained(12, uncut), by_hand(12))


def test_an_optimiser_with_other_groups_is_used() -> None:
    still, moved = Parameter(torch.ones(1)), Parameter(torch.ones(1))
    groups = [{"params": [still], "weight_decay": 0.0}, {"params": [moved], "weight_decay": 0.5}]
    nothing = Loss((0 * still + 0 * moved).sum(), {})
    batches: Iterator[int] = iter(range(2))
    train(
        [still, moved], batches, lambda *_: nothing, 1,
        optimiser=adamw(groups), schedule=SHORT,
    )  # fmt: skip
    assert still.item() == 1
    assert moved.item() < 1
    assert next(batches) == 1  # no batch is drawn that is not used


def test_the_rate_goes_up_to_the_peak_and_down_a_cosine() -> None:
    rates = [SCHEDULE.rate(step, 10_000) for step in range(10_000)]
    assert rates[0] == pytest.approx(3e-3 / 200)
    assert max(rates) == pytest.approx(3e-3, rel=1e-3)
    assert rates.index(max(rates)) == 199
    assert rates[5_000] == pytest.approx(1.5e-3)
    assert rates[-1] < 1e-9
    usual = Schedule()
    assert usual.rate(1_499, 1_500) == pytest.approx(0.02 * usual.peak, rel=1e-3)


def test_the_log_tells_of_the_steps_since_the_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    def shown(recent: list) -> str:
        return f"{len(recent)} of {', '.join(recent[0])}"

    trained(7, log=Log(3, shown))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["step 3", "step 6"]
    assert all(line.endswith("3 of near, small") for line in lines)


def test_what_leads_the_way_hardly_counts_from_halfway_on() -> None:
    assert [guide_at(progress) for progress in (0, 0.25, 0.5, 1)] == [1, 0.5, 0.1, 0.1]
