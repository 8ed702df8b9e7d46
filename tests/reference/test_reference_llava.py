"""The engine against the reference evaluator on a tiny LLaVA, and what must not go unseen."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from attrs import frozen
from torch import Tensor

from oracle.engines import ENGINE
from scrub.checks.structure import check
from scrub.data.dataset import Dataset, Rows
from scrub.data.image_layout import IMAGE
from scrub.draw import Draws, NodeDraw, draw
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import (
    ALL,
    Sites,
    anything,
    heads,
    mlp,
    mlps,
    none,
    output,
    projector,
    site,
    token_embedding,
)
from scrub.hypothesis.tree import treeify
from scrub.model.graph import Graph
from scrub.model.transformer import transformer
from scrub.model.vision import Vision
from scrub.reference import evaluate, evaluate_graph
from scrub.samplers import Agree, Exact, Fixed, Mean, Sampler, Uncond, Zero
from support import tiny_llava
from support.difference import difference
from support.random_data import random_dataset, with_images
from support.tiny_llava import TOKENS

CASES = {"inputs": 20, "virtual rows": 8}
TOLERANCE = 1e-9
SPECS = ("a", "b", "end", 0, 1, 2)
THROUGH = (
    none,
    mlps,
    none.including(heads([(1, 2)])),
    mlps.including(heads([(0, 1), (1, 0)])),
    anything.excluding(heads([(0, head) for head in (0, 1, 3)])),
)


@frozen(eq=False)
class Case:
    """A hypothesis, its draws, and what the evaluator gives."""

    correspondence: Correspondence
    draws: Draws
    expected: Tensor


def image_data(rng: np.random.Generator, name: str, shapes: int = 0) -> Dataset:
    """Rows most of which have an image; alike in length where `shapes` is 1."""
    return with_images(rng, random_dataset(rng, name, shapes), TOKENS[IMAGE], 4)


def correspondences(
    rng: np.random.Generator, own: Sequence[Sampler], other: Sequence[Sampler]
) -> Iterator[Correspondence]:
    """Random hypotheses, legal or not, each of which claims a part of the embedding.

    Args:
        own: samplers of leaves.
        other: samplers of other inputs.
    """

    def pick(options: Sequence[Any]) -> Any:
        return options[rng.integers(len(options))]

    def path() -> dict[str, Any]:
        at = ALL if rng.random() < 0.3 else tuple(rng.permutation(SPECS[:3])[:2].tolist())
        return {
            "at": at if rng.random() < 0.8 else (int(rng.integers(3)),),
            "through": pick(THROUGH),
        }

    def embedding() -> Sites:
        return pick([projector, projector, text_embedding, token_embedding])(**path())

    def inner() -> Sites:
        some = [(int(rng.integers(2)), int(rng.integers(4)))]
        return pick([heads(some, **path()), heads(some, part=pick("qkv"), **path()),
                     mlp(int(rng.integers(2)), **path())])  # fmt: skip

    while True:
        starts = [output(at="end"), output(), heads([(1, 1)], at="end"), token_embedding()]
        root = InterpNode("root", pick([Exact(), Uncond()]), other=pick(other))
        nodes = {root: pick(starts)}
        middle = root.child("middle", pick([Exact(), Uncond()]), other=pick(other))
        nested, beside = rng.random() < 0.5, rng.random() < 0.5
        if nested or beside:
            nodes[middle] = inner()
        nodes[(middle if nested else root).child("leaf", pick(own))] = embedding()
        if rng.random() < 0.3:
            nodes[root.child("other leaf", pick(own))] = embedding()
        yield Correspondence(nodes)


def text_embedding(**path: Any) -> Sites:
    return site("text_embed", **path)


@functools.cache
def cases() -> tuple[Case, ...]:
    """Random legal cases with what the evaluator gives."""
    rng = np.random.default_rng(0)
    found: list[Case] = []
    for kind, count in CASES.items():
        virtual = kind == "virtual rows"
        data, twin = (image_data(rng, name, shapes=virtual) for name in ("data", "twin"))
        inputs = [Uncond(), Exact(), Fixed(twin), Agree("two")]
        given = [Mean(), Mean("two"), Zero()]
        tried = correspondences(
            rng, [*given, Exact()] if virtual else inputs, given[:1] if virtual else inputs
        )
        legal = (one for one in tried if not check(one, tiny_llava.graph(), data))
        for claimed in itertools.islice(legal, count):
            draws = draw(treeify(claimed), data, samples=4, seed=len(found))
            expected = evaluate(claimed, draws, tiny_llava.bridge(), tiny_llava.pictures())
            found.append(Case(claimed, draws, expected))
    sites = [
        cell.site
        for case in found
        for claimed in case.correspondence.sites.values()
        for route in claimed.routes
        for cell in route.cells
    ]
    assert all(sites.count(name) > 5 for name in ("embed", "text_embed", "projector"))
    return tuple(found)


def wrong(graph: Graph) -> list[int]:
    """The cases in which the engine on this graph disagrees with the evaluator."""
    found = []
    for number, case in enumerate(cases()):
        (outputs,) = ENGINE.outputs(treeify(case.correspondence), case.draws, graph)
        if difference(outputs.scrubbed, case.expected) > TOLERANCE:
            found.append(number)
    return found


def test_engine_equals_reference_evaluator() -> None:
    assert wrong(tiny_llava.graph()) == []


def test_engine_equals_the_evaluator_on_the_graph() -> None:
    graph = tiny_llava.graph()
    for case in cases()[::4]:
        found = evaluate_graph(case.correspondence, case.draws, graph)
        assert difference(found, case.expected) < TOLERANCE


def neighbours(
    self: Vision, rows: Rows, width: int, device: Any, right: Any = Vision.values
) -> Any:
    """Images of the next row of the batch."""
    found = right(self, rows, width, device)
    at = found.abs().sum(dim=(2, 3)) > 0
    if not at.any():
        return found
    values = found[at].roll(4, dims=0)
    return found.masked_scatter(at[:, :, None, None], values)


def one_off(self: Vision, rows: Rows, width: int, device: Any, right: Any = Vision.values) -> Any:
    return right(self, rows, width, device).roll(1, dims=1)


@pytest.mark.parametrize("mutant", [neighbours, one_off])
def test_images_in_the_wrong_place_are_found(mutant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    right = tiny_llava.graph()
    assert right.weights is not None
    monkeypatch.setattr(Vision, "values", mutant)
    assert wrong(transformer(right.weights, right.vision))


# By hand


def scrubbed(child: Sites, own: list[int], other: list[int]) -> tuple[Tensor, Draws]:
    """Logits on `other` rows with a child on `own` rows."""
    data = image_data(np.random.default_rng(0), "data")
    root = InterpNode("root", Exact(), other=Exact())
    correspondence = Correspondence({root: output(), root.child("child", Uncond()): child})
    theirs, mine = (Rows(data, np.array(index)) for index in (other, own))
    nodes = {("root",): NodeDraw(theirs, theirs), ("root", "child"): NodeDraw(mine)}
    draws = Draws(theirs, theirs, nodes)
    (found,) = ENGINE.outputs(treeify(correspondence), draws, tiny_llava.graph())
    return found.scrubbed[:, :, 0], draws


def test_the_embedding_through_anything_is_the_other_input() -> None:
    """Both parts of it together are the whole embedding, and images come with it."""
    data = image_data(np.random.default_rng(0), "data")
    seen = data.inputs["images"][:, 0] >= 0
    own, other = next(
        ([one], [two])
        for one, two in itertools.permutations(np.flatnonzero(seen).tolist(), 2)
        if data.lengths[one] == data.lengths[two]
    )
    parts = projector(through=anything) | site("text_embed", through=anything)
    found, _ = scrubbed(token_embedding(through=anything), own, other)
    both, _ = scrubbed(parts, own, other)
    plain, _ = scrubbed(token_embedding(through=anything), own, own)
    assert difference(both, found) < TOLERANCE
    assert difference(found, plain) < TOLERANCE
