"""Images patch by patch as text: blocks of their colours on a terminal, letters in a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil

import numpy as np
from attrs import frozen
from jaxtyping import Bool, UInt8
from rich.style import Style
from rich.text import Text

from scrub.data.dataset import Dataset, Rows
from scrub.data.image_layout import ImageLayout

Pixels = UInt8[np.ndarray, "height width 3"]

WIDE = 8
"""Patches a side up to which a patch takes three characters, not one."""
MOST = 30
"""Patches a side that are drawn one by one; of more, some are drawn as one."""
APART = "   "
NAMED: dict[str, tuple[str, tuple[int, int, int]]] = {
    "red": ("r", (255, 0, 0)),
    "green": ("g", (0, 255, 0)),
    "blue": ("b", (0, 0, 255)),
    "yellow": ("y", (255, 255, 0)),
    "purple": ("p", (128, 0, 128)),
    "orange": ("o", (255, 165, 0)),
    "white": ("w", (255, 255, 255)),
    "black": ("k", (0, 0, 0)),
    "gray": ("a", (128, 128, 128)),
    "brown": ("n", (139, 69, 19)),
    "pink": ("i", (255, 192, 203)),
    "cyan": ("c", (0, 255, 255)),
    "magenta": ("m", (255, 0, 255)),
}
"""Colours that have a letter, and what they look like."""
WORDS = list(NAMED)
LOOKS = np.array([look for _, look in NAMED.values()])


@frozen(eq=False)
class Picture:
    """An image as it is drawn.

    Attributes:
        title: what stands above it.
        colours: the mean colour of each patch.
        changed: patches that are not the reference's.
        claimed: patches at whose tokens a node stands.
    """

    title: str
    colours: UInt8[np.ndarray, "rows columns 3"]
    changed: Bool[np.ndarray, "rows columns"]
    claimed: Bool[np.ndarray, "rows columns"]


def patches(pixels: Pixels, patch: int) -> UInt8[np.ndarray, "rows columns pixels 3"]:
    """The pixels of each patch; what is left over at the right and below is filled up alike."""
    height, width, _ = pixels.shape
    rows, columns = ceil(height / patch), ceil(width / patch)
    missing = ((0, rows * patch - height), (0, columns * patch - width), (0, 0))
    whole = np.pad(pixels, missing, mode="edge")
    apart = whole.reshape(rows, patch, columns, patch, 3).swapaxes(1, 2)
    return apart.reshape(rows, columns, patch * patch, 3)


def drawn_patch(pixels: Pixels, patch: int) -> int:
    """Pixels a side of what is drawn as one: a patch, or where they are many some together."""
    return patch * ceil(max(pixels.shape[:2]) / patch / MOST)


def picture(
    title: str,
    pixels: Pixels,
    reference: Pixels | None,
    patch: int,
    claimed: Iterable[tuple[int, int]] = (),
) -> Picture:
    """An image beside a reference's.

    Args:
        reference: the reference's image; None: it has none there.
        patch: pixels a side of a patch.
        claimed: rows and columns of patches.
    """
    step = drawn_patch(pixels, patch)
    shown = patches(pixels, step)
    changed = np.ones(shown.shape[:2], dtype=bool)
    if reference is not None and reference.shape == pixels.shape:
        changed = (shown != patches(reference, step)).any(axis=(2, 3))
    marked = np.zeros(shown.shape[:2], dtype=bool)
    for row, column in claimed:
        marked[row * patch // step, column * patch // step] = True
    return Picture(title, shown.mean(axis=2).round().astype(np.uint8), changed, marked)


def side_by_side(pictures: Sequence[Picture], *, coloured: bool) -> Text:
    """Pictures in a row, each under its title.

    Args:
        coloured: blocks of colour, on which a patch that is changed has a ◆; else letters, of which
            that of a changed patch is a capital. A claimed patch stands in brackets where there is
            room, and on a terminal is underlined.
    """
    titled = any(one.title for one in pictures)
    columns = [_lines(one, titled=titled, coloured=coloured) for one in pictures]
    height = max(map(len, columns))
    lines = []
    for number in range(height):
        line = Text()
        for place, (one, column) in enumerate(zip(pictures, columns, strict=True)):
            cell = column[number] if number < len(column) else Text()
            line += Text(APART if place else "") + cell
            if place < len(pictures) - 1:
                line += Text(" " * (_width(one) - cell.cell_len))
        if not coloured:
            line.rstrip()
        lines.append(line)
    return Text("\n").join(lines)


def _is_wide(one: Picture) -> bool:
    """Whether a patch takes three characters."""
    return max(one.changed.shape) <= WIDE


def _width(one: Picture) -> int:
    each = 3 if _is_wide(one) else 1
    return max(len(one.title), each * one.changed.shape[1])


def _lines(one: Picture, *, titled: bool, coloured: bool) -> list[Text]:
    """The title and the rows of a picture."""
    wide = _is_wide(one)
    letters = _letters(one.colours)
    lines = [Text(one.title, style="dim")] if titled else []
    for row in range(len(letters)):
        line = Text()
        for column in range(letters.shape[1]):
            changed, claimed = bool(one.changed[row, column]), bool(one.claimed[row, column])
            sign, style = str(letters[row, column]), ""
            if coloured:
                sign = "◆" if changed else " "
                style = _style(one.colours[row, column], claimed=claimed)
            elif changed:
                sign = sign.upper()
            around = "[]" if claimed else "  "
            line.append(f"{around[0]}{sign}{around[1]}" if wide else sign, style=style)
        lines.append(line)
    return lines


def _letters(colours: UInt8[np.ndarray, "rows columns 3"]) -> np.ndarray:
    """The letter of the named colour that is nearest to each."""
    letters = np.array([letter for letter, _ in NAMED.values()])
    return letters[_nearest(colours)[0]]


def _nearest(colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which named colour is nearest to each, and whether it is that colour."""
    away = ((colours[..., None, :].astype(float) - LOOKS) ** 2).sum(-1)
    return away.argmin(-1), away.min(-1) == 0


