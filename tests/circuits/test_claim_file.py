"""A circuit's hypothesis file: legal, laid out, and it recovers what is measured."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

import scrub
from hypothesis import given
from hypothesis import strategies as st
from scrub import Circuit, UserError, edge, embeddings, heads, mlp, output, token_embedding
from scrub.circuits import claim_file
from scrub.circuits.circuit_code import circuit_in_code
from scrub.circuits.claim_file import claim_text, save_claim
from scrub.circuits.conventions import conventions_of
from scrub.circuits.kept import keeping, removing
from scrub.circuits.measurements import Measurements
from scrub.circuits.subject import halves_of, subject_of
from scrub.hypothesis.claim import Claim
from scrub.hypothesis.collect import CollectedBehaviour, collect_behaviour, definitions
from scrub.model.registry import describe
from scrub.names import Cell
from scrub.runner.context import Context
from scrub.runner.options import Options
from scrub.runner.session import Session
from support import random_circuits
from support.code_blocks import blocks, not_printed, write_modules
from support.command import inside
from support.paths import ROOT

FILE = '''
from scrub import Mean, Uncond, behaviour, heads
from scrub.datasets import ioi
from scrub.metrics import attention

MODEL = "ioi-planted"
IOI = ioi.behaviour(60)
ANY = ioi.behaviour(60, corrupt=Uncond(), name="any")
MEAN = ioi.behaviour(60, templates=(1,), corrupt=Mean("order"), name="mean")


@behaviour(data=ioi.prompts(60), metric=attention(to="io"), corrupt=IOI.corrupt)
def looks(model):
    """Head 3.0 looks at the IO."""
    return heads([(3, 0)], part="pattern", at="end")
'''
OPTIONS = Options(samples=16)
RUFF = Path(sys.executable).with_name("ruff")
ROLES = describe("ioi-planted").roles


@functools.cache
def context() -> Context:
    return Context(Session(), OPTIONS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("circuits")
    (here / "b.py").write_text(FILE, encoding="utf-8")
    return here


def behaviour(folder: Path, name: str = "ioi") -> CollectedBehaviour:
    return collect_behaviour(f"b.py::{name}", folder)


def role(name: str, **path: Any) -> Any:
    return heads(ROLES[name], **path)


def of_sites(**more: Any) -> Circuit:
    places = {"duplicate token": "s2", "S-inhibition": "end", "name mover": "end"}
    circuit = Circuit.of(*(role(name, at=at) for name, at in places.items()), **more)
    cells = {name: tuple(Cell(f"blocks.{layer}.attn.z", head) for layer, head in pairs)
             for name, pairs in ROLES.items()}  # fmt: skip
    return evolve(circuit, roles=cells, name="planted", source="the model's card")


def of_edges() -> Circuit:
    duplicate, inhibition, movers = (role(name) for name in ROLES)
    words = embeddings() | mlp(0)
    return Circuit.of_edges(
        edge(embeddings(), mlp(0)),
        edge(words, duplicate),
        edge(duplicate, inhibition, into="v", at="s2"),
        edge(words, inhibition, into=("q", "k")),
        edge(inhibition, movers, into="q", at="end"),
        edge(words, movers, into=("k", "v")),
        edge(movers, output(), at="end"),
    )


def saved(circuit: Circuit, folder: Path, *, held: bool, name: str = "ioi") -> dict[str, Claim]:
    file = folder / "f.py"
    save_claim(circuit, behaviour(folder, name), file, context(), held=held)
    if RUFF.exists():
        for command in (["check", "--select", "E,F,I,UP,B,RUF100"], ["format", "--check"]):
            ran = subprocess.run(
                [RUFF, *command, "--no-cache", "--line-length", "100", "f.py"],
                cwd=folder, capture_output=True, text=True,
            )  # fmt: skip
            assert ran.returncode == 0, ran.stdout + file.read_text(encoding="utf-8")
    return {item.claim.name: item.claim for item in definitions(file, "f.py").claims}


def on_one_line(text: str) -> str:
    """A file's text with comments that are not broken into lines."""
    return text.replace("\n# ", " ")


