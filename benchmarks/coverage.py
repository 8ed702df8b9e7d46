"""Measure how often the 95% interval of loss recovered holds the truth, and write the tables.

    python benchmarks/coverage.py [--simulations 2000] [--out FILE]

Prints the tables and puts them into docs/statistics.md. A few minutes on one core.
"""

from __future__ import annotations

import argparse
import itertools
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from attrs import frozen
from coverage_methods import METHODS, Ends, decides, ours
from coverage_situations import SITUATIONS, Situation, Triple
from scipy import stats

CONFIDENCE, CERTAIN = 0.95, 0.999
PAGE = Path(__file__).resolve().parents[1] / "docs" / "statistics.md"
AT_ONCE = 250
"""Simulations in memory at once where samples are many."""
MOST, LEAST = 4_000, 250
"""Samples of a run with a precision, at its last look and at its first."""
PILOTS = 350, 700
"""Samples at which the precision asked for is met on average: between two looks, where stopping
depends most on chance."""
VERDICT = "read off by verdicts"
SEED = 2
"""The method was chosen on losses drawn with seed 1; the tables are of others."""
STOPPING = (
    "ordinary",
    "skewed losses",
    "very skewed losses",
    "heavy lognormal",
    "few distinct rows",
    "rare failures, 1%",
    "rare failures, 0.2%",
    "rare failures, 0.2%, 0 or 1",
)


@frozen
class Coverage:
    """How many of some simulations' intervals held the truth.

    Attributes:
        low: of the coverage, with 99.9% confidence (Clopper & Pearson).
        width: median width of the intervals.
        unbounded: share of intervals that are.
        too_high: share of intervals that lie above the truth.
    """

    share: float
    low: float
    high: float
    width: float
    unbounded: float
    too_high: float
    too_low: float

    def verdict(self, rule: str) -> str:
        """Whether 95% (or 93%) agrees with it; where the rule is not "exact", more does too."""
        if rule == "shown":
            return ""
        if self.high < (0.93 if rule == "93%" else CONFIDENCE):
            return "**below**"
        return "above" if rule == "exact" and self.low > CONFIDENCE else "yes"


def coverage(ends: Ends, truth: float) -> Coverage:
    """Count the intervals that hold the truth."""
    low, high = ends
    held = (low <= truth) & (truth <= high)
    exact = stats.binomtest(int(held.sum()), len(held)).proportion_ci(CERTAIN, method="exact")
    return Coverage(
        share=float(held.mean()),
        low=exact.low,
        high=exact.high,
        width=float(np.median(high - low)),
        unbounded=float(np.isinf(high - low).mean()),
        too_high=float((low > truth).mean()),
        too_low=float((high < truth).mean()),
    )


