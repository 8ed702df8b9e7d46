"""Weights written by hand: `marks-shared` and `marks-separate`, which solve three tasks at END.

The residual stream has a block of coordinates for the word, for the sign that is no word, for the
position, for what finders say, for the answer, and some that nobody reads. A finder looks for a
mark and writes its place; a mover looks beside that place and copies the word that stands there to
the answer. Both rest on the row's first token, and write nothing, unless END names a task of
theirs. All weights have noise on top.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from attrs import field, frozen
from torch import Tensor

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that the scripts run from a checkout that is not installed

from scrub.datasets import marks  # noqa: E402
from scrub.hypothesis.sites import Head  # noqa: E402

HEADS = 16
LAYERS = 2
PAIR = 2
"""Heads of a role: they do the same and add up, each half of what is said."""
SHARPNESS = 9.0
"""Score of what is looked for over all others: all of them together get e⁻⁹ · 12 ≈ 0.1%."""
RESTING = 18.0
"""Score of the first token for a head that rests: above that of what it would look for."""
NOISE = 0.005
"""Standard deviation of what is added to each weight."""
CONFIDENT = 8.0
"""The answer's logit over that of any other word."""
SPARE = 6
NEURONS = 8

SIGNS = (marks.START, marks.COMMA, marks.STAR, marks.HASH, *marks.TASKS)
PLACES = range(2, marks.WIDTH - 1, 2)
"""Positions at which a mark may stand."""
REGISTERS = 3
D_HEAD = len(marks.WORDS) - 1
"""What words take less their mean; places and a coordinate to rest by take one less."""
_BLOCKS = {
    "word": len(marks.WORDS),
    "sign": len(SIGNS),
    "position": marks.WIDTH,
    **{f"register {number}": len(PLACES) for number in range(REGISTERS)},
    "answer": len(marks.WORDS),
    "spare": SPARE,
}
D_MODEL = sum(_BLOCKS.values())


@frozen
class Finder:
    """Looks for a mark, in these tasks, and writes its place to a register."""

    tasks: str
    mark: str
    register: int
    layer: int = field(default=0, init=False)


@frozen
class Mover:
    """Copies the word so far from the place that registers name, in these tasks, to the answer."""

    tasks: str
    beside: int
    registers: tuple[int, ...]
    layer: int = field(default=1, init=False)


Role = Finder | Mover

PLANS: dict[str, dict[str, Role]] = {
    "marks-shared": {
        "star finder": Finder("ab", marks.STAR, 0),
        "hash finder": Finder("c", marks.HASH, 1),
        "after mover": Mover("a", 1, (0,)),
        "before mover": Mover("bc", -1, (0, 1)),
    },
    "marks-separate": {
        "finder of a": Finder("a", marks.STAR, 0),
        "finder of b": Finder("b", marks.STAR, 1),
        "finder of c": Finder("c", marks.HASH, 2),
        "mover of a": Mover("a", 1, (0,)),
        "mover of b": Mover("b", -1, (1,)),
        "mover of c": Mover("c", -1, (2,)),
    },
}
"""The roles of both models."""
SEEDS = {"marks-shared": 0, "marks-separate": 1}


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

    def circuit(self, task: str) -> dict[str, tuple[Head, ...]]:
        """The roles that solve a task, in the model's order."""
        plan = PLANS[self.name]
        return {role: heads for role, heads in self.roles.items() if task in plan[role].tasks}


def wired(name: str, token: Mapping[str, int]) -> Wired:
    """One of `PLANS`, the same each time.

    Args:
        token: the tokenizer's ids of `marks.vocabulary()`, which start at 2.
    """
    random = np.random.default_rng(SEEDS[name])
    plan = PLANS[name]
    roles: dict[str, tuple[Head, ...]] = {}
    for layer in range(LAYERS):
        order = random.permutation(HEADS)
        mine = [role for role in plan if plan[role].layer == layer]
        for number, role in enumerate(mine):
            pair = sorted(order[PAIR * number : PAIR * (number + 1)].tolist())
            roles[role] = tuple((layer, head) for head in pair)
    ids = 2 + len(token)
    state: dict[str, np.ndarray] = {
        "embed.W_E": np.zeros((ids, D_MODEL)),
        "unembed.W_U": np.zeros((D_MODEL, ids)),
    }
    for block, texts in (("word", marks.WORDS), ("sign", SIGNS)):
        for text, at in zip(texts, _at(block), strict=True):
            state["embed.W_E"][token[text], at] = 1
    for word, at in zip(marks.WORDS, _at("answer"), strict=True):
        state["unembed.W_U"][at, token[word]] = CONFIDENT
    state["pos_embed.W_pos"] = np.eye(marks.WIDTH, D_MODEL, _at("position").start)
    for layer in range(LAYERS):
        of = {head: plan[role] for role in plan for at, head in roles[role] if at == layer}
        parts = _attention(of, random) | _idle_mlp(random)
        state |= {f"blocks.{layer}.{part}": weights for part, weights in parts.items()}
    state["unembed.b_U"] = np.zeros(ids)
    noisy = {part: _noisy(weights, random) for part, weights in state.items()}
    return Wired(name, roles, noisy)


