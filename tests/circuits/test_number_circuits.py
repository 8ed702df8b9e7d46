"""Circuits of five behaviours: the files are of their models, and slips are told in a sentence."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from scrub import read_circuit, shared_circuits
from scrub.model.registry import describe
from support.command import inside
from support.paths import ROOT

CIRCUITS = ROOT / "circuits"
FIVE = "hypotheses/shared_numbers.py"
DIGITS, IOI = "circuits/numbers-shared-digits.json", "circuits/numbers-shared-ioi.json"


@pytest.mark.parametrize("name", ["greater-planted", "greater-century"])
def test_circuits_of_years_are_the_roles_and_the_mlps_after_them(name: str) -> None:
    circuit, model = read_circuit(CIRCUITS / f"{name}.json"), describe(name)
    placed = {(node.cell.site, node.cell.head, node.at) for node in circuit.cells}
    heads = {head for role in model.roles for head in model.role(role)}
    assert placed == {
        *((f"blocks.{layer}.attn.z", head, ("end",)) for layer, head in heads),
        *((f"blocks.{layer}.mlp", None, ("end",)) for layer in (1, 2)),
    }
    assert set(circuit.roles) == {*model.roles, "comparison"}


def test_behaviours_of_the_file_tell_what_is_shared_and_how_much_it_matters() -> None:
    """Greater-than and IOI have two heads in common, of which greater-than needs little."""
    made = runpy.run_path(str(ROOT / FIVE))
    asked = [made["greater"], made["indirect"]]
    circuits = {
        one.name: read_circuit(CIRCUITS / f"numbers-shared-{one.name}.json") for one in asked
    }
    chosen = {"model": made["MODEL"], "samples": 40, "random": 0, "conventions": "own"}
    frame = shared_circuits(circuits, asked, **chosen).frames["tested"]
    pairs = zip(frame["circuit"], frame["behaviour"], strict=True)
    lost = dict(zip(pairs, frame["lost"].tolist(), strict=True))
    assert lost["greater", "greater"] > 0.9
    assert 0.01 < lost["ioi", "greater"] < 0.3
    assert lost["ioi", "ioi"] > 0.9
    assert lost["greater", "ioi"] > 0.9


def refused(*arguments: str) -> str:
    """What one sentence says of a command that is refused."""
    done = inside("circuit", *arguments, "--samples", "3", "--random", "0")
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.strip().splitlines()
    return line


def test_behaviours_that_the_model_has_no_words_for() -> None:
    assert "sequences-planted has no token of its own for 97 of the 100" in refused(
        "circuits/sequences-planted.json",
        *("--on", "hypotheses/greater_than.py::at_end", "--model", "sequences-planted"),
    )
    said = refused(DIGITS, IOI, "--on", f"{FIVE}::digits,ioi", "--model", "sequences-planted")
    assert "0 of 124 names are one token in sequences-planted" in said


def test_circuits_and_behaviours_of_several_models() -> None:
    assert 'is of model "numbers-separate", and the behaviours are about "numbers-shared"' in (
        refused(DIGITS, "circuits/numbers-separate-ioi.json", "--on", f"{FIVE}::digits,ioi")
    )
    assert 'is about model "sequences-planted"' in refused(
        DIGITS, IOI, "--on", f"{FIVE}::digits,hypotheses/sequences.py::digits"
    )


def test_a_behaviour_that_is_none() -> None:
    said = refused(DIGITS, IOI, "--on", f"{FIVE}::digits,iio")
    assert 'The nearest is "ioi"; there are: digits, words, months, greater, ioi.' in said


def test_positions_of_another_task(tmp_path: Path) -> None:
    text = (CIRCUITS / "numbers-shared-greater.json").read_text()
    (tmp_path / "placed.json").write_text(text.replace('"1.0"', '"1.0", "at": ["yy"]'))
    said = refused(str(tmp_path / "placed.json"), DIGITS, "--on", f"{FIVE}::greater,digits")
    assert 'has no position column "yy". There are: member1' in said
