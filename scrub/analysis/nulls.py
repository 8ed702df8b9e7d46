"""Nulls: the same tree with random components of the same types and layers in place of its own.

A claim names heads. Would others do as well? On IOI in GPT-2 small, 12.5% of random sets of 26
heads recover over 70% of the logit difference where MLPs run free: a score is worth what it stands
above such sets. A null puts other heads of the same layer in the place of the named ones, the same
ones everywhere in the tree. Nothing else changes: names, samplers, positions, ports, and with them
all draws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from attrs import evolve, frozen

from scrub.analysis.substitution import Pool
from scrub.hypothesis.belief import Expectation
from scrub.stats.intervals import CONFIDENCE, Interval

NULLS = 20
"""Enough to see a share of nulls that do as well down to about 1 in 20 (see `Nulls.share`)."""
REMARKABLE = 1 / 20
"""The share of nulls that may do as well before a score is doubted.

The share is the chance that heads which were picked blindly do as well as those that the claim
picked: the p-value of the score as a test of that choice (a permutation test). Above the usual 5%
the score would be nothing remarkable for any heads. So one of the usual 20 nulls may do as well.
"""


@frozen(eq=False)
class Nulls:
    """Where a claim's score lies among its nulls'.

    Attributes:
        claim: loss recovered by the claim.
        recovered: loss recovered by each null; NaN where that is undefined.
        as_well: how many of those that are defined do as well as the claim (see `does_as_well`).
        share: of nulls that recover as much as the claim or more, with the exact binomial interval
            (Clopper & Pearson 1934); of those that are defined.
        passing: how many recover what the file's bounds ask for; None where it has none.
        asked: how many nulls were asked for; fewer there are where components are few.
        pools: where components were drawn from, in words.
        reason: why there are none, if there are none.
        kind: what they have in place of the claim's own: heads, sites, or both.
        supported: whether the claim is; there is nothing to doubt about one that is not.
    """

    claim: float
    recovered: tuple[float, ...]
    as_well: int
    share: Interval
    passing: int | None
    asked: int
    pools: str
    reason: str = ""
    kind: str = "heads"
    supported: bool = True

    @property
    def as_high(self) -> int:
        """Number of nulls that recover as much as the claim or more."""
        return sum(null >= self.claim for null in self.recovered)

    @property
    def tries(self) -> int:
        """Number of nulls of which loss recovered is defined."""
        return sum(not math.isnan(null) for null in self.recovered)


def does_as_well(null: float, claim: float, ahead: Interval, expect: Expectation | None) -> bool:
    """Whether a claim does no better than a null, as far as can be told.

    Not told apart: then it does no better. Else better is to recover more; of a belief that is
    bounded from above alone, less; of one that is bounded on both sides, to lie nearer to the
    middle of the two.

    Args:
        null, claim: loss recovered by each.
        ahead: claim − null with its interval, paired by reference.
    """
    if ahead.low <= 0 <= ahead.high:
        return True
    low, high = (None, None) if expect is None else (expect.low, expect.high)
    if high is None:
        return null > claim
    if low is None:
        return null < claim
    middle = (low + high) / 2
    return abs(null - middle) <= abs(claim - middle)


def nulls_doubts(found: Nulls | None) -> tuple[str, ...]:
    """What a reader of the score must be told of its nulls: nothing, or one sentence.

    Without the claim's name and without a full stop. None: there are none.
    """
    if found is None or not (found.supported and found.tries):
        return ()
    if found.as_well / found.tries <= REMARKABLE:
        return ()
    times = f"in {found.as_well} of {found.tries} tries"
    if found.tries == 1:
        times = "in the only try"
    return (
        f"random {found.kind} in its place do as well {times}: "
        f"the score does not show that these {found.kind} matter",
    )


def nulls_result(
    recovered: Sequence[float],
    ahead: Sequence[Interval],
    claim: float,
    expect: Expectation | None,
    asked: int,
    there: tuple[Pool, ...],
    *,
    supported: bool = True,
) -> Nulls:
    """Where the claim's score lies among the nulls'.

    Args:
        recovered: by each null.
        ahead: claim − null for each, with the interval, paired by reference.
        supported: whether the claim is.
    """
    unknown = Interval(math.nan, math.nan, math.nan)
    kind = _kinds(there)
    found = Nulls(claim, (), 0, unknown, None, asked, in_words(there), "", kind, supported)
    if math.isnan(claim):
        return evolve(found, pools="", reason=f"{_figure(expect)} is undefined")
    if not recovered:
        return evolve(found, reason=_why_none(there))
    found = evolve(found, recovered=tuple(recovered))
    defined = [null for null in recovered if not math.isnan(null)]
    if not defined:
        return evolve(found, reason=f"{_figure(expect)} is undefined for all {len(recovered)}")
    pairs = zip(recovered, ahead, strict=True)
    as_well = sum(not math.isnan(n) and does_as_well(n, claim, d, expect) for n, d in pairs)
    as_high = sum(null >= claim for null in defined)
    share = _share(as_high, len(defined))
    passing = None
    if expect is not None and (expect.low, expect.high) != (None, None):
        low = -math.inf if expect.low is None else expect.low
        high = math.inf if expect.high is None else expect.high
        passing = sum(low <= null <= high for null in defined)
    return evolve(found, as_well=as_well, share=share, passing=passing)


def _figure(expect: Expectation | None) -> str:
    """What scores are of, in words."""
    about = expect.belief if expect and expect.is_effect else None
    return "loss recovered" if about is None else f"the {about.figure}"


def _share(some: int, of: int) -> Interval:
    """A share, with its exact interval."""
    from scipy import stats  # it takes a while, and no other diagnosis needs it

    exact = stats.binomtest(some, of).proportion_ci(CONFIDENCE)
    return Interval(some / of, float(exact.low), float(exact.high))


def _kinds(there: tuple[Pool, ...]) -> str:
    """What stands in for what: "heads", "sites", "heads and sites"."""
    kinds = {"heads" if pool.layer else "sites" for pool in there}
    return " and ".join(sorted(kinds)) or "heads"


def _why_none(there: tuple[Pool, ...]) -> str:
    """Why there is nothing to put in the place of what a claim names."""
    if not there:
        return "nothing that it names has a like of the same type in its layer"
    short = [pool for pool in there if not pool.enough]
    if not short:
        return f"no choice of {in_words(there)} is a legal claim"
    pool = short[0]
    count, left = len(pool.named), len(pool.others)
    if pool.layer:
        return (
            f"it names {_number_of(count, 'head')} of layer {pool.layer}, and there "
            f"{'is' if left == 1 else 'are'} {left or 'no'} other{'' if left == 1 else 's'} to "
            "take their place"
        )
    names = ", ".join(group for group, _ in pool.named)
    return f"there are too few sites like {names} to take their place"


def _number_of(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def in_words(there: tuple[Pool, ...]) -> str:
    """Where nulls come from: "other heads of layers 2, 3"."""
    parts = []
    layers = [pool.layer for pool in there if pool.layer]
    if layers:
        word = "layer" if len(layers) == 1 else "layers"
        parts.append(f"other heads of {word} {', '.join(layers)}")
    names = [group for pool in there if not pool.layer for group, _ in pool.others]
    if names:
        parts.append(", ".join(names))
    return "; ".join(parts)
