"""Templates filled in: whatever a user's names and texts hold is text, never markup.

Templates lie in `templates/`, and are escaped by default. Control characters, and marks that turn
the direction of writing, are spelled out as on the terminal.
"""

from __future__ import annotations

import functools
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from scrub.printing import printable
from scrub.stats.rounding import interval, number, percent


def render(template: str, **values: Any) -> Markup:
    """A template filled in. What is no `Markup` is escaped."""
    return Markup(_environment().get_template(template).render(**values).strip())


def fragment(*parts: Markup) -> str:
    """Parts that stand by themselves, as in a notebook: with their style, under one class."""
    return str(render("fragment.html", parts=parts))


@functools.cache
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("scrub.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    found.filters |= {"number": number, "interval": interval, "percent": percent}
    return found


def _shown(value: Any) -> Any:
    """What stands in a page for a value of a template."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return printable(value)
