"""The choices behind prompts that compare, and how they become tokens."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
from attrs import evolve, frozen

from scrub.data.dataset import Dataset, Tokenizer
from scrub.errors import Problems

from .ioi_draws import fresh_numbers, uniform_numbers
from .ioi_tokens import Pieces

NAMES = ("Ann", "Bob", "Jane", "Kate", "Mark", "Paul")
SCALES = (
    ("tall", "short", "taller", "shorter"),
    ("old", "young", "older", "younger"),
    ("fast", "slow", "faster", "slower"),
    ("strong", "weak", "stronger", "weaker"),
)
"""Two adjectives that are opposites, and their comparatives."""
VERBS = ("met", "called", "thanked", "helped", "saw", "asked")
FRAMES = {
    "antonyms": "The opposite of {word1} is",
    "adjectives": "{name1} is {word1} . {name2} is {word2} . The {question} one is",
    "acts": "{name1} {word1} {object1} . Then {name2} {word2} {object2} . "
    "The {question} to act was",
}


@frozen(eq=False)
class Words:
    """What prompts are made of: all of it is one token each.

    Attributes:
        left_out: of what is not, as the end of the dataset's name; "" where nothing is left out.
    """

    pieces: Pieces
    names: Sequence[str]
    scales: Sequence[tuple[str, str, str, str]]
    verbs: Sequence[str]
    left_out: str


@frozen(eq=False)
class Table:
    """One entry a row, [rows].

    Attributes:
        name1, name2: indices into the names.
        scale, verb1, verb2: indices into the scales and verbs.
        positive: whether the first adjective is the scale's first.
        asks_positive: whether the question asks for the scale's first; of acts, for the first.
    """

    name1: np.ndarray
    name2: np.ndarray
    scale: np.ndarray
    verb1: np.ndarray
    verb2: np.ndarray
    positive: np.ndarray
    asks_positive: np.ndarray


def usable(tokenizer: Tokenizer, names: Sequence[str], kind: str, changes: Iterable[str]) -> Words:
    """The words that are one token, and that this token spells.

    Raises:
        UserError: there are too few of a sort; with the words that are left out, each with why.
    """
    pieces = Pieces(tokenizer)
    problems = Problems()
    fresh = {"name1", "name2"} & set(changes)
    needed = {
        "names": 0 if kind == "antonyms" else 3 if fresh else 2,
        "scales": 0 if kind == "acts" else 2 if "scale" in changes else 1,
        "verbs": (4 if "verbs" in changes else 2) if kind == "acts" else 0,
    }
    choices: dict[str, Sequence[tuple[str, ...]]] = {
        "names": [(name,) for name in names],
        "scales": SCALES,
        "verbs": [(verb,) for verb in VERBS],
    }
    kept: dict[str, list[tuple[str, ...]]] = {sort: [] for sort in choices}
    lacking: list[str] = []
    for sort, several in choices.items():
        if not needed[sort]:
            continue
        dropped = []
        for words in several:
            if reasons := [why for word in words if (why := _unfit(pieces, word))]:
                dropped += reasons
                lacking.append("/".join(words[:2]))
            else:
                kept[sort].append(words)
        if len(kept[sort]) < needed[sort]:
            left_out = f"Left out: {', '.join(dropped)}." if dropped else "Give more."
            problems.add(
                f"comparisons.prompts: {len(kept[sort])} of {len(several)} {sort} are made of "
                f"words that are one token in {tokenizer.name}; these prompts need {needed[sort]}.",
                left_out,
            )
    problems.refuse()
    return Words(
        pieces,
        [name for (name,) in kept["names"]],
        kept["scales"],  # type: ignore[arg-type]
        [verb for (verb,) in kept["verbs"]],
        f", without {', '.join(lacking)}" if lacking else "",
    )


def drawn(n: int, seed: int, words: Words) -> Table:
    """Random choices, uniform and independent; entry i does not depend on n."""

    def uniform(purpose: str) -> np.ndarray:
        return uniform_numbers(seed, f"comparisons {purpose}", n)

    name1, verb1 = (
        fresh_numbers(max(len(several), 1), uniform(f"{sort} 1"))
        for sort, several in (("name", words.names), ("verb", words.verbs))
    )
    name2, verb2 = (
        fresh_numbers(len(several), uniform(f"{sort} 2"), first) if several else first
        for sort, several, first in (("name", words.names, name1), ("verb", words.verbs, verb1))
    )
    return Table(
        name1=name1,
        name2=name2,
        scale=fresh_numbers(max(len(words.scales), 1), uniform("scale")),
        verb1=verb1,
        verb2=verb2,
        positive=uniform("positive") < 0.5,
        asks_positive=uniform("question") < 0.5,
    )


def flipped(table: Table, what: str, kind: str, words: Words, seed: int, depth: int) -> Table:
    """The table with one thing changed."""
    names = {"name1": table.name2, "name2": table.name1}
    verbs = {"verb1": table.verb2, "verb2": table.verb1}

    def uniform(part: str = "") -> np.ndarray:
        purpose = f"comparisons change {depth} {what}{part}"
        return uniform_numbers(seed, purpose, len(table.name1))

    match what:
        case "names":
            return evolve(table, **names)
        case "adjectives":
            return evolve(table, positive=~table.positive)
        case "order":
            return evolve(table, **names, **verbs, positive=~table.positive)
        case "question":
            return evolve(table, asks_positive=~table.asks_positive)
        case "scale":
            return evolve(table, scale=fresh_numbers(len(words.scales), uniform(), table.scale))
        case "verbs":
            taken = [table.verb1, table.verb2]
            taken.append(fresh_numbers(len(words.verbs), uniform(" 1"), *taken))
            second = fresh_numbers(len(words.verbs), uniform(" 2"), *taken)
            return evolve(table, verb1=taken[-1], verb2=second)
    fresh = fresh_numbers(len(words.names), uniform(), table.name1, table.name2)
    return evolve(table, **{what: fresh})


def tokenized(name: str, kind: str, table: Table, words: Words, tokenizer: Tokenizer) -> Dataset:
    """The prompts with their columns, positions and labels."""
    columns = _columns(kind, table, words)
    parts = FRAMES[kind].split()
    pieces = [words.pieces.inside(part if part == "." else f" {part}") for part in parts]
    at, starts = 0, {}
    ids: list[np.ndarray] = []
    n = len(table.name1)
    for part, fixed in zip(parts, pieces, strict=True):
        slot = re.fullmatch(r"\{(\w+)\}", part)
        if slot:
            starts[slot[1]] = at
            texts = columns[{"object1": "name2", "object2": "name1"}.get(slot[1], slot[1])]
            found = np.array([words.pieces.inside(f" {text}")[0] for text in texts])[:, None]
        else:
            found = np.tile(fixed, (n, 1))
        ids.append(found)
        at += found.shape[1]
    positions = {slot: np.full(n, start) for slot, start in starts.items()}
    positions["end"] = np.full(n, at - 1)
    if kind != "antonyms":
        first = columns["order"] == "first"
        for right, wrong, sort in (("answer", "wrong", "name"), ("asked", "other", "word")):
            one, two = positions[f"{sort}1"], positions[f"{sort}2"]
            positions[right], positions[wrong] = (
                np.where(first, one, two),
                np.where(first, two, one),
            )
    tokens = np.concatenate(ids, axis=1)
    return Dataset(
        name,
        inputs={"tokens": tokens},
        lengths=np.full(n, at),
        columns=columns,
        positions=positions,
        labels={
            label: np.array([words.pieces.inside(f" {text}")[0] for text in columns[label]])
            for label in ("answer", "wrong")
        },
        pieces=tuple(tuple(tokenizer.decode(row)) for row in tokens.tolist()),
    )


def _columns(kind: str, table: Table, words: Words) -> dict[str, np.ndarray]:
    """The features, which are texts."""
    blank = _texts([""] * len(table.name1))
    columns = dict.fromkeys(
        ("name1", "name2", "word1", "word2", "scale", "question", "answer", "wrong", "order"), blank
    )
    columns = {"kind": _texts([kind] * len(blank)), **columns}
    if kind != "acts":
        scales = [words.scales[scale] for scale in table.scale]
        columns["scale"] = _texts([f"{scale[0]}/{scale[1]}" for scale in scales])
        negative = (~table.positive).astype(int)
        columns["word1"] = _texts(
            [scale[pole] for scale, pole in zip(scales, negative, strict=True)]
        )
        other = _texts([scale[1 - pole] for scale, pole in zip(scales, negative, strict=True)])
        if kind == "antonyms":
            return columns | {"answer": other, "wrong": columns["word1"]}
        columns["word2"] = other
        asks = 2 + (~table.asks_positive).astype(int)
        columns["question"] = _texts(
            [scale[pole] for scale, pole in zip(scales, asks, strict=True)]
        )
        first = table.positive == table.asks_positive
    else:
        first = table.asks_positive
        columns["question"] = _texts(np.where(first, "first", "last"))
        columns["word1"], columns["word2"] = (
            _texts([words.verbs[int(verb)] for verb in verbs])
            for verbs in (table.verb1, table.verb2)
        )
    one, two = (
        _texts([words.names[int(name)] for name in names]) for names in (table.name1, table.name2)
    )
    return columns | {
        "name1": one,
        "name2": two,
        "order": _texts(np.where(first, "first", "second")),
        "answer": np.where(first, one, two),
        "wrong": np.where(first, two, one),
    }


def _texts(values: Iterable[str]) -> np.ndarray:
    return np.array(list(map(str, values)), dtype=object)


def _unfit(pieces: Pieces, word: str) -> str:
    """Why a word is no token of its own; "" if it is."""
    tokens = pieces.inside(f" {word}")
    if len(tokens) != 1:
        return f"{word} ({len(tokens)} tokens)"
    if pieces.tokenizer.decode(tokens)[0].strip() != word:
        return f"{word} (not in its vocabulary)"
    return ""
