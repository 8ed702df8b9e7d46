"""The circuit that a claim names, with all that its paths may pass in the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from scrub.circuits.known_edges import ROOT_CELL, Components
from scrub.data.dataset import Dataset
from scrub.engine.passing import passage
from scrub.errors import UserError
from scrub.hypothesis.circuit import Circuit, Edge
from scrub.hypothesis.claim import Claim
from scrub.hypothesis.claimed_circuit import Step, named_circuit, whole
from scrub.hypothesis.collect import collected
from scrub.hypothesis.positions import ALL, At, Spec
from scrub.model.graph import Graph
from scrub.names import Cell
from scrub.runner.options import Options
from scrub.runner.prepare import prepare
from scrub.runner.session import Session
from scrub.samplers import source_of


def circuit_of(claim: Claim, model: Any = None, *, session: Session | None = None) -> Circuit:
    """The sites and edges that a claim names: each node and its parent are an edge, by a port.

    A path through MLPs is an edge beside which MLPs run freely (`free=("mlps",)`). A path that may
    pass more gives all edges of the model that lie on it; one that keeps to a circuit, the
    circuit's. Roles are what the nodes are called. Summands are taken for the whole of their site.

    Law: of the tree that a circuit is unrolled to (`as_tree` of a file that `--save` writes), it is
    the circuit again, as far as paths lead by it from the embeddings to the root.

    Args:
        model: instead of the one that its file names.
        session: to share what is read of models and data.

    Raises:
        UserError: what is given is no claim; it is illegal, or has no node below the root.
    """
    if not isinstance(claim, Claim):
        raise UserError(
            f"circuit_of(…) takes a claim, and was given a {type(claim).__name__}. Give a function "
            "decorated with @claim(…)."
        )
    options = Options(model=model)
    (prepared,) = prepare([collected(claim)], session or Session(), options)
    others = (source_of(node.node.other) for node in prepared.tree.walk())
    brought = dict.fromkeys(table for table in others if table is not None)
    return named_circuit(prepared.tree, _Ways(prepared.model.graph, (prepared.data, *brought)))


@frozen(eq=False)
class _Ways:
    """The edges of a model that lie on a path, in some row."""

    graph: Graph
    tables: Sequence[Dataset]

    def __call__(self, step: Step) -> Iterator[Edge]:
        """All on the ways from a reader to where a path ends."""
        components = Components(self.graph, (step.reader,))
        end = components.writer_of(evolve(step.writer, part=None))
        reader = whole(step.reader)
        if _is_stream(step):
            (port,) = components.ports_of(step.writer)
            said = port if end.head is not None else None
            for writer in _read_by(step.writer, port, components):
                yield Edge(writer, whole(step.writer), said, step.at)
            if whole(step.writer) == reader:
                return
        passed: dict[Cell, At] = {**self._passed(step, components), end: step.at}
        edges = list(_upstream(step, reader, passed, end, components, self.tables))
        on_a_way = {end}
        for edge in reversed(edges):  # each after those that are nearer to the reader
            if edge.writer in on_a_way:
                on_a_way.add(edge.reader)
        yield from (edge for edge in edges if edge.writer in on_a_way)

    def _passed(self, step: Step, components: Components) -> dict[Cell, At]:
        """The components that a path may pass, with the positions."""
        found: dict[Cell, At] = {}
        for cell in components.written_by.values():
            here = passage(step.route.through, cell, self.graph)
            if components.kind(cell) == "embedding" or here.nowhere:
                continue
            if here.at == ALL and here.never:
                raise UserError(
                    f"A path of it passes {cell} at all positions but {_listed(here.never)}: which "
                    "are left depends on the data, and a circuit names its positions. Name those "
                    "that are passed: none.including(…)."
                )
            found[cell] = (
                here.at
                if isinstance(here.at, str)
                else tuple(spec for spec in here.at if spec not in here.never)
            )
        return found


def _read_by(reader: Cell, port: str, components: Components) -> list[Cell]:
    """What a port of a reader reads directly, in the model's order."""
    groups = components.written_into(reader, port)
    return [writer for group, writer in components.written_by.items() if group in groups]


def _is_stream(step: Step) -> bool:
    """Whether a path ends at all that a port reads."""
    return step.writer.name.part.endswith("_in")


def _upstream(
    step: Step,
    reader: Cell,
    passed: Mapping[Cell, At],
    end: Cell,
    components: Components,
    tables: Sequence[Dataset],
) -> Iterator[Edge]:
    """Edges to what may be passed, and on from there; a reader's after those of all who read it."""
    latest = list(components.written_by.values())[::-1]
    reached: dict[Cell, None] = {ROOT_CELL: None}
    for cell in (ROOT_CELL, *latest):
        if cell not in reached or cell == end:
            continue
        ports, reads = components.ports(cell), reader if cell == ROOT_CELL else cell
        entered = step.ports if cell == ROOT_CELL and step.ports is not None else ports
        for port in entered:
            for writer in _read_by(cell, port, components):
                if writer in passed:
                    into = None if reads.head is None else port
                    at = passed[writer]
                    if into in (None, "q"):  # what is read where the reader stands
                        at = _both(at, step.stands if cell == ROOT_CELL else passed[cell], tables)
                    if at != ():
                        reached[writer] = None
                        yield Edge(writer, reads, into, at)


def _both(at: At, stands: At, tables: Sequence[Dataset]) -> At:
    """Positions that are among others in some row."""
    if isinstance(at, str):
        return stands
    if isinstance(stands, str):
        return at

    def meet(one: Spec, other: Spec) -> bool:
        return any((table.position(one) == table.position(other)).any() for table in tables)

    return tuple(spec for spec in at if any(meet(spec, other) for other in stands))


def _listed(specs: Sequence[object]) -> str:
    return ", ".join(map(str, specs))
