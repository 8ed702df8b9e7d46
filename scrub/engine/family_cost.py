"""What a family takes: its budget, and its operations and bytes before it runs."""

from __future__ import annotations

from scrub.draw import Draws
from scrub.engine.activations import ActivationCache
from scrub.engine.alignment import Frames
from scrub.engine.budget import Budget, fit_cost
from scrub.engine.cost import Cost, each_step, peak_of, read_root, root_is_merged, with_rows
from scrub.engine.family import released_after, roots_together, stacks_of
from scrub.engine.lookup import needs_of
from scrub.engine.prediction import CHUNKS, ChunkCost, RunCost, extrapolated, step_cost
from scrub.engine.sharing import APART, BASELINE, REFERENCE, Combinations, drawn_inputs
from scrub.engine.steps import FamilyPlan, Plan, SiteStep, StreamRead, Variable

PLAIN = 3
"""Plain roots: original, baseline and before."""
STEPS = 4_000
"""Steps that are looked at, chunk by chunk, to say what a run takes: a second's work or less."""


def family_cost(plan: FamilyPlan, width: int) -> Cost:
    """The cost of a family on rows of this width."""
    first = plan.members[0]
    every, root = each_step(first, width), read_root(first, width)
    merged = sum(map(_reads_plain, _read(plan)))
    return with_rows(
        first,
        width,
        flops=sum(step.flops for step in every) + (PLAIN + merged) * root.flops,
        held=peak_of(every, released_after(plan))
        + recent_bytes(plan, width)
        + (PLAIN + 2 * roots_together(plan)) * root.made
        + root.besides,
    )


def recent_bytes(plan: FamilyPlan, width: int) -> int:
    """Most bytes of a plain stream that is kept for the next that reads it, for one sample."""
    graph = plan.graph
    read = {
        r.stream
        for step in plan.steps
        if isinstance(step, SiteStep)
        for r in step.reads
        if isinstance(r, StreamRead)
    }
    sizes = [graph.span(name, width) * graph.streams[name].size for name in read]
    return max(sizes, default=0) * graph.dtype.itemsize


def fit_family(plan: FamilyPlan, draws: Draws, cache: ActivationCache, memory: int) -> Budget:
    """The budget of a family on its draws, as `scrub.engine.budget.fit` makes it for a plan.

    Raises:
        UserError: one sample does not fit; says the least memory that would do.
    """
    width = max(rows.data.width for rows in draws.rows())
    return fit_cost(family_cost(plan, width), plan.members[0], draws, cache, memory)


def predict_family(plan: FamilyPlan, draws: Draws, within: Budget) -> RunCost:
    """What it takes to run a family on all of its draws, with no plain values known before."""
    width = max(rows.data.width for rows in draws.rows())

    def look(samples: slice) -> ChunkCost:
        return _chunk(plan, draws, samples, width, within)

    most = max(1, min(CHUNKS, STEPS // max(1, len(plan.steps))))
    first = plan.members[0]
    return extrapolated(first, family_cost(plan, width), draws, within, look, most)


def _chunk(plan: FamilyPlan, draws: Draws, samples: slice, width: int, within: Budget) -> ChunkCost:
    first, inputs = plan.members[0], drawn_inputs(draws, samples)
    frames, drawn, root = (
        Frames(plan.graph, inputs, width),
        Combinations(inputs, APART),
        read_root(first, width),
    )
    every = [
        step_cost(step, first, frames, drawn.of(step.needs).first, within.min_batch)
        for step in plan.steps
    ]
    variables = [REFERENCE, BASELINE, Variable(first.tree.path, "other")]
    plain = [len(drawn.of(frozenset({v})).first) for v in variables if v in inputs]
    read = _read(plan)
    scrubbed = [_combinations(member, drawn) for member in read]
    merged = [
        combinations
        for combinations, member in zip(scrubbed, read, strict=True)
        if _reads_plain(member)
    ]
    size = samples.stop - samples.start
    held = PLAIN * root.made * size + recent_bytes(plan, width) * size
    last = root.made * max(scrubbed)
    together = (2 * roots_together(plan) - 1) * root.made * size
    return ChunkCost(
        samples=size,
        flops=sum(s.flops for s in every) + root.flops * (sum(plain) + sum(merged)),
        peak=held
        + max(
            peak_of(every, released_after(plan)) + together + last,
            (root.made + root.besides) * max(plain),
        ),
    )


def _read(plan: FamilyPlan) -> list[Plan]:
    """The members whose roots are read: the first of those that are read as one."""
    return [plan.members[stack[0]] for stack in stacks_of(plan, range(len(plan.members)))]


def _reads_plain(member: Plan) -> bool:
    """Whether a plain root is read for a member's: its own is plain, or put among plain values."""
    return root_is_merged(member) or any(s.step is None for _, s in member.result.cells)


def _combinations(member: Plan, drawn: Combinations) -> int:
    """Of how many combinations of rows a member's root is, at most."""
    return max(len(drawn.of(needs_of(member, s)).first) for _, s in member.result.cells)
