"""Random legal hypotheses about tiny random models, for property tests.

`random_case(seed)` makes one, `random_hypotheses()` is the Hypothesis strategy of them. Hypotheses
go up to five nodes deep and mix all that a path can do: ports, positions by column, by index and
all, direct paths and paths through anything but a few sites, nodes with several routes and nodes
with two parents, summands of split sites, donors of other lengths and from another dataset.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from typing import Any

import numpy as np
from attrs import define, evolve, field, frozen

from hypothesis import strategies as st
from oracle.legality import Geometry, Trace, overlap, reachable, trace
from oracle.net import cells, component, components, is_stream, kind, net_of, ports_of, writers
from scrub.data.dataset import Dataset
from scrub.hypothesis.circuit import Circuit, Edge, Placed
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.positions import as_positions
from scrub.hypothesis.sites import (
    ALL,
    Route,
    Sites,
    Through,
    anything,
    mlps,
    none,
)
from scrub.hypothesis.splits import Split
from scrub.names import Cell
from scrub.samplers import Agree, Exact, Fixed, Sampler, Uncond
from support import tiny_models
from support.random_data import ROWS, random_dataset, random_splits
from support.virtual_samplers import VirtualRows

DEPTH = 5


@frozen(eq=False)
class Case:
    """A hypothesis, and all that it takes to run it.

    The draws are `draw(treeify(correspondence), data, samples=samples, seed=seed)`.
    """

    model_name: str
    bridge: Any = field(repr=False)
    correspondence: Correspondence
    data: Dataset
    samples: int
    seed: int


def random_hypotheses() -> st.SearchStrategy[Case]:
    """Random cases; smaller trees are simpler."""
    return st.builds(random_case, st.integers(0, 2**32 - 1), nodes=st.integers(1, 8))


def random_case(seed: int, nodes: int = 8) -> Case:
    """The case of this number, with about `nodes` nodes at most; the same at every call."""
    rng = np.random.default_rng(seed)
    pools = (tiny_models.FAMILIES, tiny_models.GPT2S, tiny_models.NATIVES)
    name = str(rng.choice(list(pools[rng.choice(3, p=[0.4, 0.35, 0.25])])))
    virtual = np.random.default_rng([seed, 1])  # of its own: all other cases stay as they are
    shapes = int(virtual.integers(1, 4)) if virtual.random() < 0.3 else 0
    data, twin = random_dataset(rng, "data", shapes), random_dataset(rng, "twin", shapes)
    columns = {c: np.concatenate([data.position(c), twin.position(c)]) for c in data.positions}
    shape = tiny_models.SHAPES[name]
    splits = random_splits(rng, shape) if rng.random() < 0.35 else {}
    net = net_of(shape, tuple((site, (kind, names)) for site, (kind, names, _) in splits.items()))
    by_site = {site: split for site, (_, _, split) in splits.items()}
    grower = Grower(
        rng, Geometry(net, columns), by_site, twin, nodes, VirtualRows(virtual, shapes, shape)
    )
    correspondence = grower.grow()
    samples = int(rng.integers(3, 6))
    return Case(name, tiny_models.bridge(name), correspondence, data, samples, seed)


numbered_case = functools.cache(random_case)
"""The same, made once: many tests go through the cases from 0."""


# Trees


@define(eq=False)
class Draft:
    """A node in the making, its parents above it, and the traces of the routes below it."""

    name: str
    routes: tuple[Route, ...]
    above: list[Draft]
    children: list[Draft] = field(factory=list)
    traces: list[Trace] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        for parent in self.above:
            parent.children.append(self)

    @property
    def depth(self) -> int:
        return 1 + max((parent.depth for parent in self.above), default=0)

    @property
    def height(self) -> int:
        return 1 + max((child.height for child in self.children), default=0)

    def below(self) -> list[Draft]:
        return [self, *(draft for child in self.children for draft in child.below())]


@frozen
class Grower:
    """Grows one random tree, never beyond what is legal."""

    rng: np.random.Generator
    geometry: Geometry
    splits: Mapping[str, Split]
    twin: Dataset
    nodes: int
    virtual: VirtualRows

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def pick(self, options: list[Any], most: int = 1) -> list[Any]:
        """One to `most` of the options, in random order."""
        count = min(len(options), int(self.rng.integers(1, most + 1)))
        return [options[i] for i in self.rng.choice(len(options), count, replace=False)]

    def grow(self) -> Correspondence:
        root = Draft("root", (self.root_route(),), [])
        drafts, growing = [root], [root]
        while growing:
            parent = growing.pop(0)
            for _ in range(min(int(self.rng.integers(1, 4)), self.nodes - len(drafts))):
                child = self.child(parent, len(drafts))
                if child is not None:
                    drafts.append(child)
                    growing += [child] if child.depth < DEPTH and self.chance(0.8) else []
        if self.chance(0.3):
            self.share(drafts)
        return self.correspondence(drafts)

    def root_route(self) -> Route:
        at = ("end",) if self.chance(0.7) else self.positions(["a", "b", "end", 0, 2, ALL])
        if self.chance(0.7):
            return Route((Cell("logits"),), at)
        last = f"blocks.{self.geometry.net.shape.layers - 1}."
        if self.chance(0.1):
            return Route((Cell(f"{last}attn_out"),), at)
        sites = [
            cell
            for cell in cells(self.geometry.net)
            if cell.site.startswith(last) or kind(cell) in ("mlp", "logits_in")
        ]
        one = self.of_one_kind([c for c in sites if kind(c) != "mask"], writers=0.0)
        return Route(tuple(one[:2]), at, split=self.split_of(one))

    def split_of(self, claimed: list[Cell]) -> Split | None:
        return self.splits[claimed[0].site] if claimed[0].part is not None else None

    def child(self, parent: Draft, number: int) -> Draft | None:
        """A child that fits beside its siblings; None if a few attempts find none."""
        for _ in range(6):
            routes = []
            for _ in range(1 + self.chance(0.2)):
                route = self.route(parent)
                if route and self.fits_below(parent, (route,)):
                    routes.append(route)
            if routes:
                name = f"{self.rng.choice(list('abcdefgh'))}{number}"
                return Draft(name, tuple(routes), [parent])
        return None

    def fits_below(self, parent: Draft, routes: tuple[Route, ...]) -> bool:
        """Whether these routes are legal below a node; if so, it remembers them."""
        traces = list(parent.traces)
        for route in routes:
            one = trace(self.geometry, parent.routes, route)
            if one is None or any(overlap(one, other) for other in traces):
                return False
            circuit = route.through.circuit
            if circuit is not None and circuit.cells and not one.passed:
                return False
            traces.append(one)
        parent.traces = traces
        return True

    def share(self, drafts: list[Draft]) -> None:
        """Give some node a second parent, where that is legal."""
        pairs = [(p, d) for p in drafts for d in drafts if p.traces and p not in d.below()]
        pairs = [(p, d) for p, d in pairs if p not in d.above and p.depth + d.height <= DEPTH]
        for parent, child in self.pick(pairs, 12) if pairs else []:
            if self.fits_below(parent, child.routes):
                child.above.append(parent)
                parent.children.append(child)
                return

    # Routes

    def route(self, parent: Draft) -> Route | None:
        """A route that the model makes, from any of the parent's sites."""
        own = [cell for route in parent.routes for cell in route.cells]
        ports = sorted(set().union(*map(ports_of, own)))
        if not ports:
            return None
        path = Route((), ALL, self.into(ports), self.through())
        where = reachable(self.geometry, parent.routes, path)
        for cell in own:
            where.pop(cell, None)
        if not where:
            return None
        mine = [c for c in where if c.part is not None and evolve(c, part=None) in own]
        claimed = self.of_one_kind(mine if mine and self.chance(0.6) else list(where))
        if not claimed:
            return None
        reached = functools.reduce(operator.and_, (where[cell] for cell in claimed))
        specs: list[str | int] = ["a", "b", "end", 0, 1, 2, 4, ALL]
        # A mask is the same at every position, so it is only claimed as a whole.
        masks = kind(claimed[0]) == "mask"
        ats = [spec for spec in specs if self.geometry.holds(reached, as_positions(spec))]
        at = ALL if masks else self.positions(ats)
        if not at:
            return None
        return evolve(path, cells=tuple(claimed), at=at, split=self.split_of(claimed))

    def positions(self, specs: list[str | int]) -> Any:
        """Some of these: all, or columns, or indices; None where there is none."""
        columns = [s for s in specs if isinstance(s, str) and s != ALL]
        indices = [s for s in specs if isinstance(s, int)]
        if ALL in specs and (self.chance(0.3) or not (columns or indices)):
            return ALL
        if columns and (self.chance(0.8) or not indices):
            return tuple(self.pick(columns, 2))
        return tuple(self.pick(indices, 2)) if indices else None

    def into(self, ports: list[str]) -> Any:
        if self.chance(0.5):
            return None
        if {"q", "k", "mask"} <= set(ports) and self.chance(0.3):
            return "pattern"
        return tuple(self.pick(ports, 2 if self.chance(0.3) else 1))

    def through(self) -> Through:
        inner = [c for c in components(self.geometry.net) if kind(c) in ("z", "mlp")]
        some = Sites((Route(tuple(self.pick(inner, 3))),))
        options = [none, mlps, none.including(some), anything, anything.excluding(some)]
        if self.chance(0.66):
            return options[self.rng.choice(5, p=[0.35, 0.08, 0.12, 0.15, 0.3])]
        if self.chance(0.35):
            return Through("none", circuit=self.edges())
        placed = [self.placed(cell) for cell in self.pick(inner, 4)]
        if self.chance(0.65):
            return Through("none", circuit=Circuit(cells=tuple(placed)))
        some = Sites(tuple(Route((one.cell,), one.at) for one in placed))
        options = [none.including(some), anything.excluding(some), mlps.excluding(some)]
        chosen = options[self.rng.choice(3, p=[0.4, 0.45, 0.15])]
        more = Sites((Route(tuple(self.pick(inner)), self.placed(placed[0].cell).at),))
        return chosen.excluding(more) if self.chance(0.3) else chosen

    def placed(self, cell: Cell) -> Placed:
        """A site at some positions: mostly columns, which do not coincide."""
        specs: list[str | int] = ["a", "b", "end"] if self.chance(0.8) else [0, 1, 2, 4, "end"]
        return Placed(cell, tuple(self.pick(specs, 2)) if self.chance(0.75) else ALL)

    def edges(self) -> Circuit:
        """Most or some edges of the model, some of them at some positions only."""
        kept, whole = float(self.rng.choice([0.5, 0.8, 1.0])), float(self.rng.choice([0.5, 0.8]))
        found = [
            Edge(component(writer), component(reader), port, ALL)
            for reader in cells(net_of(self.geometry.net.shape))
            if is_stream(reader)
            for port in ports_of(reader)
            for writer in writers(self.geometry.net.shape, reader)
            if self.chance(kept)
        ]
        return Circuit(
            edges=tuple(
                edge if self.chance(whole) else evolve(edge, at=self.placed(edge.writer).at)
                for edge in found
            )
        )

    def of_one_kind(self, sites: list[Cell], writers: float = 0.35) -> list[Cell]:
        """Some of the sites: summands, whole writers together, or else all of one name."""
        parts = [c for c in sites if c.part is not None]
        if parts and self.chance(0.5):
            (one,) = self.pick(parts)
            return self.pick([c for c in parts if (c.site, c.part) == (one.site, one.part)], 3)
        whole = [c for c in sites if c.part is None]
        split = [c for c in whole if c.site in self.splits]
        if split and self.chance(0.3):
            return self.pick([c for c in split if c.site == split[0].site], 2)
        inner = [c for c in whole if kind(c) in ("z", "mlp")]
        embeddings = [c for c in whole if kind(c) in ("embed", "pos_embed")]
        if inner and self.chance(writers):
            return self.pick(inner, 3)
        if embeddings and self.chance(writers):
            return self.pick(inner + embeddings, 3)
        if not whole:
            return []
        (part,) = self.pick(sorted(set(map(kind, whole))))
        return self.pick([c for c in whole if kind(c) == part], 3)

    # Nodes

    def correspondence(self, drafts: list[Draft]) -> Correspondence:
        made: dict[Draft, InterpNode] = {}
        for draft in sorted(drafts, key=lambda d: d.depth):
            own = self.sampler(exact=0.1 if draft.above else 0.5)
            other = self.sampler(exact=0.15 if draft.above else 0.3)
            if not draft.children and self.virtual.chance():
                own = self.virtual.own({kind(c) for route in draft.routes for c in route.cells})
            if draft.children and self.virtual.chance():
                other = self.virtual.other()
            made[draft] = InterpNode(
                draft.name,
                own,
                other=other,
                parents=tuple(made[above] for above in draft.above),
            )
        order = self.rng.permutation(len(drafts))
        return Correspondence({made[drafts[i]]: Sites(drafts[i].routes) for i in order})

    def sampler(self, exact: float) -> Sampler:
        if self.chance(exact):
            return Exact()
        fixed = self.twin if self.chance(0.4) else self.rng.integers(0, ROWS, ROWS).tolist()
        options = [Uncond(), Agree("two"), Agree(["two", "three"]), Agree("end"), Fixed(fixed)]
        return options[self.rng.choice(5, p=[0.3, 0.25, 0.1, 0.1, 0.25])]
