"""Random hand-wired transformers, and the claims that tell what their heads do.

Rows are random tokens in which the last token stands at exactly one earlier place as well: what
follows it (at the head's distance) is where a matching head looks.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scrub.data import Dataset
from scrub.metrics import cross_entropy
from scrub.samplers import Agree
from scrub.sites import Head, Sites, heads, mlp, output, token_embedding
from validating.claims import ROOT, Part, Planted, with_coarser
from validating.moves import elsewhere
from validating.wiring import HEADS, LAYERS, WIDTH, Copier, Design, wired

ROWS = 600
END = WIDTH - 1
MOST = 0.7
"""The most frequent answer in at most so many rows, so that a random row differs often."""
LOSS = cross_entropy("answer")


def wired_transformer(random: np.random.Generator, name: str) -> Planted:
    """A random wiring, as a model with data and the claim that tells all of it."""
    while True:
        design = _design(random)
        distance = design.heads[0, 0].where
        tokens = _tokens(design.symbols, distance, random)
        columns = _columns(design, distance, tokens)
        if np.bincount(columns["answer"]).max() / ROWS <= MOST:
            break
    features = tuple(columns)
    data = Dataset(
        name,
        inputs={"tokens": tokens},
        lengths=np.full(ROWS, WIDTH),
        columns=columns,
        positions={"end": np.full(ROWS, END)},
        labels={"answer": columns["answer"]},
    )
    truth = _story(design)
    return Planted(
        group="transformers",
        name=name,
        model=wired(design, random),
        data=with_coarser(data, features, random),
        metric=LOSS,
        truths=(truth,),
        features=features,
        elsewhere=lambda parent, child: elsewhere(data, LAYERS, HEADS, child),
        idle=tuple(
            heads([(layer, head)], at="end")
            for layer in range(LAYERS)
            for head in range(HEADS)
            if (layer, head) not in design.reads
        ),
    )


def _design(random: np.random.Generator) -> Design:
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
    a, b = np.arange(symbols)[:, None], np.arange(symbols)[None]
    one = random.permutation(symbols)
    two = [
        random.integers(symbols, size=(symbols, symbols)),
        (a + b) % symbols,
        (a > b).astype(int),
        np.maximum(a, b),
    ]
    answers = one if len(reads) == 1 else two[random.integers(len(two))]
    return Design(symbols, wiring, reads, answers)


def _later(wiring: dict[Head, Copier], random: np.random.Generator) -> Copier:
    """A head of layer 1. What it copies of a head of layer 0 is written where it looks."""
    if random.random() < 0.4:
        return Copier("match", 0)
    if random.random() < 0.3:
        return Copier("at", int(random.integers(0, END)))
    copied = int(random.integers(HEADS))
    first = wiring[0, copied].where
    return Copier("at", int(random.integers(first, END)), copied)


def _tokens(symbols: int, distance: int, random: np.random.Generator) -> np.ndarray:
    """Rows of random tokens; the last one stands once before, where it can be matched."""
    last = random.integers(symbols, size=ROWS)
    shift = random.integers(1, symbols, size=(ROWS, WIDTH))
    tokens = (last[:, None] + shift) % symbols  # any token but the last
    tokens[:, END] = last
    before = random.integers(distance, END - distance, size=ROWS)
    tokens[np.arange(ROWS), before] = last
    return tokens


def _columns(design: Design, distance: int, tokens: np.ndarray) -> dict[str, np.ndarray]:
    """Every token, the place of the match, what every head copies to the end, and the answer."""
    end = tokens[:, END]
    match = (tokens[:, :END] == end[:, None]).argmax(axis=1) + distance
    columns = {f"t{i}": tokens[:, i] for i in range(WIDTH)} | {"match": match}
    for head in design.heads:
        columns[_name(head)] = _copied(design, head, tokens, match)
    read = tuple(columns[_name(head)] for head in design.reads)
    columns["answer"] = design.answers[read]
    return columns


def _name(head: Head) -> str:
    return f"{head[0]}.{head[1]}"


def _copied(design: Design, head: Head, tokens: np.ndarray, match: np.ndarray) -> np.ndarray:
    """The token that a head copies to the last position."""
    copier = design.heads[head]
    if copier.looks == "match":
        return tokens[np.arange(ROWS), match]
    place = copier.where if copier.looks == "at" else END - copier.where
    if copier.copies is not None:
        place = _source(design.heads[0, copier.copies], place)
    return tokens[:, place]


def _source(copier: Copier, at: int) -> int:
    """The position whose token a head of layer 0 copies to a position."""
    return copier.where if copier.looks == "at" else at - copier.where


def _story(design: Design) -> Part:
    """What decides on the answer, down to the tokens."""
    copied = tuple(_head(design, head) for head in design.reads)
    logits = output(at="end")
    if len(design.reads) == 1:
        return Part("logits", ROOT, logits, copied)
    lookup = Part("lookup", Agree("answer"), mlp(1, at="end"), copied)
    return Part("logits", ROOT, logits, (lookup,))


def _head(design: Design, head: Head) -> Part:
    """A head at the last position, and what it reads there and elsewhere."""
    copier, feature = design.heads[head], _name(head)
    return Part(
        feature,
        Agree(feature),
        heads([head], at="end"),
        tuple(_reads(copier, design, feature)),
    )


def _reads(copier: Copier, design: Design, feature: str) -> Iterator[Part]:
    """What a head reads, by each port that its reads differ in from row to row."""
    if copier.looks == "match":
        found = Agree(("t7", "match"))
        written = token_embedding(into="v")
        yield Part("wanted", Agree("t7"), token_embedding(at="end", into="q"))
        yield Part(
            "written before",
            found,
            heads([(0, copier.where)], into="k"),
            (Part("tokens", found, written),),
        )
        yield Part("follows", Agree((feature, "match")), token_embedding(into="v"))
    elif copier.copies is None:
        place = copier.where if copier.looks == "at" else END - copier.where
        yield _token(feature, place)
    else:
        below = _token(feature, _source(design.heads[0, copier.copies], copier.where))
        sites: Sites = heads([(0, copier.copies)], at=copier.where, into="v")
        yield Part(f"0.{copier.copies} at {copier.where}", Agree(feature), sites, (below,))


def _token(feature: str, place: int) -> Part:
    return Part(f"token {place}", Agree(feature), token_embedding(at=place, into="v"))
