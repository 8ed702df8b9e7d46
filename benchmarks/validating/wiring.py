"""Weights written by hand: a two-layer transformer whose heads copy what they are told to copy.

The residual stream has a block of coordinates for the token, for the position, for what each head
writes and for the answer, so that every component writes where nobody else does. A head finds its
source by position, by distance, or by matching its token against what a head of layer 0 wrote
there, and copies to its own block the token that stands there, or what a head of layer 0 wrote
there. The answer hangs on the token of one head; or of three that share the work, each adding its
share to the logits, or an MLP taking the token that most of them copied; or an MLP looks it up for
what two heads have copied. All weights have noise on top, and softmax leaves a little attention
elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from attrs import frozen
from torch import Tensor

from scrub.hypothesis.sites import Head
from scrub.model.graph import Graph
from scrub.model.transformer import transformer
from scrub.model.weights import (
    MLP,
    Attention,
    Block,
    Linear,
    Projection,
    RMSNorm,
    Weights,
)

HEADS = 4
LAYERS = 2
WIDTH = 8
SPARE = 4
"""Coordinates that only idle MLPs write to."""
SHARPNESS = 9.0
"""Score of the source over all others: all of them together get e⁻⁹ · 7 < 0.1% of the attention."""
NOISE = 0.005
"""Standard deviation of what is added to each weight: 1/200 of the weights that matter."""
CONFIDENT = 8.0
"""The answer's logit over the others'."""


@frozen
class Copier:
    """What a head does.

    Attributes:
        looks: for its source: "at" a position, so far "back", or where a "match" is: where the
            head of layer 0 `where` wrote the token at which this head stands.
        where: the position, the distance, or the head of layer 0.
        copies: the head of layer 0 whose block is copied; None: the token.
    """

    looks: Literal["at", "back", "match"]
    where: int
    copies: int | None = None


@frozen(eq=False)
class Design:
    """A whole model.

    Attributes:
        symbols: size of the vocabulary, and number of answers at most.
        heads: what every head does.
        reads: the heads whose blocks decide on the answer at the last position.
        answers: the answer for every value of their blocks: an axis for each of a pair, else one
            axis, since all copy the same token.
        decides: "sum": the logits add up what the heads say, by `shares`; "pair": an MLP looks up
            the answer for two heads; "vote": an MLP takes what two of three heads say.
        shares: of each head that is read, where they add up.
    """

    symbols: int
    heads: Mapping[Head, Copier]
    reads: tuple[Head, ...]
    answers: np.ndarray
    decides: Literal["sum", "pair", "vote"]
    shares: tuple[float, ...] = (1.0,)

    @property
    def d_model(self) -> int:
        return self.block("spare") + SPARE

    def block(self, name: Literal["token", "position", "answer", "spare"] | Head) -> int:
        """The first coordinate of a block."""
        after = {"token": 0, "position": self.symbols, "answer": self.symbols + WIDTH}
        first = 2 * self.symbols + WIDTH
        if name == "spare":
            return first + LAYERS * HEADS * self.symbols
        if isinstance(name, tuple):
            return first + (name[0] * HEADS + name[1]) * self.symbols
        return after[name]


def wired(design: Design, random: np.random.Generator, noise: float = NOISE) -> Graph:
    """The graph of the model, in float32.

    Args:
        noise: standard deviation of what is added to each weight.
    """
    size, symbols = design.d_model, design.symbols
    noisy = _Noisy(random, noise)
    embedding, position = np.zeros((symbols, size)), np.zeros((WIDTH, size))
    embedding[np.arange(symbols), design.block("token") + np.arange(symbols)] = 1
    position[np.arange(WIDTH), design.block("position") + np.arange(WIDTH)] = 1
    looks_up = design.decides != "sum"
    blocks = tuple(
        Block(
            _attention(design, layer, noisy),
            _lookup(design, noisy) if layer == 1 and looks_up else _idle_mlp(design, layer, noisy),
        )
        for layer in range(LAYERS)
    )
    outputs = int(design.answers.max()) + 1
    unembedding = np.zeros((size, outputs))
    if looks_up:
        first = design.block("answer")
        unembedding[first + np.arange(outputs), np.arange(outputs)] = CONFIDENT
    else:
        for head, share in zip(design.reads, design.shares, strict=True):
            first = design.block(head)
            unembedding[first + np.arange(symbols), design.answers] = CONFIDENT * share
    return transformer(
        Weights(
            embedding=noisy(embedding),
            position_embedding=noisy(position),
            blocks=blocks,
            norm_final=_norm(design, 2 + LAYERS * HEADS + looks_up),
            unembedding=Linear(noisy(unembedding)),
            width=WIDTH,
        )
    )


@frozen(eq=False)
class _Noisy:
    random: np.random.Generator
    scale: float

    def __call__(self, weights: np.ndarray) -> Tensor:
        noise = self.scale * self.random.standard_normal(weights.shape)
        return torch.tensor(weights + noise, dtype=torch.float32)


def _norm(design: Design, blocks: int) -> RMSNorm:
    """A norm under which a stream of so many blocks, one coordinate 1 in each, stays as it is."""
    size = design.d_model
    return RMSNorm(torch.full((size,), math.sqrt(blocks / size)), 1e-6)


def _attention(design: Design, layer: int, noisy: _Noisy) -> Attention:
    size, symbols = design.d_model, design.symbols
    inner = max(WIDTH, symbols)
    query, key, value = (np.zeros((HEADS, size, inner)) for _ in range(3))
    bias = np.zeros((HEADS, inner))
    output = np.zeros((HEADS, inner, size))
    at, token, every = design.block("position"), design.block("token"), np.arange(symbols)
    for head in range(HEADS):
        copier = design.heads[layer, head]
        if copier.looks == "at":
            bias[head, 0] = SHARPNESS
            key[head, at + copier.where, 0] = 1
        elif copier.looks == "back":
            far = np.arange(copier.where, WIDTH)
            query[head, at + far, far - copier.where] = SHARPNESS
            key[head, at + np.arange(WIDTH), np.arange(WIDTH)] = 1
        else:
            query[head, token + every, every] = SHARPNESS
            key[head, design.block((0, copier.where)) + every, every] = 1
        source = token if copier.copies is None else design.block((0, copier.copies))
        value[head, source + every, every] = 1
        output[head, every, design.block((layer, head)) + every] = 1
    return Attention(
        norm=_norm(design, 2 + layer * HEADS),
        query=Projection(noisy(query), noisy(bias)),
        key=Projection(noisy(key)),
        value=Projection(noisy(value)),
        output=noisy(output),
        output_bias=None,
        scale=1.0,
    )


def _lookup(design: Design, noisy: _Noisy) -> MLP:
    pre, bias, post = _pairs(design) if design.decides == "pair" else _votes(design)
    return MLP(
        norm=_norm(design, 2 + LAYERS * HEADS),
        pre=Linear(noisy(pre), noisy(bias)),
        linear=None,
        post=Linear(noisy(post)),
        activation="relu",
    )


def _pairs(design: Design) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A neuron for every pair of what the two heads copied: 1 for that pair alone, else 0."""
    size, symbols = design.d_model, design.symbols
    pre, bias = np.zeros((size, symbols**2)), np.full(symbols**2, -3.0)
    post = np.zeros((symbols**2, size))
    for neuron, pair in enumerate(np.ndindex(symbols, symbols)):
        for head, token in zip(design.reads, pair, strict=True):
            pre[design.block(head) + token, neuron] = 2
        post[neuron, design.block("answer") + design.answers[pair]] = 1
    return pre, bias, post


