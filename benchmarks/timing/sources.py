"""What the sites of a GPT-2 read, and what their matrix products cost."""

from __future__ import annotations

from collections.abc import Callable

from scrub.names import Cell
from scrub.reference.components import kind_of, layer_of
from timing.setting import Shape

INPUTS: dict[str, tuple[str, ...]] = {
    "embed": (), "pos_embed": (),
    "q_normed": ("q_in",), "k_normed": ("k_in",), "v_normed": ("v_in",),
    "q": ("q_normed",), "k": ("k_normed",), "v": ("v_normed",),
    "scores": ("q", "k"), "pattern": ("scores",), "z": ("pattern", "v"), "result": ("z",),
    "mlp_normed": ("mlp_in",), "mlp_pre": ("mlp_normed",), "mlp_post": ("mlp_pre",),
    "mlp": ("mlp_post",),
    "logits_normed": ("logits_in",), "logits": ("logits_normed",),
}  # fmt: skip
"""What each kind of site reads; the inputs ending in "_in" are streams."""
BEFORE = {("scores", "k"), ("z", "v")}
"""Inputs that are read at all positions at and before one's own."""


def inputs_of(cell: Cell) -> list[Cell]:
    """The sites, or input streams, that a site reads."""
    kind = kind_of(cell)
    stem = cell.site.removesuffix(kind)
    return [Cell(stem + name, cell.head) for name in INPUTS[kind]]


def stream_of(reader: Cell, shape: Shape) -> str:
    """The name of the stream that an input is."""
    kind = kind_of(reader)
    assert kind != "attn_out", "the sum of a layer's heads is not counted"
    if kind == "logits_in":
        return f"resid_pre.{shape.layers}"
    return f"{'resid_mid' if kind == 'mlp_in' else 'resid_pre'}.{int(layer_of(reader))}"


def below(stream: str, shape: Shape) -> tuple[str | None, list[Cell]]:
    """The stream that a stream continues, and what is added to it."""
    kind, _, number = stream.partition(".")
    layer = int(number)
    if kind == "resid_mid":
        heads = [Cell(f"blocks.{layer}.attn.result", head) for head in range(shape.heads)]
        return f"resid_pre.{layer}", heads
    if layer == 0:
        return None, [Cell("embed"), Cell("pos_embed")]
    return f"resid_mid.{layer - 1}", [Cell(f"blocks.{layer - 1}.mlp")]


def writers(stream: str, shape: Shape) -> list[Cell]:
    """All that was written to a stream."""
    found: list[Cell] = []
    name: str | None = stream
    while name is not None:
        name, added = below(name, shape)
        found += added
    return found


def from_the_top(shape: Shape) -> list[Cell | str]:
    """All sites and streams, each before what it reads."""
    found: list[Cell | str] = [Cell("logits"), Cell("logits_normed")]
    for layer in reversed(range(shape.layers)):
        block = f"blocks.{layer}"
        found.append(f"resid_pre.{layer + 1}")
        found += [Cell(f"{block}.mlp{part}") for part in ("", "_post", "_pre", "_normed")]
        found.append(f"resid_mid.{layer}")
        parts = ("result", "z", "pattern", "scores", *"qkv", "q_normed", "k_normed", "v_normed")
        found += [Cell(f"{block}.attn.{p}", head) for p in parts for head in range(shape.heads)]
    return [*found, "resid_pre.0", Cell("embed"), Cell("pos_embed")]


def reads(name: Cell | str, shape: Shape) -> list[tuple[Cell | str, bool]]:
    """What a site or stream reads, and whether at all positions up to its own."""
    if isinstance(name, str):
        base, added = below(name, shape)
        return [(other, False) for other in ([base] if base else []) + added]
    pairs = zip(inputs_of(name), INPUTS[kind_of(name)], strict=True)
    return [
        (stream_of(cell, shape) if kind.endswith("_in") else cell, (kind_of(name), kind) in BEFORE)
        for cell, kind in pairs
    ]


def flops(kind: str, shape: Shape, columns: int) -> Callable[[int], int]:
    """Operations of a site's matrix products at a position, by its index: 2 a multiply-add.

    Args:
        columns: of the logits that are asked for.
    """
    d, head, mlp = shape.d_model, shape.d_head, shape.d_mlp
    fixed = {
        "q": 2 * d * head, "k": 2 * d * head, "v": 2 * d * head, "result": 2 * head * d,
        "mlp_pre": 2 * d * mlp, "mlp": 2 * mlp * d, "logits": 2 * d * columns,
    }  # fmt: skip
    if kind in ("scores", "z"):
        return lambda index: 2 * head * (index + 1)
    return lambda index: fixed.get(kind, 0)
