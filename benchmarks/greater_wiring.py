"""Weights written by hand: `greater-planted` and `greater-century`, which compare years at END.

The residual stream has a block of coordinates for the pair of digits that a token is (a place on a
circle for its tens and one for its units), for the position, for which of "from" and "to" a token
is, for what heads bring to END, and for the answer (its tens and its units). Relation heads bring
to END what stands before the second year, start-year heads the digits of YY, or of the century. The
MLP of layer 1 then favours tens, and that of layer 2 units, by a neuron for each that may come. All
weights have noise on top.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from attrs import frozen
from torch import Tensor

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that the scripts run from a checkout that is not installed

from scrub.datasets import greater_than  # noqa: E402
from scrub.hypothesis.sites import Head  # noqa: E402

LAYERS, HEADS, D_HEAD, NEURONS = 3, 6, 4, 24
WIDTH = 12
"""Tokens of a prompt: "The war lasted from the year 17 32 to the year 17"."""
CENTURY1, YY, SECOND, END = 6, 7, 8, 11
"""Positions; `SECOND` is that of "to", or "from" where less is asked for."""
PAIR = 2
"""Heads of a role: they do the same and add up, each half of what is said."""
SHARPNESS = 12.0
"""Score of what is looked for over all others: all of them together get e⁻¹² · 11 < 0.01%."""
RESTING = 18.0
"""Score of the first token from everywhere but END."""
GATE = 2.0
"""What a neuron of the other relation gets less, twice over: more than the 1 of its own match."""
NOISE = 0.003
"""Standard deviation of what is added to each weight."""
CONFIDENT = 5.0
"""Logit of right units over none; wrong ones get as much less."""
TENS = 3.0
"""How much more tens count than units: more than the 2 between right and wrong units."""
NO_YEAR = -14.0
"""Bias of tokens that are no pair of digits: below all that are right."""
WORDS, SPARE = 8, 6

_BLOCKS = {
    "digits": 4, "word": WORDS, "from or to": 1, "position": WIDTH, "brought": 4, "relation": 1,
    "answer": 20, "spare": SPARE,
}  # fmt: skip
D_MODEL = sum(_BLOCKS.values())

ROLES = {"relation": 0, "start year": 1}
"""The layer of each role."""
MODELS = ("greater-planted", "greater-century")
_SEEDS = {"greater-planted": 0, "greater-century": 1}
_READS = {"greater-planted": YY, "greater-century": CENTURY1}
_STEP = np.cos(np.pi / 5)
"""Cosine between two digits that are next to each other on the circle."""


@frozen(eq=False)
class Wired:
    """A model.

    Attributes:
        roles: two heads (layer, head) each.
        state: its weights, by TransformerLens' names, float32.
    """

    name: str
    roles: Mapping[str, tuple[Head, ...]]
    state: Mapping[str, Tensor]


def wired(name: str, token: Mapping[str, int]) -> Wired:
    """One of `MODELS`, the same each time.

    Args:
        token: the tokenizer's ids of `greater_than.vocabulary()`, which start at 2.
    """
    random = np.random.default_rng(_SEEDS[name])
    roles: dict[str, tuple[Head, ...]] = {}
    for role, layer in ROLES.items():
        pair = sorted(random.permutation(HEADS)[:PAIR].tolist())
        roles[role] = tuple((layer, head) for head in pair)
    ids = 2 + len(token)
    embed, unembed = np.zeros((ids, D_MODEL)), np.zeros((D_MODEL, ids))
    bias = np.full(ids, NO_YEAR)
    tens, units = np.split(np.array(_at("answer")), 2)
    for text, number in token.items():
        if text.isdigit():
            embed[number, _at("digits")] = _code(int(text))
            unembed[tens[int(text) // 10], number] = CONFIDENT
            unembed[units[int(text) % 10], number] = CONFIDENT
            bias[number] = 0
        else:
            embed[number, _at("word")] = random.normal(size=WORDS) / np.sqrt(WORDS)
    embed[token["to"], _at("from or to")] = 1
    embed[token["from"], _at("from or to")] = -1
    state: dict[str, np.ndarray] = {
        "embed.W_E": embed,
        "unembed.W_U": unembed,
        "unembed.b_U": bias,
        "pos_embed.W_pos": np.eye(WIDTH, D_MODEL, _at("position")[0]),
    }
    for layer in range(LAYERS):
        of = {head: role for role in roles for at, head in roles[role] if at == layer}
        parts = _attention(of, _READS[name], random) | _mlp(name, layer, random)
        state |= {f"blocks.{layer}.{part}": weights for part, weights in parts.items()}
    return Wired(name, roles, {part: _noisy(weights, random) for part, weights in state.items()})


def config(token: Mapping[str, int]) -> dict[str, object]:
    """What config.json says."""
    return {
        "format": "transformer_lens_state_dict",
        "n_layers": LAYERS,
        "d_model": D_MODEL,
        "n_heads": HEADS,
        "d_head": D_HEAD,
        "d_mlp": NEURONS,
        "n_ctx": WIDTH,
        "d_vocab": 2 + len(token),
        "d_vocab_out": 2 + len(token),
        "act_fn": "relu",
        "normalization_type": None,
        "positional_embedding_type": "standard",
        "attention_dir": "causal",
        "attn_scale": 1.0,
    }


def _at(block: str) -> list[int]:
    """The coordinates of a block."""
    names = list(_BLOCKS)
    start = sum(_BLOCKS[name] for name in names[: names.index(block)])
    return list(range(start, start + _BLOCKS[block]))


def _circle(digit: int) -> np.ndarray:
    angle = 2 * np.pi * digit / 10
    return np.array([np.cos(angle), np.sin(angle)])


def _code(digits: int) -> np.ndarray:
    """The places of tens and units on their circles, [4]."""
    return np.concatenate([_circle(digits // 10), _circle(digits % 10)])


def _noisy(weights: np.ndarray, random: np.random.Generator) -> Tensor:
    noise = NOISE * random.standard_normal(weights.shape)
    return torch.tensor(weights + noise, dtype=torch.float32)


def _attention(
    of: Mapping[int, str], start_year: int, random: np.random.Generator
) -> dict[str, np.ndarray]:
    """A layer's attention: heads with a role, and others.

    Args:
        of: head → role.
        start_year: the position that start-year heads read.
    """
    shape = (HEADS, D_MODEL, D_HEAD)
    query, key, value = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    bias, output = np.zeros((HEADS, D_HEAD)), np.zeros((HEADS, D_HEAD, D_MODEL))
    position = _at("position")
    moves = {
        "relation": (SECOND, "from or to", "relation"),
        "start year": (start_year, "digits", "brought"),
    }
    for head in range(HEADS):
        if head not in of:
            _idle_head(head, query, key, value, output, random)
            continue
        where, read, write = moves[of[head]]
        bias[head, 1] = RESTING
        key[head, position[0], 1] = 1
        query[head, position[END], :2] = SHARPNESS, -RESTING
        key[head, position[where], 0] = 1
        size = _BLOCKS[read]
        value[head, _at(read), range(size)] = 1
        output[head, range(size), _at(write)] = 1 / PAIR
    return {
        "attn.W_Q": query,
        "attn.W_K": key,
        "attn.W_V": value,
        "attn.W_O": output,
        "attn.b_Q": bias,
        "attn.b_K": np.zeros_like(bias),
        "attn.b_V": np.zeros_like(bias),
        "attn.b_O": np.zeros(D_MODEL),
    }


def _idle_head(
    head: int,
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    output: np.ndarray,
    random: np.random.Generator,
) -> None:
    """Attends by some rule and copies digits to where nobody reads them."""
    read = _at("digits") + _at("word") + _at("position")
    query[head, read] = random.normal(size=(len(read), D_HEAD))
    key[head, read] = random.normal(size=(len(read), D_HEAD))
    value[head, _at("digits")] = np.eye(4)
    output[head][:, _at("spare")] = 0.3 * random.normal(size=(D_HEAD, SPARE))


def _mlp(name: str, layer: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    """A layer's MLP: in layer 1 a neuron for each tens, in layer 2 for each units, or century.

    Neurons of `greater-century` know where the years of a century end (greater) and begin (less)
    where century and YY are tied.
    """
    pre, post = np.zeros((D_MODEL, NEURONS)), np.zeros((NEURONS, D_MODEL))
    bias = np.zeros(NEURONS)
    used = 0
    for sign in (1, -1) if layer else ():
        for neuron, (reads, bound) in enumerate(_bounds(name, layer, sign), start=used):
            brought = _at("brought")[:2] if reads[0] == "tens" else _at("brought")[2:]
            pre[brought, neuron] = _circle(reads[1]) / (1 - _STEP)
            pre[_at("relation"), neuron] = sign * GATE
            bias[neuron] = -_STEP / (1 - _STEP) - GATE
            post[neuron, _at("answer")] = _favours(layer, sign, bound)
        used += len(_bounds(name, layer, sign))
    read = _at("digits") + _at("word") + _at("position")
    idle = NEURONS - used
    pre[read, used:] = random.normal(size=(len(read), idle))
    post[used:, _at("spare")] = 0.3 * random.normal(size=(idle, SPARE))
    return {"mlp.W_in": pre, "mlp.b_in": bias, "mlp.W_out": post, "mlp.b_out": np.zeros(D_MODEL)}


def _bounds(name: str, layer: int, sign: int) -> list[tuple[tuple[str, int], int]]:
    """Of each neuron the digit that it fires for, and the one that it compares answers with."""
    part = "tens" if layer == 1 else "units"
    if name == "greater-planted":
        return [((part, digit), digit) for digit in range(10)]
    found = []
    for place, century in enumerate(greater_than.CENTURIES):
        first = 2 + 14 * place
        year = min(first + 13, 98) if sign == 1 else first
        found.append((("units", century % 10), year // 10 if layer == 1 else year % 10))
    return found


def _favours(layer: int, sign: int, bound: int) -> np.ndarray:
    """What a neuron writes to the answer: more for digits beyond the bound, [20]."""
    digits = sign * (np.arange(10) - bound)
    if layer == 1:
        return np.concatenate([TENS * np.sign(digits), np.zeros(10)])
    return np.concatenate([np.zeros(10), np.where(digits > 0, 1.0, -1.0)])