def recovered(claim: Claim) -> tuple[float, ...]:
    result = scrub.run(claim, session=context().session, samples=OPTIONS.samples)
    found = result.recovered
    return found.mean, found.low, found.high


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("circuit", [of_sites(free="mlps"), of_sites(), of_edges()])
def test_its_claims_recover_what_the_circuit_is_measured_to(
    circuit: Circuit, held: bool, folder: Path
) -> None:
    claims = saved(circuit, folder, held=held)
    assert list(claims) == ["circuit_alone", "without_circuit", "as_tree"]
    item, session = behaviour(folder), context().session
    subject = halves_of(item, session, OPTIONS)[1] if held else subject_of(item, session, OPTIONS)
    measured = Measurements.of(subject, conventions_of(subject)[0], context())
    nodes = [one for one in circuit.nodes if one.cell.name.layer is not None]
    kept = {"circuit_alone": keeping(circuit, subject.model), "without_circuit": removing(nodes)}
    for name, way in kept.items():
        found = measured.recovered(way)
        said = (found.mean, found.low, found.high)
        assert recovered(claims[name]) == pytest.approx(said, abs=1e-5), name
    alone, tree, without = (recovered(claims[n]) for n in ("circuit_alone", "as_tree",
                                                           "without_circuit"))  # fmt: skip
    assert tree == pytest.approx(alone, abs=1e-5)
    assert without != pytest.approx(alone, abs=1e-3)  # the numbers could differ


@pytest.mark.parametrize("circuit", [of_sites(free="mlps"), of_sites(), of_edges()])
def test_its_claims_name_the_circuit_again(circuit: Circuit, folder: Path) -> None:
    claims = saved(circuit, folder, held=False)
    session = context().session
    whole = circuit.on(describe("ioi-planted"))
    assert scrub.circuit_of(claims["circuit_alone"], session=session) == whole
    tree = scrub.circuit_of(claims["as_tree"], session=session)
    roles = [set(tree.roles[role]) == set(circuit.roles[role]) for role in circuit.roles]
    assert all(roles)
    assert set(tree.of_sites().heads) == set(circuit.heads)
    assert tree.free == circuit.free
    if circuit.edges:
        by_port = {(e.writer, e.reader, e.into) for e in tree.edges}
        assert {(w, r) for w, r, _ in by_port} == {(e.writer, e.reader) for e in circuit.edges}
        named = {(e.writer, e.reader, e.into) for e in circuit.edges if e.into is not None}
        assert named <= by_port
    else:
        nodes = {one for one in tree.nodes if one.cell.name.layer is not None}
        assert nodes == set(circuit.nodes)


def test_edges_beside_free_mlps(folder: Path) -> None:
    """The embeddings come by MLPs where no edge leads from them, and only so."""
    _, inhibition, movers = (role(name) for name in ROLES)
    circuit = Circuit.of_edges(
        edge(inhibition, movers, into="q", at="end"), edge(movers, output(), at="end"), free="mlps"
    )
    claims = saved(circuit, folder, held=True)
    text = on_one_line((folder / "f.py").read_text(encoding="utf-8"))
    assert 'into="v", through=inputs_of(model, heads([(3, 0), (3, 1)]))' in text
    assert "MLPs run freely in the circuit" in text
    assert scrub.circuit_of(claims["as_tree"], session=context().session) == circuit
    assert scrub.circuit_of(claims["circuit_alone"], session=context().session) == circuit.on(
        describe("ioi-planted")
    )


def test_all_nodes_draw_one_unrelated_row(folder: Path) -> None:
    claims = saved(of_edges(), folder, held=False, name="any")
    text = (folder / "f.py").read_text(encoding="utf-8")
    assert 'root = InterpNode("root", Exact(), other=ANY.corrupt)' in text  # as it is measured
    assert 'root = InterpNode("root", Exact(), other=Together("corrupted"))' in text
    assert len(claims) == 3


@pytest.mark.parametrize("name", ["mean", "looks"])
def test_means_and_patterns_are_unrolled_too(name: str, folder: Path) -> None:
    """What is averaged is no input; a root that is a pattern is read by q and k."""
    circuit = of_sites(free="mlps")
    claims = saved(circuit, folder, held=False, name=name)
    alone = recovered(claims["circuit_alone"])
    assert recovered(claims["as_tree"]) == pytest.approx(alone, abs=1e-5)
    assert abs(alone[0]) > 0.1
    if name == "looks":
        named = scrub.circuit_of(claims["as_tree"], session=context().session)
        mover = Cell("blocks.3.attn.z", 0)
        assert {one.into for one in named.edges if one.reader == mover} == {"q", "k"}


