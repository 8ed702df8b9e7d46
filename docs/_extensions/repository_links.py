"""Links to what lies in the repository beside the documentation.

A model's card is a page of its own here; the README and the like are none: they are named, and
their links lead nowhere.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

CARD = re.compile(r"\]\((?:\.\./)+scrub/model/embedded/([\w-]+)/README\.md\)")
OUTSIDE = re.compile(
    r"\[((?:`[^`]*`|[^\]`])+)\]\(((?:\.\./)+"
    r"(?:README\.md|CONTRIBUTING\.md|CHANGELOG\.md|scrub|tests|datasets|benchmarks|hypotheses"
    r"|notebooks|circuits)(?:[/#][^)]*)?)\)"
)


def to_pages(app: Sphinx, page: str, text: list[str]) -> None:
    up = "../" * page.count("/")
    found = CARD.sub(rf"]({up}cards/\1.md)", text[0])
    text[0] = OUTSIDE.sub(r"\1", found)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", to_pages)
    return {"parallel_read_safe": True}
