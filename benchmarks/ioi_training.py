"""What both embedded models share: shape, data, optimiser, how they are saved."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from attrs import evolve, frozen
from torch import Tensor
from torch.nn import Parameter
from transformers import GPT2Config, GPT2LMHeadModel

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that the scripts run from a checkout that is not installed

from ioi_batches import Batch, batch_of, join, renamed  # noqa: E402
from ioi_forward import Trace, logits_of, run  # noqa: E402
from ioi_places import Roles  # noqa: E402

from scrub.datasets import ioi  # noqa: E402
from scrub.model.tokenizer import save_word_level  # noqa: E402

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


@frozen
class Options:
    """What the command line says."""

    out: Path
    steps: int
    seed: int
    rows: int


def parser_of(name: str, steps: int, description: str, rows: int = 192) -> argparse.ArgumentParser:
    """The command line that all training scripts have."""
    parser = argparse.ArgumentParser(description=description)
    home = ROOT / "scrub" / "model" / "embedded" / name
    parser.add_argument("--out", type=Path, default=home, help="directory to write (%(default)s)")
    parser.add_argument("--steps", type=int, default=steps, help="default %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default %(default)s")
    parser.add_argument("--rows", type=int, default=rows, help="of a batch (default %(default)s)")
    return parser


def options(name: str, steps: int, description: str, rows: int = 192) -> Options:
    """Read the command line of a training script."""
    given = parser_of(name, steps, description, rows).parse_args()
    return Options(given.out, given.steps, given.seed, given.rows)


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
    kinds = (("ioi", 20_000), ("abc", 4_000))
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
    steps: int,
    seed: int,
    *,
    further: Iterable[Parameter] = (),
    rows: int = 192,
    draw: Callable[[Batch, np.random.Generator, int], Batch] = any_rows,
) -> None:
    """Train `model` in place, and `further` parameters with it; print progress.

    Args:
        model: the model.
        data: prompts; every batch renames its people.
        losses: terms whose sum is minimised.
        steps: number of batches.
        seed: of the batches.
        further: parameters that the losses have beside the model's.
        rows: batch size.
        draw: which prompts of the pool make a batch.
    """
    rng = np.random.default_rng(seed)
    parameters = [*model.parameters(), *further]
    optimiser = torch.optim.AdamW(parameters, betas=(0.9, 0.98), weight_decay=0.01)
    start = time.monotonic()
    for step in range(steps):
        rate = 2e-3 * min(1, (step + 1) / 50) * (0.51 + 0.49 * math.cos(math.pi * step / steps))
        for group in optimiser.param_groups:
            group["lr"] = rate
        few = rng.random() < 0.3
        some = draw(data.pool, rng, rows)
        batch = renamed(some, data.names, rng, size=12 if few else len(data.names))
        terms = losses(step / steps, batch, run(model, batch.tokens))
        total = torch.stack(list(terms.values())).sum()
        optimiser.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 5.0)
        optimiser.step()
        if (step + 1) % 50 == 0:
            shown = "  ".join(f"{name} {value.item():.4f}" for name, value in terms.items())
            print(f"step {step + 1}  {time.monotonic() - start:.0f} s  {shown}", flush=True)


def save(model: GPT2LMHeadModel, data: Data, directory: Path, roles: Roles = ROLES) -> None:
    """Check the model against transformers' own forward pass, then write it with its roles."""
    model.eval()
    tokens = data.pool.tokens[:200]
    with torch.no_grad():
        difference = (logits_of(model, run(model, tokens).final) - model(tokens).logits).abs()
    assert difference.max() < 1e-4, f"our forward pass is off by {difference.max()}"
    model.save_pretrained(directory)
    (directory / "model.safetensors").chmod(0o644)
    (directory / "generation_config.json").unlink(missing_ok=True)
    lines = ["# Where each role sits: [layer, head]. A role says where a claim looks.", "[roles]"]
    lines += [f'"{role}" = {[list(head) for head in heads]}' for role, heads in roles.items()]
    (directory / "roles.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"saved in {directory}")
