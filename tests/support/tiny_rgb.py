"""A tiny random LLaVA that can be asked the RGB game's question, in llava-1.5's format."""

from __future__ import annotations

import functools
import re
import tempfile
from pathlib import Path

from scrub.data.image_layout import IMAGE
from scrub.datasets import rgb
from support import tiny_llava

GRID = 4
ROLES = """[roles]
"localisation" = [[0, 0], [0, 3]]
"colour extractor" = [[1, 1]]
"""


@functools.cache
def directory() -> Path:
    """Model, processor and roles; words of the question and the colours are one token each."""
    words = re.findall(r"\w+|[^\w\s]", rgb.PROMPT.replace(IMAGE, ""))
    made = Path(tempfile.mkdtemp(prefix="scrub-rgb-"))
    tiny_llava.save(made, GRID, 48, words=(*dict.fromkeys((*words, *rgb.COLOURS)),))
    (made / "roles.toml").write_text(ROLES, encoding="utf-8")
    return made
