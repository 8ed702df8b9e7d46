"""The figure that a belief is about, with its interval, from scores per reference."""

from __future__ import annotations

from attrs import evolve

from scrub.hypothesis.belief import Belief
from scrub.stats.effect import paired_mean, share
from scrub.stats.intervals import CONFIDENCE, Interval
from scrub.stats.rounding import number
from scrub.stats.scores import Scores


def figure(
    scores: Scores, belief: Belief | None, confidence: float = CONFIDENCE, looks: int = 1
) -> Interval:
    """What a verdict on a belief is read off; None: loss recovered.

    Args:
        looks: as in `scrub.stats.intervals.loss_recovered`.
    """
    which = belief.figure if belief else "recovered"
    if which == "recovered":
        return scores.recovered(confidence, looks)
    if which == "effect":
        return scores.effect(confidence, looks)
    numbers = scores.where(scores.defined).scrubbed
    if which == "share":
        return share(numbers, confidence=confidence, looks=looks)
    found = paired_mean(numbers, confidence=confidence, looks=looks, unseen=(0.0, 1.0))
    return evolve(
        found,
        low=max(found.low, 0.0),
        high=min(found.high, 1.0),
        least=max(found.least, 0.0),
        most=min(found.most, 1.0),
    )


def in_words(belief: Belief | None, value: float) -> str:
    """ "0.713 is recovered"; "the effect is -1.2"."""
    which = belief.figure if belief else "recovered"
    return (
        f"{number(value)} is recovered"
        if which == "recovered"
        else (f"the {which} is {number(value)}")
    )
