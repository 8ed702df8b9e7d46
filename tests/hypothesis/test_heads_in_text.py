"""Heads as texts: what the command line and reports write, taken where pairs are."""

from __future__ import annotations

import pytest

import scrub
from hypothesis import given
from hypothesis import strategies as st
from scrub import Circuit, heads
from scrub.errors import UserError
from scrub.model.registry import describe
from scrub.sweeps.senders import named_senders

PAIRS = st.lists(st.tuples(st.integers(0, 120), st.integers(0, 120)), min_size=1, max_size=6)


@given(PAIRS, st.data())
def test_texts_and_pairs_are_the_same_heads(
    pairs: list[tuple[int, int]], data: st.DataObject
) -> None:
    mixed = [data.draw(st.sampled_from([pair, f"{pair[0]}.{pair[1]}"])) for pair in pairs]
    line = ", ".join(f"{layer}.{head}" for layer, head in pairs)
    assert heads(mixed) == heads(line) == heads([line]) == heads(pairs)


def test_trailing_zeros_count() -> None:
    """Head 10 of layer 9 is not head 1."""
    assert heads("9.10") == heads([(9, 10)]) != heads("9.1")


@pytest.mark.parametrize(
    "text", ["9", "9.", ".9", "9.9.9", "a.b", "9,9", "-1.0", "9.9;9.6", "", "１.２"]
)
def test_other_texts_are_refused_with_what_to_write(text: str) -> None:
    for given_ in (text, [text], [(1, 0), text]):
        with pytest.raises(UserError, match=r'is no head\. Give a list .* or heads\(\["1\.0"\]\)'):
            heads(given_)  # type: ignore[arg-type]


def test_wherever_heads_are_given() -> None:
    of_texts = Circuit.of(heads(["3.0", "3.1"], at="end"))
    assert of_texts == Circuit.of(heads([(3, 0), (3, 1)], at="end"))
    edits = scrub.zero(heads("3.0")), scrub.zero(heads([(3, 0)]))
    assert str(edits[0]) == str(edits[1])


def test_senders_are_heads_in_a_list_of_texts() -> None:
    model = describe("ioi-planted")
    one, other = (named_senders(given_, model) for given_ in (["3.0", "3.1"], [(3, 0), (3, 1)]))
    assert one == other
