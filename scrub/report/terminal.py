"""The terminal that reports are printed on."""

from __future__ import annotations

import sys

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

from scrub.printing import printable


class Terminal(Console):
    """Rich's console, without its own end to a program whose pipe was closed: exit code 1."""

    def on_broken_pipe(self) -> None:
        raise  # rich calls this while it handles the BrokenPipeError


def terminal() -> Console:
    """Standard output, as wide as it is; a pipe gets 120 columns and no colour.

    What a user's names and texts would do to a terminal is shown instead: they are not its own.
    """
    console = Terminal() if sys.stdout.isatty() else Terminal(width=120, no_color=True)
    console.push_render_hook(_Printables())
    return console


def titled(name: str, text: str) -> Text:
    """A line that begins with a name in bold: what a user named "[red]" is no markup."""
    return Text.assemble((name, "bold"), text)


def believed(name: str, belief: str) -> Text:
    """A claim's name, and what is believed, where its docstring says so."""
    return titled(name, f": {belief}" if belief else "")


class _Printables(RenderHook):
    """Has everything printed as `_Printable`."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Printable(renderable) for renderable in renderables]


class _Printable:
    """What is rendered, with control characters of its texts spelled out."""

    def __init__(self, renderable: RenderableType) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._renderable, options):
            text = segment.text if segment.control else printable(segment.text)
            yield Segment(text, segment.style, segment.control)
