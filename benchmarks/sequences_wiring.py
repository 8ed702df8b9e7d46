"""Weights written by hand: `sequences-planted`, `sequences-separate` and `sequences-offset`.

All say a sequence's next member at END in three steps. A head looks from each member back to the
one before, and the MLP of layer 0 says by how much the sequence goes up or down. A head carries
that to END. A head looks from END to the last member and says what comes after it, if it goes up by
1; where it does not, the MLP of layer 2 puts that right. They differ in what heads look for:
a member of the same kind, whatever stands between (planted, separate), or what stands so many
tokens back (offset); and in whether digits have heads and MLPs of their own (separate, in which
words and months do the same by the heads and MLPs one layer above those of digits).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that the scripts run from a checkout that is not installed

from wiring_parts import (  # noqa: E402
    NOISE,
    Head,
    Layer,
    Layout,
    Neuron,
    Place,
    Shape,
    Wired,
    all_of,
    at_distance,
    copies,
    flagged,
    match,
    rest,
    waves,
    wired,
)

from scrub.datasets import sequences  # noqa: E402

SIZE = len(sequences.KINDS["digits"])
"""Words of each kind."""
SEEDS = {"sequences-planted": 0, "sequences-separate": 1, "sequences-offset": 2}
KINDS = tuple(sequences.KINDS)
GROUPS = {"": ("digits",), " of words": ("words", "months")}
"""What `sequences-separate` has parts of its own for: what the roles are called after, kinds."""
STEPS = (-2, -1, 0, 1, 2)
PERIODS = (32.0, 10.0, 4.0)
"""Tokens after which positions look alike: of the first alone about so far back, of all exactly."""
LONGEST = 26
"""Tokens of the longest row: four items, and two words more in each."""
APART, BACK = 5, 4
"""Tokens from a member to the next, and from the last to END, where no words stand between."""
PAIR = 2
"""Heads of a role: they do the same and add up, each half of what is said."""
NEAR, ALIKE, NOTHING, RESTING = 40.0, 25.0, 52.0, 120.0
"""Scores: for being about so far back; a member of the kind; the first token, which stands apart
(above all that is no member, below each member); and the first token for heads that rest."""
EXACT = 12.0
"""Score for each period: the exact distance has 14 more than any other."""
MARGIN = 0.2
"""Of the last 1 that a neuron reads: what it takes for noise, where it reads the kind, too."""
NOISES = {"sequences-planted": NOISE, "sequences-separate": NOISE / 2, "sequences-offset": NOISE}
"""Less of it where there is a layer more through which it adds up."""
CONFIDENT = 8.0
"""A logit over others, for the right kind and for the right place in it."""

LAYOUT = Layout(
    {
        "value": SIZE,
        "kind": len(KINDS),
        "asks": 1,
        "first": 1,
        "position": 2 * len(PERIODS),
        "previous": SIZE,
        "step": len(STEPS),
        "said": SIZE,
        "spare": 4,
    }
)
VALUE, KIND, SAID, STEP = (LAYOUT[block] for block in ("value", "kind", "said", "step"))
POSITION, ABOUT = LAYOUT["position"], LAYOUT["position"][:2]
(FIRST,), (ASKS,) = LAYOUT["first"], LAYOUT["asks"]


def made(name: str, token: Mapping[str, int]) -> Wired:
    """One of `SEEDS`, the same each time.

    Args:
        token: the tokenizer's ids of `sequences.vocabulary()`.
    """
    ids = 2 + len(token)
    shape = Shape(LAYOUT, 4, SIZE + len(KINDS), 56, LONGEST, ids, ("value", "kind", "position"))
    embedding, unembedding = np.zeros((ids, LAYOUT.size)), np.zeros((LAYOUT.size, ids))
    for number, kind in enumerate(KINDS):
        for place, text in enumerate(sequences.KINDS[kind]):
            embedding[token[text], [VALUE[place], KIND[number]]] = 1
            unembedding[[SAID[place], KIND[number]], token[text]] = CONFIDENT
    embedding[token["in"], ASKS] = 1
    positions = np.zeros((LONGEST, LAYOUT.size))
    positions[:, list(POSITION)] = waves(LONGEST, PERIODS)
    positions[0] = 0
    positions[0, FIRST] = 1
    return wired(
        name,
        shape,
        _layers(name),
        embedding=embedding,
        positions=positions,
        unembedding=unembedding,
        seed=SEEDS[name],
        noise=NOISES[name],
    )


def _layers(name: str) -> list[Layer]:
    """The layers of a model: of `sequences-separate` digits' begin at 0, and words' at 1."""
    if name == "sequences-offset":
        ways = [(_offset(), _differences(), _corrections())]
    elif name == "sequences-separate":
        kinds = [tuple(KIND[KINDS.index(kind)] for kind in own) for own in GROUPS.values()]
        ways = [
            (_similar(own, called), _differences(own), _corrections(own))
            for called, own in zip(GROUPS, kinds, strict=True)
        ]
    else:
        ways = [(_similar(tuple(KIND)), _differences(), _corrections())]
    layers = [Layer() for _ in range(len(ways) + 2)]
    for first, (heads, differences, corrections) in enumerate(ways):
        neurons = (differences, [], corrections)
        for layer, (own, told) in enumerate(zip(heads, neurons, strict=True), first):
            roles = {role: (head, PAIR) for role, head in own.items()}
            layers[layer] = Layer({**layers[layer].roles, **roles}, [*layers[layer].neurons, *told])
    return layers


def _similar(alike: Sequence[int], called: str = "") -> list[dict[str, Head]]:
    """By layer: heads that look for members of kinds, given by their coordinates."""
    is_member = dict.fromkeys(alike, 1.0)
    nothing = flagged({FIRST: 1.0}, NOTHING)
    similar = Head(
        (
            *match(alike, alike, ALIKE),
            *at_distance(ABOUT, PERIODS[:1], APART + 1, NEAR),
            nothing,
            rest(is_member, FIRST, RESTING),
        ),
        copies(VALUE, LAYOUT["previous"]),
    )
    detection = Head(
        (
            flagged(is_member, ALIKE),
            flagged({FIRST: 1.0}, ALIKE / 2),
            rest({ASKS: 1.0}, FIRST, RESTING),
        ),
        copies(STEP, STEP, 1.5),  # two of the three members that it attends to say it
    )
    following = Head(
        (
            flagged(is_member, ALIKE),
            *at_distance(ABOUT, PERIODS[:1], BACK + 1, NEAR),
            nothing,
            rest({ASKS: 1.0}, FIRST, RESTING),
        ),
        _after(),
    )
    return [
        {f"similar type{called}": similar},
        {f"sequence detection{called}": detection},
        {f"next{called}": following},
    ]


def _offset() -> list[dict[str, Head]]:
    """By layer: heads that look exactly so many tokens back."""

    def back(distance: int) -> tuple:
        nothing = flagged({FIRST: 1.0}, EXACT * 2)
        return (*at_distance(POSITION, PERIODS, distance, EXACT), nothing)

    return [
        {"similar type": Head(back(APART), copies(VALUE, LAYOUT["previous"]))},
        {"sequence detection": Head(back(BACK), copies(STEP, STEP))},
        {"next": Head(back(BACK), _after())},
    ]


def _after() -> tuple:
    """Says what comes after the value that it reads, the first after the last; and its kind."""
    further = [*SAID[1:], SAID[0]]
    return (*copies(VALUE, further), *copies(KIND, KIND))


def _differences(kinds: Sequence[int] = ()) -> list[Neuron]:
    """Whether the value is so much more than the one before; of all kinds, or of these alone."""
    return [
        _of(kinds, [VALUE[after], LAYOUT["previous"][after - step]], {STEP[number]: 1.0})
        for number, step in enumerate(STEPS)
        for after in range(SIZE)
        if 0 <= after - step < SIZE
    ]


def _corrections(kinds: Sequence[int] = ()) -> list[Neuron]:
    """Where the sequence does not go up by 1: another place than that which is said."""
    return [
        _of(kinds, [SAID[(last + 1) % SIZE], STEP[number]], _instead(last, step))
        for number, step in enumerate(STEPS)
        for last in range(SIZE)
        if step != 1 and 0 <= last + step < SIZE
    ]


def _of(kinds: Sequence[int], reads: Sequence[int], writes: Mapping[int, float]) -> Neuron:
    """Writes where all of `reads` are 1, and one of the kinds is.

    With kinds it is silent up to `MARGIN` of the last 1 that it reads: noise adds up over three.
    """
    if not kinds:
        return all_of(reads, writes)
    return Neuron(
        {**dict.fromkeys(reads, 1.0), **dict.fromkeys(kinds, 1.0)},
        {at: weight / (1 - MARGIN) for at, weight in writes.items()},
        -len(reads) - MARGIN,
    )


def _instead(last: int, step: int) -> dict[int, float]:
    return {SAID[(last + 1) % SIZE]: -1.0, SAID[last + step]: 1.0}


def circuit(model: Wired, kind: str) -> tuple[dict[str, tuple[Place, ...]], tuple[int, int]]:
    """The roles, and the layers of the MLPs, that go on with a kind's sequences."""
    if model.name != "sequences-separate":
        return dict(model.roles), (0, 2)
    first, called = next(
        (first, called.strip())
        for first, (called, kinds) in enumerate(GROUPS.items())
        if kind in kinds
    )
    own: dict[str, tuple[Place, ...]] = {
        role: heads
        for role, heads in model.roles.items()
        if (role.endswith(called) if called else not role.endswith("of words"))
    }
    return own, (first, first + 2)
