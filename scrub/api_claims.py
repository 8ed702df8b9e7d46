"""Claims without a run, and their paths, from Python: what `scrub check`, `plan` and so on say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from scrub.api import checked_options, context_of, items_of
from scrub.errors import UserError
from scrub.hypothesis.claim import Claim
from scrub.hypothesis.collect import Collected
from scrub.report.claim_views import Checked, ClaimPlan, ClaimSwaps
from scrub.report.row import drawn_for
from scrub.runner.options import RunOptions, is_whole, shows
from scrub.runner.prepare import prepare
from scrub.runner.session import Session
from scrub.searches.paths import ClaimPaths, paths_of
from scrub.testing.claims import checked_lines, hold


@shows(RunOptions)
def check(
    claims: Claim | str | Sequence[Claim | str],
    *,
    session: Session | None = None,
    **options: Unpack[RunOptions],
) -> Checked:
    """Check claims and the laws of their samplers without running the model, as `scrub check` does.

    Args:
        claims: claims, files, folders, or `"FILE::CLAIM"`; one or several.
        session, options: as in `run`.

    Raises:
        UserError: with all that is wrong: illegal claims, samplers that break a law.
    """
    chosen = checked_options("check", options, session, [])
    prepared = prepare(items_of("check", claims), session or Session(), chosen)
    holding = hold(prepared, chosen.model if isinstance(chosen.model, str) else None)
    holding.refuse()
    return Checked(tuple(prepared), tuple(checked_lines(prepared, holding)))


@shows(RunOptions)
def plan(
    claim: Claim | str, *, session: Session | None = None, **options: Unpack[RunOptions]
) -> ClaimPlan:
    """The tree of a claim, what would run and its cost, without running it, as `scrub plan` says.

    Args:
        claim: a claim, or `"FILE::CLAIM"`.
        session, options: as in `run`.

    Raises:
        UserError: the claim is illegal, or an option is not one.
    """
    chosen = checked_options("plan", options, session, [])
    (prepared,) = prepare([_one("plan", claim)], session or Session(), chosen)
    return ClaimPlan(prepared, chosen)


@shows(RunOptions)
def show(
    claim: Claim | str,
    *,
    row: int,
    session: Session | None = None,
    **options: Unpack[RunOptions],
) -> ClaimSwaps:
    """The inputs that a claim swaps for one row of its data, as `scrub show` says.

    Args:
        claim: a claim, or `"FILE::CLAIM"`.
        row: of the data, from 0.
        session, options: as in `run`.

    Raises:
        UserError: there is no such row, the claim is illegal, or an option is not one.
    """
    wrong = [] if is_whole(row) else [f"row= is {row!r}. Give a whole number, the row of the data."]
    chosen = checked_options("show", options, session, wrong)
    (prepared,) = prepare([_one("show", claim)], session or Session(), chosen)
    return ClaimSwaps(prepared, int(row), drawn_for(prepared, row, chosen.seed))


@shows(RunOptions)
def paths(
    claim: Claim | str, *, session: Session | None = None, **options: Unpack[RunOptions]
) -> ClaimPaths:
    """All paths of a claim from root to leaves, each with its share, as `scrub paths` says.

    Law: the effect of a claim's only path is the claim's.

    Args:
        claim: a claim, or `"FILE::CLAIM"`.
        session, options: as in `run`.

    Raises:
        UserError: the claim is illegal, or an option is not one.
    """
    chosen = checked_options("paths", options, session, [])
    context = context_of(session, chosen)
    (prepared,) = prepare([_one("paths", claim)], context.session, chosen)
    return paths_of(prepared, context)


def _one(called: str, claim: Any) -> Collected:
    """The one claim that is given, or named by its file."""
    found = items_of(called, claim)
    if len(found) > 1:
        names = ", ".join(item.claim.name for item in found)
        raise UserError(
            f"scrub.{called} is about one claim, and there are {len(found)}. Name one, as in "
            f"{found[0].name}; there are: {names}."
        )
    return found[0]
