"""Effects by the values of a column: against the rows alone, and which differences are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import scrub
from scrub import Behaviour, Paired, heads, output
from scrub.data.dataset import Dataset, Rows
from scrub.datasets import ioi
from scrub.errors import UserError
from scrub.metrics import logit_diff
from scrub.stats.effect import paired_mean
from scrub.sweeps.by_column import by_column
from support.command import inside

SESSION = scrub.Session()


def swept(**asked: Any) -> scrub.Sweep:
    made = ioi.behaviour(80, model="ioi-planted")
    return scrub.patch(made, samples=120, session=SESSION, **{"by": "order"} | asked)


def table_of(values: np.ndarray, effects: np.ndarray, totals: np.ndarray, tried: int = 1) -> Any:
    rows = len(values)
    data = Dataset("d", {"tokens": np.zeros((rows, 1))}, np.ones(rows), columns={"kind": values})
    return by_column("kind", Rows(data, np.arange(rows)), effects, totals, tried)


def test_effects_are_those_of_the_references_with_the_value() -> None:
    random = np.random.default_rng(0)
    values = np.array(["a", "b", "c"])[random.integers(0, 3, 90)]
    effects = random.normal(size=(2, 4, 90))
    found = table_of(values, effects, effects[:, 0], tried=8)
    assert found.values == ("a", "b", "c")
    assert found.references == tuple((values == value).sum() for value in "abc")
    assert found.tested == 24
    for metric, sender, value in np.ndindex(2, 4, 3):
        here = values == "abc"[value]
        part = effects[metric, sender]
        effect = found.effects[metric][sender][value]
        assert effect == paired_mean(part[here], confidence=1 - 0.05 / 24)
        difference = found.difference(metric, sender, value)
        assert difference.mean == pytest.approx(part[here].mean() - part[~here].mean())
        assert difference.confidence == 1 - 0.05 / 24
    assert found.totals[1][2] == paired_mean(effects[1, 0][values == "c"])


def test_of_two_values_one_difference_is_tested() -> None:
    random = np.random.default_rng(1)
    values = np.arange(60) % 2 == 0
    effects = random.normal(size=(1, 3, 60)) + 4 * values * np.array([1, 0, 0])[:, None]
    found = table_of(values, effects, effects[:, 0], tried=3)
    assert found.tested == 3
    first, second = (found.difference(0, 0, value) for value in (0, 1))
    assert (first.mean, first.low, first.high) == (-second.mean, -second.high, -second.low)
    assert second.low > 0, "True differs from False in the first sender"
    assert all(found.difference(0, n, 0).low < 0 < found.difference(0, n, 0).high for n in (1, 2))


def test_no_difference_is_found_where_there_is_none() -> None:
    """Of 40 sweeps of 10 senders whose effects depend on no value, one or two may tell some."""
    random = np.random.default_rng(2)
    wrong = 0
    for _ in range(40):
        values = random.integers(0, 3, 150)
        found = table_of(values, random.exponential(size=(1, 10, 150)), np.ones((1, 150)), 10)
        every = [found.difference(0, n, v) for n in range(10) for v in range(3)]
        wrong += any(d.low > 0 or d.high < 0 for d in every)
    assert wrong <= 5


def test_one_value_alone_has_no_difference() -> None:
    found = table_of(np.zeros(9), np.ones((1, 1, 9)), np.ones((1, 9)))
    assert found.tested == 0
    assert np.isnan(found.difference(0, 0, 0).mean)


def test_the_sweep_by_a_column() -> None:
    sweep = swept()
    assert sweep.by is not None
    frame = sweep.by_frame.set_index(["sender", "order"])
    plain = scrub.patch(
        ioi.behaviour(80, model="ioi-planted"), samples=120, session=SESSION
    ).frame.set_index("sender")
    assert sweep.frame.set_index("sender").equals(plain), "the sweep itself stays"
    for sender in plain.index:
        parts = frame.loc[sender]
        mean = (parts["effect"] * parts["n"]).sum() / parts["n"].sum()
        assert mean == pytest.approx(plain.loc[sender, "effect"], abs=1e-9)
    assert frame["n"].loc["head 3.0"].sum() == 120


def test_the_largest_senders_alone_keep_their_effects() -> None:
    sweep = swept()
    first = sweep.top(1)
    name = first.senders[0].name
    assert set(first.by_frame["sender"]) == {name}
    whole = sweep.by_frame
    expected = whole[whole["sender"] == name].reset_index(drop=True)
    assert first.by_frame.equals(expected)


def test_a_column_called_like_a_figure_stands_beside_it() -> None:
    data = ioi.prompts(30).make(SESSION.describe("ioi-planted").tokenizer)
    data = data.with_columns(effect=data.columns["order"])
    made = Behaviour("own", lambda model: output(at="end"), data, logit_diff("io", "s"),
                     Paired(data.take(reversed(range(30)))), "ioi-planted")  # fmt: skip
    sweep = scrub.patch(made, samples=20, by="effect", senders=heads([(3, 0)]), session=SESSION)
    assert {"effect", "effect of the input"} <= set(sweep.by_frame.columns)


def test_the_heatmap_has_a_column_a_value() -> None:
    sweep = swept().top(3)
    axes = sweep.plot().axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["ABBA", "BABA"]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        sweep.senders[number].name for number in sweep.order()
    ]
    frame = sweep.by_frame
    alphas = axes.collections[0].get_facecolor()[:, 3]
    assert ((alphas == 1) == frame["differs"].to_numpy()).all()


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("ordr", 'no feature "ordr". The nearest is "order"'),
        ("prefix_length", "all rows have the value 0"),
        ("io", r"has \d+ values, and effects are told apart for 30 at most"),
        (3, "by=3. Give the name of a column"),
    ],
)
def test_a_column_that_tells_nothing_is_refused(column: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        swept(by=column)


def test_a_sweep_without_it_says_what_to_give() -> None:
    with pytest.raises(UserError, match=r"Give by= to scrub\.patch"):
        _ = swept(by=None).by_frame


FILE = "from scrub.datasets import ioi\n\nMODEL = 'ioi-planted'\nioi = ioi.behaviour(60)\n"


def test_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "b.py").write_text(FILE, encoding="utf-8")
    options = ("--samples", "60", "--top", "2", "--by", "order", "--csv", "by.csv")
    done = inside("patch", "b.py", *options, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert max(map(len, done.out.splitlines())) <= 120
    _, _, table = done.out.partition("told from zero")
    assert table.count("ABBA") == 3, "of two senders, and in the totals"
    assert "of 16 differences, each of one value with the other" in done.out
    frame = pd.read_csv(tmp_path / "by.csv")
    assert len(frame) == 32
    assert {"order", "difference", "differs"} <= set(frame.columns)
