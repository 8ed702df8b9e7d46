"""A claim scrubbed and diagnosed without the command line."""

from __future__ import annotations

from typing import Any

from scrub import Session
from scrub.collect import Collected
from scrub.diagnostics.run import Asked, diagnose
from scrub.hypothesis import Claim
from scrub.options import Options
from scrub.pipeline import scrub_claim
from scrub.prepare import prepare
from scrub.results import Result
from scrub.work import Work


def diagnosed(
    claim: Claim, model: Any, asked: Asked, cost: Work | None = None, **chosen: Any
) -> Result:
    """What a run of the claim comes to, with these diagnoses and no others.

    Args:
        cost: of scrubbing it; None: nothing is cheap.
    """
    session, options = Session(), Options(**chosen)
    (prepared,) = prepare([Collected("", claim, model)], session, options)
    result = scrub_claim(prepared, session, options)
    return diagnose(result, prepared, session, options, asked, cost=cost)
