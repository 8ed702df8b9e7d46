"""Interchanges in a LLaVA as transformers runs it, by hooks on its modules: for the evidence alone.

Neither the package's engine nor the forward pass of training is involved. All images stand in one
prompt, so that a position means the same in each of them.

Shapes: B images, T positions, H heads a layer, E the width of a head, D of the stream.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from attrs import frozen
from torch import Tensor
from transformers import LlavaForConditionalGeneration

SITES = {"q": "q_proj", "k": "k_proj", "v": "v_proj", "z": "o_proj"}
"""Per site the projection of a layer's attention that writes it, or reads it (z)."""


@frozen(eq=False)
class Record:
    """What one run computed, per layer of the language model.

    Attributes:
        parts: by site and layer: "q", "k" (not yet rotated), "v" and "z" [B, T, H, E],
            "mlp" [B, T, 1, D].
        attention: [B, H, T, T], query by key.
        logits: at END, [B, vocabulary].
    """

    parts: dict[tuple[str, int], Tensor]
    attention: list[Tensor]
    logits: Tensor


@frozen(eq=False)
class Change:
    """What replaces a part of a run.

    Attributes:
        site: "q", "k", "v", "z" or "mlp".
        layer: of the language model.
        heads: which; of "mlp": (0,).
        where: positions that change, bool [B, T].
        given: the values there, [B, T, H, E]; elsewhere it is not read.
    """

    site: str
    layer: int
    heads: tuple[int, ...]
    where: Tensor
    given: Tensor


def load(directory: Path) -> LlavaForConditionalGeneration:
    """The model, which tells its attention patterns."""
    model = LlavaForConditionalGeneration.from_pretrained(directory, attn_implementation="eager")
    return model.eval()


def sizes(model: LlavaForConditionalGeneration) -> tuple[int, int]:
    """Layers of the language model, and heads of a layer."""
    config: Any = model.config.text_config
    return config.num_hidden_layers, config.num_attention_heads


def embedded(model: LlavaForConditionalGeneration, tokens: Tensor, images: Tensor) -> Tensor:
    """What the language model starts from, [B, T, D]: tokens [T], pixel values [B, 3, ...]."""
    with torch.no_grad():
        text = model.get_input_embeddings()(tokens).repeat(len(images), 1, 1)
        made: Any = model.get_image_features(images)
        features = torch.cat(list(made.pooler_output))
        text[:, tokens == model.config.image_token_id] = features.view(
            len(images), -1, text.shape[-1]
        )
    return text


def run(
    model: LlavaForConditionalGeneration, start: Tensor, changes: Sequence[Change] = ()
) -> Record:
    """The language model from `start` [B, T, D], with these changes."""
    _, count = sizes(model)
    parts: dict[tuple[str, int], Tensor] = {}

    def seen(site: str, layer: int, x: Tensor) -> Tensor:
        split = x.unflatten(-1, (1 if site == "mlp" else count, -1))
        for change in changes:
            if (change.site, change.layer) == (site, layer):
                split = split.clone()
                for head in change.heads:
                    kept, given = split[:, :, head], change.given[:, :, head]
                    split[:, :, head] = torch.where(change.where[..., None], given, kept)
        parts[site, layer] = split
        return split.flatten(-2)

    def before(site: str, layer: int) -> Callable[..., Any]:
        return lambda module, inputs: (seen(site, layer, inputs[0]),)

    def after(site: str, layer: int) -> Callable[..., Any]:
        return lambda module, inputs, output: seen(site, layer, output)

    handles = []
    language: Any = model.model.language_model
    for layer, block in enumerate(language.layers):
        for site, name in SITES.items():
            module = getattr(block.self_attn, name)
            if site == "z":
                handles.append(module.register_forward_pre_hook(before(site, layer)))
            else:
                handles.append(module.register_forward_hook(after(site, layer)))
        handles.append(block.mlp.register_forward_hook(after("mlp", layer)))
    try:
        with torch.no_grad():
            out = language(inputs_embeds=start, output_attentions=True, use_cache=False)
            logits = model.lm_head(out.last_hidden_state[:, -1])
    finally:
        for handle in handles:
            handle.remove()
    return Record(parts, list(out.attentions), logits)


def at_end(start: Tensor) -> Tensor:
    """END alone, bool [B, T]."""
    where = torch.zeros(start.shape[:2], dtype=torch.bool)
    where[:, -1] = True
    return where


def swaps(
    record: Record, heads: Sequence[tuple[int, int]], donors: Tensor, where: Tensor, site: str = "z"
) -> list[Change]:
    """These heads (layer, head) as they are in images `donors` [B], at positions `where` [B, T]."""
    return [
        Change(site, layer, (head,), where, record.parts[site, layer][donors])
        for layer, head in heads
    ]
