"""Claims with virtual rows, from the file to the report."""

from __future__ import annotations

import shutil
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import scrub
from scrub import (
    Claim,
    Constant,
    Correspondence,
    Exact,
    InterpNode,
    Mean,
    Steer,
    Zero,
    anything,
    heads,
    output,
    supported,
)
from scrub.analysis.loosening import stated
from scrub.datasets import ioi
from scrub.hypothesis.collect import Collected
from scrub.metrics import logit_diff
from scrub.runner.context import Context
from scrub.runner.fingerprint import Fingerprints
from scrub.runner.options import Options
from scrub.runner.planned import plan_claim
from scrub.runner.prepare import prepare
from scrub.samplers import Sampler
from support import recorded
from support.bad_input import HEADER
from support.command import inside
from support.recorded import recomputed

PROMPTS = ioi.prompts(200, templates=(7, 16), seed=0)
METRIC = logit_diff("io", "s")
SAMPLES = 200
EXACT = Exact()

model, folders = recorded.model, recorded.folders  # fixtures


def tree(sampler: Sampler, other: Sampler = EXACT) -> Any:
    def build(model: Any) -> Correspondence:
        logits = InterpNode("logits", Exact(), other=other)
        movers = heads(model.role("name mover"), at="end", through=anything)
        return Correspondence({logits: output(at="end"), logits.child("movers", sampler): movers})

    return build


def found(sampler: Sampler, other: Sampler = EXACT, **options: Any) -> Any:
    claim = Claim("one", tree(sampler, other), PROMPTS, METRIC, supported(above=0.5))
    return scrub.run(claim, model="ioi-planted", samples=SAMPLES, **options)


@pytest.mark.parametrize(
    "samplers",
    [(Mean("template"), Exact()), (Zero(), Mean("template")), (Exact(), Mean("template", "io"))],
    ids=["leaf", "both", "other"],
)
def test_memory_and_what_is_known_change_no_number(samplers: tuple[Sampler, Sampler]) -> None:
    session = scrub.Session()
    whole = found(*samplers, session=session).scores.scrubbed
    again = found(*samplers, session=session).scores.scrubbed
    little = found(*samplers, max_memory=20_000_000).scores.scrubbed
    np.testing.assert_allclose(again, whole, atol=1e-4)
    np.testing.assert_allclose(little, whole, atol=1e-4)


def test_too_little_memory_is_refused_with_what_means_take() -> None:
    with pytest.raises(scrub.UserError, match="is too little: one sample of this claim needs"):
        found(Exact(), Mean("template", "io"), max_memory=200_000)


def test_what_is_swapped_for_a_virtual_row_is_not_vacuous() -> None:
    mean = found(Mean("template"))
    assert mean.judgement.verdict == "refuted"
    assert [node.donors_changed for node in mean.nodes] == [0, 1]
    assert stated(mean.tree) == ()
    alone = found(Mean(*PROMPTS_TOLD_APART_BY))
    assert alone.judgement.verdict == "vacuous"


PROMPTS_TOLD_APART_BY = ("template", "io", "s", "order", "object", "place")


def test_blame_and_diagnoses_take_them() -> None:
    result = found(Zero(), Mean("template"), diagnose=True)
    blamed = scrub.explain(
        Claim("one", tree(Zero(), Mean("template")), PROMPTS, METRIC),
        model="ioi-planted",
        samples=SAMPLES,
    )
    assert result.diagnosis is not None
    assert blamed is not None


@pytest.fixture(scope="module")
def session() -> scrub.Session:
    return scrub.Session()


def fingerprint(session: scrub.Session, sampler: Sampler, data: Any = PROMPTS) -> str:
    """What a claim's scores are kept under, but for the source of its file."""
    claim = Claim("one", tree(sampler), data, METRIC)
    options = Options(samples=20)
    (prepared,) = prepare([Collected("", claim, "ioi-planted")], session, options)
    planned = plan_claim(prepared, Context(session, options))
    made = Fingerprints({prepared.name: ""}, "")
    return made.of(prepared, planned.model, options, planned.draws)


def test_what_is_given_is_part_of_what_identifies_a_claim(session: scrub.Session) -> None:
    one = np.arange(16.0)
    samplers = (
        Zero(), Constant(1), Constant(2), Constant(one), Constant(one[::-1]),
        Steer(one, by=1), Steer(one, by=2), Steer(one[::-1], by=1),
        Mean("template"), Mean("template", "io"), Mean("template", "s"), Exact(),
    )  # fmt: skip
    prints = [fingerprint(session, sampler) for sampler in samplers]
    assert len(set(prints)) == len(samplers)
    assert prints == [fingerprint(session, sampler) for sampler in samplers]


def test_show_plan_and_check_name_them(tmp_path: Path) -> None:
    file = HEADER.replace("ioi.prompts(40)", "ioi.prompts(40, templates=(7, 16))") + dedent(
        """
        @ioi_claim
        def given(model):
            logits = InterpNode("logits", Exact(), other=Mean("template"))
            movers = logits.child("movers", Steer([1.0] * 16, by=-2))
            return Correspondence({
                logits: output(at="end"), movers: heads(model.role("name mover"), at="end")
            })
        """
    )
    (tmp_path / "given.py").write_text(file)
    shown = inside("show", "given.py::given", "--row", "0", cwd=tmp_path).out
    assert "other Mean(template): «the mean of" in shown
    assert "own   Steer(16, by=-2): «" in shown
    assert shown.count(", steered»") == 1
    plan = inside("plan", "given.py::given", cwd=tmp_path).out
    assert "Exact, other inputs Mean(template)" in plan
    checked = inside("check", "given.py", cwd=tmp_path).out
    assert "not held, giving virtual rows: Mean(template), Steer(16, by=-2)" in checked


MUTANTS = ("node.0.other.mean.tokens", "node.0.other.class", "node.0.other.mean.class",
           "node.1.own.value", ".shift")  # fmt: skip


@pytest.mark.parametrize("end", MUTANTS)
def test_all_that_virtual_rows_are_made_of_is_in_the_record(
    end: str, folders: dict[str, Path], model: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(folders["virtual"], tmp_path / "changed")
    tensors = load_file(folder / "run.safetensors")
    names = [name for name in tensors if name.endswith(end)]
    assert names
    for name in names:
        tensors[name] = np.roll(tensors[name], 1, axis=-1 if "value" in name else 0).copy()
    save_file(tensors, folder / "run.safetensors")
    assert recomputed(folder, model) == 1
