"""What a file may expect: bounds that are shares, and verdicts that are called."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from hypothesis import given
from hypothesis import strategies as st
from scrub import Claim, UserError, claim, inconclusive, refuted, supported, vacuous
from scrub.hypothesis.belief import Expectation

SHARE = "a bound is a share of what is at stake, with 1 for all of it. Write"
VERDICTS = [supported, refuted, inconclusive, vacuous]


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize(
    ("bound", "message"),
    [
        (70, f"=70): {SHARE} 0.7."),
        (5, f"=5): {SHARE} 0.05."),
        (100.0, f"=100.0): {SHARE} 1."),
        (-70, f"=-70): {SHARE} 0.7."),
        (1e300, f"=1e+300): {SHARE} 0.7."),
        (float("inf"), f"=inf): {SHARE} 0.7."),
        (float("nan"), f"=nan): {SHARE} 0.7."),
        (np.float32("nan"), f"=nan): {SHARE} 0.7."),
        ("0.7", "='0.7'): a bound is a number, such as 0.7."),
        (True, "=True): a bound is a number, such as 0.7."),
        (np.True_, "=True): a bound is a number, such as 0.7."),
        ([0.7], "=[0.7]): a bound is a number, such as 0.7."),
        (0.7j, "=0.7j): a bound is a number, such as 0.7."),
        (torch.tensor(0.7), "=tensor(0.7000)): a bound is a number, such as 0.7."),
    ],
)
def test_what_is_no_bound(verdict: Any, bound: Any, message: str) -> None:
    for name in ("above", "below"):
        with pytest.raises(UserError) as refused:
            verdict(**{name: bound})
        assert str(refused.value) == f"{verdict.__name__}({name}{message}"
    with pytest.raises(UserError) as refused:
        verdict(above="x", below=bound)
    assert len(refused.value.problems) == 2


@given(st.floats(-2, 2))
def test_a_share_is_a_bound_whatever_its_type(bound: float) -> None:
    for value in (bound, np.float64(bound), Fraction(bound)):
        assert bounds(supported(above=value)) == ("supported", bound, None)  # type: ignore[arg-type]
        assert bounds(refuted(below=value)) == ("refuted", bound, None)  # type: ignore[arg-type]
        assert bounds(refuted(above=value)) == ("refuted", None, bound)  # type: ignore[arg-type]
    assert bounds(supported(above=1)) == ("supported", 1.0, None)


def bounds(expect: Expectation) -> tuple[str, float | None, float | None]:
    return expect.verdict, expect.low, expect.high


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        (supported, "the function supported itself"),
        (refuted, "the function refuted itself"),
        (vacuous, "the function vacuous itself"),
        ("supported", "of type str"),
        (0.7, "of type float"),
        (True, "of type bool"),
        (np.zeros(3), "of type ndarray"),
    ],
)
def test_what_is_no_expectation(expect: Any, said: str) -> None:
    message = (
        f"expect= is {said}. Give supported(above=…), refuted(below=…), inconclusive(above=…) or "
        "vacuous()."
    )
    with pytest.raises(UserError) as refused:
        claim(data=1, metric=1, expect=expect)(lambda model: model)
    assert str(refused.value) == message
    with pytest.raises(UserError) as refused:
        Claim("name", lambda model: model, 1, 1, expect)
    assert str(refused.value) == message
