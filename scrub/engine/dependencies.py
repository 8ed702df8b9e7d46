"""What steps depend on: other steps, drawn inputs, and values of the plain model."""

from __future__ import annotations

from attrs import evolve

from scrub.engine.steps import Plan, Result, Source, Step, StreamRead, StreamStep, Variable
from scrub.model.forward import stored_sources
from scrub.model.graph import Graph


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


def find_needs(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps, each with the drawn inputs that its value depends on.

    Law: two samples that drew the same rows of these inputs have the same value, which is
    therefore computed once.
    """
    done: list[Step] = []

    def of(source: Source) -> frozenset[Variable]:
        return frozenset({source.frame}) if source.step is None else done[source.step].needs

    for step in steps:
        needs = frozenset({step.frame}).union(*(of(source) for source in sources(step)))
        done.append(evolve(step, needs=needs))
    return tuple(done)


def list_plain_values(steps: tuple[Step, ...], result: Result, graph: Graph) -> frozenset[str]:
    """Stored sites and streams whose plain values the steps or the result may read.

    Law: with these in the activation cache nothing else of the plain model is computed, but for
    sites that are not stored and are recomputed from these.
    """
    names = {cell.site for cell, _ in result.cells}
    for step in steps:
        if isinstance(step, StreamStep):
            names |= {patch.site for patch in step.patches}
        else:
            names.add(step.site)
            names |= {r.stream if isinstance(r, StreamRead) else r.site for r in step.reads}
    return stored_sources(graph, names)


def last_uses(plan: Plan) -> dict[int, int]:
    """For each step that another reads, the last that does, after which it can be released.

    Steps whose value is the root's are left out: they are read at the end.
    """
    last: dict[int, int] = {}
    for number, step in enumerate(plan.steps):
        last |= {source.step: number for source in sources(step) if source.step is not None}
    root = {source.step for _, source in plan.result.cells}
    return {step: number for step, number in last.items() if step not in root}
