"""Random legal hypotheses about tiny random models, for property tests.

`random_case(seed)` makes one, `random_hypotheses()` is the Hypothesis strategy of them. Hypotheses
go up to four nodes deep and mix all that a path can do: ports, positions by column, by index and
all, direct paths and paths through anything but a few sites, nodes with several routes and nodes
with two parents, donors of other lengths and from another dataset.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import define, evolve, field, frozen
from hypothesis import strategies as st

import tiny_models
from legality import (
    Geometry,
    Trace,
    cells,
    component,
    kind,
    layer_cells,
    overlap,
    ports_of,
    reachable,
    trace,
)
from scrub.data import Dataset, pad
from scrub.hypothesis import Correspondence, InterpNode
from scrub.samplers import Agree, Exact, Fixed, Sampler, Uncond
from scrub.sites import ALL, Cell, Route, Sites, Through, anything, mlps, none

ROWS = 10
DEPTH = 4
SHORTEST = 3


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
    name = str(rng.choice(list(tiny_models.SHAPES), p=[0.1, 0.2, 0.25, 0.15, 0.2, 0.1]))
    data, twin = random_dataset(rng, "data"), random_dataset(rng, "twin")
    geometry = Geometry(
        tiny_models.SHAPES[name],
        {c: np.concatenate([data.position(c), twin.position(c)]) for c in data.positions},
        tiny_models.WIDTH,
    )
    correspondence = Grower(rng, geometry, twin, nodes).grow()
    samples = int(rng.integers(3, 6))
    return Case(name, tiny_models.bridge(name), correspondence, data, samples, seed)


# Data


def random_dataset(rng: np.random.Generator, name: str) -> Dataset:
    """Rows of ragged lengths, with position columns a < b < end and features of two and three."""
    longest = int(rng.integers(SHORTEST + 2, tiny_models.WIDTH + 1))
    lengths = rng.permutation([longest, *rng.integers(SHORTEST, longest + 1, ROWS - 1)])
    tokens = [rng.integers(0, tiny_models.VOCABULARY, length).tolist() for length in lengths]
    b = rng.integers(1, lengths - 1)
    a = rng.integers(0, b)
    at_a = np.array([row[i] for row, i in zip(tokens, a, strict=True)])
    return Dataset(
        name,
        inputs={"tokens": pad(tokens, int(rng.integers(tiny_models.VOCABULARY)))},
        lengths=lengths,
        columns={"two": at_a % 2, "three": rng.integers(0, 3, ROWS)},
        positions={"a": a, "b": b, "end": lengths - 1},
    )


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
    twin: Dataset
    nodes: int

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
                    growing += [child] if child.depth < DEPTH and self.chance(0.7) else []
        if self.chance(0.3):
            self.share(drafts)
        return self.correspondence(drafts)

    def root_route(self) -> Route:
        at = ("end",) if self.chance(0.7) else self.positions(["a", "b", "end", 0, 2, ALL])
        if self.chance(0.7):
            return Route((Cell("logits"),), at)
        shape = self.geometry.shape
        last = [c for c in layer_cells(shape, shape.layers - 1) if kind(c) != "mask"]
        sites = last + [c for c in cells(shape) if kind(c) == "mlp"]
        (part,) = self.pick(sorted(set(map(kind, sites))))
        return Route(tuple(self.pick([c for c in sites if kind(c) == part], 2)), at)

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
        claimed = self.of_one_kind(list(where))
        reached = np.logical_and.reduce([where[cell] for cell in claimed])
        specs: list[str | int] = ["a", "b", "end", 0, 1, 2, 4, ALL]
        # A mask is the same at every position, so it is only claimed as a whole.
        masks = kind(claimed[0]) == "mask"
        at = ALL if masks else self.positions([s for s in specs if self.fits(s, reached)])
        return evolve(path, cells=tuple(claimed), at=at) if at else None

    def fits(self, spec: str | int, reached: np.ndarray) -> bool:
        """Whether a position is reached in every row."""
        if spec == ALL:
            return bool(reached.any(axis=1).all())
        return bool(reached[self.geometry.mask(Route((), spec))].all())

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
        components = sorted(set(map(component, cells(self.geometry.shape))))
        inner = [c for c in components if kind(c) in ("z", "mlp")]
        some = Sites((Route(tuple(self.pick(inner, 3))),))
        options = [none, mlps, none.including(some), anything, anything.excluding(some)]
        return options[self.rng.choice(5, p=[0.35, 0.08, 0.12, 0.15, 0.3])]

    def of_one_kind(self, sites: list[Cell]) -> list[Cell]:
        """Some of the sites: writers together, or else all of one part."""
        inner = [c for c in sites if kind(c) in ("z", "mlp")]
        embeddings = [c for c in sites if kind(c) in ("embed", "pos_embed")]
        if inner and self.chance(0.5):
            return self.pick(inner, 3)
        if embeddings and self.chance(0.4):
            return self.pick(inner + embeddings, 3)
        (part,) = self.pick(sorted(set(map(kind, sites))))
        return self.pick([c for c in sites if kind(c) == part], 3)

    # Nodes

    def correspondence(self, drafts: list[Draft]) -> Correspondence:
        made: dict[Draft, InterpNode] = {}
        for draft in sorted(drafts, key=lambda d: d.depth):
            made[draft] = InterpNode(
                draft.name,
                self.sampler(exact=0.1 if draft.above else 0.5),
                other=self.sampler(exact=0.15 if draft.above else 0.3),
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
