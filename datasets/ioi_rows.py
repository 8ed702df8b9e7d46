"""The rows of indirect-object-identification prompts, of the choices that were drawn for them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from attrs import frozen

from scrub.data.dataset import Dataset, pad
from scrub.errors import UserError

from .ioi_text import OBJECTS, PLACES, TEMPLATES
from .ioi_tokens import Pieces

DISTANCES = ("s1_to_io", "io_to_s2", "io_to_end", "s1_to_s2", "s1_to_end", "s2_to_end")


@frozen(eq=False)
class Table:
    """The choices behind the rows; arrays [rows]. Names are indices into the list of names."""

    template: np.ndarray
    io_first: np.ndarray
    io: np.ndarray
    s1: np.ndarray
    s2: np.ndarray
    object: np.ndarray
    place: np.ndarray
    prefix: tuple[tuple[str, ...], ...]


def lowered(text: str) -> str:
    """A text that begins with a small letter."""
    return text[0].lower() + text[1:]


def _paused(template: str, pause: str) -> str:
    """A template with a pause before the clause of {S}, which a comma opens in all of them."""
    before, name, after = template.partition(" {S}")
    clause, comma, joined = before.rpartition(",")
    return f"{clause} {pause}{comma}{joined}{name}{after}" if pause else template


def tokenized(
    name: str, table: Table, people: list[str], pieces: Pieces, pause: str = ""
) -> Dataset:
    """The dataset of these choices, with a pause before the clause of S2."""
    split = [re.split(r"( \{\w+\})", _paused(template, pause)) for template in TEMPLATES]
    rows: list[list[int]] = []
    places: dict[str, list[int]] = {key: [] for key in ("start", "A", "B", "S")}
    for i, template in enumerate(table.template):
        pair = (table.io[i], table.s1[i]) if table.io_first[i] else (table.s1[i], table.io[i])
        words = {" {A}": people[pair[0]], " {B}": people[pair[1]], " {S}": people[table.s2[i]]}
        words |= {" {object}": OBJECTS[table.object[i]], " {place}": PLACES[table.place[i]]}
        texts = [" ".join(table.prefix[i])] if table.prefix[i] else []
        tokens = list(pieces.first(texts[0])) if texts else []
        places["start"].append(len(tokens))
        for k, part in enumerate(split[template]):
            text = f" {words[part]}" if part in words else part
            if k == 0 and texts:
                # A sentence starts after a full stop, and goes on after "So" or "Later,".
                text = f" {text if texts[0].endswith('.') else lowered(text)}"
            if part[2:-1] in places:
                places[part[2:-1]].append(len(tokens))
            tokens += pieces.inside(text) if texts else pieces.first(text)
            texts.append(text)
        if tokens != pieces.tokenizer.encode("".join(texts)):
            raise UserError(
                f"ioi.prompts: {pieces.tokenizer.name} merges tokens across words in "
                f'"{"".join(texts)}", so that names have no token of their own there.'
            )
        rows.append(tokens)
    first, second = np.array(places["A"]), np.array(places["B"])
    s1 = np.where(table.io_first, second, first)
    positions = {
        "start": np.array(places["start"]),
        "io": np.where(table.io_first, first, second),
        "s1": s1,
        "s1+1": s1 + 1,
        "s2": np.array(places["S"]),
        "end": np.array([len(row) for row in rows]) - 1,
    }
    return _dataset(name, table, people, pieces, rows, positions)


def _dataset(
    name: str,
    table: Table,
    people: list[str],
    pieces: Pieces,
    rows: list[list[int]],
    positions: dict[str, np.ndarray],
) -> Dataset:
    spelled = np.array(people, dtype=object)
    tokens = np.array([pieces.inside(f" {person}")[0] for person in people])

    def filled(slot: str, words: Sequence[str], choice: np.ndarray) -> np.ndarray:
        has_slot = np.array([slot in template for template in TEMPLATES])[table.template]
        return np.where(has_slot, np.array(words, dtype=object)[choice], "")

    at = positions
    ends = {distance: distance.split("_to_") for distance in DISTANCES}
    return Dataset(
        name,
        inputs={"tokens": pad(rows, pieces.tokenizer.pad)},
        lengths=at["end"] + 1,
        columns={
            "io": spelled[table.io],
            "s": spelled[table.s1],
            "s2": spelled[table.s2],
            "io_is_first": table.io_first,
            "order": np.where(table.io_first, "ABBA", "BABA"),
            "template": table.template,
            "object": filled("{object}", OBJECTS, table.object),
            "place": filled("{place}", PLACES, table.place),
            "prefix_length": at["start"],
        }
        | {f"{key}_position": at[key] for key in ("io", "s1", "s2", "end")}
        | {distance: at[b] - at[a] for distance, (a, b) in ends.items()},
        positions=at,
        labels={"io": tokens[table.io], "s": tokens[table.s1]},
        pieces=tuple(tuple(pieces.tokenizer.decode(row)) for row in rows),
    )
