"""Plan a scrub: hypothesis + graph → which values are computed, in which order, at what cost.

The pipeline: `lower` finds the steps, `_positions` narrows each to the positions that matter,
`_needs` says which drawn inputs each depends on, `_plain` what is read from the plain model.
"""

from __future__ import annotations

import functools

from attrs import evolve

from scrub.lower import Builder
from scrub.model.graph import Graph, Site
from scrub.sites import ALL, At, Cell, Spec
from scrub.specialise import specialise
from scrub.steps import (
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
from scrub.tree import Tree


def plan(tree: Tree, graph: Graph, *, columns: bool = False) -> Plan:
    """The plan of a legal tree (see `scrub.check`) on a graph.

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
    steps = _needs(_positions(tuple(builder.steps), graph, result))
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


def _ordered(specs: set[Spec]) -> tuple[Spec, ...]:
    return tuple(sorted(specs, key=lambda spec: (isinstance(spec, int), str(spec), spec)))


def _both(first: At, second: At) -> At:
    """Union of two sets of positions."""
    if first == second:
        return second
    if first == ALL or second == ALL:
        return ALL
    return _ordered({*first, *second})


def _fewer(demanded: At, touched: At) -> At:
    """The smaller of two sets of positions, either of which is enough to compute.

    Which of two named sets is smaller may differ by row, so the touched ones are taken only where
    they are fewer whatever the row.
    """
    if demanded == ALL:
        return touched
    if touched != ALL and len(touched) < len(demanded):
        return touched
    return demanded


def _positions(steps: tuple[Step, ...], graph: Graph, result: Result) -> tuple[Step, ...]:
    touched: list[At] = []
    for step in steps:
        touched.append(_touched(step, touched))
    demand: dict[int, At] = {}

    def want(source: Source, at: At) -> None:
        if source.step is not None:
            demand[source.step] = _both(demand.get(source.step, at), at)

    for _, source in result.cells:
        want(source, result.at)
    computed = list(steps)
    for number in reversed(range(len(steps))):
        step = steps[number]
        at: At = ALL
        if graph.spread(step.site if isinstance(step, SiteStep) else step.stream):
            at = _fewer(demand.get(number, ALL), touched[number])
        computed[number] = evolve(step, at=at)
        for source, wanted in _wanted(computed[number]):
            want(source, wanted)
    return tuple(computed)


def _touched(step: Step, touched: list[At]) -> At:
    """The positions at which scrubbing can have changed a step's value."""
    if isinstance(step, StreamStep):
        changed: list[At] = [_changed_by(patch, step.frame, touched) for patch in step.patches]
        if step.base is not None:
            changed.append(touched[step.base])
    else:
        changed = [at for read in step.reads for at in _changed_read(read, step.frame, touched)]
    return functools.reduce(_both, changed)


def _changed_read(read: SiteRead | StreamRead, frame: Variable, touched: list[At]) -> list[At]:
    if isinstance(read, StreamRead):
        return [] if read.difference is None else [touched[read.difference]]
    plain = Source(frame)
    changed: list[At] = [_changed_by(p, frame, touched) for p in read.pieces if p.source != plain]
    changed.extend(patch.at for patch in read.patches)
    return _everywhere(changed) if read.everywhere else changed


def _everywhere(changed: list[At]) -> list[At]:
    """What a port that reads all positions hands on: a change anywhere reaches all of them."""
    return [ALL] if changed else []


def _changed_by(what: Patch | Piece, frame: Variable, touched: list[At]) -> At:
    """Where a value that is read in this frame can differ from plain."""
    if what.source.step is not None and what.source.frame == frame:
        return touched[what.source.step]
    return what.at if isinstance(what, Patch) else ALL


def _wanted(step: Step) -> list[tuple[Source, At]]:
    """What a step, computed at its positions, asks of others."""
    wanted: list[tuple[Source, At]] = []
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
        here = ALL if read.everywhere else step.at
        for piece in read.pieces:
            wanted.append((piece.source, here if piece.source.frame == step.frame else ALL))
        for patch in read.patches:
            wanted += _wanted_patch(patch, step.frame, here)
    return wanted


def _wanted_patch(patch: Patch, frame: Variable, here: At) -> list[tuple[Source, At]]:
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
    return [source for source, _ in _wanted(step)]


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
