"""A claim scrubbed and diagnosed without the command line."""

from __future__ import annotations

from typing import Any

from scrub import Session
from scrub.engine.prediction import RunCost
from scrub.hypothesis.claim import Claim
from scrub.hypothesis.collect import Collected
from scrub.results.result import Result
from scrub.runner.diagnose import Asked, diagnose
from scrub.runner.options import Options
from scrub.runner.pipeline import scrub_claim
from scrub.runner.prepare import prepare


def diagnosed(
    claim: Claim, model: Any, asked: Asked, cost: RunCost | None = None, **chosen: Any
) -> Result:
    """What a run of the claim comes to, with these diagnoses and no others.

    Args:
        cost: of scrubbing it; None: nothing is cheap.
    """
    session, options = Session(), Options(**chosen)
    (prepared,) = prepare([Collected("", claim, model)], session, options)
    result = scrub_claim(prepared, session, options)
    return diagnose(result, prepared, session, options, asked, cost=cost)
