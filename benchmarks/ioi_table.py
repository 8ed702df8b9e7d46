"""The tables of claims in docs/ioi.md, from results files of `scrub test FILE --json`.

python benchmarks/ioi_table.py [--figures] one.json two.json …

With --figures without what the claims say and believe, for a second model.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HEADING = "| claim | it says | believed | found [95%] | verdict |\n| --- | --- | --- | --- | --- |"
FIGURES = "| claim | found [95%] | verdict |\n| --- | --- | --- |"


def rows(results: list[dict[str, Any]]) -> Iterator[str]:
    """A row a claim, in the order in which they ran."""
    for one in results:
        cells = (f"`{one['claim']}`", one["belief"], believed(one), _figure(one), one["verdict"])
        yield f"| {' | '.join(cells)} |"


def believed(one: Mapping[str, Any]) -> str:
    """A result's belief in words."""
    if one["kind"] == "effect":
        return one["believed"]
    bounds = one["bounds"]
    signs = {"above": "≥", "below": "≤"}
    return ", ".join(
        f"{sign} {bounds[end]:g}" for end, sign in signs.items() if bounds[end] is not None
    )


def _figure(one: dict[str, Any]) -> str:
    if one["passed"] is None:
        return one["reason"].partition(": ")[2]
    found = one.get("figure") or one["recovered"]
    mean, low, high = (f"{found[end]:.3f}" for end in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]".replace("-0.000", "0.000")


def figures(results: list[dict[str, Any]]) -> Iterator[str]:
    """The same without what does not depend on the model."""
    for one in results:
        yield f"| `{one['claim']}` | {_figure(one)} | {one['verdict']} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="The tables of claims in docs/ioi.md.")
    parser.add_argument("--figures", action="store_true", help="claim, figure and verdict alone")
    parser.add_argument("files", nargs="+", type=Path, help="results files of scrub test --json")
    given = parser.parse_args()
    for path in given.files:
        results = json.loads(path.read_text(encoding="utf-8"))["results"]
        heading, lines = (FIGURES, figures) if given.figures else (HEADING, rows)
        print(f"\n`{results[0]['file']}`\n\n{heading}")
        print("\n".join(lines(results)))


if __name__ == "__main__":
    main()
