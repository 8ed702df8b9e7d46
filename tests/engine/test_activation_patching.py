"""Activation patching as trees of two nodes: it agrees with hooks, and with TransformerLens'."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformer_lens import patching

from oracle.engines import ENGINE, within
from scrub import (
    Correspondence,
    Exact,
    InterpNode,
    Paired,
    anything,
    heads,
    input_stream,
    mlp,
    none,
    output,
    residual,
    summand,
)
from scrub.checks.structure import check
from scrub.data.dataset import Dataset
from scrub.draw import draw
from scrub.engine.execute import execute
from scrub.engine.plan import plan
from scrub.hypothesis.sites import Sites
from scrub.hypothesis.splits import source_positions
from scrub.hypothesis.tree import treeify
from scrub.metrics import Metric, logit_diff, measure
from scrub.model.bridge import graph_of
from scrub.model.registry import Model
from support import tiny_models

NAME, ROWS, WIDTH = "2x2", 3, 3
LAYERS, HEADS = 2, 2
END = WIDTH - 1
RIGHT, WRONG = np.array([1, 4, 2]), np.array([5, 3, 8])
CLOSE = 1e-5


def rows(seed: int, name: str) -> Dataset:
    tokens = np.random.default_rng(seed).integers(0, tiny_models.VOCABULARY, (ROWS, WIDTH))
    return Dataset(
        name,
        inputs={"tokens": tokens},
        lengths=np.full(ROWS, WIDTH),
        positions={"end": np.full(ROWS, END)},
        labels={"right": RIGHT, "wrong": WRONG},
    )


CLEAN, CORRUPTED = rows(0, "clean"), rows(1, "corrupted")
METRIC = logit_diff("right", "wrong")


def tokens(data: Dataset) -> Tensor:
    return torch.tensor(data.inputs["tokens"])


def score(logits: Tensor) -> Tensor:
    """The mean logit difference at END."""
    every, last = torch.arange(ROWS), logits[:, END]
    right, wrong = torch.from_numpy(RIGHT), torch.from_numpy(WRONG)
    return (last[every, right] - last[every, wrong]).mean().detach()


def model() -> Model:
    return Model(NAME, graph_of(tiny_models.bridge(NAME)), LAYERS, HEADS)


def restoring(sites: Sites) -> Correspondence:
    """The model on the corrupted prompt, but for these sites, which are as on the clean one."""
    logits = InterpNode("logits", Exact(), other=Paired(CORRUPTED))
    clean = logits.child("clean", Exact())
    return Correspondence({logits: output(at="end"), clean: sites})


def scrubbed(hypothesis: Correspondence, metric: Metric = METRIC) -> tuple[float, float]:
    """The metric's mean over the rows: scrubbed, and before.

    What is written past the last reader that END sees changes nothing; as a claim it is refused.
    """
    graph = graph_of(tiny_models.bridge(NAME))
    problems = check(hypothesis, graph, CLEAN, metric)
    if problems:
        assert all(problem.what.startswith("No ") for problem in problems)
        plain = float(score(tiny_models.bridge(NAME)(tokens(CORRUPTED))))
        return plain, plain
    tree = treeify(hypothesis)
    draws = draw(tree, CLEAN, samples=ROWS, seed=0, references=range(ROWS))
    planned = plan(tree, graph, before=True)
    (found,) = execute(planned, draws, ENGINE.cache(planned.graph), within(100))
    before = found.before
    assert before is not None
    values = (measure(metric, value, draws.references).mean() for value in (found.scrubbed, before))
    after, start = (float(value) for value in values)
    return after, start


@pytest.fixture(scope="module")
def bridge() -> Any:
    return tiny_models.bridge(NAME)


@pytest.fixture(scope="module")
def clean_cache(bridge: Any) -> Any:
    return bridge.run_with_cache(tokens(CLEAN))[1]


def head(part: str, layer: int, number: int, **path: Any) -> Sites:
    return heads([(layer, number)], part, through=anything, **path)


BY_POSITION: dict[str, Callable[[int, int], Sites]] = {
    "get_act_patch_resid_pre": lambda layer, at: residual(model(), layer, at=at),
    # A bridge's hook_resid_mid is the input of the MLP's norm, behind the fork of the stream.
    "get_act_patch_resid_mid": lambda layer, at: input_stream(mlp(layer), at=at, through=anything),
    "get_act_patch_attn_out": lambda layer, at: heads(
        [(layer, h) for h in range(HEADS)], at=at, through=anything
    ),
    "get_act_patch_mlp_out": lambda layer, at: mlp(layer, at=at, through=anything),
}
PARTS = {"out": "z", "q": "q", "k": "k", "v": "v", "pattern": "pattern"}


@pytest.mark.parametrize("name", BY_POSITION)
def test_of_streams_and_layers(name: str, bridge: Any, clean_cache: Any) -> None:
    theirs = getattr(patching, name)(bridge, tokens(CORRUPTED), clean_cache, score)
    ours = [
        [scrubbed(restoring(BY_POSITION[name](layer, at)))[0] for at in range(WIDTH)]
        for layer in range(LAYERS)
    ]
    agree(ours, theirs)


@pytest.mark.parametrize("part", PARTS)
def test_of_heads_at_a_position(part: str, bridge: Any, clean_cache: Any) -> None:
    patch = getattr(patching, f"get_act_patch_attn_head_{part}_by_pos")
    theirs = patch(bridge, tokens(CORRUPTED), clean_cache, score)
    if part == "pattern":  # theirs is [layer, head, position]
        theirs = theirs.transpose(1, 2)
    ours = [
        [
            [scrubbed(restoring(head(PARTS[part], layer, h, at=at)))[0] for h in range(HEADS)]
            for at in range(WIDTH)
        ]
        for layer in range(LAYERS)
    ]
    agree(ours, theirs)


@pytest.mark.parametrize("part", PARTS)
def test_of_heads_at_all_positions(part: str, bridge: Any, clean_cache: Any) -> None:
    patch = getattr(patching, f"get_act_patch_attn_head_{part}_all_pos")
    theirs = patch(bridge, tokens(CORRUPTED), clean_cache, score)
    agree(all_positions(part), theirs)


def all_positions(part: str) -> list[list[float]]:
    return [
        [scrubbed(restoring(head(PARTS[part], layer, h)))[0] for h in range(HEADS)]
        for layer in range(LAYERS)
    ]


def test_of_one_entry_of_a_pattern(bridge: Any, clean_cache: Any) -> None:
    """The pattern at one position, as what the head takes from one source position reads it."""

    def entry(layer: int, number: int, to: int, source: int) -> Correspondence:
        logits = InterpNode("logits", Exact(), other=Paired(CORRUPTED))
        taken = logits.child("taken", Exact(), other=Paired(CORRUPTED))
        pattern = taken.child("pattern", Exact())
        of_source = heads([(layer, number)], at=to, through=anything)
        return Correspondence(
            {
                logits: output(at="end"),
                taken: summand(of_source, source_positions(), str(source)),
                pattern: heads([(layer, number)], "pattern", at=to),
            }
        )

    theirs = patching.get_act_patch_attn_head_pattern_dest_src_pos(
        bridge, tokens(CORRUPTED), clean_cache, score
    )
    ours = [
        [
            [
                [scrubbed(entry(layer, h, to, source))[0] for source in range(WIDTH)]
                for to in range(WIDTH)
            ]
            for h in range(HEADS)
        ]
        for layer in range(LAYERS)
    ]
    agree(ours, theirs)


def test_of_every_kind_at_once(bridge: Any, clean_cache: Any) -> None:
    given = bridge, tokens(CORRUPTED), clean_cache, score
    every = patching.get_act_patch_attn_head_all_pos_every(*given)
    for part, theirs in zip(PARTS, every, strict=True):
        agree(all_positions(part), theirs)
    by_position = patching.get_act_patch_attn_head_by_pos_every(*given)
    one = scrubbed(restoring(head("k", 0, 1, at=1)))[0]
    agree(one, by_position[2, 0, 1, 1])
    blocks = patching.get_act_patch_block_every(*given)
    for theirs, (name, layer, at) in zip(
        (blocks[0, 1, 1], blocks[1, 0, 2], blocks[2, 1, 2]),
        (("resid_pre", 1, 1), ("attn_out", 0, 2), ("mlp_out", 1, 2)),
        strict=True,
    ):
        agree(scrubbed(restoring(BY_POSITION[f"get_act_patch_{name}"](layer, at)))[0], theirs)


@pytest.mark.parametrize("port", ["q", "k", "v"])
def test_of_one_edge(port: str, bridge: Any, clean_cache: Any) -> None:
    """A head's output as one input of one later head reads it: path patching."""

    def edge(number: int, receiver: int) -> Correspondence:
        logits = InterpNode("logits", Exact(), other=Paired(CORRUPTED))
        reads = logits.child("receiver", Exact(), other=Paired(CORRUPTED))
        sender = reads.child("sender", Exact())
        return Correspondence(
            {
                logits: output(at="end"),
                reads: heads([(1, receiver)], through=anything),
                sender: heads([(0, number)], into=port, through=none),
            }
        )

    corrupted_cache = bridge.run_with_cache(tokens(CORRUPTED))[1]
    given = bridge, tokens(CORRUPTED), clean_cache, corrupted_cache, score
    every = patching.get_act_patch_direct_path_all_sources(*given, component=port, verbose=False)
    ours = [[scrubbed(edge(h, receiver))[0] for receiver in range(HEADS)] for h in range(HEADS)]
    agree(ours, every[0, :, 1])
    alone = patching.get_act_patch_direct_path(*given, 0, 1, component=port, verbose=False)
    agree(ours[1], alone[1])


