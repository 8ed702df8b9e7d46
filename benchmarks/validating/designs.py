"""What a random hand-wired transformer does: which heads copy what, and which decide."""

from __future__ import annotations

import numpy as np

from scrub.hypothesis.sites import Head
from validating.wiring import HEADS, LAYERS, WIDTH, Copier, Design

END = WIDTH - 1


def mixed(random: np.random.Generator) -> Design:
    """Random heads, and one or two of them that decide on the answer.

    Head 0.0 always looks back, so that there is a head by which others can match.
    """
    symbols = int(random.integers(4, 7))
    wiring: dict[Head, Copier] = {(0, 0): Copier("back", int(random.integers(1, 3)))}
    for head in range(1, HEADS):
        if random.random() < 0.5:
            wiring[0, head] = Copier("back", int(random.integers(1, 4)))
        else:
            wiring[0, head] = Copier("at", int(random.integers(0, END)))
    for head in range(HEADS):
        wiring[1, head] = _later(wiring, random)
    ends = [h for h in wiring if h[0] == 1 or wiring[h].looks == "at"]
    count = int(random.integers(1, 3))
    reads = tuple(sorted(ends[i] for i in random.choice(len(ends), count, replace=False)))
    if not any(layer == 1 for layer, _ in reads):
        reads = tuple(sorted({*reads[1:], (1, int(random.integers(HEADS)))}))
    one = random.permutation(symbols)
    two = _of_pairs(symbols, random)
    if len(reads) == 1:
        return Design(symbols, wiring, reads, one, "sum")
    return Design(symbols, wiring, reads, two[random.integers(len(two))], "pair")


def sharing(random: np.random.Generator) -> Design:
    """Three heads that copy the same token: each has a share in the answer, or most of them decide.

    So the work is distributed over them, or each is redundant. One has half of all shares or more.
    """
    design = mixed(random)
    place = int(random.integers(0, END))
    every = [(layer, head) for layer in range(LAYERS) for head in range(HEADS)]
    numbers = random.choice(range(1, len(every)), 3, replace=False)
    reads = tuple(sorted(every[i] for i in numbers))
    same = {
        head: Copier("at", place) if random.random() < 0.5 else Copier("back", END - place)
        for head in reads
    }
    most = random.uniform(0.5, 0.65)
    rest = (1 - most) * random.uniform(0.3, 0.7)
    shares = tuple(float(s) for s in random.permutation([most, rest, 1 - most - rest]))
    heads = {
        head: Copier("at", place) if (0, copier.copies) in same else copier
        for head, copier in design.heads.items()
    }
    return Design(
        design.symbols,
        {**heads, **same},
        reads,
        random.permutation(design.symbols),
        "vote" if random.random() < 0.4 else "sum",
        shares,
    )


def ragged(random: np.random.Generator, shortest: int) -> Design:
    """Random heads for rows of different lengths, at least one of which looks back from the end.

    Those that look at a position look at one that all rows have; none matches.
    """
    symbols = int(random.integers(4, 7))
    wiring: dict[Head, Copier] = {}
    for layer in range(LAYERS):
        for head in range(HEADS):
            if random.random() < 0.6:
                wiring[layer, head] = Copier("back", int(random.integers(1, 4)))
            else:
                wiring[layer, head] = Copier("at", int(random.integers(0, shortest - 1)))
    for head in range(HEADS):
        if wiring[1, head].looks == "at":
            copied = int(random.integers(HEADS))
            first = wiring[0, copied].where
            if first < shortest - 1:
                at = int(random.integers(first, shortest - 1))
                wiring[1, head] = Copier("at", at, copied)
    backwards = [head for head, copier in wiring.items() if copier.looks == "back"]
    if not backwards:
        return ragged(random, shortest)
    chosen = {backwards[random.integers(len(backwards))]}
    if random.random() < 0.6:
        chosen.add(list(wiring)[random.integers(len(wiring))])
    reads = tuple(sorted(chosen))
    if len(reads) == 1:
        return Design(symbols, wiring, reads, random.permutation(symbols), "sum")
    two = _of_pairs(symbols, random)
    return Design(symbols, wiring, reads, two[random.integers(len(two))], "pair")


def _of_pairs(symbols: int, random: np.random.Generator) -> list[np.ndarray]:
    """Answers for pairs of tokens: any, sum, comparison, maximum."""
    a, b = np.arange(symbols)[:, None], np.arange(symbols)[None]
    lookup = random.integers(symbols, size=(symbols, symbols))
    return [lookup, (a + b) % symbols, (a > b).astype(int), np.maximum(a, b)]


def _later(wiring: dict[Head, Copier], random: np.random.Generator) -> Copier:
    """A head of layer 1. What it copies of a head of layer 0 is written where it looks."""
    if random.random() < 0.4:
        return Copier("match", 0)
    if random.random() < 0.3:
        return Copier("at", int(random.integers(0, END)))
    copied = int(random.integers(HEADS))
    first = wiring[0, copied].where
    return Copier("at", int(random.integers(first, END)), copied)
