"""Print, as Markdown, what the paren balancer's claims recover, in all strings and in parts.

    python benchmarks/parens_table.py [--model NAME|DIR]... [--samples N] [--seed K]

Models: the embedded one, and the original where `../shared` is there. Intervals are at 95%,
over the references of a part.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from attrs import frozen
from scipy import stats

import scrub
from scrub.hypothesis.collect import collect
from scrub.results.result import Result
from scrub.stats.intervals import CONFIDENCE, Interval

ROOT = Path(__file__).resolve().parents[1]
FILES = [ROOT / "hypotheses" / name for name in ("parens.py", "parens_alt.py")]
ORIGINAL = ROOT.parent / "shared" / "models" / "parens"

RESAMPLES = 2_000

Mask = np.ndarray
"""Which references are in a part: bool [samples]."""

PARTS: Mapping[str, Callable[[Result], Mask]] = {
    "all": lambda result: np.ones(result.samples, dtype=bool),
    "balanced": lambda result: feature(result, "balanced"),
    "unbalanced": lambda result: ~feature(result, "balanced"),
    "count fails": lambda result: ~feature(result, "count"),
    "horizon fails": lambda result: ~feature(result, "horizon"),
}

KINDS: Mapping[str, Callable[[Result], Mask]] = {
    name: lambda result, kind=kind: feature(result, "kind") == kind
    for name, kind in {
        "count alone fails": "count fails",
        "horizon alone fails": "horizon fails",
        "both fail": "both fail",
    }.items()
}
"""Parts that exclude each other: the other reading of "count failures" and "horizon failures"."""


def feature(result: Result, name: str) -> np.ndarray:
    return result.draws.references.feature(name)


@frozen
class Options:
    """What the command line says."""

    models: Sequence[str]
    samples: int
    seed: int


def options(description: str) -> Options:
    """Read the command line, and have torch work on one thread."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--model", action="append", help="default: embedded, and the original")
    parser.add_argument("--samples", type=int, default=4000, help="default %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default %(default)s")
    given = parser.parse_args()
    torch.set_num_threads(1)
    usual = ["parens", *([str(ORIGINAL)] if ORIGINAL.is_dir() else [])]
    return Options(given.model or usual, given.samples, given.seed)


def results(
    files: Sequence[Path], model: str, samples: int, seed: int
) -> Iterator[tuple[str, Result]]:
    """Every claim of the files on one model, by name."""
    session = scrub.Session()
    for item in collect(map(str, files)):
        found = scrub.run(item.claim, session=session, model=model, samples=samples, seed=seed)
        assert isinstance(found, Result)
        yield item.claim.name, found


def recovered(result: Result, part: Mask) -> Interval:
    """Loss recovered over the references of a part."""
    return result.scores.where(part).recovered()


def mean(losses: np.ndarray, seed: int) -> Interval:
    """Mean loss, with a percentile bootstrap (Efron & Tibshirani 1993, §13.3)."""
    middle = float(losses.mean())
    if np.ptp(losses) == 0:
        return Interval(middle, middle, middle)
    found = stats.bootstrap(
        (losses,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        batch=250,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(middle, float(found.low), float(found.high))


def cell(found: Interval, digits: int = 3) -> str:
    """ "0.912 [0.890, 0.934]"."""
    if np.isnan(found.mean):
        return "undefined"
    mean, low, high = (f"{value:.{digits}f}" for value in (found.mean, found.low, found.high))
    return f"{mean} [{low}, {high}]" if np.isfinite(found.half_width) else f"{mean} [unbounded]"


def rows(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def losses(found: Mapping[str, Result], parts: Mapping[str, Callable[[Result], Mask]]) -> str:
    """Mean losses in nats. Original and baseline are the same for all claims, draws being keyed."""
    first = next(iter(found.values()))
    numbers = {"original": first.scores.original, "baseline": first.scores.baseline}
    numbers |= {name: result.scores.scrubbed for name, result in found.items()}
    masks = {name: within(first) for name, within in parts.items()}
    head = ["loss (nats)", *(f"{name} ({mask.sum():,})" for name, mask in masks.items())]
    body = [
        [name, *(cell(mean(values[mask], first.seed), 4) for mask in masks.values())]
        for name, values in numbers.items()
    ]
    return rows(head, body)


def table_of_recovered(
    found: Mapping[str, Result], parts: Mapping[str, Callable[[Result], Mask]]
) -> str:
    """Loss recovered, and the verdict on all strings."""
    body = [
        [
            name,
            *(cell(recovered(result, within(result))) for within in parts.values()),
            result.judgement.verdict or "–",
        ]
        for name, result in found.items()
    ]
    return rows(["loss recovered", *parts, "verdict on all"], body)


def main() -> None:
    """Print the tables of every model."""
    given = options("Tables of the paren balancer's claims.")
    for model in given.models:
        found = dict(results(FILES, model, given.samples, given.seed))
        first = next(iter(found.values()))
        seconds = sum(result.seconds for result in found.values())
        print(f"### {first.model}\n\n{first.data_name}; {given.samples:,} references, ", end="")
        print(f"seed {given.seed}; {seconds:.0f} seconds on one thread.\n")
        for parts in (PARTS, KINDS):
            print(losses(found, parts))
            print(table_of_recovered(found, parts))


if __name__ == "__main__":
    main()
