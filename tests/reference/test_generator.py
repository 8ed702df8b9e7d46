"""The random hypotheses are legal, the same at every call, and interesting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pytest
from attrs import evolve
from torch import Tensor

from hypothesis import HealthCheck, given, settings
from oracle import legality, net
from oracle.engines import graph_of_case
from scrub.checks.structure import check
from scrub.data.dataset import Rows
from scrub.data.virtual import Averages
from scrub.draw import Draws, NodeDraw, draw
from scrub.hypothesis.correspondence import Correspondence
from scrub.hypothesis.sites import (
    Sites,
    anything,
    embeddings,
    heads,
    mlp,
    mlps,
    none,
    output,
)
from scrub.hypothesis.tree import Occurrence, treeify
from scrub.metrics import custom
from scrub.names import Cell
from scrub.reference import evaluate, transformer
from support import tiny_models
from support.generator import DEPTH, Case, numbered_case, random_case, random_hypotheses

CASES = 300


def differs(one: Tensor, other: Tensor, by: float) -> bool:
    return float((one.double() - other.double()).abs().max()) > by


def moves(case: Case, tree: Occurrence, draws: Draws, value: Tensor) -> bool:
    """Whether the output is neither the original nor the baseline."""
    alone = Correspondence({tree.node: case.correspondence.sites[tree.node]})

    def plain(rows: Rows) -> Tensor:
        # The root's own draws stay among them, so that the width stays the same.
        nodes = {**draws.nodes, ("kept",): draws.nodes[tree.path], tree.path: NodeDraw(rows)}
        return evaluate(alone, evolve(draws, nodes=nodes), case.bridge)

    return all(differs(value, plain(rows), 1e-3) for rows in (draws.references, draws.baseline))


def positions_differ(tree: Occurrence, draws: Draws) -> bool:
    """Whether a value lands at another position than it was taken from."""

    def index(occurrence: Occurrence, column: str) -> np.ndarray:
        frame = draws.nodes[occurrence.path].frame
        return frame.data.position(column)[frame.index]

    return any(
        (index(parent, spec) != index(child, spec)).any()
        for parent in tree.walk()
        for child in parent.children
        for route in child.routes
        for spec in (() if route.at == "all" else route.at)
        if isinstance(spec, str)
    )


class Reads:
    """Watches the evaluator, and remembers every value that a site has in a node's frame."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: dict[tuple[int, Cell], list[Read]] = defaultdict(list)
        right = transformer.read

        def read(cell: Cell, frame: transformer.Frame, paths: list) -> Tensor:
            value = right(cell, frame, paths)
            if paths:  # else it is read on the way to a plain value
                self.seen[id(frame), cell].append((value, frame))  # the frame, so that its id stays
            return value

        monkeypatch.setattr(transformer, "read", read)

    def two_values(self) -> bool:
        """Whether one site was read along two paths with different values."""
        values = self.seen.values()
        found = any(differs(v, reads[0][0], 1e-6) for reads in values for v, _ in reads[1:])
        self.seen.clear()
        return found


Read = tuple[Tensor, transformer.Frame]

LEAST = {
    "moved": 0.8,
    "anything": 0.25,
    "excluding": 0.25,
    "two values": 0.25,
    "positions differ": 0.2,
    "including": 0.1,
    "positions of what is passed": 0.15,
    "circuits of sites": 0.15,
    "circuits of edges": 0.15,
    "positions of edges": 0.15,
    "ports": 0.25,
    "inner sites": 0.25,
    "several children": 0.25,
    "several routes": 0.1,
    "two parents": 0.03,
    "four deep": 0.25,
    "five deep": 0.1,
    "another dataset": 0.25,
    "other roots": 0.15,
    "families": 0.3,
    "no MLPs": 0.1,
    "both ways": 0.08,
    "masks": 0.1,
    "patterns, scores": 0.1,
    "summands": 0.1,
    "a summand of the parent's own site": 0.02,
    "below a summand": 0.02,
    "virtual rows": 0.15,
    "virtual other inputs": 0.1,
    "means of several rows": 0.1,
}
"""What the cases exercise, and the share of them that must at least."""


