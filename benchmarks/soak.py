"""Hold the engine against the reference evaluator on many random hypotheses, or count mutants.

    python benchmarks/soak.py --cases 20000 [--start SEED]
    python benchmarks/soak.py --mutants

The same property as `tests/engine/test_engine.py`, on the same generator. Exit code 1 if a case
differs.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import torch
from rich.progress import track

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from oracle.engines import ENGINE, MUTANTS, VIRTUAL_MUTANTS, Engine, mutated
from scrub.draw import Draws, draw
from scrub.hypothesis.tree import treeify
from scrub.reference import evaluate
from support.generator import Case, random_case

TOLERANCE = 1e-9
"""Largest difference over the largest output, in float64 (docs/semantics.md, Laws)."""
STARTS, CASES = 10, 1_000
"""A mutant must be caught within so many cases, from so many different starts."""


def drawn(case: Case) -> Draws:
    """The draws of a case."""
    return draw(treeify(case.correspondence), case.data, samples=case.samples, seed=case.seed)


def difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference, relative to the largest expected value (absolute where all are 0)."""
    largest = float(expected.abs().max())
    return float((found - expected).abs().max()) / (largest or 1.0)


def soak(start: int, cases: int) -> int:
    """Run the property; print what differs and how many cases of each model there were."""
    worst, wrong, models = 0.0, [], Counter[str]()
    seeds = range(start, start + cases)
    for seed in track(seeds, "soak", disable=not sys.stderr.isatty()):
        case = random_case(seed)
        draws = drawn(case)
        found, expected = (
            ENGINE.scrub(case, draws),
            evaluate(case.correspondence, draws, case.bridge),
        )
        off = difference(found, expected)
        models[case.model_name] += 1
        worst = max(worst, off)
        if not off < TOLERANCE:
            wrong.append(seed)
            print(f"case {seed} ({case.model_name}) differs by {off:.2g}", flush=True)
    print(f"{cases:,} cases from {start}: {len(wrong)} differ; largest difference {worst:.1e}")
    print(", ".join(f"{name} {count:,}" for name, count in sorted(models.items())))
    return len(wrong)


def caught(mutant: Engine, start: int) -> int | None:
    """The number of cases until a mutant is caught; None if it is not."""
    for number in range(CASES):
        case = random_case(start + number)
        draws = drawn(case)
        if not difference(mutant.scrub(case, draws), ENGINE.scrub(case, draws)) < TOLERANCE:
            return number + 1
    return None


def mutants() -> int:
    """Count the cases that it takes to catch every mutant, from several starts."""
    missed = 0
    print("| mutant | cases until caught, from 10 starts |\n| --- | --- |")
    for name in (*MUTANTS, *VIRTUAL_MUTANTS):
        counts = [caught(mutated(name), 1_000_000 * (start + 1)) for start in range(STARTS)]
        missed += counts.count(None)
        print(
            f"| {name} | {', '.join('never' if c is None else str(c) for c in counts)} |",
            flush=True,
        )
    return missed


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--mutants", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    failed = mutants() if chosen.mutants else soak(chosen.start, chosen.cases)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
