"""Make room: the budget of a run beside the plain activations that other claims left."""

from __future__ import annotations

from scrub.draw import Draws
from scrub.engine.budget import Budget, fit
from scrub.engine.virtual import values_held
from scrub.runner.context import Context
from scrub.runner.planned import Planned


def make_room(planned: Planned, draws: Draws, context: Context) -> Budget:
    """What fits beside the plain values of earlier claims, or beside those that are of use here.

    Claims and nulls that name other sites take turns this way, and share what they have in common.

    Raises:
        UserError: one sample does not fit into the memory.
    """
    session, memory = context.session, context.options.memory
    found = fit(planned.plan, draws, planned.cache, memory)
    if not found.keep_cache and session.held():
        session.forget_all_but(planned.cache, draws, values_held(planned.plan))
        found = fit(planned.plan, draws, planned.cache, memory)
    if not found.keep_cache and session.held():
        session.forget()
        found = fit(planned.plan, draws, planned.cache, memory)
    return found
