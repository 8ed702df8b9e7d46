"""Prompts with a pause: every position is read off the text of the same prompt without it."""

from __future__ import annotations

from typing import Any

import pytest

from hypothesis import given, settings
from hypothesis import strategies as st
from oracle.ioi_parser import spelled
from scrub.datasets import ioi
from scrub.errors import UserError
from scrub.model.tokenizer import FileTokenizer, load_tokenizer, save_word_level
from support.paths import SHARED_MODELS

ROWS = 60
PAUSE = "on a warm day"


@pytest.fixture(scope="module", params=["words", "gpt2"])
def tokenizer(request: Any, tmp_path_factory: pytest.TempPathFactory) -> FileTokenizer:
    if request.param == "words":
        return save_word_level(tmp_path_factory.mktemp("words"), ioi.vocabulary(), 64)
    if not (SHARED_MODELS / "gpt2-tokenizer").is_dir():
        pytest.skip("shared/models/gpt2-tokenizer is not here")
    return load_tokenizer(SHARED_MODELS / "gpt2-tokenizer")


@given(seed=st.integers(0, 2**32), prefixes=st.integers(0, 9), flip=st.sampled_from(["", "both"]))
@settings(deadline=None, max_examples=10)
def test_nothing_but_the_pause_differs(
    tokenizer: FileTokenizer, seed: int, prefixes: int, flip: Any
) -> None:
    recipes = [
        ioi.prompts(ROWS, seed=seed, prefixes=prefixes, pause=pause) for pause in (PAUSE, "")
    ]
    paused, plain = [
        (ioi.flip(recipe, flip) if flip else recipe).make(tokenizer) for recipe in recipes
    ]
    assert (paused.lengths == plain.lengths + 4).all()
    for row in range(ROWS):
        words = spelled(paused, row)
        at = next(i for i in range(len(words)) if words[i : i + 4] == PAUSE.split())
        assert words[:at] + words[at + 4 :] == spelled(plain, row)
        assert words[at + 4] == ","
        assert {*words[:at]} >= {paused.columns["io"][row], paused.columns["s"][row]}
        for name in ("io", "s1", "s1+1", "start"):
            assert paused.positions[name][row] == plain.positions[name][row]
        for name in ("s2", "end"):
            assert paused.positions[name][row] == plain.positions[name][row] + 4
    for column in ("io", "s", "s2", "order", "template", "object", "place", "s2_to_end"):
        assert (paused.columns[column] == plain.columns[column]).all()
    assert (paused.columns["io_to_end"] == plain.columns["io_to_end"] + 4).all()


def test_a_pause_is_words_and_the_name_says_it() -> None:
    assert (
        ioi.prompts(9, pause=PAUSE).name
        == f'9 ioi prompts, mixed order, seed 0, "{PAUSE}" before S2'
    )
    assert ioi.prompts(9).arguments == ioi.prompts(9, pause="").arguments
    for wrong in (" late", "late, in", 3, "late  in"):
        with pytest.raises(UserError, match=r"ioi\.prompts: pause is .* Give words with a space"):
            ioi.prompts(9, pause=wrong)  # type: ignore[arg-type]
