"""Random hand-wired transformers, and the claims that tell what their heads do.

Rows are random tokens in which the last token stands at exactly one earlier place as well: what
follows it (at the head's distance) is where a matching head looks. Ragged rows have 5 to 8 tokens,
and nothing to match.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from attrs import evolve, frozen

from scrub.data.dataset import Dataset
from scrub.hypothesis.sites import (
    ALL,
    Head,
    Sites,
    Spec,
    heads,
    mlp,
    output,
    token_embedding,
)
from scrub.metrics import cross_entropy
from scrub.samplers import Agree
from validating.claims import ROOT, Part, Planted, stated, with_coarser, with_half_right
from validating.designs import END, mixed, ragged, sharing
from validating.moves import elsewhere
from validating.wiring import HEADS, LAYERS, WIDTH, Copier, Design, wired

ROWS = 600
SHORTEST = 5
"""Tokens of the shortest ragged row."""
MOST = 0.7
"""The most frequent answer in at most so many rows, so that a random row differs often."""
LOSS = cross_entropy("answer")


@frozen(eq=False)
class Text:
    """Rows of tokens.

    Attributes:
        tokens: int64 [rows, width].
        ends: the last position of each row, int64 [rows].
        match: where a matching head looks, int64 [rows]; None where there is nothing to match.
    """

    tokens: np.ndarray
    ends: np.ndarray
    match: np.ndarray | None = None

    @property
    def ragged(self) -> bool:
        return bool((self.ends < END).any())


def wired_transformer(random: np.random.Generator, name: str) -> Planted:
    """A random wiring, as a model with data and the claim that tells all of it."""
    while True:
        design = mixed(random)
        text = matching_text(design, random)
        if varied(columns_of(design, text)):
            return _planted(design, text, "transformers", name, (_story(design, text),), random)


def sharing_transformer(random: np.random.Generator, name: str) -> Planted:
    """The same, with three heads that do the same, as three nodes or as one."""
    while True:
        design = sharing(random)
        text = matching_text(design, random)
        if varied(columns_of(design, text)):
            story = _story(design, text)
            truths = (story, _together(design, story))
            return _planted(design, text, "shared work", name, truths, random)


def ragged_transformer(random: np.random.Generator, name: str) -> Planted:
    """The same, with rows of different lengths: some heads look back from the end."""
    while True:
        design = ragged(random, SHORTEST)
        text = ragged_text(design, random)
        if varied(columns_of(design, text)):
            return _planted(design, text, "ragged rows", name, (_story(design, text),), random)


def varied(columns: dict[str, np.ndarray]) -> bool:
    return bool(np.bincount(columns["answer"]).max() / ROWS <= MOST)


def _planted(
    design: Design,
    text: Text,
    group: str,
    name: str,
    truths: tuple[Part, ...],
    random: np.random.Generator,
) -> Planted:
    columns = columns_of(design, text)
    features = tuple(columns)
    positions = {"end": text.ends}
    if text.ragged:
        positions |= {back(distance): text.ends - distance for distance in (1, 2, 3)}
    data = Dataset(
        name,
        inputs={"tokens": text.tokens},
        lengths=text.ends + 1,
        columns=columns,
        positions=positions,
        labels={"answer": columns["answer"]},
    )
    model = wired(design, random)
    told = with_coarser(data, features, random)
    return Planted(
        group=group,
        name=name,
        model=model,
        data=with_half_right(told, stated(truths), features, random.spawn(1)[0]),
        metric=LOSS,
        truths=truths,
        features=features,
        elsewhere=lambda parent, child: _elsewhere(data, child),
        idle=tuple(
            heads([(layer, head)], at="end")
            for layer in range(LAYERS)
            for head in range(HEADS)
            if (layer, head) not in design.reads
        ),
    )


def _elsewhere(data: Dataset, child: Part) -> Iterator[tuple[str, Sites]]:
    """What any transformer's node may be confused with; and an index, with a position column."""
    yield from elsewhere(data, LAYERS, HEADS, child)
    if len(data.positions) > 1:
        for route in child.sites.routes:
            if route.at != ALL and isinstance(route.at[0], str):
                for index in range(SHORTEST - 1):
                    moved = evolve(route, at=index)
                    routes = tuple(moved if r is route else r for r in child.sites.routes)
                    yield "position", Sites(routes)


