"""Measure how often the 95% interval of an effect or a share holds the truth, and write the tables.

    python benchmarks/coverage_effects.py [--simulations 2000] [--out FILE]

Prints the tables and puts them into docs/statistics.md. About a minute on one core.
"""

from __future__ import annotations

import argparse
import math
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from coverage import AT_ONCE, CERTAIN, CONFIDENCE, PAGE, Coverage, coverage, line, table, write
from coverage_effects_situations import BOUNDARY, SHARES, SITUATIONS, Pair, Situation
from coverage_methods import Ends
from scipy import stats

from scrub.stats.effect import mean_set, share_set, unseen_rate

SEED = 3


def simulated(situation: Situation, simulations: int) -> list[Pair]:
    """The numbers of all simulations, some at once."""
    rng = np.random.default_rng(zlib.crc32(f"{situation.name} {situation.samples} {SEED}".encode()))
    parts = [AT_ONCE] * (simulations // AT_ONCE) + [simulations % AT_ONCE]
    return [situation.draw(rng, (part, situation.samples)) for part in parts if part]


def shown(pair: Pair) -> Ends:
    """The interval that is shown."""
    before, after = pair
    return mean_set(after - before, CONFIDENCE)


def decides(pair: Pair, *, weights: bool = False) -> Ends:
    """The interval that verdicts are read off (`Interval.least` and `most`)."""
    before, after = pair
    low, high = shown(pair)
    rate = unseen_rate(after.shape[-1], CONFIDENCE)
    every = np.concatenate(pair, axis=-1)
    least, most = (0.0, 1.0) if weights else (every.min(-1), every.max(-1))
    mean = (after - before).mean(-1)
    unseen = rate * (after.mean(-1) - least), rate * (most - after.mean(-1))
    return np.minimum(low, mean - unseen[0]), np.maximum(high, mean + unseen[1])


def students(pair: Pair) -> Ends:
    """Student's interval of the mean, for comparison."""
    before, after = pair
    change = after - before
    error = change.std(-1, ddof=1) / math.sqrt(change.shape[-1])
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, change.shape[-1] - 1)) * error
    return change.mean(-1) - half, change.mean(-1) + half


def clopper_pearson(pair: Pair) -> Ends:
    """The interval of a share."""
    _, hits = pair
    return share_set(hits.sum(-1).astype(np.int64), hits.shape[-1], CONFIDENCE)


def joined(ends: Sequence[Ends]) -> Ends:
    """The ends of several batches of simulations, one after the other."""
    return np.concatenate([low for low, _ in ends]), np.concatenate([high for _, high in ends])


def effect_row(situation: Situation, simulations: int) -> list[str]:
    """A line of the table of effects."""
    pairs, truth = simulated(situation, simulations), situation.truth
    mine = coverage(joined([shown(pair) for pair in pairs]), truth)
    verdicts = coverage(joined([decides(pair, weights=situation.weights) for pair in pairs]), truth)
    student = coverage(joined([students(pair) for pair in pairs]), truth)
    judged = verdicts if situation.rule == "93%" else mine
    return [
        situation.name, f"{situation.samples:,}", f"{truth:.4g}", situation.rule,
        _share(mine), judged.verdict(situation.rule), f"{mine.too_high:.1%}",
        f"{mine.too_low:.1%}", f"{mine.width:.3g}", f"{verdicts.share:.1%} ({verdicts.width:.3g})",
        f"{student.share:.1%} ({student.width:.3g})",
    ]  # fmt: skip


def share_row(situation: Situation, simulations: int) -> list[str]:
    """A line of the table of shares."""
    ends = joined([clopper_pearson(pair) for pair in simulated(situation, simulations)])
    found = coverage(ends, situation.truth)
    return [
        f"{situation.truth:g}", f"{situation.samples:,}", _share(found),
        found.verdict(situation.rule), f"{found.too_high:.1%}", f"{found.too_low:.1%}",
        f"{found.width:.3g}",
    ]  # fmt: skip


def boundary_row(situation: Situation, simulations: int) -> list[str]:
    """How often an effect of exactly d is called unchanged within d, and how often changed."""
    within = situation.within
    assert within is not None
    low, high = joined([decides(pair) for pair in simulated(situation, simulations)])
    supported = (low >= -within) & (high <= within)
    refuted = (low > within) | (high < -within)
    return [
        situation.name, f"{situation.samples:,}", f"{situation.truth:g}", f"±{within:g}",
        f"{supported.mean():.1%}", f"{refuted.mean():.1%}",
        "yes" if _at_most(supported) and _at_most(refuted) else "**no**",
    ]  # fmt: skip


def _at_most(wrong: np.ndarray, share: float = 0.025) -> bool:
    """Whether what was counted agrees with a share of at most 2.5%."""
    found = stats.binomtest(int(wrong.sum()), len(wrong)).proportion_ci(CERTAIN, method="exact")
    return found.low <= share


def _share(found: Coverage) -> str:
    return f"{found.share:.1%} [{found.low:.1%}, {found.high:.1%}]"


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, or these arguments, and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--simulations", type=int, default=2_000)
    parser.add_argument("--out", type=Path, default=PAGE)
    chosen = parser.parse_args(arguments)
    of = {
        "effects": (effect_row, SITUATIONS, [
            "situation", "samples", "effect", "rule", "coverage [99.9%]", "held", "too high",
            "too low", "median width", "read off by verdicts", "Student's t"]),
        "shares": (share_row, SHARES, [
            "share", "samples", "coverage [99.9%]", "held", "too high", "too low",
            "median width"]),
        "boundary": (boundary_row, BOUNDARY, [
            "situation", "samples", "effect", "belief", "called unchanged", "called changed",
            "both at most 2.5%"]),
    }  # fmt: skip
    tables = {}
    for name, (row, situations, header) in of.items():
        rows = []
        for situation in situations:
            rows.append(row(situation, chosen.simulations))
            print(line(rows[-1]), flush=True)
        tables[name] = table(header, rows)
    write(chosen.out, tables)


if __name__ == "__main__":
    main()
