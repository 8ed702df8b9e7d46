"""Narrow every step to positions that matter: where scrubbing changed something, and it is read.

First forwards, from inputs to root: the positions that are *touched*, where a step's value can
differ from the plain one. Then backwards: the positions that are *demanded* by later steps. A step
computes those that are both; elsewhere its value is plain, or is never read.
"""

from __future__ import annotations

import functools

from attrs import evolve, frozen

from scrub.engine.ranges import Positions, narrowed, onwards, union, up_to
from scrub.engine.steps import (
    Patch,
    Piece,
    Result,
    SiteRead,
    SiteStep,
    Source,
    Step,
    StreamRead,
    StreamStep,
    Variable,
)
from scrub.engine.virtual import virtual_inputs
from scrub.hypothesis.sites import ALL
from scrub.hypothesis.tree import Tree
from scrub.model.graph import Graph

Demand = list[tuple[Source, Positions]]
"""What is asked of other steps, and at which positions."""


def narrow_positions(
    steps: tuple[Step, ...], result: Result, tree: Tree, graph: Graph
) -> tuple[Step, ...]:
    """The steps, each at the positions at which it must be computed (`at`).

    Law: no value that is read changes; computing more positions than needed costs only work.
    """
    attention = _Attention(graph, _claimed_sites(tree, graph), virtual_inputs(tree))
    touched: list[Positions] = []
    for step in steps:
        touched.append(_touched(step, touched, attention))
    demanded: dict[int, Positions] = {}
    _demand(demanded, [(source, result.at) for _, source in result.cells])
    narrow = list(steps)
    for number in reversed(range(len(steps))):
        step = steps[number]
        at: Positions = ALL
        if graph.spread(step.site if isinstance(step, SiteStep) else step.stream):
            at = narrowed(demanded.get(number, ALL), touched[number])
        narrow[number] = evolve(step, at=at)
        _demand(demanded, _reads(narrow[number], attention))
    return tuple(narrow)


def _claimed_sites(tree: Tree, graph: Graph) -> frozenset[str]:
    """Sites that a node of the tree claims; of a summand the split site."""
    cells = (cell for node in tree.walk() for route in node.routes for cell in route.cells)
    return frozenset(graph.sites[cell.site].summand_of or cell.site for cell in cells)


def _demand(demanded: dict[int, Positions], reads: Demand) -> None:
    """Add what is read to what is demanded of each step."""
    for source, at in reads:
        if source.step is not None:
            demanded[source.step] = union(demanded.get(source.step, at), at)


@frozen(eq=False)
class _Attention:
    """Which positions see which.

    Attributes:
        claimed: sites that a node of the tree claims.
        virtual: the inputs that are virtual rows.
    """

    graph: Graph
    claimed: frozenset[str]
    virtual: frozenset[Variable]

    def is_causal(self, read: SiteRead, step: SiteStep) -> bool:
        """Whether a position sees nothing of what this port reads after it."""
        (port,) = (port for port in self.graph.sites[step.site].ports if port.name == read.port)
        return port.causal_by is not None and port.causal_by not in self.claimed


def _touched(step: Step, touched: list[Positions], attention: _Attention) -> Positions:
    """The positions at which scrubbing can have changed a step's value.

    Args:
        touched: those of the steps before.
    """
    changed: list[Positions] = []
    if isinstance(step, SiteStep) and step.frame in attention.virtual:
        return ALL  # computed anew from values that are given, it is not what is given itself
    if isinstance(step, StreamStep):
        changed.extend(_changed_by(patch, step.frame, touched) for patch in step.patches)
        if step.base is not None:
            changed.append(touched[step.base])
    else:
        for read in step.reads:
            changed += _touched_by_read(read, step, touched, attention)
    # Where named positions can never meet, a step is plain after all: then it is what is asked.
    return functools.reduce(union, changed) if changed else ALL


def _touched_by_read(
    read: SiteRead | StreamRead, step: SiteStep, touched: list[Positions], attention: _Attention
) -> list[Positions]:
    if isinstance(read, StreamRead):
        return [] if read.difference is None else [touched[read.difference]]
    plain = Source(step.frame)
    changed: list[Positions] = []
    changed.extend(patch.at for patch in read.patches)
    changed.extend(_changed_by(p, step.frame, touched) for p in read.pieces if p.source != plain)
    if not read.everywhere:
        return changed
    return [onwards(at) if attention.is_causal(read, step) else ALL for at in changed]


def _changed_by(what: Patch | Piece, frame: Variable, touched: list[Positions]) -> Positions:
    """Where a value that is read in this frame can differ from plain."""
    if isinstance(what, Patch) and what.at != ALL:
        return what.at
    if isinstance(what, Patch) and what.within:
        return what.within[0]
    if what.source.step is not None and what.source.frame == frame:
        return touched[what.source.step]
    return ALL


def _reads(step: Step, attention: _Attention) -> Demand:
    """What a step, computed at its positions, reads of others."""
    found: Demand = []
    if isinstance(step, StreamStep):
        if step.base is not None:
            found.append((Source(step.frame, step.base), step.at))
        for patch in step.patches:
            found += _reads_of_patch(patch, step.frame, step.at)
        return found
    for read in step.reads:
        if isinstance(read, StreamRead):
            if read.difference is not None:
                found.append((Source(step.frame, read.difference), step.at))
            continue
        here = step.at
        if read.everywhere:
            here = up_to(step.at) if attention.is_causal(read, step) else ALL
        for piece in read.pieces:
            found.append((piece.source, here if piece.source.frame == step.frame else ALL))
        for patch in read.patches:
            found += _reads_of_patch(patch, step.frame, here)
    return found


def _reads_of_patch(patch: Patch, frame: Variable, here: Positions) -> Demand:
    inside = patch.source.frame == frame
    landing = here if patch.at == ALL else patch.at
    asked = here if inside and patch.at == ALL else patch.at
    return [(patch.source, asked), (patch.over, landing if patch.over.frame == frame else ALL)]