def back(distance: int) -> str:
    """The position column of the token so far before the last."""
    return f"{distance} before the end"


def matching_text(design: Design, random: np.random.Generator) -> Text:
    """Rows of random tokens; the last one stands once before, where it can be matched."""
    symbols, distance = design.symbols, design.heads[0, 0].where
    last = random.integers(symbols, size=ROWS)
    shift = random.integers(1, symbols, size=(ROWS, WIDTH))
    tokens = (last[:, None] + shift) % symbols  # any token but the last
    tokens[:, END] = last
    before = random.integers(distance, END - distance, size=ROWS)
    tokens[np.arange(ROWS), before] = last
    match = (tokens[:, :END] == tokens[:, END:]).argmax(axis=1) + distance
    return Text(tokens, np.full(ROWS, END), match)


def ragged_text(design: Design, random: np.random.Generator) -> Text:
    """Rows of random tokens, of different lengths."""
    ends = random.integers(SHORTEST - 1, WIDTH, size=ROWS)
    tokens = random.integers(design.symbols, size=(ROWS, WIDTH))
    return Text(np.where(np.arange(WIDTH) <= ends[:, None], tokens, 0), ends)


def columns_of(design: Design, text: Text) -> dict[str, np.ndarray]:
    """Every token, the place of the match, what every head copies to the end, and the answer."""
    columns = {f"t{i}": text.tokens[:, i] for i in range(WIDTH)}
    if text.match is not None:
        columns["match"] = text.match
    for head in design.heads:
        columns[_name(head)] = _copied(design, head, text)
    blocks = design.reads if design.decides == "pair" else design.reads[:1]
    columns["answer"] = design.answers[tuple(columns[_name(head)] for head in blocks)]
    return columns


def _name(head: Head) -> str:
    return f"{head[0]}.{head[1]}"


def _copied(design: Design, head: Head, text: Text) -> np.ndarray:
    """The token that a head copies to the last position."""
    copier, rows = design.heads[head], np.arange(ROWS)
    if copier.looks == "match":
        assert text.match is not None
        return text.tokens[rows, text.match]
    if copier.looks == "back":
        return text.tokens[rows, text.ends - copier.where]
    place = copier.where
    if copier.copies is not None:
        place = _source(design.heads[0, copier.copies], place)
    return text.tokens[:, place]


def _source(copier: Copier, at: int) -> int:
    """The position whose token a head of layer 0 copies to a position."""
    return copier.where if copier.looks == "at" else at - copier.where


def _story(design: Design, text: Text) -> Part:
    """What decides on the answer, down to the tokens."""
    copied = tuple(_head(design, head, text) for head in design.reads)
    logits = output(at="end")
    if design.decides == "sum":
        return Part("logits", ROOT, logits, copied)
    lookup = Part("lookup", Agree("answer"), mlp(1, at="end"), copied)
    return Part("logits", ROOT, logits, (lookup,))


def _together(design: Design, story: Part) -> Part:
    """The same story with one node for all heads that are read, which copy the same token."""
    place = (0,) if design.decides == "vote" else ()
    parent = story.at(place)
    first = parent.children[0]
    joint = evolve(first, name="all three", sites=heads(design.reads, at="end"))
    told = evolve(parent, children=(joint,))
    return story.put(place, told) if place else told


def _head(design: Design, head: Head, text: Text) -> Part:
    """A head at the last position, and what it reads there and elsewhere."""
    copier, feature = design.heads[head], _name(head)
    return Part(
        feature,
        Agree(feature),
        heads([head], at="end"),
        tuple(_reads(copier, design, feature, text)),
    )


def _reads(copier: Copier, design: Design, feature: str, text: Text) -> Iterator[Part]:
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
        place: Spec = copier.where
        if copier.looks == "back":
            place = back(copier.where) if text.ragged else END - copier.where
        yield _token(feature, place)
    else:
        below = _token(feature, _source(design.heads[0, copier.copies], copier.where))
        sites: Sites = heads([(0, copier.copies)], at=copier.where, into="v")
        yield Part(f"0.{copier.copies} at {copier.where}", Agree(feature), sites, (below,))


def _token(feature: str, place: Spec) -> Part:
    return Part(f"token {place}", Agree(feature), token_embedding(at=place, into="v"))
