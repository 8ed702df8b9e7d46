"""The test of an edit from Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from scrub.api import checked_options, collected_behaviour, context_of
from scrub.hypothesis.behaviour import Behaviour
from scrub.hypothesis.belief import Belief
from scrub.hypothesis.claim import Claim
from scrub.hypothesis.collect import Collected, collected
from scrub.runner.options import OptionsOfModels, shows
from scrub.runner.session import Session
from scrub.sweeps.edit_report import Asked, EditReport, check_asked, run_edit_report
from scrub.sweeps.prepare import as_claim


@shows(OptionsOfModels)
def edit_report(
    before: Any,
    after: Any,
    expect: Sequence[tuple[Behaviour | Claim, Belief]],
    *,
    session: Session | None = None,
    **options: Unpack[OptionsOfModels],
) -> EditReport:
    """The test of an edit: what it changes where it should, and where it should not.

    Example::

        scrub.edit_report("ioi-planted", edited("ioi-planted", zero(heads([(3, 0)]))), [
            (IOI, lowers(by=2)),
            (ioi.behaviour(200, name="held out", templates=[15, 16, 17]), lowers(by=2)),
            (OTHER_TASK, unchanged(within=0.5)),
        ])

    Of a behaviour the metric of the model as it is counts, not what its corruption does; of a claim
    its figure. Law: of a model and itself every change is 0.

    Args:
        before, after: what `model=` takes.
        expect: behaviours and claims, each with how it should change: `raises(by=)`, `lowers(by=)`
            in the metric's units (of claims in shares recovered, say) or `unchanged(within=)`.
        session, options: as in `run`, but for model.

    Raises:
        UserError: a pair makes no sense, a claim is illegal, or an option is not one.
    """
    wrong = ["scrub.edit_report takes no model=: it has before and after."] * ("model" in options)
    chosen = checked_options("edit_report", options, session, wrong)
    asked = [
        Asked(collected(what), belief, False)
        if isinstance(what, Claim)
        else Asked(_root_of(what), belief, True)
        for what, belief in check_asked(expect)
    ]
    context = context_of(session, chosen)
    with context.progress:
        return run_edit_report(before, after, asked, context)


def _root_of(behaviour: Behaviour) -> Collected:
    """The behaviour as a claim of its root alone."""
    item = collected_behaviour(behaviour)
    return Collected(item.file, as_claim(item), item.model, item.path)
