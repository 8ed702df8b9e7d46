"""The weights of a transformer, and the small functions that apply them.

Every loader gives these values, whatever names the weights have in its files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from attrs import evolve, fields, frozen, has
from torch import Tensor
from torch.nn import functional

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu_new": lambda x: functional.gelu(x, approximate="tanh"),
    "gelu_pytorch_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "gelu": functional.gelu,
    "relu": functional.relu,
    "silu": functional.silu,
    "swish": functional.silu,
}
"""By the names that configurations use."""


@frozen(eq=False)
class LayerNorm:
    """Weight and bias [d_model]."""

    weight: Tensor
    bias: Tensor
    epsilon: float

    def __call__(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, x.shape[-1:], self.weight, self.bias, self.epsilon)


@frozen(eq=False)
class RMSNorm:
    """Weight [d_model], or [d_head] for a norm of queries or keys. At least float32 inside."""

    weight: Tensor
    epsilon: float

    def __call__(self, x: Tensor) -> Tensor:
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        scaled = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.epsilon)
        return self.weight * scaled.to(x.dtype)


@frozen
class NoNorm:
    """Stands where a model has no norm: the identity."""

    def __call__(self, x: Tensor) -> Tensor:
        return x


Norm = LayerNorm | RMSNorm | NoNorm


@frozen(eq=False)
class Rotary:
    """Rotary embedding: rotates dimensions i and i + half of queries and keys by their position.

    Attributes:
        frequencies: angle per position, float32 [half] whatever the model's dtype: sine and cosine
            are taken in float32, as Hugging Face does. Dimensions from 2·half on stay as they are.
        scale: a factor on sine and cosine; 1 except under YaRN.
    """

    frequencies: Tensor
    scale: float = 1.0

    def __call__(self, x: Tensor, at: Tensor) -> Tensor:
        """x [inputs, positions, heads, d_head] turned; at: int64 [inputs or 1, positions]."""
        half = len(self.frequencies)
        angles = (at[..., None].float() * self.frequencies)[:, :, None]
        cos = (angles.cos() * self.scale).to(x.dtype)
        sin = (angles.sin() * self.scale).to(x.dtype)
        first, second, rest = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
        turned = (first * cos - second * sin, second * cos + first * sin, rest)
        return torch.cat(turned, dim=-1)


@frozen(eq=False)
class Projection:
    """One of W_Q, W_K, W_V, and what follows it before rotation.

    Attributes:
        weight: [heads, d_model, d_head]; fewer heads for keys and values under grouped-query
            attention.
        bias: [heads, d_head].
        norm: of each head's query or key.
    """

    weight: Tensor
    bias: Tensor | None = None
    norm: Norm | None = None

    def __call__(self, x: Tensor, heads: Tensor) -> Tensor:
        """x [inputs, positions, heads or 1, d_model], heads' numbers → [.., heads, d_head]."""
        weight = self.weight[heads]
        if x.shape[2] == 1:
            count, d_model, d_head = weight.shape
            flat = x[:, :, 0] @ weight.transpose(0, 1).reshape(d_model, count * d_head)
            value = flat.unflatten(-1, (count, d_head))
        else:
            value = torch.einsum("nphd,hde->nphe", x, weight)
        if self.bias is not None:
            value = value + self.bias[heads]
        return value if self.norm is None else self.norm(value)


@frozen(eq=False)
class Linear:
    """Weight [inputs, outputs] and bias [outputs]."""

    weight: Tensor
    bias: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        value = x @ self.weight
        return value if self.bias is None else value + self.bias


@frozen(eq=False)
class Attention:
    """An attention layer.

    Attributes:
        output: W_O [heads, d_head, d_model].
        output_bias: [d_model].
        scale: factor on the scores.
        window: how many positions back a query sees, its own included; None: all.
        rotary: None where positions are learned.
    """

    norm: Norm
    query: Projection
    key: Projection
    value: Projection
    output: Tensor
    output_bias: Tensor | None
    scale: float
    window: int | None = None
    rotary: Rotary | None = None


@frozen(eq=False)
class MLP:
    """An MLP layer.

    Attributes:
        pre: gives what the activation function is applied to; in a gated MLP, the gate.
        linear: gives what the activated gate is multiplied with; None where the MLP is not gated.
    """

    norm: Norm
    pre: Linear
    linear: Linear | None
    post: Linear
    activation: str


@frozen(eq=False)
class Block:
    """One layer.

    Attributes:
        mlp: None where the model has attention only.
    """

    attention: Attention
    mlp: MLP | None


@frozen(eq=False)
class Weights:
    """A transformer.

    Attributes:
        embedding: [vocabulary, d_model].
        position_embedding: [width, d_model]; None where queries and keys are rotated.
        width: most positions.
        parallel: whether a layer's MLP reads what its attention reads, and not its output.
        causal: whether a position sees only those before it.
    """

    embedding: Tensor
    position_embedding: Tensor | None
    blocks: tuple[Block, ...]
    norm_final: Norm
    unembedding: Linear
    width: int
    parallel: bool = False
    causal: bool = True


def tensors(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors of some weights, named as their attributes are: blocks.0.mlp.pre.weight."""
    if isinstance(value, Tensor):
        yield name.removeprefix("."), value
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from tensors(item, f"{name}.{number}")
    elif has(type(value)):
        for attribute in fields(type(value)):
            yield from tensors(getattr(value, attribute.name), f"{name}.{attribute.name}")


def copied(value: Any, dtype: torch.dtype, device: str | torch.device) -> Any:
    """The same weights in tensors of their own. Frequencies of rotation stay in float32."""
    if isinstance(value, Tensor):
        return value.detach().to(device, dtype, copy=True)
    if isinstance(value, Rotary):
        return evolve(value, frequencies=value.frequencies.to(device, copy=True))
    if isinstance(value, tuple):
        return tuple(copied(item, dtype, device) for item in value)
    if not has(type(value)):
        return value
    names = [attribute.name for attribute in fields(type(value))]
    return evolve(value, **{name: copied(getattr(value, name), dtype, device) for name in names})
