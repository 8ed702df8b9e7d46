"""A claim scrubbed and diagnosed without the command line."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from scrub import Session
from scrub.engine.prediction import RunCost
from scrub.hypothesis.claim import Claim
from scrub.hypothesis.collect import Collected
from scrub.results.result import Result
from scrub.runner.context import Context
from scrub.runner.diagnose import diagnose
from scrub.runner.diagnoses import Diagnoses
from scrub.runner.options import Options
from scrub.runner.pipeline import scrub_claim
from scrub.runner.planned import plan_claim
from scrub.runner.prepare import prepare


def diagnosed(
    claim: Claim, model: Any, wanted: Diagnoses, cost: RunCost | None = None, **chosen: Any
) -> Result:
    """What a run of the claim comes to, with these diagnoses and no others.

    Args:
        cost: of scrubbing it; None: nothing is cheap.
    """
    context = Context(Session(), Options(**chosen))
    (prepared,) = prepare([Collected("", claim, model)], context.session, context.options)
    planned = evolve(plan_claim(prepared, context), cost=cost)
    return diagnose(scrub_claim(planned, context), planned, context, wanted)