def test_what_cannot_be_a_tree_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def text(circuit: Circuit) -> str:
        return on_one_line(claim_text(circuit, behaviour(folder), context(), held=False))

    assert "def as_tree" in text(of_edges())
    monkeypatch.setattr(claim_file, "LARGEST", 20)
    assert "def as_tree" not in text(of_edges())
    assert "Unrolled the circuit has 25 nodes, one for each way" in text(of_edges())
    monkeypatch.undo()
    monkeypatch.setattr(claim_file, "WRITTEN", 20)
    assert "node_embeddings = InterpNode(" in text(of_edges())
    loose = text(of_edges() | Circuit.of_edges(edge(heads([(2, 3)]), heads([(3, 0)]), into="q")))
    assert "leads by them from the embeddings to the root: head 2.3." in loose


def test_a_circuit_that_reaches_one_of_the_embeddings(folder: Path) -> None:
    one = Circuit.of_edges(edge(token_embedding(), output()))
    claims = saved(one, folder, held=False)
    assert "inputs: token_embedding(through=CIRCUIT)" in (folder / "f.py").read_text("utf-8")
    assert list(claims) == ["circuit_alone", "as_tree"]  # it has no node to be left out
    assert scrub.circuit_of(claims["as_tree"], session=context().session) == evolve(
        one, edges=[evolve(e, at=("end",)) for e in one.edges]
    )


def test_an_illegal_file_is_not_written(folder: Path) -> None:
    circuit = Circuit.of_edges(edge(embeddings(), heads([(2, 3)])))
    with pytest.raises(UserError, match="No path of the circuit leads from the embeddings"):
        save_claim(circuit, behaviour(folder), folder / "not.py", context(), held=False)
    assert not (folder / "not.py").exists()
    for wrong, said in {Circuit(): "it is empty", Circuit.of(mlp(7)): "There is no MLP 7"}.items():
        with pytest.raises(UserError, match=said):
            claim_text(wrong, behaviour(folder), context(), held=False)
    nobody = evolve(behaviour(folder), variable="")
    with pytest.raises(UserError, match="run the same command on that file"):
        claim_text(of_sites(), nobody, context(), held=False)


def test_names_from_elsewhere_are_text_and_no_code(folder: Path) -> None:
    quotes = 'say "hi" """ \\'
    circuit = evolve(
        of_edges(), name=quotes, source=quotes, roles={quotes: of_sites().roles["name mover"]}
    )
    claims = saved(circuit, folder, held=False)
    tree = scrub.circuit_of(claims["as_tree"], session=context().session)
    assert list(tree.roles) == [quotes]


def test_the_page_shows_what_is_written_and_recovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "circuits.md").read_text(encoding="utf-8")
    _, _, rest = page.partition("## From a circuit to a hypothesis\n")
    section, _, _ = rest.partition("\n## ")
    write_modules(page, tmp_path)
    item = collect_behaviour("kept.py::ioi", tmp_path)
    circuit = evolve(of_edges(), roles=of_sites().roles)
    save_claim(circuit, item, tmp_path / "claim.py", context(), held=False)
    text = (tmp_path / "claim.py").read_text(encoding="utf-8")
    _, of_circuit, of_tree, ran, edited = [one.text for one in blocks(section)]
    assert not_printed(of_circuit, text) == not_printed(of_tree, text) == []
    for name in ("S-inhibition", "duplicate token"):
        carries = f'"{name}", Exact()'
        assert carries in text
        text = text.replace(carries, carries.replace("Exact()", 'Agree("io_is_first")'))
    more = text.replace("from scrub import (", "from scrub import (\n    Agree,")
    for shown in (ran, edited):
        command, _, output = shown.partition("\n")
        done = inside(*command.split()[2:], cwd=tmp_path)
        assert (done.code, not_printed(output, done.out)) == (0, [])
        (tmp_path / "claim.py").write_text(more, encoding="utf-8")


# The circuit as code

SPACE = {name: getattr(scrub, name) for name in scrub.__all__}
CIRCUITS = random_circuits.of_sites() | random_circuits.of_edges()


@given(CIRCUITS.filter(bool), st.booleans())
def test_the_code_of_a_circuit_makes_it(circuit: Circuit, free: bool) -> None:
    given = evolve(circuit, free="mlps" if free else ())
    held: dict[str, Any] = {}
    code = circuit_in_code(given, {"role": tuple(random_circuits.HEAD_CELLS[:3])}, "CIRCUIT")
    exec(code, dict(SPACE), held)
    assert held["CIRCUIT"] == given
    assert max(map(len, code.splitlines())) <= 100
