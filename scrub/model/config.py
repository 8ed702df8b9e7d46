"""The shape of a model, which its graph is built from, and how a family of models gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from attrs import field, frozen

from scrub.errors import UserError
from scrub.model.config_values import Config, Kind, refuse
from scrub.model.weights import ACTIVATIONS, Weights


@frozen
class Shape:
    """What has to be known of a model to build its graph, besides the weights.

    Attributes:
        layers: number of layers.
        heads: attention heads per layer.
        kv_heads: key-value heads per layer; fewer than `heads` under grouped-query attention.
        d_model: size of the residual stream.
        d_head: size of a head's queries, keys and values.
        d_mlp: neurons per MLP.
        vocabulary: number of token ids.
        outputs: number of logits.
        width: most positions of an input.
        activation: the MLP's activation function, by Hugging Face's name.
        epsilon: of the norms.
        norm: what attention, MLP and unembedding apply to the residual stream before they use it.
        mlps: whether there are MLPs.
        gated: whether the MLPs are gated.
        parallel: whether a layer's MLP reads the residual stream from before its attention.
        rotary: whether positions are rotary embeddings of queries and keys; otherwise they are
            learned.
        qk_norm: whether queries and keys are normalised.
        scales: per layer the factor on its attention scores.
        windows: per layer the attention window: how many positions a query attends to, its own
            included; None: all up to its own.
        causal: whether a position attends to none after it.
        upcast: whether norms and softmax are computed in float32 in a float64 model too.
    """

    layers: int
    heads: int
    kv_heads: int
    d_model: int
    d_head: int
    d_mlp: int
    vocabulary: int
    outputs: int
    width: int
    activation: str
    epsilon: float
    scales: tuple[float, ...]
    windows: tuple[int | None, ...]
    norm: Literal["LayerNorm", "RMSNorm", "none"] = "LayerNorm"
    mlps: bool = True
    gated: bool = False
    parallel: bool = False
    rotary: bool = False
    qk_norm: bool = False
    causal: bool = True
    upcast: bool = False


ReadWeights = Callable[[Any, Shape], Weights]
"""A TransformerBridge and the shape of its model → its weights."""


@frozen
class Family:
    """Models whose configurations have one `model_type`.

    Attributes:
        shape: a model's configuration (Hugging Face's names) → its shape.
        weights: the bridge of a loaded model and its shape → its weights; None: those that
            `scrub.model.bridge.weights_of` finds.
        required: settings that a configuration must have.
        optional: settings that it may have, and what they must be.
        neutral: settings that change what a model computes, and the values with which they change
            nothing; other values are refused.
    """

    shape: Callable[[Config], Shape]
    weights: ReadWeights | None = None
    required: Mapping[str, Kind] = field(factory=dict)
    optional: Mapping[str, Kind] = field(factory=dict)
    neutral: Mapping[str, tuple[Any, ...]] = field(factory=dict)


def checked(shape: Shape) -> Shape:
    """The same shape, if a graph can be built of it.

    Raises:
        UserError: a size is not a whole number from 1, there is not one scale and one window per
            layer, or a value is not supported.
    """
    sizes = ("layers", "heads", "kv_heads", "d_model", "d_head", "d_mlp", "vocabulary", "outputs")
    for name in (*sizes, "width"):
        value = getattr(shape, name)
        if not isinstance(value, int) or value < 1:
            raise UserError(f"{name} = {value!r} is not a whole number from 1.")
    for name in ("scales", "windows"):
        values = getattr(shape, name)
        if not isinstance(values, tuple) or len(values) != shape.layers:
            raise UserError(f"{name} = {values!r} is not a tuple with one entry per layer.")
    if shape.norm not in ("LayerNorm", "RMSNorm", "none"):
        raise UserError(f'norm = {shape.norm!r} is not "LayerNorm", "RMSNorm" or "none".')
    if shape.activation not in ACTIVATIONS:
        raise UserError(
            f'The activation "{shape.activation}" is not supported; '
            f"there are: {', '.join(ACTIVATIONS)}."
        )
    if shape.rotary and shape.d_head % 2:
        refuse([f"heads of {shape.d_head} dimensions cannot be rotated, which takes pairs"])
    for window in shape.windows:
        if window is not None and window < 1:
            raise unsupported("sliding_window", window)
    if shape.heads % shape.kv_heads:
        raise UserError(
            f"{shape.heads} heads cannot share {shape.kv_heads} key-value heads evenly."
        )
    return shape


def unsupported(name: str, value: object) -> UserError:
    """A refusal that names a setting."""
    return UserError(f"Models with {name} = {value!r} in their config.json are not supported.")