def exercised(case: Case, tree: Occurrence, draws: Draws) -> Iterator[str]:
    """What can be seen of a case without evaluating it."""
    occurrences = tree.walk()
    routes = [route for occurrence in occurrences[1:] for route in occurrence.routes]
    claimed = [cell for route in routes for cell in route.cells]
    links = [(above, below) for above in occurrences for below in above.children]
    if positions_differ(tree, draws):
        yield "positions differ"
    if any(route.through.kinds == "anything" for route in routes):
        yield "anything"
    if any(route.through.never for route in routes):
        yield "excluding"
    if any(route.through.also for route in routes):
        yield "including"
    throughs = [route.through for route in routes]
    circuits = [through.circuit for through in throughs if through.circuit is not None]
    if any(through.also_at or through.never_at for through in throughs):
        yield "positions of what is passed"
    if any(circuit.cells for circuit in circuits):
        yield "circuits of sites"
    if any(circuit.edges for circuit in circuits):
        yield "circuits of edges"
    if any(edge.at != "all" for circuit in circuits for edge in circuit.edges):
        yield "positions of edges"
    if any(route.into is not None for route in routes):
        yield "ports"
    if any(cell.head is not None and not cell.site.endswith("z") for cell in claimed):
        yield "inner sites"
    if any(len(occurrence.children) > 1 for occurrence in occurrences):
        yield "several children"
    if any(len(occurrence.routes) > 1 for occurrence in occurrences):
        yield "several routes"
    if any(len(node.parents) > 1 for node in case.correspondence.sites):
        yield "two parents"
    depth = max(len(occurrence.path) for occurrence in occurrences)
    if depth >= 4:
        yield "four deep"
    if depth >= 5:
        yield "five deep"
    if any(node.own.population is not case.data for node in draws.nodes.values()):
        yield "another dataset"
    if tree.routes[0].cells[0].site != "logits":
        yield "other roots"
    if case.model_name in tiny_models.FAMILIES:
        yield "families"
    if not tiny_models.SHAPES[case.model_name].mlps:
        yield "no MLPs"
    if not tiny_models.SHAPES[case.model_name].causal:
        yield "both ways"
    if any(net.kind(cell) == "mask" for cell in claimed):
        yield "masks"
    if any(net.kind(cell) in ("pattern", "scores") for cell in claimed):
        yield "patterns, scores"
    if any(cell.part is not None for cell in claimed):
        yield "summands"
    if any(
        cell.part is not None and evolve(cell, part=None) in cells_of(above)
        for above, below in links
        for cell in cells_of(below)
    ):
        yield "a summand of the parent's own site"
    if any(cell.part is not None for above, _ in links for cell in cells_of(above)):
        yield "below a summand"
    frames = {node.path: draws.nodes[node.path].frame for node in occurrences}
    if any(rows.data.given is not None for rows in frames.values()):
        yield "virtual rows"
    if any(frames[node.path].data.given is not None for node in occurrences if node.children):
        yield "virtual other inputs"
    if any(
        isinstance(g := rows.data.given, Averages) and g.class_of.max() < len(g.class_of) - 1
        for rows in frames.values()
    ):
        yield "means of several rows"


def cells_of(occurrence: Occurrence) -> list[Cell]:
    return [cell for route in occurrence.routes for cell in route.cells]


