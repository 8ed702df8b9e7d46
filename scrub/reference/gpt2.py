"""The recursion over the sites of a GPT-2, on the modules of its TransformerBridge.

Every value is `[samples, width, …]`: at all positions of a node's frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from attrs import frozen
from torch import Tensor

from scrub.data import Rows, padded_tokens
from scrub.draw import Draws
from scrub.hypothesis import Correspondence
from scrub.reference.path import Path
from scrub.reference.tree import root_value
from scrub.sites import Cell, Through


def evaluate(correspondence: Correspondence, draws: Draws, bridge: Any) -> Tensor:
    """The root's value on a GPT-2, [samples, positions, cells, …]; see `root_value`."""
    return root_value(correspondence, draws, GPT2(bridge))


HOOKS = ("embed.hook_out", "hook_resid_pre", "hook_resid_mid", "ln_final.hook_in", "mlp.hook_out")
HOOKS += tuple(f"attn.hook_{name}" for name in ("q", "k", "v", "pattern", "z"))
"""Ends of the names of the bridge's hooks that show sites."""


@frozen(eq=False)
class GPT2:
    """A TransformerBridge of GPT-2's architecture, as a model whose nodes can be evaluated."""

    bridge: Any

    def plain(self, rows: Rows, width: int) -> Frame:
        tokens = torch.tensor(padded_tokens(rows.data, width)[rows.index])
        lengths = torch.tensor(rows.data.lengths[rows.index])
        real = torch.arange(width) < lengths[:, None]
        logits, cache = self.bridge.run_with_cache(
            tokens, attention_mask=real.long(), names_filter=lambda name: name.endswith(HOOKS)
        )
        return Frame(self.bridge, real, logits, cache)

    def scrubbed(self, cell: Cell, frame: Frame, paths: list[Path]) -> Tensor:
        return computed(cell, frame, paths)


@frozen(eq=False)
class Frame:
    """The inputs that a node is evaluated on, and what the plain model makes of them.

    Attributes:
        real: which positions hold a token and no pad, bool [samples, width].
        logits: of the plain model, [samples, width, vocabulary].
        cache: the plain model's activations by the names of the bridge's hooks.
    """

    bridge: Any
    real: Tensor
    logits: Tensor
    cache: Mapping[str, Tensor]

    @property
    def width(self) -> int:
        return self.real.shape[1]

    def plain(self, cell: Cell) -> Tensor:
        """A site of the plain model."""
        kind, head = kind_of(cell), cell.head
        block = ".".join(cell.site.split(".")[:2])
        match kind:
            case "embed" | "pos_embed":
                return self.cache[f"{kind}.hook_out"]
            case "q_in" | "k_in" | "v_in":
                return self.cache[f"{block}.hook_resid_pre"]
            case "q" | "k" | "v" | "z":
                return self.cache[f"{block}.attn.hook_{kind}"][:, :, head]
            case "scores":
                q, k = (self.cache[f"{block}.attn.hook_{name}"][:, :, head] for name in "qk")
                return scores(q, k)
            case "mask":
                return self.real[:, None].expand(-1, self.width, -1)
            case "pattern":
                return self.cache[f"{block}.attn.hook_pattern"][:, head]
            case "mlp_in":
                return self.cache[f"{block}.hook_resid_mid"]
            case "mlp":
                return self.cache[f"{block}.mlp.hook_out"]
            case "logits_in":
                return self.cache["ln_final.hook_in"]
            case "logits":
                return self.logits
        raise ValueError(f'GPT-2 has no site "{cell.site}".')


# The recursion


def computed(cell: Cell, frame: Frame, paths: Iterable[Path]) -> Tensor:
    """A site recomputed from its inputs, where these paths have come to it and not ended.

    Law: it is plain where no path is open.
    """
    paths = still_open(paths, cell)
    kind = kind_of(cell)
    if not paths or kind in ("embed", "pos_embed", "mask"):
        return frame.plain(cell)
    if kind in READERS:
        return stream(cell, frame, paths)
    if kind == "logits":
        return frame.bridge.unembed(frame.bridge.ln_final(read(Cell("logits_in"), frame, paths)))

    _, layer, *_ = cell.site.split(".")
    block = frame.bridge.blocks[int(layer)]

    def input_(name: str) -> Tensor:
        return read(Cell(cell.site.removesuffix(kind) + name, cell.head), frame, paths)

    match kind:
        case "mlp":
            return block.mlp(block.ln2(input_("mlp_in")))
        case "q" | "k" | "v":
            project = {"q": block.attn.q, "k": block.attn.k, "v": block.attn.v}[kind]
            every_head = project(block.ln1(input_(f"{kind}_in")))
            return every_head.unflatten(-1, (heads_of(block), -1))[:, :, cell.head]
        case "scores":
            return scores(input_("q"), input_("k"))
        case "pattern":
            causal = torch.ones(frame.width, frame.width, dtype=torch.bool).tril()
            seen = causal & input_("mask")
            return input_("scores").masked_fill(~seen, -math.inf).softmax(dim=-1)
        case "z":
            return input_("pattern") @ input_("v")
    raise ValueError(f'GPT-2 has no site "{cell.site}".')


