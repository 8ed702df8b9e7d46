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
        figures: draws them: what each shows, and the figure.
        frames: titles, and tables that are folded.
        log: lines, folded.
    """

    title: str
    show: Callable[[Console], None]
    figures: Callable[[], Sequence[tuple[str, Figure]]] = tuple
    frames: Sequence[tuple[str, pd.DataFrame]] = ()
    log: Sequence[str] = ()


def page_html(page: Page, made: Made) -> str:
    """The whole page, which needs no network."""
    figures = [figure_part(figure, says) for says, figure in page.figures()]
    title = render("heading.html", title=page.title)
    shown = [printed_part(page.show), *figures, *_tables(page, sorts=True)]
    return document(page.title, title, *shown, made=made, script=True)


def page_part(page: Page) -> Markup:
    """What a notebook shows of it, without style of its own: all but the figures."""
    return Markup("\n").join([printed_part(page.show), *_tables(page)])


def _tables(page: Page, *, sorts: bool = False) -> list[Markup]:
    """The frames and the log, folded."""
    frames = [(title, frame) for title, frame in page.frames if len(frame)]
    grids = [(title, grid_html(grid_of_frame(frame), sorts=sorts)) for title, frame in frames]
    found = [_folded(title, grid) for title, grid in grids]
    if page.log:
        found.append(_folded("Log", render("log.html", lines=page.log)))
    return found


def _folded(title: str, content: Markup) -> Markup:
    return render("folded.html", title=title, content=content)
