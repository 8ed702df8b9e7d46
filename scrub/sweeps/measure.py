"""Measure every member of a sweep on common draws: the metric per reference, chunk by chunk.

A chunk is an array [metrics, 2 + members, samples]: the original's numbers, the corrupted model's,
then those of each member. All members draw the same inputs, so that their effects are paired with
each other, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from attrs import evolve, frozen
from jaxtyping import Float

from scrub.checks.structure import check_drawn
from scrub.draw import Draws, NodeDraw, draw
from scrub.engine.activations import ActivationCache
from scrub.engine.budget import Budget
from scrub.engine.family import execute_family, plan_family
from scrub.engine.family_cost import fit_family, predict_family
from scrub.engine.prediction import RunCost
from scrub.engine.steps import FamilyPlan
from scrub.errors import Problem, UserError
from scrub.hypothesis.tree import Occurrence, Tree
from scrub.model.registry import Model
from scrub.runner.context import Context
from scrub.runner.memory import room_for
from scrub.runner.progress import SILENT
from scrub.runner.scoring import measuring_several
from scrub.sweeps.question import RECEIVER, ROOT, PreparedSweep

Numbers = Float[np.ndarray, "metrics members samples"]
ORIGINAL, CORRUPTED, FIRST = 0, 1, 2
"""Where the original's and the corrupted model's numbers stand, and where the members' begin."""


@frozen(eq=False)
class Family:
    """Members that share a plan: they split no site in different ways.

    Attributes:
        numbers: of the members, in the sweep's order.
    """

    plan: FamilyPlan
    cache: ActivationCache
    numbers: tuple[int, ...]


@frozen(eq=False)
class Members:
    """The members of a sweep, drawn, planned and ready to be measured.

    Attributes:
        draws: of every member.
        model: with weights.
    """

    sweep: PreparedSweep
    model: Model
    draws: Draws
    trees: tuple[Tree, ...]
    context: Context

    @cached_property
    def _families(self) -> list[Family]:
        """Planned when they are first measured: of members that gradients rank few are."""
        return _planned(self)

    def silent(self) -> Members:
        """The same, of which nobody is told how far it is."""
        return evolve(self, context=evolve(self.context, progress=SILENT))

    def with_trees(self, trees: Sequence[Tree]) -> Members:
        """Other members, on the same draws."""
        return evolve(self, trees=tuple(trees))

    def chunks(self, start: int = 0) -> Iterator[Numbers]:
        """The numbers of the samples from `start` on, as many at a time as fit, or take seconds.

        Raises:
            UserError: one sample does not fit into the memory, or a metric of the user's fails.
        """
        samples = len(self.draws.references)
        step = min(self._budget(family, self.draws).chunk for family in self._families)
        for first in range(start, samples, step):
            which = np.arange(first, min(first + step, samples))
            yield self.at(self.draws if len(which) == samples else self.draws.at(which))

    def at(self, draws: Draws) -> Numbers:
        """The numbers on these draws."""
        metrics, samples = self.sweep.base.metrics, len(draws.references)
        numbers = np.empty((len(metrics), FIRST + len(self.trees), samples))
        for family in self._families:
            self._measure(family, draws, numbers)
        corrupted = corrupted_inputs(self.sweep, draws)
        root = _alone(self.sweep.trees[0])
        plain = Draws(draws.references, draws.baseline, {root.path: corrupted})
        self._measure(_family((root,), (CORRUPTED - FIRST,), self), plain, numbers)
        return numbers

    def _measure(self, family: Family, draws: Draws, into: Numbers) -> None:
        """The numbers of a family's members, and the original's."""
        first, metrics = family.plan.members[0], self.sweep.base.metrics
        budget = self._budget(family, draws)
        for output in execute_family(family.plan, draws, family.cache, budget):
            references = draws.references.at(draws.references.index[output.samples])
            of = [
                measuring_several(first, metric, references, output.original) for metric in metrics
            ]
            for row, measured in enumerate(of):
                (into[row, ORIGINAL, output.samples],) = measured(output.original, 1)
            for batch in output.batches():
                numbers = [FIRST + family.numbers[member] for member in batch.members]
                for row, measured in enumerate(of):
                    into[row, numbers, output.samples] = measured(batch.value, len(numbers))
                self.context.progress.advance(len(references) * sum(n >= FIRST for n in numbers))

    def cost(self) -> RunCost:
        """What it takes to measure all members on all samples, with no plain values known."""
        costs = [
            predict_family(family.plan, self.draws, self._budget(family, self.draws))
            for family in self._families
        ]
        return RunCost(
            flops=sum(cost.flops for cost in costs),
            plain_flops=max(cost.plain_flops for cost in costs),
            peak=max(cost.peak for cost in costs),
        )

    def _budget(self, family: Family, draws: Draws) -> Budget:
        plan, cache, memory = family.plan, family.cache, self.context.options.max_memory
        return room_for(
            plan, draws, cache, self.context, lambda: fit_family(plan, draws, cache, memory)
        )


