"""Whole pages: one file that needs no network, and says how to make it again."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType

from attrs import frozen
from markupsafe import Markup

from scrub.report.html.frames import Cell, grid_html, grid_of_rows
from scrub.report.html.rendering import render

PACKAGES = ("scrub", "torch", "numpy", "transformers", "transformer_lens", "tokenizers")
"""Packages that numbers depend on."""
NONE: Mapping[str, str] = MappingProxyType({})


@frozen
class Made:
    """How a page came about.

    Attributes:
        command: as it was typed, quoted for a shell.
        when: date and time, UTC.
        versions: of Python and of the packages that numbers depend on.
        weights: models, and the sha256 of their weights, where the page says it nowhere else.
    """

    command: str
    when: str
    versions: tuple[tuple[str, str], ...]
    weights: tuple[tuple[str, str], ...] = ()

    @classmethod
    def now(cls, arguments: Sequence[str], weights: Mapping[str, str] = NONE) -> Made:
        """By a command that runs now.

        Args:
            arguments: of `scrub`, without its name.
            weights: by model.
        """
        versions = [("Python", platform.python_version())]
        versions += [(name, _version(name)) for name in PACKAGES]
        versions.append(("machine", f"{platform.system()} {platform.machine()}"))
        when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        return cls(shlex.join(("scrub", *arguments)), when, tuple(versions), tuple(weights.items()))


def document(title: str, *parts: Markup, made: Made, script: bool = False) -> str:
    """A whole page.

    Args:
        script: whether it has tables that a click on a heading sorts.
    """
    page = render("document.html", title=title, parts=parts, made=_made(made), script=script)
    return str(page)


def _made(made: Made) -> Markup:
    rows = [(name, Cell(what)) for name, what in (("written", made.when), *made.versions)]
    rows += [(f"weights of {name}, sha256", Cell(hash_, "hash")) for name, hash_ in made.weights]
    versions = grid_html(grid_of_rows(("", ""), rows))
    return render("made.html", command=made.command, versions=versions)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
