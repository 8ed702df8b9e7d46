"""The console that reports are printed on, and lines that begin with a name in bold."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import IO

from rich.console import (
    Console,
    ConsoleOptions,
    ConsoleRenderable,
    RenderableType,
    RenderHook,
    RenderResult,
)
from rich.segment import Segment
from rich.text import Text

from scrub.errors import UserError
from scrub.printing import printable


class Terminal(Console):
    """Rich's console that lets a BrokenPipeError pass, where rich would exit with code 1."""

    def on_broken_pipe(self) -> None:
        raise  # rich calls this while it handles the BrokenPipeError


def terminal() -> Console:
    """Standard output at its own width; a pipe gets 120 columns and no colour.

    Control characters in a user's names and texts are spelled out.
    """
    console = Terminal() if sys.stdout.isatty() else Terminal(width=120, no_color=True)
    console.push_render_hook(_SpellControlCharacters())
    return console


def on(file: IO[str], width: int) -> Console:
    """A file, so many cells wide, without colour."""
    console = Terminal(
        file=file, width=width, no_color=True, force_terminal=False, force_jupyter=False
    )
    console.push_render_hook(_SpellControlCharacters())
    return console


def written(show: Callable[[Console], None], width: int) -> str:
    """What something prints on a console so many cells wide, as text.

    Raises:
        UserError: no line is so narrow.
    """
    if isinstance(width, bool) or not isinstance(width, int) or width < 1:
        raise UserError(f"width= is {width!r}. Give a whole number of characters, such as 100.")
    text = io.StringIO()
    show(on(text, width))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()).rstrip()


def titled(name: str, text: str) -> Text:
    """A line that begins with a name in bold. Brackets in it, as in "[red]", are no markup."""
    return Text.assemble((name, "bold"), text)


def claim_line(name: str, belief: str) -> Text:
    """A claim's name and its belief, where it has a docstring."""
    return titled(name, f": {belief}" if belief else "")


class _SpellControlCharacters(RenderHook):
    """Wraps everything that is printed in `_Printable`."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Printable(renderable) for renderable in renderables]


class _Printable:
    """A renderable whose texts have their control characters spelled out."""

    def __init__(self, renderable: RenderableType) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._renderable, options):
            text = segment.text if segment.control else printable(segment.text)
            yield Segment(text, segment.style, segment.control)
