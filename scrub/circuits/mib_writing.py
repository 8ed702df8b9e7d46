"""Write circuits as graphs of EAP-IG and MIB: see `scrub.circuits.mib`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from scrub import names
from scrub.circuits.check import check_circuit
from scrub.circuits.edges import all_edges
from scrub.errors import UserError
from scrub.hypothesis.circuit import EMBEDDINGS, Circuit
from scrub.hypothesis.components import BOTH
from scrub.hypothesis.edges import Edge
from scrub.hypothesis.positions import ALL
from scrub.model.registry import Model, describe
from scrub.names import EMBED, LOGITS, Cell

EdgeScores = Mapping[Edge, float]


def as_graph(circuit: Circuit, model: Any = None, scores: EdgeScores | None = None) -> str:
    """A circuit as such a graph, which lists all nodes and edges of its model.

    A circuit of sites has all edges among its nodes. `input` and `logits` are always in it.

    Args:
        model: a name, or a `Model`; default `circuit.model`.
        scores: by edge, as `edge_scores_of` gives them; of others, and without any, an edge in the
            circuit has 1 and others 0, since EAP-IG reads no graph without.

    Raises:
        UserError: the model is not known, or is no transformer; the circuit names positions, or
            what the model does not have.
    """
    if any(one.at != ALL for one in (*circuit.cells, *circuit.edges)):
        raise UserError(
            "MIB's graphs have no positions, and the circuit names some. Say that it is the same "
            "at all: Circuit(edges=[evolve(edge, at='all') for edge in circuit.edges])."
        )
    known = _model(circuit, model)
    check_circuit(circuit, known)
    explicit = circuit.on(known)
    every = [edge for edge in all_edges(known.graph) if edge.writer != BOTH[1]]
    inside = {placed.cell for placed in explicit.nodes} | {Cell(EMBED), Cell(LOGITS)}
    kept = {(one.writer, one.reader, one.into) for one in explicit.edges}
    graph: dict[str, Any] = {"cfg": _cfg(known), "nodes": {}, "edges": {}}
    for cell in dict.fromkeys([Cell(EMBED), *(edge.reader for edge in every)]):
        graph["nodes"][_name(cell)] = {"in_graph": cell in inside}
    for edge in every:
        is_in = {edge.writer, edge.reader} <= inside
        if kept:
            ports = (edge.into, None)
            is_in = any((edge.writer, edge.reader, port) in kept for port in ports)
        score = (scores or {}).get(edge, float(is_in))
        port = "" if edge.into is None else f"<{edge.into}>"
        name = f"{_name(edge.writer)}->{_name(edge.reader)}{port}"
        graph["edges"][name] = {"score": score, "in_graph": is_in}
    return json.dumps(graph) + "\n"


def _model(circuit: Circuit, given: Any) -> Model:
    if given is None and not circuit.model:
        raise UserError(
            "MIB's graphs list all nodes and edges of a model, and the circuit does not say of "
            'which it is. Give the model: write_circuit(…, format="mib", model="gpt2").'
        )
    known = given if isinstance(given, Model) else describe(given or circuit.model)
    if names.resid_pre(0) not in known.graph.streams:
        raise UserError(f'Model "{known.name}" is no transformer, which MIB\'s graphs are of.')
    return known


def _cfg(model: Model) -> dict[str, Any]:
    graph = model.graph
    layers = {s.layer for s in graph.sites.values() if s.layer is not None}
    z = graph.sites[names.attention_site(0, "z")]
    return {
        "n_layers": len(layers),
        "n_heads": z.heads,
        "parallel_attn_mlp": graph.mlps and names.resid_mid(0) not in graph.streams,
        "d_model": graph.streams[names.resid_pre(0)].size,
    }


def _name(cell: Cell) -> str:
    """What such graphs call a component."""
    if cell.site in EMBEDDINGS:
        return "input"
    if cell.site == LOGITS:
        return "logits"
    layer = cell.name.layer
    return f"m{layer}" if cell.head is None else f"a{layer}.h{cell.head}"
