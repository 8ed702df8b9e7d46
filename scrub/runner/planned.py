"""Plan claims: tree → plan, draws, checkpoint and predicted cost. No model runs here.

This is done once a claim, before the first claim runs: what is announced is what is run. A variant
of a claim (other samplers, other sites, other data) is planned once as well.
"""

from __future__ import annotations

from attrs import evolve, frozen

from scrub.checks.structure import check_drawn
from scrub.draw import Draws, draw
from scrub.engine.activations import ActivationCache
from scrub.engine.budget import fit
from scrub.engine.plan import plan
from scrub.engine.prediction import RunCost, predict
from scrub.engine.steps import Plan
from scrub.engine.virtual import root_is_given, virtual_inputs
from scrub.hypothesis.tree import Tree
from scrub.model.registry import Model
from scrub.runner.checkpoint import Checkpoint
from scrub.runner.context import Context
from scrub.runner.prepare import Prepared
from scrub.runner.user_code import RUNNING, located


@frozen(eq=False)
class Planned:
    """A claim, or a variant of one, that is ready to run.

    Attributes:
        model: with weights.
        cache: of plain activations, which all claims on the model share.
        draws: of all samples that may be asked for.
        checkpoint: the scores that are computed already.
        cost: of scrubbing it once, with nothing computed already; None: not predicted.
    """

    prepared: Prepared
    model: Model
    plan: Plan
    cache: ActivationCache
    draws: Draws
    checkpoint: Checkpoint
    cost: RunCost | None = None

    @property
    def tree(self) -> Tree:
        return self.prepared.tree


def plan_claim(prepared: Prepared, context: Context) -> Planned:
    """Plan a claim, draw its inputs, and predict its cost.

    Raises:
        UserError: the model cannot be loaded, a sampler of the user's fails, or one sample does not
            fit into the memory.
    """
    options = context.options
    with located(prepared.file, prepared.claim, RUNNING):
        model = context.session.load(
            prepared.model, options.dtype, options.device, recheck=options.recheck
        )
        claim = _planned(prepared, model, context)
        return evolve(claim, cost=predicted_cost(claim, options.max_memory))


def plan_variant(
    claim: Planned, prepared: Prepared, context: Context, draws: Draws | None = None
) -> Planned:
    """Plan a variant of a claim. Plans know no samplers: with the claim's sites it has its plan.

    Nodes that keep their names keep their draws, so that variants are paired by reference.

    Args:
        prepared: the claim with another tree or other data, on the same model.
        draws: of the variant, where they are made already.

    Raises:
        UserError: a sampler of the user's fails.
    """
    with located(prepared.file, prepared.claim, RUNNING):
        return _planned(prepared, claim.model, context, claim, draws)


def predicted_cost(planned: Planned, memory: int) -> RunCost:
    """Operations and bytes of a run that starts with an empty cache.

    Raises:
        UserError: one sample does not fit into the memory.
    """
    empty = ActivationCache(planned.plan.graph)
    return predict(planned.plan, planned.draws, fit(planned.plan, planned.draws, empty, memory))


def _planned(
    prepared: Prepared,
    model: Model,
    context: Context,
    base: Planned | None = None,
    draws: Draws | None = None,
) -> Planned:
    if base is not None and _same_sites(prepared, base.prepared):
        steps, cache = base.plan, base.cache
    else:
        steps = plan(
            prepared.tree, model.graph, columns=prepared.of_labels, before=prepared.is_effect
        )
        cache = context.session.cache(model, steps.graph)
    if draws is None:
        options = context.options
        draws = draw(prepared.tree, prepared.data, samples=options.samples, seed=options.seed)
    check_drawn(prepared.tree, draws, model.graph)
    checkpoint = context.checkpoint(prepared, model, draws)
    return Planned(prepared, model, steps, cache, draws, checkpoint)


def _same_sites(one: Prepared, other: Prepared) -> bool:
    """Whether two claims differ in samplers and data at most, and so have one plan.

    Of samplers a plan knows only which give virtual rows.
    """

    def known(tree: Tree) -> object:
        sites = [(node.path, node.routes) for node in tree.walk()]
        return sites, virtual_inputs(tree), root_is_given(tree)

    return known(one.tree) == known(other.tree) and one.of_labels == other.of_labels
