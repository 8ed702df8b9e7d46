"""Variants of a claim on the claim's own references: other samplers, nulls, other conventions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import evolve, field, frozen

from scrub.analysis.support import Scrub
from scrub.draw import Draws, draw
from scrub.engine.prediction import RunCost
from scrub.hypothesis.tree import NamePath, Occurrence, Tree
from scrub.runner.context import Context
from scrub.runner.planned import Planned, plan_variant, predicted_cost
from scrub.runner.resume import check_earlier, scores_of, scores_of_first
from scrub.samplers import Exact
from scrub.stats.intervals import Interval, PerReference
from scrub.stats.scores import Scores


def scrub_resampled(claim: Planned, samples: int, context: Context) -> Scrub:
    """Scrubs the claim with other samplers, on its first references, as many as it took."""
    context = context.with_options(samples=samples)

    def scrub(tree: Tree) -> Callable[[int], Scores]:
        variant = plan_variant(claim, evolve(claim.prepared, tree=tree), context)
        check_earlier(variant, context)

        def first(samples: int) -> Scores:
            context.progress.expects(max(0, samples - variant.checkpoint.samples))
            scores, *_ = scores_of_first(variant, samples, context)
            claim.cache.store.evict_generated()
            return scores

        return first

    return scrub


def node_alone(tree: Tree, path: NamePath, samples: int, scrub: Scrub) -> Interval:
    """Loss recovered with one node scrubbed and all others exact, on the same draws."""

    def exact(here: Occurrence) -> Occurrence:
        node = here.node
        if here.path != path:
            node = evolve(node, sampler=Exact(), other=Exact())
        return evolve(here, node=node, children=tuple(map(exact, here.children)))

    return scrub(exact(tree))(samples).recovered()


@frozen(eq=False)
class Variants:
    """The variants that a claim's diagnoses ask for: each is drawn, planned and scrubbed once.

    A variant is a tree; it is let go when it is scrubbed.

    Attributes:
        context: with the number of samples that the claim took.
    """

    claim: Planned
    context: Context
    _drawn: dict[int, tuple[Tree, Draws]] = field(factory=dict, init=False)
    """With the tree, so that its identity stays its own."""
    _planned: dict[int, Planned] = field(factory=dict, init=False)

    def draws(self, tree: Tree) -> Draws:
        """The draws of a variant, or of the claim itself.

        Raises:
            UserError: a sampler finds no donor, or fails.
        """
        options = self.context.options
        if tree is self.claim.tree:
            return self.claim.draws.first(options.samples)
        if id(tree) not in self._drawn:
            data = self.claim.prepared.data
            drawn = draw(tree, data, samples=options.samples, seed=options.seed)
            self._drawn[id(tree)] = (tree, drawn)
        return self._drawn[id(tree)][1]

    def cost(self, tree: Tree) -> RunCost:
        """What it takes to scrub a variant.

        Raises:
            UserError: it cannot be drawn, or one sample does not fit into the memory.
        """
        return predicted_cost(self._plan(tree), self.context.options.max_memory)

    def scrubbed(self, trees: Sequence[Tree]) -> list[PerReference]:
        """The metric of each variant's root per reference.

        Raises:
            UserError: a variant does not fit into the memory, or a metric of the user's fails.
        """
        return [scores.scrubbed for scores in self.scores(trees)]

    def scores(self, trees: Sequence[Tree]) -> list[Scores]:
        """The scores of each variant.

        Raises:
            UserError: as `scrubbed`.
        """
        self.context.progress.expects(len(trees) * self.context.options.samples)
        return [self._scores(tree) for tree in trees]

    def _plan(self, tree: Tree) -> Planned:
        if id(tree) not in self._planned:
            prepared = evolve(self.claim.prepared, tree=tree, others=())
            drawn = self._drawn.get(id(tree))
            variant = plan_variant(self.claim, prepared, self.context, drawn and drawn[1])
            self._planned[id(tree)] = variant
        return self._planned[id(tree)]

    def _scores(self, tree: Tree) -> Scores:
        found = scores_of(self._plan(tree), self.context)
        del self._planned[id(tree)]
        self._drawn.pop(id(tree), None)
        return found
