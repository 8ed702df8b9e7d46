"""Determinism in a second process: hashes, sets, counters; and who is not asked is named."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
from attrs import frozen

from oracle.broken_samplers import BETWEEN_PROCESSES, DATA, KEEPING, FromThird
from scrub import Dataset, Generate, Input
from scrub.data.dataset import Rows
from scrub.testing import Broken, Case, NotCompared, broken_between_processes, broken_laws
from scrub.testing.exact import determinism
from support.bad_input import HEADER
from support.command import IOI, fork, inside, python, scrub
from support.paths import ROOT

RUNS = 100


@frozen
class SameKind:
    """As good as any, with a table by names that no hash orders."""

    def draw(self, references: Rows, randomness: Any) -> Rows:
        first = {"row 0": 0, "row 7": 1}
        return references.donors([first.get(name, 2) for name in references.feature("name")])


def renamed(reference: Input, generator: Any) -> Input:
    return reference.but(columns={"name": "another"}, tokens=generator.integers(9, size=3))


class Kept:
    """Without words of its own."""


KEPT = Kept()


class SameX:
    def draw(self, references: Rows, randomness: Any) -> Rows:
        return references


def moved(reference: Input, generator: Any) -> Input:
    return reference.but(x=float(generator.random()))


def test_all_that_draw_otherwise_elsewhere_are_caught_and_no_other() -> None:
    """One process answers for all of some hundreds of cases."""
    broken = [
        Case(sampler, DATA, seed=run, draws=60)
        for sampler in BETWEEN_PROCESSES.values()
        for run in range(RUNS)
    ]
    kept = [
        Case(sampler, DATA, seed=run, draws=60)
        for sampler in (*KEEPING, SameKind(), Generate(renamed))
        for run in range(RUNS)
    ]
    found = broken_between_processes(broken + kept)
    assert all(isinstance(one, Broken) for one in found[: len(broken)])
    assert found[len(broken) :] == [None] * len(kept)
    first = found[0]
    assert isinstance(first, Broken)
    assert str(first).startswith("determinism: in a second process a sample has another donor (")
    assert len(str(first)) < 1000
    assert [determinism(Case(case.sampler, DATA, draws=60)) for case in broken[::RUNS]] == [
        None
    ] * 3


def test_what_calls_before_have_left_is_caught() -> None:
    case = Case(FromThird(), DATA)
    case.drawn(case.every_row())
    case.drawn(case.every_row())
    assert broken_laws(case) == [], "from now on it does the same"
    (found,) = broken_between_processes([case])
    assert isinstance(found, Broken)


def test_samplers_that_no_other_process_can_make() -> None:
    class Local:
        def draw(self, references: Rows, randomness: Any) -> Rows:
            return references

    local, function = broken_between_processes(
        [Case(Local(), DATA), Case(Generate(lambda r, g: r), DATA)]
    )
    for found in (local, function):
        assert isinstance(found, NotCompared)
        assert str(found).startswith(
            "not drawn from in a second process: it cannot be sent there: "
        )


SCRIPT = """
import numpy as np
from scrub import Dataset
from scrub.testing import Case, broken_between_processes

class Mine:
    def draw(self, references, randomness):
        return references

data = Dataset("four", {"x": np.arange(4)}, np.ones(4))
print(*broken_between_processes([Case(Mine(), data)]))
"""


@pytest.mark.parametrize("how", ["-c", "file"])
def test_what_a_notebook_or_a_script_defines(how: str, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    done = fork(*(("-c", SCRIPT) if how == "-c" else ("script.py",)), cwd=tmp_path)
    assert done.out == (
        "not drawn from in a second process: it is made of what a notebook or script defines: put "
        "that into a module\n"
    )


CLAIMS = """
import sys
import time
from pathlib import Path

import numpy as np

CALLS = []
print("loading")

class Salted:
    def draw(self, references, randomness):
        order = sorted(range(40), key=lambda row: hash(str(row)))
        return references.donors(np.array(order)[references.index])

