"""What a reader is told of nulls and conventions: sentences, from values written by hand."""

from __future__ import annotations

import math

import pytest
from attrs import evolve

from hypothesis import given
from hypothesis import strategies as st
from scrub import refuted, supported
from scrub.analysis.conventions import IN_WORDS, Convention, convention_doubts
from scrub.analysis.nulls import (
    Nulls,
    does_as_well,
    nulls_doubts,
    nulls_result,
)
from scrub.analysis.substitution import Pool
from scrub.hypothesis.belief import Belief, Expectation
from scrub.report.diagnosis import nulls_in_words
from scrub.stats.intervals import Interval

HEADS = (Pool((("blocks.0.attn", 0),), (("blocks.0.attn", 1),), "0"),)
CLAIM = 0.9


def ahead(null: float, half: float) -> Interval:
    """Claim − null, ± half."""
    if math.isnan(null):
        return Interval(math.nan, -math.inf, math.inf)
    return Interval(CLAIM - null, CLAIM - null - half, CLAIM - null + half)


def nulls(recovered: list[float], half: float = 0.01, expect: Expectation | None = None) -> Nulls:
    differences = [ahead(null, half) for null in recovered]
    return nulls_result(recovered, differences, CLAIM, expect, len(recovered), HEADS)


def test_nulls_that_do_as_well_are_a_doubt_beyond_one_in_twenty() -> None:
    said = "random heads in its place do as well in {} of 20 tries: "
    said += "the score does not show that these heads matter"
    assert nulls_doubts(None) == ()
    assert nulls_doubts(nulls([])) == ()
    assert nulls_doubts(nulls([0.1] * 20)) == ()
    assert nulls_doubts(nulls([0.95] + [0.1] * 19)) == ()
    assert nulls_doubts(nulls([0.95] * 2 + [0.1] * 18)) == (said.format(2),)
    assert nulls_doubts(nulls([0.95] * 14 + [0.1] * 6)) == (said.format(14),)
    (one,) = nulls_doubts(nulls([0.95]))
    assert "do as well in the only try: " in one
    assert nulls_doubts(nulls([0.1])) == ()


def test_a_claim_that_is_not_supported_is_not_doubted() -> None:
    well = nulls([0.95] * 20)
    assert nulls_doubts(well)
    assert nulls_doubts(evolve(well, supported=False)) == ()


def test_what_is_not_told_apart_does_as_well() -> None:
    below = nulls([0.895, 0.85], half=0.01)
    assert (below.as_high, below.as_well) == (0, 1)
    assert nulls([0.895, 0.85], half=0.001).as_well == 0
    unbounded = Interval(0.3, -math.inf, math.inf)
    assert does_as_well(0.6, 0.9, unbounded, supported(above=0.7))


def test_what_is_better_is_what_the_belief_says() -> None:
    def told(null: float, expect: Expectation | None) -> bool:
        return does_as_well(null, CLAIM, ahead(null, 1e-6), expect)

    assert [told(null, None) for null in (0.8, 1.0)] == [False, True]
    assert [told(null, supported(above=0.7)) for null in (0.8, 1.0)] == [False, True]
    assert [told(null, refuted(below=0.95)) for null in (0.8, 1.0)] == [False, True]
    assert [told(null, supported(below=0.95)) for null in (0.8, 1.0)] == [True, False]
    middle = supported(above=0.6, below=1.1)  # 0.85, and the claim 0.05 above it
    wanted = {0.75: False, 0.83: True, 0.88: True, 0.95: False}
    assert {null: told(null, middle) for null in wanted} == wanted


@given(
    null=st.floats(-1, 2), claim=st.floats(-1, 2), half=st.floats(0, 0.5), bound=st.floats(-1, 2)
)
def test_a_far_bound_is_as_good_as_none(
    null: float, claim: float, half: float, bound: float
) -> None:
    apart = Interval(claim - null, claim - null - half, claim - null + half)

    def told(low: float | None, high: float | None) -> bool:
        return does_as_well(
            null, claim, apart, Expectation("supported", Belief("recovered", low, high, ""))
        )

    if abs(claim - null) > 1e-6 or half > 1e-6:
        assert told(bound, None) == told(bound, 1e6)
        assert told(None, bound) == told(-1e6, bound)


def test_undefined_nulls_are_counted_apart() -> None:
    found = nulls([math.nan, 0.95, math.nan, 0.95, 0.1], expect=supported(above=0.7))
    assert (found.tries, found.as_well, found.as_high, found.passing) == (3, 2, 2, 2)
    assert found.share.mean == pytest.approx(2 / 3)
    (said,) = nulls_doubts(found)
    assert "in 2 of 3 tries" in said
    words = nulls_in_words(found, supported(above=0.7))
    assert "2 of 3 nulls (and 2 of which loss recovered is undefined) do as well" in words
    assert "0.100 to 0.950" in words


def test_nothing_but_undefined_nulls() -> None:
    found = nulls([math.nan, math.nan])
    assert found.reason == "loss recovered is undefined for all 2"
    assert nulls_doubts(found) == ()
    assert nulls_in_words(found, None) == f"no nulls: {found.reason}"


TURNED = Convention(
    "paths pass through no MLP", Interval(0.4121, 0.3802, 0.4501), "refuted", turns=True, doubt=True
)


def test_a_convention_that_turns_the_verdict_is_a_doubt() -> None:
    said = "its verdict would be refuted (0.412 [0.380, 0.450]) with no path through MLPs"
    assert convention_doubts(None) == convention_doubts(()) == ()
    assert convention_doubts((TURNED,)) == (said,)
    assert convention_doubts((TURNED, TURNED)) == (said, said)
    assert convention_doubts((evolve(TURNED, doubt=False),)) == ()
    illegal = Convention(TURNED.name, None, None, turns=False, problem="not comparable: …")
    assert convention_doubts((illegal,)) == ()


def test_figures_of_conventions() -> None:
    zero = evolve(TURNED, recovered=Interval(-0.0001, -0.02, 0.02))
    (said,) = convention_doubts((zero,))
    assert "(0.000 [-0.020, 0.020])" in said
    unbounded = evolve(TURNED, recovered=Interval(0.5, -math.inf, math.inf))
    (said,) = convention_doubts((unbounded,))
    assert "(0.500 [unbounded])" in said
    close = evolve(TURNED, recovered=Interval(0.68, 0.66, 0.69999), bounds=(0.7, None))
    (said,) = convention_doubts((close,))
    assert "(0.68000 [0.66000, 0.69999])" in said  # refuted, and not up to 0.700
    undefined = evolve(TURNED, recovered=Interval(math.nan, -math.inf, math.inf))
    (said,) = convention_doubts((undefined,))
    assert "(undefined)" in said


def test_every_convention_has_words() -> None:
    for name in IN_WORDS:
        (said,) = convention_doubts((evolve(TURNED, name=name),))
        assert said.endswith(f" with {IN_WORDS[name]}")
