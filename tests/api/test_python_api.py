"""`scrub.run` from Python: the numbers of the command line, in a frozen result with frames."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import numpy as np
import pandas as pd
import pytest

import scrub
from scrub import Agree, Correspondence, Exact, InterpNode, Uncond, UserError, claim, site
from scrub.hypothesis.collect import load
from scrub.metrics import custom
from scrub.model.arithmetic import graph, node, source
from support.command import IOI, SUMS, inside
from support.paths import ROOT

ROUNDING = 1e-5
"""Float32: batches differ, relative to the largest number (docs/semantics.md, Laws)."""


@pytest.fixture(scope="module")
def sums() -> ModuleType:
    return load(ROOT / SUMS)


@pytest.fixture(scope="module")
def ioi() -> ModuleType:
    return load(ROOT / IOI)


@pytest.fixture(scope="module")
def result(sums: ModuleType) -> scrub.Result:
    return scrub.run(sums.by_hand, samples=100, seed=3)


def test_a_seed_from_numpy_is_the_same_seed(result: scrub.Result, sums: ModuleType) -> None:
    again = scrub.run(sums.by_hand, samples=np.int64(100), seed=np.int64(3))
    assert again.scores.scrubbed.tolist() == result.scores.scrubbed.tolist()


def on_the_command_line(folder: Path, *arguments: str) -> dict[str, Any]:
    file = folder / "results.json"
    done = inside("test", *arguments, "--json", file, "-q")
    assert done.err == ""
    (found,) = json.loads(file.read_text(encoding="utf-8"))["results"]
    return found


def same(result: scrub.Result, found: dict[str, Any]) -> None:
    """The same numbers, up to rounding, and the same draws."""
    numbers = result.scores
    scale = max(np.abs(values).max() for values in numbers.columns.values())
    for name in ("original", "scrubbed", "baseline"):
        mean = getattr(numbers, name).mean()
        assert found["loss"][name] == pytest.approx(mean, abs=ROUNDING * scale)
    for name in ("mean", "low", "high"):
        ours = getattr(result.recovered, name)
        assert found["recovered"][name] == pytest.approx(ours, abs=10 * ROUNDING)
    assert found["samples"] == result.samples
    assert found["verdict"] == result.judgement.verdict
    assert found["passed"] == result.passed
    distinct = [(node.name, node.donors_distinct) for node in result.nodes]
    assert [(n["name"], n["donors_distinct"]) for n in found["nodes"]] == distinct


def test_the_same_numbers_as_the_command_line_on_a_graph(
    result: scrub.Result, tmp_path: Path
) -> None:
    found = on_the_command_line(tmp_path, f"{SUMS}::by_hand", "--samples", "100", "--seed", "3")
    same(result, found)


def test_the_same_numbers_as_the_command_line_on_a_transformer(
    ioi: ModuleType, tmp_path: Path
) -> None:
    found = on_the_command_line(tmp_path, f"{IOI}::whole_circuit", "--samples", "40")
    same(scrub.run(ioi.whole_circuit, samples=40), found)
    other = scrub.run(ioi.whole_circuit, samples=40, seed=1)
    assert other.scores.scrubbed.mean() != pytest.approx(found["loss"]["scrubbed"], abs=1e-3)


def test_another_model_by_name(ioi: ModuleType) -> None:
    result = scrub.run(ioi.by_position, model="ioi-shortcut", samples=20)
    assert result.model == "ioi-shortcut"
    assert result.weights_sha256 != scrub.run(ioi.by_position, samples=20).weights_sha256


def test_the_result_is_frozen(result: scrub.Result) -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        result.seed = 1  # type: ignore[misc]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        result.scores.scrubbed = result.scores.original  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        result.draws.references.index[0] = 1


def test_a_frame_with_one_row_a_reference(result: scrub.Result) -> None:
    frame = result.frame
    assert len(frame) == result.samples == 100
    assert {"row", "out", "original", "scrubbed", "baseline"} <= set(frame.columns)
    gap = frame.baseline.mean() - frame.original.mean()
    recovered = (frame.baseline.mean() - frame.scrubbed.mean()) / gap
    assert recovered == pytest.approx(result.recovered.mean)
    assert (frame["out"] == result.draws.references.feature("out")).all()
    assert (frame.original == 0).all()


def test_a_frame_with_one_row_a_node(result: scrub.Result) -> None:
    frame = result.node_frame
    assert isinstance(frame, pd.DataFrame)
    assert frame["node"].tolist() == ["out", "out / product", "out / product / x"]
    assert frame["sampler"].tolist() == ["Exact", "Exact", "Fixed"]
    assert frame["recovered_alone"].isna().all()


def test_printed_it_is_one_line(result: scrub.Result) -> None:
    mean, low, high = (f"{x:.3f}" for x in attrs.astuple(result.recovered)[:3])
    assert repr(result) == f"Result(by_hand: recovered {mean} [{low}, {high}], 100 references)"


def test_a_notebook_shows_a_table(result: scrub.Result) -> None:
    html = result._repr_html_()
    assert "<table" in html
    assert f"{result.recovered.mean:.3f} [" in html
    assert f"{result.scores.means['scrubbed']:.3f}" in html


def test_a_graph_of_ones_own() -> None:
    """y = x + x², scrubbed by hand: the square comes from another row of the same sign class."""
    model = graph(
        source("x"),
        node("square", lambda x: x * x, x="x"),
        node("y", lambda v: v, v=["x", "square"]),
    )
    x = np.array([-2, -1, 1, 3])
    data = scrub.Dataset(
        "four", {"x": x}, np.ones(4, dtype=int), columns={"positive": x > 0, "y": x + x * x}
    )
    metric = custom(lambda y, references: -np.abs(y.numpy() - references.feature("y")))

    @claim(data=data, metric=metric)
    def sign_is_enough(model: Any) -> Correspondence:
        y = InterpNode("y", Exact(), other=Exact())
        square = y.child("square", Agree("positive"))
        return Correspondence({y: site("y"), square: site("square")})

    @claim(data=data, metric=metric, model=model)
    def nothing_is_needed(model: Any) -> Correspondence:
        return Correspondence({InterpNode("y", Uncond()): site("y")})

    result = scrub.run(sign_is_enough, model=model, samples=64)
    own = result.draws.nodes["y", "square"].own.index
    references = result.draws.references.index
    assert ((x[own] > 0) == (x[references] > 0)).all()
    assert (own != references).any()
    expected = -np.abs(x[own] ** 2 - x[references] ** 2)
    assert result.scores.scrubbed.tolist() == expected.tolist()
    assert result.scores.original.tolist() == [0] * 64
    assert result.judgement.verdict is None
    assert result.passed

    uncond = scrub.run(nothing_is_needed, samples=64)
    own = uncond.draws.nodes["y",].own.index
    assert uncond.scores.scrubbed.tolist() == (-np.abs((x + x * x)[own] - (x + x * x)[
        uncond.draws.references.index])).tolist()  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample": 5}, 'scrub.run has no option "sample". The nearest is "samples"; there are: '),
        ({"samples": 0}, "samples is 0. Give a whole number, 1 or more."),
        ({"samples": 2.5}, "samples is 2.5. Give a whole number, 1 or more."),
        ({"seed": -1}, "seed is -1. Give a whole number, 0 or more."),
        ({"max_memory": 0}, "max_memory is 0. Give a number of bytes, such as"),
        ({"precision": -0.1}, "precision is -0.1. Give a number above 0, such as 0.05."),
        ({"device": "gpu"}, 'There is no device "gpu" on this machine. There are: cpu'),
        ({"model": "ioi-plantde"}, 'sums.py::by_hand: There is no model "ioi-plantde". The near'),
    ],
)
def test_options_that_make_no_sense(
    options: dict[str, Any], message: str, sums: ModuleType
) -> None:
    with pytest.raises(UserError) as refused:
        scrub.run(sums.by_hand, **options)
    assert str(refused.value).startswith(message)


def test_what_is_no_claim_is_refused(sums: ModuleType) -> None:
    with pytest.raises(UserError, match="takes a claim, not a function"):
        scrub.run(sums.product_is)  # type: ignore[arg-type]


def test_an_illegal_claim_says_all_its_problems(sums: ModuleType) -> None:
    @claim(data=sums.DATA, metric=sums.ERROR, model=sums.MODEL)
    def two_slips(model: Any) -> Correspondence:
        out = InterpNode("out", Exact())
        wrong = out.child("wrong", Agree("ouut"))
        return Correspondence({out: site("out"), wrong: site("prodct")})

    with pytest.raises(UserError) as refused:
        scrub.run(two_slips)
    assert [str(problem) for problem in refused.value.problems] == [
        'test_python_api.py::two_slips · node "wrong": The model has no site "prodct". '
        'The nearest is "product"; there are: x, y, z, product, out.',
        'test_python_api.py::two_slips · node "wrong": Dataset "bits" has no feature "ouut". '
        'The nearest is "out"; there are: x, x and y, out.',
    ]


def test_a_session_keeps_models_and_changes_no_number(ioi: ModuleType) -> None:
    session = scrub.Session()
    first = scrub.run(ioi.by_value, samples=60, session=session)
    again = scrub.run(ioi.by_value, samples=60, session=session)
    alone = scrub.run(ioi.by_value, samples=60)
    assert again.weights_sha256 == alone.weights_sha256
    np.testing.assert_array_equal(again.scores.scrubbed, first.scores.scrubbed)
    np.testing.assert_allclose(alone.scores.scrubbed, first.scores.scrubbed, atol=1e-4)