def config(token: Mapping[str, int]) -> dict[str, object]:
    """What config.json says."""
    return {
        "format": "transformer_lens_state_dict",
        "n_layers": LAYERS,
        "d_model": D_MODEL,
        "n_heads": HEADS,
        "d_head": D_HEAD,
        "d_mlp": NEURONS,
        "n_ctx": marks.WIDTH,
        "d_vocab": 2 + len(token),
        "d_vocab_out": 2 + len(token),
        "act_fn": "relu",
        "normalization_type": None,
        "positional_embedding_type": "standard",
        "attention_dir": "causal",
        "attn_scale": 1.0,
    }


def _at(block: str) -> range:
    """The coordinates of a block."""
    start = 0
    for name, size in _BLOCKS.items():
        if name == block:
            return range(start, start + size)
        start += size
    raise KeyError(block)


def _noisy(weights: np.ndarray, random: np.random.Generator) -> Tensor:
    noise = NOISE * random.standard_normal(weights.shape)
    return torch.tensor(weights + noise, dtype=torch.float32)


def _attention(of: Mapping[int, Role], random: np.random.Generator) -> dict[str, np.ndarray]:
    """A layer's attention: heads with a role, and others."""
    shape = (HEADS, D_MODEL, D_HEAD)
    query, key, value = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    bias, output = np.zeros((HEADS, D_HEAD)), np.zeros((HEADS, D_HEAD, D_MODEL))
    sign = dict(zip(SIGNS, _at("sign"), strict=True))
    for head in range(HEADS):
        role = of.get(head)
        if role is None:
            _idle_head(head, query, key, value, output, random)
            continue
        rests = D_HEAD - 1
        bias[head, rests] = RESTING
        key[head, sign[marks.START], rests] = 1
        for task in role.tasks:
            query[head, sign[task], rests] = -RESTING
        if isinstance(role, Finder):
            key[head, sign[role.mark], 0] = 1
            for task in role.tasks:
                query[head, sign[task], 0] = SHARPNESS
            for number, place in enumerate(PLACES):
                value[head, _at("position")[place], number] = 1
                output[head, number, _at(f"register {role.register}")[number]] = 1 / PAIR
        else:
            for number, place in enumerate(PLACES):
                key[head, _at("position")[place + role.beside], number] = 1
                for register in role.registers:
                    query[head, _at(f"register {register}")[number], number] = SHARPNESS
            words = _words()
            value[head, list(_at("word"))] = words
            output[head][:, list(_at("answer"))] = words.T / PAIR
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


def _words() -> np.ndarray:
    """Orthonormal coordinates of words, less their mean (Helmert's): [words, D_HEAD]."""
    basis = np.zeros((len(marks.WORDS), D_HEAD))
    for number in range(D_HEAD):
        basis[: number + 1, number] = 1
        basis[number + 1, number] = -(number + 1)
    return basis / np.linalg.norm(basis, axis=0)


def _idle_head(
    head: int,
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    output: np.ndarray,
    random: np.random.Generator,
) -> None:
    """Attends by some rule and copies words to where nobody reads them."""
    read = list(_at("word")) + list(_at("sign")) + list(_at("position"))
    query[head, read] = random.normal(size=(len(read), D_HEAD))
    key[head, read] = random.normal(size=(len(read), D_HEAD))
    value[head, list(_at("word"))] = _words()
    output[head][:, list(_at("spare"))] = 0.3 * random.normal(size=(D_HEAD, SPARE))


def _idle_mlp(random: np.random.Generator) -> dict[str, np.ndarray]:
    """Some function of word, sign and position, written where nobody reads it."""
    read = _at("register 0").start
    pre, post = np.zeros((D_MODEL, NEURONS)), np.zeros((NEURONS, D_MODEL))
    pre[:read] = random.normal(size=(read, NEURONS))
    post[:, list(_at("spare"))] = 0.3 * random.normal(size=(NEURONS, SPARE))
    return {
        "mlp.W_in": pre,
        "mlp.b_in": np.zeros(NEURONS),
        "mlp.W_out": post,
        "mlp.b_out": np.zeros(D_MODEL),
    }
