"""The nearest valid name: said where it is near, and only there."""

from __future__ import annotations

import pytest

from hypothesis import given
from hypothesis import strategies as st
from scrub.errors import LISTED, did_you_mean, nearest

NAMES = ["template", "io", "s", "end", "name mover", "io_is_first"]


@pytest.mark.parametrize(
    ("written", "near"),
    [
        ("tempalte", "template"),
        ("Template", "template"),
        ("name movers", "name mover"),
        ("end_position", "end"),
        ("IO", "io"),
        ("subject", None),
        ("colour", None),
        ("x", None),
        ("", None),
    ],
)
def test_only_what_is_near_is_named(written: str, near: str | None) -> None:
    assert nearest(written, NAMES) == near
    listed = f"here are: {', '.join(NAMES)}."
    said = f'The nearest is "{near}"; t{listed}' if near else f"T{listed}"
    assert did_you_mean(written, NAMES) == said


def test_a_common_beginning_makes_no_name_near() -> None:
    assert nearest("hypotheses/colours.py", ["hypotheses/ioi_claim3.py"]) is None
    assert nearest("hypotheses/ioi_claim.py", ["hypotheses/ioi_claim3.py"]) is not None
    assert nearest("blocks.0.attn.banana", ["blocks.0.attn.z", "blocks.0.mlp"]) is None
    assert nearest("blocks.0.attn.zz", ["blocks.0.mlp", "blocks.0.attn.z"]) == "blocks.0.attn.z"


def test_of_many_the_first_are_listed_or_the_closest() -> None:
    many = [f"{letter}{digit}" * 4 for letter in "abcdef" for digit in range(9)]
    far = did_you_mean("zzzz", many)
    assert far == f"There are 54: {', '.join(many[:LISTED])}, …"
    near = did_you_mean("a0a0a0a1", many)
    assert near.startswith('The nearest is "a0a0a0a0"; there are 54, and the closest are: a0a0a0a0')
    assert near.count(",") < 10


@given(st.lists(st.text(min_size=1), min_size=1, unique=True), st.data())
def test_a_valid_name_is_nearest_to_itself(names: list[str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(names))
    assert nearest(name, names).lower() == name.lower()  # type: ignore[union-attr]
