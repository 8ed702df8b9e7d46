"""What keeps tables from being a dataset: every problem, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from attrs import frozen

from scrub.data.images import Images
from scrub.data.values import (
    first_of,
    position_problems,
    unhashable,
    whole_problems,
    wholes,
)
from scrub.printing import name_problem, printed


@frozen(eq=False)
class Tables:
    """What a dataset is made of, before it is known to be one (see `scrub.Dataset`)."""

    name: str
    inputs: Mapping[str, np.ndarray]
    lengths: np.ndarray
    columns: Mapping[str, np.ndarray]
    positions: Mapping[str, np.ndarray]
    labels: Mapping[str, np.ndarray]
    pieces: Sequence[object]
    images: Images | None = None


def shape_problems(data: Tables) -> Iterator[str]:
    """Tables that do not fit together, a sentence each."""
    rows = len(data.lengths) if data.lengths.ndim == 1 else 0
    if rows == 0:
        yield "it has no rows." if data.lengths.ndim == 1 else "lengths are one number a row."
        return
    if not data.inputs:
        yield "it has no inputs. Give what the model reads, such as tokens."
    tokens = data.inputs.get("tokens")
    if tokens is not None and tokens.ndim != 2:
        yield f"tokens are of shape {list(tokens.shape)}. Give [rows, width], padded on the right."
    tables = {"input": data.inputs, "column": data.columns, "position": data.positions}
    for kind, table in (tables | {"label": data.labels}).items():
        for name, values in table.items():
            if problem := name_problem(name):
                yield f"{kind} {problem}"
            if values.ndim == 0 or len(values) != rows:
                has = f"{len(values)} rows" if values.ndim else f"one value, {printed(values[()])}"
                yield f'{kind} "{name}" has {has}, the dataset {rows}.'
            elif values.ndim > 1 and kind != "input":
                yield f'{kind} "{name}" has {values.ndim} dimensions. Give one value a row.'
    if data.images is not None:
        numbers = data.inputs.get("images")
        if numbers is None:
            yield 'it has images, and no input "images", which says which of them a row has.'
        elif numbers.ndim != 2:
            yield (
                f"images are of shape {list(numbers.shape)}. Give the numbers of each row's images "
                "[rows, most], −1 where it has fewer."
            )
    if data.pieces and len(data.pieces) != rows:
        yield f"pieces has {len(data.pieces)} rows, the dataset {rows}."
    if problem := name_problem(data.name):
        yield f"its name: {problem}"


def value_problems(data: Tables) -> Iterator[str]:
    """Values that mean nothing where they stand, a sentence each."""
    yield from whole_problems("lengths", data.lengths, "the number of real tokens")
    widest = max(1, data.inputs["tokens"].shape[-1]) if "tokens" in data.inputs else np.inf
    lengths, wrong = wholes(data.lengths)
    outside = ~wrong & ((lengths < 1) | (lengths > widest))
    if outside.any():
        row, where = first_of(outside)
        most = f" to {widest}, the width of its tokens" if np.isfinite(widest) else " or more"
        yield f"lengths is {lengths[row]} in {where}. Give 1{most}."
    for name, values in data.inputs.items():
        if name == "tokens":
            yield from _token_problems(values)
        elif name == "images" and data.images is not None:
            yield from _image_problems(values, len(data.images))
        elif values.dtype.kind not in "iufb":
            yield f'input "{name}" is of type {values.dtype}. A model reads numbers.'
    for name, values in data.positions.items():
        yield from position_problems(f'position column "{name}"', values, lengths)
    for name, values in data.labels.items():
        yield from whole_problems(f'label "{name}"', values, "the id of a token")
    for name, values in data.columns.items():
        if (wrong := unhashable(values)).any():
            row, where = first_of(wrong)
            yield (
                f'column "{name}" is {printed(values[row])} in {where}, which cannot be compared. '
                "Give a text, a number or a tuple."
            )


def _token_problems(tokens: np.ndarray) -> Iterator[str]:
    """Token ids that are none, padding with them."""
    found, wrong = wholes(tokens)
    for bad in (wrong, ~wrong & (found < 0)):
        if bad.any():
            row, at = np.argwhere(bad)[0].tolist()
            value = printed(tokens[row, at])
            yield f"token {at} of row {row} is {value}. Token ids are whole numbers, 0 or more."


def _image_problems(numbers: np.ndarray, count: int) -> Iterator[str]:
    """Numbers of images that are none of the table's."""
    found, wrong = wholes(numbers)
    wrong |= (found < -1) | (found >= count)
    if wrong.any():
        row, at = np.argwhere(wrong)[0].tolist()
        yield (
            f"image {at} of row {row} is {printed(numbers[row, at])}. Give the number of one of "
            f"its {count:,} images, from 0, or −1 for none."
        )
    early = (found[:, :-1] < 0) & (found[:, 1:] >= 0)
    if early.any():
        row = int(np.argwhere(early)[0, 0])
        yield f"row {row} has an image after none (−1). Fill up at the end."
