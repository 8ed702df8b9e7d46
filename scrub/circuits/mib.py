"""Circuits as graphs of EAP-IG, the format of the Mechanistic Interpretability Benchmark (MIB).

    {"cfg": {"n_layers": 12, "n_heads": 12, "parallel_attn_mlp": false, "d_model": 768},
     "nodes": {"input": {"in_graph": true}, "a0.h1": {"in_graph": true}, "m0": …, "logits": …},
     "edges": {"input->a0.h1<q>": {"score": -0.04, "in_graph": true}, "a0.h1->m0": …}}

As written by `Graph.to_json` of github.com/hannamw/EAP-IG, src/eap/graph.py (from commit 4fad6c6,
2025-04-08); older versions (eap/graph.py up to commit 4e5d411) have a bare truth value in place of
each node's object, and null where an edge has no score. The benchmark's own example is
circuits/ioi-eap-ig.json of github.com/hannamw/MIB-circuit-track, its files of scores alone, with no
edge in the graph, are written by convert_mask_to_graph.py there. Bare truth values and scores are
read in place of an edge's object as well.

Its graphs know no positions. `input` is the token embedding; whatever is said of it is said of the
position embedding too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from scrub import names
from scrub.errors import Problems, UserError
from scrub.hypothesis.circuit import Circuit
from scrub.hypothesis.circuit_sets import nodes_of
from scrub.hypothesis.components import BOTH, head
from scrub.hypothesis.edges import Edge, Placed
from scrub.names import EMBED, LOGITS, Cell
from scrub.printing import printed

KEYS = ("cfg", "nodes", "edges")
LISTED = 6
"""Names that are wrong, told one by one, at most."""
_NODE = re.compile(r"input|logits|m(\d{1,6})|a(\d{1,6})\.h(\d{1,6})")
_EDGE = re.compile(r"(\S+?)->([^<\s]+)(?:<([qkv])>)?")


def is_graph(said: Mapping[str, Any]) -> bool:
    """Whether a JSON object is such a graph, in either version."""
    return all(isinstance(said.get(key), dict) for key in KEYS)


def from_graph(said: Mapping[str, Any], file: str) -> Circuit:
    """The circuit of the nodes and edges that are in the graph.

    Args:
        said: what is in the file.
        file: what messages call it.

    Raises:
        UserError: with all that is wrong in it; or no node and no edge is in the graph.
    """
    read = _read(said, file)
    edges = tuple(edge for one in read.edges if one.is_in for edge in _both(one.edge))
    nodes = [Placed(cell) for cell, is_in in read.nodes.items() if is_in]
    listed = [one for one in nodes if one.cell.site not in (EMBED, LOGITS)]
    if not edges and not listed:
        scored = sum(one.score is not None for one in read.edges)
        raise UserError(
            f"{file} holds no circuit: of {len(read.edges):,} edges, {scored:,} with a score, "
            "none is in the graph. Scores alone are read by scrub.circuits.files.read_edge_scores."
        )
    implied = {placed.cell for placed in nodes_of((), edges)}
    return Circuit(tuple(one for one in listed if one.cell not in implied), edges)


def edge_scores_of(said: Mapping[str, Any], file: str) -> dict[Edge, float]:
    """The score of each edge that has one, whether it is in the graph or not.

    Edges from `input` are those from the token embedding alone.

    Raises:
        UserError: with all that is wrong in it.
    """
    read = _read(said, file)
    return {one.edge: one.score for one in read.edges if one.score is not None}


@frozen
class _ReadEdge:
    edge: Edge
    is_in: bool
    score: float | None


@frozen
class _Read:
    nodes: dict[Cell, bool]
    edges: list[_ReadEdge]


@frozen
class _Shape:
    """Layers and heads as the file's cfg says; None where it does not."""

    layers: int | None
    heads: int | None
    parallel: bool

    def cell(self, name: str) -> Cell:
        """The component of a name. Raises ValueError with a sentence."""
        match = _NODE.fullmatch(name)
        if match is None:
            raise ValueError(
                f'"{name}" is no node. Nodes are input, m0, a0.h1, logits and the like.'
            )
        if name in ("input", "logits"):
            return Cell(EMBED if name == "input" else LOGITS)
        layer = int(match[1] or match[2])
        number = None if match[1] else int(match[3])
        if self.layers is not None and layer >= self.layers:
            raise ValueError(f'"{name}": cfg says that there are {self.layers} layers.')
        if number is not None and self.heads is not None and number >= self.heads:
            raise ValueError(f'"{name}": cfg says that a layer has {self.heads} heads.')
        return Cell(names.mlp(layer)) if number is None else head(layer, number)

    def edge(self, name: str) -> Edge:
        """The edge of a name. Raises ValueError with a sentence."""
        match = _EDGE.fullmatch(name)
        if match is None:
            raise ValueError(f'"{name}" is no edge. Edges are "m0->a1.h0<q>" and the like.')
        writer, reader = self.cell(match[1]), self.cell(match[2])
        if (reader.head is None) != (match[3] is None):
            lacks = "lacks its port: <q>, <k> or <v>" if reader.head is not None else "has a port"
            raise ValueError(f'"{name}" {lacks}.')
        if self._place(writer, writes=True) >= self._place(reader):
            raise ValueError(f'"{name}": {match[2]} does not come after {match[1]}.')
        return Edge(writer, reader, match[3])

    def _place(self, cell: Cell, *, writes: bool = False) -> float:
        """When it reads, or writes, in halves of layers."""
        if cell.name.layer is None:
            return -1 if cell.site == EMBED else math.inf
        is_mlp = cell.head is None
        return cell.name.layer + (0.5 if is_mlp and (writes or not self.parallel) else 0)


