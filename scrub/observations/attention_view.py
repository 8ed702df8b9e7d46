"""Attention patterns of one row, and their picture by CircuitsVis where that is installed."""

from __future__ import annotations

import hashlib
import re

import numpy as np
from attrs import frozen
from jaxtyping import Float

RANDOM = re.compile(r"circuits-vis-[0-9a-f]{8}-[0-9a-f]{4}")
"""What CircuitsVis calls the place of a picture."""


@frozen(eq=False, repr=False)
class View:
    """An interactive picture, as HTML that a notebook shows. It needs no network."""

    html: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"View({len(self.html):,} characters of HTML)"


@frozen(eq=False, repr=False)
class Patterns:
    """Attention patterns of one row.

    Attributes:
        heads: their names.
        tokens: of the row, as text.
        weights: from each token (second axis) to each (third).
    """

    heads: tuple[str, ...]
    tokens: tuple[str, ...]
    weights: Float[np.ndarray, "heads tokens tokens"]

    def view(self) -> View | None:
        """All of them, to be looked at by CircuitsVis; None where that is not installed."""
        try:
            from circuitsvis.attention import attention_heads
        except ImportError:
            return None
        shown = attention_heads(
            attention=self.weights, tokens=list(self.tokens), attention_head_names=list(self.heads)
        )
        return View(_steady(shown.local_src))


def _steady(html: str) -> str:
    """The same, called by a hash instead of at random, so that one view is one text.

    Tokens that look like markup stay texts.
    """
    scripts, call, rest = html.rpartition("CircuitsVis.render(")
    shown, end, after = rest.rpartition("</script>")
    shown = shown.replace("</", "<\\/")
    name = f"circuits-vis-{hashlib.sha256(shown.partition(',')[2].encode()).hexdigest()[:12]}"
    return RANDOM.sub(name, f"{scripts}{call}{shown}{end}{after}")
