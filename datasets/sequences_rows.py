"""How the rows of `sequences` become tokens: the words of each kind, and where they stand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import frozen

from scrub.data.dataset import Dataset
from scrub.errors import UserError

from .ioi_tokens import Pieces

KINDS: dict[str, tuple[str, ...]] = {
    "digits": tuple(str(number) for number in range(1, 13)),
    "words": (
        "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
        "twelve",
    ),
    "months": (
        "January", "February", "March", "April", "May", "June", "July", "August", "September",
        "October", "November", "December",
    ),
}  # fmt: skip
SIZE = 12
"""Words of each kind."""
NOUNS = (
    "Bed", "Book", "Box", "Car", "Chair", "Desk", "Hat", "Map", "Pen", "Ring", "Table", "Van",
)  # fmt: skip
FILLERS = ("again", "early", "late", "today")
DONE, IN, STOP = "done", "in", "."
MEMBERS = 3
"""Members of a sequence that a row shows; what comes next is the fourth."""
ITEMS = MEMBERS + 1


@frozen(eq=False)
class Table:
    """The choices behind the rows; numbers count from 0.

    Attributes:
        kind: index into `KINDS`, int64 [rows].
        members: what stands there, index into the kind's words, int64 [rows, MEMBERS].
        next: what comes next, [rows].
        wrong: what would come next in another direction, [rows].
        start: the first member of the sequence, [rows].
        direction: "up", "down" or "repeat", [rows].
        step: by how much, 0 where it repeats, [rows].
        nouns: index into the nouns, [rows, ITEMS].
        fillers: index into `FILLERS` of so many words before each "in", −1 for none,
            [rows, ITEMS, gaps].
    """

    kind: np.ndarray
    members: np.ndarray
    next: np.ndarray
    wrong: np.ndarray
    start: np.ndarray
    direction: np.ndarray
    step: np.ndarray
    nouns: np.ndarray
    fillers: np.ndarray


@frozen(eq=False)
class Words:
    """What a tokenizer knows: token ids.

    Attributes:
        kinds: kind → its tokens, −1 for a word that is not one token, int64 [SIZE].
        first: nouns that start a row, and `nouns`: that stand inside; same order.
        left_out: words that are not one token.
    """

    kinds: dict[str, np.ndarray]
    first: np.ndarray
    nouns: np.ndarray
    noun_texts: tuple[str, ...]
    fillers: np.ndarray
    frame: dict[str, int]
    left_out: tuple[str, ...]


def words_of(pieces: Pieces, kinds: Sequence[str], gaps: int) -> Words:
    """The tokens of what rows hold.

    Args:
        kinds: that are asked for. Of each, `start` is drawn among the words that are one token.

    Raises:
        UserError: a kind has no run of `ITEMS` words that are one token each, there are fewer than
            `ITEMS` nouns, or a word of the frame is more than one token; all at once, by name.
    """
    tokens = {
        kind: np.array([_token(pieces, text) for text in texts]) for kind, texts in KINDS.items()
    }
    nouns = [text for text in NOUNS if _token(pieces, text, first=True) >= 0]
    nouns = [text for text in nouns if _token(pieces, text) >= 0]
    frame = {text: _token(pieces, text) for text in (DONE, IN)} | {STOP: _stop(pieces)}
    fillers = np.array([_token(pieces, text) for text in FILLERS])
    left_out = [
        text
        for kind in kinds
        for text, token in zip(KINDS[kind], tokens[kind], strict=True)
        if token < 0
    ]
    left_out += [noun for noun in NOUNS if noun not in nouns]
    problems = [
        f"{max(_runs(tokens[kind]))} {kind} in a row are one token each, and a sequence has "
        f"{ITEMS}; left out: {_listed(KINDS[kind], tokens[kind])}"
        for kind in kinds
        if max(_runs(tokens[kind])) < ITEMS
    ]
    if len(nouns) < ITEMS:
        rest = ", ".join(noun for noun in NOUNS if noun not in nouns)
        problems.append(
            f"{len(nouns)} nouns are one token, and a row has {ITEMS}; left out: {rest}"
        )
    needed = [*frame] + ([*FILLERS] if gaps else [])
    ids = [*frame.values()] + (fillers.tolist() if gaps else [])
    several = [text for text, at in zip(needed, ids, strict=True) if at < 0]
    if several:
        problems.append(f"{', '.join(several)}: not one token")
    if problems:
        name = pieces.tokenizer.name
        raise UserError(*(f"sequences.prompts: in {name} {problem}." for problem in problems))
    return Words(
        tokens,
        np.array([_token(pieces, noun, first=True) for noun in nouns]),
        np.array([_token(pieces, noun) for noun in nouns]),
        tuple(nouns),
        fillers,
        frame,
        tuple(left_out),
    )


def tokenized(name: str, table: Table, words: Words, pieces: Pieces) -> Dataset:
    """The dataset of these rows."""
    rows = [_row(table, row, words) for row in range(len(table.kind))]
    lengths = np.array([len(ids) for ids, _, _ in rows])
    ids = np.full((len(rows), lengths.max()), pieces.tokenizer.pad)
    for row, (tokens, _, _) in enumerate(rows):
        ids[row, : len(tokens)] = tokens
    members, nouns = (np.array([row[which] for row in rows]) for which in (1, 2))
    positions = {f"member{at + 1}": members[:, at] for at in range(MEMBERS)}
    positions |= {f"noun{at + 1}": nouns[:, at] for at in range(ITEMS)}
    spelled = np.array([*KINDS.values()], dtype=object)
    known = np.stack([words.kinds[kind] for kind in KINDS])
    return Dataset(
        f"{name}, without {', '.join(words.left_out)}" if words.left_out else name,
        inputs={"tokens": ids},
        lengths=lengths,
        columns={
            "kind": np.array([*KINDS], dtype=object)[table.kind],
            "start": spelled[table.kind, table.start],
            "direction": table.direction,
            "step": table.step,
        },
        positions={**positions, "end": lengths - 1},
        labels={
            "next": known[table.kind, table.next],
            "last": known[table.kind, table.members[:, -1]],
            "wrong": known[table.kind, table.wrong],
        },
        pieces=tuple(tuple(pieces.tokenizer.decode(tokens)) for tokens, _, _ in rows),
    )


def _row(table: Table, row: int, words: Words) -> tuple[list[int], list[int], list[int]]:
    """Tokens, where the members stand, and where the nouns do."""
    members = words.kinds[[*KINDS][table.kind[row]]][table.members[row]]
    tokens: list[int] = []
    at_members, at_nouns = [], []
    for item, noun in enumerate(table.nouns[row]):
        at_nouns.append(len(tokens))
        tokens.append(int((words.nouns if item else words.first)[noun]))
        between = [words.fillers[filler] for filler in table.fillers[row, item] if filler >= 0]
        tokens += [words.frame[DONE], *map(int, between), words.frame[IN]]
        if item < MEMBERS:
            at_members.append(len(tokens))
            tokens += [int(members[item]), words.frame[STOP]]
    return tokens, at_members, at_nouns


def _token(pieces: Pieces, text: str, *, first: bool = False) -> int:
    """Its token, −1 where it is not one of its own."""
    ids = pieces.first(text) if first else pieces.inside(f" {text}")
    if len(ids) != 1 or pieces.tokenizer.decode(ids)[0].strip() != text:
        return -1
    return ids[0]


def _stop(pieces: Pieces) -> int:
    ids = pieces.inside(STOP)
    return ids[0] if len(ids) == 1 and pieces.tokenizer.decode(ids)[0].strip() == STOP else -1


def _runs(tokens: np.ndarray) -> list[int]:
    """How many words that are one token end at each word, in a row."""
    found = []
    for token in tokens:
        found.append((found[-1] if found else 0) + 1 if token >= 0 else 0)
    return found


def _listed(texts: Sequence[str], tokens: np.ndarray) -> str:
    return ", ".join(text for text, token in zip(texts, tokens, strict=True) if token < 0)
