"""Verdicts of several claims in one run, corrected so that they hold together.

Of twenty verdicts that are each wrong in 5% of runs, one is wrong in most runs. So each claim that
is judged is read off an interval of confidence 1 − 0.05 / m, where m claims of the command are
judged (Bonferroni): then all m intervals hold their truths in 95% of runs at least, however they
depend on each other, as claims do that share references. Step-down methods (Holm) decide a little
more, but not by an interval that a verdict could be read off.

What is reported beside it is each claim's own interval of 95%.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from scrub.hypothesis.claim import Claim
from scrub.stats.intervals import CONFIDENCE


def family_size(claims: Iterable[Claim]) -> int:
    """How many of these claims are held against a bound."""
    expected = [claim.expect for claim in claims]
    return sum(e is not None and (e.low is not None or e.high is not None) for e in expected)


def told_apart(places: Sequence[tuple[str, str]]) -> list[str]:
    """Claims, each a file and a name, by their names; with the file where several have one name."""
    count = Counter(name for _, name in dict.fromkeys(places))
    return [f"{file}::{name}" if count[name] > 1 else name for file, name in places]


def confidence_of(claim: Claim, family: int) -> float:
    """The confidence of the interval that a claim is judged by, as one of so many in a run."""
    return confidence_among(family) if family_size([claim]) else CONFIDENCE


def confidence_among(family: int) -> float:
    """The confidence of each of so many intervals that are to hold together at 95%."""
    return 1 - (1 - CONFIDENCE) / family if family > 1 else CONFIDENCE
