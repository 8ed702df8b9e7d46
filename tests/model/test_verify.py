"""The probe must be able to fail: it catches every mutant of every family's graph."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from attrs import evolve
from torch import Tensor

import scrub.model.bridge
from scrub.errors import UserError
from scrub.model.graph import Where
from scrub.model.transformer import transformer
from scrub.model.verify import Batch, check, plain_logits
from scrub.model.weights import LayerNorm, RMSNorm, Rotary, Weights
from support.family_models import (
    EXACT,
    FAMILIES,
    LLAMA_LIKE,
    VOCABULARY,
    WINDOW,
    blocks,
    bridge,
    norms,
)

ROTARY = tuple(name for name in FAMILIES if name != "gpt2")


def in_turn(weights: Weights) -> Weights:
    """Key-value heads dealt to query heads in turn, and not in groups."""

    def dealt(attention: Any) -> Any:
        heads, few = len(attention.query.weight), len(attention.key.weight)
        which = torch.arange(heads) % few

        def spread(p: Any) -> Any:
            bias = None if p.bias is None else p.bias[which]
            return evolve(p, weight=p.weight[which], bias=bias)

        return evolve(attention, key=spread(attention.key), value=spread(attention.value))

    return blocks(weights, dealt)


def shifted(weights: Weights) -> Weights:
    assert weights.position_embedding is not None
    return evolve(weights, position_embedding=weights.position_embedding.roll(-1, 0))


def unbiased(part: str) -> Callable[[Weights], Weights]:
    return lambda w: blocks(w, lambda a: evolve(a, **{part: evolve(getattr(a, part), bias=None)}))


def rotations(weights: Weights, change: Callable[[Rotary], Any]) -> Weights:
    return blocks(weights, lambda a: evolve(a, rotary=change(a.rotary)))


def neighbours(rotary: Rotary) -> Callable[[Tensor, Tensor], Tensor]:
    """Rotation of dimensions 2i and 2i + 1 with each other."""
    size = 2 * len(rotary.frequencies)
    order = torch.cat([torch.arange(0, size, 2), torch.arange(1, size, 2)])
    back = order.argsort()

    def rotate(x: Tensor, at: Tensor) -> Tensor:
        turned, rest = x[..., :size][..., order], x[..., size:]
        return torch.cat([rotary(turned, at)[..., back], rest], dim=-1)

    return rotate


def windows(change: Callable[[int], int | None]) -> Callable[[Weights], Weights]:
    return lambda w: blocks(w, lambda a: evolve(a, window=change(a.window)))


def swapped(mlp: Any) -> Any:
    return evolve(mlp, pre=mlp.linear, linear=mlp.pre)


MUTANTS: dict[str, tuple[tuple[str, ...], Callable[[Weights], Weights]]] = {
    "no rotation": (ROTARY, lambda w: rotations(w, lambda r: None)),
    "neighbours rotate": (ROTARY, lambda w: rotations(w, neighbours)),
    "backwards": (ROTARY, lambda w: rotations(w, lambda r: Rotary(-r.frequencies))),
    "rotated half as fast": (ROTARY, lambda w: rotations(w, lambda r: Rotary(r.frequencies / 2))),
    "positions one too far": (
        ("gpt2",), shifted,
    ),
    "no query norm": (
        ("qwen3",), lambda w: blocks(w, lambda a: evolve(a, query=evolve(a.query, norm=None))),
    ),
    "no key norm": (
        ("qwen3",), lambda w: blocks(w, lambda a: evolve(a, key=evolve(a.key, norm=None))),
    ),
    "key-value heads in turn": (LLAMA_LIKE, in_turn),
    "no window": (("mistral",), windows(lambda n: None)),
    "window one longer": (("mistral",), windows(lambda n: n + 1)),
    "window one shorter": (("mistral",), windows(lambda n: n - 1)),
    "parallel for sequential": (
        tuple(name for name in FAMILIES if name != "neox"), lambda w: evolve(w, parallel=True),
    ),
    "sequential for parallel": (("neox",), lambda w: evolve(w, parallel=False)),
    "gate and linear swapped": (
        LLAMA_LIKE, lambda w: blocks(w, swapped, attention=False),
    ),
    "not gated": (
        LLAMA_LIKE, lambda w: blocks(w, lambda m: evolve(m, linear=None), attention=False),
    ),
    "LayerNorm for RMSNorm": (
        LLAMA_LIKE,
        lambda w: norms(w, lambda n: LayerNorm(n.weight, torch.zeros_like(n.weight), n.epsilon)),
    ),
    "RMSNorm for LayerNorm": (
        EXACT, lambda w: norms(w, lambda n: RMSNorm(n.weight, n.epsilon)),
    ),
    "no query bias": (("gpt2", "neox", "llama", "qwen2"), unbiased("query")),
    "no value bias": (("gpt2", "neox", "llama", "qwen2"), unbiased("value")),
    "no output bias": (
        ("gpt2", "neox", "llama"),
        lambda w: blocks(w, lambda a: evolve(a, output_bias=None)),
    ),
    "not scaled": (FAMILIES, lambda w: blocks(w, lambda a: evolve(a, scale=1.0))),
    "not causal": (FAMILIES, lambda w: evolve(w, causal=False)),
    "last layer dropped": (FAMILIES, lambda w: evolve(w, blocks=w.blocks[:-1])),
    "layers swapped": (FAMILIES, lambda w: evolve(w, blocks=w.blocks[::-1])),
}  # fmt: skip
"""Name → (families that have the feature, the weights as a careless loader might give them)."""

SUBTLE: dict[str, tuple[tuple[str, ...], Callable[[Weights], Weights]]] = {
    "epsilon left out": (FAMILIES, lambda w: norms(w, lambda n: evolve(n, epsilon=0.0))),
    "another activation": (
        FAMILIES, lambda w: blocks(w, lambda m: evolve(m, activation="relu"), attention=False),
    ),
    "exact gelu": (
        ("gpt2",), lambda w: blocks(w, lambda m: evolve(m, activation="gelu"), attention=False),
    ),
}  # fmt: skip
"""Mutants that bfloat16 is too coarse to show."""


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    ("name", "case"),
    [(name, case) for case, (names, _) in (MUTANTS | SUBTLE).items() for name in names],
)
def test_the_probe_catches_every_mutant(
    name: str, case: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    if case in SUBTLE and dtype == torch.bfloat16:
        return
    _, mutate = (MUTANTS | SUBTLE)[case]
    monkeypatch.setattr(scrub.model.bridge, "transformer", lambda w: transformer(mutate(w)))
    with pytest.raises(UserError, match=r"^The graph disagrees .* by [\d.e+-]+ of the largest"):
        scrub.model.bridge.graph_of(bridge(name, dtype))


@pytest.mark.parametrize("name", FAMILIES)
def test_the_probe_sees_the_mask(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def every(inputs: Any, where: Where) -> Tensor:
        return torch.ones_like(inputs["tokens"], dtype=torch.bool)[:, None, None]

    monkeypatch.setattr("scrub.model.attention.real_tokens", every)
    with pytest.raises(UserError, match="The graph disagrees"):
        scrub.model.bridge.graph_of(bridge(name))


def test_nan_at_pads_alone_is_laid_to_the_window() -> None:
    """Hugging Face's Mistral gives it where a window holds nothing but pads."""
    model = scrub.model.bridge.graph_of(bridge("mistral"))

    def original(batch: Batch) -> Tensor:
        logits = plain_logits(model, batch.tokens, batch.lengths)
        return logits.masked_fill(~batch.real[:, :, None], torch.nan)

    with pytest.raises(UserError) as caught:
        check(model, original, vocabulary=VOCABULARY, windows=(WINDOW, WINDOW), limit=1e-6)
    assert re.fullmatch(
        r"The model itself gives NaN or infinity at 3 of 48 positions of a probe batch, all of "
        r"them pads: where its sliding window holds nothing but pads it has nothing to attend to\. "
        r"Pad no further than the window, or use a model without one\.",
        str(caught.value),
    ), caught.value
