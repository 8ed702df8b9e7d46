"""What a plan is made of: steps that compute values, and reads that say where inputs are found.

Frozen, printable, without tensors and without randomness. A value that scrubbing changes is told by
(site, state, node); a step computes it for all heads that share a state. What scrubbing does not
change is plain: a row of the activation cache, in the frame named beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import frozen

from scrub.engine.passing import Specs
from scrub.engine.ranges import Positions
from scrub.engine.states import Routes, State
from scrub.hypothesis.sites import ALL, At
from scrub.hypothesis.tree import NamePath, Tree
from scrub.model.graph import Graph
from scrub.names import Cell


@frozen(order=True, cache_hash=True)
class Variable:
    """An input that a node drew: what a value's identity is made of."""

    path: NamePath
    which: Literal["own", "other"]


@frozen
class Source:
    """Where values come from: a step, or (step None) the plain model on the frame's input."""

    frame: Variable
    step: int | None = None


@frozen
class Piece:
    """Values of some heads of a site, at positions that the reader decides."""

    heads: tuple[int | None, ...]
    source: Source


@frozen
class Patch:
    """Values of some heads of a site that replace what else stands at these positions.

    A named position is looked up in the source's frame to take the value, and in the reader's to
    put it; "all" maps index to index.

    Attributes:
        over: where the values come from that are replaced (a stream subtracts them).
        within: sets of named positions of the reader's frame; values are put only at positions
            that are in each of these in their row.
        without: the same, and only at positions that are in none of these.
    """

    site: str
    heads: tuple[int | None, ...]
    at: At
    source: Source
    over: Source
    within: tuple[Specs, ...] = ()
    without: tuple[Specs, ...] = ()


@frozen
class SiteRead:
    """A port that reads a site: every head from one piece, then patches on top."""

    port: str
    site: str
    everywhere: bool
    pieces: tuple[Piece, ...]
    patches: tuple[Patch, ...]


@frozen
class StreamRead:
    """A port that reads a stream: the plain stream plus the difference that a step computed."""

    port: str
    stream: str
    difference: int | None


@frozen
class SiteStep:
    """Computes a site in one state for some heads of a node.

    Attributes:
        stacked: how many members of a family it computes at once, each an entry of the head axis
            (see `scrub.engine.stack`); with several, a site without heads.
    """

    node: NamePath
    site: str
    heads: tuple[int | None, ...]
    state: State
    frame: Variable
    reads: tuple[SiteRead | StreamRead, ...]
    needs: frozenset[Variable] = frozenset()
    at: Positions = ALL
    stacked: int = 1


@frozen
class StreamStep:
    """Computes how a stream differs from the plain one when some routes are open.

    Attributes:
        stacked: how many members of a family it computes at once, each an entry of the head axis
            (see `scrub.engine.stack`): with several, each head of its one patch is a member's own.
    """

    node: NamePath
    stream: str
    routes: Routes
    frame: Variable
    base: int | None
    patches: tuple[Patch, ...]
    needs: frozenset[Variable] = frozenset()
    at: Positions = ALL
    stacked: int = 1


Step = SiteStep | StreamStep


@frozen
class Result:
    """The root's value: its cells, in the order in which they were named, at its positions.

    Attributes:
        readout: the site whose columns are still to be read from these values (see
            `Site.columns`), where the metric asks for a few columns only; else None.
        entry: which entry of the head axis is the root's, where a step computes those of several
            members of a family; else None.
    """

    at: At
    cells: tuple[tuple[Cell, Source], ...]
    readout: str | None = None
    entry: int | None = None


@frozen(eq=False)
class Plan:
    """What to compute.

    Attributes:
        steps: in an order in which each reads only those before it.
        result: where the scrubbed root is found; `original` and `baseline` are plain.
        reads: of each drawn input, the sites and streams whose plain values are read.
        before: where the root's plain value on its other input is found; None: not asked for.
        virtual: the inputs that are virtual rows.
    """

    graph: Graph
    tree: Tree
    steps: tuple[Step, ...]
    result: Result
    reads: Mapping[Variable, frozenset[str]]
    before: Source | None = None
    virtual: frozenset[Variable] = frozenset()


@frozen(eq=False)
class FamilyPlan:
    """What to compute for several trees on common draws: plans that share their steps.

    Attributes:
        members: a plan a tree, in the order in which the trees were given. All have the same steps,
            graph and reads, and results that differ in their sources only: the same cells at
            the same positions.
    """

    members: tuple[Plan, ...]

    @property
    def graph(self) -> Graph:
        return self.members[0].graph

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of all members, each once, in an order in which each reads those before it."""
        return self.members[0].steps
