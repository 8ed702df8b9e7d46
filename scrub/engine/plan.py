"""Plan a scrub: hypothesis + graph → which values are computed, in which order, at what cost.

The pipeline: `lower` finds the steps, `_positions` narrows each to the positions that matter,
`_needs` says which drawn inputs each depends on, `_plain` what is read from the plain model.
"""

from __future__ import annotations

import functools

from attrs import evolve, frozen

from scrub.engine.lower import Builder
from scrub.engine.ranges import (
    Positions,
    narrowed,
    onwards,
    union,
    up_to,
)
from scrub.engine.specialise import specialise
from scrub.engine.steps import (
    Patch,
    Piece,
    Plan,
    Result,
    SiteRead,
    SiteStep,
    Source,
    Step,
    StreamRead,
    StreamStep,
    Variable,
)
from scrub.hypothesis.sites import ALL
from scrub.hypothesis.tree import Tree
from scrub.model.graph import Graph, Site
from scrub.names import Cell


def plan(tree: Tree, graph: Graph, *, columns: bool = False) -> Plan:
    """The plan of a legal tree (see `scrub.checks.structure`) on a graph.

    Args:
        columns: whether the metric reads a few columns of the root only; the root's last site is
            then left to be read out per reference, where it allows that.
    """
    tree, graph = specialise(tree, graph)
    builder = Builder(graph)
    builder.node(tree)
    result = _result(tree, builder)
    if columns:
        result = _without_last_site(result, builder)
    claimed = {cell.site for node in tree.walk() for route in node.routes for cell in route.cells}
    narrowing = _Narrowing(
        graph, frozenset(graph.sites[name].summand_of or name for name in claimed)
    )
    steps = _needs(_positions(tuple(builder.steps), narrowing, result))
    return Plan(graph, tree, steps, result, _plain(steps, graph, result))


def _result(tree: Tree, builder: Builder) -> Result:
    (route,) = tree.routes
    return Result(route.at, tuple((cell, builder.values[tree.path, cell]) for cell in route.cells))


def _without_last_site(result: Result, builder: Builder) -> Result:
    """The result one site earlier, where all that is left to do is to read columns."""
    (cell, source), *others = result.cells
    site = builder.graph.sites[cell.site]
    if others or site.columns is None:
        return result
    before = Cell(site.ports[0].source)
    if source.step is None:
        return Result(result.at, ((before, source),), readout=site.name)
    step = builder.steps[source.step]
    assert isinstance(step, SiteStep)
    (read,) = step.reads
    if not isinstance(read, SiteRead) or read.patches or read.pieces[0].source.frame != step.frame:
        return result
    assert source.step == len(builder.steps) - 1, "nothing reads the root"
    builder.steps.pop()
    return Result(result.at, ((before, read.pieces[0].source),), readout=site.name)


def _positions(steps: tuple[Step, ...], plan: _Narrowing, result: Result) -> tuple[Step, ...]:
    touched: list[Positions] = []
    for step in steps:
        touched.append(plan.touched(step, touched))
    demand: dict[int, Positions] = {}

    def want(source: Source, at: Positions) -> None:
        if source.step is not None:
            demand[source.step] = union(demand.get(source.step, at), at)

    for _, source in result.cells:
        want(source, result.at)
    computed = list(steps)
    for number in reversed(range(len(steps))):
        step = steps[number]
        at: Positions = ALL
        if plan.graph.spread(step.site if isinstance(step, SiteStep) else step.stream):
            at = narrowed(demand.get(number, ALL), touched[number])
        computed[number] = evolve(step, at=at)
        for source, wanted in plan.wanted(computed[number]):
            want(source, wanted)
    return tuple(computed)


