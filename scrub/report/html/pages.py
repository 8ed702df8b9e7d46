"""Pages of what is no claim: sweeps, circuits and searches (`--html` of patch, circuit, find)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from markupsafe import Markup
from rich.console import Console

from scrub.report.html.documents import Made, document
from scrub.report.html.frames import grid_html, grid_of_frame
from scrub.report.html.pictures import figure_part
from scrub.report.html.printed import printed_part
from scrub.report.html.rendering import render

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@frozen(eq=False)
class Page:
    """What stands on a page.

    Attributes:
        title: its heading.
        show: prints what the terminal shows.
        figures: what each shows, and the figure.
        frames: titles, and tables that are folded.
        log: lines, folded.
    """

    title: str
    show: Callable[[Console], None]
    figures: Sequence[tuple[str, Figure]] = ()
    frames: Sequence[tuple[str, pd.DataFrame]] = ()
    log: Sequence[str] = ()


def page_html(page: Page, made: Made) -> str:
    """The whole page, which needs no network."""
    parts = [render("heading.html", title=page.title), printed_part(page.show)]
    parts += [figure_part(figure, says) for says, figure in page.figures]
    parts += [_folded(title, _frame(frame)) for title, frame in page.frames if len(frame)]
    if page.log:
        parts.append(_folded("Log", render("log.html", lines=page.log)))
    return document(page.title, *parts, made=made, script=True)


def _frame(frame: pd.DataFrame) -> Markup:
    return grid_html(grid_of_frame(frame), sorts=True)


def _folded(title: str, content: Markup) -> Markup:
    return render("folded.html", title=title, content=content)
