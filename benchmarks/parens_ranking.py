"""Print, as Markdown, which further path lifts claim 1b about the paren balancer the most.

    python benchmarks/parens_ranking.py [--model NAME|DIR]... [--samples N] [--seed K]

Runs `hypotheses/parens_more.py`. The lift is what a claim recovers beyond 1b, reference by
reference on the same draws; its interval is at 95%.
"""

from __future__ import annotations

import argparse

import torch
from attrs import evolve, frozen
from parens_table import ROOT, cell, default_models, mean, results, rows

from scrub.results import Result
from scrub.statistics import Interval

FILE = ROOT / "hypotheses" / "parens_more.py"
NOTHING = "nothing"
"""The claim of that file that is 1b itself."""


@frozen
class Ranked:
    """A claim with what it recovers, what of it is more than 1b, and the scrubbed loss."""

    name: str
    recovered: Interval
    lift: Interval
    scrubbed: Interval


def lift(result: Result, over: Result) -> Interval:
    """How much more is recovered than by another claim on the same draws.

    (scrubbed of the other − scrubbed) / (baseline − original), with the interval of any loss
    recovered: it is the loss recovered of what lies as far below the baseline as the one claim lies
    below the other.
    """
    gained = over.numbers.scrubbed - result.numbers.scrubbed
    numbers = result.numbers
    return evolve(numbers, scrubbed=numbers.baseline - gained).recovered()


def ranked(model: str, samples: int, seed: int) -> list[Ranked]:
    """All claims, those first that recover the most."""
    found = dict(results([FILE], model, samples, seed))
    ranking = [
        Ranked(name, r.recovered, lift(r, found[NOTHING]), mean(r.numbers.scrubbed, seed))
        for name, r in found.items()
    ]
    return sorted(ranking, key=lambda claim: -claim.recovered.mean)


def main() -> None:
    """Print the ranking on every model."""
    parser = argparse.ArgumentParser(description="Further paths beside claim 1b.")
    parser.add_argument("--model", action="append", help="default: embedded, and the original")
    parser.add_argument("--samples", type=int, default=4000, help="default %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default %(default)s")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for model in given.model or default_models():
        print(f"### {model}, {given.samples:,} references, seed {given.seed}\n")
        body = [
            [claim.name, cell(claim.recovered), cell(claim.lift), cell(claim.scrubbed)]
            for claim in ranked(model, given.samples, given.seed)
        ]
        print(rows(["1b and", "loss recovered", "more than 1b", "scrubbed loss (nats)"], body))


if __name__ == "__main__":
    main()
