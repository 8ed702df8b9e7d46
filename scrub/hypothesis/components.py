"""What files call the components of a model: "9.9", "MLP 0", "embeddings", "logits"."""

from __future__ import annotations

import re
from collections.abc import Iterable

from scrub.errors import did_you_mean
from scrub.names import EMBED, LOGITS, POS_EMBED, Cell, attention_site, mlp
from scrub.printing import printed

EMBEDDINGS = "embeddings"
ALONE = {"token embedding": EMBED, "position embedding": POS_EMBED, LOGITS: LOGITS}
BOTH = (Cell(EMBED), Cell(POS_EMBED))
_HEAD = re.compile(r"(?:head\s+)?(\d{1,6})\.(\d{1,6})", re.IGNORECASE)
_MLP = re.compile(r"mlp\s+(\d{1,6})", re.IGNORECASE)
_SITE = re.compile(r"site (\S+?)(?:\[(\d{1,6})\])?")
_EXAMPLES = ("9.9", "MLP 0", EMBEDDINGS, *ALONE)


def head(layer: int, number: int) -> Cell:
    """The cell of an attention head: what it writes."""
    return Cell(attention_site(layer, "z"), number)


def component_name(cell: Cell) -> str:
    """What a file calls a cell. Law: `components_named` gives that cell alone."""
    layer = cell.name.layer
    if layer is not None and cell == Cell(attention_site(layer, "z"), cell.head):
        return f"{layer}.{cell.head}" if cell.head is not None else _site(cell)
    if layer is not None and cell == Cell(mlp(layer)):
        return f"MLP {layer}"
    alone = {Cell(site): name for name, site in ALONE.items()}
    return alone.get(cell) or _site(cell)


def _site(cell: Cell) -> str:
    return f"site {cell.site}" + ("" if cell.head is None else f"[{cell.head}]")


def components_named(text: object) -> tuple[Cell, ...]:
    """The cells that a file's name of a component stands for; "embeddings" for two.

    Raises:
        ValueError: it names none; with a sentence.
    """
    said = text.strip() if isinstance(text, str) else ""
    if said == EMBEDDINGS:
        return BOTH
    if said in ALONE:
        return (Cell(ALONE[said]),)
    if match := _HEAD.fullmatch(said):
        return (head(int(match[1]), int(match[2])),)
    if match := _MLP.fullmatch(said):
        return (Cell(mlp(int(match[1]))),)
    if match := _SITE.fullmatch(said):
        return (Cell(match[1], None if match[2] is None else int(match[2])),)
    raise ValueError(f"{printed(text)} is no component. {did_you_mean(said, _EXAMPLES)}")


def names_of(cells: Iterable[Cell]) -> list[str]:
    """What a file calls some cells, both embeddings together."""
    found = list(dict.fromkeys(cells))
    if set(BOTH) <= set(found):
        rest = [cell for cell in found if cell not in BOTH]
        return [EMBEDDINGS, *map(component_name, rest)]
    return list(map(component_name, found))
