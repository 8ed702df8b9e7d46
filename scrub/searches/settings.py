"""What a search keeps, groups and asks: its criterion, and how a person steers it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

from attrs import evolve, field, frozen

from scrub.errors import Problems, UserError
from scrub.hypothesis.arguments import Head, pairs, several
from scrub.hypothesis.sites import Route, Through, mlps
from scrub.model.registry import Model
from scrub.printing import printed
from scrub.sweeps.senders import HEADS, heads_of

SMALLEST = 0.1
"""Least share of the total effect that a path is kept for: see docs/searches.md. In a model whose
circuit is known, heads outside of it carry up to 8% by way of a receiver."""
KINDS = ("heads", "mlps", "embeddings")
GROUPINGS = ("role", "each", "all")
"""What is one group: heads with one role, each head, or all heads that send by one port at one
position."""


def as_heads(given: Any, called: str) -> tuple[Head, ...]:
    """Heads as a user gives them: "9.9,9.6", or a list of pairs.

    Raises:
        UserError: they are no heads.
    """
    if isinstance(given, str):
        if not given.strip():
            return ()
        if not HEADS.fullmatch(given):
            raise UserError(f'{called}="{given}" names no heads. Give some, as in {called}="9.9".')
        return tuple(dict.fromkeys(heads_of(given)))
    if not isinstance(given, Iterable):
        raise UserError(f'{called}={printed(given)} names no heads. Give {called}="9.9,9.6".')
    listed = list(given)
    return tuple(dict.fromkeys(pairs(listed))) if listed else ()


def _through(given: Any) -> Through:
    return Route((), through=given).through


@frozen
class Settings:
    """How a search asks, what it keeps, and how it groups that.

    Attributes:
        senders: kinds of components that are tried: heads, mlps, embeddings.
        at: positions at which senders are tried, as a sweep's: "each" column of the data, a
            column, several, or "all".
        through: what paths between two components of the circuit may pass.
        restore: senders are restored in the corrupted run; else corrupted in the original one.
        smallest: least share of the total effect that is kept, of either sign.
        keep: heads that are kept however small their share, where it is told from zero.
        drop: heads that are never kept.
        grouping: see `GROUPINGS`; of heads in neither of these:
        alone: heads that are a group each.
        together: heads that are one group whatever they attend to.
    """

    senders: tuple[str, ...] = ("heads", "embeddings")
    at: Any = "each"
    through: Through = field(default=mlps, converter=_through)
    restore: bool = False
    smallest: float = SMALLEST
    keep: tuple[Head, ...] = ()
    drop: tuple[Head, ...] = ()
    grouping: str = "role"
    alone: tuple[Head, ...] = ()
    together: tuple[tuple[Head, ...], ...] = ()

    @property
    def asked(self) -> tuple[object, ...]:
        """What decides which effects are measured; the rest is about what is made of them."""
        return (self.senders, repr(self.at), str(self.through), self.restore)

    def keeping(self, heads: Sequence[Head]) -> Settings:
        return evolve(
            self,
            keep=tuple(dict.fromkeys((*self.keep, *heads))),
            drop=tuple(head for head in self.drop if head not in heads),
        )

    def dropping(self, heads: Sequence[Head]) -> Settings:
        return evolve(
            self,
            drop=tuple(dict.fromkeys((*self.drop, *heads))),
            keep=tuple(head for head in self.keep if head not in heads),
        )

    def splitting(self, heads: Sequence[Head] | None) -> Settings:
        """These heads, or all, are a group each."""
        if heads is None:
            return evolve(self, grouping="each", alone=(), together=())
        left = (tuple(head for head in group if head not in heads) for group in self.together)
        return evolve(
            self,
            alone=tuple(dict.fromkeys((*self.alone, *heads))),
            together=tuple(group for group in left if len(group) > 1),
        )

    def merging(self, heads: Sequence[Head] | None) -> Settings:
        """These heads, or all, are one group where they send by one port at one position."""
        if heads is None:
            return evolve(self, grouping="all", alone=(), together=())
        return evolve(
            self,
            together=(*self.together, tuple(heads)),
            alone=tuple(head for head in self.alone if head not in heads),
        )


def check_settings(settings: Settings) -> None:
    """Refuse settings of which none makes sense, before anything is loaded.

    Raises:
        UserError: with every one.
    """
    problems = Problems()
    share = settings.smallest
    if isinstance(share, bool) or not isinstance(share, Real) or not 0 <= share < 1:
        problems.add(
            f"smallest={printed(share)}.",
            "Give a share of the total effect, 0 or more and below 1, such as 0.05.",
        )
    if not isinstance(settings.restore, bool):
        problems.add(
            f"restore={printed(settings.restore)}.",
            "Give True (restore senders in a corrupted run) or False (corrupt them in a clean "
            "one).",
        )
    for kind in settings.senders:
        if kind not in KINDS:
            problems.add(
                f'There are no senders "{kind}" that a search goes on from.',
                f"Give some of: {', '.join(KINDS)}.",
            )
    if not settings.senders:
        problems.add("No senders are named.", f"Give some of: {', '.join(KINDS)}.")
    if "mlps" in settings.senders and settings.through != Through("none"):
        problems.add(
            f"Senders are MLPs, and through={settings.through} lets paths pass MLPs: what they "
            "carry would be counted twice.",
            "Give through=none (--through none), or leave the MLPs out.",
        )
    if settings.through.circuit is not None or settings.through.kinds == "anything":
        problems.add(
            f"through={settings.through}: a search goes from component to component.",
            "Give through=none or through=mlps.",
        )
    for head in settings.keep:
        if head in settings.drop:
            problems.add(
                f"Head {said(head)} is both kept and dropped.", "Leave it out of one of them."
            )
    problems.refuse()


def check_heads(settings: Settings, model: Model) -> None:
    """Refuse heads that the model does not have.

    Raises:
        UserError: with every one, and the nearest that it has.
    """
    problems = Problems()
    named = {
        "keep": settings.keep,
        "drop": settings.drop,
        "split": settings.alone,
        "merge": tuple(head for group in settings.together for head in group),
    }
    for called, heads in named.items():
        for layer, head in heads:
            if 0 <= layer < model.layers and 0 <= head < model.heads:
                continue
            near = (_within(layer, model.layers), _within(head, model.heads))
            problems.add(
                f"{called}={layer}.{head}: there is no such head. The model has layers 0 to "
                f"{model.layers - 1} with heads 0 to {model.heads - 1} each.",
                f"The nearest is {said(near)}.",
            )
    problems.refuse()


def said(head: Head) -> str:
    """ "9.6"."""
    return f"{head[0]}.{head[1]}"


def heads_in_words(heads: Iterable[Head]) -> str:
    """ "9.6, 9.9"."""
    return ", ".join(map(said, heads))


def kinds_of(given: Any) -> tuple[str, ...]:
    """Kinds of senders: "heads,mlps", or a list of them."""
    listed = given.split(",") if isinstance(given, str) else several(given)
    return tuple(dict.fromkeys(str(one).strip() for one in listed if str(one).strip()))


def _within(number: int, count: int) -> int:
    return min(max(number, 0), count - 1)


def settings_of(
    *,
    keep: Any = (),
    drop: Any = (),
    split: Any = None,
    merge: Any = None,
    **asked: Any,
) -> Settings:
    """Settings as a command or a call gives them.

    Args:
        split, merge: heads; True or "all": all of them; None: none.

    Raises:
        UserError: something that should be heads is none.
    """
    settings = Settings(keep=as_heads(keep, "keep"), drop=as_heads(drop, "drop"), **asked)
    for called, given, steered in (
        ("split", split, Settings.splitting),
        ("merge", merge, Settings.merging),
    ):
        if given is None or given is False:
            continue
        every = given is True or given == "all"
        settings = steered(settings, None if every else as_heads(given, called))
    if split in (True, "all") and merge in (True, "all"):
        raise UserError("split= and merge= of all heads exclude each other: leave one out.")
    return settings
