"""What scripts put on models' cards: Markdown, and the evidence under its heading."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from checkout import EMBEDDED

HEADING = "## Evidence\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table and an empty line."""
    lines = ["| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *rows)]
    return [*lines, ""]


def listed(heads: Iterable[tuple[int, int]]) -> str:
    """Heads in words: "0.2, 0.11"."""
    return ", ".join(f"{layer}.{head}" for layer, head in heads)


def parser(rows: int = 2000, usual: str | None = None) -> argparse.ArgumentParser:
    """The command line of a script that prints evidence.

    Args:
        rows: how many, if nothing else is said.
        usual: the model, if none is named; None: one has to be.
    """
    made = argparse.ArgumentParser(description="Print the evidence about an embedded model.")
    made.add_argument(
        "model",
        nargs="?" if usual else None,
        default=usual,
        help="an embedded model's name, or a directory",
    )
    made.add_argument("--rows", type=int, default=rows, help="default %(default)s")
    made.add_argument("--seed", type=int, default=7, help="default %(default)s")
    made.add_argument("--card", action="store_true", help="also write it to README.md")
    return made


def directory_of(name: str) -> Path:
    """Where a model lies: an embedded one by its name, another by its directory."""
    return EMBEDDED / name if (EMBEDDED / name).is_dir() else Path(name)


def card(directory: Path, report: str) -> None:
    """Put the report in the model's README.md, under `HEADING`, instead of the last one."""
    path = directory / "README.md"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    head = text.partition(HEADING)[0].rstrip()
    path.write_text(f"{head}\n\n{HEADING}\n{report.rstrip()}\n", encoding="utf-8")


def answer(made: argparse.ArgumentParser, evidence: Callable[[Path, int, int], str]) -> None:
    """Read the command line, print the evidence, and fill in the card if asked.

    Args:
        made: the command line, as `parser` makes it.
        evidence: (directory, rows, seed) to a report in Markdown.
    """
    torch.set_num_threads(1)
    given = made.parse_args()
    directory = directory_of(given.model)
    report = evidence(directory, given.rows, given.seed)
    print(report)
    if given.card:
        card(directory, report)
