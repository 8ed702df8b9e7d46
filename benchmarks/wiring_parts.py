"""Models wired by hand: a stream of named blocks, and heads and neurons that are told as values.

A model is told as values: a `Layout` of the stream, and per layer heads (`Head`: what it looks for
and what it copies) and neurons (`Neuron`). `wired` makes the weights of them, with noise on all;
heads and neurons that nothing is said of are idle: they attend by rules of their own and write
where nobody reads. `save` writes the directory that scrub loads.

    layout = Layout({"word": 8, "first": 1, "position": 6, "answer": 8, "spare": 4})
    mover = Head(
        looks=(*at_distance(layout["position"], PERIODS, 2, 20.0), rest(asks, first, 100.0)),
        copies=copies(layout["word"], layout["answer"]),
    )

There are no norms, and attention scores are not scaled: a score is the sum of its `Look`s, and 10
more than all others is all of the attention, but for e⁻¹⁰.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from attrs import field, frozen
from safetensors.torch import save_file
from torch import Tensor
from wiring_idle import MIXING, QUIET, Idle

Weights = Mapping[int, float]
"""Coordinate of the stream → weight."""
Place = tuple[int, int]
"""(layer, head)."""
NOISE = 0.002
"""Standard deviation of what is added to each weight."""
NOISY_FIRST = ("embed.W_E", "pos_embed.W_pos", "unembed.W_U", "unembed.b_U")
"""Weights whose noise is drawn before that of layers."""


@frozen
class Layout:
    """The residual stream: a block of coordinates by each name, one after the other."""

    sizes: Mapping[str, int]

    def __getitem__(self, block: str) -> range:
        """The coordinates of a block."""
        names = list(self.sizes)
        start = sum(self.sizes[name] for name in names[: names.index(block)])
        return range(start, start + self.sizes[block])

    @property
    def size(self) -> int:
        """Coordinates in all: d_model."""
        return sum(self.sizes.values())


@frozen
class Look:
    """A summand of a head's score: (query · stream there + bias) · (key · stream here)."""

    query: Weights
    key: Weights
    bias: float = 0.0


@frozen
class Copy:
    """What a head moves: value · stream where it attends to, written as output."""

    value: Weights
    output: Weights


@frozen
class Head:
    """A head with a role: as many looks, and as many copies, as d_head has room for."""

    looks: tuple[Look, ...]
    copies: tuple[Copy, ...]


@frozen
class Neuron:
    """relu(reads · stream + bias), written as `writes`."""

    reads: Weights
    writes: Weights
    bias: float = 0.0


@frozen
class Layer:
    """Heads and neurons with a role. Heads of one role do the same, and each says its share of it.

    Attributes:
        roles: role → its heads' description, each of them so many heads.
        neurons: of the MLP.
        head_order, neuron_order: in which order those that are told take their places among all of
            the layer; None: it is drawn.
    """

    roles: Mapping[str, tuple[Head, int]] = field(factory=dict)
    neurons: Sequence[Neuron] = ()
    head_order: Sequence[int] | None = None
    neuron_order: Sequence[int] | None = None


@frozen(eq=False)
class Shape:
    """What the weights' shapes are.

    Attributes:
        tokens: size of the vocabulary.
        reads: blocks that idle heads and neurons read.
        spare: the block that idle parts write, which nobody reads.
        idle: what idle parts do.
    """

    layout: Layout
    heads: int
    d_head: int
    neurons: int
    positions: int
    tokens: int
    reads: Sequence[str]
    spare: str = "spare"
    idle: Idle = MIXING


@frozen(eq=False)
class Wired:
    """A model.

    Attributes:
        roles: role → its heads.
        state: weights by TransformerLens' names, float32.
    """

    name: str
    shape: Shape
    layers: int
    roles: Mapping[str, tuple[Place, ...]]
    state: Mapping[str, Tensor]


def match(queried: Sequence[int], keyed: Sequence[int], score: float) -> tuple[Look, ...]:
    """Looks for a place whose one-hot block is that which is asked for: `score` more there."""
    half = score**0.5
    return tuple(Look({q: half}, {k: half}) for q, k in zip(queried, keyed, strict=True))


def flagged(flags: Weights, score: float) -> Look:
    """Looks for places with a flag, whoever asks."""
    return Look({}, flags, bias=score)