def _shape(cfg: Mapping[str, Any]) -> _Shape:
    found = [cfg.get(name) for name in ("n_layers", "n_heads")]
    whole = [one if isinstance(one, int) and not isinstance(one, bool) else None for one in found]
    return _Shape(*whole, parallel=cfg.get("parallel_attn_mlp") is True)


def _read(said: Mapping[str, Any], file: str) -> _Read:
    shape, problems = _shape(said["cfg"]), Problems()
    nodes: dict[Cell, bool] = {}
    for name, value in said["nodes"].items():
        try:
            nodes[shape.cell(name)] = _node_in(name, value)
        except ValueError as error:
            problems.add(str(error))
    edges: list[_ReadEdge] = []
    for name, value in said["edges"].items():
        try:
            edges.append(_ReadEdge(shape.edge(name), *_edge_in(name, value)))
        except ValueError as error:
            problems.add(str(error))
    if problems.found:
        more = len(problems.found) - LISTED
        listed = [f"{file}: {problem}" for problem in problems.found[:LISTED]]
        raise UserError(*listed, *([f"{file}: {more:,} more are wrong."] if more > 0 else []))
    return _Read(nodes, edges)


def _node_in(name: str, value: Any) -> bool:
    is_in = value.get("in_graph") if isinstance(value, dict) else value
    if not isinstance(is_in, bool):
        raise ValueError(
            f'"{name}" is {printed(value)}. Give {{"in_graph": true}}, or a truth value.'
        )
    neurons = value.get("neurons") if isinstance(value, dict) else None
    if is_in and isinstance(neurons, list) and not all(neurons):
        raise ValueError(f'"{name}" is in the graph by some neurons; nodes here are whole ones.')
    return is_in


def _edge_in(name: str, value: Any) -> tuple[bool, float | None]:
    """Whether an edge is in the graph, and its score."""
    if isinstance(value, dict):
        is_in, score = value.get("in_graph", False), value.get("score")
    elif isinstance(value, bool):
        is_in, score = value, None
    else:
        is_in, score = False, value
    is_number = isinstance(score, int | float) and not isinstance(score, bool)
    if not isinstance(is_in, bool) or not (is_number or (score is None and value is not None)):
        raise ValueError(f'"{name}" is {printed(value)}. Give {{"score": 0.1, "in_graph": true}}.')
    try:
        return is_in, None if score is None else float(score)
    except OverflowError as error:
        raise ValueError(f'"{name}" has a score that is no number.') from error


def _both(edge: Edge) -> Iterator[Edge]:
    """The edge; from `input`, those from both embeddings."""
    if edge.writer != Cell(EMBED):
        yield edge
        return
    for writer in BOTH:
        yield Edge(writer, edge.reader, edge.into, edge.at)
