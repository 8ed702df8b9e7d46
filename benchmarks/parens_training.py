"""Model, batches and optimiser of the embedded model `parens`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from attrs import frozen
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import Parameter
from training import DECAY, Log, Loss, Schedule, adamw, train

from scrub.datasets import parens_strings
from scrub.model.registry import describe, load
from scrub.model.tl_config import FORMAT
from scrub.model.tl_forward import forward

TOKENS = {"start": 0, "pad": 1, "end": 2, "(": 3, ")": 4}
WIDTH = parens_strings.LONGEST + 2
CONFIG: Mapping[str, Any] = {
    "format": FORMAT,
    "n_layers": 3,
    "d_model": 56,
    "n_heads": 2,
    "d_head": 28,
    "d_mlp": 56,
    "n_ctx": WIDTH,
    "d_vocab": len(TOKENS),
    "d_vocab_out": 2,
    "act_fn": "relu",
    "normalization_type": "LN",
    "ln_eps": 1e-5,
    "positional_embedding_type": "standard",
    "attention_dir": "bidirectional",
    "pad_token": TOKENS["pad"],
    "tokens": TOKENS,
    "output": "position 0; logit 0 = unbalanced, logit 1 = balanced",
}
"""Shape and settings, as the model's config.json has them."""

HARD = ("violated", "violated in runs", "violated once", "surplus", "flipped", "swapped", "removed")
"""Kinds that half of the strings are of, in equal parts; the other half is the mixture."""

CHUNK = 50_000
"""Strings that are made at a time."""

ROWS = 256
"""Batch size."""

SCHEDULE = Schedule(peak=3e-3, warm_up=200, middle=0.5, swing=0.5, largest=1.0)
"""Of peaks 0.001 and 0.003 the one that learned faster."""

STEPS = 10_000
"""Batches that the embedded model was trained on."""


@frozen(eq=False)
class Batch:
    """Strings as tokens.

    Attributes:
        tokens: int64 [B, S], START s END PAD…; S is the longest of these strings with its ends.
        lengths: int64 [B], START and END included.
        label: int64 [B], 1 where balanced.
    """

    tokens: Tensor
    lengths: Tensor
    label: Tensor

    def __len__(self) -> int:
        return len(self.tokens)

    def take(self, rows: Tensor) -> Batch:
        """These rows, as wide as they need."""
        lengths = self.lengths[rows]
        return Batch(self.tokens[rows, : int(lengths.max())], lengths, self.label[rows])

    def codes(self) -> Tensor:
        """A number for each string, another for every other string: int64 [B]."""
        place = 2 ** torch.arange(self.tokens.shape[1])
        return ((self.tokens == TOKENS["("]) * place).sum(1) + 2**self.lengths


def is_balanced(string: str) -> bool:
    """Whether every parenthesis has its partner."""
    open_now = 0
    for character in string:
        open_now += 1 if character == "(" else -1
        if open_now < 0:
            return False
    return open_now == 0


def batch_of(strings: list[str]) -> Batch:
    """All strings as one batch of full width."""
    tokens = np.full((len(strings), WIDTH), TOKENS["pad"])
    for row, string in zip(tokens, strings, strict=True):
        row[0] = TOKENS["start"]
        row[1 : len(string) + 1] = [TOKENS[character] for character in string]
        row[len(string) + 1] = TOKENS["end"]
    lengths = torch.tensor([len(string) + 2 for string in strings])
    label = torch.tensor([is_balanced(string) for string in strings]).long()
    return Batch(torch.tensor(tokens), lengths, label)


def new_model(seed: int) -> dict[str, Parameter]:
    """Untrained parameters by TransformerLens' names."""
    generator = torch.Generator().manual_seed(seed)
    layers, heads, d_model, d_head, d_mlp = (
        CONFIG[name] for name in ("n_layers", "n_heads", "d_model", "d_head", "d_mlp")
    )

    def random(*size: int, std: float) -> Tensor:
        return torch.randn(size, generator=generator) * std

    state: dict[str, Tensor] = {
        "embed.W_E": random(len(TOKENS), d_model, std=0.5),
        "pos_embed.W_pos": random(WIDTH, d_model, std=0.5),
    }
    for layer in range(layers):
        block: dict[str, Tensor] = {}
        for letter in "QKV":
            block[f"attn.W_{letter}"] = random(heads, d_model, d_head, std=d_model**-0.5)
            block[f"attn.b_{letter}"] = torch.zeros(heads, d_head)
        block["attn.W_O"] = random(heads, d_head, d_model, std=(heads * d_head) ** -0.5 / 2)
        block["attn.b_O"] = torch.zeros(d_model)
        block["mlp.W_in"] = random(d_model, d_mlp, std=(2 / d_model) ** 0.5)
        block["mlp.b_in"] = torch.zeros(d_mlp)
        block["mlp.W_out"] = random(d_mlp, d_model, std=d_mlp**-0.5 / 2)
        block["mlp.b_out"] = torch.zeros(d_model)
        for norm in ("ln1", "ln2"):
            block |= {f"{norm}.w": torch.ones(d_model), f"{norm}.b": torch.zeros(d_model)}
        state |= {f"blocks.{layer}.{name}": value for name, value in block.items()}
    state |= {"ln_final.w": torch.ones(d_model), "ln_final.b": torch.zeros(d_model)}
    state |= {"unembed.W_U": random(d_model, 2, std=d_model**-0.5), "unembed.b_U": torch.zeros(2)}
    return {name: Parameter(value) for name, value in state.items()}


