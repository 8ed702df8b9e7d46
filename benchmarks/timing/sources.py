"""What the sites of a GPT-2 read, and what their matrix products cost."""

from __future__ import annotations

from collections.abc import Callable

from scrub import names
from scrub.names import Cell
from scrub.reference.components import beside, kind_of, layer_of
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
    return [beside(cell, name) for name in INPUTS[kind]]


def stream_of(reader: Cell, shape: Shape) -> str:
    """The name of the stream that an input is."""
    kind = kind_of(reader)
    assert kind != "attn_out", "the sum of a layer's heads is not counted"
    if kind == "logits_in":
        return names.resid_pre(shape.layers)
    layer = int(layer_of(reader))
    return names.resid_mid(layer) if kind == "mlp_in" else names.resid_pre(layer)


def below(stream: str, shape: Shape) -> tuple[str | None, list[Cell]]:
    """The stream that a stream continues, and what is added to it."""
    if stream == names.resid_pre(0):
        return None, [Cell(names.EMBED), Cell(names.POS_EMBED)]
    for layer in range(shape.layers):
        if stream == names.resid_mid(layer):
            site = names.attention_site(layer, "result")
            return names.resid_pre(layer), [Cell(site, head) for head in range(shape.heads)]
        if stream == names.resid_pre(layer + 1):
            return names.resid_mid(layer), [Cell(names.mlp(layer))]
    raise AssertionError(stream)


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
        found += [names.resid_pre(layer + 1), Cell(names.mlp(layer))]
        found += [Cell(names.mlp_site(layer, part)) for part in ("post", "pre", "normed")]
        found.append(names.resid_mid(layer))
        parts = ("result", "z", "pattern", "scores", *"qkv", "q_normed", "k_normed", "v_normed")
        sites = [names.attention_site(layer, part) for part in parts]
        found += [Cell(site, head) for site in sites for head in range(shape.heads)]
    return [*found, names.resid_pre(0), Cell(names.EMBED), Cell(names.POS_EMBED)]


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
