"""`scrub find --by pruning|acdc`: what it prints and writes, how it resumes, what it refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import scrub
from scrub.circuits.measurements import Measurements
from scrub.cli.find import CIRCUITS
from scrub.searches.methods import METHODS, NAMES
from support.bad_input import refused
from support.command import Finished, inside
from support.web_page import page_in

FILE = '''
from scrub import Exact, Mean, behaviour, output
from scrub.datasets import ioi
from scrub.metrics import logit_diff

MODEL = "ioi-planted"
IOI = ioi.behaviour(80)


@behaviour(data=ioi.prompts(40), metric=logit_diff("io", "s"))
def one_way(model):
    """Nobody says how it is corrupted."""
    return output(at="end")


@behaviour(data=ioi.prompts(40), metric=logit_diff("io", "s"), corrupt=Mean("end_position"))
def averaged(model):
    """Rows that are averaged are unlike at other positions."""
    return output(at="end")


@behaviour(data=ioi.prompts(40), metric=logit_diff("io", "s"), corrupt=Exact())
def unchanged(model):
    """It is not corrupted at all."""
    return output(at="end")
'''
SMALL = ("--samples", "24")
NODES = ("--by", "pruning", "--level", "nodes", "--from", "heads")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b.py").write_text(FILE, encoding="utf-8")
    return tmp_path


def found(folder: Path, *arguments: str) -> Finished:
    return inside("find", "b.py::ioi", *SMALL, *arguments, cwd=folder)


def test_the_command_offers_every_method() -> None:
    assert (NAMES[0], *CIRCUITS) == NAMES


def test_every_setting_has_an_option_of_the_command() -> None:
    options = {param.name for param in scrub.cli.find.find_command.params}
    for method in METHODS.values():
        assert set(method.options) <= options
        assert set(method.options) | {"seed"} >= set(method.keywords)
        assert set(method.limits) <= set(method.keywords)


def test_it_ends_in_a_circuit_with_its_score_on_rows_held_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = ("--circuit", "c.json", "--plot", "c.svg", "--csv", "c.csv", "--log", "c.txt")
    files = (*files, "--html", "p.html")
    done = found(folder, *NODES, *files)
    assert (done.code, done.err) == (0, "")
    log = (folder / "c.txt").read_text(encoding="utf-8")
    assert done.out.startswith(log)
    assert "one half; the other half is held out" in log
    assert "16 heads in the first sweep, each measured as one circuit\n" in log
    assert "what costs 5% or less is taken out, as long as 80% is left\n" in log
    assert "on the 40 rows held out it recovers " in log.splitlines()[-2]
    assert "random circuits of the same sizes per layer" in log.splitlines()[-1]
    assert "head 3.1 (name mover)\n" in done.out
    assert "free: mlps" in done.out
    assert done.out.endswith("saved: c.json\n")
    circuit = scrub.read_circuit(folder / "c.json")
    assert {(3, 0), (3, 1)} <= set(circuit.heads)
    assert circuit.free == ("mlps",)
    assert (circuit.model, circuit.name) == ("ioi-planted", "ioi by pruning")
    assert circuit.source == "scrub find by pruning, 24 samples, seed 0"
    decisions = pd.read_csv(folder / "c.csv")
    assert set(decisions[decisions["removed"]]["part"]).isdisjoint(map(str, circuit.cells))
    page = page_in(folder / "p.html")
    assert page.all("pre")[0].text == " ".join(log.split())
    assert "head 3.1 (name mover)" in page.text
    assert len(page.all("img")) == 1
    assert "heads and MLPs kept" in (folder / "c.svg").read_text(encoding="utf-8")

    # the claim that is saved recovers what the search printed
    saved = found(folder, *NODES, "--save", "f.py")
    assert saved.out.endswith("saved: scrub test f.py   (on the rows that are held out)\n")
    arguments = ("f.py::circuit_alone", *SMALL, "--no-diagnose")
    (printed,) = re.findall(r"on the 40 rows held out it recovers (.*) of logit", log)
    assert printed in inside("test", *arguments, cwd=folder).out

    # the same command measures nothing again
    monkeypatch.setattr(Measurements, "_compute", None)
    again = found(folder, *NODES)
    assert again.code == 0, again.err
    assert done.out.startswith(again.out)


def test_one_that_is_stopped_resumes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = Measurements._measured, []

    def stopped(self: Measurements, *given: Any, **more: Any) -> Any:
        asked.append(given)
        if len(asked) == 4:
            raise KeyboardInterrupt
        return real(self, *given, **more)

    monkeypatch.setattr(Measurements, "_measured", stopped)
    done = found(folder, *NODES)
    assert done.code == 130
    assert "the same command resumes" in done.err
    again = found(folder, *NODES)
    assert again.code == 0
    assert again.out.startswith(done.out)
    monkeypatch.undo()
    fresh = found(folder, *NODES, "--fresh")
    assert fresh.out == again.out


def test_orders_and_another_ablation(folder: Path) -> None:
    done = found(folder, *NODES, "--orders", "2", "--ablate", "mean", "--order", "least")
    assert done.code == 0, done.err
    assert "what is taken out comes from: mean" in done.out
    assert "order 2 of 2: random\n" in done.out
    assert "stays in how many of 2 orders of removal\n" in done.out
    assert "heads, the least first: 16 tried" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            (*NODES, "--costs", "1e9", "--keeps", "-1e9"),
            "Nothing is kept: every part was taken out: the most cost ",
        ),
        ((*NODES, "--costs", "-1e9"), "Nothing is taken out: the least costs "),
    ],
)
def test_nothing_or_everything(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    done = found(folder, *arguments, "--circuit", "c.json", "--log", "l.txt")
    assert done.code == 1
    assert done.err.startswith(said)
    assert not (folder / "c.json").exists()
    assert done.out == (folder / "l.txt").read_text(encoding="utf-8")


REFUSALS = {
    "an option of another method": (
        ("b.py::ioi", "--by", "acdc", "--keep", "9.9", "--costs", "0.1"),
        "error: --by acdc takes no --keep: it is of --by paths.\n"
        "error: --by acdc takes no --costs: it is of --by pruning.\n",
    ),
    "an option of circuits": (
        ("b.py::ioi", "--circuit", "c.json"),
        "error: --by paths takes no --circuit: it is of --by pruning, --by acdc and --by "
        "attribution.\n",
    ),
    "senders": (
        ("b.py::ioi", "--by", "pruning", "--from", "heds"),
        'error: b.py::ioi: Pruning takes out no "heds". The nearest is "heads"; there are: heads, '
        "mlps.\n",
    ),
    "no corruption": (
        ("b.py::one_way", "--by", "acdc"),
        "error: b.py::one_way: It does not say how its inputs are corrupted, which is what stands "
        "in for all outside of a circuit. Give corrupt= a sampler, such as Uncond() or Paired(a "
        "flipped copy of the data).\n",
    ),
    "a place that cannot import it": (
        ("b.py::ioi", "--by", "acdc", "--save", "b.py"),
        "error: --save b.py: the behaviour itself stands there. Give another file.\n",
    ),
    "more than all": (
        ("b.py::ioi", "--by", "pruning", "--keeps", "7"),
        "error: b.py::ioi: keeps=7.0: 1 is all of the performance. Give less, such as 0.8.\n",
    ),
    "a circuit in another kind of file": (
        ("b.py::ioi", "--by", "acdc", "--circuit", "c.txt"),
        "error: --circuit c.txt: give a file that ends in .json, .csv.\n",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refused(case: str, folder: Path) -> None:
    arguments, said = REFUSALS[case]
    assert refused(folder, "find", *arguments, "--samples", "8") == said


def test_a_corruption_that_changes_nothing(folder: Path) -> None:
    done = inside("find", "b.py::unchanged", "--by", "acdc", "--samples", "8", cwd=folder)
    assert done.code == 2
    assert "are not told apart" in done.err


def test_means_are_of_rows_that_are_alike_where_nodes_are_divided(folder: Path) -> None:
    positions = ("--by", "pruning", "--from", "heads", "--level", "positions", *SMALL)
    done = inside("find", "b.py::averaged", *positions, cwd=folder)
    assert done.code == 2
    assert "1. heads" not in done.out
    assert "Add a column that tells them apart" in done.err
    other = inside("find", "b.py::ioi", *positions, "--ablate", "mean", cwd=folder)
    assert other.code == 0, other.err
    assert "what is taken out comes from: mean by end_position, " in other.out