def read(cell: Cell, frame: Frame, paths: list[Path]) -> Tensor:
    """A site as its reader sees it: the child's value where a path ends, elsewhere computed.

    Law: where a path ends, what lies behind the site does not matter.
    """
    value = computed(cell, frame, paths)
    for path in paths:
        if path.ends_at(cell, LEADS_TO[kind_of(cell)]):
            value = path.landed_on(value, cell)
    return value


def stream(cell: Cell, frame: Frame, paths: list[Path]) -> Tensor:
    """The residual stream as a port reads it: the sum of all that was written before."""
    leaving = [path for path in paths if path.leaves_by(READERS[kind_of(cell)])]
    here = order(component_of(cell))

    def written(writer: Cell) -> Tensor:
        component = component_of(writer)
        entering = [path.entering(allows(path.route.through, component)) for path in leaving]
        return read(writer, frame, entering)

    value = written(Cell("embed")) + written(Cell("pos_embed"))
    for layer, block in enumerate(frame.bridge.blocks):
        if order((f"blocks.{layer}.attn", None)) < here:
            heads = [Cell(f"blocks.{layer}.attn.z", head) for head in range(heads_of(block))]
            value = value + block.attn.o(torch.cat([written(head) for head in heads], dim=-1))
        if order((f"blocks.{layer}.mlp", None)) < here:
            value = value + written(Cell(f"blocks.{layer}.mlp"))
    return value


def scores(q: Tensor, k: Tensor) -> Tensor:
    """Attention scores before the mask, [samples, query position, source position]."""
    return q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])


def heads_of(block: Any) -> int:
    return block.attn.W_Q.shape[0]


# Which way a path may go


READERS = {"q_in": "q", "k_in": "k", "v_in": "v", "mlp_in": "mlp_in", "logits_in": "logits_in"}
"""Input streams, and the port that each belongs to."""

LEADS_TO: dict[str, frozenset[str]] = {
    **{stream: frozenset({port}) for stream, port in READERS.items()},
    **{port: frozenset({port}) for port in ("q", "k", "v", "mask")},
    "scores": frozenset({"q", "k"}),
    "pattern": frozenset({"q", "k", "mask"}),
    "z": frozenset({"q", "k", "v", "mask"}),
    "mlp": frozenset({"mlp_in"}),
    "logits": frozenset({"logits_in"}),
    "embed": frozenset(),
    "pos_embed": frozenset(),
}
"""The ports of its component that a site depends on."""

Component = tuple[str, int | None]
"""What a path passes through as a whole: ("blocks.1.attn", head), ("blocks.1.mlp", None), …"""


def kind_of(cell: Cell) -> str:
    """The last part of a site's name: q_in, z, mlp, logits, …"""
    return cell.site.rpartition(".")[2]


def component_of(cell: Cell) -> Component:
    """The component that a site belongs to."""
    if ".attn." in cell.site:
        return cell.site.rpartition(".")[0], cell.head
    return cell.site.removesuffix("_in"), None


def order(component: Component) -> float:
    """Components in the order in which they are computed; heads of one layer are level."""
    match component[0].split("."):
        case ["logits"]:
            return math.inf
        case [_, layer, "attn"]:
            return int(layer)
        case [_, layer, "mlp"]:
            return int(layer) + 0.5
    return -math.inf


def allows(through: Through, component: Component) -> bool:
    """Whether a path may pass through a head or an MLP."""
    kinds = {"none": False, "mlps": component[0].endswith(".mlp"), "anything": True}
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
        ends = list(map(component_of, path.values))
        return here in ends or (path.leaves and any(order(end) < order(here) for end in ends))

    return [path for path in paths if may_end(path)]
