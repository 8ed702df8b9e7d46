"""Claims that cannot fail are said to be vacuous; true claims, which could have failed, are not."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import evolve, frozen

import scrub
from command import SUMS, inside
from scrub import (
    Agree,
    Correspondence,
    Differ,
    Exact,
    InterpNode,
    Uncond,
    anything,
    claim,
    embeddings,
    inconclusive,
    output,
    site,
    supported,
    vacuity,
    vacuous,
)
from scrub.data import Dataset, Rows
from scrub.doubts import doubts
from scrub.hypothesis import Expectation
from scrub.metrics import custom, logit_diff
from scrub.model.arithmetic import graph, node, source
from scrub.samplers import Randomness, Sampler

MODEL = graph(
    source("x"),
    source("y"),
    source("w"),
    node("product", lambda a, b: a * b, a="x", b="y"),
    node("dead", lambda w: 0 * w, w="w"),
    node("out", lambda terms: terms, terms=["product", "dead"]),
)
BITS = np.array(list(itertools.product([0, 1], [0, 1], [0, 1])) * 2).T
ROW = np.arange(16)


def bits(**columns: Any) -> Dataset:
    """Every input comes twice: as row i and as row i + 8."""
    x, y, w = BITS
    known = {"x and y": x * y, "x": x, "row": ROW, "input": ROW % 8}
    inputs = {"x": x, "y": y, "w": w}
    return Dataset("bits", inputs, np.ones(16, dtype=int), columns=known | columns)


def distance(out: Any, references: Rows) -> Any:
    return np.abs(out.numpy() - references.feature("x and y"))


def constant(out: Any, references: Rows) -> Any:
    return np.ones(len(references))


@frozen
class Twin:
    """The other row that is the same input: a sampler of a user's, of which nothing is known."""

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        return references.at((references.index + 8) % 16)


def outcome(
    expect: Expectation | None = None,
    metric: Any = distance,
    *,
    samples: int = 60,
    seed: int = 0,
    **samplers: Sampler,
) -> scrub.Result:
    """Each named site as a leaf below the output, by whatever way."""

    @claim(data=bits(), metric=custom(metric, higher_is_better=False), expect=expect, model=MODEL)
    def hypothesis(model: Any) -> Correspondence:
        out = InterpNode("out", Exact(), other=Exact())
        children = {out.child(name, sampler): name for name, sampler in samplers.items()}
        return Correspondence(
            {out: site("out")} | {n: site(s, through=anything) for n, s in children.items()}
        )

    return scrub.run(hypothesis, samples=samples, seed=seed)


ABOVE = supported(above=0.5)
NOTHING = vacuity.ALL_EXACT
CLASSES = (
    "in all 60 references every donor is its reference, "
    "since the agreement classes determine the whole input"
)
DONORS = "in all 60 references every donor is its reference"


@pytest.mark.parametrize(
    ("samplers", "reason"),
    [
        ({}, NOTHING),
        ({"product": Exact()}, NOTHING),
        ({"product": Agree("row")}, CLASSES),
        ({"product": Agree("input")}, CLASSES),
        ({"product": Agree(["x", "input"]), "dead": Exact()}, CLASSES),
        ({"product": Twin()}, DONORS),
        ({"product": Twin(), "dead": Agree("input")}, DONORS),
        ({"dead": Uncond()}, vacuity.SAME_VALUES),
        ({"dead": Differ("input")}, vacuity.SAME_VALUES),
    ],
)
def test_what_cannot_fail(samplers: dict[str, Sampler], reason: str) -> None:
    found = outcome(ABOVE, **samplers)
    assert found.judgement.verdict == "vacuous"
    assert found.judgement.vacuous == reason
    assert doubts(found)[0] == f"vacuous: {reason}"
    assert not found.passed
    assert outcome(vacuous(), **samplers).passed
    assert outcome(None, **samplers).judgement.vacuous == reason


@pytest.mark.parametrize(
    ("samplers", "verdict"),
    [
        ({"product": Agree("x and y")}, "supported"),  # every number is the original's, and yet
        ({"product": Agree("x and y"), "w": Uncond()}, "supported"),
        ({"product": Agree("x and y"), "dead": Uncond()}, "supported"),
        ({"product": Uncond()}, "refuted"),
        ({"w": Uncond(), "x": Uncond()}, "inconclusive"),
        ({"w": Uncond()}, "supported"),  # w does not matter, and that is what it says
        ({"w": Differ("input"), "product": Agree("input")}, "supported"),
    ],
)
def test_what_could_have_failed(samplers: dict[str, Sampler], verdict: str) -> None:
    found = outcome(ABOVE, **samplers)
    assert found.judgement.verdict == verdict
    assert found.judgement.vacuous == ""
    assert not any("vacuous" in doubt for doubt in doubts(found))
    if verdict == "supported":
        assert (found.numbers.scrubbed == found.numbers.original).all()
    judged = outcome(vacuous(), **samplers).judgement
    assert (judged.verdict, judged.passed) == ("inconclusive", False)
    assert judged.notes[-1] == "it could have failed, and the file gives no bound to judge it by"


