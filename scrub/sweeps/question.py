"""What a sweep asks, and the same bound to a model and data, checked, as one tree a sender."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import field, frozen

from scrub.errors import UserError
from scrub.hypothesis.behaviour import Behaviour
from scrub.hypothesis.collect import CollectedBehaviour
from scrub.hypothesis.sites import Route, Through, none
from scrub.hypothesis.tree import NamePath, Tree
from scrub.runner.prepare import Prepared
from scrub.sweeps.receiver import Receiver
from scrub.sweeps.senders import Sender

ROOT, RECEIVER, SENDER = "root", "receiver", "sender"
"""Names of the nodes: all members draw under them, so that draws are common."""
APPROXIMATIONS = (False, True, "integrated")
FIRST_ORDER = "first-order"
"""What the command line calls True."""


def _through(through: Any) -> Through:
    return Route((), through=through).through


def _approximation(given: Any) -> Any:
    return True if isinstance(given, str) and given == FIRST_ORDER else given


@frozen
class Question:
    """What a sweep asks of a behaviour.

    Attributes:
        to: the receiver; see `scrub.sweeps.receiver`.
        senders: see `scrub.sweeps.senders.named_senders`.
        at: at which positions they send: "all", "each", a column, or several.
        through: what their paths to the receiver may pass.
        restore: whether the model runs on the corrupted input and a sender is restored to what it
            is on the reference; else the other way round.
        metrics: names of the behaviour's metrics, or metrics; None: all of the behaviour's.
        approximate: effects by gradients: True or "first-order", or "integrated" for integrated
            ones.
        top: how many neurons get exact effects.
        by: a column of the data by whose values the effects are told apart; None: none.
    """

    to: Any = None
    senders: Any = "heads"
    at: Any = "all"
    through: Through = field(default=none, converter=_through)
    restore: bool = True
    metrics: Any = None
    approximate: bool | str = field(default=False, converter=_approximation)
    top: int = 20
    by: str | None = None


@frozen(eq=False)
class PreparedSweep:
    """A sweep that passed its checks: every member differs from the others in the sender alone.

    Attributes:
        base: the behaviour as a claim of the first member's tree.
        senders, trees: of each member.
        left_out: senders of the range that come after the receiver, or at no position of it.
        tree_of: the tree of a member with another sender.
        neurons: the layer whose neurons are ranked first; None: none are.
    """

    item: CollectedBehaviour
    question: Question
    base: Prepared
    receiver: Receiver
    senders: tuple[Sender, ...]
    trees: tuple[Tree, ...]
    tree_of: Callable[[Sender], Tree]
    left_out: int = 0
    neurons: int | None = None

    @property
    def behaviour(self) -> Behaviour:
        return self.item.behaviour

    @property
    def parent(self) -> NamePath:
        """The node that senders send to."""
        return (ROOT,) if self.receiver.sites is None else (ROOT, RECEIVER)

    @property
    def sender(self) -> NamePath:
        return (*self.parent, SENDER)


def check_question(question: Question) -> None:
    """Refuse values of which none makes sense, before anything is loaded.

    Raises:
        UserError: with every one.
    """
    problems = []
    if question.approximate not in APPROXIMATIONS:
        problems.append(
            f'approximate={question.approximate!r}. Give "first-order" (or True), "integrated" '
            "(integrated gradients) or False."
        )
    gradients = question.approximate or str(question.senders).startswith("neurons")
    if gradients and (question.through.positions or question.through.circuit):
        problems.append(
            f"through={question.through}: gradients go through sites at all their positions, and "
            "keep to no circuit. Name other sites, or leave out approximate= (--approximate) and "
            "neurons."
        )
    if not isinstance(question.restore, bool):
        problems.append(
            f"restore={question.restore!r}. Give True (restore senders in a corrupted run) or "
            "False (corrupt them in a clean one)."
        )
    if isinstance(question.top, bool) or not isinstance(question.top, int) or question.top < 1:
        problems.append(f"top={question.top!r}. Give a whole number, 1 or more.")
    if problems:
        raise UserError(*problems)
