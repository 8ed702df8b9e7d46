"""What a claim's function returns where the claim is about something that a model does not have."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from scrub.errors import UserError
from scrub.printing import printable, printed


def _reason(one: NotApplicable, attribute: object, reason: Any) -> None:
    if not isinstance(reason, str) or not reason.strip(" ."):
        raise UserError(
            f"not_applicable({printed(reason)}): say why the claim does not apply to this model, "
            'such as not_applicable("it has no induction heads").'
        )


def _clause(reason: Any) -> Any:
    """One line without a full stop, as reports put it behind a colon."""
    return printable(" ".join(reason.split())).rstrip(".") if isinstance(reason, str) else reason


@frozen
class NotApplicable:
    """That a claim does not apply to a model, and why: a clause without a full stop."""

    reason: str = field(converter=_clause, validator=_reason)


def not_applicable(reason: str) -> NotApplicable:
    """Says that a claim is not about this model: a claim's function returns it as its hypothesis.

        if "induction" not in model.roles:
            return not_applicable("no head of this model is known to be an induction head")

    Law: such a claim is neither run nor counted; its verdict is *not applicable*, which is neither
    as expected nor otherwise, whatever the file expects.

    Args:
        reason: a clause; reports print it.

    Raises:
        UserError: no reason is given.
    """
    return NotApplicable(reason)