def agree(ours: Any, theirs: Tensor) -> None:
    """To 1e-5 of the largest number; theirs are in float32."""
    found = np.asarray(ours)
    scale = np.abs(found).max()
    np.testing.assert_allclose(found, theirs.numpy(), rtol=0, atol=CLOSE * scale)


# Both ways, against hooks of our own

HOOKED: dict[str, tuple[Sites, str, Callable[[Tensor, Tensor], None]]] = {
    "a head at END": (
        head("z", 0, 1, at="end"),
        "blocks.0.attn.hook_z",
        lambda here, there: here[:, END, 1].copy_(there[:, END, 1]),
    ),
    "an MLP": (
        mlp(0, through=anything),
        "blocks.0.hook_mlp_out",
        lambda here, there: here.copy_(there),
    ),
    "a layer's attention at END": (
        heads([(1, 0), (1, 1)], at="end", through=anything),
        "blocks.1.attn.hook_z",
        lambda here, there: here[:, END].copy_(there[:, END]),
    ),
    "a pattern without its output": (
        head("pattern", 1, 0, at="end"),
        "blocks.1.attn.hook_pattern",
        lambda here, there: here[:, 0, END].copy_(there[:, 0, END]),
    ),
    "values without their pattern": (
        head("v", 1, 0),
        "blocks.1.attn.hook_v",
        lambda here, there: here[:, :, 0].copy_(there[:, :, 0]),
    ),
    "the residual stream": (
        residual(model(), 1, at=(0, 1)),
        "blocks.1.hook_resid_pre",
        lambda here, there: here[:, :2].copy_(there[:, :2]),
    ),
}


