"""Circuits as sets: the laws of sets on random ones, and small ones by hand."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest
from attrs import evolve

from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from scrub.errors import UserError
from scrub.hypothesis import circuit_sets
from scrub.hypothesis.circuit import Circuit, Edge, Placed, edge
from scrub.hypothesis.sites import embeddings, heads, mlp, output
from scrub.model.bridge import graph_of
from scrub.model.registry import Model
from scrub.names import Cell, attention_site
from support import tiny_models
from support.random_circuits import NODES, SOME, of_edges, of_sites

quick = settings(max_examples=60, deadline=None, database=None)
ANY_TWO = st.tuples(of_sites(), of_sites()) | st.tuples(of_edges(), of_edges())
ANY_THREE = st.tuples(*[of_sites()] * 3) | st.tuples(*[of_edges()] * 3)
SAID = st.tuples(*[of_sites(SOME)] * 2) | st.tuples(*[of_edges(SOME, any_port=False)] * 2)
EMPTY = Circuit()


def head(layer: int, number: int) -> Cell:
    return Cell(attention_site(layer, "z"), number)


def is_boolean_lattice(a: Circuit, b: Circuit, c: Circuit) -> bool:
    """Whether the laws of union and intersection hold of three circuits."""
    return (
        a | b == b | a
        and a & b == b & a
        and a | (b | c) == (a | b) | c
        and a & (b & c) == (a & b) & c
        and a & (a | b) == a
        and a | (a & b) == a
        and a & (b | c) == (a & b) | (a & c)
        and a | EMPTY == a
        and a & EMPTY == EMPTY
    )


@given(ANY_THREE)
@quick
def test_union_and_intersection(three: tuple[Circuit, Circuit, Circuit]) -> None:
    assert is_boolean_lattice(*three)


@given(SAID)
@quick
def test_a_difference_is_what_is_left(two: tuple[Circuit, Circuit]) -> None:
    a, b = two
    assert (a - b) & b == EMPTY
    assert (a - b) | (a & b) == a
    assert a - (a & b) == a - b
    assert a - a == EMPTY


@pytest.mark.parametrize(
    ("name", "spoilt"),
    [
        ("common_cells", lambda a, b: a),
        ("common_edges", lambda a, b: tuple(e for e in a if e in b)),
        ("met", lambda a, b: a if a == b else ()),
    ],
)
def test_the_laws_tell_a_wrong_intersection(
    name: str, spoilt: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = circuit_sets if name == "met" else __import__("scrub.hypothesis.circuit", fromlist="_")
    monkeypatch.setattr(place, name, spoilt)

    @given(ANY_THREE)
    @settings(quick, max_examples=300, phases=[Phase.generate])
    def laws(three: tuple[Circuit, Circuit, Circuit]) -> None:
        assert is_boolean_lattice(*three)

    with pytest.raises(AssertionError):
        laws()


@given(of_sites(SOME) | of_edges(SOME), st.sets(st.sampled_from(NODES)), SOME | st.just("all"))
@quick
def test_what_is_taken_away_is_gone(circuit: Circuit, gone: set[Cell], at: object) -> None:
    assume(
        at == "all" or all(placed.at != "all" for placed in circuit.nodes if placed.cell in gone)
    )
    left = circuit.without([Placed(cell, at) for cell in gone])  # type: ignore[arg-type]
    for placed in left.nodes:
        assert placed.cell not in gone or circuit_sets.met(placed.at, at) == ()  # type: ignore[arg-type]
    assert set(left.edges) <= set(circuit.edges) or left & circuit == left
    if at == "all":
        ends = {cell for e in left.edges for cell in (e.writer, e.reader)}
        assert gone.isdisjoint(ends)
        kept = {e for e in circuit.edges if {e.writer, e.reader}.isdisjoint(gone)}
        assert set(left.edges) == kept


@given(of_edges())
@quick
def test_nodes_are_the_ends_of_edges(circuit: Circuit) -> None:
    ends = {cell for e in circuit.edges for cell in (e.writer, e.reader)} - {Cell("logits")}
    assert {placed.cell for placed in circuit.nodes} == ends
    assert circuit.of_sites().nodes == circuit.nodes
    assert len(circuit) == len(ends - {Cell("embed"), Cell("pos_embed")})


def test_where_nodes_write() -> None:
    """A node writes where edges lead from it; an end that leads nowhere, where it stands."""
    circuit = Circuit.of_edges(
        edge(heads([(0, 0)]), heads([(1, 0)]), into=("k", "v"), at="s2"),
        edge(heads([(1, 0)]), output(), at="end"),
        edge(heads([(0, 0)]), heads([(1, 1)]), into="q", at="end"),
        edge(heads([(0, 0)]), heads([(2, 0)]), into="k", at="end"),
        edge(embeddings(), mlp(0), at=1),
    )
    assert [str(node) for node in circuit.nodes] == [
        "embed",
        "pos_embed",
        "head 0.0 at end/s2",
        "MLP 0 at 1",
        "head 1.0 at end",
        "head 1.1 at end",
        "head 2.0",
    ]
    assert len(circuit) == 5
    assert circuit.heads == ((0, 0), (1, 0), (1, 1), (2, 0))
    named = evolve(circuit, cells=(Placed(head(0, 0), ("s2",)),))
    assert "head 0.0 at s2" in map(str, named.nodes)


def test_a_node_goes_with_its_edges() -> None:
    circuit = Circuit.of_edges(
        edge(embeddings(), heads([(1, 0)]), into="q", at=("s2", "end")),
        edge(embeddings(), heads([(1, 0)]), into="k", at="io"),
        edge(heads([(1, 0)]), output(), at=("s2", "end")),
        edge(mlp(0), output()),
    )
    left = circuit.without(heads([(1, 0)], at="s2"))
    assert left == Circuit.of_edges(
        edge(embeddings(), heads([(1, 0)]), into="q", at="end"),
        edge(embeddings(), heads([(1, 0)]), into="k", at="io"),
        edge(heads([(1, 0)]), output(), at="end"),
        edge(mlp(0), output()),
    )
    assert circuit.without([head(1, 0)]) == Circuit.of_edges(edge(mlp(0), output()))
    assert circuit.without(circuit.nodes) == EMPTY
    assert circuit.without([head(2, 1)]) == circuit


def test_an_edge_into_any_port_holds_the_others() -> None:
    q, k = edge(mlp(0), heads([(1, 0)]), into="q"), edge(mlp(0), heads([(1, 0)]), into="k", at=1)
    whole = edge(mlp(0), heads([(1, 0)]))
    assert Circuit.of_edges(whole, q, k) == Circuit.of_edges(whole)
    assert Circuit.of_edges(whole) & Circuit.of_edges(q, k) == Circuit.of_edges(q, k)
    there = edge(mlp(0), heads([(1, 0)]), at=1)
    assert Circuit.of_edges(there, q).edges == (*there, *q)


def test_what_is_said_about_a_circuit() -> None:
    a, b = Circuit.of(heads([(0, 0), (0, 1)])), Circuit.of(heads([(0, 1), (1, 0)]))
    a = evolve(a, name="a", model="gpt2", source="here", roles={"early": [head(0, 0), head(0, 1)]})
    b = evolve(b, name="b", source="there", roles={"early": [head(0, 1)], "late": [head(1, 0)]})
    assert a == evolve(a, name="c", roles={})
    assert hash(a) == hash(evolve(a, name="c", roles={}))
    both = a | b
    assert (both.name, both.model, both.source) == ("a | b", "gpt2", "here; there")
    assert both.roles == {"early": (head(0, 0), head(0, 1)), "late": (head(1, 0),)}
    assert (a & b).roles == {"early": (head(0, 1),)}
    assert (a - b).roles == {"early": (head(0, 0),)}
    assert a.without([head(0, 0)]).roles == {"early": (head(0, 1),)}
    assert pickle.loads(pickle.dumps(both)).roles == both.roles


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "some of all positions": (
        lambda: Circuit.of(mlp(0)) - Circuit.of(mlp(0, at="end")),
        "MLP 0 is in the circuit at all positions, and cannot be taken away at end alone: which "
        "positions are left depends on the data. Name its positions in the circuit, or take it "
        "away at all of them.",
    ),
    "a port of any": (
        lambda: (
            Circuit.of_edges(edge(mlp(0), heads([(1, 0)])))
            - Circuit.of_edges(edge(mlp(0), heads([(1, 0)]), into="q"))
        ),
        "MLP 0 → head 1.0 is in the circuit by any port, and cannot be taken away by port "
        '"q" alone. Name the ports in the circuit: edge(writer, reader, into=("q", "k", "v")).',
    ),
    "sites beside edges": (
        lambda: Circuit.of(mlp(0)) | Circuit.of_edges(edge(mlp(0), output())),
        "circuit | other: one is a circuit of edges, and the other of sites alone. Take the nodes "
        "of both: circuit.of_sites() | other.of_sites().",
    ),
    "free beside explicit": (
        lambda: Circuit.of(mlp(0)) & evolve(Circuit.of(mlp(0)), free="mlps"),
        "circuit & other: one leaves nothing free, and the other mlps. Name what is free: "
        "circuit.on(model).",
    ),
    "an unknown kind": (
        lambda: evolve(Circuit.of(mlp(0)), free="mlp"),
        "Circuit: free='mlp': The nearest is \"mlps\"; there are: mlps.",
    ),
    "no nodes": (
        lambda: Circuit.of(mlp(0)).without([(9, 9)]),  # type: ignore[list-item]  # the mistake
        "without(…) takes nodes, and was given a tuple. Give sites, heads([(9, 9)], "
        'at="end"), or some of circuit.nodes.',
    ),
    "a path through what is free": (
        lambda: embeddings(through=evolve(Circuit.of(heads([(9, 9)])), free="mlps")),
        "through=Circuit(head 9.9, mlps free): the circuit leaves mlps free, and a path must be "
        "told what it passes. Write through=circuit.on(model).",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_said(name: str) -> None:
    said, message = REFUSED[name]
    with pytest.raises(UserError) as refused:
        said()
    assert str(refused.value) == message


def test_paths_go_by_edges_where_there_are_any() -> None:
    edges = Circuit.of_edges(edge(embeddings(), mlp(0)), edge(mlp(0), output()))
    named = evolve(edges, cells=(Placed(head(2, 0), ("end",)),), name="both")
    assert embeddings(through=named) == embeddings(through=edges)


# What is free


def model(name: str = "3x2") -> Model:
    return Model(name, graph_of(tiny_models.bridge(name)))


def all_edges(circuit: Circuit, model: Model) -> set[Edge]:
    """Every edge among the embeddings, a circuit's nodes and the logits, where nodes write."""
    embedded = [Cell(name) for name in ("embed", "pos_embed") if name in model.graph.sites]
    places = dict.fromkeys(embedded, "all")
    places |= {placed.cell: placed.at for placed in circuit.nodes}
    found = set()
    for writer, at in places.items():
        for reader in (*places, Cell("logits")):
            ports = model.graph.read_by[model.graph.sites[reader.site].group].values()
            read = {name for names in ports for name in names}
            if any(model.graph.component(writer) in model.graph.written[name] for name in read):
                found.add(Edge(writer, reader, None, at))  # type: ignore[arg-type]
    return found


