"""What pruning takes out, and that circuits of edges do what the nodes between them do."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from attrs import evolve

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub import Circuit, edge, heads, mlp, output
from scrub.circuits.edges import all_edges
from scrub.circuits.kept import WHOLE, keeping
from scrub.circuits.measurements import Measurements
from scrub.hypothesis.circuit import Placed
from scrub.names import LOGITS, Cell
from scrub.searches.pruned_parts import (
    Anatomy,
    edge_name,
    edge_parts,
    kept_of,
    meeting,
    node_part,
    on_paths,
    port_parts,
    position_parts,
    trimmed,
    with_edges,
)
from support import tiny_behaviours as tiny


@functools.cache
def anatomy() -> Anatomy:
    return Anatomy.of(tiny.subject().root, tiny.subject().model)


@functools.cache
def measured() -> Measurements:
    return tiny.measurements()


def cells() -> tuple[Cell, ...]:
    return (*anatomy().nodes("heads"), *anatomy().nodes("mlps"))


AT = st.sampled_from(["all", ("end",), ("early",), ("early", "end")])


@st.composite
def node_circuits(draw: st.DrawFn) -> Circuit:
    chosen = draw(st.lists(st.sampled_from(cells()), min_size=1, unique=True))
    return Circuit(cells=tuple(Placed(cell, draw(AT)) for cell in chosen))


def test_all_nodes_and_edges_are_those_of_the_model() -> None:
    assert [str(cell) for cell in cells()] == [
        "head 0.0", "head 0.1", "head 1.0", "head 1.1", "MLP 0", "MLP 1",
    ]  # fmt: skip
    assert anatomy().edges == all_edges(tiny.subject().graph)
    assert {one.site for one in anatomy().last} == {LOGITS}


@settings(max_examples=30, deadline=None)
@given(node_circuits())
def test_edges_among_nodes_do_what_the_nodes_do(circuit: Circuit) -> None:
    edges = with_edges(circuit, anatomy(), tiny.subject().data)
    kept = [keeping(circuit, anatomy().model), kept_of(edges, anatomy())]
    ((nodes, between),) = measured().numbers(kept)
    assert np.allclose(nodes, between, rtol=0, atol=1e-9)


def test_a_mutant_that_reads_queries_elsewhere_is_caught() -> None:
    """The test above is not blind to an edge's positions."""
    circuit = Circuit.of(heads([(0, 0)], at="early"), heads([(1, 0)], at="end"))
    right = with_edges(circuit, anatomy(), tiny.subject().data)
    wrong = evolve(right, edges=tuple(evolve(one, at=("end",)) for one in right.edges))
    ((found, mutant),) = measured().numbers([kept_of(one, anatomy()) for one in (right, wrong)])
    assert not np.allclose(found, mutant, rtol=0, atol=1e-6)


EDGES = st.lists(st.sampled_from(range(61)), min_size=1, unique=True)


@settings(max_examples=25, deadline=None)
@given(EDGES)
def test_edges_on_no_path_change_nothing(numbers: list[int]) -> None:
    edges = tuple(anatomy().edges[number] for number in numbers)
    alive = on_paths(edges, anatomy().last, anatomy().model.graph)
    kept = [
        keeping(Circuit(edges=edges), anatomy().model),
        kept_of(Circuit(edges=edges), anatomy()),
    ]
    if alive:
        assert kept[1] == keeping(Circuit(edges=alive), anatomy().model)
    else:
        assert kept[1] is None
    ((every, some),) = measured().numbers(kept)
    assert np.allclose(every, some, rtol=0, atol=1e-9)


def test_paths_by_hand() -> None:
    found = Circuit.of_edges(
        edge(heads([(0, 0)]), heads([(1, 0)]), into="q"),
        edge(heads([(1, 0)]), output()),
        edge(heads([(0, 1)]), output()),
        edge(mlp(0), heads([(1, 0)]), into="k"),
    )
    into_mlp = tuple(one for one in anatomy().edges if str(one) == "embed → MLP 0")
    circuit = Circuit(edges=(*found.edges, *into_mlp))
    assert [str(one) for one in trimmed(circuit, anatomy()).edges] == [
        "embed → MLP 0", "MLP 0 → head 1.0 into k", "head 1.0 → logits",
    ]  # fmt: skip
    assert trimmed(found, anatomy()) == Circuit()


