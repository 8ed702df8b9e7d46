"""Make room: the budget of a run beside the plain activations that other claims left."""

from __future__ import annotations

from collections.abc import Callable

from scrub.draw import Draws
from scrub.engine.activations import ActivationCache
from scrub.engine.budget import Budget, fit
from scrub.engine.steps import FamilyPlan, Plan
from scrub.engine.virtual import values_held
from scrub.runner.context import Context
from scrub.runner.planned import Planned


def make_room(planned: Planned, draws: Draws, context: Context) -> Budget:
    """What fits beside the plain values of earlier claims, or beside those that are of use here.

    Claims and nulls that name other sites take turns this way, and share what they have in common.

    Raises:
        UserError: one sample does not fit into the memory.
    """
    plan, memory = planned.plan, context.options.max_memory
    return room_for(
        plan, draws, planned.cache, context, lambda: fit(plan, draws, planned.cache, memory)
    )


def room_for(
    plan: Plan | FamilyPlan,
    draws: Draws,
    cache: ActivationCache,
    context: Context,
    fitted: Callable[[], Budget],
) -> Budget:
    """The same for whatever reads plain values.

    Args:
        fitted: the budget beside what the session then holds.
    """
    session, found = context.session, fitted()
    if not found.keep_cache and session.held():
        first = plan if isinstance(plan, Plan) else plan.members[0]
        session.evict_all_but(cache, draws, values_held(first))
        found = fitted()
    if not found.keep_cache and session.held():
        session.evict()
        found = fitted()
    return found
