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
from scrub.model.graph import Graph
from scrub.model.probe import Batch, check
from scrub.model.shape import Shape, shape_of
from scrub.model.tokenizer import PAD, word_level
from scrub.model.transformer import transformer
from scrub.model.weights import (
    MLP,
    Attention,
    Block,
    LayerNorm,
    Linear,
    Norm,
    Projection,
    RMSNorm,
    Rotary,
    Weights,
)

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 1e-1}
"""Largest difference between graph and bridge, relative to the largest logit.

Those of float64 and float32 are as in docs/semantics.md, Laws. bfloat16 rounds to 1 part in 256 at
every step, and graph and bridge add up in different orders: tiny random models with large weights
differ by up to 0.07.
"""
TOLERANCE_OF_SINGLE = 1e-6
"""The same in float64, where the bridge computes norms and softmax in float32 all the same."""


def boot(name: str, *, dtype: torch.dtype, device: str) -> TransformerBridge:
    """The bridge of a model name or local directory in Hugging Face format, ready to run.

    Raises:
        UserError: the model cannot be found or read, or its weights are incomplete.
    """
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # the bridge prints as it converts
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                name, dtype=dtype, attn_implementation="eager", output_loading_info=True
            )
            model, report = loaded
            # Of this model no more .to(dtype): that would round the rotary frequencies as well.
            bridge = TransformerBridge.boot_transformers(
                name,
                hf_model=model.to(device),
                tokenizer=_no_tokenizer(),
                dtype=dtype,
                device=device,
            ).eval()
    except Exception as error:  # the loaders below raise whatever they like
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UserError(
            f'Model "{name}" could not be loaded: {reason.rstrip(".")}. '
            "Are its files complete? A model directory holds config.json and model.safetensors."
        ) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise UserError(
            f'The weights of model "{name}" are incomplete: {", ".join(missing[:3])}'
            f"{f' and {len(missing) - 3} others' if len(missing) > 3 else ''} "
            f"{'is' if len(missing) == 1 else 'are'} missing. Copy or download them again."
        )
    return bridge


def _no_tokenizer() -> Any:
    """Stands where the bridge wants a tokenizer: it is given tokens only, and need not find one."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=word_level([]), pad_token=PAD, eos_token=PAD)


def graph_of(bridge: TransformerBridge) -> Graph:
    """The graph of a booted model, checked against it on a probe batch.

    Raises:
        UserError: the architecture is not supported, or the graph disagrees with the bridge.
    """
    parts: Any = bridge  # its components are found by name at run time
    shape = shape_of(parts.original_model.config.to_dict())
    graph = transformer(_weights(parts, shape))

    def original(batch: Batch) -> Tensor:
        return bridge(batch.tokens, attention_mask=batch.real.to(torch.int64), return_type="logits")

    limit = TOLERANCE[graph.dtype]
    if graph.dtype == torch.float64 and shape.single_inside:
        limit = TOLERANCE_OF_SINGLE
    check(graph, original, vocabulary=shape.vocabulary, windows=shape.windows, limit=limit)
    return graph


def _weights(parts: Any, shape: Shape) -> Weights:
    rotary = None
    if shape.rotary:
        turning = parts.rotary_emb.original_component
        rotary = Rotary(turning.inv_freq.float(), float(turning.attention_scaling))
    return Weights(
        embedding=parts.W_E.detach(),
        position_embedding=None if shape.rotary else parts.W_pos.detach(),
        blocks=tuple(
            _block(block, shape, layer, rotary) for layer, block in enumerate(parts.blocks)
        ),
        norm_final=_norm(parts.ln_final, shape),
        unembedding=Linear(parts.W_U.detach(), parts.b_U.detach() if parts.b_U.any() else None),
        width=shape.width,
        parallel=shape.parallel,
    )


def _block(block: Any, shape: Shape, layer: int, rotary: Rotary | None) -> Block:
    attention, mlp = block.attn, block.mlp

    def projection(letter: str, normed: bool = False) -> Projection:
        return Projection(
            getattr(attention, f"W_{letter}").detach(),
            _detached(getattr(attention, f"b_{letter}")),
            _norm(getattr(attention, f"{letter.lower()}_norm"), shape) if normed else None,
        )

    def linear(name: str) -> Linear:
        return Linear(
            getattr(mlp, f"W_{name}").detach(), _detached(getattr(mlp, f"b_{name}", None))
        )

    return Block(
        Attention(
            norm=_norm(block.ln1, shape),
            query=projection("Q", shape.qk_norm),
            key=projection("K", shape.qk_norm),
            value=projection("V"),
            output=attention.W_O.detach(),
            output_bias=_detached(attention.b_O),
            scale=shape.scales[layer],
            window=shape.windows[layer],
            rotary=rotary,
        ),
        MLP(
            norm=_norm(block.ln2, shape),
            pre=linear("gate" if shape.gated else "in"),
            linear=linear("in") if shape.gated else None,
            post=linear("out"),
            activation=shape.activation,
        ),
    )


def _norm(module: Any, shape: Shape) -> Norm:
    weight = module.weight.detach()
    if shape.norm == "RMSNorm":
        return RMSNorm(weight, shape.epsilon)
    return LayerNorm(weight, module.bias.detach(), shape.epsilon)


def _detached(bias: Tensor | None) -> Tensor | None:
    return None if bias is None else bias.detach()
