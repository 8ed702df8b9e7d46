"""What head 0.0 of a paren balancer makes of average inputs, from its weights alone.

Its attention, computed from average keys, says with which weights it would take the fraction of
`(`: the adjusted p of a string. Its output-value circuit says in which direction it would write
that fraction: φ.
"""

from __future__ import annotations

import json
import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import frozen
from numpy.typing import DTypeLike

from scrub.errors import UserError

from .parens_features import CLOSE, END, LONGEST, OPEN, START, WIDTH, Parens

if TYPE_CHECKING:
    from scrub.model.registry import Model

TIE = 1e-9
"""An adjusted p closer to 1/2 than this counts as 1/2: rounding must not decide."""

WANTED = "A paren balancer is a directory in TransformerLens naming: try --model parens."


@frozen(eq=False)
class Head:
    """Head 0.0 and what it reads, in one precision.

    Attributes:
        normed: ln1 of token embedding plus position embedding, [tokens, 42, d_model].
        query: W_Q [d_model, d_head]; `query_bias` b_Q [d_head]. `key`, `key_bias` likewise.
        value: W_V [d_model, d_head].
        output: W_O [d_head, d_model].
    """

    normed: np.ndarray
    query: np.ndarray
    query_bias: np.ndarray
    key: np.ndarray
    key_bias: np.ndarray
    value: np.ndarray
    output: np.ndarray

    @staticmethod
    def of(model: Model, dtype: DTypeLike = np.float64) -> Head:
        """The head in the weights of this model's directory.

        Raises:
            UserError: it is no directory of a paren balancer.
        """
        config, weights = _read(model)
        state = {name: value.astype(dtype) for name, value in weights.items()}
        stream = state["embed.W_E"][:, None] + state["pos_embed.W_pos"]
        normed = _normed(stream, float(config.get("ln_eps", config.get("eps", 1e-5))))
        if "blocks.0.ln1.w" in state:
            normed = normed * state["blocks.0.ln1.w"] + state["blocks.0.ln1.b"]
        query, query_bias, key, key_bias, value, output = (
            state[f"blocks.0.attn.{name}"][0] for name in ("W_Q", "b_Q", "W_K", "b_K", "W_V", "W_O")
        )
        return Head(normed, query, query_bias, key, key_bias, value, output)

    @cached_property
    def attention(self) -> np.ndarray:
        """a(n, q, k) from average inputs: [43, 42, 42], 0 where k is PAD and for n below 3.

        The query is that of `(`; the key at a parenthesis is the mean of both kinds' keys.
        """
        queries = self.normed[OPEN] @ self.query + self.query_bias
        mean = (self.normed[OPEN] + self.normed[CLOSE]) / 2
        paren, start, end = (
            queries @ (keys @ self.key + self.key_bias).T / math.sqrt(self.query.shape[1])
            for keys in (mean, self.normed[START], self.normed[END])
        )
        found = np.zeros((WIDTH + 1, WIDTH, WIDTH), dtype=queries.dtype)
        for n in range(3, WIDTH + 1):
            scores = paren[:, :n].copy()
            scores[:, 0], scores[:, n - 1] = start[:, 0], end[:, n - 1]
            raised = np.exp(scores - scores.max(axis=1, keepdims=True))
            found[n, :, :n] = raised / raised.sum(axis=1, keepdims=True)
        return found

    @cached_property
    def weights(self) -> np.ndarray:
        """Weight of a parenthesis at k for a query at q in n tokens: [43, 42, 42], 0 for no paren.

        The mean of a over the parentheses before q, or over those at q and after it, whichever k
        is one of.
        """
        found = np.zeros_like(self.attention)
        for n in range(3, WIDTH + 1):
            for q in range(n):
                for k in (slice(1, min(q, n - 1)), slice(max(q, 1), n - 1)):
                    if k.start < k.stop:
                        found[n, q, k] = self.attention[n, q, k].mean()
        return found

    @cached_property
    def normalised(self) -> np.ndarray:
        """`weights`, made to add up to 1 over the parentheses: [43, 42, 42]."""
        total = self.weights.sum(axis=2, keepdims=True)
        return self.weights / np.where(total > 0, total, 1)

    @cached_property
    def direction(self) -> np.ndarray:
        """v: half of what the output-value circuit makes of `(` rather than `)`, [d_model].

        Averaged over the positions 1 to 40, where parentheses can stand. The biases cancel.
        """
        difference = (self.normed[OPEN] - self.normed[CLOSE])[1 : LONGEST + 1].mean(axis=0)
        return difference @ self.value @ self.output / 2


def adjusted(parens: Parens, head: Head) -> np.ndarray:
    """p as head 0.0 would see it from each position: float64 [rows, 42], NaN past the parens.

    Law: 1/2, but for rounding, where the parentheses before q and those from q on are each evenly
    split.
    """
    found = np.full(parens.tokens.shape, np.nan)
    for n, rows in _by_length(parens):
        opened, every = parens.is_open[rows, :n], parens.is_paren[rows, :n]
        weight = head.weights[n, : n - 1, :n].T
        found[rows, : n - 1] = (opened @ weight) / (every @ weight)
    return found


def above_half(p: np.ndarray) -> np.ndarray:
    """Where an adjusted p is above 1/2 by more than rounding; False where it is undefined."""
    return p - 0.5 >= TIE


def as_it_comes(parens: Parens, weights: np.ndarray) -> np.ndarray:
    """Adjusted p as the sum of the weights of the `(`: [rows, 42], NaN past the parentheses.

    In the precision of the weights, so that even splits need not give 1/2. Sums run from left to
    right, so that a row does not depend on the other rows.

    Args:
        weights: as `Head.normalised`.
    """
    found = np.full(parens.tokens.shape, np.nan, dtype=weights.dtype)
    for n, rows in _by_length(parens):
        opened = np.zeros((len(rows), n - 1), dtype=weights.dtype)
        for k in range(1, n - 1):
            opened += parens.is_open[rows, k, None] * weights[n, : n - 1, k]
        found[rows, : n - 1] = opened
    return found


def _by_length(parens: Parens) -> list[tuple[int, np.ndarray]]:
    """The rows of each number of tokens."""
    return [(int(n), np.flatnonzero(parens.lengths == n)) for n in np.unique(parens.lengths)]


def _normed(x: np.ndarray, epsilon: float) -> np.ndarray:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + epsilon)


def _read(model: Model) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if model.directory is None:
        raise UserError(f'Model "{model.name}" is no paren balancer. {WANTED}')
    try:
        config = json.loads((model.directory / "config.json").read_text(encoding="utf-8"))
        weights = load_file(model.directory / "model.safetensors")
        tokens, positions = len(weights["embed.W_E"]), len(weights["pos_embed.W_pos"])
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise UserError(f'Model "{model.name}" is no paren balancer: {error}. {WANTED}') from error
    if (tokens, positions) != (CLOSE + 1, WIDTH):
        raise UserError(
            f'Model "{model.name}" has {tokens} tokens and {positions} positions, a paren balancer '
            f"{CLOSE + 1} and {WIDTH}. {WANTED}"
        )
    return config, weights
