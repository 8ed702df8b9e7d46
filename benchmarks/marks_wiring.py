"""Weights written by hand: `marks-shared` and `marks-separate`, which solve three tasks at END.

The residual stream has a block of coordinates for the word, for the sign that is no word, for the
position, for what finders say, for the answer, and some that nobody reads. A finder looks for a
mark and writes its place; a mover looks beside that place and copies the word that stands there to
the answer. Both rest on the row's first token, and write nothing, unless END names a task of
theirs. All weights have noise on top.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import checkout  # noqa: F401  # so that scrub is found
import numpy as np
from attrs import field, frozen
from wiring_idle import Idle, at_once, copying
from wiring_parts import (
    Copy,
    Head,
    Layer,
    Layout,
    Look,
    Place,
    Shape,
    Wired,
    copies,
    rest,
    wired,
)

from scrub.datasets import marks

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
LAYOUT = Layout(
    {
        "word": len(marks.WORDS),
        "sign": len(SIGNS),
        "position": marks.WIDTH,
        **{f"register {number}": len(PLACES) for number in range(REGISTERS)},
        "answer": len(marks.WORDS),
        "spare": SPARE,
    }
)
_SIGN = dict(zip(SIGNS, LAYOUT["sign"], strict=True))
_NOTHING = Look({}, {})


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


def made(name: str, token: Mapping[str, int]) -> Wired:
    """One of `PLANS`, the same each time.

    Args:
        token: the tokenizer's ids of `marks.vocabulary()`, which start at 2.
    """
    random = np.random.default_rng(SEEDS[name])
    orders = [random.permutation(HEADS).tolist() for _ in range(LAYERS)]
    layers = [
        Layer(
            {
                role: (_head(does), PAIR)
                for role, does in PLANS[name].items()
                if does.layer == layer
            },
            head_order=order,
            neuron_order=range(NEURONS),
        )
        for layer, order in enumerate(orders)
    ]
    ids = 2 + len(token)
    embedding, unembedding = np.zeros((ids, LAYOUT.size)), np.zeros((LAYOUT.size, ids))
    for block, texts in (("word", marks.WORDS), ("sign", SIGNS)):
        for text, at in zip(texts, LAYOUT[block], strict=True):
            embedding[token[text], at] = 1
    for word, at in zip(marks.WORDS, LAYOUT["answer"], strict=True):
        unembedding[at, token[word]] = CONFIDENT
    idle = Idle(copying(_words()), at_once)
    reads = ("word", "sign", "position")
    return wired(
        name,
        Shape(LAYOUT, HEADS, D_HEAD, NEURONS, marks.WIDTH, ids, reads, idle=idle),
        layers,
        embedding=embedding,
        positions=np.eye(marks.WIDTH, LAYOUT.size, LAYOUT["position"].start),
        unembedding=unembedding,
        seed=random,
        noise=NOISE,
        noisy_first=("embed.W_E", "unembed.W_U", "pos_embed.W_pos"),
    )


def circuit(model: Wired, task: str) -> dict[str, Sequence[Place]]:
    """The roles that solve a task, in the model's order."""
    plan = PLANS[model.name]
    return {role: heads for role, heads in model.roles.items() if task in plan[role].tasks}


def _head(role: Role) -> Head:
    """What a role looks for and copies; its last look is to rest."""
    tasks = [_SIGN[task] for task in role.tasks]
    resting = rest(dict.fromkeys(tasks, 1.0), _SIGN[marks.START], RESTING)
    position = LAYOUT["position"]
    if isinstance(role, Finder):
        looks = [Look(dict.fromkeys(tasks, SHARPNESS), {_SIGN[role.mark]: 1.0})]
        places = [position[place] for place in PLACES]
        moves = copies(places, LAYOUT[f"register {role.register}"])
    else:
        said = [LAYOUT[f"register {register}"] for register in role.registers]
        looks = [
            Look(dict.fromkeys(told, SHARPNESS), {position[place + role.beside]: 1.0})
            for place, *told in zip(PLACES, *said, strict=True)
        ]
        moves = tuple(
            Copy(
                dict(zip(LAYOUT["word"], column, strict=True)),
                dict(zip(LAYOUT["answer"], column, strict=True)),
            )
            for column in _words().T.tolist()
        )
    between = [_NOTHING] * (D_HEAD - 1 - len(looks))
    return Head((*looks, *between, resting), moves)


def _words() -> np.ndarray:
    """Orthonormal coordinates of words, less their mean (Helmert's): [words, D_HEAD]."""
    basis = np.zeros((len(marks.WORDS), D_HEAD))
    for number in range(D_HEAD):
        basis[: number + 1, number] = 1
        basis[number + 1, number] = -(number + 1)
    return basis / np.linalg.norm(basis, axis=0)