class AtImport:
    salt = hash("salt")
    def draw(self, references, randomness):
        order = np.random.default_rng(abs(self.salt)).permutation(40)  # never twice the same
        return references.donors(order[references.index])

class Warm:
    def draw(self, references, randomness):
        CALLS.append(1)
        return references.donors((references.index + (len(CALLS) > 1)) % 40)

class Noisy:
    def draw(self, references, randomness):
        print("drawing")
        print("drawing", file=sys.stderr)
        time.sleep(0.01)
        return references

class Light:
    def draw(self, references, randomness):
        return references.donors((references.index + ("transformer_lens" in sys.modules)) % 40)

def claim_with(sampler):
    logits = InterpNode("logits", Exact(), other=Exact())
    below = logits.child("below", sampler)
    return Correspondence({logits: output(at="end"), below: heads([(3, 0)], at="end")})

@ioi_claim
def salted(model):
    return claim_with(Salted())

@ioi_claim
def at_import(model):
    return claim_with(AtImport())

@ioi_claim
def warm(model):
    return claim_with(Warm())

@ioi_claim
def generated(model):
    def other_name(reference, generator):
        return reference.but(columns={"io": hash("Mary")})
    return claim_with(Generate(other_name))

@ioi_claim
def noisy(model):
    return claim_with(Noisy())

@ioi_claim
def light(model):
    return claim_with(Light())

@ioi_claim
def local(model):
    class Local:
        def draw(self, references, randomness):
            return references
    return claim_with(Local())

def shuffled(model):
    data = ioi.prompts(40).make(model.tokenizer)
    return data.take(sorted(range(40), key=lambda row: hash(str(row))))

@claim(data=shuffled, metric=logit_diff("io", "s"))
def other_data(model):
    return claim_with(Noisy())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(HEADER + dedent(CLAIMS))
    return tmp_path


def test_check_draws_in_a_second_process(folder: Path) -> None:
    """One for all samplers of the file; whatever they print, it is asked and answers."""
    done = scrub("check", "mine.py", cwd=folder, PYTHONPATH=str(ROOT))
    assert done.code == 2
    broken = [line for line in done.err.splitlines() if line.startswith("error: ")]
    caught = "determinism: in a second process a sample has another donor ("
    assert [line.partition(caught)[::2][0] for line in broken[:4]] == [
        f'error: mine.py::{claim} · node "below": Sampler {name} breaks the law of '
        for claim, name in (
            ("salted", "Salted"),
            ("at_import", "AtImport"),
            ("warm", "Warm"),
            ("generated", "Generate(other_name)"),
        )
    ]
    data = "40 ioi prompts, mixed order, seed 0"
    assert broken[4:] == [
        'error: mine.py::other_data · node "below": Sampler Noisy breaks the law of determinism: a '
        f'second process makes other data under the name "{data}"'
    ]


def test_check_passes_what_draws_the_same(folder: Path) -> None:
    """Samplers that print and sleep; in a process that did not import transformer_lens."""
    selected = ("check", "mine.py", "-k", "noisy or light or local")
    done = scrub(*selected, cwd=folder, PYTHONPATH=str(ROOT))
    assert done.code == 0, done.err
    lines = [line for line in done.out.splitlines() if line not in ("drawing", "loading")]
    assert lines[-3:] == ["  Noisy: independence", "  Light: independence", "  Local: independence"]


def test_what_cannot_be_made_again_is_said(folder: Path) -> None:
    once = "\nPath('loaded').mkdir()\n"
    (folder / "mine.py").write_text(HEADER + dedent(CLAIMS) + once)
    done = inside("check", "mine.py::noisy", cwd=folder)
    assert done.code == 0, done.err
    (line,) = (line for line in done.out.splitlines() if line.startswith("  Noisy"))
    assert line.startswith(
        "  Noisy: independence; not drawn from in a second process: it cannot be made there: "
        "UserError: mine.py:"
    )