def simulated(situation: Situation, simulations: int, samples: int, purpose: str) -> list[Triple]:
    """The losses of all simulations, some at once."""
    key = zlib.crc32(f"{situation.name} {situation.samples} {purpose} {SEED}".encode())
    rng = np.random.default_rng(key)
    parts = [AT_ONCE] * (simulations // AT_ONCE) + [simulations % AT_ONCE]
    return [situation.draw(rng, (part, samples)) for part in parts if part]


def measured(situation: Situation, simulations: int) -> dict[str, Coverage]:
    """Coverage of every method, and of what verdicts are read off, on the same losses."""
    losses = simulated(situation, simulations, situation.samples, "coverage")
    found = {}
    for name, method in (METHODS | {VERDICT: decides}).items():
        rng = np.random.default_rng(1)
        ends = [method(part, CONFIDENCE, rng) for part in losses]
        found[name] = coverage(_joined(ends), situation.truth)
    return found


def stopped(losses: Triple, precision: float, confidence: Callable[[int], float]) -> tuple:
    """Ends and samples of runs that stop at the look at which the half-width is this.

    Args:
        confidence: of the interval at each of so many looks.
    """
    looks = [MOST]
    while looks[0] > LEAST:
        looks.insert(0, looks[0] // 2)
    low, high, used = (np.full(len(losses[0]), np.nan) for _ in range(3))
    going = np.ones(len(used), bool)
    for samples in looks:
        rows = np.flatnonzero(going)
        original, scrubbed, baseline = (part[rows, :samples] for part in losses)
        rng = np.random.default_rng(0)
        low[rows], high[rows] = ours((original, scrubbed, baseline), confidence(len(looks)), rng)
        used[rows] = samples
        going &= ~(high - low <= 2 * precision)
        if not going.any():
            break
    return low, high, used


POLICIES: dict[str, Callable[[int], float]] = {
    "looks hold together": lambda looks: 1 - (1 - CONFIDENCE) / looks,
    "each look at 95%": lambda looks: CONFIDENCE,
}


def stopping(situation: Situation, pilot: int, simulations: int) -> tuple[float, dict[str, tuple]]:
    """The precision asked for, and per policy the coverage and the mean number of samples."""
    first = simulated(situation, AT_ONCE, pilot, "pilot")
    low, high = _joined([ours(part, CONFIDENCE, np.random.default_rng(0)) for part in first])
    precision = float(np.mean(high - low)) / 2
    losses = simulated(situation, simulations, MOST, "stopping")
    found = {}
    for name, policy in POLICIES.items():
        runs = [stopped(part, precision, policy) for part in losses]
        used = np.concatenate([run[2] for run in runs])
        ends = _joined([(run[0], run[1]) for run in runs])
        found[name] = coverage(ends, situation.truth), float(used.mean())
    return precision, found


def _joined(ends: Sequence[Ends]) -> Ends:
    return np.concatenate([low for low, _ in ends]), np.concatenate([high for _, high in ends])


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, or these arguments, and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--simulations", type=int, default=2_000)
    parser.add_argument("--out", type=Path, default=PAGE)
    chosen = parser.parse_args(arguments)
    main_rows, other_rows, stopping_rows = [], [], []
    for situation in SITUATIONS:
        found = measured(situation, chosen.simulations)
        mine, verdicts, name = found["ours"], found[VERDICT], situation.name
        main_rows.append([
            name, f"{situation.samples:,}", f"{situation.truth:.4g}", situation.rule,
            f"{mine.share:.1%} [{mine.low:.1%}, {mine.high:.1%}]",
            (verdicts if situation.rule == "93%" else mine).verdict(situation.rule),
            f"{mine.too_high:.1%}", f"{mine.too_low:.1%}", f"{mine.width:.3g}",
            f"{mine.unbounded:.0%}", f"{verdicts.share:.1%} ({verdicts.width:.3g})",
        ])  # fmt: skip
        other_rows.append([
            name, f"{situation.samples:,}",
            *(f"{found[m].share:.1%} ({found[m].width:.3g})" for m in METHODS),
        ])  # fmt: skip
        print(line(main_rows[-1]), flush=True)
        print(line(other_rows[-1]), flush=True)
    chosen_situations = [s for s in SITUATIONS if s.name in STOPPING and s.samples == 1_000]
    for situation, pilot in itertools.product(chosen_situations, PILOTS):
        precision, found = stopping(situation, pilot, chosen.simulations)
        cells = [
            cell
            for held, used in found.values()
            for cell in (f"{held.share:.1%} [{held.low:.1%}, {held.high:.1%}]", f"{used:,.0f}")
        ]
        stopping_rows.append([situation.name, f"±{precision:.3g}", *cells])
        print(line(stopping_rows[-1]), flush=True)
    tables = {
        "coverage": table(
            ["situation", "samples", "recovered", "rule", "coverage [99.9%]", "held", "too high",
             "too low", "median width", "unbounded", VERDICT], main_rows),
        "methods": table(["situation", "samples", *METHODS], other_rows),
        "stopping": table(
            ["situation", "precision",
             *(cell for name in POLICIES for cell in (f"{name}: coverage", "samples"))],
            stopping_rows),
    }  # fmt: skip
    write(chosen.out, tables)


def line(cells: Sequence[str]) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as Markdown."""
    return "\n".join(line(cells) for cells in (header, ["---"] * len(header), *rows))


def write(page: Path, tables: dict[str, str]) -> None:
    """Put each table between its markers, <!-- NAME --> and <!-- end -->."""
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        before, found, rest = text.partition(f"<!-- {name} -->\n")
        assert found, f"{page} has no place for the table of {name}"
        _, end, after = rest.partition("<!-- end -->")
        text = f"{before}{found}{table}\n{end}{after}"
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
