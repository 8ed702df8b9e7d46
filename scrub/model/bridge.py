"""Models from TransformerLens: boot a bridge, take its weights, check the graph against it.

The only importer of transformer_lens, which takes seconds: imported where it is used.
"""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from attrs import evolve
from torch import Tensor

from scrub.errors import UserError, in_words, shortened
from scrub.model.config import Shape
from scrub.model.directory import (
    BUFFERS,
    LAYER_IN_NAME,
    and_others,
    check_finite,
    headers,
)
from scrub.model.families import checked_call, family_of, shape_of
from scrub.model.graph import Graph
from scrub.model.in_memory import kind_of, settings_of
from scrub.model.no_installing import nothing_installed
from scrub.model.skeleton import skeleton
from scrub.model.tl_config import lens_shape
from scrub.model.tokenizer import PAD, word_level
from scrub.model.transformer import transformer
from scrub.model.verify import Batch, check
from scrub.model.weights import (
    MLP,
    Attention,
    Block,
    LayerNorm,
    Linear,
    NoNorm,
    Norm,
    Projection,
    RMSNorm,
    Rotary,
    Weights,
    copied,
    tensors,
)

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

TOLERANCE = {
    torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 1e-1, torch.float16: 2e-2,
}  # fmt: skip
"""Largest difference between graph and bridge, relative to the largest logit.

Those of float64 and float32 are as in docs/semantics.md, Laws. bfloat16 rounds to 1 part in 256 at
every step, and graph and bridge add up in different orders: tiny random models with large weights
differ by up to 0.07.
"""
TOLERANCE_UPCAST = 1e-6
"""The same in float64, where the bridge computes norms and softmax in float32 all the same."""


def boot(directory: Path, *, dtype: torch.dtype, device: str) -> TransformerBridge:
    """The bridge of a local directory in Hugging Face format, ready to run.

    Raises:
        UserError: the model cannot be read, or its weights are not those of its configuration.
    """
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()  # what it warns of is refused below, in a sentence
    try:
        config = AutoConfig.from_pretrained(directory)
        with torch.device("meta"):
            empty = AutoModelForCausalLM.from_config(config, dtype=dtype)
        _check_shapes(directory, empty)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            directory, dtype=dtype, attn_implementation="eager", output_loading_info=True
        )
    except UserError:
        raise
    except Exception as error:  # the loader raises whatever it likes
        reason = shortened(" ".join(str(error).split()) or type(error).__name__)
        raise UserError(
            f'Model "{directory}" could not be loaded: {reason.rstrip(".:")}. '
            "Are its files complete? A model directory holds config.json and model.safetensors."
        ) from error
    model, report = loaded
    _check_loaded(directory, model, report)
    return wrapped(model.to(device), str(directory))


def _check_shapes(directory: Path, empty: Any) -> None:
    """Refuse tensors of another shape than in the model without weights, before any is read."""
    found, prefix = headers(directory), f"{empty.base_model_prefix}."
    wrong = [
        f"{name} is {list(found[name].shape)}, where config.json says {list(tensor.shape)}"
        for key, tensor in empty.state_dict().items()
        for name in dict.fromkeys((key, prefix + key, key.removeprefix(prefix)))
        if name in found and found[name].shape != tuple(tensor.shape)
    ]
    if wrong:
        raise UserError(f"In {directory} {and_others(wrong)}. Copy both from the same model.")


def _check_loaded(directory: Path, model: Any, report: Mapping[str, Any]) -> None:
    """Refuse weights that are missing, unknown or not finite: loaders pass over all of these."""
    missing = sorted(report["missing_keys"])
    if missing:
        raise UserError(
            f'The weights of model "{directory}" are incomplete: {and_others(missing)} '
            f"{'is' if len(missing) == 1 else 'are'} missing. Copy or download them again."
        )
    unknown = [n for n in sorted(report["unexpected_keys"]) if LAYER_IN_NAME.search(n)]
    unknown = [name for name in unknown if not BUFFERS.search(name)]
    if unknown:
        raise UserError(
            f"The weights in {directory} hold {and_others(unknown)}, which such a model has no "
            "place for. Copy config.json and weights from the same model."
        )
    check_finite(f"The weights in {directory}", model.named_parameters())


