"""Records of claims about effects: somebody else recomputes them, with hooks alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from scrub import (
    Agree,
    Claim,
    Correspondence,
    Exact,
    Fixed,
    InterpNode,
    Mean,
    Paired,
    Zero,
    answers,
    attends,
    heads,
    lowers,
    mlp,
    output,
    raises,
    run,
    supported,
    token_embedding,
)
from scrub.hypothesis.belief import Belief
from scrub.metrics import (
    Metric,
    logit,
    logit_diff,
    mass,
    probability,
    probability_difference,
    rank,
)
from scrub.results.run_record import save
from scrub.samplers import Sampler
from scrub.stats.effect import paired_mean
from support import recorded
from support.recorded import DATA, LONGER, SAMPLES, recomputed

model = recorded.model  # a fixture


def restoring(_: Any) -> Correspondence:
    """A head and an MLP of the reference in a run on a longer input."""
    logits = InterpNode("logits", Exact(), other=Fixed(LONGER))
    clean = logits.child("clean", Exact())
    return Correspondence(
        {logits: output(at="end"), clean: heads([(2, 0), (1, 1)], at="end") | mlp(1, at="end")}
    )


def corrupting(_: Any) -> Correspondence:
    """A word of another input, by a head that runs on a third."""
    logits = InterpNode("logits", Exact(), other=Exact())
    late = logits.child("late", Exact(), other=Agree("kind"))
    word = late.child("word", Paired(LONGER))
    return Correspondence(
        {
            logits: output(at="late"),
            late: heads([(2, 1)], at="late"),
            word: token_embedding(at=("early", "late"), into="v"),
        }
    )


def on_a_virtual_row(other: Sampler) -> Any:
    """A head and an MLP of the reference among values that no input has."""

    def build(_: Any) -> Correspondence:
        logits = InterpNode("logits", Exact(), other=other)
        sites = heads([(2, 0)], at="end") | mlp(1, at="end")
        return Correspondence({logits: output(at="end"), logits.child("clean", Exact()): sites})

    return build


CLAIMS: dict[str, tuple[Any, Metric | None, Belief]] = {
    "logit_diff": (restoring, logit_diff("right", "wrong"), raises(by=1)),
    "logit": (corrupting, logit("right"), lowers(by=1)),
    "probability": (restoring, probability("wrong"), raises(by=1)),
    "mass": (corrupting, mass("right", "wrong"), raises(by=1)),
    "sets": (
        restoring,
        probability_difference(["right", "right"], ["wrong", "right"]),
        raises(by=1),
    ),
    "rank": (restoring, rank("right"), lowers(by=1)),
    "on a mean": (on_a_virtual_row(Mean("end")), logit_diff("right", "wrong"), raises(by=1)),
    "on zeros": (on_a_virtual_row(Zero()), logit_diff("right", "wrong"), raises(by=1)),
    "top_1": (corrupting, None, answers("right", share=0.5)),
}


@pytest.fixture(scope="module")
def folders(model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    to = tmp_path_factory.mktemp("effects")
    return {
        name: save(
            run(
                Claim(name, build, DATA, metric, expect=supported(belief)),
                model=str(model),
                samples=SAMPLES,
                diagnose=False,
            ),
            to,
        )
        for name, (build, metric, belief) in CLAIMS.items()
    }


@pytest.mark.parametrize("name", CLAIMS)
def test_every_number_is_recomputed(name: str, folders: dict[str, Path], model: Path) -> None:
    record = json.loads((folders[name] / "run.json").read_text(encoding="utf-8"))
    numbers = load_file(folders[name] / "run.safetensors")
    assert (record["kind"], record["recovered"]["mean"]) == ("effect", None)
    assert record["recovered"]["reason"]
    assert np.ptp(numbers["metric.before"] - numbers["metric.scrubbed"]) > 0, "no test"
    assert record["effect"]["mean"] == pytest.approx(
        (numbers["metric.scrubbed"] - numbers["metric.before"]).mean()
    )
    assert recomputed(folders[name], model) == 0


def test_the_interval_follows_from_the_numbers(folders: dict[str, Path]) -> None:
    record = json.loads((folders["logit_diff"] / "run.json").read_text(encoding="utf-8"))
    numbers = load_file(folders["logit_diff"] / "run.safetensors")
    found = paired_mean(numbers["metric.scrubbed"] - numbers["metric.before"])
    assert record["effect"]["low"] == pytest.approx(found.low)
    assert record["figure"] == {"name": "effect"} | record["effect"]
    assert record["believed"] == {
        "words": "raises by 1",
        "figure": "effect",
        "above": 1.0,
        "below": None,
    }


@pytest.mark.parametrize("name", ["metric.before", "node.0.other.tokens", "node.0.0.other.at"])
def test_a_changed_record_is_found_out(
    name: str, folders: dict[str, Path], model: Path, tmp_path: Path
) -> None:
    tensors = dict(load_file(folders["logit_diff"] / "run.safetensors"))
    changed = tensors[name].copy()
    if name == "metric.before":
        changed[17] += 0.01 * np.abs(changed).max()
    else:
        changed = np.maximum(changed - 1, 0)
    save_file(tensors | {name: changed}, tmp_path / "run.safetensors")
    described = (folders["logit_diff"] / "run.json").read_text(encoding="utf-8")
    (tmp_path / "run.json").write_text(described, encoding="utf-8")
    assert recomputed(tmp_path, model) == 1


def test_where_the_column_of_an_attention_is(model: Path, tmp_path: Path) -> None:
    """In the reference, on whatever a pattern was computed."""

    def pattern(_: Any) -> Correspondence:
        root = InterpNode("pattern", Exact(), other=Fixed(LONGER))
        word = root.child("word", Exact())
        return Correspondence(
            {root: heads([(1, 0)], "pattern", at="end"), word: token_embedding(at="late")}
        )

    believed = attends(to="late", share=0.5)
    result = run(
        Claim("attends", pattern, DATA, None, expect=believed),
        model=str(model),
        samples=SAMPLES,
        diagnose=False,
    )
    folder = save(result, tmp_path)
    tensors = load_file(folder / "run.safetensors")
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert record["metric"]["positions"] == ["late"]
    rows = result.draws.references.index
    assert tensors["reference.position.late"].tolist() == DATA.positions["late"][rows].tolist()
    assert not any(name.startswith(("root.position", "baseline.position")) for name in tensors)
    assert recomputed(folder, model) == 2  # the script knows no patterns


def test_sets_that_are_exchanged_are_found_out(
    folders: dict[str, Path], model: Path, tmp_path: Path
) -> None:
    tensors = load_file(folders["sets"] / "run.safetensors")
    save_file(dict(tensors), tmp_path / "run.safetensors")
    record = json.loads((folders["sets"] / "run.json").read_text(encoding="utf-8"))
    record["metric"]["sets"].reverse()
    (tmp_path / "run.json").write_text(json.dumps(record), encoding="utf-8")
    assert recomputed(tmp_path, model) == 1
