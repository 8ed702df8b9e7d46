"""Batches for training the embedded models: the project's IOI prompts under fresh names.

Making prompts as text is slow, so a pool is made once and each batch gives its rows new names. One
tenth of the name pairs never occurs in training and is kept for `evidence.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from attrs import evolve, frozen
from torch import Tensor


@frozen(eq=False)
class Batch:
    """IOI prompts as tensors. B rows, T positions; positions count from 0.

    Attributes:
        tokens: int64 [B, T], right-padded.
        io: position of the name that is mentioned once (in ABC prompts: of either name), [B].
        s1: position of the first mention of the other name, [B].
        s2: position of the last name before the question, [B].
        end: last position, where the answer is read, [B].
        repeated: False where the row is an ABC prompt, whose last name is a third one, bool [B].
    """

    tokens: Tensor
    io: Tensor
    s1: Tensor
    s2: Tensor
    end: Tensor
    repeated: Tensor

    def __len__(self) -> int:
        return len(self.tokens)

    def name(self, column: str) -> Tensor:
        """Token ids of the names at a position column, [B]."""
        return self.tokens.gather(1, getattr(self, column)[:, None])[:, 0]

    @property
    def io_is_first(self) -> Tensor:
        """Whether the indirect object is named before the subject, bool [B]."""
        return self.io < self.s1

    @property
    def first(self) -> Tensor:
        """Token ids of the name mentioned first, [B]."""
        return torch.where(self.io_is_first, self.name("io"), self.name("s1"))

    @property
    def second(self) -> Tensor:
        """Token ids of the name mentioned second, [B]."""
        return torch.where(self.io_is_first, self.name("s1"), self.name("io"))

    def take(self, rows: Tensor) -> Batch:
        """These rows, in this order."""
        return Batch(
            self.tokens[rows],
            self.io[rows],
            self.s1[rows],
            self.s2[rows],
            self.end[rows],
            self.repeated[rows],
        )


def batch_of(data: Any) -> Batch:
    """A `scrub.data.dataset.Dataset` of IOI prompts as a batch."""
    columns = {name: torch.tensor(data.position(name)) for name in ("io", "s1", "s2", "end")}
    tokens = torch.tensor(data.inputs["tokens"])
    rows = torch.arange(len(tokens))
    repeated = tokens[rows, columns["s1"]] == tokens[rows, columns["s2"]]
    return Batch(tokens, **columns, repeated=repeated)


def join(batches: list[Batch], pad: int) -> Batch:
    """One batch after the other, padded to the widest."""
    width = max(b.tokens.shape[1] for b in batches)
    padded = [
        torch.nn.functional.pad(b.tokens, (0, width - b.tokens.shape[1]), value=pad)
        for b in batches
    ]
    rest = {
        name: torch.cat([getattr(b, name) for b in batches])
        for name in ("io", "s1", "s2", "end", "repeated")
    }
    return Batch(torch.cat(padded), **rest)


def held_out(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Whether training never sees these two names (numbers in the list of names) together."""
    return (first + second) % 10 == 0


def renamed(
    batch: Batch, names: np.ndarray, rng: np.random.Generator, *, size: int, keep: bool = False
) -> Batch:
    """The same prompts with other names.

    Args:
        batch: prompts.
        names: token ids of all names.
        rng: randomness.
        size: how many names this batch is made of. Few names make many rows agree on a name, so
            that a name which travels with an interchanged value can be told from the order.
        keep: whether pairs are drawn from those that are held out instead of from the others.
    """
    drawn = _pairs(len(names), len(batch), rng, size, keep)
    third = _thirds(drawn, rng, len(names))
    tokens = batch.tokens
    new = tokens
    for old, fresh in (
        (batch.name("s2"), np.where(batch.repeated, drawn[:, 1], third)),
        (batch.name("io"), drawn[:, 0]),
        (batch.name("s1"), drawn[:, 1]),
    ):
        ids = torch.tensor(names[fresh])
        new = torch.where(tokens == old[:, None], ids[:, None], new)
    return evolve(batch, tokens=new)


def _pairs(count: int, rows: int, rng: np.random.Generator, size: int, keep: bool) -> np.ndarray:
    """Pairs of different names, [rows, 2], held out from training (`keep`) or not."""
    while True:
        chosen = rng.permutation(count)[:size]
        grid = np.stack(np.meshgrid(chosen, chosen, indexing="ij"), -1).reshape(-1, 2)
        allowed = grid[(grid[:, 0] != grid[:, 1]) & (held_out(grid[:, 0], grid[:, 1]) == keep)]
        if len(allowed) > 1:
            return allowed[rng.integers(len(allowed), size=rows)]


def _thirds(pairs: np.ndarray, rng: np.random.Generator, count: int) -> np.ndarray:
    """A name that is neither of the pair, [rows]."""
    third = rng.integers(count - 2, size=len(pairs))
    low, high = pairs.min(1), pairs.max(1)
    third = third + (third >= low)
    return third + (third >= high)
