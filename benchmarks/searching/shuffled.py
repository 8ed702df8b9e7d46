"""Wired transformers with their heads shuffled, as behaviours whose circuit is known.

Nothing hangs on a head's number then: which head of a layer does what is left to chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from attrs import evolve, frozen
from validating.designs import mixed, ragged, sharing
from validating.wired_transformers import (
    SHORTEST,
    Text,
    back,
    columns_of,
    matching_text,
    ragged_text,
    varied,
)
from validating.wiring import HEADS, LAYERS, NOISE, WIDTH, Copier, Design, wired

from scrub.circuits.edges import all_edges
from scrub.data.dataset import Dataset
from scrub.hypothesis.behaviour import Behaviour
from scrub.hypothesis.circuit import Edge
from scrub.hypothesis.sites import Head, Sites, output
from scrub.metrics import logit_diff
from scrub.model.graph import Graph
from scrub.model.verify import plain_logits
from scrub.samplers import Paired
from searching.truth import (
    EMBEDDING,
    OUTPUT,
    Known,
    Truth,
    carries,
    counted_edges,
    head,
    heads_of,
    mlp,
)

KINDS = ("mixed", "sharing", "ragged", "noisy")
"""One head or two that decide; three that share the work; rows of different lengths; two that
decide, with so much noise on the weights that all heads do a little of everything."""
NOISY = 0.03
"""Standard deviation of that noise, where weights that matter are 1: six times the others'."""
RIGHT = 0.95
"""Least share of rows that a model answers right. Others are drawn anew."""
METRIC = logit_diff("answer", "other")


@frozen(eq=False)
class Wired:
    """A design whose heads are shuffled, its model, and rows for it.

    Attributes:
        donors: of each row the number of another that ends where it does and has another answer.
    """

    kind: str
    design: Design
    model: Graph
    text: Text
    donors: np.ndarray


def shuffled(design: Design, random: np.random.Generator) -> Design:
    """The same algorithm, with the heads of each layer permuted at random.

    Law: both designs copy, and answer, the same on every row.
    """
    moved = {
        (layer, head): (layer, int(to))
        for layer in range(LAYERS)
        for head, to in enumerate(random.permutation(HEADS))
    }

    def renumbered(copier: Copier) -> Copier:
        copies = None if copier.copies is None else moved[0, copier.copies][1]
        matched = copier.looks == "match"
        return evolve(
            copier, copies=copies, where=moved[0, copier.where][1] if matched else copier.where
        )

    return evolve(
        design,
        heads={moved[head]: renumbered(copier) for head, copier in design.heads.items()},
        reads=tuple(moved[head] for head in design.reads),
    )


def wired_of(seed: int) -> Wired:
    """The wiring of a seed: kinds take turns."""
    kind, random = KINDS[seed % len(KINDS)], np.random.default_rng([seed, 16])
    while True:
        if kind == "ragged":
            design = ragged(random, SHORTEST)
            text = ragged_text(design, random)
        else:
            design = (sharing if kind == "sharing" else mixed)(random)
            text = matching_text(design, random)
        if kind == "noisy" and len(design.reads) < 2:
            continue
        found = shuffled(design, random)
        columns = columns_of(found, text)
        if not varied(columns):
            continue
        donors = _donors(columns["answer"], text.ends, random)
        model = wired(found, random, NOISY if kind == "noisy" else NOISE)
        if donors is not None and right(model, text, columns["answer"]) >= RIGHT:
            return Wired(kind, found, model, text, donors)


def right(model: Graph, text: Text, answers: np.ndarray) -> float:
    """The share of rows that a model answers as the design does."""
    logits = plain_logits(model, torch.tensor(text.tokens), torch.tensor(text.ends + 1))
    said = logits[torch.arange(len(answers)), torch.tensor(text.ends)].argmax(-1)
    return float((said.numpy() == answers).mean())


def _donors(
    answers: np.ndarray, ends: np.ndarray, random: np.random.Generator
) -> np.ndarray | None:
    """Of each row another, drawn uniformly; None where some row has none."""
    fits = (answers[:, None] != answers) & (ends[:, None] == ends)
    if not fits.any(axis=1).all():
        return None
    return np.array([random.choice(np.flatnonzero(row)) for row in fits])


def known_wired(seed: int) -> Known:
    """The wired transformer of a seed, to be made when it is searched."""
    return Known(f"wired {seed}", KINDS[seed % len(KINDS)], lambda: behaviour_of(seed))


def behaviour_of(seed: int) -> tuple[Behaviour, Truth]:
    """The behaviour of a wired transformer, and its circuit.

    The metric is the answer's logit over that of the corrupted row's answer. Corrupted is every
    token: by another row of the same length that has another answer. What position embeddings
    write is then the same in both rows.
    """
    one, name = wired_of(seed), f"wired {seed}"
    rows = np.arange(len(one.donors))
    told = Behaviour(
        name=f"wired_{seed}",
        build=_at_end,
        data=_dataset(name, one, rows, one.donors),
        metric=METRIC,
        corrupt=Paired(_dataset(f"{name}, corrupted", one, one.donors, rows)),
        model=one.model,
        says="The answer follows from what heads have copied.",
    )
    return told, truth_of(one.design, all_edges(one.model))


def _at_end(model: object) -> Sites:
    return output(at="end")


def _dataset(name: str, one: Wired, rows: np.ndarray, others: np.ndarray) -> Dataset:
    """Some rows, labelled with their answers and those of others.

    Their position columns are all places that every row has.
    """
    text, answers = one.text, columns_of(one.design, one.text)["answer"]
    ends = text.ends[rows]
    first = SHORTEST - 1 if text.ragged else WIDTH - 1
    places = {f"p{at}": np.full(len(rows), at) for at in range(first)}
    if text.ragged:
        places |= {back(distance): ends - distance for distance in (3, 2, 1)}
    return Dataset(
        name,
        inputs={"tokens": text.tokens[rows]},
        lengths=ends + 1,
        columns={"answer": answers[rows]},
        positions=places | {"end": ends},
        labels={"answer": answers[rows], "other": answers[others]},
    )


def truth_of(design: Design, every: Iterable[Edge]) -> Truth:
    """The heads and edges that the answer hangs on, among all edges of the model."""
    edges = frozenset(_deciding(design))
    return Truth(
        heads=heads_of(edges),
        edges=edges,
        every_head=frozenset(design.heads),
        every_edge=counted_edges(every, carries),
    )


def _deciding(design: Design) -> Iterator[Edge]:
    """The edges that the design decides by, from the logits down to the tokens."""
    decided = OUTPUT if design.decides == "sum" else mlp(LAYERS - 1)
    if decided != OUTPUT:
        yield Edge(decided, OUTPUT)
    for which in design.reads:
        yield Edge(head(which), decided)
        yield from _read_by(design, which)


def _read_by(design: Design, which: Head) -> Iterator[Edge]:
    """What a head reads that differs from row to row, and what the heads that it reads do."""
    copier, reader = design.heads[which], head(which)
    copied = None if copier.copies is None else (0, copier.copies)
    yield Edge(EMBEDDING if copied is None else head(copied), reader, "v")
    matched = (0, copier.where) if copier.looks == "match" else None
    if matched is not None:
        yield Edge(EMBEDDING, reader, "q")
        yield Edge(head(matched), reader, "k")
    for below in (copied, matched):
        if below is not None:
            yield from _read_by(design, below)