def rest(asking: Weights, first: int, score: float) -> Look:
    """`score` more for the first token, except where the query's flags are set (to 1 in all)."""
    return Look({at: -score * weight for at, weight in asking.items()}, {first: 1.0}, bias=score)


def waves(positions: int, periods: Sequence[float]) -> np.ndarray:
    """Position embeddings for `at_distance`: cosine and sine of each period, [n, 2·periods]."""
    angle = 2 * np.pi * np.arange(positions)[:, None] / np.array(periods)
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1).reshape(positions, -1)


def at_distance(
    block: Sequence[int], periods: Sequence[float], distance: int, score: float
) -> tuple[Look, ...]:
    """Looks so many tokens back: each period gives score · cos(2π (d − distance) / period).

    One long period looks *about* there; several, of which some are short, exactly there.
    """
    half = score**0.5
    looks = []
    for number, period in enumerate(periods):
        x, y = block[2 * number], block[2 * number + 1]
        turn = 2 * np.pi * distance / period
        cos, sin = half * np.cos(turn), half * np.sin(turn)
        looks.append(Look({x: cos, y: sin}, {x: half}))
        looks.append(Look({x: -sin, y: cos}, {y: half}))
    return tuple(looks)


def copies(read: Sequence[int], write: Sequence[int], scale: float = 1.0) -> tuple[Copy, ...]:
    """Moves a block's coordinates into another block (of the same size, in the order given)."""
    return tuple(Copy({r: 1.0}, {w: scale}) for r, w in zip(read, write, strict=True))


def all_of(reads: Iterable[int], writes: Weights) -> Neuron:
    """A neuron that writes where all these coordinates are 1: a line of a table."""
    coordinates = list(reads)
    return Neuron(dict.fromkeys(coordinates, 1.0), writes, 1.0 - len(coordinates))


def wired(
    name: str,
    shape: Shape,
    layers: Sequence[Layer],
    *,
    embedding: np.ndarray,
    positions: np.ndarray,
    unembedding: np.ndarray,
    seed: int | np.random.Generator,
    bias: np.ndarray | None = None,
    noise: float = NOISE,
    noisy_first: Sequence[str] = NOISY_FIRST,
) -> Wired:
    """The model, the same each time.

    Args:
        embedding: [tokens, d_model].
        positions: [positions, d_model].
        unembedding: [d_model, tokens].
        seed: which heads have which role, what idle parts do, and the noise; a generator goes on
            from where it is.
        bias: of the logits, [tokens]; 0 where it is not given.
        noise: standard deviation of what is added to each weight.
        noisy_first: weights whose noise is drawn first, in this order; then that of layers, then of
            all others.
    """
    random = np.random.default_rng(seed)
    roles: dict[str, tuple[Place, ...]] = {}
    state: dict[str, np.ndarray] = {}
    for number, layer in enumerate(layers):
        order = _order(layer.head_order, shape.heads, random)
        assert sum(count for _, count in layer.roles.values()) <= shape.heads, f"{name}: {number}"
        does: dict[int, tuple[Head, int]] = {}
        for role, (head, count) in layer.roles.items():
            mine, order = sorted(order[:count]), order[count:]
            roles[role] = tuple((number, at) for at in mine)
            does |= dict.fromkeys(mine, (head, count))
        parts = _attention(shape, does, random) | _mlp(shape, layer, random)
        state |= {f"blocks.{number}.{part}": weights for part, weights in parts.items()}
    state |= {
        "embed.W_E": embedding,
        "pos_embed.W_pos": positions,
        "unembed.W_U": unembedding,
        "unembed.b_U": np.zeros(unembedding.shape[1]) if bias is None else bias,
    }
    names = dict.fromkeys((*noisy_first, *state))
    noisy = {part: _noisy(state[part], noise, random) for part in names}
    return Wired(name, shape, len(layers), roles, noisy)


def without_role(model: Wired) -> list[Place]:
    """The idle heads."""
    named = {head for heads in model.roles.values() for head in heads}
    every = ((i, j) for i in range(model.layers) for j in range(model.shape.heads))
    return [head for head in every if head not in named]


def config(model: Wired) -> dict[str, object]:
    """What config.json says."""
    shape = model.shape
    return {
        "format": "transformer_lens_state_dict",
        "n_layers": model.layers,
        "d_model": shape.layout.size,
        "n_heads": shape.heads,
        "d_head": shape.d_head,
        "d_mlp": shape.neurons,
        "n_ctx": shape.positions,
        "d_vocab": shape.tokens,
        "d_vocab_out": shape.tokens,
        "act_fn": "relu",
        "normalization_type": None,
        "positional_embedding_type": "standard",
        "attention_dir": "causal",
        "attn_scale": 1.0,
    }