def wrapped(model: Any, name: str) -> TransformerBridge:
    """A Hugging Face model behind a bridge, which puts modules of its own into it.

    Of the model no more .to(dtype): that would round the rotary frequencies as well.

    Raises:
        UserError: TransformerLens refuses it.
    """
    from transformer_lens.model_bridge import TransformerBridge

    dtype, device = next((p.dtype, p.device) for p in model.parameters())
    try:
        # The bridge prints as it converts.
        with contextlib.redirect_stdout(io.StringIO()), nothing_installed():
            return TransformerBridge.boot_transformers(
                name, hf_model=model, tokenizer=_no_tokenizer(), dtype=dtype, device=str(device)
            ).eval()
    except UserError:
        raise
    except Exception as error:  # the bridge raises whatever it likes
        raise UserError(
            f'Model "{name}" could not be put behind a TransformerBridge: {in_words(error)}.'
        ) from error


def _no_tokenizer() -> Any:
    """Stands where the bridge wants a tokenizer: it is given tokens only, and need not find one."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=word_level([]), pad_token=PAD, eos_token=PAD)


def graph_of(bridge: TransformerBridge, read: Weights | None = None) -> Graph:
    """The graph of a booted model, checked against it on a probe batch.

    Args:
        read: its weights as they were read without the bridge, to the last bit; None: take them
            from the bridge.

    Raises:
        UserError: the architecture is not supported, or the graph disagrees with the bridge.
    """
    shape = shape_in_memory(bridge)
    weights = _family_weights(bridge, shape)
    if read is None:
        return _checked(weights, bridge, shape)
    graph = _checked(read, bridge, shape)
    _check_bits(read, weights)
    return graph


def _check_bits(read: Weights, weights: Weights) -> None:
    """Refuse weights that differ from the bridge's where no token of the probe batch came by."""
    ours, theirs = dict(tensors(read)), dict(tensors(weights))
    wrong = sorted(ours.keys() ^ theirs.keys())
    for name in sorted(ours.keys() & theirs.keys()):
        if ours[name].shape != theirs[name].shape:
            wrong.append(f"{name} is {list(ours[name].shape)}, not {list(theirs[name].shape)}")
        elif not torch.equal(ours[name], theirs[name]):
            off = (ours[name].double() - theirs[name].double()).abs().max()
            wrong.append(f"{name} by {float(off):.2g}")
    if wrong:
        raise UserError(
            "The weights that scrub reads differ from those that TransformerLens reads: "
            f"{and_others(sorted(wrong))}. Was the file changed meanwhile? If not, please report "
            "it."
        )


def _checked(weights: Weights, bridge: TransformerBridge, shape: Shape) -> Graph:
    """The graph with these weights, which does what the bridge does."""
    graph = transformer(weights)

    def original(batch: Batch) -> Tensor:
        return bridge(batch.tokens, attention_mask=batch.real.to(torch.int64), return_type="logits")

    limit = TOLERANCE[graph.dtype]
    if graph.dtype == torch.float64 and shape.upcast:
        limit = TOLERANCE_UPCAST
    check(graph, original, vocabulary=shape.vocabulary, windows=shape.windows, limit=limit)
    return graph


def snapshot(model: Any, shape: Shape) -> Weights:
    """A copy of the weights of a model in memory, checked against it on a probe batch.

    The model stays as it is: one of Hugging Face is copied before a bridge changes its modules.

    Args:
        model: a TransformerBridge, or a model of Hugging Face.

    Raises:
        UserError: its weights are not finite, or the graph disagrees with it.
    """
    bridge = model
    if kind_of(model) == "hugging face":
        bridge = wrapped(copy.deepcopy(model), type(model).__name__)
    parts: Any = bridge  # its components are found by name at run time
    if len(parts.blocks) != shape.layers:
        raise UserError(
            f"It has {len(parts.blocks)} layers, and its configuration says {shape.layers}. Set "
            "the configuration to what the model is."
        )
    with _evaluating(bridge):
        weights = _family_weights(bridge, shape)
        dtype = weights.embedding.dtype
        if dtype not in TOLERANCE:
            known = ", ".join(str(known).removeprefix("torch.") for known in TOLERANCE)
            raise UserError(f"Its weights are {str(dtype).removeprefix('torch.')}, not {known}.")
        weights = copied(weights, dtype, weights.embedding.device)
        check_finite("Its weights", tensors(weights))
        _checked(weights, bridge, shape)
    return weights


