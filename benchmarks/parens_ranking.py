"""Print, as Markdown, which further path lifts claim 1b about the paren balancer the most.

    python benchmarks/parens_ranking.py [--model NAME|DIR]... [--samples N] [--seed K]

Runs `hypotheses/parens_more.py`. Paths are ranked by what is recovered where they tell both count
and horizon. The lift is what is recovered beyond 1b, reference by reference on the same draws; the
last three columns are lifts of the same path by less or by more. Intervals are at 95%.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve, frozen
from parens_table import ROOT, cell, options, results, rows

from scrub.results.result import Result
from scrub.stats.intervals import Interval

FILE = ROOT / "hypotheses" / "parens_more.py"
NOTHING = "nothing"
"""The claim of that file that is 1b itself."""
BY = "_by_"
"""Between a path and what it may tell, in the names of that file."""
HEAD = ["1b and", "loss recovered", "more than 1b", "by count", "by horizon", "the string itself"]
OTHERS = ("count", "horizon", "all")
"""What a further leaf may tell, beside both features at once."""


@frozen
class Ranked:
    """A path with what it recovers where it tells both features, and what of it is more than 1b.

    Attributes:
        lifts: what is more than 1b where it tells each of `OTHERS` instead; {} for a path of 1b's
            own heads, which tell what they tell in 1b.
    """

    path: str
    recovered: Interval
    lift: Interval
    lifts: Mapping[str, Interval]


def lift(result: Result, over: Result) -> Interval:
    """How much more is recovered than by another claim on the same draws.

    (scrubbed of the other − scrubbed) / (baseline − original), with the interval of any loss
    recovered: it is the loss recovered of what lies as far below the baseline as the one claim lies
    below the other.
    """
    gained = over.scores.scrubbed - result.scores.scrubbed
    numbers = result.scores
    return evolve(numbers, scrubbed=numbers.baseline - gained).recovered()


def ranked(found: Mapping[str, Result]) -> list[Ranked]:
    """All paths, those first that recover the most.

    Args:
        found: every claim of the file, by name.
    """
    lifts = {name: lift(result, found[NOTHING]) for name, result in found.items()}
    ranking: list[Ranked] = []
    for path in dict.fromkeys(name.partition(BY)[0] for name in found):
        name = path if path in found else f"{path}{BY}both"
        others = {feature: f"{path}{BY}{feature}" for feature in OTHERS if path not in found}
        more = {feature: lifts[other] for feature, other in others.items()}
        ranking.append(Ranked(path, found[name].recovered, lifts[name], more))
    return sorted(ranking, key=lambda ranked: -ranked.recovered.mean)


def main() -> None:
    """Print the ranking on every model."""
    given = options("Further paths beside claim 1b.")
    for model in given.models:
        print(f"### {model}, {given.samples:,} references, seed {given.seed}\n")
        found = dict(results([FILE], model, given.samples, given.seed))
        body = [
            [
                path.path,
                *(cell(found) for found in (path.recovered, path.lift)),
                *(cell(path.lifts[other]) if path.lifts else "" for other in OTHERS),
            ]
            for path in ranked(found)
        ]
        print(rows(HEAD, body))


if __name__ == "__main__":
    main()