def _votes(design: Design) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two neurons for every token: together 1 if two or three heads copied it, else 0."""
    size, symbols = design.d_model, design.symbols
    pre, bias = np.zeros((size, 2 * symbols)), np.repeat([-3.0, -4.0], symbols)
    post = np.zeros((2 * symbols, size))
    for token in range(symbols):
        for neuron, sign in ((token, 1), (symbols + token, -1)):
            for head in design.reads:
                pre[design.block(head) + token, neuron] = 2
            post[neuron, design.block("answer") + design.answers[token]] = sign
    return pre, bias, post


def _idle_mlp(design: Design, layer: int, noisy: _Noisy) -> MLP:
    """Some function of token and position, written where nobody reads it."""
    size, neurons = design.d_model, 6
    pre, post = np.zeros((size, neurons)), np.zeros((neurons, size))
    pre[: design.symbols + WIDTH] = noisy.random.normal(size=(design.symbols + WIDTH, neurons))
    post[:, design.block("spare") :] = 0.05 * noisy.random.normal(size=(neurons, SPARE))
    return MLP(
        norm=_norm(design, 2 + (layer + 1) * HEADS),
        pre=Linear(noisy(pre), noisy(np.zeros(neurons))),
        linear=None,
        post=Linear(noisy(post)),
        activation="relu",
    )
