"""Receivers: what a sweep measures its senders' effect on, by way of what.

Written `GROUP.PORT@COLUMN`: a group is a role, heads ("9.9,9.6") or the name of a site; a port is
q, k, v, pattern, scores or z. `GROUP.attention:io@end` is no stage on the way to the logits but
what is measured itself: the attention from END to IO. `GROUP.output@end` is, too: how far the
heads' z is from what it is on the reference.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen

from scrub.errors import UserError, did_you_mean
from scrub.hypothesis.sites import Sites, Spec, anything, heads, site
from scrub.metrics import Metric, attention, distance
from scrub.model.registry import Model
from scrub.printing import printed
from scrub.sweeps.senders import HEADS, heads_of

PORTS = ("q", "k", "v", "pattern", "scores", "z")
ATTENTION, OUTPUT = "attention", "output"
LOGITS = "logits"


@frozen
class Receiver:
    """What the senders send to.

    Attributes:
        name: as reports call it.
        sites: of the node between root and senders; None: senders send to the root itself.
        root: what the root stands for, where that is not what the behaviour says.
        metric: what is measured there, where that is not what the behaviour says.
    """

    name: str
    sites: Sites | None = None
    root: Sites | None = None
    metric: Metric | None = None


def receiver_of(to: Any, model: Model, root: Sites) -> Receiver:
    """The receiver that `to=` (`--to`) names.

    Args:
        to: None or "logits": the root. Text, as above: its way to the root may pass through
            anything. Sites: on the way that they say (`through=`).
        root: what the behaviour's metric reads.

    Raises:
        UserError: there is no such role, port or site; names the nearest.
    """
    if to is None or to == LOGITS:
        return Receiver(_named(root))
    if isinstance(to, Sites):
        return Receiver(_named(to), to)
    if not isinstance(to, str):
        raise UserError(
            f'to={printed(to)} is no receiver. Give "logits", text such as "9.9,9.6.q@end", or '
            "sites."
        )
    group, _, position = to.partition("@")
    at = _positions(position) if position else "all"
    path = {"at": at, "through": anything}
    if group in model.graph.sites:
        return Receiver(to, site(group, **path))
    group, port, column = _port(group.strip(), to)
    which = heads_of(group) if HEADS.fullmatch(group) else model.role(group)
    if column:
        root = heads(which, part="pattern", at=at)
        return Receiver(to, root=root, metric=attention(to=column))
    if port == OUTPUT:
        return Receiver(to, root=heads(which, part="z", at=at), metric=distance())
    return Receiver(to, heads(which, part=port, **path))


def _named(sites: Sites) -> str:
    cells = [str(cell) for route in sites.routes for cell in route.cells]
    more = f" and {len(cells) - 3} more" if len(cells) > 3 else ""
    return ", ".join(cells[:3]) + more


def _positions(text: str) -> tuple[Spec, ...]:
    pieces = [piece.strip() for piece in text.split(",")]
    return tuple(int(piece) if piece.isdigit() else piece for piece in pieces)


def _port(text: str, whole: str) -> tuple[str, str, str]:
    """Group, port, and the column that attention goes to, where that is asked for."""
    head, colon, column = text.partition(":")
    group, dot, port = head.rpartition(".")
    if not dot or port.strip().isdigit():  # "9.9", or a role by itself
        return text, "z", ""
    if colon and port == ATTENTION and column:
        return group, port, column
    if colon or port not in (*PORTS, OUTPUT):
        known = (*PORTS, OUTPUT, f"{ATTENTION}:COLUMN")
        raise UserError(
            f'to="{whole}" (--to on the command line): heads have no port "{port}". '
            f"{did_you_mean(port, known)}"
        )
    return group, port, ""
