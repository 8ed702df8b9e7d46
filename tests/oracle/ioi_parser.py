"""An independent reader of IOI prompts: what their columns should be, from their text alone."""

from __future__ import annotations

import re
from typing import Any

from scrub.data.dataset import Dataset
from scrub.datasets import ioi


def spelled(data: Dataset, row: int) -> list[str]:
    return [piece.strip() for piece in data.pieces[row]]


def template_of(text: str) -> tuple[int, re.Match[str]]:
    """Which template a text was made from, and what stands in its slots."""
    found = []
    for number, template in enumerate(ioi.TEMPLATES):
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>\\w+)", re.escape(template))
        pattern = f"(?P<prefix>.*?)(?:{pattern})$"
        first = template[0]
        pattern = pattern.replace(f"(?:{first}", f"(?:[{first}{first.lower()}]", 1)
        if match := re.match(pattern, text):
            found.append((number, match))
    assert len(found) == 1, text
    return found[0]


def parsed(data: Dataset, row: int, io_is_first: bool | None) -> dict[str, Any]:
    """The columns and positions of a row, read off its tokens alone.

    `io_is_first` is needed only where no name is repeated.
    """
    tokens = spelled(data, row)
    first, second, s2 = [i for i, token in enumerate(tokens) if token in ioi.NAMES]
    if io_is_first is None:
        assert (tokens[first] == tokens[s2]) != (tokens[second] == tokens[s2])
        io_is_first = tokens[second] == tokens[s2]
    io, s1 = (first, second) if io_is_first else (second, first)
    template, match = template_of(data.text(row))
    found = match.groupdict()
    end = len(tokens) - 1
    prefix = next(
        i
        for i in range(len(tokens))
        if len("".join(data.pieces[row][:i]).strip()) == len(found["prefix"].strip())
    )
    return {
        "io": tokens[io],
        "s": tokens[s1],
        "s2": tokens[s2],
        "io_is_first": io_is_first,
        "order": "ABBA" if io_is_first else "BABA",
        "template": template,
        "object": found.get("object") or "",
        "place": found.get("place") or "",
        "prefix_length": prefix,
        "io_position": io,
        "s1_position": s1,
        "s2_position": s2,
        "end_position": end,
        "s1_to_io": io - s1,
        "io_to_s2": s2 - io,
        "io_to_end": end - io,
        "s1_to_s2": s2 - s1,
        "s1_to_end": end - s1,
        "s2_to_end": end - s2,
        "at": {"start": prefix, "io": io, "s1": s1, "s1+1": s1 + 1, "s2": s2, "end": end},
    }