@pytest.mark.parametrize("name", HOOKED)
@pytest.mark.parametrize("restore", [True, False])
def test_both_ways_agree_with_hooks(name: str, restore: bool, bridge: Any) -> None:
    sites, hook_name, put = HOOKED[name]
    on, from_ = (CORRUPTED, CLEAN) if restore else (CLEAN, CORRUPTED)
    there = bridge.run_with_cache(tokens(from_))[1][hook_name]

    def hook(value: Tensor, hook: Any) -> Tensor:
        value = value.clone()
        put(value, there)
        return value

    hypothesis = restoring(sites)
    if not restore:
        logits = InterpNode("logits", Exact(), other=Exact())
        corrupted = logits.child("corrupted", Paired(CORRUPTED))
        hypothesis = Correspondence({logits: output(at="end"), corrupted: sites})
    after, before = scrubbed(hypothesis)
    expected = float(score(bridge.run_with_hooks(tokens(on), fwd_hooks=[(hook_name, hook)])))
    plain = float(score(bridge(tokens(on))))
    assert after == pytest.approx(expected, rel=CLOSE, abs=CLOSE)
    assert before == pytest.approx(plain, rel=CLOSE, abs=CLOSE)
    assert abs(expected - plain) > 100 * CLOSE, "nothing was patched"


