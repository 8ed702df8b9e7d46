"""What images cost: once for each distinct picture, whatever else is forgotten."""

from __future__ import annotations

import numpy as np
from attrs import evolve

from scrub.data.dataset import Dataset, Rows
from scrub.data.images import Images
from scrub.draw import draw
from scrub.engine.activations import ActivationCache
from scrub.engine.budget import fit
from scrub.engine.plan import plan
from scrub.engine.prediction import predict
from scrub.engine.vision_cost import vision_cost
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import output
from scrub.hypothesis.tree import treeify
from scrub.samplers import Exact, Mean
from support import tiny_llava
from support.family_models import graph as text_graph

PIXELS = np.random.default_rng(0).integers(256, size=(3, 8, 8, 3), dtype=np.uint8)
DATA = Dataset(
    "pictures",
    inputs={
        "tokens": [[3, 10, 10, 10, 10, 4]] * 4,
        "images": [[0], [1], [2], [0]],
    },
    lengths=[6] * 4,
    positions={"end": [5] * 4},
    images=Images(PIXELS[[0, 1, 0]]),
)


def rows(*index: int) -> Rows:
    return Rows(DATA, np.array(index, dtype=np.int64))


def test_a_picture_is_counted_once() -> None:
    graph = tiny_llava.graph()
    assert graph.vision is not None
    vision = evolve(graph.vision)  # which has seen nothing
    graph = evolve(graph, vision=vision)
    for drawn, images in (((), 0), ((0, 3), 1), ((0, 2), 1), ((0, 1, 2, 3), 2)):
        found = vision_cost(graph, [rows(*drawn), rows(*drawn)])
        assert found.images == images
        assert found.flops == images * vision.shape.flops
        assert found.bytes == images * 4 * 16 * 8
    vision.features(Images(PIXELS[2:]), np.array([0]))
    assert vision_cost(graph, [rows(0)]).bytes == 2 * 4 * 16 * 8, "what is kept already"


def test_a_model_that_reads_text_sees_nothing() -> None:
    assert vision_cost(text_graph("llama"), [rows(0)]).images == 0


def test_the_mean_of_rows_is_of_all_their_pictures() -> None:
    root = InterpNode("root", Exact(), other=Mean())
    tree = treeify(Correspondence({root: output(at="end"), root.child("leaf", Exact()): output()}))
    draws = draw(tree, DATA, samples=1, seed=0)
    assert vision_cost(tiny_llava.graph(), draws.rows()).images == 2


def test_what_is_kept_of_pictures_is_held_beside_all_else() -> None:
    tree = treeify(Correspondence({InterpNode("root", Exact()): output(at="end")}))
    draws = draw(tree, DATA, samples=30, seed=0)
    right = tiny_llava.graph()
    assert right.vision is not None
    seeing = evolve(right, vision=evolve(right.vision))
    blind = evolve(right, vision=None)
    found = []
    for graph in (seeing, blind):
        steps = plan(tree, graph)
        budgets = [
            fit(steps, draws, ActivationCache(steps.graph), memory) for memory in (20_000, 10**9)
        ]
        found.append([*budgets, predict(steps, draws, budgets[1])])
    kept = vision_cost(seeing, draws.rows())
    for with_images, without in zip(*found, strict=True):
        assert with_images.peak == without.peak + kept.bytes or with_images.chunk < without.chunk
    assert found[0][2].plain_flops == found[1][2].plain_flops + kept.flops
