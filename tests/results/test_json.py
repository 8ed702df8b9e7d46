"""The results file is what docs/results.md says, whatever the results are."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oracle.results_schema import wrong
from support.command import ROOT, SUMS, inside
from support.stoppable import made

ODD = '''
import sys
sys.path.insert(0, {hypotheses!r})
import numpy as np
from sums import *
from scrub import vacuous


def some(out, references):
    """Undefined where x is 0."""
    return np.where(references.feature("x") == 0, np.nan, distance(out, references))

def none(out, references):
    return np.full(len(references), np.nan)

def infinite(out, references):
    return np.where(distance(out, references) > 0, np.inf, 0.0)

def nearly(out, references):
    """A baseline that few references tell from the original."""
    return distance(out, references) * (references.index == 3) * -1e-300

EVERY = [custom(one) for one in (distance, some, none, infinite, nearly, constant)]

BOTH = supported(above=-1, below=2)

for number, one in enumerate(EVERY):
    for name, sampler in (("agrees", Agree("x")), ("any", Uncond()), ("same", Exact())):
        for bounds in (supported(above=0.5), refuted(below=0.5), BOTH, None):
            @claim(data=DATA, metric=[one, *EVERY], expect=bounds,
                   name=f"{{number}} {{name}} {{bounds and bounds.verdict}} “ü🧠[b]” "
                   f"{{bounds and bounds.high}}")
            def made(model, sampler=sampler):
                return product_is(sampler)

@claim(data=DATA, metric=ERROR, expect=vacuous())
def nothing(model):
    """\\ud83e is half a sign, and "this" \\x07 is quoted."""
    return product_is(Exact())
'''


def checked(folder: Path, *arguments: str) -> dict[str, Any]:
    done = inside(*arguments, "--json", str(folder / "r.json"), cwd=ROOT)
    assert done.code in (0, 1), done.err
    text = (folder / "r.json").read_text(encoding="utf-8")
    assert wrong(text) == []
    return json.loads(text)


@pytest.mark.parametrize(("samples", "more"), [("2", "--diagnose"), ("40", "--no-diagnose")])
def test_odd_results(tmp_path: Path, samples: str, more: str) -> None:
    file = tmp_path / "odd.py"
    file.write_text(ODD.format(hypotheses=str(ROOT / "tests" / "hypotheses")), encoding="utf-8")
    found = checked(tmp_path, "test", str(file), "--samples", samples, more, "-v")
    assert len(found["results"]) > 70
    if samples == "40":
        verdicts = {result["verdict"] for result in found["results"]}
        assert verdicts == {"supported", "inconclusive", "vacuous", None}


@pytest.mark.parametrize("options", [(), ("-v", "--diagnose", "--nulls", "3"), ("--by", "x")])
def test_sums(tmp_path: Path, options: tuple[str, ...]) -> None:
    checked(tmp_path, "test", SUMS, "--samples", "300", *options)


@pytest.mark.parametrize("claim", ["conjunction", "undefined", "by_hand"])
def test_explained_and_compared(tmp_path: Path, claim: str) -> None:
    checked(tmp_path, "explain", f"{SUMS}::{claim}", "--samples", "50")
    checked(tmp_path, "compare", f"{SUMS}::{claim}", f"{SUMS}::only_x", "--samples", "50")


@pytest.mark.parametrize(
    ("file", "options"),
    [
        ("ioi_claim3", ("--nulls", "2")),
        ("parens", ("--no-diagnose",)),
        ("parens_alt", ("--no-diagnose",)),
        ("parens_more", ("--no-diagnose", "-k", "head")),  # a few of many that are alike
    ],
)
def test_the_hypotheses(tmp_path: Path, file: str, options: tuple[str, ...]) -> None:
    checked(tmp_path, "test", f"hypotheses/{file}.py", "--samples", "20", *options)


def test_a_partial_file(tmp_path: Path) -> None:
    place = made(tmp_path)
    arguments = ("-k", "not ioi", "--samples", "300", "--max-memory", "5000", "--no-diagnose")
    place.stopped(signal.SIGINT, "second 4", *arguments, "--json", "r.json")
    assert wrong((tmp_path / "r.json.partial").read_text(encoding="utf-8")) == []


# The checker can fail


def _set(place: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(found: dict[str, Any]) -> None:
        *way, last = place.split(".")
        for key in way:
            found = found[int(key) if key.isdigit() else key]  # type: ignore[index]
        if value is None and last.startswith("-"):
            del found[last[1:]]
        else:
            found[last] = value

    return change


MUTANTS = [
    ("schema", "scrub.results/2"), ("seed", "0"), ("results.0.kind", "patch"),
    ("results.0.more", 1),
    ("results.0.-claim", None), ("results.0.recovered.mean", None), ("results.0.verdict", "true"),
    ("results.0.recovered.low", 5.0), ("results.0.recovered.mean", -0.0),
    ("results.0.recovered.high", float("nan")), ("results.0.loss.original", float("inf")),
    ("results.0.loss.-scrubbed", None), ("results.0.passed", False), ("results.0.passed", 1),
    ("results.0.corrected_reason", ""), ("results.0.seconds", "0"), ("results.0.nodes", []),
    ("results.0.nodes.0.donors_distinct", 3), ("results.0.nodes.0.-name", None),
    ("results.0.recovered.-confidence", None), ("results.0.with_any_input", None),
    ("results.0.bounds.below", None), ("results.0.samples", 300.0), ("partial", True),
]  # fmt: skip


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("right")
    return checked(folder, "test", f"{SUMS}::conjunction", "--samples", "300", "--no-diagnose")


@pytest.mark.parametrize(("place", "value"), MUTANTS)
def test_mutants_are_caught(right: dict[str, Any], place: str, value: Any) -> None:
    mutant = json.loads(json.dumps(right))
    assert wrong(json.dumps(mutant)) == []
    _set(place, value)(mutant)
    assert wrong(json.dumps(mutant))


def test_a_key_that_stands_twice_is_caught(right: dict[str, Any]) -> None:
    text = json.dumps(right)
    assert wrong(text.replace('"seed":', '"seed": 1, "seed":'))
