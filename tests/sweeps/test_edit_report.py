"""The test of an edit: behaviours and claims before and after it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import scrub
from scrub import (
    Agree,
    Correspondence,
    Exact,
    InterpNode,
    anything,
    attends,
    claim,
    edited,
    embeddings,
    heads,
    lowers,
    not_applicable,
    output,
    raises,
    recovers,
    swap,
    unchanged,
    zero,
)
from scrub.data.dataset import Rows
from scrub.datasets import ioi
from scrub.errors import UserError
from scrub.metrics import logit_diff
from scrub.model.verify import plain_logits
from scrub.stats.effect import paired_mean

SESSION = scrub.Session()
IOI = ioi.behaviour(60, name="ioi")
PROMPTS = ioi.prompts(60)
WITHOUT = edited("ioi-planted", zero(heads([(3, 0)])))
RENAMED = edited("ioi-planted", swap(heads([(3, 0)]), heads([(3, 2)])))


@claim(data=PROMPTS, metric=logit_diff("io", "s"))
def by_position(model: Any) -> Correspondence:
    """Which of the two names comes first is all that head 3.0's query hears."""
    logits = InterpNode("logits", Exact(), other=Exact())
    mover = logits.child("mover", Exact(), other=Exact())
    below = mover.child("below", Agree("io_is_first"))
    return Correspondence(
        {
            logits: output(at="end"),
            mover: heads([(3, 0)], at="end"),
            below: heads([(2, 0), (2, 1)], at="end", into="q"),
        }
    )


@claim(data=PROMPTS, expect=attends(to="io", share=0.5))
def head_3_0_attends_to_io(model: Any) -> Correspondence:
    """Head 3.0 attends to the IO."""
    root = InterpNode("root", Exact(), other=Exact())
    inputs = root.child("inputs", Exact())
    pattern = heads([(3, 0)], "pattern", at="end")
    return Correspondence({root: pattern, inputs: embeddings(through=anything)})


def report(after: Any, *pairs: Any, **options: Any) -> Any:
    return scrub.edit_report(
        "ioi-planted", after, list(pairs), session=SESSION, **{"samples": 60} | options
    )


def differences(after: Any, samples: int) -> np.ndarray:
    """Of the logit difference of each reference, by plain logits."""
    found = []
    for name in ("ioi-planted", after):
        model = SESSION.load(SESSION.describe(name), torch.float32, "cpu")
        data = SESSION.data(IOI.data, model)
        tokens = torch.from_numpy(data.inputs["tokens"].copy())
        lengths = torch.from_numpy(data.lengths.copy())
        logits = plain_logits(model.graph, tokens, lengths).double().numpy()
        rows = np.arange(len(data))
        at = logits[rows, data.positions["end"]]
        found.append(at[rows, data.label("io")] - at[rows, data.label("s")])
    return found[1] - found[0]


def test_a_behaviour_changes_by_the_mean_of_paired_differences() -> None:
    found = report(WITHOUT, (IOI, lowers(by=2)), (IOI, unchanged(within=1)))
    first, second = found.changes
    rows: Rows = scrub.run(by_position, model=WITHOUT, samples=60, session=SESSION).draws.references
    expected = paired_mean(differences(WITHOUT, 60)[rows.index], confidence=0.975)
    assert first.change.mean == pytest.approx(expected.mean, abs=1e-4)
    assert (first.change.low, first.change.high) == pytest.approx(
        (expected.low, expected.high), abs=1e-3
    )
    assert first.after - first.before == pytest.approx(first.change.mean, abs=1e-9)
    assert (first.verdict, second.verdict) == ("supported", "refuted")
    assert not found.passed
    assert report(WITHOUT, (IOI, lowers(by=2))).passed


def test_a_model_and_itself_differ_by_nothing() -> None:
    found = report("ioi-planted", (IOI, unchanged(within=1)), (by_position, unchanged(within=1)))
    assert [one.change.mean for one in found.changes] == [0, 0]
    same = report(edited("ioi-planted"), (IOI, unchanged(within=1)))
    assert same.changes[0].change.mean == 0


def test_heads_that_trade_names_change_claims_and_no_output() -> None:
    found = report(
        RENAMED,
        (IOI, unchanged(within=2)),
        (head_3_0_attends_to_io, lowers(by=0.3)),
        (by_position, unchanged(within=2)),
    )
    behaviour, attention, recovered = found.changes
    assert behaviour.change.mean == pytest.approx(0, abs=1e-5)
    assert (attention.metric, attention.verdict) == ("attention", "supported")
    assert recovered.metric == "recovered"


def test_it_is_printed_as_a_table_and_is_a_frame() -> None:
    found = report(WITHOUT, (IOI, lowers(by=2)))
    lines = str(found).splitlines()
    assert lines[:3] == [
        "before: ioi-planted",
        "after: ioi-planted, edited: zero head 3.0",
        "60 references, seed 0",
    ]
    assert lines[4].startswith("ioi  logit(io) − logit(s)")
    assert lines[4].endswith("lowers by 2  supported")
    assert repr(found) == "EditReport(1 of 1 as they should be)"
    assert found.frame.loc[0, "change"] == found.changes[0].change.mean


@claim(data=PROMPTS, metric=logit_diff("io", "s"))
def about_nothing(model: Any) -> Any:
    """It is about no model."""
    return not_applicable("it has no such head")


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        ([], "expect= names nothing"),
        ([IOI], "takes pairs"),
        ([("ioi", lowers(by=1))], "expect= names a str"),
        ([(IOI, lowers)], "the function lowers itself"),
        ([(IOI, recovers(above=0.5))], "≥ 0.5 is not about a change"),
        ([(about_nothing, lowers(by=1))], "it has no such head"),
        (
            [(by_position, lowers(by=1)), (about_nothing, raises(by=1))],
            "about_nothing is not",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(expect: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        report(WITHOUT, *expect)


def test_a_model_is_no_option_of_it() -> None:
    with pytest.raises(UserError, match="takes no model="):
        report(WITHOUT, (IOI, lowers(by=1)), model="ioi-planted")
