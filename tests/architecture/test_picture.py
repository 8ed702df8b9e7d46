"""The picture of docs/architecture.md shows the packages as they are."""

from __future__ import annotations

import html
import re

from draw_architecture import storeys

from support.paths import ROOT

PICTURE = ROOT / "docs" / "figures" / "architecture.svg"


def missing(texts: set[str]) -> list[str]:
    """What the packages are called and are for, where the picture does not say it."""
    boxes = [box for boxes in storeys() for box in boxes]
    said = [text for box in boxes for text in (box.name, box.purpose, box.step) if text]
    return [text for text in said if text not in texts]


def test_the_picture_is_drawn_from_the_packages_as_they_are() -> None:
    """To draw it anew: `python benchmarks/draw_architecture.py`."""
    found = re.findall(r"<text[^>]*>([^<]*)</text>", PICTURE.read_text(encoding="utf-8"))
    texts = {html.unescape(text) for text in found}
    assert missing(texts) == []
    assert missing(texts - {"engine"}) == ["engine"]