def save(model: Wired, directory: Path, card: str) -> None:
    """Write weights, configuration, roles and card into a directory that has its tokenizer."""
    settings = json.dumps(config(model), indent=1) + "\n"
    (directory / "config.json").write_text(settings, encoding="utf-8")
    path = directory / "model.safetensors"
    save_file(dict(model.state), path)
    path.chmod(0o644)
    table = [f'"{role}" = {[list(head) for head in heads]}' for role, heads in model.roles.items()]
    text = "\n".join(["# Where each role sits: [layer, head].", "", "[roles]", *table, ""])
    (directory / "roles.toml").write_text(text, encoding="utf-8")
    (directory / "README.md").write_text(card, encoding="utf-8")


def _order(told: Sequence[int] | None, size: int, random: np.random.Generator) -> list[int]:
    return list(random.permutation(size).tolist() if told is None else told)


def _noisy(weights: np.ndarray, noise: float, random: np.random.Generator) -> Tensor:
    return torch.tensor(weights + noise * random.standard_normal(weights.shape)).float()


def _attention(
    shape: Shape, does: Mapping[int, tuple[Head, int]], random: np.random.Generator
) -> dict[str, np.ndarray]:
    """A layer's attention: heads with a role, and idle ones."""
    into = (shape.heads, shape.layout.size, shape.d_head)
    query, key, value = np.zeros(into), np.zeros(into), np.zeros(into)
    bias, output = np.zeros(into[::2]), np.zeros((shape.heads, shape.d_head, shape.layout.size))
    read = [at for block in shape.reads for at in shape.layout[block]]
    spare = list(shape.layout[shape.spare])
    for number in range(shape.heads):
        if number not in does:
            found = shape.idle.head(len(read), shape.d_head, random)
            query[number, read], key[number, read], value[number, read] = found
            output[number][:, spare] = QUIET * random.normal(size=(shape.d_head, len(spare)))
            continue
        head, count = does[number]
        assert max(len(head.looks), len(head.copies)) <= shape.d_head, "d_head is too small"
        for channel, look in enumerate(head.looks):
            bias[number, channel] = look.bias
            _put(query[number, :, channel], look.query)
            _put(key[number, :, channel], look.key)
        for channel, copy in enumerate(head.copies):
            _put(value[number, :, channel], copy.value)
            _put(output[number, channel], copy.output, 1 / count)
    zeros = np.zeros_like(bias)
    return {
        "attn.W_Q": query,
        "attn.W_K": key,
        "attn.W_V": value,
        "attn.W_O": output,
        "attn.b_Q": bias,
        "attn.b_K": zeros,
        "attn.b_V": zeros,
        "attn.b_O": np.zeros(shape.layout.size),
    }


def _mlp(shape: Shape, layer: Layer, random: np.random.Generator) -> dict[str, np.ndarray]:
    """A layer's MLP: neurons that are told, and idle ones."""
    neurons = layer.neurons
    assert len(neurons) <= shape.neurons, f"{len(neurons)} neurons are told"
    pre, post = (
        np.zeros((shape.layout.size, shape.neurons)),
        np.zeros((shape.neurons, shape.layout.size)),
    )
    bias = np.zeros(shape.neurons)
    order = _order(layer.neuron_order, shape.neurons, random)
    for at, neuron in zip(order, neurons, strict=False):
        _put(pre[:, at], neuron.reads)
        _put(post[at], neuron.writes)
        bias[at] = neuron.bias
    read = [at for block in shape.reads for at in shape.layout[block]]
    spare = list(shape.layout[shape.spare])
    idle = order[len(neurons) :]
    into, out = shape.idle.neurons(len(read), len(idle), len(spare), random)
    pre[np.ix_(read, idle)], post[np.ix_(idle, spare)] = into, out
    return {
        "mlp.W_in": pre,
        "mlp.b_in": bias,
        "mlp.W_out": post,
        "mlp.b_out": np.zeros(shape.layout.size),
    }


def _put(row: np.ndarray, weights: Weights, scale: float = 1.0) -> None:
    for at, weight in weights.items():
        row[at] = scale * weight
