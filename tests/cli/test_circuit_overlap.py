"""`scrub circuit A.json [B.json …]`: a circuit, or what several have in common; without weights."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from scrub.circuits.check import check_circuit, specs_of
from scrub.circuits.files import read_circuit
from scrub.circuits.random_circuits import dangling
from scrub.datasets import ioi
from scrub.hypothesis.circuit import EMBEDDINGS, Circuit
from scrub.hypothesis.sites import heads
from scrub.model import registry
from scrub.model.registry import describe
from support.command import Finished, inside
from support.paths import ROOT

CIRCUITS = ROOT / "circuits"
PLANTED, FOUND = (str(CIRCUITS / f"ioi-planted-2{which}.json") for which in ("", "-attribution"))
GPT2 = str(CIRCUITS / "ioi-gpt2.json")


@pytest.fixture(autouse=True)
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only configurations are read."""
    monkeypatch.setattr(registry, "load", None)


def shown(*arguments: str, folder: Path) -> Finished:
    return inside("circuit", *arguments, cwd=folder)


def test_one_circuit_is_shown(tmp_path: Path) -> None:
    done = shown(GPT2, folder=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert "ioi-gpt2: 26 heads, 235 edges; MLPs free" in done.out
    assert "S-inhibition         7.3, 7.9, 8.6, 8.10                            end" in done.out
    assert "previous token       induction            k, v  s1+1       16" in done.out
    assert "arXiv 2211.00593" in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_a_large_one_without_roles_is_short(tmp_path: Path) -> None:
    every = [(layer, head) for layer in range(4) for head in range(4)]
    circuit = Circuit.of(heads(every[1:], at="end"), heads(every[:1]))
    circuit.frame.to_csv(tmp_path / "it.csv", index=False)
    done = shown("it.csv", "--model", "ioi-planted", folder=tmp_path)
    assert done.code == 0
    assert len(done.out.splitlines()) <= 6
    assert "role" not in done.out


def test_what_two_have_in_common(tmp_path: Path) -> None:
    files = ("--csv", "it.csv", "--json", "it.json", "--plot", "it.svg")
    done = shown(PLANTED, FOUND, *files, folder=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert max(map(len, done.out.splitlines())) <= 80
    frame = pd.read_csv(tmp_path / "it.csv")
    assert list(frame["of"]) == ["nodes", "nodes at positions", "edges"]
    nodes = frame.iloc[0]
    assert tuple(nodes[["first_size", "second_size", "both"]]) == (10, 8, 8)
    assert nodes.jaccard == 8 / 10
    assert nodes.jaccard_random < 0.4
    assert nodes.p < 0.01
    for figure in ("0.80", "1.00", f"{nodes.jaccard_random:.2f} ["):
        assert figure in done.out
    said = json.loads((tmp_path / "it.json").read_text(encoding="utf-8"))
    assert said["overlap"][0]["p"] == pytest.approx(nodes.p)
    assert {row["role"] for row in said["by_role"]} > {"name mover", "previous token"}
    assert "nodes in exactly these" in (tmp_path / "it.svg").read_text(encoding="utf-8")
    again = shown(PLANTED, FOUND, folder=tmp_path)
    assert again.out == done.out


def test_without_a_model_it_says_why_there_is_no_null(tmp_path: Path) -> None:
    for other, why in (
        (GPT2, "the circuits are of ioi-planted-2 and gpt2. Give one: --model NAME"),
        ("it.csv", ""),
    ):
        Circuit.of(heads([(1, 0)])).frame.to_csv(tmp_path / "it.csv", index=False)
        done = shown(PLANTED, other, folder=tmp_path)
        assert done.code == 0
        said = " ".join(done.out.split())
        assert (f"no random circuits to compare with: {why}" in said) == bool(why)
    none = shown(PLANTED, FOUND, "--random", "0", folder=tmp_path)
    assert "random" not in none.out
    unknown = shown("it.csv", "it.csv", folder=tmp_path)
    assert "no circuit names its model. Give one: --model NAME" in " ".join(unknown.out.split())


def test_another_format(tmp_path: Path) -> None:
    shown(FOUND, "--save", "it.mib.json", folder=tmp_path)
    graph = json.loads((tmp_path / "it.mib.json").read_text(encoding="utf-8"))
    assert graph["cfg"]["n_layers"] == 6
    again, before = read_circuit(tmp_path / "it.mib.json"), read_circuit(FOUND)
    assert again.without(_embeddings(again)).edges == (before.without(_embeddings(before)).edges)
    shown("it.mib.json", "--save", "it.json", folder=tmp_path)
    assert read_circuit(tmp_path / "it.json").edges == again.edges
    shown(PLANTED, "--csv", "nodes.csv", folder=tmp_path)
    nodes = pd.read_csv(tmp_path / "nodes.csv")
    assert len(nodes) == 11
    table = read_circuit(tmp_path / "nodes.csv")
    assert table.nodes == read_circuit(PLANTED).nodes
    assert table.roles == read_circuit(PLANTED).roles


def _embeddings(circuit: Circuit) -> list:
    return [placed.cell for placed in circuit.nodes if placed.cell.site in EMBEDDINGS]


WRONG = {
    "nothing to draw": ((PLANTED, "--plot", "it.svg"), "Name two or more."),
    "json of one": ((PLANTED, "--json", "it.json"), "One is written by --save OTHER.json."),
    "several to save": ((PLANTED, FOUND, "--save", "it.json"), "and several are named."),
    "another suffix": ((PLANTED, "--save", "it.py"), "ends in .json, .csv, .mib.json."),
    "edges in a table": ((PLANTED, "--save", "it.csv"), "a table holds no edges"),
    "another model": (
        (GPT2, "--model", "ioi-planted"),
        'Circuit "ioi-gpt2": It says that it is of model "gpt2", and this is "ioi-planted".',
    ),
    "two files that are not there": (("a.json", "b.json"), "There is no file "),
    "an option of scores": ((PLANTED, "--by", "order"), "--by"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_says_what_to_do(name: str, tmp_path: Path) -> None:
    arguments, says = WRONG[name]
    done = shown(*arguments, folder=tmp_path)
    assert done.code == 2
    assert says in done.err
    assert list(tmp_path.iterdir()) == []
    if name == "two files that are not there":
        assert done.err.count(says) == 2


@pytest.mark.parametrize("file", sorted(CIRCUITS.glob("ioi-planted*.json")), ids=lambda f: f.stem)
def test_circuits_that_come_with_it_are_of_their_models(file: Path) -> None:
    circuit = read_circuit(file)
    model = describe(circuit.model)
    tokenizer = model.tokenizer
    assert tokenizer is not None
    check_circuit(circuit, model, ioi.prompts(20, seed=0).make(tokenizer))
    for role, cells in circuit.roles.items():
        known = set(model.role(role))
        assert {(cell.name.layer, cell.head) for cell in cells} <= known
    assert dangling(circuit.edges) == ()


def test_the_published_circuit() -> None:
    circuit = read_circuit(GPT2)
    assert len(circuit) == len(circuit.heads) == 26
    assert set(specs_of(circuit)) == {"s1", "s1+1", "s2", "io", "end"}
    assert dangling(circuit.edges) == ()
    places = {str(placed.cell): placed.at for placed in circuit.nodes}
    assert places["head 4.11"] == ("s1+1",)
    assert places["head 5.5"] == places["head 0.1"] == ("s2",)
    assert places["head 9.9"] == places["head 8.6"] == ("end",)
    ends = [(str(e.writer), str(e.reader), e.into) for e in circuit.edges]
    assert {into for *pair, into in ends if pair == ["head 7.9", "head 9.9"]} == {"q"}
    assert {into for *pair, into in ends if pair == ["head 5.9", "head 7.9"]} == {"k", "v"}
