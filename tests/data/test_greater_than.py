"""Greater-than prompts: columns, positions, labels and changes, from the tokens alone."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub.data.dataset import Dataset, Recipe
from scrub.datasets import greater_than
from scrub.errors import UserError
from scrub.metrics import measure
from scrub.model.registry import EMBEDDED
from scrub.model.tokenizer import FileTokenizer, load_tokenizer, save_word_level
from support.paths import SHARED_MODELS

CHANGES = ("01", "yy", "century", "noun", "relation")
TEXT = re.compile(r"The (\w+) lasted (from|to) the year (\d\d) ?(\d\d) (from|to) the year (\d\d)")

arguments = st.fixed_dictionaries(
    {
        "relation": st.sampled_from(["greater", "less"]),
        "tied": st.booleans(),
        "seed": st.integers(0, 2**32),
    }
)


@pytest.fixture(scope="session")
def words() -> FileTokenizer:
    return load_tokenizer(EMBEDDED / "greater-planted")


@pytest.fixture(scope="session")
def gpt2() -> FileTokenizer:
    if not (SHARED_MODELS / "gpt2-tokenizer").is_dir():
        pytest.skip("shared/models/gpt2-tokenizer is not here")
    return load_tokenizer(SHARED_MODELS / "gpt2-tokenizer")


@pytest.fixture(scope="session", params=["words", "gpt2"])
def tokenizer(request: pytest.FixtureRequest) -> FileTokenizer:
    return request.getfixturevalue(request.param)


def read(data: Dataset, row: int) -> tuple[str, ...]:
    """Noun, first word, century, YY, second word, century: from the text of the tokens."""
    found = TEXT.fullmatch("".join(data.pieces[row]).strip())
    assert found is not None, data.pieces[row]
    return found.groups()


def years(data: Dataset, side: str, row: int, tokenizer: FileTokenizer) -> list[int]:
    """The set of years of some label columns of a row."""
    tokens = {int(data.labels[f"{side}_{i}"][row]) for i in range(99)}
    return sorted(int(text.strip()) for text in tokenizer.decode(sorted(tokens)))


@given(given_arguments=arguments)
@settings(deadline=None, max_examples=12)
def test_columns_positions_and_labels_say_what_the_tokens_say(
    tokenizer: FileTokenizer, given_arguments: dict
) -> None:
    data = greater_than.prompts(12, **given_arguments).make(tokenizer)
    assert data.columns.keys() == {"century", "yy", "noun"}
    assert data.positions.keys() == {"century1", "yy", "end"}
    for row in range(len(data)):
        noun, first, century, digits, second, again = read(data, row)
        yy = int(digits)
        columns = [data.columns[name][row] for name in ("noun", "century", "yy")]
        assert columns == [noun, int(century), yy]
        assert century == again
        assert 2 <= yy <= 98
        less = given_arguments["relation"] == "less"
        assert (first, second) == (("to", "from") if less else ("from", "to"))
        at = {name: data.pieces[row][index[row]].strip() for name, index in data.positions.items()}
        assert at == {"century1": century, "yy": digits, "end": century}
        assert data.positions["end"][row] == data.lengths[row] - 1
        assert data.positions["yy"][row] == data.positions["century1"][row] + 1
        right = range(yy) if less else range(yy + 1, 100)
        assert years(data, "right", row, tokenizer) == [*right]
        assert years(data, "wrong", row, tokenizer) == [y for y in range(100) if y not in right]
        if given_arguments["tied"]:
            assert (yy - 2) // 14 == int(century) - 11


@given(given_arguments=arguments, what=st.sampled_from(CHANGES))
@settings(deadline=None, max_examples=20)
def test_a_change_changes_what_it_names_alone(
    tokenizer: FileTokenizer, given_arguments: dict, what: str
) -> None:
    recipe = greater_than.prompts(10, **given_arguments)
    data, copy = (each.make(tokenizer) for each in (recipe, greater_than.changed(recipe, what)))
    assert (data.lengths == copy.lengths).all()
    parts = {"noun": {0}, "century": {2, 5}, "yy": {3}, "01": {3}, "relation": {1, 4}}[what]
    for row in range(len(data)):
        before, after = read(data, row), read(copy, row)
        assert {i for i in range(6) if before[i] != after[i]} == parts
        if what == "01":
            assert after[3] == "01"
            assert copy.columns["yy"][row] == 1
        if what in ("century", "noun"):
            same = years(data, "right", row, tokenizer)
            assert years(copy, "right", row, tokenizer) == same


@given(seed=st.integers(0, 2**32), what=st.sampled_from(CHANGES))
@settings(deadline=None, max_examples=10)
def test_rows_do_not_depend_on_their_number_and_changes_can_be_chained(
    words: FileTokenizer, seed: int, what: str
) -> None:
    def made(n: int) -> np.ndarray:
        recipe = greater_than.changed(greater_than.prompts(n, seed=seed), "noun")
        return greater_than.changed(recipe, what).make(words).inputs["tokens"]

    assert (made(5) == made(15)[:5]).all()
    recipe = greater_than.prompts(5, seed=seed)
    twice = greater_than.changed(greater_than.changed(recipe, "relation"), "relation")
    assert (twice.make(words).inputs["tokens"] == recipe.make(words).inputs["tokens"]).all()


def test_every_choice_is_as_often_drawn(words: FileTokenizer) -> None:
    data = greater_than.prompts(4_850, seed=1).make(words)
    for name, choices in (("century", 7), ("yy", 97), ("noun", len(greater_than.NOUNS))):
        counts = np.unique(data.columns[name], return_counts=True)[1]
        expected = len(data) / choices
        assert len(counts) == choices
        assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all(), name
    assert abs(np.corrcoef(data.columns["century"], data.columns["yy"])[0, 1]) < 0.06
    other = greater_than.changed(greater_than.prompts(1_500, seed=1), "yy").make(words)
    assert len(np.unique(other.columns["yy"])) == 97


def test_only_years_that_gpt2_splits_are_drawn(gpt2: FileTokenizer) -> None:
    """All of 16 and 17, all but one of 12 and 14, half of 11, as the tokenizer itself says."""
    expected = {11: 54, 12: 96, 14: 96, 16: 97, 17: 97}
    for century, number in expected.items():
        data = greater_than.prompts(2_500, centuries=(century,)).make(gpt2)
        found = np.unique(data.columns["yy"])
        split = [
            yy
            for yy in range(2, 99)
            if gpt2.decode(gpt2.encode(f" {century}{yy:02d}")) == [f" {century}", f"{yy:02d}"]
        ]
        assert (len(found), found.tolist()) == (number, split)


def test_the_metric_is_one_where_all_is_right_and_falls_with_what_is_wrong(
    words: FileTokenizer,
) -> None:
    import torch

    from scrub.data.dataset import Rows

    data = greater_than.prompts(50, seed=4).make(words)
    rows = Rows(data, np.arange(50))
    uniform = torch.zeros(50, 1, 1, words.backend.get_vocab_size())
    found = measure(greater_than.difference(), uniform, rows)
    yy = data.columns["yy"]
    size = words.backend.get_vocab_size()
    assert found == pytest.approx((99 - yy - (yy + 1)) / size)
    sure = uniform.clone()
    sure[:, 0, 0, words.encode("99")[0]] = 100
    assert measure(greater_than.difference(), sure, rows) == pytest.approx(np.ones(50))
    less = greater_than.prompts(50, seed=4, relation="less").make(words)
    assert measure(
        greater_than.difference("less"), sure, Rows(less, np.arange(50))
    ) == pytest.approx(-np.ones(50))


def test_a_behaviour_says_what_it_is_about() -> None:
    one = greater_than.behaviour(9, relation="less", tied=True, name="less")
    assert one.says == "The model gives years before YY more probability than all others."
    assert one.data.name == "9 less-than prompts, century and YY tied, seed 0"
    assert one.metric.name == "P(< YY) − P(>= YY)"
    assert greater_than.behaviour(9).metric.recomputable


def test_bad_input_is_refused_in_a_sentence_each(words: FileTokenizer) -> None:
    with pytest.raises(UserError) as refused:
        greater_than.prompts(
            0,
            relation="grater",  # type: ignore[arg-type]
            seed=-1,
            centuries=(),
            nouns="war",
        )
    assert [str(problem) for problem in refused.value.problems] == [
        "greater_than.prompts: there is no relation 'grater'. The nearest is \"greater\"; "
        "there are: greater, less.",
        "greater_than.prompts: n is 0. Give a whole number, 1 or more.",
        "greater_than.prompts: seed is -1. Give a whole number, 0 or more.",
        "greater_than.prompts: centuries is (). Give a list of one or more, such as (16, 17).",
        "greater_than.prompts: nouns is 'war'. Give a list of one or more, such as "
        '("war", "siege").',
    ]
    with pytest.raises(UserError, match="They are the first two digits of a year: 10 to 99"):
        greater_than.prompts(3, centuries=(1700,))
    with pytest.raises(UserError, match=r"there is no change 'centry'. The nearest is \"century\""):
        greater_than.changed(greater_than.prompts(3), "centry")  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"is not a recipe of greater_than\.prompts"):
        greater_than.changed(Recipe("others", lambda _: None), "01")  # type: ignore[arg-type]
    alone = greater_than.prompts(3, centuries=(17,), nouns=("war",))
    with pytest.raises(UserError, match="some rows have no other century with the same YY"):
        greater_than.changed(alone, "century").make(words)
    with pytest.raises(UserError, match="there is no other noun"):
        greater_than.changed(alone, "noun").make(words)


def test_tokenizers_without_such_words_are_refused(
    words: FileTokenizer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = save_word_level(tmp_path_factory.mktemp("other"), ["The", "war", "17"], 12)
    with pytest.raises(UserError, match=r"no token of its own for 99 of the 100 pairs of digits"):
        greater_than.prompts(3).make(other)
    whole = save_word_level(tmp_path_factory.mktemp("whole"), greater_than.vocabulary(), 12)
    with pytest.raises(UserError, match=r"does not split years of the centuries 16, 17 into"):
        greater_than.prompts(3, centuries=(16, 17)).make(whole)
    with pytest.raises(UserError, match=r"none of the nouns is one token in .*: brouhaha, wars"):
        greater_than.prompts(3, nouns=("brouhaha", "wars")).make(words)


def test_centuries_that_gpt2_does_not_split_are_named(gpt2: FileTokenizer) -> None:
    with pytest.raises(UserError, match=r"the centuries 10, 19 into the century and YY"):
        greater_than.prompts(3, centuries=(10, 17, 19)).make(gpt2)
