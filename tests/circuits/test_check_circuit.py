"""A circuit of another model or of other data: what these lack is said at once."""

from __future__ import annotations

import numpy as np
from attrs import evolve

from hypothesis import given, settings
from scrub.checks.structure import check
from scrub.circuits.check import check_circuit
from scrub.circuits.kept import keeping
from scrub.data.dataset import Dataset
from scrub.errors import UserError
from scrub.hypothesis.circuit import Circuit, edge
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import embeddings, heads, mlp, output
from scrub.model.bridge import graph_of
from scrub.model.registry import Model
from scrub.names import Cell
from scrub.samplers import Exact
from support import tiny_models
from support.random_circuits import of_edges, of_sites

DATA = Dataset(
    "words",
    inputs={"tokens": np.arange(20).reshape(4, 5) % tiny_models.VOCABULARY},
    lengths=np.full(4, 5),
    positions={"end": np.full(4, 4), "s2": np.array([2, 3, 2, 3])},
)


def model(name: str = "3x2") -> Model:
    return Model(name, graph_of(tiny_models.bridge(name)))


def said(circuit: Circuit, data: Dataset | None = None) -> list[str]:
    try:
        check_circuit(circuit, model(), data)
    except UserError as error:
        return list(map(str, error.problems))
    return []


def test_another_models_shape() -> None:
    circuit = Circuit.of(heads([(9, 9), (5, 5), (0, 3), (7, 1), (8, 0), (4, 0), (3, 0)]), mlp(5))
    problems = said(evolve(circuit, name="ioi", model="gpt2"))
    has = "the model has layers 0 to 2 with heads 0 to 1 each."
    assert problems == [
        f'Circuit "ioi": There is no head 0.3: {has} The nearest is head 0.1.',
        f'Circuit "ioi": There is no head 3.0: {has} The nearest is head 2.0.',
        f'Circuit "ioi": There is no head 4.0: {has} The nearest is head 2.0.',
        f'Circuit "ioi": There is no head 5.5: {has} The nearest is head 2.1.',
        'Circuit "ioi": There is no MLP 5: the model has layers 0 to 2. The nearest is MLP 2.',
        f'Circuit "ioi": There is no head 7.1: {has} The nearest is head 2.1.',
        'Circuit "ioi": 2 more nodes are none of the model\'s.',
        'Circuit "ioi": It says that it is of model "gpt2", and this is "3x2".',
    ]


def test_edges_that_the_model_does_not_have() -> None:
    circuit = Circuit.of_edges(
        edge(mlp(1), heads([(0, 0)]), into="q"),
        edge(heads([(0, 0)]), mlp(1)),
        edge(mlp(0), heads([(2, 1)]), into="x"),
    )
    assert said(circuit) == [
        "The circuit: its edges run in a circle: head 0.0 → MLP 1 → head 0.0. Take out the edge "
        "that the model does not have.",
        "The circuit: MLP 1 → head 0.0: the model has no such edge; MLP 1 comes after it. Is it "
        "edge(heads([(0, 0)]), mlp(1))?",
        'The circuit: MLP 0 → head 2.1: head 2.1 has no port "x" by which it reads. There are: k, '
        "q, v.",
    ]


def test_positions_that_the_data_does_not_have() -> None:
    circuit = Circuit.of(heads([(0, 0)], at=("s1", "end")), mlp(1, at=7))
    assert said(circuit) == []
    assert said(circuit, DATA) == [
        'The circuit: dataset "words" has no position column "s1". There are: end, s2.',
        'The circuit: position 7 is outside dataset "words": its rows have positions 0 to 4. The '
        "nearest is 4.",
    ]


def test_an_empty_one() -> None:
    assert said(Circuit()) == ["The circuit: it is empty, and names neither nodes nor edges."]


def test_embeddings_of_a_model_without_positions() -> None:
    circuit = Circuit.of_edges(edge(embeddings(), heads([(1, 0)]), into="q"))
    check_circuit(circuit, model("llama"))
    assert {e.writer for e in circuit.on(model("llama")).edges} == {Cell("embed")}


@given(of_sites() | of_edges())
@settings(max_examples=25, deadline=None, database=None)
def test_what_passes_is_kept_to(circuit: Circuit) -> None:
    """The engine's check has nothing to add, but that no path may lead through."""
    circuit = evolve(circuit, free="mlps")
    if not circuit or said(circuit):
        return
    logits = InterpNode("logits", Exact())
    inside = logits.child("inside", Exact())
    kept = keeping(circuit, model())
    sites = {logits: output(at="end"), inside: embeddings(through=kept)}  # type: ignore[arg-type]
    data = evolve(DATA, positions=DATA.positions | {"end": np.full(4, 4)})
    problems = [
        p for p in check(Correspondence(sites), model().graph, data) if "No path" not in p.what
    ]
    assert problems == []
