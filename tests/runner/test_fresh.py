"""`--fresh K`, `fresh=K`: a claim on other datasets of its recipe; what is said of its rows."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from attrs import evolve

import scrub
from scrub import UserError
from scrub.data.dataset import Recipe, Rows
from scrub.hypothesis.collect import load
from scrub.results.population import few_rows, on_rows
from support.command import ROOT, SUMS, inside
from support.command import scrub as command
from support.stoppable import Place

CLAIMS = '''
import os
import time
from pathlib import Path

from scrub import Agree, Correspondence, Exact, Fixed, InterpNode, claim, heads, output
from scrub import supported
from scrub.datasets import ioi
from scrub.metrics import custom, logit_diff

MODEL = "ioi-planted"
DATA = ioi.prompts(40, prefixes=8, seed=SEED)
calls = []


def counted(value, references):
    """Says how often it was asked, and waits where it is told to."""
    if "LOG" in os.environ:
        with open(os.environ["LOG"], "a") as log:
            print("counted", len(references), file=log)
        calls.append("counted")
        if os.environ.get("WAIT_AT") == f"counted {len(calls)}":
            Path(os.environ["LOG"]).with_suffix(".waiting").touch()
            time.sleep(100)
    return value.reshape(len(references), -1).numpy().max(-1)


def tree(model, sampler):
    logits = InterpNode("logits", Exact(), other=Exact())
    movers = logits.child("name movers", Exact(), other=Exact())
    inhibition = movers.child("S-inhibition", sampler)
    return Correspondence(
        {
            logits: output(at="end"),
            movers: heads(model.role("name mover"), at="end"),
            inhibition: heads(model.role("S-inhibition"), at="end", into="q"),
        }
    )


@claim(data=DATA, metric=logit_diff("io", "s"), expect=supported(above=0.5))
def by_position(model):
    return tree(model, Agree("io_is_first"))


@claim(data=lambda model: DATA, metric=logit_diff("io", "s"))
def flipped(model):
    return tree(model, Fixed(ioi.flip(DATA, "order")))


@claim(data=DATA, metric=custom(counted))
def slow(model):
    return tree(model, Exact())


@claim(data=DATA, metric=custom(counted))
def mapped(model):
    return tree(model, Fixed(range(40)))
'''
SMALL = ("--samples", "60", "--no-diagnose")


def written(folder: Path, seed: int) -> Path:
    file = folder / f"seed{seed}.py"
    file.write_text(CLAIMS.replace("SEED", str(seed)), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fresh")


@pytest.fixture(scope="module")
def mine(folder: Path) -> ModuleType:
    return load(written(folder, 7))


def result_of(folder: Path, *arguments: str | Path) -> list[dict[str, Any]]:
    done = inside("test", *arguments, *SMALL, "--json", folder / "r.json")
    assert done.code == 0, done.err
    return json.loads((folder / "r.json").read_text(encoding="utf-8"))["results"]


def test_the_command(folder: Path) -> None:
    file = written(folder, 7)
    done = command(
        "test",
        f"{file.name}::by_position",
        *SMALL,
        "--fresh",
        "2",
        cwd=folder,
        PYTHONPATH=str(ROOT),
    )
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith("seed7.py on ioi-planted: mean logit(io) − logit(s), higher is")
    assert lines[1] == "60 references on these 40 ioi prompts, mixed order, seed 7"
    start = "Beside it, deciding nothing: 2 other datasets of 40 rows, same recipe, seeds 8 to 9."
    head, row = lines[lines.index(start) + 1 :][:2]
    assert head.split("  ")[0] == "claim"
    assert re.search(r"these rows +other seeds +sd between +error within +on fresh data", head)
    number = r"-?\d\.\d{3}"
    figures = rf" +{number} +{number} to {number} +{number} +{number} +{number} \[{number}, "
    assert re.match(f"by_position{figures}", row)
    assert lines[-1] == "1 claim, all as expected"


@pytest.mark.parametrize("name", ["by_position", "flipped"])
def test_other_datasets_are_those_of_the_recipe_with_other_seeds(folder: Path, name: str) -> None:
    """Also where a sampler holds a copy of the data, and where data= is a function."""
    (found,) = result_of(folder, f"{written(folder, 7)}::{name}", "--fresh", "2", "--seed", "3")
    fresh = found["fresh"]
    assert fresh["seeds"] == [8, 9]
    for by, recovered in enumerate(fresh["recovered"], 1):
        target = f"{written(folder, 7 + by)}::{name}"
        (alone,) = result_of(folder, target, "--seed", str(3 + by))
        assert recovered == pytest.approx(alone["recovered"]["mean"], abs=1e-5)
        assert "fresh" not in alone
    assert len({found["recovered"]["mean"], *fresh["recovered"]}) == 3


def test_nothing_else_changes(folder: Path) -> None:
    target = f"{written(folder, 7)}::by_position"
    (found,), (alone,) = result_of(folder, target, "--fresh", "1"), result_of(folder, target)
    for one in (found, alone):
        one.pop("seconds")
    fresh = found.pop("fresh")
    assert found == alone
    assert found["data"]["rows"] == 40
    keys = "seeds recovered between within mean low high reason confidence"
    assert list(fresh) == keys.split()
    both = [found["recovered"]["mean"], *fresh["recovered"]]
    assert fresh["mean"] == pytest.approx(np.mean(both))
    assert fresh["high"] - fresh["mean"] >= 12.7 * abs(both[0] - both[1]) / 2 - 1e-9
    assert (fresh["reason"], fresh["confidence"]) == (None, 0.95)


def test_from_python(mine: ModuleType, folder: Path) -> None:
    session = scrub.Session()
    found = scrub.run(mine.by_position, samples=60, fresh=2, diagnose=False, session=session)
    (told,) = result_of(folder, f"{written(folder, 7)}::by_position", "--fresh", "2")
    assert found.fresh is not None
    assert found.fresh.seeds == (8, 9)
    assert [one.mean for one in found.fresh.recovered[1:]] == pytest.approx(
        told["fresh"]["recovered"], abs=1e-5
    )
    assert found.rows == 40
    assert scrub.run(mine.by_position, samples=60, diagnose=False, session=session).fresh is None


@pytest.mark.parametrize("fresh", [0, -1, True, 1.5, "2"])
def test_numbers_that_are_none(mine: ModuleType, fresh: Any) -> None:
    said = f"fresh= is {fresh!r}. Give a whole number, 1 or more, or leave it out."
    with pytest.raises(UserError, match=re.escape(said)):
        scrub.run(mine.by_position, fresh=fresh)


def test_the_command_takes_whole_numbers_above_zero() -> None:
    for given, said in (("0", "0 is not in the range x>=1"), ("some", "is not a valid integer")):
        done = inside("test", SUMS, "--fresh", given)
        assert done.code == 2
        assert said in done.err


def test_data_that_cannot_be_made_again_is_refused(mine: ModuleType) -> None:
    todo = "Leave fresh= (--fresh) out, or give a recipe that takes a seed, such as"
    todo += " ioi.prompts(1000)."
    done = inside("test", f"{SUMS}", "--fresh", "2")
    assert (done.code, done.out) == (2, "")
    assert done.err == (  # said once, of all claims of the file
        f'error: {SUMS}: Data "bits" is made of no recipe with a seed. {todo}\n'
    )
    frame = pd.DataFrame({"text": [" Mary"] * 5})
    data = scrub.from_frame(frame, text="text", name="names")
    claim = scrub.claim(data=data, metric=mine.slow.metric, model="ioi-planted")(root_alone)
    with pytest.raises(UserError) as refused:
        scrub.run(claim, fresh=2)
    (problem,) = refused.value.problems
    assert problem.what == f'Data "names" is made of no recipe with a seed. {todo}'
    with pytest.raises(UserError) as refused:
        scrub.run(mine.mapped, fresh=2)
    (problem,) = refused.value.problems
    assert problem.what == (
        f'Node "S-inhibition" has a row map, which is written for these rows. {todo}'
    )


def root_alone(model: Any) -> scrub.Correspondence:
    return scrub.Correspondence({scrub.InterpNode("out", scrub.Exact()): scrub.output(at=0)})


def test_recipes_and_their_seeds() -> None:
    def make(tokenizer: Any, **arguments: Any) -> Any:
        return arguments

    recipe = Recipe("mine", make, {"seed": np.int64(3), "n": 5})
    assert recipe.seed == 3
    assert recipe.with_seed(4).make(None) == {"seed": 4, "n": 5}  # type: ignore[arg-type]
    assert recipe.arguments["seed"] == 3
    for given in ({}, {"seed": "3"}, {"seed": True}, {"seed": None}):
        assert Recipe("mine", make, given).seed is None


def test_a_stopped_run_goes_on_with_the_dataset_at_which_it_was(tmp_path: Path) -> None:
    """The metric is asked three times a scrub: in the middle of the second other dataset."""
    place = Place(tmp_path)
    written(tmp_path, 7).rename(tmp_path / "claims.py")
    arguments = ("-k", "slow", *SMALL, "--fresh", "2", "--json", "r.json")
    whole = place.run(*arguments)
    assert (whole.code, whole.err) == (0, "")
    assert place.asked() == {"counted": 3 * 3 * 60}
    expected = place.json()["results"][0]["fresh"]
    (tmp_path / "r.json").unlink()
    stopped = place.stopped(signal.SIGINT, "counted 8", *arguments)
    assert stopped.code == 130
    place.asked()
    done = place.run(*arguments, "-q")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert place.asked() == {"counted": 3 * (8 + 8 + 60)}  # a few of each are computed again
    found = place.json()["results"][0]["fresh"]
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value), name


def test_what_v_adds(folder: Path) -> None:
    target = f"{written(folder, 7)}::by_position"
    done = inside("test", target, *SMALL, "--fresh", "2", "-v")
    assert re.search(r"by_position on other datasets: seed 8: \S+ \[.+\]; seed 9: ", done.out)


def test_references_far_above_rows_are_warned_of(mine: ModuleType, folder: Path) -> None:
    target = f"{written(folder, 7)}::by_position"
    usual, more = "--no-diagnose", "Intervals are about these 40 rows alone: "
    at_limit = inside("test", target, "--samples", "80", usual)
    above = inside("test", target, "--samples", "81", usual)
    asked = inside("test", target, "--samples", "81", usual, "--fresh", "1")
    assert [more in one.out for one in (at_limit, above, asked)] == [False, True, False]
    said = " ".join(above.out.split())
    assert "may hold the value on fresh rows in only 74% of runs; unless" in said
    assert "give more rows, or see what other seeds give: fresh=5 (--fresh 5)." in said
    found = scrub.run(load(ROOT / SUMS).conjunction, samples=17, diagnose=False)
    (note,) = few_rows(found)
    assert note.startswith("intervals are about these 8 rows alone: with 17 references they may")
    assert note.endswith("unless there are no others, give more rows")  # no recipe, no --fresh


def test_the_heading_says_on_how_many_rows() -> None:
    found = scrub.run(load(ROOT / SUMS).conjunction, samples=10, diagnose=False)

    def told(rows: int, name: str) -> str:
        data = found.draws.references.data.take(np.arange(rows) % 8, name)
        references = Rows(data, np.zeros(10, int))
        return on_rows(evolve(found, draws=evolve(found.draws, references=references)))

    assert told(8, "bits") == "on these 8 rows: bits"
    assert told(8, "8 ioi prompts, seed 3") == "on these 8 ioi prompts, seed 3"
    assert told(7, "8 ioi prompts, seed 3") == "on these 7 rows: 8 ioi prompts, seed 3"
    assert told(1, "1 ioi prompts") == "on this one row: 1 ioi prompts"
    assert told(1_200, "1,200 strings") == "on these 1,200 strings"
    assert told(1_200, "1200 strings") == "on these 1,200 strings"


def test_one_reference_is_one(folder: Path) -> None:
    done = inside("test", f"{SUMS}::by_hand", "--samples", "1", "--no-diagnose")
    assert done.out.splitlines()[1] == "1 reference on these 8 rows: bits"
