"""The page that a command writes (`--html`), where it was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from scrub.cli.options import typed

if TYPE_CHECKING:
    from scrub.report.html.pages import Page
    from scrub.runner.outputs import Outputs
    from scrub.runner.session import Session


def write_html(outputs: Outputs, page: Callable[[], Page], session: Session | None = None) -> None:
    """Write a page, which is not made where none is asked for.

    Args:
        session: of which the page says what weights were used; None: none were.

    Raises:
        UserError: it cannot be written.
    """
    if outputs.html is None:
        return
    from scrub.report.html.documents import Made
    from scrub.report.html.pages import page_html
    from scrub.results.atomic_write import write_whole

    weights = {model.name: model.sha256 for model in session.loaded} if session else {}
    text = page_html(page(), Made.now(typed(), weights))
    with outputs.writing("--html", outputs.html) as file:
        write_whole(file, text)