@pytest.mark.parametrize("samples", [1, 2, 60, 1_000])
def test_irrelevance_is_judged_alike_at_every_seed(samples: int) -> None:
    """What was drawn by chance decides nothing: of few samples all may draw their reference."""
    for seed in range(5):
        irrelevant = outcome(ABOVE, w=Uncond(), samples=samples, seed=seed).judgement
        assert irrelevant.verdict == ("inconclusive" if samples < 3 else "supported")
        carries_nothing = outcome(ABOVE, dead=Uncond(), samples=samples, seed=seed).judgement
        assert carries_nothing.verdict == "vacuous"


def test_a_port_that_carries_next_to_nothing() -> None:
    """Most rows have the same value there; whether one that differs was drawn decides nothing."""
    w = np.zeros(400)
    w[7] = 1e-3
    rare = graph(source("x"), source("w"), node("out", lambda terms: terms, terms=["x", "w"]))
    x = np.arange(400) % 5
    data = Dataset("rare", {"x": x, "w": w}, np.ones(400, dtype=int), columns={"x": x})

    @claim(data=data, metric=custom(lambda out, r: out), expect=ABOVE, model=rare)
    def swapped(model: Any) -> Correspondence:
        out = InterpNode("out", Exact(), other=Exact())
        return Correspondence({out: site("out"), out.child("w", Uncond()): site("w")})

    for samples, seed in itertools.product((100, 3_000), range(3)):
        found = scrub.run(swapped, samples=samples, seed=seed)
        changed = bool((found.numbers.scrubbed != found.numbers.original).any())
        assert changed == (samples == 3_000)
        assert found.judgement.verdict in ("supported", "inconclusive")
        assert found.judgement.vacuous == ""


@pytest.mark.parametrize("sampler", [Uncond(), Agree("x")], ids=str)
def test_data_that_is_one_input(sampler: Sampler) -> None:
    one = evolve(bits(), inputs={name: np.ones(16) for name in "xyw"})

    @claim(data=one, metric=custom(constant), expect=ABOVE, model=MODEL)
    def swapped(model: Any) -> Correspondence:
        return Correspondence({InterpNode("out", sampler): site("out")})

    assert scrub.run(swapped, samples=20).judgement.vacuous == vacuity.ONE_INPUT


def test_a_metric_that_never_changes_is_undefined_first() -> None:
    found = outcome(inconclusive(above=0.5), constant, product=Uncond())
    assert found.judgement.verdict == "inconclusive"
    assert outcome(vacuous(), constant, product=Exact()).passed


def test_a_position_before_anything_that_differs() -> None:
    """IOI prompts of one template start alike; what differs comes later."""
    from scrub.datasets import ioi

    prompts = ioi.prompts(40, templates=[0], seed=0)

    def at(index: int, expect: Expectation) -> scrub.Result:
        @claim(data=prompts, metric=logit_diff("io", "s"), expect=expect, model="ioi-planted")
        def hypothesis(model: Any) -> Correspondence:
            logits = InterpNode("logits", Exact(), other=Exact())
            token = logits.child("token", Uncond())
            return Correspondence(
                {logits: output(at="end"), token: embeddings(at=index, through=anything)}
            )

        return scrub.run(hypothesis, samples=20)

    first = at(0, vacuous())
    assert first.judgement.vacuous == vacuity.SAME_VALUES
    assert first.passed
    differing = [i for i in range(first.draws.references.data.width) if not _alike(first, i)]
    assert at(differing[0], supported(above=0)).judgement.verdict != "vacuous"


def _alike(result: scrub.Result, index: int) -> bool:
    return len(np.unique(result.draws.references.data.inputs["tokens"][:, index])) == 1


VACUOUS = """
import sys
sys.path.insert(0, {folder!r})
from sums import *
from scrub import vacuous

@claim(data=DATA, metric=ERROR, expect=vacuous())
def nothing_swapped(model):
    return product_is(Exact(), other=Exact())

@claim(data=DATA, metric=ERROR, expect=supported(above=0.9))
def nothing_swapped_but_hoped(model):
    return product_is(Agree(["x", "x and y", "out"]), other=Exact())
"""


def test_on_the_command_line(tmp_path: Path) -> None:
    """A claim that is vacuous passes where the file expects that, and nowhere else."""
    file = tmp_path / "cannot_fail.py"
    file.write_text(VACUOUS.format(folder=str(Path(SUMS).resolve().parent)), encoding="utf-8")
    both = inside("test", file, "--samples", "50")
    assert both.code == 1
    assert "nothing_swapped: vacuous: every sampler is Exact, so nothing was swapped." in both.out
    one = inside("test", f"{file}::nothing_swapped", "--samples", "50")
    assert one.code == 0
    assert "–       vacuous  vacuous" in one.out
