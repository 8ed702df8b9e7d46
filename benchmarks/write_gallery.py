"""Runs every hypothesis file on the model that it names, and writes docs/gallery.md.

    python benchmarks/write_gallery.py                  all files: some minutes on one core
    python benchmarks/write_gallery.py ioi_claim3.py    this file's section; the others stay

Figures are those of `scrub test FILE` with its default settings.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import scrub
from scrub.hypothesis.claim import Claim
from scrub.hypothesis.collect import Collected, definitions
from scrub.report.claims_table import figure_name
from scrub.results.inapplicable import Inapplicable
from scrub.results.result import Result
from scrub.stats.rounding import interval

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "gallery.md"
HEAD = """# A gallery of hypotheses

Every file of `hypotheses/`, on the model that it names, with the verdicts that `scrub test FILE`
gives: true claims, and false ones that a file expects to be refuted. Written by `python
benchmarks/write_gallery.py`; tests hold claims, what they say and expected verdicts to the
files. **Bold** is a verdict that a file does not expect; its page says more.
"""
SECTION = re.compile(r"^## `(\S+)`\n.*?(?=^## |\Z)", flags=re.MULTILINE | re.DOTALL)


def sections(page: str) -> dict[str, str]:
    """The sections of a page by the files that they are about."""
    return {found[1]: found[0].rstrip() for found in SECTION.finditer(page)}


def section(
    file: Path, claims: Sequence[Collected], results: Sequence[Result | Inapplicable]
) -> str:
    """A file's first sentence, its model, and a row a claim."""
    said = (module_docstring(file) or file.stem).partition("\n")[0]
    lines = [f"## `{file.name}`", "", f"{said} On `{results[0].model}`.", ""]
    lines += [
        "| claim | says | figure [95%] | verdict | expected |",
        "| --- | --- | --- | --- | --- |",
    ]
    for claim, result in zip(claims, results, strict=True):
        cells = [f"`{claim.claim.name}`", claim.claim.belief, *outcome(result)]
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines)


def outcome(result: Result | Inapplicable) -> tuple[str, str, str]:
    """Figure, verdict, and what the file expects."""
    if isinstance(result, Inapplicable):
        return "–", result.words, "–"
    name = figure_name(result).partition(" [")[0]
    verdict = result.judgement.verdict or "–"
    shown = verdict if result.passed else f"**{verdict}**"
    return f"{name} {interval(result.figure)}", shown, expected(result)


def expected(result: Result | Inapplicable | Claim) -> str:
    return result.expect.verdict if result.expect else "–"


def module_docstring(file: Path) -> str:
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""


def hypotheses() -> list[tuple[Path, list[Collected]]]:
    """Files that hold claims, with their claims."""
    files = sorted((ROOT / "hypotheses").glob("*.py"))
    held = [(file, list(definitions(file, f"hypotheses/{file.name}").claims)) for file in files]
    return [(file, claims) for file, claims in held if claims]


def main(names: Sequence[str]) -> None:
    found = sections(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    for file, claims in hypotheses():
        if names and file.name not in names:
            continue
        print(f"{file.name}: {len(claims)} claims", flush=True)
        results = scrub.run([item.claim for item in claims])
        found[file.name] = section(file, claims, results)
        ordered = [found[f.name] for f, _ in hypotheses() if f.name in found]
        PAGE.write_text("\n\n".join([HEAD.rstrip(), *ordered]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
