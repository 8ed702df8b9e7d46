"""A verdict in plain words: a sentence for somebody who has not read the documentation."""

from __future__ import annotations

import math

from scrub.hypothesis.belief import Expectation
from scrub.results.inapplicable import Inapplicable
from scrub.results.result import Result
from scrub.stats.rounding import interval

MEANT = {
    "supported": "this agrees with the claim",
    "refuted": "this contradicts the claim",
    "inconclusive": "the interval does not decide",
}
"""What a verdict says of the claim."""


def verdict_in_words(result: Result | Inapplicable) -> str:
    """What was found, what the claim says, and what follows: one or two sentences."""
    if isinstance(result, Inapplicable):
        return f"Not applicable to {result.model}: {result.reason}. Nothing was run."
    found, expect = figure_in_words(result), result.expect
    if result.judgement.vacuous and expect is not None:
        return f"The claim could not have failed: {result.judgement.vacuous}. {found}."
    if expect is None or expect.belief is None:
        return f"{found}. The file gives no bound to judge that by."
    said = f"{found}. The claim says {bound_in_words(expect)}"
    return f"{said}: {MEANT[result.judgement.verdict or 'inconclusive']}."


def expected_in_words(result: Result | Inapplicable) -> str:
    """ "as expected"; "the file expects refuted"; "" where it expects nothing."""
    if isinstance(result, Inapplicable) or result.expect is None:
        return ""
    return "as expected" if result.passed else f"the file expects {result.expect.verdict}"


def figure_in_words(result: Result) -> str:
    """The figure that a claim is about as the beginning of a sentence."""
    belief, figure = result.belief, result.figure
    which = belief.figure if belief else "recovered"
    bounds = (belief.low, belief.high) if belief else ()
    said = interval(figure, bounds)
    if math.isnan(figure.mean):
        return f"The {'share recovered' if which == 'recovered' else which} is undefined"
    match which:
        case "recovered":
            return (
                f"With all swapped that the claim calls irrelevant, {said} of the model's "
                "performance is recovered"
            )
        case "effect":
            return f"What the nodes put in changes the mean {result.metric.name} by {said}"
        case "share":
            return f"The scrubbed model gives that answer in a share of {said} of the references"
        case "attention":
            return f"The mean attention to that position is {said}"
    raise AssertionError(which)


def bound_in_words(expect: Expectation) -> str:
    """ "at least 0.7"; of what is no share recovered the belief's own words."""
    belief = expect.belief
    assert belief is not None
    if belief.figure != "recovered":
        return f'"{belief.words}"'
    parts = [("at least", belief.low), ("at most", belief.high)]
    return " and ".join(f"{words} {bound:g}" for words, bound in parts if bound is not None)
