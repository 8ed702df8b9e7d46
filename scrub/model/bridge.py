"""Models from TransformerLens: boot a bridge, take its weights, check the graph against it.

The only importer of transformer_lens, which takes seconds: imported where it is used.
"""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from scrub.errors import UserError
from scrub.model.graph import Graph, Where
from scrub.model.transformer import ACTIVATIONS, Block, Norm, Projection, Weights, transformer

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}
"""Largest difference between graph and bridge, relative to the largest logit (design §3, laws)."""


def boot(name: str, *, dtype: torch.dtype, device: str) -> TransformerBridge:
    """The bridge of a model name or local directory in Hugging Face format, ready to run.

    Raises:
        UserError: the model cannot be found or read.
    """
    from transformer_lens.model_bridge import TransformerBridge
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # the bridge prints as it converts
            bridge = TransformerBridge.boot_transformers(name, dtype=dtype, device=device)
            return bridge.to(dtype).eval()
    except Exception as error:  # the loaders below raise whatever they like
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UserError(
            f'Model "{name}" could not be loaded: {reason.rstrip(".")}. '
            "Are its files complete? A model directory holds config.json and model.safetensors."
        ) from error


def graph_of(bridge: TransformerBridge) -> Graph:
    """The graph of a booted GPT-2, checked against it on a probe batch.

    Raises:
        UserError: the architecture is not supported, or the graph disagrees with the bridge.
    """
    graph = transformer(_weights(bridge))
    difference = probe(graph, bridge)
    limit = TOLERANCE[graph.dtype]
    if not difference <= limit:
        raise UserError(
            f"The graph disagrees with the model it was made from: by {difference:.2g} of the "
            f"largest logit on a probe batch, where {limit:.0e} is allowed. "
            "This model has a part that scrub does not know; please report it."
        )
    return graph


def probe(graph: Graph, bridge: TransformerBridge) -> float:
    """Largest difference between the graph's and the bridge's logits, over the largest logit.

    The batch: 4 rows of up to 16 random tokens, from a fixed seed.
    """
    length = min(16, graph.width or 16)
    generator = torch.Generator().manual_seed(0)
    vocabulary = bridge.cfg.d_vocab
    tokens = torch.randint(vocabulary, (4, length), generator=generator).to(graph.device)
    with torch.no_grad():
        expected = bridge(tokens, return_type="logits")
        found = plain_logits(graph, tokens)
    return float((found - expected).abs().max() / expected.abs().max())


def plain_logits(graph: Graph, tokens: Tensor) -> Tensor:
    """Logits of full rows: tokens [rows, width] → [rows, width, vocabulary]."""
    values: dict[str, Tensor] = {}
    rows, width = tokens.shape
    raw = {"tokens": tokens, "lengths": torch.full((rows,), width, device=tokens.device)}
    for name in graph.values:
        if name in graph.streams:
            values[name] = graph.total(name, values)
        else:
            site = graph.sites[name]
            every = torch.arange(site.heads or 0, device=tokens.device)
            at = torch.arange(graph.span(name, width), device=tokens.device)
            read = {port.name: values[port.source] for port in site.ports}
            values[name] = site.apply(read or raw, Where(every, at.expand(rows, -1)))
    return values["logits"][:, :, 0]


def _weights(bridge: TransformerBridge) -> Weights:
    architecture = bridge.cfg.architecture
    if architecture != "GPT2LMHeadModel":
        raise UserError(
            f"The architecture {architecture} is not supported yet; GPT2LMHeadModel is."
        )
    if bridge.cfg.act_fn not in ACTIVATIONS:
        raise UserError(
            f'The activation "{bridge.cfg.act_fn}" is not supported; '
            f"there are: {', '.join(ACTIVATIONS)}."
        )
    parts: Any = bridge  # its components are found by name at run time

    def norm(module: Any) -> Norm:
        return Norm(module.weight.detach(), module.bias.detach(), float(bridge.cfg.eps))

    def block(layer: Any) -> Block:
        attention, mlp = layer.attn, layer.mlp
        return Block(
            norm_attention=norm(layer.ln1),
            query=Projection(attention.W_Q.detach(), attention.b_Q.detach()),
            key=Projection(attention.W_K.detach(), attention.b_K.detach()),
            value=Projection(attention.W_V.detach(), attention.b_V.detach()),
            output=attention.W_O.detach(),
            output_bias=attention.b_O.detach(),
            norm_mlp=norm(layer.ln2),
            mlp_in=mlp.W_in.detach(),
            mlp_in_bias=mlp.b_in.detach(),
            mlp_out=mlp.W_out.detach(),
            mlp_out_bias=mlp.b_out.detach(),
        )

    return Weights(
        embedding=parts.W_E.detach(),
        position_embedding=parts.W_pos.detach(),
        blocks=tuple(block(layer) for layer in parts.blocks),
        norm_final=norm(parts.ln_final),
        unembedding=parts.W_U.detach(),
        activation=bridge.cfg.act_fn,
    )
