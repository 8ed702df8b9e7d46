"""Figures of matplotlib inside of a page: as an image that the page holds itself."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from markupsafe import Markup

from scrub.report.html.rendering import render

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGE = 300_000
"""Bytes from which on an SVG is drawn as pixels instead."""


def figure_part(figure: Figure, says: str, *, pixels: bool = False) -> Markup:
    """A figure as an image: the same bytes for the same figure.

    An image of its own keeps the names inside of an SVG apart from those of the page.

    Args:
        says: what it shows, for who does not see it.
        pixels: as PNG; otherwise as SVG, unless that is large.
    """
    drawn = b"" if pixels else _saved(figure, "svg")
    kind = "svg+xml"
    if pixels or len(drawn) > LARGE:
        drawn, kind = _saved(figure, "png"), "png"
    data = base64.b64encode(drawn).decode()
    return render("picture.html", source=f"data:image/{kind};base64,{data}", says=says)


def _saved(figure: Figure, kind: str) -> bytes:
    import matplotlib

    drawn = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "scrub"}):
        metadata = {"Date": None} if kind == "svg" else None
        figure.savefig(drawn, format=kind, metadata=metadata, dpi=110)
    return drawn.getvalue()