def test_nodes_of_which_no_path_is_left_are_trimmed() -> None:
    circuit = with_edges(Circuit.of(heads([(0, 0), (1, 0)])), anatomy(), None)
    cut = evolve(
        circuit, edges=tuple(one for one in circuit.edges if one.writer.site != "blocks.0.attn.z")
    )
    assert [str(one) for one in trimmed(cut, anatomy()).cells] == ["head 1.0"]


def test_of_free_mlps_edges_are_kept_where_no_other_is_left() -> None:
    free = Circuit(cells=tuple(map(Placed, anatomy().nodes("heads"))), free=("mlps",))
    kept = kept_of(free, anatomy())
    assert kept is not None
    assert kept.circuit is not None
    mlps = set(anatomy().nodes("mlps"))
    assert all(one.writer in mlps or one.reader in mlps for one in kept.circuit.edges)
    assert kept_of(evolve(free, free=()), anatomy()) is None
    explicit = {str(edge) for edge in kept.circuit.edges}
    assert {"MLP 0 → head 1.1 into q", "head 1.1 → MLP 1", "embed → MLP 0"} <= explicit
    assert "head 0.0 → MLP 0" not in explicit  # nothing leads into it


def test_a_node_is_divided_into_columns_and_what_is_beside_them() -> None:
    cell = anatomy().nodes("heads")[0]
    circuit = Circuit(cells=(Placed(cell),))
    parts = position_parts(circuit.cells[0], ("early", "end"))
    assert [part.name for part in parts] == [
        "head 0.0 at other positions", "head 0.0 at early", "head 0.0 at end",
    ]  # fmt: skip
    assert parts[1].without(circuit) == circuit  # at all positions: nothing to take out yet
    placed = parts[0].without(circuit)
    assert placed.cells == (Placed(cell, ("early", "end")),)
    assert parts[0].without(placed) == placed
    end = parts[1].without(placed)
    assert end.cells == (Placed(cell, ("end",)),)
    assert parts[2].without(end).cells == ()
    assert [part.name for part in position_parts(end.cells[0], ("early", "end"))] == [
        "head 0.0 at end"
    ]
    assert position_parts(circuit.cells[0], ()) == []


def test_nodes_ports_and_edges_are_taken_out() -> None:
    circuit = with_edges(Circuit.of(heads([(0, 0), (1, 0)])), anatomy(), None)
    ports = {part.name: part for part in port_parts(circuit)}
    assert list(ports) == [
        f"all into {port} of head {head}" for head in ("0.0", "1.0") for port in "kqv"
    ]
    left = ports["all into q of head 1.0"].without(circuit)
    gone = set(circuit.edges) - set(left.edges)
    assert {edge_name(one) for one in gone} == {
        f"{writer} → head 1.0 into q" for writer in ("embed", "pos_embed", "head 0.0")
    }
    part = next(one for one in edge_parts(circuit) if one.name == "head 0.0 → logits")
    assert len(part.without(circuit).edges) == len(circuit.edges) - 1
    assert part.without(part.without(circuit)) == part.without(circuit)
    node = node_part(circuit.cells[0].cell, "heads")
    assert [str(one) for one in node.without(circuit).cells] == ["head 1.0"]


@pytest.mark.parametrize(
    ("written", "read", "expected"),
    [
        ("all", ("end",), ("end",)),
        (("end",), "all", ("end",)),
        (("early",), ("end",), ()),
        (("early", 2), ("early",), ("early", 2)),
        (("end",), (5,), ("end",)),
        ((0,), (1,), ()),
    ],
)
def test_positions_meet_where_some_row_has_both(
    written: object, read: object, expected: object
) -> None:
    assert meeting(written, read, tiny.subject().data) == expected  # type: ignore[arg-type]


def test_the_whole_model_is_all_of_its_edges() -> None:
    every = Circuit(edges=anatomy().edges)
    ((whole, edges),) = measured().numbers([WHOLE, kept_of(every, anatomy())])
    assert np.allclose(whole, edges, rtol=0, atol=1e-9)
