"""The sites of a small transformer, and which reads which, written down by hand."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from attrs import evolve, frozen

from scrub.names import Cell
from support.tiny_models import WIDTH, Shape

Read = tuple[Cell, tuple[int, ...] | None]
"""What a site reads, and the positions at which it does, as far as it sees; None: at its own."""

EVERYWHERE = tuple(range(WIDTH))
SOURCES = ("0", "1", "2")
"""The source positions by which z is split: what comes from other ones is in the rest."""

HEAD_PORTS = {
    **{part: {part[0]} for part in ("q_in", "k_in", "v_in", "q_normed", "k_normed", "v_normed")},
    "q": {"q"}, "k": {"k"}, "v": {"v"}, "mask": {"mask"}, "scores": {"q", "k"},
    "pattern": {"q", "k", "mask"}, "z": {"q", "k", "v", "mask"}, "result": {"q", "k", "v", "mask"},
}  # fmt: skip


@functools.cache
def kind(cell: Cell) -> str:
    return cell.site.split(".")[-1]


@functools.cache
def ports_of(cell: Cell) -> frozenset[str]:
    """The ports by which a path can have come to this site of a component."""
    if cell.head is not None:
        return frozenset(HEAD_PORTS[kind(cell)])
    ports = {"mlp": "mlp_in", "logits": "logits_in", "attn_out": "attn_out"}
    name = kind(component(cell))
    return frozenset({ports[name]} if name in ports else ())


@functools.cache
def component(cell: Cell) -> Cell:
    """The site by which a component is called: a head's z, an MLP's output, …"""
    stem, dot, name = cell.site.rpartition(".")
    if cell.head is not None:
        return Cell(f"{stem}.z", cell.head)
    whole = next((whole for whole in ("mlp", "logits") if name.startswith(whole)), name)
    return Cell(f"{stem}{dot}{whole}")


@functools.cache
def is_stream(cell: Cell) -> bool:
    return kind(cell).endswith("_in") or kind(cell) == "attn_out"


WRITERS = ("result", "mlp", "embed", "pos_embed")
"""What a stream is the sum of."""

HEAD_SITES = ("result", "z", "pattern", "scores", "mask", "q", "k", "v")
HEAD_SITES += tuple(f"{port}_{end}" for end in ("normed", "in") for port in "qkv")
MLP_SITES = ("mlp", "mlp_post", "mlp_pre_linear", "mlp_pre", "mlp_normed", "mlp_in", "attn_out")


@frozen(cache_hash=True)
class Net:
    """The sites of a model, and which reads which.

    Attributes:
        splits: per split site its kind ("projection", "estimate", …) and the summands' names.
        wide: whether paths go wherever they might: past a window, from each summand per source
            position to all positions, and through sites whatever numbered positions are excluded.
    """

    shape: Shape
    splits: tuple[tuple[str, tuple[str, tuple[str, ...]]], ...] = ()
    wide: bool = False

    def parts(self, cell: Cell) -> tuple[Cell, ...]:
        """The summands of a site, if it is split and whole."""
        return summands(self, cell)

    @property
    def window(self) -> int:
        return self.shape.window or WIDTH if not self.wide else WIDTH


net_of = functools.cache(Net)
"""One net for equal arguments, so that what is cached by it is found at once."""


@functools.cache
def summands(net: Net, cell: Cell) -> tuple[Cell, ...]:
    """The summands of a site, if it is split and whole."""
    _, names = dict(net.splits).get(cell.site, ("", ()))
    return tuple(evolve(cell, part=name) for name in names) if cell.part is None else ()


def layer_cells(shape: Shape, layer: int) -> list[Cell]:
    """The sites of a layer, readers before what they read."""
    parts = [part for part in MLP_SITES if shape.gated or part != "mlp_pre_linear"]
    parts = parts if shape.mlps else ["attn_out"]
    heads = range(shape.heads)
    return [Cell(f"blocks.{layer}.{part}") for part in parts] + [
        Cell(f"blocks.{layer}.attn.{part}", head) for head in heads for part in HEAD_SITES
    ]


@functools.cache
def cells(net: Net) -> tuple[Cell, ...]:
    """Every site and its summands, readers before what they read."""
    every = [Cell("logits"), Cell("logits_normed"), Cell("logits_in")]
    for layer in reversed(range(net.shape.layers)):
        every += layer_cells(net.shape, layer)
    every += [Cell("embed"), Cell("pos_embed")][: 1 + net.shape.positions]
    return tuple(c for cell in every for c in (cell, *net.parts(cell)))


@functools.cache
def inputs(net: Net, cell: Cell) -> tuple[Read, ...]:
    """What a site reads: its summands, if it is split, and they what it would read itself."""
    return tuple((itself(net)[read], at) for read, at in _inputs(net, cell))


@functools.cache
def itself(net: Net) -> dict[Cell, Cell]:
    """Of equal cells the one that is in `cells`: equal by identity, which is found at once."""
    return {cell: cell for cell in cells(net)}


@functools.cache
def components(net: Net) -> tuple[Cell, ...]:
    """The sites by which the components are called, in their order."""
    return tuple(sorted(set(map(component, cells(net)))))


def _inputs(net: Net, cell: Cell) -> tuple[Read, ...]:
    split, names = dict(net.splits).get(cell.site, ("", ()))
    if cell.part is None and split:
        return tuple((part, None) for part in net.parts(cell))
    reads = unsplit_inputs(net.shape, evolve(cell, part=None))
    if split == "estimate" and cell.part != "rest":
        return ()
    if split == "sources":
        others = tuple(source for source in EVERYWHERE if str(source) not in names)
        sources = others if cell.part == "rest" else (int(cell.part or 0),)
        return tuple((read, at and (EVERYWHERE if net.wide else sources)) for read, at in reads)
    return reads


def unsplit_inputs(shape: Shape, cell: Cell) -> tuple[Read, ...]:
    if is_stream(cell):
        return tuple((writer, None) for writer in writers(shape, cell))
    within: dict[str, Sequence[tuple[str, tuple[int, ...] | None]]] = {
        "result": [("z", None)],
        "z": [("pattern", None), ("v", EVERYWHERE)],
        "pattern": [("scores", None), ("mask", None)],
        "scores": [("q", None), ("k", EVERYWHERE)],
        **{port: [(f"{port}_normed", None)] for port in "qkv"},
        **{f"{port}_normed": [(f"{port}_in", None)] for port in "qkv"},
        "mlp": [("mlp_post", None)],
        "mlp_post": [("mlp_pre", None), ("mlp_pre_linear", None)][: 1 + shape.gated],
        "mlp_pre": [("mlp_normed", None)],
        "mlp_pre_linear": [("mlp_normed", None)],
        "mlp_normed": [("mlp_in", None)],
        "logits": [("logits_normed", None)],
        "logits_normed": [("logits_in", None)],
    }
    stem = cell.site.removesuffix(kind(cell))
    return tuple((Cell(stem + name, cell.head), at) for name, at in within.get(kind(cell), []))


@functools.cache
def writers(shape: Shape, reader: Cell) -> tuple[Cell, ...]:
    """What a stream is the sum of."""

    def stage(cell: Cell) -> float:
        match cell.site.split("."):
            case ["blocks", layer, *_]:
                late = kind(component(cell)) == "mlp" and not shape.parallel
                return int(layer) + 0.5 * late
            case ["embed" | "pos_embed"]:
                return -1
        return shape.layers

    every = [cell for cell in cells(net_of(shape)) if kind(cell) in WRITERS]
    if kind(reader) == "attn_out":
        return tuple(c for c in every if kind(c) == "result" and stage(c) == stage(reader))
    return tuple(cell for cell in every if stage(cell) < stage(reader))
