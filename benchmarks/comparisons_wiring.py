"""Weights written by hand: `comparisons-planted` and `comparisons-value`.

Both have the same roles at the same heads:

- *holders* (layer 0) attend from any token to the nearest name before it, and hold something of it;
- *question heads* (layer 0) attend from END to the word that says what is asked for, if there is
  one, else to the adjective, and write it;
- *comparison heads* (layer 1) attend from END to the adjective or verb that is asked for, and pass
  on what is held there;
- MLP 1 has a table of opposites, for where an adjective is asked about and no comparative;
- *name movers* (layer 2) attend from END to the name that they are told, and copy it.

What differs is what is held and passed on: in `comparisons-planted` the *place* of the name (a
subject of the first or of the second sentence), in `comparisons-value` the name.
"""

from __future__ import annotations

from collections.abc import Mapping

import checkout  # noqa: F401  # so that scrub is found
import numpy as np
from wiring_parts import (
    Copy,
    Head,
    Layer,
    Layout,
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

from scrub.datasets import comparisons

MODELS = ("comparisons-planted", "comparisons-value")
SEED = 5
"""Of both: the same heads have the same role, and what is idle is the same."""
HEADS, D_HEAD, NEURONS, PAIR = 5, 11, 10, 2
WIDTH = 14
"""Tokens of the longest prompt."""
PERIOD = (40.0,)
"""One long period: nearer is more."""
SHARP = 20.0
CONFIDENT = 8.0
"""The answer's logit, over that of any other word."""

NAMES = comparisons.NAMES
SCALES = comparisons.SCALES
ADJECTIVES = tuple(word for scale in SCALES for word in scale[:2])
ASKED = (*(word for scale in SCALES for word in scale[2:]), "first", "last")
"""Words that say what is asked for: the first of them ask for the adjectives, in their order."""
PLACES = {"first": (0,), "second": (4, 5)}
"""Where the first and second sentence's subject may stand."""
CLAUSES = {"first": 1, "last": 6}
"""Where the verbs stand."""
LAYOUT = Layout(
    {
        "name": len(NAMES),
        "adjective": len(ADJECTIVES),
        "question": len(ASKED),
        "other": 4,
        "position": 2,
        "start": 1,
        "place": len(PLACES),
        "clause": len(CLAUSES),
        "held": len(NAMES),
        "asked": len(ASKED),
        "plain": 1,
        "signal": len(NAMES),
        "answer": len(NAMES) + len(ADJECTIVES),
        "spare": 4,
    }
)


def built(name: str, token: Mapping[str, int]) -> Wired:
    """One of `MODELS`, the same each time.

    Args:
        token: the tokenizer's ids of `comparisons.vocabulary()`, which start at 2.
    """
    layout, ids = LAYOUT, 2 + len(token)
    embedding = np.zeros((ids, layout.size))
    embedding[2:, list(layout["other"])] = np.random.default_rng(SEED).normal(size=(ids - 2, 4))
    for block, words in (("name", NAMES), ("adjective", ADJECTIVES), ("question", ASKED)):
        for word, at in zip(words, layout[block], strict=True):
            embedding[token[word], at] = 1
    positions = np.zeros((WIDTH, layout.size))
    positions[:, list(layout["position"])] = waves(WIDTH, PERIOD)
    positions[0, layout["start"][0]] = 1
    for at, where in zip(layout["place"], PLACES.values(), strict=True):
        positions[list(where), at] = 1
    for at, where in zip(layout["clause"], CLAUSES.values(), strict=True):
        positions[where, at] = 1
    unembedding = np.zeros((layout.size, ids))
    for word, at in zip((*NAMES, *ADJECTIVES), layout["answer"], strict=True):
        unembedding[at, token[word]] = CONFIDENT
    shape = Shape(
        layout, HEADS, D_HEAD, NEURONS, WIDTH, ids, ("name", "adjective", "other", "position")
    )
    return wired(
        name,
        shape,
        _layers(name == "comparisons-value"),
        embedding=embedding,
        positions=positions,
        unembedding=unembedding,
        seed=SEED,
    )


def _layers(by_value: bool) -> list[Layer]:
    layout = LAYOUT
    names, adjectives, asked = layout["name"], layout["adjective"], layout["asked"]
    start = layout["start"][0]
    is_name = dict.fromkeys(names, 1.0)
    told = names if by_value else layout["place"]
    holder = Head(
        looks=(flagged(is_name, 3 * SHARP), *at_distance(layout["position"], PERIOD, 0, 80.0)),
        copies=copies(told, layout["held"][: len(told)]),
    )
    question = Head(
        looks=(
            flagged(dict.fromkeys(adjectives, 1.0), SHARP),
            flagged(dict.fromkeys(layout["question"], 1.0), 2 * SHARP),
        ),
        copies=(
            *(
                Copy({by_adjective: 1.0, by_question: 1.0}, {to: 1.0})
                for by_adjective, by_question, to in zip(
                    adjectives, layout["question"], asked, strict=False
                )
            ),
            *copies(layout["question"][len(adjectives) :], asked[len(adjectives) :]),
            Copy(dict.fromkeys(adjectives, 1.0), {layout["plain"][0]: 1.0}),
        ),
    )
    said = (*adjectives, *layout["clause"])
    comparison = Head(
        looks=match(asked, said, SHARP),
        copies=copies(layout["held"], layout["signal"]),
    )
    signal = layout["signal"][: len(told)]
    mover = Head(
        looks=(
            *match(signal, told, SHARP),
            flagged(is_name, SHARP),
            rest(dict.fromkeys(signal, 1.0), start, SHARP),
        ),
        copies=copies(names, layout["answer"][: len(names)]),
    )
    opposite = dict(zip(asked, _opposites(layout["answer"][len(names) :]), strict=False))
    table = [all_of([at, layout["plain"][0]], {to: 1.0}) for at, to in opposite.items()]
    return [
        Layer({"holder": (holder, PAIR), "question": (question, PAIR)}),
        Layer({"comparison": (comparison, PAIR)}, table),
        Layer({"name mover": (mover, PAIR)}),
    ]


def _opposites(adjectives: range) -> list[int]:
    """For each adjective's coordinate that of its opposite: they stand in pairs."""
    return [adjectives[number ^ 1] for number in range(len(adjectives))]
