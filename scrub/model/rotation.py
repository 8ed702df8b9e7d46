"""Rotary embeddings as a configuration (Hugging Face's names) asks for them.

The arithmetic is that of transformers' `modeling_rope_utils`, step by step in float32, so that
the frequencies have the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from scrub.model.config import Shape
from scrub.model.config_values import Config
from scrub.model.weights import Rotary

Settings = Mapping[str, Any]

THETA = 10_000.0
"""Base of the wavelengths where a configuration names none."""


def rotary_of(config: Config, shape: Shape) -> Rotary:
    """The rotary embedding of a model: what turns is the first part of each head.

    Raises:
        ArithmeticError, KeyError, TypeError, ValueError: a setting that its kind needs is missing
            or is no such number.
    """
    settings = rotation_settings(config, shape)
    size = int(shape.d_head * settings["partial_rotary_factor"])
    plain = 1.0 / _wavelengths(settings, size)
    match settings["rope_type"]:
        case "linear":
            return Rotary(plain / settings["factor"])
        case "llama3":
            return Rotary(_llama3(plain, settings))
        case "yarn":
            return Rotary(_yarn(settings, size), _yarn_scale(settings))
    return Rotary(plain)


def rotation_settings(config: Config, shape: Shape) -> dict[str, Any]:
    """Settings of rotation, in one table, whichever of its three places they are written in.

    `rope_scaling` goes before `rope_parameters`, and both before the configuration's own
    `rope_theta` or, in GPT-NeoX, `rotary_emb_base` and `rotary_pct`.
    """
    neox = config["model_type"] == "gpt_neox"
    given = dict(config.get("rope_scaling") or config.get("rope_parameters") or {})
    theta = config.get("rotary_emb_base" if neox else "rope_theta", THETA)
    part = config.get("rotary_pct", 0.25) if neox else 1.0
    named = {
        "rope_type": given.get("type", "default"),
        "rope_theta": theta,
        "partial_rotary_factor": part,
        "original_max_position_embeddings": shape.width,
    }
    settings = named | given
    name = "original_max_position_embeddings"
    if name in config:
        settings[name] = config[name]
    if settings.get("factor") is None and settings["rope_type"] == "yarn":
        settings["factor"] = shape.width / settings["original_max_position_embeddings"]
    return settings


def _wavelengths(settings: Settings, size: int) -> Tensor:
    """Positions per radian of each pair of the dimensions that turn: float32 [size / 2]."""
    return settings["rope_theta"] ** (torch.arange(0, size, 2, dtype=torch.float) / size)


def _llama3(plain: Tensor, settings: Settings) -> Tensor:
    """Low frequencies divided by a factor, high ones as they are, those between in proportion."""
    factor, length = settings["factor"], settings["original_max_position_embeddings"]
    low, high = settings["low_freq_factor"], settings["high_freq_factor"]
    period = 2 * math.pi / plain
    slowed = torch.where(period > length / low, plain / factor, plain)
    share = (length / period - low) / (high - low)
    between = (1 - share) * slowed / factor + share * slowed
    is_between = ~(period < length / high) * ~(period > length / low)
    return torch.where(is_between, between, slowed)


def _yarn(settings: Settings, size: int) -> Tensor:
    """Divided by the factor, or not, in proportion to how far a dimension turns in a context."""
    theta, length = settings["rope_theta"], settings["original_max_position_embeddings"]

    def dimension(turns: float) -> float:
        """The dimension that turns so often in the original context."""
        return (size * math.log(length / (turns * 2 * math.pi))) / (2 * math.log(theta))

    low = dimension(settings.get("beta_fast") or 32)
    high = dimension(settings.get("beta_slow") or 1)
    if settings.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, size - 1)
    if low == high:
        high += 0.001  # as there: no division by zero
    ramp = torch.clamp((torch.arange(size // 2, dtype=torch.float32) - low) / (high - low), 0, 1)
    kept = 1 - ramp
    wavelengths = _wavelengths(settings, size)
    return 1.0 / (settings["factor"] * wavelengths) * (1 - kept) + 1.0 / wavelengths * kept


def _yarn_scale(settings: Settings) -> float:
    """The factor on sine and cosine."""

    def scale(by: float = 1) -> float:
        factor = settings["factor"]
        return 1.0 if factor <= 1 else 0.1 * by * math.log(factor) + 1.0

    if settings.get("attention_factor") is not None:
        return float(settings["attention_factor"])
    above, below = settings.get("mscale"), settings.get("mscale_all_dim")
    return float(scale(above) / scale(below)) if above and below else float(scale())
