"""Circuits in files: what is written is read again, and what is wrong in one is said at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from attrs import evolve

import scrub
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scrub.circuits.files import read_circuit, write_circuit
from scrub.circuits.json_file import as_json, from_json
from scrub.circuits.mib import from_graph, is_graph
from scrub.errors import UserError
from scrub.hypothesis.circuit import Circuit, Edge, Placed, edge
from scrub.hypothesis.components import component_name, components_named
from scrub.hypothesis.sites import embeddings, heads, mlp, output, site
from scrub.names import Cell, attention_site
from support.random_circuits import NODES, of_edges, of_sites

quick = settings(max_examples=60, deadline=None, database=None)
ROLES = st.dictionaries(
    st.sampled_from(["name mover", "S-inhibition", "früh"]),
    st.lists(st.sampled_from(NODES), min_size=1, max_size=3),
    max_size=2,
)


def told(circuit: Circuit) -> tuple:
    """All that a circuit says; sites that its edges have anyway count once."""
    there = {placed.cell for placed in circuit.nodes}
    roles = {role: set(cells) & there for role, cells in circuit.roles.items()}
    return (
        circuit.nodes,
        circuit.edges,
        circuit.free,
        {role: cells for role, cells in roles.items() if cells},
        (circuit.name, circuit.model, circuit.source),
    )


@given(
    of_sites()
    | of_edges()
    | st.builds(lambda a, b: Circuit(a.cells, b.edges), of_sites(), of_edges()),
    ROLES,
    st.sampled_from([(), ("mlps",)]),
)
@quick
def test_json_gives_the_circuit_again(circuit: Circuit, roles: Any, free: Any) -> None:
    circuit = evolve(circuit, roles=roles, free=free, name="it", model="gpt2", source="§4, “x”")
    again = from_json(json.loads(as_json(circuit)), "it.json")
    assert told(again) == told(circuit)
    implied = Circuit(edges=circuit.edges).nodes
    if not set(circuit.cells) & set(implied):
        assert again == circuit


@given(of_sites(), ROLES)
@quick
def test_a_table_gives_the_nodes_again(circuit: Circuit, roles: Any) -> None:
    circuit = evolve(circuit, roles=roles, free="mlps")
    if circuit:
        again = Circuit.from_frame(circuit.frame, free=circuit.free, name="it")
        assert again == circuit.of_sites()
        assert told(again)[3] == told(circuit)[3]


def test_a_file_that_people_write(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(
        """{"schema": "scrub.circuit/1", "model": "gpt2", "free": ["mlps"],
        "nodes": [{"component": "head 9.9", "at": "end", "role": ["a", "b"]},
                  {"component": ["5.5", "5.8"], "at": ["s2", 3]}, {"component": "embeddings"}],
        "edges": [{"from": ["5.5", "mlp 0"], "to": "9.9", "into": ["q", "k"], "at": ["end"]},
                  {"from": "9.9", "to": "logits"}]}"""
    )
    found = scrub.read_circuit(file)
    five = heads([(5, 5)]) | mlp(0)
    edges = (
        *edge(five, heads([(9, 9)]), into=("q", "k"), at="end"),
        *edge(heads([(9, 9)]), output()),
    )
    nodes = [
        *(Placed(cell) for cell in components_named("embeddings")),
        *(Placed(cell, ("s2", 3)) for cell in heads([(5, 5), (5, 8)]).routes[0].cells),
        Placed(heads([(9, 9)]).routes[0].cells[0], ("end",)),
    ]
    assert found == Circuit(tuple(nodes), edges, ("mlps",))
    assert (found.name, found.model) == ("mine", "gpt2")
    assert {role: list(map(str, cells)) for role, cells in found.roles.items()} == {
        "a": ["head 9.9"],
        "b": ["head 9.9"],
    }


def test_a_table_that_people_have(tmp_path: Path) -> None:
    file = tmp_path / "heads.csv"
    file.write_text("# from a paper\nlayer, head,position,score\n9,9,end,0.3\n5, 5,,\n10,0,3,x\n")
    found = scrub.read_circuit(file)
    assert found == Circuit(
        Circuit.of(heads([(9, 9)], at="end"), heads([(5, 5)]), heads([(10, 0)], at=3)).cells,
        free=("mlps",),
    )
    frame = pd.DataFrame({"layer": [9.0, 0.0], "head": [9.0, float("nan")]})
    with_mlp = Circuit.from_frame(frame)
    assert with_mlp == Circuit.of(heads([(9, 9)]), mlp(0))
    assert list(with_mlp.frame["kind"]) == ["MLP", "head"]
    assert list(with_mlp.frame["head"].isna()) == [True, False]


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_files_are_written_and_read(tmp_path: Path, suffix: str) -> None:
    cells = Circuit.of(heads([(1, 0), (2, 1)], at=("end", 3)), embeddings()).cells
    circuit = Circuit(cells, free="mlps", roles={"late": [cells[-1].cell]})
    file = tmp_path / f"it{suffix}"
    scrub.write_circuit(circuit, file)
    again = scrub.read_circuit(str(file))
    assert again == circuit
    assert again.roles == circuit.roles
    assert again.name == "it"


@given(st.sampled_from([*NODES, Cell("embed"), Cell("logits"), Cell("x.y"), Cell("x", 3)]))
@quick
def test_names_of_components(cell: Cell) -> None:
    assert components_named(component_name(cell)) == (cell,)


def test_sites_that_are_no_components(tmp_path: Path) -> None:
    """Parts of a head, and what other graphs have, by the names of their sites."""
    circuit = Circuit.of(heads([(1, 0)], part="q"), site("x"))
    write_circuit(circuit, tmp_path / "it.json")
    assert read_circuit(tmp_path / "it.json") == circuit
    assert Circuit.from_frame(circuit.frame, free=()) == circuit


OURS = {"schema": "scrub.circuit/1"}
WRONG: dict[str, tuple[str, list[str]]] = {
    "another schema": (
        '{"schema": "scrub.results/1", "results": []}',
        [
            "FILE has the schema 'scrub.results/1', which is none of a circuit's. Tried: "
            "scrub.circuit/1, and graphs of EAP-IG and MIB, old and new."
        ],
    ),
    "no schema": (
        '{"heads": [[9, 9]]}',
        [
            "FILE has no schema, and the keys heads. Tried: scrub.circuit/1, and graphs of EAP-IG "
            "and MIB, old and new."
        ],
    ),
    "a list": (
        "[[9, 9]]",
        [
            "FILE is no circuit: it holds a list. Tried: scrub.circuit/1, and graphs of EAP-IG "
            "and MIB, old and new."
        ],
    ),
    "no JSON": (
        "layer,head\n9,9\n",
        ["FILE is not JSON: Expecting value, in line 1, column 1. A table has the suffix .csv."],
    ),
    "cut short": (
        '{"schema": "scrub.circuit/1", "nodes": [{"component": "9.',
        [
            "FILE is not JSON: it ends in the middle, in line 1, column 55. A table has the "
            "suffix .csv."
        ],
    ),
    "empty": (
        "",
        [
            "FILE is not JSON: it ends in the middle, in line 1, column 1. A table has the "
            "suffix .csv."
        ],
    ),
    "all at once": (
        json.dumps(
            OURS
            | {
                "names": "x",
                "model": 3,
                "free": ["mlp"],
                "nodes": [
                    {"component": "9.9", "at": ["end"]},
                    {"component": "MPL 0"},
                    {"at": "end"},
                    {"component": "9.9", "at": ["s2", "end"]},
                    {"component": "1.1", "pos": "end", "role": 3},
                    "2.2",
                    {"component": "3.3", "at": [1.5]},
                ],
                "edges": [
                    {"from": "1.1", "to": "9.9", "into": 3},
                    {"from": "1.1"},
                    {"from": "1.1", "to": "2.2"},
                    {"from": "1.1", "to": "2.2", "at": ["end"]},
                    {"from": "2.2", "to": "1.1"},
                ],
            }
        ),
        [
            'FILE: there is no key "names" here. The nearest is "name"; there are: schema, name, '
            "model, source, free, nodes, edges.",
            "FILE: model is 3, and not text.",
            "FILE: free: 'mlp' is no kind of components. The nearest is \"mlps\"; there are: mlps.",
            "FILE: nodes[1]: component: 'MPL 0' is no component. The nearest is \"MLP 0\"; there "
            "are: 9.9, MLP 0, embeddings, token embedding, position embedding, logits.",
            'FILE: nodes[2] has no "component".',
            "FILE: head 9.9 is there twice, in nodes[0] and nodes[3].",
            'FILE: nodes[4]: there is no key "pos" here. There are: component, at, role.',
            "FILE: nodes[4]: role is 3, and not text.",
            "FILE: nodes[5] is '2.2', and not an object.",
            "FILE: nodes[6]: at=[1.5]: 1.5 is no position. Give the name of a position column, a "
            'whole number counted from the first token, several of these, or "all".',
            'FILE: edges[0]: into is 3. Give a port, such as "q".',
            'FILE: edges[1] has no "to".',
            "FILE: head 1.1 → head 2.2 is there twice, in edges[2] and edges[3].",
            "FILE: its edges run in a circle: head 1.1 → head 2.2 → head 1.1.",
        ],
    ),
}
TABLES: dict[str, tuple[str, list[str]]] = {
    "no column": (
        "Layer,heads,position\n9,9,end\n",
        [
            'FILE: there is no column "layer". The nearest is "Layer"; there are: Layer, heads, '
            "position.",
            'FILE: there is no column "head". The nearest is "heads"; there are: Layer, heads, '
            "position.",
            'FILE: is column "Layer" meant as "layer"? Rename it, or leave it out.',
            'FILE: is column "heads" meant as "head"? Rename it, or leave it out.',
        ],
    ),
    "a misspelt one": (
        "layer,head,postion\n9,9,end\n",
        ['FILE: is column "postion" meant as "position"? Rename it, or leave it out.'],
    ),
    "all at once": (
        "layer,head,position,kind\n9,9,end,head\n9,x,end,head\n9,9,end,head\n0,1,,MLP\n,,,hat\n,,,\n"
        "1.5,2,,\n-1,2,,\n",
        [
            "FILE: row 1: head is 'x'. Give a whole number, 0 or more.",
            "FILE: rows 0 and 2 are both head 9.9 at end.",
            "FILE: row 3: an MLP has a layer, and no head.",
            "FILE: row 4: kind is 'hat'. There are: head, MLP, embeddings, token embedding, "
            "position embedding.",
            "FILE: row 5: it has neither layer nor head.",
            "FILE: row 6: layer is '1.5'. Give a whole number, 0 or more.",
            "FILE: row 7: layer is '-1'. Give a whole number, 0 or more.",
        ],
    ),
    "no rows": ("layer,head\n", ["FILE: the table has no rows."]),
    "nothing": ("# layer\n", ["FILE is no table: it is empty."]),
    "more fields than columns": (
        "layer,head\n9,9,end\n5,5\n1\n",
        ["FILE: row 0 has 3 fields (2 rows are like that), and the table 2 columns: layer, head."],
    ),
    "an open quote": ('layer,head\n9,"9\n', ["FILE is no table: unexpected end of data."]),
    "a column twice": (
        "layer,head,head\n9,9,9\n",
        ['FILE: there are 2 columns "head".'],
    ),
}


@pytest.mark.parametrize("name", [*WRONG, *(f"table: {name}" for name in TABLES)])
def test_what_is_wrong_in_a_file(name: str, tmp_path: Path) -> None:
    is_table = name.startswith("table: ")
    text, messages = TABLES[name.removeprefix("table: ")] if is_table else WRONG[name]
    file = tmp_path / f"mine.{'csv' if is_table else 'json'}"
    file.write_text(text)
    with pytest.raises(UserError) as refused:
        read_circuit(file)
    said = [str(problem).replace(str(file), "FILE") for problem in refused.value.problems]
    assert said == messages


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
    | st.sampled_from(["9.9", "MLP 0", "logits", "a0.h1", "m1->logits", "all", "q", 10**400]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["component", "at", "role", "from", "to", "into", "in_graph", "score",
                         "a0.h1", "input->m0", "m0->a1.h0<q>"]) | st.text(max_size=4),
        inner,
        max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip
KEYS = st.sampled_from(["name", "free", "model", "nodes", "edges", "cfg"])


@given(st.dictionaries(KEYS, ANYTHING), st.booleans())
@settings(quick, max_examples=200)
def test_whatever_is_in_a_file_is_read_or_refused(said: dict[str, Any], ours: bool) -> None:
    schema = {"schema": "scrub.circuit/1"} if ours else {"cfg": {}, "nodes": {}, "edges": {}}
    assume(ours or is_graph(schema | said))
    problems = []
    try:
        assert isinstance((from_json if ours else from_graph)(schema | said, "it"), Circuit)
    except UserError as error:
        problems = error.problems
    assert all(str(problem).startswith("it") for problem in problems)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "ioi.json").write_bytes(b"\xff\xfe")
    for path, message in {
        "ioj.json": f'There is no file {tmp_path}/ioj.json. The nearest is "ioi.json"; there are: '
        "ioi.json.",
        ".": f"{tmp_path} is a folder, where the file of a circuit is expected.",
        "ioi.json": f"{tmp_path}/ioi.json is no circuit: it is not text in UTF-8.",
    }.items():
        with pytest.raises(UserError) as refused:
            read_circuit(tmp_path / path)
        assert str(refused.value) == message
    with pytest.raises(UserError, match="is no path"):
        read_circuit(3)  # type: ignore[arg-type]  # that is the mistake
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match="nested too deep"):
        read_circuit(tmp_path / "deep.json")


UNSAID: dict[str, tuple[Callable[[Path], object], str]] = {
    "edges in a table": (
        lambda path: write_circuit(Circuit.of_edges(edge(mlp(0), output())), path / "it.csv"),
        "it.csv: a table holds no edges, and the circuit has 1. Write .json, or "
        "circuit.of_sites().",
    ),
    "no MLPs in a table": (
        lambda path: write_circuit(Circuit.of(heads([(0, 0)])), path / "it.csv"),
        "it.csv: a table of heads leaves MLPs free, and one with an MLP does not: this circuit "
        "would be read as another. Write .json.",
    ),
    "a format": (
        lambda path: write_circuit(Circuit.of(mlp(0)), path / "it.json", format="jsn"),
        "write_circuit: format='jsn': The nearest is \"json\"; there are: json, csv, mib.",
    ),
    "no circuit": (
        lambda path: write_circuit("ioi.json", path / "it.json"),  # type: ignore[arg-type]
        "write_circuit takes a Circuit, not a str.",
    ),
    "no folder": (
        lambda path: write_circuit(Circuit.of(mlp(0)), path / "none" / "it.json"),
        "none/it.json cannot be written: No such file or directory.",
    ),
    "no frame": (
        lambda path: Circuit.from_frame([(9, 9)]),
        "Circuit.from_frame takes a pandas frame, not a list.",
    ),
}


@pytest.mark.parametrize("name", UNSAID)
def test_what_cannot_be_written(name: str, tmp_path: Path) -> None:
    said, message = UNSAID[name]
    with pytest.raises(UserError) as refused:
        said(tmp_path)
    assert str(refused.value).replace(f"{tmp_path}/", "") == message
    assert list(tmp_path.iterdir()) == []


def test_edges_that_go_together_are_read_by_port() -> None:
    cell = Cell(attention_site(1, "z"), 0)
    circuit = Circuit(edges=[Edge(Cell("embed"), cell, "q"), Edge(Cell("pos_embed"), cell, "q")])
    assert '{"from": "embeddings", "to": "1.0", "into": "q"}' in as_json(circuit)
