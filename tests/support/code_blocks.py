"""The fenced blocks of a Markdown page: Python that can be run, and commands with their output."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from attrs import frozen

BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    flags=re.DOTALL | re.MULTILINE,
)
VERDICTS = "supported|refuted|inconclusive|vacuous|–"


@frozen
class Block:
    """A fenced block.

    Attributes:
        line: of the page on which its text begins.
        reason: why it is not run, as an HTML comment above it says; "" if it is.
    """

    line: int
    language: str
    text: str
    reason: str = ""


@frozen
class Shown:
    """A `scrub` command as a page shows it, and what it shows of the output.

    Attributes:
        arguments: what follows `scrub`.
    """

    line: int
    arguments: tuple[str, ...]
    output: str


def blocks(page: str) -> list[Block]:
    """All fenced blocks of a page, in its order."""
    return [
        Block(
            line=page.count("\n", 0, found.start("text")) + 1,
            language=found["language"],
            text=found["text"],
            reason=found["reason"] or "",
        )
        for found in BLOCK.finditer(page)
    ]


def python_of(page: str) -> list[Block]:
    """Its Python, but for what is marked as not run."""
    return [block for block in blocks(page) if block.language == "python" and not block.reason]


def shown_on(page: str) -> list[Shown]:
    """Its blocks of `$ scrub …` and output, but for what is marked as not run.

    A remark in parentheses may stand behind a command, three spaces away.
    """
    shown = []
    for block in blocks(page):
        if block.text.startswith("$ scrub ") and not block.reason:
            command, _, output = block.text.partition("\n")
            _, _, *arguments = shlex.split(re.sub(r"   +\(.*\)$", "", command))
            shown.append(Shown(block.line, tuple(arguments), output))
    return shown


def write_modules(page: str, folder: Path) -> list[Path]:
    """Write its Python into files, in order, so that blocks of a file share a namespace.

    A block whose docstring begins with a file's name begins that file; where the first has none it
    is `page.py`. No file is written of a page without Python.
    """
    files: dict[str, list[str]] = {}
    name = "page.py"
    for block in python_of(page):
        if named := re.match(r'"""(\w+\.py)\b', block.text):
            name = named[1]
        files.setdefault(name, []).append(block.text)
    for file, texts in files.items():
        (folder / file).write_text("\n\n".join(texts), encoding="utf-8")
    return [folder / file for file in files]


def lines_of(output: str) -> list[str]:
    """Lines without trailing spaces and without the seconds that a run took."""
    lines = [re.sub(rf"({VERDICTS}) +\d+\.\d$", r"\1", x.rstrip()) for x in output.splitlines()]
    return [re.sub(r" +seconds$", "", line) for line in lines]


def not_printed(shown: str, printed: str) -> list[str]:
    """The lines that are shown and not printed, in this order. A page may leave lines out."""
    rest, missing = lines_of(printed), []
    for line in lines_of(shown):
        if line in rest:
            del rest[: rest.index(line) + 1]
        else:
            missing.append(line)
    return missing
