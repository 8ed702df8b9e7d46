"""The components of a transformer, and which way a path may go through them: names, no values."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable

from attrs import frozen

from scrub.hypothesis.sites import Through
from scrub.names import EMBED, LOGITS, LOGITS_IN, LOGITS_NORMED, PROJECTOR, TEXT_EMBED, Cell
from scrub.reference.path import Path

READERS = {
    "q_in": "q", "k_in": "k", "v_in": "v", "mlp_in": "mlp_in", "logits_in": "logits_in",
    "attn_out": "attn_out",
}  # fmt: skip
"""Sites that are sums of writers, and the port that each belongs to."""

HEAD = frozenset({"q", "k", "v", "mask"})

LEADS_TO: dict[str, frozenset[str]] = {
    **{reader: frozenset({port}) for reader, port in READERS.items()},
    **{f"{port}_normed": frozenset({port}) for port in ("q", "k", "v")},
    **{port: frozenset({port}) for port in HEAD},
    "scores": frozenset({"q", "k"}),
    "pattern": frozenset({"q", "k", "mask"}),
    "z": HEAD,
    "result": HEAD,
    **{
        site: frozenset({"mlp_in"})
        for site in ("mlp_normed", "mlp_pre", "mlp_pre_linear", "mlp_post", "mlp")
    },
    "logits_normed": frozenset({"logits_in"}),
    "logits": frozenset({"logits_in"}),
    "embed": frozenset({"embed", "text_embed", "projector"}),
    "text_embed": frozenset({"text_embed"}),
    "projector": frozenset({"projector"}),
    "pos_embed": frozenset({"pos_embed"}),
}
"""The ports of its component that a site depends on.

An embedding reads nothing; a path comes to its summands by a port of its own name, so that one
which must enter by q does not.
"""

LOGITS_SITES = (LOGITS_IN, LOGITS_NORMED, LOGITS)


@frozen
class Component:
    """What a path passes through as a whole.

    Attributes:
        kind: "head", "mlp", or the site that it consists of.
        layer: its number; the embeddings stand before all layers, the logits behind.
        head: number of a head.
    """

    kind: str
    layer: float
    head: int | None = None


def kind_of(cell: Cell) -> str:
    """The last part of a site's name: q_in, z, mlp, logits, …"""
    return cell.name.part


def layer_of(cell: Cell) -> float:
    """The number of a site's layer; the embeddings stand before all layers, the logits behind."""
    if cell.name.layer is not None:
        return cell.name.layer
    return math.inf if cell.site in LOGITS_SITES else -math.inf


@functools.cache
def component_of(cell: Cell) -> Component:
    """The component that a site belongs to."""
    layer = layer_of(cell)
    if cell.head is not None:
        return Component("head", layer, cell.head)
    if cell.name.of_mlp:
        return Component("mlp", layer)
    if cell.site in LOGITS_SITES:
        return Component(LOGITS, layer)
    return Component(EMBED if cell.site in (TEXT_EMBED, PROJECTOR) else kind_of(cell), layer)


@functools.cache
def beside(cell: Cell, part: str) -> Cell:
    """Another site of the same component: beside a head's scores its q."""
    return Cell(cell.name.beside(part), cell.head)


def allows(through: Through, component: Component) -> bool:
    """Whether a path may pass through a head or an MLP."""
    kinds = {"none": False, "mlps": component.kind == "mlp", "anything": True}
    also = component in map(component_of, through.also)
    never = component in map(component_of, through.never)
    return (kinds[through.kinds] or also) and not never


def still_open(paths: Iterable[Path], cell: Cell) -> list[Path]:
    """The paths that can still end behind a site that they have come to.

    This decides what an evaluation costs, not what it gives: a path that cannot end any more
    changes nothing.
    """
    here = component_of(cell)

    def may_end(path: Path) -> bool:
        mine = here in map(component_of, path.values)
        return mine or (path.leaves and any(order(end) < order(cell) for end in path.values))

    return [path for path in paths if may_end(path)]


@functools.cache
def order(cell: Cell) -> float:
    """Components in the order in which they are computed; heads of one layer are level."""
    if component_of(cell).kind in ("mlp", "attn_out"):
        return layer_of(cell) + 0.5
    return layer_of(cell)
