"""What both embedded models share: shape, data, optimiser, how they are saved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from attrs import evolve, frozen
from ioi_batches import Batch, batch_of, join, renamed
from ioi_forward import Heads, Trace, logits_of, run
from ioi_places import Roles
from torch import Tensor, nn
from training import Loss, Options, save_pretrained, summed, train
from transformers import GPT2Config, GPT2LMHeadModel

from scrub.datasets import ioi
from scrub.model.tokenizer import save_word_level

PREFIXES = 16
"""Longest prefix in training, tokens."""
POSITIONS = 48
ROLES = {
    "duplicate token": ((1, 0), (1, 1)),
    "S-inhibition": ((2, 0), (2, 1)),
    "name mover": ((3, 0), (3, 1)),
}
"""(layer, head) of each role, the same table for both models."""
LAYERS = 4
HEADS = 4

Losses = Callable[[float, Batch, Trace], dict[str, Tensor]]
"""(progress from 0 to 1, batch, its trace) to the terms of the loss."""


def new_model(words: int, seed: int, layers: int = LAYERS) -> GPT2LMHeadModel:
    """An untrained GPT-2: 4 heads a layer, width 64.

    Weights start wider than GPT-2's 0.02: at this width its heads take far longer to find their
    targets (nothing learned after 400 steps; with 0.1, all of it after 300).
    """
    torch.manual_seed(seed)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=words,
            n_positions=POSITIONS,
            n_embd=64,
            n_layer=layers,
            n_head=HEADS,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            initializer_range=0.1,
            bos_token_id=0,
            eos_token_id=0,
        )
    )


@frozen(eq=False)
class Data:
    """A pool of prompts, the token ids of all names, and how many words there are."""

    pool: Batch
    names: np.ndarray
    words: int


def training_data(directory: Path, seed: int) -> Data:
    """Write the tokenizer to `directory` and make the prompts: 20,000 IOI, 4,000 ABC."""
    vocabulary = ioi.vocabulary()
    tokenizer = save_word_level(directory, vocabulary, POSITIONS)
    # Seeds of training data start at a million; tests and evidence use small ones.
    kinds: tuple[tuple[ioi.Kind, int], ...] = (("ioi", 20_000), ("abc", 4_000))
    made = [
        ioi.prompts(rows, kind=kind, seed=1_000_000 + seed, prefixes=PREFIXES).make(tokenizer)
        for kind, rows in kinds
    ]
    names = np.array([tokenizer.encode(name)[0] for name in ioi.NAMES])
    words = len(vocabulary) + 2  # and <pad>, <unk>
    return Data(join([batch_of(data) for data in made], tokenizer.pad), names, words)


def any_rows(pool: Batch, rng: np.random.Generator, rows: int) -> Batch:
    """Random prompts."""
    return pool.take(torch.tensor(rng.integers(len(pool), size=rows)))


def rows_of_like_length(pool: Batch, rng: np.random.Generator, rows: int) -> Batch:
    """Random prompts of one quarter by length, cut to the longest: a third less to compute."""
    order = pool.end.argsort(stable=True)
    quarter = len(order) // 4
    chosen = rng.integers(quarter, size=rows) + quarter * rng.integers(4)
    some = pool.take(order[torch.tensor(chosen)])
    return evolve(some, tokens=some.tokens[:, : int(some.end.max()) + 1])


def optimise(
    model: GPT2LMHeadModel,
    data: Data,
    losses: Losses,
    given: Options,
    *,
    further: Iterable[nn.Module] = (),
    draw: Callable[[Batch, np.random.Generator, int], Batch] = any_rows,
) -> None:
    """Train `model` in place, and further modules with it; print progress.

    Args:
        model: the model.
        data: prompts; every batch renames its people.
        losses: terms whose sum is minimised.
        given: number and size of the batches, and their seed.
        further: modules that the losses have beside the model.
        draw: which prompts of the pool make a batch.
    """
    rng = np.random.default_rng(given.seed)

    def batches() -> Iterator[Batch]:
        while True:
            few = rng.random() < 0.3
            some = draw(data.pool, rng, given.rows)
            yield renamed(some, data.names, rng, size=12 if few else len(data.names))

    def loss(progress: float, batch: Batch) -> Loss:
        return summed(losses(progress, batch, run(model, batch.tokens)))

    train(list(nn.ModuleList([model, *further]).parameters()), batches(), loss, given.steps)


def fast_gelu(model: GPT2LMHeadModel) -> None:
    """Have MLPs compute their GELU in a fifth of the time: the same function."""
    blocks: Any = model.transformer.h
    for block in blocks:
        block.mlp.act = nn.GELU(approximate="tanh")


def new_probes(model: GPT2LMHeadModel, groups: Iterable[Heads]) -> list[nn.Linear]:
    """An untrained linear probe of each group's z."""
    width = model.config.n_embd // model.config.n_head
    return [nn.Linear(len(heads) * width, 1) for heads in groups]


def guided(swaps: Mapping[str, Tensor], guide: float) -> dict[str, Tensor]:
    """Losses of interchanges, those of attention with a tenth of a guide's weight."""
    attention = 0.1 * guide
    return {name: loss * (attention if "attention" in name else 1) for name, loss in swaps.items()}


def save(model: GPT2LMHeadModel, data: Data, directory: Path, roles: Roles = ROLES) -> None:
    """Check the model against transformers' own forward pass, then write it with its roles."""
    model.eval()
    tokens = data.pool.tokens[:200]
    with torch.no_grad():
        difference = (logits_of(model, run(model, tokens).final) - model(tokens).logits).abs()
    assert difference.max() < 1e-4, f"our forward pass is off by {difference.max()}"
    save_pretrained(model, directory, roles)
    print(f"saved in {directory}")