def test_a_process_that_dies_is_said(folder: Path) -> None:
    dying = """
import os
if os.environ.get("SCRUB_SECOND_PROCESS"):
    print("good bye", file=sys.stderr, flush=True)
    os._exit(0)
"""
    (folder / "mine.py").write_text(HEADER + dedent(CLAIMS) + dying)
    done = inside("check", "mine.py::noisy", cwd=folder)
    assert "second process: it ended the process, with code 0: good bye" in done.out


def test_no_process_is_started_where_all_samplers_are_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def started(*arguments: Any, **options: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr("scrub.testing.processes.subprocess.Popen", started)
    assert inside("check", IOI, cwd=ROOT).code == 0


def test_no_third_process(tmp_path: Path) -> None:
    asking = SCRIPT.replace("print(", "with open('found', 'a') as file:\n    print(")
    (tmp_path / "asking.py").write_text(asking.replace("data)]))", "data)]), file=file)"))
    assert python("-c", "import asking", cwd=tmp_path).code == 0
    assert (tmp_path / "found").read_text().splitlines() == [
        "not drawn from in a second process: it is in a second process already",
        "None",
    ]


def test_what_processes_write_otherwise_is_no_other_data() -> None:
    """A set has the order of its hashes, an object the address where it lies."""
    words = [frozenset(f"{word} {number}" for word in range(9)) for number in range(8)]
    data = Dataset("sets", {"x": np.arange(8)}, np.ones(8), {"words": words, "kept": [KEPT] * 8})
    again = Generate(moved)
    assert (
        broken_between_processes([Case(SameX(), data), Case(again, data, draws=60)]) == [None] * 2
    )


# pytest

TESTS = """
import numpy as np
from attrs import frozen
from scrub import Agree, Dataset
from scrub.testing import sampler_laws

DATA = Dataset("mine", {"x": np.arange(8)}, np.ones(8), {"kind": [0, 0, 0, 0, 1, 1, 1, 1]})


class Fine:
    def draw(self, references, randomness):
        return references


@frozen
class Salted:
    salt: int

    def draw(self, references, randomness):
        return references.donors(np.random.default_rng(self.salt).integers(8, size=len(references)))


def made():
    class Local:
        def draw(self, references, randomness):
            return references
    return Local()


def later():
    return sampler_laws(Fine(), DATA)


TestFine = sampler_laws(Fine(), DATA)
TestSalted = sampler_laws(Salted(abs(hash("salt"))), DATA)
TestLocal = sampler_laws(made(), DATA)
TestOurs = sampler_laws(Agree("kind"), DATA)


class TestSub(sampler_laws(made(), DATA)):
    pass


def test_of_a_local_class():
    later()().test_determinism_between_processes()


def test_of_a_local_sampler():
    sampler_laws(made(), DATA)().test_determinism_between_processes()
"""


def test_in_pytest(tmp_path: Path) -> None:
    """Made again with the file, so that a salt in its attributes is caught; or sent, or skipped."""
    (tmp_path / "test_mine.py").write_text(TESTS)
    arguments = ("-m", "pytest", "test_mine.py", "-v", "-rs", "-p", "no:cacheprovider")
    done = fork(*arguments, "-k", "processes or local", cwd=tmp_path)
    lines = [line for line in done.out.splitlines() if "%]" in line]
    found = {line.split("::", 1)[1].split()[0]: line.split()[1] for line in lines}
    between = {name: word for name, word in found.items() if "processes" in name}
    assert between == {
        "TestFine::test_determinism_between_processes": "PASSED",
        "TestSalted::test_determinism_between_processes": "FAILED",
        "TestLocal::test_determinism_between_processes": "PASSED",
        "TestSub::test_determinism_between_processes": "PASSED",
    }
    assert found["test_of_a_local_class"] == "PASSED"
    assert found["test_of_a_local_sampler"] == "SKIPPED"
    assert "not drawn from in a second process: it cannot be sent there: " in done.out
