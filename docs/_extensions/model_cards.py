"""Pages of the models that come with scrub: their cards, which lie beside the weights."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]
CARDS = DOCS.parent / "scrub" / "model" / "embedded"
PAGES = DOCS / "cards"
BESIDE = re.compile(r"\]\(\.\./([\w-]+)/README\.md\)")


def write_pages(app: Sphinx) -> None:
    """A page a card. One that is as it was is left alone, so that Sphinx need not read it again."""
    PAGES.mkdir(exist_ok=True)
    for card in sorted(CARDS.glob("*/README.md")):
        text = BESIDE.sub(r"](\1.md)", card.read_text(encoding="utf-8"))
        page = PAGES / f"{card.parent.name}.md"
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True}
