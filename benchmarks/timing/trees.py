"""Hypotheses to time: trees of heads, along one of three kinds of paths."""

from __future__ import annotations

from typing import Literal

import numpy as np

from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import (
    Head,
    Sites,
    Through,
    anything,
    heads,
    mlps,
    none,
    output,
)
from scrub.samplers import Agree, Exact, Uncond
from timing.setting import PLACES, Shape

Kind = Literal["direct", "mlps", "anything"]
KINDS: tuple[Kind, ...] = ("direct", "mlps", "anything")
PER_NODE = 2
"""Heads that a node stands for."""


def binary_tree(shape: Shape, kind: Kind, *, nodes: int, seed: int) -> Correspondence:
    """A tree of so many nodes, two children a node, on random heads.

    Each level of the tree has a band of layers of its own; the root is the logits. Below it, the
    children of a node enter it by q at its own place, or by k or v at the place before. Nodes are
    drawn on features or on none, and other inputs on none, but for the root, which is exact.

    The children of one node take one way (port, and what their paths may pass), and a path through
    anything leaves out the parent's and the children's own heads: so a hooked forward for each
    node computes the same (see `timing.forwards`).
    """
    random = np.random.default_rng(seed)
    depth = nodes.bit_length() - 1
    claimed: list[list[Head]] = [[]]
    for number in range(1, nodes, 2):  # siblings stand for different heads
        band = _band(shape, depth, (number + 1).bit_length() - 1)
        pair = [band[i] for i in random.choice(len(band), 2 * PER_NODE, replace=False)]
        claimed += [sorted(pair[:PER_NODE]), sorted(pair[PER_NODE:])]
    made = [InterpNode("logits", Exact(), other=Exact())]
    places = [0]
    sites: dict[InterpNode, Sites] = {made[0]: output(at="end")}
    for number in range(1, nodes):
        parent = (number - 1) // 2
        port = None if parent == 0 else "qkv"[parent % 3]
        place = places[parent] + (port in ("k", "v"))
        places.append(min(place, len(PLACES) - 1))
        siblings = claimed[2 * parent + 1] + claimed[2 * parent + 2]
        sampler = (Agree("few"), Agree("many"), Uncond())[number % 3]
        made.append(made[parent].child(f"node {number}", sampler))
        sites[made[number]] = heads(
            claimed[number],
            at=PLACES[places[number]],
            into=port,
            through=_through(kind, claimed[parent] + siblings),
        )
    return Correspondence(sites)


def _band(shape: Shape, depth: int, level: int) -> list[Head]:
    """The heads of a level's layers: the lowest level has the first layers."""
    first = (depth - level) * shape.layers // depth
    last = (depth - level + 1) * shape.layers // depth
    return [(layer, head) for layer in range(first, last) for head in range(shape.heads)]


def _through(kind: Kind, closed: list[Head]) -> Through:
    """What the paths of a kind pass, where that must leave out these heads."""
    ways = {"direct": none, "mlps": mlps, "anything": anything.excluding(heads(closed))}
    return ways[kind]
