"""A user's pytest file with `sampler_laws`, and `scrub check`: named tests, and what they show."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from support.bad_input import HEADER, refused
from support.command import Finished, fork, inside

TESTS = """
import numpy as np
from attrs import frozen
from scrub import Agree, Dataset
from scrub.datasets import ioi
from scrub.testing import sampler_laws

DATA = Dataset("mine", {"x": np.arange(8)}, np.ones(8), {"kind": [0, 0, 0, 0, 1, 1, 1, 1]})


@frozen
class SameKind:
    features = ("kind",)
    laws = ("agreement", "reach", "uniformity", "marginals", "independence")

    def draw(self, references, randomness):
        place = (randomness.uniform() * 4).astype(int)
        return references.donors(4 * references.feature("kind") + place)


class Never3(SameKind):
    def draw(self, references, randomness):
        drawn = super().draw(references, randomness).index
        return references.donors(np.where(drawn == 3, 2, drawn))


class Wrong(SameKind):
    def draw(self, references, randomness):
        drawn = super().draw(references, randomness).index
        return references.donors(np.where(randomness.uniform() < 0.01, 7 - drawn, drawn))


TestSameKind = sampler_laws(SameKind(), DATA)
TestNever3 = sampler_laws(Never3(), DATA)
TestWrong = sampler_laws(Wrong(), DATA)
TestRecipe = sampler_laws(Agree("io_is_first"), ioi.prompts(40), model="ioi-planted", at=["end"])
TestNoModel = sampler_laws(Agree("io"), ioi.prompts(40))
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("user")
    (folder / "test_mine.py").write_text(TESTS)
    arguments = ("-m", "pytest", "test_mine.py", "-v", "-p", "no:cacheprovider", "--tb=short")
    return fork(*arguments, cwd=folder)


def outcomes(done: Finished, test: str) -> dict[str, str]:
    """By law, what became of its test."""
    lines = [line for line in done.out.splitlines() if f"::{test}::test_" in line and "%]" in line]
    return {line.split("::test_")[1].split()[0]: line.split()[1] for line in lines}


def test_every_claimed_law_is_a_named_test(done: Finished) -> None:
    assert list(outcomes(done, "TestSameKind")) == [
        "legality",
        "determinism",
        "immutability",
        "agreement",
        "reach",
        "uniformity",
        "marginals",
        "independence",
        "determinism_between_processes",
    ]
    assert set(outcomes(done, "TestSameKind").values()) == {"PASSED"}
    assert set(outcomes(done, "TestRecipe").values()) == {"PASSED"}


def test_a_broken_law_fails_with_a_table(done: Finished) -> None:
    assert done.code == 1
    failed = {law for law, word in outcomes(done, "TestNever3").items() if word == "FAILED"}
    assert failed == {"reach", "uniformity", "marginals"}
    failed = {law for law, word in outcomes(done, "TestWrong").items() if word == "FAILED"}
    assert "agreement" in failed
    assert "AssertionError: Wrong(kind) breaks the law of agreement: a donor differs" in done.out
    lines = done.out.splitlines()
    above = next(i for i, line in enumerate(lines) if " sample reference  reference kind" in line)
    _, _, kind, _, other, *_ = lines[above + 1].removeprefix("E").split()
    assert {kind, other} == {"0", "1"}


def test_a_recipe_needs_a_model(done: Finished) -> None:
    assert "is made with a model's tokenizer. Give model=" in done.out
    assert "Traceback" not in done.out


CLAIMS = """
import numpy as np

class Lazy:
    features = ("template",)
    laws = ("agreement", "uniformity")

    def draw(self, references, randomness):
        found = Agree("template").draw(references, randomness)
        some = randomness.uniform() < 0.2
        return references.donors(np.where(some, references.index, found.index))

@ioi_claim
def kept(model):
    logits, movers = tree()
    return Correspondence({logits: output(at="end"), movers: heads([(3, 0)], at="end")})

@ioi_claim
def alone(model):
    logits = InterpNode("logits", Exact())
    movers = logits.child("movers", Agree(["io", "s", "template", "object", "place"]))
    return Correspondence({logits: output(at="end"), movers: heads([(3, 0)], at="end")})

@ioi_claim
def lazy(model):
    logits = InterpNode("logits", Exact())
    movers = logits.child("movers", Lazy())
    return Correspondence({logits: output(at="end"), movers: heads([(3, 0)], at="end")})
"""


def test_check_holds_the_samplers_of_a_file_to_their_laws(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(HEADER + dedent(CLAIMS))
    done = inside("check", "mine.py", "-k", "not lazy", cwd=tmp_path)
    assert done.code == 0, done.err
    data = "40 ioi prompts, mixed order, seed 0"
    every = "reach, uniformity, marginals, independence"
    assert done.out.splitlines() == [
        f"mine.py::kept: legal (2 nodes on ioi-planted, data: {data})",
        f"mine.py::alone: legal (2 nodes on ioi-planted, data: {data})",
        f"samplers on {data}: each keeps legality, determinism, immutability, and what it claims "
        "(6,000 draws a law)",
        "  Exact: marginals, independence",
        f"  Uncond: {every}",
        f"  Agree(io): agreement, {every}",
        f"  Agree(io, s, template, object, place): agreement, {every}; swaps nothing: every row is "
        "alone in its agreement class",
    ]
    message = refused(tmp_path, "check", "mine.py")
    assert message.startswith(
        'error: mine.py::lazy · node "movers": Sampler Lazy(template) breaks the law of '
        "uniformity: the donor is the reference's own row in "
    )
    assert " reference template " in message
