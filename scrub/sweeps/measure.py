"""Measure every member of a sweep on common draws: the metric per reference, chunk by chunk.

A chunk is an array [metrics, 2 + members, samples]: the original's numbers, the corrupted model's,
then those of each member. All members draw the same inputs, so that their effects are paired with
each other, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from attrs import Factory, evolve, field, frozen
from jaxtyping import Float

from scrub.checks.structure import check_drawn
from scrub.draw import Draws, NodeDraw, draw
from scrub.engine.execute import execute
from scrub.engine.plan import plan
from scrub.hypothesis.tree import Occurrence, Tree
from scrub.model.registry import Model
from scrub.runner.checkpoint import Checkpoint
from scrub.runner.context import Context
from scrub.runner.memory import make_room
from scrub.runner.planned import Planned, predicted_cost
from scrub.runner.progress import SILENT
from scrub.runner.scoring import measured
from scrub.sweeps.question import RECEIVER, ROOT, PreparedSweep

Numbers = Float[np.ndarray, "metrics members samples"]
ORIGINAL, CORRUPTED, FIRST = 0, 1, 2
"""Where the members' numbers start, and what stands before them."""
LONG = 1e12
"""Operations after which a chunk ends, some ten seconds of a laptop's: little is lost by a stop."""
LOOKED = 3
"""Members whose cost is predicted; the others are like them."""


@frozen(eq=False)
class Members:
    """The members of a sweep, drawn and ready to be measured.

    Attributes:
        draws: of every member.
        model: with weights.
    """

    sweep: PreparedSweep
    model: Model
    draws: Draws
    trees: tuple[Tree, ...]
    context: Context
    _leaf: Tree = field(default=Factory(lambda self: _alone(self.sweep.trees[0]), takes_self=True))
    _planned: dict[int, Planned] = field(factory=dict, init=False)

    def silent(self) -> Members:
        """The same, of which nobody is told how far it is."""
        return evolve(self, context=evolve(self.context, progress=SILENT))

    def with_trees(self, trees: Sequence[Tree]) -> Members:
        """Other members, on the same draws."""
        return evolve(self, trees=tuple(trees))

    def chunks(self, start: int = 0) -> Iterator[Numbers]:
        """The numbers of the samples from `start` on, as many at a time as take some ten seconds.

        Raises:
            UserError: one sample does not fit into the memory, or a metric of the user's fails.
        """
        samples = len(self.draws.references)
        step = max(1, min(samples, int(samples * LONG / max(self.flops(), 1))))
        for first in range(start, samples, step):
            which = np.arange(first, min(first + step, samples))
            yield self.at(self.draws if len(which) == samples else self.draws.at(which))

    def at(self, draws: Draws) -> Numbers:
        """The numbers on these draws."""
        root = self.root_on(corrupted_inputs(self.sweep, draws), draws)
        plain = self._scored(root, root.draws)
        numbers = np.empty((len(plain), FIRST + len(self.trees), len(draws.references)))
        numbers[:, ORIGINAL], numbers[:, CORRUPTED] = plain[:, 0], plain[:, 1]
        for number, tree in enumerate(self.trees):
            numbers[:, FIRST + number] = self._scored(self._plan(tree), draws)[:, 1]
            self.context.progress.advance(len(draws.references))
        return numbers

    def root_on(self, inputs: NodeDraw, draws: Draws) -> Planned:
        """The root as a leaf on some inputs: the plain model there, scored by the references."""
        found = self._plan(self._leaf)
        leaf = self._leaf
        return evolve(found, draws=Draws(draws.references, draws.baseline, {leaf.path: inputs}))

    def flops(self) -> float:
        """Operations that all members take on all samples, about."""
        looked = np.unique(np.linspace(0, len(self.trees) - 1, LOOKED).astype(int))
        costs = [
            predicted_cost(self._plan(self.trees[number]), self.context.options.memory)
            for number in looked
        ]
        return len(self.trees) * float(np.mean([cost.flops for cost in costs])) + max(
            cost.plain_flops for cost in costs
        )

    def _plan(self, tree: Tree) -> Planned:
        key = id(tree)
        if key not in self._planned:
            prepared = evolve(self.sweep.base, tree=tree)
            steps = plan(tree, self.model.graph, columns=prepared.of_labels)
            cache = self.context.session.cache(self.model, steps.graph)
            self._planned[key] = Planned(
                prepared, self.model, steps, cache, self.draws, Checkpoint()
            )
        return self._planned[key]

    def _scored(self, planned: Planned, draws: Draws) -> Float[np.ndarray, "metrics 2 samples"]:
        """The metrics of the original and of the scrubbed root on these draws."""
        budget = make_room(planned, draws, self.context)
        steps, metrics = planned.plan, planned.prepared.metrics
        parts = []
        for output in execute(steps, draws, planned.cache, budget):
            references = draws.references.at(draws.references.index[output.samples])
            read = steps.graph, steps.result.readout
            both = (output.original, output.scrubbed)
            parts.append(
                [
                    [measured(*read, metric, value, references, output.original) for value in both]
                    for metric in metrics
                ]
            )
        return np.concatenate([np.array(part) for part in parts], axis=-1)


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
    check_drawn(tree, draws, model.graph)
    return Members(sweep, model, draws, sweep.trees, context)


def with_one_corrupted_input(sweep: PreparedSweep, draws: Draws) -> Draws:
    """The draws, with the receiver computed on the same other input as the root.

    A sampler that draws at random would draw one for each of the two, and the receiver would differ
    from the rest of the run by more than its sender.
    """
    if sweep.receiver.sites is None:
        return draws
    root, path = draws.nodes[ROOT,], (ROOT, RECEIVER)
    return evolve(draws, nodes={**draws.nodes, path: evolve(draws.nodes[path], other=root.other)})


def corrupted_inputs(sweep: PreparedSweep, draws: Draws) -> NodeDraw:
    """The corrupted inputs of these draws: of the root's others, or of the senders."""
    if sweep.question.restore:
        other = draws.nodes[ROOT,].other
        assert other is not None, "the root has a child"
        return NodeDraw(other)
    return NodeDraw(draws.nodes[sweep.sender].own)