def _planned(members: Members) -> list[Family]:
    """One plan for all members; for those that split a site in other ways a plan of their own."""
    apart: dict[tuple[str, ...], list[int]] = {}
    for number, tree in enumerate(members.trees):
        splits = {str(r.split) for node in tree.walk() for r in node.routes if r.split}
        apart.setdefault(tuple(sorted(splits)), []).append(number)
    return [
        _family([members.trees[number] for number in alike], alike, members)
        for alike in apart.values()
    ]


def _family(trees: Sequence[Tree], numbers: Sequence[int], members: Members) -> Family:
    graph, of_labels = members.model.graph, members.sweep.base.of_labels
    plan = plan_family(trees, graph, columns=of_labels)
    cache = members.context.session.cache(members.model, plan.graph)
    return Family(plan, cache, tuple(numbers))


def _alone(root: Tree) -> Tree:
    return Occurrence(root.path, root.node, root.routes, ())


def members(sweep: PreparedSweep, context: Context) -> Members:
    """Load the model's weights and draw the members' inputs.

    Raises:
        UserError: the model cannot be loaded, or a sampler of the user's fails.
    """
    options = context.options
    model = context.session.load(sweep.base.model, options.dtype, options.device)
    tree = sweep.trees[0]
    draws = draw(tree, sweep.base.data, samples=options.samples, seed=options.seed)
    draws = with_one_corrupted_input(sweep, draws)
    _check_drawn(sweep, draws, model)
    return Members(sweep, model, draws, sweep.trees, context)


def _check_drawn(sweep: PreparedSweep, draws: Draws, model: Model) -> None:
    """Refuse inputs that some member cannot be computed on: one is asked of each set of positions.

    Raises:
        UserError: with every problem.
    """
    apart: dict[object, Tree] = {}
    for tree in sweep.trees:
        at = tuple(route.at for node in tree.walk() for route in node.routes)
        apart.setdefault(at, tree)
    problems: list[Problem] = []
    for tree in apart.values():
        try:
            check_drawn(tree, draws, model.graph)
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(*dict.fromkeys(problems))


def with_one_corrupted_input(sweep: PreparedSweep, draws: Draws) -> Draws:
    """The draws, with the receiver computed on the same other input as the root.

    A sampler that draws at random would draw one for each of the two, and the receiver would differ
    from the rest of the run by more than its sender.
    """
    if sweep.receiver.sites is None:
        return draws
    root, path = draws.nodes[ROOT,], (ROOT, RECEIVER)
    return evolve(draws, nodes={**draws.nodes, path: evolve(draws.nodes[path], other=root.other)})


def of_other_length(sweep: PreparedSweep, draws: Draws) -> int:
    """How many references have another number of tokens than their corrupted inputs."""
    own, corrupted = draws.references, corrupted_inputs(sweep, draws).own
    return int((own.data.lengths[own.index] != corrupted.data.lengths[corrupted.index]).sum())


def corrupted_inputs(sweep: PreparedSweep, draws: Draws) -> NodeDraw:
    """The corrupted inputs of these draws: of the root's others, or of the senders."""
    if sweep.question.restore:
        other = draws.nodes[ROOT,].other
        assert other is not None, "the root has a child"
        return NodeDraw(other)
    return NodeDraw(draws.nodes[sweep.sender].own)