def test_what_the_cases_exercise(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = Reads(monkeypatch)
    counts: dict[str, int] = defaultdict(int)
    for seed in range(CASES // 3):
        case = numbered_case(seed)
        tree = treeify(case.correspondence)
        draws = draw(tree, case.data, samples=case.samples, seed=case.seed)
        value = evaluate(case.correspondence, draws, case.bridge)
        counts["two values"] += reads.two_values()
        counts["moved"] += moves(case, tree, draws, value)
        for what in exercised(case, tree, draws):
            counts[what] += 1
    shares = {what: counts[what] / (CASES // 3) for what in LEAST}
    assert all(shares[what] >= LEAST[what] for what in LEAST), shares


def test_the_cases_know_every_family_site_port_and_split() -> None:
    families, sites, roots, ports, parts = set(), set(), set(), set(), set()
    for seed in range(CASES):
        case = numbered_case(seed)
        families.add(case.model_name)
        for node, where in case.correspondence.sites.items():
            for route in where.routes:
                (sites if node.parents else roots).update(map(net.kind, route.cells))
                ports |= route.into or set()
                kind = type(route.split).__name__
                parts |= {(kind, "rest" if c.part == "rest" else "named") for c in route.cells}
    assert families == set(tiny_models.SHAPES)
    every = {
        net.kind(cell)
        for shape in tiny_models.SHAPES.values()
        for cell in net.cells(net.Net(shape))
    }
    assert every - sites == {"logits", "attn_out"}
    assert {"logits", "attn_out", "mlp", "q", "pattern"} <= roots
    assert ports == {"q", "k", "v", "mask", "mlp_in", "logits_in", "attn_out"}
    splits = ("Projection", "Coordinates", "Estimate", "SourcePositions")
    assert parts >= {(split, part) for split in splits for part in ("named", "rest")}


def test_the_checker_finds_nothing_wrong() -> None:
    metric = custom(lambda value, references: value.flatten(1).sum(dim=1))
    for seed in range(CASES):
        case = numbered_case(seed)
        assert check(case.correspondence, graph_of_case(case), case.data, metric) == (), seed


def test_a_seed_makes_one_case() -> None:
    def shown(case: Case) -> str:
        sites = case.correspondence.sites.items()
        return repr([(node, node.sampler, node.other, where) for node, where in sites])

    assert shown(random_case(7)) == shown(random_case(7))
    assert shown(random_case(7)) != shown(random_case(8))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(random_hypotheses())
def test_the_strategy_makes_trees(case: Case) -> None:
    tree = treeify(case.correspondence)
    assert max(len(occurrence.path) for occurrence in tree.walk()) <= DEPTH
    for occurrence in tree.walk():
        names = [child.path[-1] for child in occurrence.children]
        assert len(set(names)) == len(names)
    for dataset in (case.data,):
        a, b, end = (dataset.positions[column] for column in ("a", "b", "end"))
        assert ((a < b) & (b < end)).all()
        assert len(set(dataset.lengths)) > 1 or "shape" in dataset.columns


# Legality


GEOMETRY = legality.Geometry(
    net.Net(tiny_models.SHAPES["2x2"]),
    {"a": np.array([0, 1]), "end": np.array([2, 4])},
)


def traces(parent: Sites, *children: Sites) -> Iterator[legality.Trace | None]:
    return (legality.trace(GEOMETRY, parent.routes, child.routes[0]) for child in children)


@pytest.mark.parametrize(
    ("parent", "child", "legal"),
    [
        (output(at="end"), heads([(0, 0)], at="end"), True),
        (output(at="end"), heads([(0, 0)], at="a"), False),
        (output(at="end"), heads([(0, 0)], at="a", through=mlps), False),
        (output(at="end"), heads([(0, 0)], at="a", through=anything), True),
        (output(at="a"), heads([(0, 0)], at="end", through=anything), False),
        (output(at="end"), heads([(1, 0)], "q", at="end"), True),
        (output(at="end"), heads([(1, 0)], "q", at="a"), False),
        (output(at="end"), heads([(1, 0)], "k", at="a"), True),
        (heads([(1, 0)], at="end"), heads([(0, 0)], at="a", into="k"), True),
        (heads([(1, 0)], at="end"), heads([(0, 0)], at="a", into="q"), False),
        (heads([(1, 0)], at="end"), heads([(1, 0)], "pattern", at="end", into="q"), False),
        (heads([(1, 0)], at="end"), heads([(1, 0)], "pattern", at="end", into="pattern"), True),
        (heads([(1, 0)], at="end"), heads([(1, 1)], at="end", through=anything), False),
        (heads([(1, 0)], at="end"), mlp(1, at="end", through=anything), False),
    ],
)
def test_paths_that_a_model_makes(parent: Sites, child: Sites, legal: bool) -> None:
    (trace,) = traces(parent, child)
    assert (trace is not None) == legal


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (heads([(1, 0)], at="end"), heads([(1, 0)], at="end"), True),
        (heads([(1, 0)], at="end"), heads([(1, 1)], at="end"), False),
        (heads([(1, 0)], at="end"), heads([(1, 0)], "q", at="end"), True),
        (heads([(1, 0)], "v"), heads([(1, 0)], "q"), False),
        (heads([(1, 0)], at="end"), embeddings(through=anything), True),
        (
            heads([(1, 0)], at="end"),
            embeddings(through=anything.excluding(heads([(1, 0)]))),
            False,
        ),
        (mlp(1), heads([(0, 0)], through=none.including(heads([(1, 0)]))), False),
        (mlp(1), heads([(0, 0)], through=mlps), True),
        (mlp(0), heads([(0, 0)], at="end", through=none), False),
    ],
)
def test_siblings_that_overlap(one: Sites, other: Sites, overlap: bool) -> None:
    first, second = traces(output(at="end"), one, other)
    assert first
    assert second
    assert legality.overlap(first, second) == overlap == legality.overlap(second, first)


def test_siblings_may_enter_by_different_ports() -> None:
    by_query, by_key = (heads([(0, 0)], at="end", into=port) for port in ("q", "k"))
    query, key = traces(heads([(1, 0)], at="end"), by_query, by_key)
    assert query
    assert key
    assert not legality.overlap(query, key)
    assert legality.overlap(query, query)
