"""Options that make no sense: all named at once, each in a sentence; those that do are taken."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import scrub
from scrub.hypothesis.collect import load
from scrub.runner.options import Options, option_problems
from scrub.runner.resident_memory import of_machine
from scrub.runner.session import Session
from scrub.runner.sizes import in_bytes, shown
from support.command import SUMS, inside
from support.paths import ROOT

WHOLE = "Give a whole number, {} or more."
BYTES = "Give a number of bytes, such as 500000000, 500MB or 2GiB."
ABOVE = "Give a number above 0, such as 0.05."
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "samples: bool": ({"samples": True}, f"samples is True. {WHOLE.format(1)}"),
    "samples: float": ({"samples": 10.0}, f"samples is 10.0. {WHOLE.format(1)}"),
    "samples: none": ({"samples": 0}, f"samples is 0. {WHOLE.format(1)}"),
    "samples: text": ({"samples": "10"}, f"samples is '10'. {WHOLE.format(1)}"),
    "seed: float": ({"seed": 1.5}, f"seed is 1.5. {WHOLE.format(0)}"),
    "seed: nothing": ({"seed": None}, f"seed is None. {WHOLE.format(0)}"),
    "seed: below 0": ({"seed": -1}, f"seed is -1. {WHOLE.format(0)}"),
    "seed: NaN": ({"seed": float("nan")}, f"seed is nan. {WHOLE.format(0)}"),
    "precision: infinite": ({"precision": float("inf")}, f"precision is inf. {ABOVE}"),
    "precision: NaN": ({"precision": float("nan")}, f"precision is nan. {ABOVE}"),
    "precision: 0": ({"precision": 0}, f"precision is 0. {ABOVE}"),
    "precision: text": ({"precision": "0.1"}, f"precision is '0.1'. {ABOVE}"),
    "precision: bool": ({"precision": True}, f"precision is True. {ABOVE}"),
    "precision: complex": ({"precision": 1j}, f"precision is 1j. {ABOVE}"),
    "memory: text": ({"max_memory": "64 apples"}, f"max_memory is '64 apples'. {BYTES}"),
    "memory: bool": ({"max_memory": True}, f"max_memory is True. {BYTES}"),
    "memory: float": ({"max_memory": 1e9}, f"max_memory is 1000000000.0. {BYTES}"),
    "memory: 0": ({"max_memory": 0}, f"max_memory is 0. {BYTES}"),
    "dtype: text": (
        {"dtype": "banana"},
        "dtype is 'banana'. There are: float32, float64, bfloat16.",
    ),
    "dtype: a slip": (
        {"dtype": "float46"},
        "dtype is 'float46'. The nearest is \"float64\"; there are: float32, float64, bfloat16.",
    ),
    "dtype: whole": (
        {"dtype": torch.int32},
        "dtype is torch.int32. Give float32, float64 or bfloat16.",
    ),
    "dtype: nothing": ({"dtype": None}, "dtype is None. Give float32, float64 or bfloat16."),
    "dtype: unhashable": ({"dtype": []}, "dtype is []. Give float32, float64 or bfloat16."),
    "device: number": ({"device": 5}, 'device is 5. Give a name, such as "cpu" or "cuda:1".'),
    "device: nothing": (
        {"device": None},
        'device is None. Give a name, such as "cpu" or "cuda:1".',
    ),
    "device: unknown": (
        {"device": "toaster"},
        'There is no device "toaster" on this machine. There are: cpu',
    ),
    "alone": ({"alone": "yes"}, "alone is 'yes'. Give True or False."),
    "recheck": ({"recheck": 1}, "recheck is 1. Give True or False."),
    "model: an object": ({"model": object()}, "model= is of type object, which is no model. Give"),
    "model: a number": ({"model": 5}, "model= is of type int, which is no model. Give"),
    "model: a module": ({"model": torch.nn.Linear(1, 1)}, "model= is a Linear, a module of which"),
}


@pytest.fixture(scope="module")
def sums() -> ModuleType:
    return load(ROOT / SUMS)


@pytest.mark.parametrize("name", WRONG)
def test_an_option_that_makes_no_sense(sums: ModuleType, name: str) -> None:
    options, said = WRONG[name]
    given = {"model": sums.MODEL, "samples": 8} | options
    with pytest.raises(scrub.UserError) as refused:
        scrub.run(sums.by_hand, **given)
    (problem,) = refused.value.problems
    assert str(problem).startswith(said)


def test_all_of_them_at_once(sums: ModuleType) -> None:
    wrong = {"samples": True, "seed": 1.0, "max_memory": "much", "precision": "fine", "device": 5}
    wrong |= {"dtype": "banana", "alone": 1, "model": object(), "sample": 3, "modle": "x"}
    with pytest.raises(scrub.UserError) as refused:
        scrub.run(sums.by_hand, **wrong)
    said = "\n".join(str(problem) for problem in refused.value.problems)
    assert len(refused.value.problems) == len(wrong)
    for name in wrong:
        assert f"{name} is " in said or f"{name}= is " in said or f'no option "{name}"' in said


TAKEN: dict[str, tuple[str, Any, Any]] = {
    "samples": ("samples", np.int64(8), 8),
    "seed": ("seed", np.uint8(3), 3),
    "max_memory": ("max_memory", "64MB", 64_000_000),
    "max_memory in GiB": ("max_memory", "1.5 gib", 3 * 2**29),
    "dtype": ("dtype", "float64", torch.float64),
    "dtype of torch": ("dtype", "torch.bfloat16", torch.bfloat16),
    "device": ("device", torch.device("cpu"), "cpu"),
    "precision": ("precision", np.float32(0.5), np.float32(0.5)),
    "precision, whole": ("precision", 1, 1),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_meant_is_taken(name: str) -> None:
    option, given, meant = TAKEN[name]
    options = Options(**{option: given})
    assert getattr(options, option) == meant
    assert type(getattr(options, option)) is type(meant)
    assert not list(option_problems(options))


def test_the_same_run_however_it_is_written(sums: ModuleType) -> None:
    one = scrub.run(sums.by_hand, samples=9, seed=np.int32(4), max_memory="1MB", dtype="float32")
    other = scrub.run(sums.by_hand, samples=9, seed=4, max_memory=10**6, dtype=torch.float32)
    assert (one.scores.scrubbed == other.scores.scrubbed).all()


@pytest.mark.parametrize("precision", ["inf", "nan", "-1", "0"])
def test_precision_on_the_command_line(precision: str) -> None:
    done = inside("test", SUMS, "--precision", precision)
    assert (done.code, done.out) == (2, "")
    assert "precision" in done.err


# As many samples as fit


@pytest.mark.parametrize("command", ["test", "plan", "explain"])
def test_more_samples_than_fit_are_refused_before_anything_is_drawn(command: str) -> None:
    samples = 999_999_999_999
    done = inside(command, f"{SUMS}::by_hand", "--samples", str(samples))
    each = 48 * (2 + 2 + 2 + 1 + 3)  # references, baseline, out, product, x, and three numbers
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: 999,999,999,999 samples do not fit: what is drawn and measured for them takes "
        f"about {shown(each * samples)}, and this machine has {shown(of_machine())}. "
        f"Give at most {int(of_machine() // each):,}.\n"
    )


def test_the_samples_of_all_claims_must_fit_together(sums: ModuleType) -> None:
    """All claims are drawn before the first runs."""
    samples = int(of_machine()) // (48 * 10)  # of by_hand alone, as above
    with pytest.raises(scrub.UserError, match="samples do not fit"):
        scrub.run([sums.by_hand, sums.by_hand], samples=samples)


def test_the_number_that_is_named_is_taken(sums: ModuleType) -> None:
    with pytest.raises(scrub.UserError) as refused:
        scrub.run(sums.by_hand, samples=10**15)
    most = int(str(refused.value).split("at most ")[1].replace(",", "").rstrip("."))
    with pytest.raises(scrub.UserError, match="Give at most"):
        scrub.run(sums.by_hand, samples=most + 1)
    assert most > 10**6


def test_sizes_in_words() -> None:
    sizes = {1: "1 B", 999: "999 B", 1500: "1.5 kB", 64e6: "64 MB", 2.4e15: "2.4 PB"}
    assert {size: shown(size) for size in sizes} == sizes
    assert shown(5e21) == "5,000,000 PB"
    assert in_bytes("0.1") is None


# What is no claim, no session, no number of rows


@pytest.mark.parametrize("given", [len, 5, None, "by_hand", [], [len]])
def test_what_is_no_claim(given: Any) -> None:
    for called in (scrub.run, scrub.explain):
        with pytest.raises(scrub.UserError, match=r"scrub\.\w+ takes a claim, not an? "):
            called(given)


def test_other_arguments_that_make_no_sense(sums: ModuleType) -> None:
    for arguments, said in (
        ({"session": "mine"}, "session= is of type str. Give a scrub.Session(), or leave it out."),
        ({"session": Session}, "session= is of type type. Give a scrub.Session(), or leave it"),
        ({"diagnose": "yes"}, "diagnose= is 'yes'. Give True or False, or leave it out."),
    ):
        with pytest.raises(scrub.UserError) as refused:
            scrub.run(sums.by_hand, **arguments)
        assert str(refused.value).startswith(said)
    for rows in (-1, 1.5, True, "3"):
        with pytest.raises(scrub.UserError, match=r"rows= is .*0 or more"):
            scrub.explain(sums.by_hand, rows=rows)
    with pytest.raises(scrub.UserError) as refused:
        scrub.run(sums.by_hand, session=3, diagnose=4, samples=0)
    assert len(refused.value.problems) == 3


def test_a_file_that_names_no_model(tmp_path: Path) -> None:
    text = f"import sys\nsys.path.insert(0, {str(ROOT / 'tests' / 'hypotheses')!r})\n"
    text += "import sums\nMODEL = 5\n"
    for name in ("by_hand", "conjunction"):
        text += f"from sums import {name}\n"
    (tmp_path / "f.py").write_text(text)
    done = inside("check", "f.py", cwd=tmp_path)
    assert done.code == 2
    assert "model= is of type int, which is no model. " in done.err
