"""Rows in which the last token was there before: columns and laws, from the tokens alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub.datasets import ioi, repeats
from scrub.errors import UserError
from scrub.model.tokenizer import FileTokenizer, save_word_level

arguments = st.fixed_dictionaries(
    {"seed": st.integers(0, 2**32), "length": st.integers(3, 20), "n": st.integers(1, 50)}
)
kinds = st.sampled_from([ioi.NAMES, ioi.OBJECTS, 60])


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> FileTokenizer:
    return save_word_level(tmp_path_factory.mktemp("words"), ioi.vocabulary(), 64)


@given(given_arguments=arguments, of=kinds)
@settings(deadline=None, max_examples=30)
def test_only_the_last_token_was_there_before(
    words: FileTokenizer, given_arguments: dict[str, Any], of: Any
) -> None:
    n = given_arguments.pop("n")
    once, twice = (
        repeats.sequences(n, of, repeated=repeated, **given_arguments).make(words)
        for repeated in (False, True)
    )
    for row in range(n):
        end = twice.positions["second"][row]
        first = twice.positions["first"][row]
        plain, again = (data.inputs["tokens"][row, : end + 1].tolist() for data in (once, twice))
        assert plain[:-1] == again[:-1]
        assert len({*plain}) == end + 1
        assert again.index(again[-1]) == first
        assert twice.positions["first+1"][row] == first + 1 < end
        assert twice.columns["distance"][row] == end - first
        assert twice.lengths[row] == end + 1 <= given_arguments["length"]
        assert words.pad not in again
        if isinstance(of, tuple):
            assert {piece.strip() for piece in twice.pieces[row]} <= {*of}
        else:
            assert max(again) < of
    for name in once.positions:
        assert (once.positions[name] == twice.positions[name]).all()


def test_distances_and_tokens_are_spread_evenly(words: FileTokenizer) -> None:
    data = repeats.sequences(6_000, 60, length=9, seed=1).make(words)
    counts = np.bincount(data.columns["distance"], minlength=9)[2:]
    assert (np.abs(counts - 6_000 / 7) < 5 * np.sqrt(6_000 / 7)).all()
    tokens = np.bincount(data.inputs["tokens"][:, 0], minlength=60)[1:]
    assert (np.abs(tokens - 6_000 / 59) < 5 * np.sqrt(6_000 / 59)).all()


def test_it_is_the_same_table_each_time(words: FileTokenizer) -> None:
    recipe = repeats.sequences(20, ioi.NAMES, seed=4)
    assert recipe.make(words).sha256 == recipe.make(words).sha256
    assert recipe.make(words).sha256 != repeats.sequences(20, ioi.NAMES, seed=5).make(words).sha256
    assert recipe.name == f"20 rows of random words, of {len(ioi.NAMES)}, one of them twice, seed 4"


def test_bad_input_is_refused_in_a_sentence(words: FileTokenizer) -> None:
    with pytest.raises(UserError) as refused:
        repeats.sequences(0, "abc", length=2)  # type: ignore[arg-type]
    assert [str(problem) for problem in refused.value.problems] == [
        "repeats.sequences: n is 0. Give a whole number, 1 or more.",
        "repeats.sequences: length is 2. Give a whole number, 3 or more.",
        "repeats.sequences: of is 'abc'. Give a list of words.",
    ]
    few = repeats.sequences(3, ["ring", "bone", "unheard"], length=5)
    with pytest.raises(UserError, match=r"2 tokens of .* can be drawn, and a row needs 6"):
        few.make(words)
