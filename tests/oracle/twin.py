"""The same model with keys and values of its own for every head, where heads share them."""

from __future__ import annotations

import copy
import functools
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import rms_norm

from support import family_models, native_models, tiny_models


@functools.cache
def twin(name: str) -> Any:
    """The bridge of a model whose heads all have keys and values of their own, in float64.

    A model of TransformerLens' own kind is the module itself, without a bridge.

    Also, RMSNorm and softmax are computed in float64, where Hugging Face takes float32.
    """
    if name in tiny_models.NATIVES:
        return native_models.module(name)
    bridge = tiny_models.bridge(name)
    if bridge.cfg.n_key_value_heads in (None, bridge.cfg.n_heads):
        return bridge
    few: Any = tiny_models.hugging_face_model(name)
    config = copy.deepcopy(few.config)
    times = config.num_attention_heads // config.num_key_value_heads
    config.num_key_value_heads = config.num_attention_heads
    many = type(few)(config).to(torch.float64)
    weights = few.state_dict()
    for key, value in weights.items():
        if "k_proj" in key or "v_proj" in key:
            heads = value.unflatten(0, (-1, few.model.layers[0].self_attn.head_dim))
            weights[key] = heads.repeat_interleave(times, dim=0).flatten(0, 1)
    many.load_state_dict(weights)
    with tempfile.TemporaryDirectory() as directory:
        family_models.save(many, Path(directory))
        bridge = family_models.boot(directory, torch.float64)
    for module in bridge.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = partial(rms_normed, module)
    for block in bridge.blocks:
        block.attn._masked_softmax = lambda scores, dtype: scores.softmax(-1).nan_to_num(0.0)
    return bridge


def rms_normed(module: Any, x: Tensor) -> Tensor:
    return rms_norm(x, x.shape[-1:], module.weight, module.variance_epsilon)
