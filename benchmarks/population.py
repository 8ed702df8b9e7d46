"""How often an interval holds the value on fresh rows: the plain one, and the one of --fresh.

Rows have a class, which a claim names, something else that it does not name (x), and a weight. A
row with the input of another loses weight · ([another class] + 0.3 · (x − x')² / 2), so that of
infinitely many rows the claim recovers (1 − 1/C) / (1 − 1/C + 0.3) with C classes: 0.625 with two,
0.76 with twenty. Among 100 rows twenty classes have five rows each: every fifth donor is the
reference itself, and too much is recovered. References, donors and baseline are drawn by
`scrub.draw`, the intervals are those of the report. Written down before the first run.

`python benchmarks/population.py` writes the table of docs/statistics.md.
"""

from __future__ import annotations

import argparse
import re
from itertools import product
from pathlib import Path

import numpy as np
from attrs import frozen

from scrub.data.dataset import Dataset
from scrub.draw import draw
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import site
from scrub.hypothesis.tree import treeify
from scrub.results.population import biased_by_small_classes, coverage_on_fresh_rows
from scrub.samplers import Agree, Exact
from scrub.stats.between import Fresh, spread
from scrub.stats.intervals import Interval
from scrub.stats.scores import Scores

PAGE = Path(__file__).resolve().parents[1] / "docs" / "statistics.md"
RUNS, FRESH = 500, 5
CLASSES, ROWS, REFERENCES = (2, 20), (100, 1_000), (1_000, 4_000)
UNNAMED = 0.3
"""What a row that agrees on the class costs, to one of another class."""


Run = tuple[Scores, float]


def truth(classes: int) -> float:
    """Loss recovered where there are infinitely many rows."""
    other = 1 - 1 / classes
    return other / (other + UNNAMED)


def measured(rng: np.random.Generator, classes: int, rows: int, references: int) -> Run:
    """One dataset, one scrub on it, and the share of donors that are the reference itself."""
    label, x = rng.integers(classes, size=rows), rng.normal(size=rows)
    weight = rng.gamma(2, size=rows)
    data = Dataset("made", {"x": x}, np.ones(rows, int), columns={"class": label})
    root = InterpNode("out", Exact(), other=Exact())
    child = root.child("x", Agree("class"))
    tree = treeify(Correspondence({root: site("out"), child: site("x")}))
    drawn = draw(tree, data, samples=references, seed=int(rng.integers(2**31)))
    here, own, another = (
        one.index for one in (drawn.references, drawn.nodes["out", "x"].own, drawn.baseline)
    )

    def loss(donor: np.ndarray) -> np.ndarray:
        unnamed = UNNAMED * (x[here] - x[donor]) ** 2 / 2
        return weight[here] * ((label[here] != label[donor]) + unnamed)

    return Scores(loss(here), loss(own), loss(another)), float(np.mean(here == own))


@frozen
class Cell:
    """Runs of one kind: each has a claim's interval and what --fresh makes of it."""

    classes: int
    rows: int
    references: int
    plain: list[Interval]
    fresh: list[Fresh]
    said: list[bool]

    @property
    def line(self) -> str:
        true = truth(self.classes)
        same_size = float(np.mean([one.value.mean for one in self.fresh]))
        values = [one.value for one in self.fresh]
        between, within = (
            float(np.mean([getattr(one, name) for one in self.fresh]))
            for name in ("between", "within")
        )
        cells = [
            f"{self.classes}",
            f"{self.rows:,}",
            f"{self.references:,}",
            f"{same_size - true:+.3f}",
            f"{between:.3f}",
            f"{within:.3f}",
            f"{coverage_on_fresh_rows(self.references, self.rows):.0%}",
            f"{_holds(self.plain, true)} ({_width(self.plain):.3f})",
            f"{_holds(values, true)} ({_width(values):.3f})",
            _holds(values, same_size),
            f"{np.mean(self.said):.0%}",
        ]
        return f"| {' | '.join(cells)} |"


def _holds(intervals: list[Interval], value: float) -> str:
    return f"{np.mean([one.low <= value <= one.high for one in intervals]):.0%}"


def _width(intervals: list[Interval]) -> float:
    return float(np.median([one.high - one.low for one in intervals]))


HEAD = """\
| classes | rows | references | bias | sd between | error within | worst | plain (width) | \
fresh (width) | fresh, of such datasets | said |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


def cell(classes: int, rows: int, references: int, runs: int) -> Cell:
    """So many runs, each of a claim's own dataset and `FRESH` others."""
    rng = np.random.default_rng([classes, rows, references])
    plain, fresh, said = [], [], []
    for _ in range(runs):
        runs_of_it = [measured(rng, classes, rows, references) for _ in range(1 + FRESH)]
        numbers = [one for one, _ in runs_of_it]
        plain.append(numbers[0].recovered())
        fresh.append(spread(numbers, range(1, 1 + FRESH), rows * len(numbers)))
        said.append(biased_by_small_classes(runs_of_it[0][1], plain[-1].mean, fresh[-1].value))
    return Cell(classes, rows, references, plain, fresh, said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--print", action="store_true", help="print the table, write nothing")
    chosen = parser.parse_args()
    kinds = product(CLASSES, ROWS, REFERENCES)
    lines = [HEAD, *(cell(*kind, chosen.runs).line for kind in kinds)]
    text = "\n".join(lines)
    print(text)
    if not chosen.print:
        page = PAGE.read_text(encoding="utf-8")
        marked = re.compile(r"(<!-- population -->\n).*?(<!-- end -->)", flags=re.DOTALL)
        PAGE.write_text(marked.sub(lambda m: f"{m[1]}{text}\n{m[2]}", page), encoding="utf-8")


if __name__ == "__main__":
    main()