def test_the_stream_between_attention_and_mlp(bridge: Any) -> None:
    """Whatever the attention adds: what it must write for the stream to be the clean one."""
    clean, corrupted = (bridge.run_with_cache(tokens(data))[1] for data in (CLEAN, CORRUPTED))
    between = clean["blocks.0.hook_resid_pre"] + clean["blocks.0.hook_attn_out"]

    def hook(value: Tensor, hook: Any) -> Tensor:
        value = value.clone()
        value[:, 1] = (between - corrupted["blocks.0.hook_resid_pre"])[:, 1]
        return value

    hooks = [("blocks.0.hook_attn_out", hook)]
    expected = float(score(bridge.run_with_hooks(tokens(CORRUPTED), fwd_hooks=hooks)))
    found = [
        scrubbed(restoring(residual(model(), 0, at=1, middle=middle)))[0]
        for middle in (True, False)
    ]
    assert found[0] == pytest.approx(expected, rel=CLOSE)
    assert abs(found[1] - expected) > 100 * CLOSE


def test_an_output_without_its_pattern(bridge: Any) -> None:
    """The head on the clean prompt, but for where it attends, which is as on the corrupted one."""
    clean, corrupted = (bridge.run_with_cache(tokens(data))[1] for data in (CLEAN, CORRUPTED))
    logits = InterpNode("logits", Exact(), other=Paired(CORRUPTED))
    taken = logits.child("output", Exact(), other=Exact())
    pattern = taken.child("pattern", Paired(CORRUPTED))
    hypothesis = Correspondence(
        {
            logits: output(at="end"),
            taken: heads([(0, 1)], through=anything),
            pattern: heads([(0, 1)], "pattern"),
        }
    )
    z = corrupted["blocks.0.attn.hook_pattern"][:, 1] @ clean["blocks.0.attn.hook_v"][:, :, 1]

    def hook(value: Tensor, hook: Any) -> Tensor:
        value = value.clone()
        value[:, :, 1] = z
        return value

    hooks = [("blocks.0.attn.hook_z", hook)]
    expected = float(score(bridge.run_with_hooks(tokens(CORRUPTED), fwd_hooks=hooks)))
    assert scrubbed(hypothesis)[0] == pytest.approx(expected, rel=CLOSE)
    assert abs(scrubbed(restoring(head("z", 0, 1)))[0] - expected) > 100 * CLOSE


# Mutants: trees that are nearly these


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("get_act_patch_resid_pre", lambda layer, at: residual(model(), layer, at=at, middle=True)),
        ("get_act_patch_mlp_out", lambda layer, at: mlp(layer, at=at)),  # the direct path only
        ("get_act_patch_attn_out", lambda layer, at: head("z", layer, 0, at=at)),
        ("get_act_patch_resid_mid", lambda layer, at: residual(model(), layer, at=at, middle=True)),
    ],
)
def test_another_tree_does_not_agree(
    name: str, other: Callable[[int, int], Sites], bridge: Any, clean_cache: Any
) -> None:
    theirs = getattr(patching, name)(bridge, tokens(CORRUPTED), clean_cache, score)
    ours = [
        [scrubbed(restoring(other(layer, at)))[0] for at in range(WIDTH)] for layer in range(LAYERS)
    ]
    with pytest.raises(AssertionError):
        agree(ours, theirs)