def _style(colour: np.ndarray, *, claimed: bool) -> Style:
    red, green, blue = map(int, colour)
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 128
    return Style(
        color="white" if dark else "black",
        bgcolor=f"rgb({red},{green},{blue})",
        underline=claimed,
        bold=True,
    )


def legend(pictures: Sequence[Picture], *, coloured: bool) -> Text:
    """What the signs in these pictures mean, in one line."""
    said = [f"{'◆' if coloured else 'capitals'}: not the reference's"]
    claimed = [one for one in pictures if one.claimed.any()]
    if any(_is_wide(one) for one in claimed):
        said.append("[ ]: where a node stands")
    elif claimed and coloured:
        said.append("underlined: where a node stands")
    if coloured:
        return Text("; ".join(said), style="dim")
    number, exact = _nearest(np.concatenate([one.colours.reshape(-1, 3) for one in pictures]))
    words = [WORDS[n] for n in np.unique(number)]
    named = " · ".join(f"{NAMED[word][0]} {word}" for word in words)
    return Text("; ".join([named if exact.all() else f"nearest to {named}", *said]), style="dim")


def images_of_row(data: Dataset, row: int) -> list[Pixels]:
    """The images of a row, in the order of their image tokens."""
    if data.images is None or "images" not in data.inputs:
        return []
    return [data.images.pixels[number] for number in data.inputs["images"][row] if number >= 0]


def runs(data: Dataset, row: int, layout: ImageLayout) -> list[range]:
    """The tokens of each image of a row, in order."""
    found = np.flatnonzero(data.inputs["tokens"][row, : data.lengths[row]] == layout.token)
    return [
        range(int(found[first]), int(found[first]) + layout.count)
        for first in range(0, len(found), layout.count)
    ]


def row_pictures(
    title: str, rows: Rows, reference: Rows, layout: ImageLayout, claimed: Iterable[int] = ()
) -> list[Picture]:
    """The images of the one row of `rows`, against those of the one reference.

    Args:
        claimed: tokens at which a node stands.
    """
    row, other = int(rows.index[0]), int(reference.index[0])
    theirs = images_of_row(reference.data, other)
    found = []
    for number, (pixels, run) in enumerate(
        zip(images_of_row(rows.data, row), runs(rows.data, row, layout), strict=True)
    ):
        inside = [at - run.start - layout.special for at in claimed if at in run]
        cells = [divmod(place, layout.grid) for place in inside if place >= 0]
        beside = theirs[number] if number < len(theirs) else None
        found.append(picture(title if number == 0 else "", pixels, beside, layout.patch, cells))
    return found
