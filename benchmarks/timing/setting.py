"""What is measured on: sizes, a random model and random rows."""

from __future__ import annotations

import contextlib
import io
import math
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from attrs import frozen

from scrub.data.dataset import Dataset
from scrub.metrics import Metric, logit_diff

MEMORY = 8 * 2**30
"""Bytes that scrubbing may take: enough for the plain values of all rows."""
METRIC: Metric = logit_diff("right", "wrong")
PLACES = ("end", "s2", "s1", "io")
"""Position columns of the rows, from the last to the first."""


@frozen
class Shape:
    """Of a random GPT-2."""

    layers: int
    heads: int
    d_model: int
    vocabulary: int
    width: int

    @property
    def d_head(self) -> int:
        return self.d_model // self.heads

    @property
    def d_mlp(self) -> int:
        return 4 * self.d_model


@frozen
class Size:
    """How much is measured.

    Attributes:
        shape: of the model that everything but the curves is measured on.
        rows: of the data, each of `width` tokens.
        references: that a hypothesis is scrubbed on.
        nodes: of a tree.
        hypotheses: of a suite.
        few: references that a slow side is timed on; its time is scaled to all.
        edges: references of the comparison by edges.
        most: senders, or edges, from which ours is timed at most, evenly spread.
        repeats: of which the median counts.
        curves: shape of the model that the curves are measured on.
        longest: largest factor by which a curve grows what it varies.
    """

    shape: Shape
    rows: int
    width: int
    references: int
    nodes: int
    hypotheses: int
    few: int
    edges: int
    most: int
    repeats: int
    curves: Shape
    longest: int


FULL = Size(
    shape=Shape(12, 12, 768, 50_257, 1024),
    rows=500,
    width=16,
    references=1_000,
    nodes=12,
    hypotheses=20,
    few=32,
    edges=64,
    most=432,
    repeats=3,
    curves=Shape(6, 8, 256, 1_000, 256),
    longest=128,
)
QUICK = Size(
    shape=Shape(4, 2, 16, 50, 32),
    rows=20,
    width=8,
    references=12,
    nodes=6,
    hypotheses=2,
    few=4,
    edges=4,
    most=3,
    repeats=1,
    curves=Shape(3, 4, 16, 50, 64),
    longest=2,
)


def random_bridge(shape: Shape, *, dtype: torch.dtype = torch.float32) -> Any:
    """A GPT-2 with random weights, biases and norms behind a TransformerBridge, ready to run.

    The weights are so large that attention is not uniform and that every path matters.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from transformers import GPT2Config, GPT2LMHeadModel
    from transformers.utils import logging

    from scrub.model.bridge import boot

    logging.disable_progress_bar()
    config = GPT2Config(
        vocab_size=shape.vocabulary,
        n_positions=shape.width,
        n_embd=shape.d_model,
        n_layer=shape.layers,
        n_head=shape.heads,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = GPT2LMHeadModel(config)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator) / math.sqrt(shape.d_model)
            parameter.copy_(noise + (".ln_" in key and key.endswith("weight")))
    with tempfile.TemporaryDirectory() as directory, contextlib.redirect_stdout(io.StringIO()):
        model.save_pretrained(directory)
        return boot(Path(directory), dtype=dtype, device="cpu")


def random_rows(rows: int, width: int, vocabulary: int) -> Dataset:
    """Rows of random tokens, all of one length, with places, labels and features.

    The places stand in the order io < s1 < s2 < end, wherever else; "end" is the last token.
    """
    random = np.random.default_rng(0)
    inner = np.sort(
        np.stack([random.choice(width - 1, 3, replace=False) for _ in range(rows)]), axis=1
    )
    places = dict(zip(("io", "s1", "s2"), inner.T, strict=True))
    return Dataset(
        f"{rows} random rows",
        inputs={"tokens": random.integers(vocabulary, size=(rows, width))},
        lengths=np.full(rows, width),
        columns={"few": random.integers(4, size=rows), "many": random.integers(20, size=rows)},
        positions=places | {"end": np.full(rows, width - 1)},
        labels={name: random.integers(vocabulary, size=rows) for name in ("right", "wrong")},
    )
