"""Graphs of EAP-IG and MIB: both versions are read, what is written is read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scrub.circuits.edges import all_edges
from scrub.circuits.files import read_circuit, read_edge_scores, write_circuit, write_edge_scores
from scrub.circuits.mib import from_graph
from scrub.circuits.mib_writing import as_graph
from scrub.errors import UserError
from scrub.hypothesis.circuit import Circuit, edge
from scrub.hypothesis.sites import embeddings, heads, mlp, output
from scrub.model.bridge import graph_of
from scrub.model.registry import Model
from scrub.names import Cell
from support import tiny_models
from support.random_circuits import of_edges, of_sites

quick = settings(max_examples=30, deadline=None, database=None)
CFG = {"n_layers": 2, "n_heads": 2, "parallel_attn_mlp": False, "d_model": 8}
IN = ("input->a0.h1<v>", "a0.h1->m0", "a0.h1->a1.h0<k>", "m0->a1.h0<q>", "a1.h0->logits")
OUT = ("input->a0.h0<q>", "a0.h0->a1.h1<v>", "m1->logits")
EXPECTED = Circuit.of_edges(
    edge(embeddings(), heads([(0, 1)]), into="v"),
    edge(heads([(0, 1)]), mlp(0)),
    edge(heads([(0, 1)]), heads([(1, 0)]), into="k"),
    edge(mlp(0), heads([(1, 0)]), into="q"),
    edge(heads([(1, 0)]), output()),
)


def model(name: str = "2x2") -> Model:
    return Model(name, graph_of(tiny_models.bridge(name)))


def new() -> dict[str, Any]:
    """As EAP-IG writes it since 2025-04-08."""
    there = {"input", "a0.h1", "m0", "a1.h0", "logits"}
    nodes = ["input", "a0.h0", "a0.h1", "m0", "a1.h0", "a1.h1", "m1", "logits"]
    edges = {name: {"score": 0.5, "in_graph": True} for name in IN}
    return {
        "cfg": CFG,
        "nodes": {name: {"in_graph": name in there} for name in nodes},
        "edges": edges | {name: {"score": -1e-6, "in_graph": False} for name in OUT},
    }


def old() -> dict[str, Any]:
    """As it wrote it before."""
    graph = new()
    graph["nodes"] = {name: node["in_graph"] for name, node in graph["nodes"].items()}
    graph["edges"] = {name: one | {"score": None} for name, one in graph["edges"].items()}
    return graph


def bare() -> dict[str, Any]:
    graph = old()
    graph["edges"] = {name: one["in_graph"] for name, one in graph["edges"].items()}
    return graph


@pytest.mark.parametrize("made", [new, old, bare])
def test_every_version_is_read(made: Any, tmp_path: Path) -> None:
    file = tmp_path / "graph.json"
    file.write_text(json.dumps(made()))
    found = read_circuit(file)
    assert found == EXPECTED
    assert found.name == "graph"
    scores = read_edge_scores(file)
    assert len(scores) == (8 if made is new else 0)
    if made is new:
        (first,) = edge(heads([(0, 1)]), mlp(0))
        assert scores[first] == 0.5
        assert {e.writer for e in scores if e.writer.name.layer is None} == {Cell("embed")}


def test_a_node_without_edges_is_a_node() -> None:
    graph = new()
    graph["nodes"]["m1"] = {"in_graph": True, "score": 0.1}
    assert [str(one) for one in from_graph(graph, "it").cells] == ["MLP 1"]
    graph["edges"] = {}
    sites = Circuit.of(heads([(0, 1), (1, 0)]), mlp(0, 1))
    assert from_graph(graph, "it") == sites


def whole(circuit: Circuit, model: Model) -> set:
    """Its edges by port, but for those from the position embedding; of sites, all among them."""
    nodes = {placed.cell for placed in circuit.nodes} | {Cell("embed"), Cell("logits")}
    kept = {(e.writer, e.reader, e.into) for e in circuit.edges}
    return {
        e
        for e in all_edges(model.graph)
        if e.writer != Cell("pos_embed")
        and (
            not {(e.writer, e.reader, e.into), (e.writer, e.reader, None)}.isdisjoint(kept)
            if kept
            else {e.writer, e.reader} <= nodes
        )
    }


@given(of_sites(st.just("all")) | of_edges(st.just("all")), st.sampled_from([(), ("mlps",)]))
@quick
def test_what_is_written_is_read_again(circuit: Circuit, free: Any) -> None:
    subject = model("3x2")
    circuit = evolve(circuit, free=free)
    explicit = circuit.on(subject)
    assume(circuit)
    assume(whole(explicit, subject))
    graph = json.loads(as_graph(circuit, subject))
    again = from_graph(graph, "it")
    assert whole(again, subject) == whole(explicit, subject)
    embedded = {"embed", "pos_embed"}
    before, after = (
        {p.cell for p in c.nodes if p.cell.site not in embedded} for c in (explicit, again)
    )
    assert before == after
    assert len(graph["nodes"]) == 1 + 3 * 3 + 1
    assert len(graph["edges"]) == len(all_edges(subject.graph)) - 3 * (2 * 3 + 1) - 1
    assert graph["cfg"] == CFG | {"n_layers": 3, "d_model": 12}


@pytest.mark.parametrize("name", ["2x2", "neox", "llama"])
def test_scores_are_written_and_read(name: str, tmp_path: Path) -> None:
    subject = model(name)
    every = [e for e in all_edges(subject.graph) if e.writer != Cell("pos_embed")]
    scores = {one: n / 7 for n, one in enumerate(every)}
    circuit = Circuit(edges=every[::3])
    write_edge_scores(scores, circuit, tmp_path / "it.json", model=subject)
    assert read_edge_scores(tmp_path / "it.json") == scores
    again = read_circuit(tmp_path / "it.json").on(subject)
    assert whole(again, subject) == set(every[::3])
    parallel = json.loads((tmp_path / "it.json").read_text())["cfg"]["parallel_attn_mlp"]
    assert parallel is (name == "neox")


WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "names": (
        {
            "nodes": {"a0.h9": True, "m7": True, "head0": True, "m1": 3},
            "edges": {
                "m1->a0.h0<q>": True,
                "a0.h0->m0<q>": True,
                "m0->a1.h0": True,
                "m0-a1.h0": True,
                "m0->a1.h1<q>": {"score": "high"},
            },
        },
        [
            '"a0.h9": cfg says that a layer has 2 heads.',
            '"m7": cfg says that there are 2 layers.',
            '"head0" is no node. Nodes are input, m0, a0.h1, logits and the like.',
            '"m1" is 3. Give {"in_graph": true}, or a truth value.',
            '"m1->a0.h0<q>": a0.h0 does not come after m1.',
            '"a0.h0->m0<q>" has a port.',
            "3 more are wrong.",
        ],
    ),
    "neurons": (
        {"nodes": {"m1": {"in_graph": True, "neurons": [True, False]}}, "edges": {}},
        ['"m1" is in the graph by some neurons; nodes here are whole ones.'],
    ),
    "scores alone": (
        {"nodes": {"m1": {"in_graph": False}}, "edges": {"m0->m1": 0.5, "m1->logits": 1}},
        [
            "holds no circuit: of 2 edges, 2 with a score, none is in the graph. Scores alone are "
            "read by scrub.circuits.files.read_edge_scores."
        ],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_in_a_graph(name: str) -> None:
    graph, messages = WRONG[name]
    with pytest.raises(UserError) as refused:
        from_graph({"cfg": CFG} | graph, "it")
    said = [str(problem).removeprefix("it: ") for problem in refused.value.problems]
    assert [one.removeprefix("it ") for one in said] == messages


def test_what_such_graphs_cannot_say(tmp_path: Path) -> None:
    circuit = Circuit.of(heads([(0, 0)], at="end"))
    with pytest.raises(UserError, match="have no positions"):
        write_circuit(circuit, tmp_path / "it.json", format="mib", model=model())
    with pytest.raises(UserError, match="does not say of which it is"):
        write_circuit(EXPECTED, tmp_path / "it.json", format="mib")
    with pytest.raises(UserError, match=r"There is no head 7\.0: the model has layers 0 to 1"):
        write_circuit(
            Circuit.of(heads([(7, 0)])), tmp_path / "it.json", format="mib", model=model()
        )
    write_circuit(evolve(EXPECTED, model="ioi-planted"), tmp_path / "it.json", format="mib")
    assert read_circuit(tmp_path / "it.json") == EXPECTED
