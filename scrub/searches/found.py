"""The tree that a search has found: what is kept of what was measured, in groups by role.

A pure function of the measurements and the settings, so that a person who keeps or drops a head
has everything else as it was, and nothing is measured twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from scrub.errors import UserError
from scrub.hypothesis.arguments import Head
from scrub.searches.measured import At, Attends, Component, Effect, Measured, Receiver
from scrub.searches.settings import Settings, heads_in_words

ROOT = Receiver()


@frozen
class Link:
    """A group of senders to a receiver, by one port.

    Attributes:
        sender: the group, which senders may send to in turn.
        effects: of each of its components, in their order.
    """

    sender: Receiver
    receiver: Receiver
    port: str
    effects: tuple[Effect, ...]

    @property
    def kind(self) -> str:
        return self.sender.components[0].kind


@frozen
class Found:
    """What has been found so far.

    Attributes:
        links: to each receiver whose senders are measured, those with the largest shares first;
            receivers in the order in which they come, breadth first.
        frontier: the receivers that come next.
        settled: how many of the receivers with links come before all of the frontier, so that
            nothing that is measured later comes between them.
    """

    links: Mapping[Receiver, tuple[Link, ...]]
    frontier: tuple[Receiver, ...]
    settled: int

    def every(self) -> Iterator[Link]:
        """All links, by receiver."""
        for links in self.links.values():
            yield from links

    @property
    def heads(self) -> tuple[Head, ...]:
        """All heads that are in some group, in the model's order."""
        senders = (one for link in self.every() for one in link.sender.components)
        return tuple(sorted({one.pair for one in senders if one.kind == "heads"}))


def found_of(measured: Sequence[Measured], settings: Settings, attends: Attends) -> Found:
    """The tree of what is kept, from the root down, and the receivers not measured yet.

    Law: it depends on the measurements as a set, and on no receiver that no link leads to.

    Raises:
        UserError: `drop` leaves nothing of what is kept of a receiver.
    """
    by = {one.receiver: one for one in measured}
    links: dict[Receiver, tuple[Link, ...]] = {}
    frontier: list[Receiver] = []
    settled = 0
    waiting = [ROOT]
    for receiver in waiting:  # grows meanwhile
        if receiver in by:
            links[receiver] = tuple(_links(by[receiver], settings, attends))
            senders = (link.sender for link in links[receiver])
            waiting += [one for one in dict.fromkeys(senders) if one not in waiting]
            settled += not frontier
        elif goes_on(receiver):
            frontier.append(receiver)
    return Found(links, tuple(frontier), settled)


def goes_on(receiver: Receiver) -> bool:
    """Whether anything can send to it: embeddings end every path."""
    return all(one.kind != "embeddings" for one in receiver.components)


def above(measured: Measured, settings: Settings) -> list[Effect]:
    """The effects that meet the criterion, the largest first: told from zero, and large enough.

    Heads that the user keeps need not be large.
    """
    return sorted(
        (
            one
            for one in measured.effects
            if one.certain and (abs(one.share) >= settings.smallest or _of_user(one, settings.keep))
        ),
        key=lambda one: -abs(one.share),
    )


def _of_user(one: Effect, heads: Sequence[Head]) -> bool:
    return one.sender.kind == "heads" and one.sender.pair in heads


def kept(measured: Measured, settings: Settings) -> list[Effect]:
    """The effects that meet the criterion, but for heads that are dropped.

    Raises:
        UserError: nothing is left.
    """
    large = above(measured, settings)
    left = [one for one in large if not _of_user(one, settings.drop)]
    if large and not left:
        dropped = dict.fromkeys(one.sender.pair for one in large)
        raise UserError(
            f"drop={heads_in_words(dropped)} empties the group that sends to "
            f"{measured.receiver}: nothing else does above {settings.smallest:.0%}. Leave one of "
            "them in, or lower smallest= (--smallest), so that others take their place."
        )
    return left


def largest_left_out(measured: Measured, settings: Settings) -> Effect | None:
    """The largest effect that does not meet the criterion."""
    large = above(measured, settings)
    rest = [one for one in measured.effects if one not in large]
    return max(rest, key=lambda one: abs(one.effect.mean), default=None)


def _links(measured: Measured, settings: Settings, attends: Attends) -> Iterator[Link]:
    groups: dict[object, list[Effect]] = {}
    for one in kept(measured, settings):
        role = _role(one, settings, attends)
        groups.setdefault((one.port, one.at, one.sender.kind, role), []).append(one)
    for effects in groups.values():
        ordered = sorted(effects, key=lambda one: one.sender)
        components = tuple(one.sender for one in ordered)
        sender = Receiver(components, ordered[0].at)
        yield Link(sender, measured.receiver, ordered[0].port, tuple(ordered))


def _role(one: Effect, settings: Settings, attends: Attends) -> object:
    """What tells groups apart at one position and port: for heads the sign of their effect, and
    the column that they attend to most; or what the user says.
    """
    sender, head = one.sender, one.sender.pair
    if sender.kind != "heads":
        return sender
    for number, group in enumerate(settings.together):
        if head in group:
            return number
    if settings.grouping == "each" or head in settings.alone:
        return sender
    if settings.grouping == "all":
        return None
    return (one.share > 0, target_of(sender, one.at, attends))


def target_of(sender: Component, at: At, attends: Attends) -> str:
    """The column that a head attends to most; where that is not known, its layer."""
    known = attends.get((sender.pair, at))
    return f"layer {sender.layer}" if known is None else known.to
