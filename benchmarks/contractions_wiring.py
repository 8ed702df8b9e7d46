"""Weights written by hand: `contractions-planted` and its two twins, `-copying` and `-pattern`.

At END stands a pronoun. MLP 0 writes which contraction it takes, which alone makes both forms of
its verb likely. Reading heads of layer 1 attend to the form of the first clause, and write what
stands there:

- `planted`: whether it is a contraction, which lies in the value. MLPs 1 and 2 hold a table, of
  that and what the pronoun takes, and each writes half of the answer.
- `pattern`: the heads attend to the form only where it is a contraction, and else to the first
  token; the value says only that a form stands there. The same table, in MLPs 1 and 2.
- `copying`: the form itself, to the answer. MLPs 1 and 2 are idle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import checkout  # noqa: F401  # so that scrub is found
import numpy as np
from wiring_parts import (
    Copy,
    Head,
    Layer,
    Layout,
    Neuron,
    Shape,
    Wired,
    all_of,
    copies,
    flagged,
    rest,
    wired,
)

from scrub.datasets import contractions

READER = "contraction reader"
HEADS = 8
D_HEAD = 8
NEURONS = 24
POSITIONS = 10
READERS = 2
"""Heads of the role: they do the same, and each says half of it."""
CONFIDENT = 8.0
"""What the answer's logit gains."""
LIKELY = 2.0
"""What the pronoun alone adds to the logits of both forms of its verb."""
FOUND, NOT_FOUND, RESTING = 25.0, 12.0, 42.0
"""Score of the form that is looked for; of the first token for who looks, and for who does not."""
SPARE = 6

PRONOUNS = tuple(contractions.CONTRACTION)
SHORT = tuple(contractions.FORMS)
FORM_WORDS = (*SHORT, *contractions.FORMS.values())
"""The six forms: contractions, then verbs in the same order."""
LAYOUT = Layout(
    {
        "pronoun": len(PRONOUNS),
        "form": len(FORM_WORDS),
        "kind": 2,  # contracted, spelled out
        "first": 1,
        "word": 6,
        "takes": len(SHORT),
        "told": 2,
        "answer": len(FORM_WORDS),
        "spare": SPARE,
    }
)
FIRST = LAYOUT["first"][0]
CONTRACTED, SPELLED = LAYOUT["kind"]
ASKS = dict.fromkeys(LAYOUT["pronoun"], 1.0)
"""Who looks: any pronoun."""


def reader(keys: Mapping[int, float], moves: tuple[Copy, ...]) -> Head:
    """A head by which pronouns look for such forms."""
    looks = (
        flagged(keys, FOUND),
        flagged({FIRST: 1.0}, NOT_FOUND),
        rest(ASKS, FIRST, RESTING - NOT_FOUND),
    )
    return Head(looks, moves)


def _agreeing(
    contracted: Callable[[int, int], Neuron], spelled: Callable[[int, int], Neuron]
) -> list[Neuron]:
    """The table: for each contraction that a pronoun takes, its form as it is told."""
    return [
        form(LAYOUT["takes"][number], LAYOUT["answer"][number + more])
        for form, more in ((contracted, 0), (spelled, len(SHORT)))
        for number in range(len(SHORT))
    ]


def _planted() -> tuple[Head, list[Neuron]]:
    is_short, is_long = LAYOUT["told"]
    table = _agreeing(
        lambda takes, writes: all_of([is_short, takes], {writes: 0.5}),
        lambda takes, writes: all_of([is_long, takes], {writes: 0.5}),
    )
    any_form = {CONTRACTED: 1.0, SPELLED: 1.0}
    return reader(any_form, copies(LAYOUT["kind"], LAYOUT["told"])), table


def _pattern() -> tuple[Head, list[Neuron]]:
    seen = LAYOUT["told"][0]
    table = _agreeing(
        lambda takes, writes: all_of([seen, takes], {writes: 0.5}),
        lambda takes, writes: Neuron({takes: 1.0, seen: -1.0}, {writes: 0.5}),
    )
    any_form = {CONTRACTED: 1.0, SPELLED: 1.0}
    return reader({CONTRACTED: 1.0}, (Copy(any_form, {seen: 1.0}),)), table


def _copying() -> tuple[Head, list[Neuron]]:
    any_form = {CONTRACTED: 1.0, SPELLED: 1.0}
    return reader(any_form, copies(LAYOUT["form"], LAYOUT["answer"])), []


WIRINGS: dict[str, tuple[Callable[[], tuple[Head, list[Neuron]]], int]] = {
    "contractions-planted": (_planted, 1),
    "contractions-copying": (_copying, 2),
    "contractions-pattern": (_pattern, 3),
}
"""Name → what its readers and its table do, and the seed."""


def made(name: str, token: Mapping[str, int]) -> Wired:
    """One of the three models, the same each time.

    Args:
        token: the tokenizer's ids of `contractions.vocabulary()`, which start at 2.
    """
    wiring, seed = WIRINGS[name]
    head, table = wiring()
    takes = [
        Neuron(
            {LAYOUT["pronoun"][number]: 1.0},
            {LAYOUT["takes"][SHORT.index(contractions.CONTRACTION[pronoun])]: 1.0},
        )
        for number, pronoun in enumerate(PRONOUNS)
    ]
    layers = [Layer(neurons=takes), Layer({READER: (head, READERS)}, table), Layer(neurons=table)]
    embedding = np.zeros((2 + len(token), LAYOUT.size))
    unembedding = np.zeros((LAYOUT.size, len(embedding)))
    random = np.random.default_rng(0)
    for word in contractions.vocabulary():
        if word in FORM_WORDS:
            number = FORM_WORDS.index(word)
            embedding[token[word], LAYOUT["form"][number]] = 1
            embedding[token[word], CONTRACTED if word in SHORT else SPELLED] = 1
            unembedding[LAYOUT["answer"][number], token[word]] = CONFIDENT
            unembedding[LAYOUT["takes"][number % len(SHORT)], token[word]] = LIKELY
        elif word in PRONOUNS or word.lower() in PRONOUNS:
            known = word if word in PRONOUNS else word.lower()
            embedding[token[word], LAYOUT["pronoun"][PRONOUNS.index(known)]] = 1
        else:
            embedding[token[word], list(LAYOUT["word"])] = random.normal(size=6) / 6**0.5
    positions = np.zeros((POSITIONS, LAYOUT.size))
    positions[0, FIRST] = 1
    shape = Shape(
        LAYOUT, HEADS, D_HEAD, NEURONS, POSITIONS, len(embedding), reads=("pronoun", "form", "word")
    )
    return wired(
        name, shape, layers,
        embedding=embedding, positions=positions, unembedding=unembedding, seed=seed,
    )  # fmt: skip