@frozen(eq=False)
class _Narrowing:
    """Where values change, and where they are asked for.

    Attributes:
        claimed: sites that a node of the tree claims.
    """

    graph: Graph
    claimed: frozenset[str]

    def touched(self, step: Step, touched: list[Positions]) -> Positions:
        """The positions at which scrubbing can have changed a step's value."""
        if isinstance(step, StreamStep):
            changed: list[Positions] = []
            changed.extend(_changed_by(patch, step.frame, touched) for patch in step.patches)
            if step.base is not None:
                changed.append(touched[step.base])
        else:
            changed = []
            for read in step.reads:
                changed += self._read(read, step, touched)
        return functools.reduce(union, changed)

    def _read(
        self, read: SiteRead | StreamRead, step: SiteStep, touched: list[Positions]
    ) -> list[Positions]:
        if isinstance(read, StreamRead):
            return [] if read.difference is None else [touched[read.difference]]
        plain = Source(step.frame)
        changed: list[Positions] = []
        changed.extend(patch.at for patch in read.patches)
        changed.extend(
            _changed_by(p, step.frame, touched) for p in read.pieces if p.source != plain
        )
        if not read.everywhere:
            return changed
        return [onwards(at) if self._only_past(read, step) else ALL for at in changed]

    def _only_past(self, read: SiteRead, step: SiteStep) -> bool:
        """Whether a position sees nothing of what this port reads after it."""
        (port,) = (port for port in self.graph.sites[step.site].ports if port.name == read.port)
        return port.causal_by is not None and port.causal_by not in self.claimed

    def wanted(self, step: Step) -> list[tuple[Source, Positions]]:
        """What a step, computed at its positions, asks of others."""
        wanted: list[tuple[Source, Positions]] = []
        if isinstance(step, StreamStep):
            if step.base is not None:
                wanted.append((Source(step.frame, step.base), step.at))
            for patch in step.patches:
                wanted += _wanted_patch(patch, step.frame, step.at)
            return wanted
        for read in step.reads:
            if isinstance(read, StreamRead):
                if read.difference is not None:
                    wanted.append((Source(step.frame, read.difference), step.at))
                continue
            here = step.at
            if read.everywhere:
                here = up_to(step.at) if self._only_past(read, step) else ALL
            for piece in read.pieces:
                wanted.append((piece.source, here if piece.source.frame == step.frame else ALL))
            for patch in read.patches:
                wanted += _wanted_patch(patch, step.frame, here)
        return wanted


def _changed_by(what: Patch | Piece, frame: Variable, touched: list[Positions]) -> Positions:
    """Where a value that is read in this frame can differ from plain."""
    if what.source.step is not None and what.source.frame == frame:
        return touched[what.source.step]
    return what.at if isinstance(what, Patch) else ALL


def _wanted_patch(patch: Patch, frame: Variable, here: Positions) -> list[tuple[Source, Positions]]:
    inside = patch.source.frame == frame
    landing = here if patch.at == ALL else patch.at
    return [(patch.source, here if inside else patch.at), (patch.over, landing)]


def _needs(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Say of every step which drawn inputs its value depends on: its identity is their rows."""
    done: list[Step] = []

    def of(source: Source) -> frozenset[Variable]:
        return frozenset({source.frame}) if source.step is None else done[source.step].needs

    for step in steps:
        needs = frozenset({step.frame}).union(*(of(source) for source in sources(step)))
        done.append(evolve(step, needs=needs))
    return tuple(done)


def sources(step: Step) -> list[Source]:
    """Everything that a step reads but the plain values of its own frame."""
    if isinstance(step, StreamStep):
        base = [] if step.base is None else [Source(step.frame, step.base)]
        return base + [source for p in step.patches for source in (p.source, p.over)]
    found: list[Source] = []
    for read in step.reads:
        if isinstance(read, StreamRead):
            found += [] if read.difference is None else [Source(step.frame, read.difference)]
        else:
            found += [piece.source for piece in read.pieces]
            found += [source for p in read.patches for source in (p.source, p.over)]
    return found


def last_uses(plan: Plan) -> dict[int, int]:
    """For every step that another reads, the last that does. The root's values are read last."""
    last: dict[int, int] = {}
    for number, step in enumerate(plan.steps):
        last |= {source.step: number for source in sources(step) if source.step is not None}
    kept = {source.step for _, source in plan.result.cells}
    return {step: number for step, number in last.items() if step not in kept}


def _plain(steps: tuple[Step, ...], graph: Graph, result: Result) -> frozenset[str]:
    """Stored sites and streams whose plain values may be read."""
    names = {cell.site for cell, _ in result.cells}
    for step in steps:
        if isinstance(step, StreamStep):
            names |= {patch.site for patch in step.patches}
        else:
            names.add(step.site)
            names |= {r.stream if isinstance(r, StreamRead) else r.site for r in step.reads}
    stored: set[str] = set()
    while names:
        name = names.pop()
        value = graph.values[name]
        if isinstance(value, Site) and not value.stored:
            names |= {port.source for port in value.ports}
        else:
            stored.add(name)
    return frozenset(stored)
