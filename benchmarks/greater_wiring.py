"""Weights written by hand: `greater-planted` and `greater-century`, which compare years at END.

The residual stream has a block of coordinates for the pair of digits that a token is (a place on a
circle for its tens and one for its units), for the position, for which of "from" and "to" a token
is, for what heads bring to END, and for the answer (its tens and its units). Relation heads bring
to END what stands before the second year, start-year heads the digits of YY, or of the century. The
MLP of layer 1 then favours tens, and that of layer 2 units, by a neuron for each that may come. All
weights have noise on top.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import checkout  # noqa: F401  # so that scrub is found
import numpy as np
from wiring_idle import Idle, at_once, copying
from wiring_parts import Head, Layer, Layout, Look, Neuron, Shape, Wired, copies, rest, wired

from scrub.datasets import greater_than

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

LAYOUT = Layout(
    {
        "digits": 4,
        "word": WORDS,
        "from or to": 1,
        "position": WIDTH,
        "brought": 4,
        "relation": 1,
        "answer": 20,
        "spare": SPARE,
    }
)
_ANSWER = LAYOUT["answer"]
_POSITION = LAYOUT["position"]

ROLES = {"relation": 0, "start year": 1}
"""The layer of each role."""
MODELS = ("greater-planted", "greater-century")
_SEEDS = {"greater-planted": 0, "greater-century": 1}
_READS = {"greater-planted": YY, "greater-century": CENTURY1}
_STEP = np.cos(np.pi / 5)
"""Cosine between two digits that are next to each other on the circle."""


def made(name: str, token: Mapping[str, int]) -> Wired:
    """One of `MODELS`, the same each time.

    Args:
        token: the tokenizer's ids of `greater_than.vocabulary()`, which start at 2.
    """
    random = np.random.default_rng(_SEEDS[name])
    orders = [random.permutation(HEADS).tolist() for _ in ROLES]
    ids = 2 + len(token)
    embedding, unembedding = np.zeros((ids, LAYOUT.size)), np.zeros((LAYOUT.size, ids))
    bias = np.full(ids, NO_YEAR)
    for text, number in token.items():
        if text.isdigit():
            embedding[number, list(LAYOUT["digits"])] = _code(int(text))
            unembedding[_ANSWER[int(text) // 10], number] = CONFIDENT
            unembedding[_ANSWER[10 + int(text) % 10], number] = CONFIDENT
            bias[number] = 0
        else:
            drawn = random.normal(size=WORDS) / np.sqrt(WORDS)
            embedding[number, list(LAYOUT["word"])] = drawn
    embedding[token["to"], LAYOUT["from or to"][0]] = 1
    embedding[token["from"], LAYOUT["from or to"][0]] = -1
    moves = {"relation": _moves(SECOND, "from or to", "relation")}
    moves["start year"] = _moves(_READS[name], "digits", "brought")
    layers = [
        Layer(
            {role: (moves[role], PAIR) for role, at in ROLES.items() if at == layer},
            list(_neurons(name, layer)),
            head_order=orders[layer] if layer < len(orders) else range(HEADS),
            neuron_order=range(NEURONS),
        )
        for layer in range(LAYERS)
    ]
    idle = Idle(copying(np.eye(len(LAYOUT["digits"]), D_HEAD)), at_once)
    reads = ("digits", "word", "position")
    return wired(
        name,
        Shape(LAYOUT, HEADS, D_HEAD, NEURONS, WIDTH, ids, reads, idle=idle),
        layers,
        embedding=embedding,
        positions=np.eye(WIDTH, LAYOUT.size, _POSITION[0]),
        unembedding=unembedding,
        seed=random,
        bias=bias,
        noise=NOISE,
        noisy_first=("embed.W_E", "unembed.W_U", "unembed.b_U", "pos_embed.W_pos"),
    )


def _moves(where: int, read: str, write: str) -> Head:
    """From END looks at a position and moves a block; from elsewhere rests."""
    asks, first = _POSITION[END], _POSITION[0]
    looks = (
        Look({asks: SHARPNESS}, {_POSITION[where]: 1.0}),
        rest({asks: 1.0}, first, RESTING),
    )
    return Head(looks, copies(LAYOUT[read], LAYOUT[write]))


def _circle(digit: int) -> np.ndarray:
    angle = 2 * np.pi * digit / 10
    return np.array([np.cos(angle), np.sin(angle)])


def _code(digits: int) -> np.ndarray:
    """The places of tens and units on their circles, [4]."""
    return np.concatenate([_circle(digits // 10), _circle(digits % 10)])


def _neurons(name: str, layer: int) -> Iterator[Neuron]:
    """In layer 1 a neuron for each tens, in layer 2 for each units, or century.

    Neurons of `greater-century` know where the years of a century end (greater) and begin (less)
    where century and YY are tied.
    """
    for sign in (1, -1) if layer else ():
        for (part, digit), bound in _bounds(name, layer, sign):
            brought = LAYOUT["brought"][:2] if part == "tens" else LAYOUT["brought"][2:]
            reads = dict(zip(brought, _circle(digit) / (1 - _STEP), strict=True))
            yield Neuron(
                reads | {LAYOUT["relation"][0]: sign * GATE},
                dict(zip(_ANSWER, _favours(layer, sign, bound), strict=True)),
                -_STEP / (1 - _STEP) - GATE,
            )


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
