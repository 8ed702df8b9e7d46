"""What a report prints on a console as HTML, so that page and terminal say the same."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from attrs import frozen
from markupsafe import Markup
from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from scrub.report.html.frames import table_html
from scrub.report.html.rendering import render

WIDE = 1_000
"""Columns of a page: no table leaves anything out."""


class _Recorder(Console):
    """A console that keeps what is printed on it. Rich has no other way to be asked for it."""

    def __init__(self, width: int) -> None:
        text = io.StringIO()
        super().__init__(file=text, width=width, color_system="standard", force_jupyter=False)
        self.printed: list[Any] = []

    def print(self, *objects: Any, style: Any = None, **how: Any) -> None:
        self.printed += objects


@frozen
class Span:
    """Text in one style. `kind`: classes of the page."""

    text: str
    kind: str


@frozen
class Branch:
    """A branch of a printed tree: its lines, and what is below it."""

    spans: tuple[Span, ...]
    below: tuple[Branch, ...]


def printed_part(show: Callable[[Console], None], width: int = WIDE) -> Markup:
    """What `show` prints, in order: lines of text, tables and trees.

    Args:
        width: of the console: tables that do not fit leave columns out.
    """
    console = _Recorder(width)
    show(console)
    return Markup("\n").join(_shown(one, console) for one in console.printed)


def _shown(printed: Any, console: Console) -> Markup:
    if isinstance(printed, Table):
        return table_html(printed)
    if isinstance(printed, Tree):
        return render("printed_tree.html", root=_branch(printed, console))
    return render("printed.html", spans=_spans(printed, console))


def _branch(tree: Tree, console: Console) -> Branch:
    below = tuple(_branch(child, console) for child in tree.children)
    return Branch(_spans(tree.label, console), below)


def _spans(printed: Any, console: Console) -> tuple[Span, ...]:
    text = printed if isinstance(printed, Text) else Text(str(printed))
    if not text.spans:  # rich renders it without its own style, which it adds itself
        whole = console.get_style(text.style) if text.style else None
        return (Span(text.plain, _kind(whole)),) if text.plain else ()
    segments = text.render(console)
    return tuple(Span(one.text, _kind(one.style)) for one in segments if one.text)


def _kind(style: Style | None) -> str:
    """The classes for a style of the terminal."""
    if style is None:
        return ""
    named = {"name": style.bold, "dim": style.dim, "under": style.underline}
    colour = {"green": "good", "red": "bad", "yellow": "doubt"}
    found = [kind for kind, has in named.items() if has]
    if style.color is not None and style.color.name in colour:
        found.append(colour[style.color.name])
    return " ".join(found)