def classify(state: Mapping[str, Tensor], batch: Batch) -> Tensor:
    """The two logits at position 0: [B, 2]. Nothing else of the last layer is computed."""
    width = batch.tokens.shape[1]
    real = (torch.arange(width) < batch.lengths[:, None])[:, None, None]
    hidden_keys = torch.zeros(real.shape).masked_fill(~real, -torch.inf)
    x = F.embedding(batch.tokens, state["embed.W_E"]) + state["pos_embed.W_pos"][:width]
    layers = CONFIG["n_layers"]
    for layer in range(layers):
        stem = f"blocks.{layer}."
        own = {n.removeprefix(stem): value for n, value in state.items() if n.startswith(stem)}
        normed = _normed(x, own["ln1.w"], own["ln1.b"])
        read = slice(0, 1) if layer == layers - 1 else slice(None)
        q, k, v = (
            _projected(source, own[f"attn.W_{letter}"], own[f"attn.b_{letter}"])
            for source, letter in ((normed[:, read], "Q"), (normed, "K"), (normed, "V"))
        )
        pattern = (q @ k.mT * q.shape[-1] ** -0.5 + hidden_keys).softmax(dim=-1)
        z = (pattern @ v).transpose(1, 2).flatten(2)
        x = x[:, read] + z @ own["attn.W_O"].flatten(0, 1) + own["attn.b_O"]
        normed = _normed(x, own["ln2.w"], own["ln2.b"])
        inner = (normed @ own["mlp.W_in"] + own["mlp.b_in"]).relu()
        x = x + inner @ own["mlp.W_out"] + own["mlp.b_out"]
    final = _normed(x[:, 0], state["ln_final.w"], state["ln_final.b"])
    return final @ state["unembed.W_U"] + state["unembed.b_U"]


def _normed(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], weight, bias, CONFIG["ln_eps"])


def _projected(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Queries, keys or values of all heads: [B, heads, S, d_head]."""
    flat = x @ weight.transpose(0, 1).flatten(1) + bias.flatten()
    return flat.unflatten(-1, bias.shape).transpose(1, 2)


def save(state: Mapping[str, Parameter], directory: Path) -> None:
    """Write the model, and check what was written against scrub's own forward pass and graph."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(CONFIG, indent=1) + "\n", encoding="utf-8")
    path = directory / "model.safetensors"
    save_file({name: value.detach().contiguous() for name, value in state.items()}, path)
    path.chmod(0o644)
    written = load_file(path)
    batch = batch_of(parens_strings.generated(500))
    real = torch.arange(WIDTH) < batch.lengths[:, None]
    with torch.no_grad():
        expected = forward(written, CONFIG, batch.tokens, real)[:, 0]
        off = (classify(state, batch) - expected).abs().max() / expected.abs().max()
    assert off < 1e-5, f"our forward pass is off by {off}"
    load(describe(directory), dtype=torch.float32, device="cpu")
    print(f"saved in {directory}")


def batches(seed: int) -> Iterator[Batch]:
    """Fresh strings for ever: half of them of the mixture, half of the hard kinds."""
    for chunk in range(1_000_000):
        # Seeds of training data start at a million; held-out strings use small ones.
        number = 1_000_000 * (seed + 1) + chunk
        strings = parens_strings.generated(CHUNK // 2, seed=number)
        for kind in HARD:
            each = CHUNK // 2 // len(HARD)
            strings += parens_strings.generated_by_kind(kind, each, seed=number)
        made = batch_of(strings)
        order = torch.tensor(np.random.default_rng(number).permutation(len(strings)))
        yield from (made.take(chosen) for chosen in order.split(ROWS)[:-1])


def optimise(state: Mapping[str, Parameter], steps: int, seed: int) -> None:
    """Minimise cross-entropy, in place, on fresh strings; print progress."""
    decayed = [value for name, value in state.items() if ".W_" in name]
    others = [value for name, value in state.items() if ".W_" not in name]
    groups = [{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    cpu = time.process_time()

    def loss(progress: float, batch: Batch) -> Loss:
        # Short strings apart from long ones: half of a mixed batch would be pads.
        order = batch.lengths.argsort(stable=True)
        logits = torch.cat([classify(state, batch.take(part)) for part in order.chunk(4)])
        label = batch.label[order]
        wrong = (logits.argmax(-1) != label).double().mean()
        entropy = F.cross_entropy(logits, label)
        return Loss(entropy, {"loss": entropy, "wrong": wrong})

    def shown(recent: Sequence[Mapping[str, float]]) -> str:
        mean, wrong = np.mean([list(figures.values()) for figures in recent], axis=0)
        return f"{time.process_time() - cpu:.0f} CPU s  loss {mean:.5f}  wrong {wrong:.3%}"

    train(
        [*state.values()],
        batches(seed),
        loss,
        steps,
        optimiser=adamw(groups),
        schedule=SCHEDULE,
        log=Log(500, shown),
    )