@given(of_sites(most=4), st.sampled_from(["3x2", "neox"]))
@settings(quick, max_examples=30)
def test_free_mlps_read_all_and_are_read_by_all(circuit: Circuit, name: str) -> None:
    subject = model(name)
    known = [one for one in circuit.cells if one.cell.site in subject.graph.sites]
    circuit = Circuit(tuple(one for one in known if one.cell.head is not None), free=("mlps",))
    edges = Circuit(edges=tuple(all_edges(circuit, subject)), free=("mlps",))
    explicit = circuit.on(subject)
    assert explicit.free == ()
    assert explicit.on(subject) is explicit
    assert {str(one) for one in explicit.cells} >= {f"MLP {n}" for n in range(2)}
    assert set(edges.on(subject).edges) == all_edges(explicit, subject)


def test_a_model_without_mlps_has_none_to_free() -> None:
    circuit = Circuit.of(heads([(0, 0)], at="end"))
    lens = next(name for name, shape in tiny_models.SHAPES.items() if not shape.mlps)
    assert evolve(circuit, free="mlps").on(model(lens)) == circuit


def test_an_embedding_alone_is_a_circuit() -> None:
    direct = Circuit.of_edges(edge(embeddings(), output()))
    assert (len(direct), bool(direct), bool(EMPTY)) == (0, True, False)
