"""What circuits have in common, beside what random circuits of the same sizes would have."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import evolve, field, frozen

from scrub.circuits import chance, parts
from scrub.circuits.check import check_circuit
from scrub.circuits.json_rows import row_of
from scrub.circuits.parts import edges_in, leaves_mlps_free, nodes_in
from scrub.errors import UserError
from scrub.hypothesis.circuit import Circuit
from scrub.model.registry import Model
from scrub.names import Cell
from scrub.printing import html_of, one_line

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

NODES, PLACED, EDGES = "nodes", "nodes at positions", "edges"
SCHEMA = "scrub.overlap/1"
Draws = tuple[int, ...]


@frozen
class Common:
    """What two circuits have in common of one kind of parts.

    Attributes:
        of: "nodes"; "nodes at positions", each position counted; "edges", by port, wherever.
        sizes: how many parts the first and the second have.
        both: how many are in both.
        random: how many are in both where the second is random; empty where that is not known.
    """

    first: str
    second: str
    of: str
    sizes: tuple[int, int]
    both: int
    random: Draws = field(default=(), repr=False)

    @property
    def jaccard(self) -> float:
        """Parts in both, as a share of those in either; NaN of two circuits without any."""
        return _share(self.both, sum(self.sizes) - self.both)

    @property
    def contained(self) -> tuple[float, float]:
        """Parts in both, as a share of the first's and of the second's."""
        return _share(self.both, self.sizes[0]), _share(self.both, self.sizes[1])

    @property
    def jaccard_random(self) -> tuple[float, float, float]:
        """The mean of random circuits, and the range in which 95% of them lie."""
        if not self.random:
            return math.nan, math.nan, math.nan
        every = [evolve(self, both=count).jaccard for count in self.random]
        low, high = np.quantile(every, [0.025, 0.975])
        return float(np.mean(every)), float(low), float(high)

    @property
    def both_random(self) -> float:
        """How many parts are in both, in the mean of random circuits."""
        return float(np.mean(self.random)) if self.random else math.nan

    @property
    def p(self) -> float:
        """The share of random circuits that have as much in common, this one counted in."""
        if not self.random:
            return math.nan
        return (1 + sum(count >= self.both for count in self.random)) / (1 + len(self.random))


def _share(some: float, of: float) -> float:
    return some / of if of else math.nan


@frozen(eq=False, repr=False)
class Overlap:
    """What each two of some circuits have in common.

    Attributes:
        common: of each pair and kind of parts.
        mlps: whether MLPs are compared: they are not where a circuit leaves them free.
        model: from whose layers random circuits are drawn; "": none were.
        draws: how many were.
        problem: why there are none; "" if there are, or none were asked for.
        shares: of each circuit, how many of a site's heads are in it: the chance of each head in
            random circuits like it. Empty without a model.
    """

    circuits: tuple[Circuit, ...]
    names: tuple[str, ...]
    common: tuple[Common, ...]
    mlps: bool
    model: str
    draws: int
    seed: int
    problem: str = ""
    shares: tuple[Mapping[str, float], ...] = ()

    @property
    def frame(self) -> pd.DataFrame:
        """A row a pair and kind of parts.

        Columns: first, second, of; first_size, second_size, both; jaccard, with the mean
        (jaccard_random) and the range of 95% (…_low, …_high) of random circuits, and p;
        first_in_second and second_in_first (shares), with the means of random circuits.
        """
        import pandas as pd

        return pd.DataFrame([_row(one) for one in self.common])

    @property
    def by_layer(self) -> pd.DataFrame:
        """A row a pair and layer, of nodes: first_size, second_size, both, jaccard; both_random.

        The last is the mean of random circuits in the second's place.
        """
        import pandas as pd

        return pd.DataFrame([row for pair in self._pairs() for row in self._layers(*pair)])

    @property
    def by_role(self) -> pd.DataFrame:
        """A row a circuit, its role and another circuit.

        Columns: circuit, role, size, other; in_other, how many of the role's nodes are in the
        other, and in_other_random, how many would be in random ones in its place; share;
        same_role, how many play a role of that name there (NaN: there is none).
        """
        import pandas as pd

        rows = [row for pair in self._pairs() for row in self._roles(*pair)]
        columns = ["circuit", "role", "size", "other", "in_other", "in_other_random"]
        return pd.DataFrame(rows, columns=[*columns, "share", "same_role"])

    def exactly(self) -> dict[tuple[int, ...], int]:
        """How many nodes are in some circuits and in no other, by the circuits' numbers."""
        found: dict[tuple[int, ...], int] = {}
        every = [nodes_in(one, mlps=self.mlps) for one in self.circuits]
        for cell in dict.fromkeys(cell for nodes in every for cell in nodes):
            where = tuple(n for n, nodes in enumerate(every) if cell in nodes)
            found[where] = found.get(where, 0) + 1
        return found

    def plot(self) -> Figure:
        """Two or three circuits: nodes by the circuits that they are in; more: a matrix."""
        from scrub.circuits.overlap_figure import overlap_figure

        return overlap_figure(self)

    def to_json(self) -> str:
        """All figures; what is undefined is null."""
        said: dict[str, Any] = {
            "schema": SCHEMA,
            "circuits": list(self.names),
            "model": self.model or None,
            "draws": self.draws,
            "seed": self.seed,
            "mlps": self.mlps,
            "problem": self.problem or None,
        }
        for name in ("frame", "by_layer", "by_role"):
            rows = getattr(self, name).to_dict("records")
            said["overlap" if name == "frame" else name] = [row_of(row) for row in rows]
        return json.dumps(said, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def __repr__(self) -> str:
        return one_line(f"Overlap({', '.join(self.names)})")

    def _repr_html_(self) -> str:
        return html_of(self)

    def _pairs(self) -> Iterator[tuple[int, int]]:
        return combinations(range(len(self.circuits)), 2)

    def _layers(self, first: int, second: int) -> Iterator[dict[str, Any]]:
        one, two = (nodes_in(self.circuits[n], mlps=self.mlps) for n in (first, second))
        layers = {cell.name.layer for cell in (*one, *two)}
        for layer in sorted(layers, key=lambda n: -1 if n is None else n):
            here = [{cell for cell in cells if cell.name.layer == layer} for cells in (one, two)]
            sizes = len(here[0]), len(here[1])
            common = Common("", "", NODES, sizes, len(here[0] & here[1]))
            yield {
                "first": self.names[first],
                "second": self.names[second],
                "layer": layer,
                "first_size": sizes[0],
                "second_size": sizes[1],
                "both": common.both,
                "jaccard": common.jaccard,
                "both_random": self._by_chance(here[0], second),
            }

    def _by_chance(self, cells: Collection[Cell], circuit: int) -> float:
        """How many of some nodes are in random circuits like one, in their mean."""
        if not self.shares:
            return math.nan
        return sum(self.shares[circuit].get(cell.site, 0.0) for cell in cells)

    def _roles(self, first: int, second: int) -> Iterator[dict[str, Any]]:
        for mine, its in ((first, second), (second, first)):
            nodes = nodes_in(self.circuits[its], mlps=self.mlps)
            there = self.circuits[its].roles
            for role, cells in self.circuits[mine].roles.items():
                known = [cell for cell in cells if self.mlps or not cell.name.of_mlp]
                if not known:
                    continue
                inside = sum(cell in nodes for cell in known)
                same = sum(cell in there[role] for cell in known) if role in there else math.nan
                yield {
                    "circuit": self.names[mine],
                    "role": role,
                    "size": len(known),
                    "other": self.names[its],
                    "in_other": inside,
                    "in_other_random": self._by_chance(known, its),
                    "share": _share(inside, len(known)),
                    "same_role": same,
                }


def overlap(
    circuits: Sequence[Circuit],
    model: Model | None = None,
    *,
    random: int = 1_000,
    seed: int = 0,
    problem: str = "",
) -> Overlap:
    """What each two of some circuits have in common.

    Random circuits have as many nodes of each kind in each layer as the second of a pair, at the
    positions of its nodes, and as many edges between the same layers and kinds into the same port
    (`scrub.circuits.random_circuits`).

    Laws: a circuit has all in common with itself; `overlap` of two in either order is the same,
    first and second exchanged, but for the noise of random circuits.

    Args:
        model: from which random circuits are drawn; None: there are none.
        random: how many.
        problem: why there is no model.

    Raises:
        UserError: there are fewer than two circuits; or with what the model does not have of them.
    """
    if len(circuits) < 2:
        raise UserError(f"overlap compares two circuits or more, and was given {len(circuits)}.")
    if model is not None:
        problems = []
        for one in circuits:
            try:
                check_circuit(one, model)
            except UserError as error:
                problems += error.problems
        if problems:
            raise UserError(*problems)
    draws = random if model is not None else 0
    names = _names(circuits)
    mlps = not leaves_mlps_free(circuits)
    common: list[Common] = []
    for number, pair in enumerate(combinations(range(len(circuits)), 2)):
        one, two = (circuits[n] for n in pair)
        said = names[pair[0]], names[pair[1]]
        common += _compared(one, two, said, mlps, model, draws, (seed, number))
    called, shares = "", ()
    if model is not None and draws:
        nodes = [nodes_in(one, mlps=mlps) for one in circuits]
        called = model.name
        shares = tuple(chance.shares_of(one, model.graph) for one in nodes)
    drawn = called, draws, seed
    return Overlap(tuple(circuits), names, tuple(common), mlps, *drawn, problem, shares)


def _names(circuits: Sequence[Circuit]) -> tuple[str, ...]:
    """What circuits are called; by number where two are called alike, or one not at all."""
    names = [one.name for one in circuits]
    if all(names) and len(set(names)) == len(names):
        return tuple(names)
    return tuple(f"{name or 'circuit'} ({n + 1})" for n, name in enumerate(names))


def _compared(
    one: Circuit,
    two: Circuit,
    names: tuple[str, str],
    mlps: bool,
    model: Model | None,
    draws: int,
    seed: tuple[int, int],
) -> Iterator[Common]:
    """What two circuits have in common, by kinds of parts."""
    first, second = (nodes_in(circuit, mlps=mlps) for circuit in (one, two))
    rng = np.random.default_rng(seed)
    graph = model.graph if model is not None and draws else None

    def drawn(found: Any, *of: Any) -> Draws:
        return () if graph is None else tuple(map(int, found(*of, graph, draws, rng)))

    sizes = len(first), len(second)
    both = len(first.keys() & second.keys())
    random = drawn(chance.common_nodes, first, second)
    yield Common(*names, NODES, sizes, both, random)
    if any(at != "all" for at in (*first.values(), *second.values())):
        random = drawn(chance.common_at, first, second)
        sizes = parts.size_at(first), parts.size_at(second)
        yield Common(*names, PLACED, sizes, parts.common_at(first, second), random)
    if one.edges and two.edges:
        lines = [edges_in(circuit, mlps=mlps) for circuit in (one, two)]
        random = drawn(chance.common_edges, *lines)
        sizes = len(lines[0]), len(lines[1])
        yield Common(*names, EDGES, sizes, len(lines[0] & lines[1]), random)


def _row(one: Common) -> dict[str, Any]:
    mean, low, high = one.jaccard_random
    return {
        "first": one.first,
        "second": one.second,
        "of": one.of,
        "first_size": one.sizes[0],
        "second_size": one.sizes[1],
        "both": one.both,
        "jaccard": one.jaccard,
        "jaccard_random": mean,
        "jaccard_random_low": low,
        "jaccard_random_high": high,
        "p": one.p,
        "first_in_second": one.contained[0],
        "first_in_second_random": _share(one.both_random, one.sizes[0]),
        "second_in_first": one.contained[1],
        "second_in_first_random": _share(one.both_random, one.sizes[1]),
    }
