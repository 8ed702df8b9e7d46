"""Where the heads of a planted circuit stand, as the command line of a training script gives it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from ioi_forward import Heads

Roles = Mapping[str, Heads]
"""(layer, head) pairs by role, in the order in which the roles feed one another."""

LARGEST = 3
"""Most heads of a group."""


def heads_of(text: str) -> Heads:
    """Heads as they are written on a command line: "2.0,2.1" is ((2, 0), (2, 1)).

    Raises:
        ValueError: it is written in another way.
    """
    pairs = [part.split(".") for part in text.split(",")]
    if any(len(pair) != 2 or not all(n.isascii() and n.isdigit() for n in pair) for pair in pairs):
        raise ValueError(f'"{text}" is no list of heads: write LAYER.HEAD,LAYER.HEAD as in 2.0,2.1')
    return tuple((int(layer), int(head)) for layer, head in pairs)


def problems(roles: Roles, layers: int, heads: int, lowest: int = 1) -> list[str]:
    """Why the circuit cannot be planted at these places, a sentence each; [] if it can.

    A group lies in one layer, below the next. The first lies above layer 0: what a head of layer 0
    moves is a word and its place, and neither says whether another name came before.

    Args:
        roles: heads of each role, each role feeding the one after it.
        layers, heads: of the model.
        lowest: the lowest layer in which the first role may lie. Where previous-token heads come
            before it, they tell which name came first.
    """
    found: list[str] = []
    for role, group in roles.items():
        shown = in_words(group)
        if not 1 <= len(set(group)) == len(group) <= LARGEST:
            found.append(f"{role} is {shown}: give 1 to {LARGEST} different heads.")
        if len({layer for layer, _ in group}) > 1:
            found.append(f"{role} is {shown}: give heads of one layer.")
        for layer, head in group:
            if layer >= layers or head >= heads:
                found.append(
                    f"{role}: there is no head {layer}.{head}, layers are 0 to {layers - 1} with "
                    f"heads 0 to {heads - 1} each."
                )
    for (lower, below), (upper, above) in pairwise(roles.items()):
        if max(below)[0] >= min(above)[0]:
            found.append(
                f"{upper} ({in_words(above)}) reads what {lower} ({in_words(below)}) writes: give "
                "heads of a later layer."
            )
    first, group = next(iter(roles.items()))
    if min(group)[0] < lowest:
        found.append(
            f"{first} is {in_words(group)}: no head of layer 0 can tell which name came first, "
            f"give heads of layer {lowest} or above."
        )
    return found


def in_words(group: Heads) -> str:
    """Heads as `heads_of` reads them."""
    return ",".join(f"{layer}.{head}" for layer, head in group)