@contextlib.contextmanager
def _evaluating(module: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode, without dropout, inside the block."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def shape_in_memory(model: Any) -> Shape:
    """The shape of a TransformerBridge or a model of Hugging Face, by its configuration.

    Raises:
        UserError: the architecture is not supported.
    """
    settings = settings_of(model)
    if _of_hugging_face(model):
        return shape_of(settings)
    # TransformerLens' own models: norms without weights are in float32 whatever the dtype.
    single = settings["normalization_type"] == "LNPre"
    return evolve(lens_shape(settings), upcast=single)


def _of_hugging_face(model: Any) -> bool:
    """Whether a model has a configuration of Hugging Face, and not one of TransformerLens' own."""
    return hasattr(getattr(model, "original_model", model), "config")


def _family_weights(bridge: TransformerBridge, shape: Shape) -> Weights:
    """The weights, as the model's family takes them out."""
    settings = settings_of(bridge)
    family = family_of(settings) if _of_hugging_face(bridge) else None
    if family is None or family.weights is None:
        return weights_of(bridge, shape)
    weights = checked_call(settings, family.weights, Weights, bridge, shape)
    made, told = (list(transformer(weights).values), list(skeleton(shape).values))
    if made != told:
        raise UserError(
            f'The weights of the family "{settings["model_type"]}" make other sites than its '
            f"shape: {and_others(sorted(set(made) ^ set(told)))}."
        )
    return weights


def weights_of(bridge: TransformerBridge, shape: Shape) -> Weights:
    """The weights of a model behind a bridge, by the names that bridges have for them.

    A bias of the unembedding that is zero is left out.
    """
    parts: Any = bridge  # its components are found by name at run time
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
        norm_final=_norm(parts.ln_final, shape, parts.W_E),
        unembedding=Linear(parts.W_U.detach(), parts.b_U.detach() if parts.b_U.any() else None),
        width=shape.width,
        parallel=shape.parallel,
        causal=shape.causal,
    )


def _block(block: Any, shape: Shape, layer: int, rotary: Rotary | None) -> Block:
    attention = block.attn

    def norm(letter: str) -> Norm:
        return _norm(getattr(attention, f"{letter.lower()}_norm"), shape, attention.W_O)

    def projection(letter: str, normed: bool = False) -> Projection:
        return Projection(
            getattr(attention, f"W_{letter}").detach(),
            _detached(getattr(attention, f"b_{letter}")),
            norm(letter) if normed else None,
        )

    return Block(
        Attention(
            norm=_norm(block.ln1, shape, attention.W_O),
            query=projection("Q", shape.qk_norm),
            key=projection("K", shape.qk_norm),
            value=projection("V"),
            output=attention.W_O.detach(),
            output_bias=_detached(attention.b_O),
            scale=shape.scales[layer],
            window=shape.windows[layer],
            rotary=rotary,
        ),
        _mlp(block, shape) if shape.mlps else None,
    )


def _mlp(block: Any, shape: Shape) -> MLP:
    def linear(name: str) -> Linear:
        bias = getattr(block.mlp, f"b_{name}", None)
        return Linear(getattr(block.mlp, f"W_{name}").detach(), _detached(bias))

    return MLP(
        norm=_norm(block.ln2, shape, block.attn.W_O),
        pre=linear("gate" if shape.gated else "in"),
        linear=linear("in") if shape.gated else None,
        post=linear("out"),
        activation=shape.activation,
    )


def _norm(module: Any, shape: Shape, like: Tensor) -> Norm:
    """A norm; where it has no weights of its own, in a tensor like this one."""
    if shape.norm == "none":
        return NoNorm()
    if not hasattr(module, "weight"):
        one = like.new_ones(shape.d_model)
        return LayerNorm(one, 0 * one, shape.epsilon)
    weight = module.weight.detach()
    if shape.norm == "RMSNorm":
        return RMSNorm(weight, shape.epsilon)
    return LayerNorm(weight, module.bias.detach(), shape.epsilon)


def _detached(bias: Tensor | None) -> Tensor | None:
    return None if bias is None else bias.detach()
