"""Prompts that compare: columns, positions and changes, from the words alone."""

from __future__ import annotations

import numpy as np
import pytest

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub.data.dataset import Dataset, Recipe
from scrub.datasets import comparisons
from scrub.errors import UserError
from scrub.model.registry import EMBEDDED
from scrub.model.tokenizer import load_tokenizer, save_word_level
from support.paths import SHARED_MODELS

WORDS = load_tokenizer(EMBEDDED / "comparisons-planted")
KINDS = st.sampled_from(list(comparisons.CHANGES))
SEEDS = st.integers(0, 2**32)
OPPOSITES = {word: other for a, b, _, _ in comparisons.SCALES for word, other in ((a, b), (b, a))}
ASKS = {
    comparative: word for a, b, x, y in comparisons.SCALES for comparative, word in ((x, a), (y, b))
}


def made(recipe: Recipe) -> Dataset:
    return recipe.make(WORDS)


def texts(data: Dataset) -> list[list[str]]:
    return [[piece.strip() for piece in row] for row in data.pieces]


def solved(row: list[str]) -> str:
    """The answer, from the words alone."""
    if row[:3] == ["The", "opposite", "of"]:
        return OPPOSITES[row[3]]
    if row[-3:-1] == ["to", "act"]:
        sentence = 0 if row[-4] == "first" else row.index("Then") + 1
        return row[sentence]
    return row[row.index(ASKS[row[-3]]) - 2]


def differ(one: list[str], other: list[str]) -> set[int]:
    return {at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b}


@given(kind=KINDS, seed=SEEDS)
@settings(deadline=None, max_examples=20)
def test_columns_say_what_the_words_say(kind: str, seed: int) -> None:
    data = made(comparisons.prompts(30, kind=kind, seed=seed))  # type: ignore[arg-type]
    for i, row in enumerate(texts(data)):
        at = {name: int(index[i]) for name, index in data.positions.items()}
        has = {name: column[i] for name, column in data.columns.items()}
        assert has["answer"] == solved(row)
        assert WORDS.decode([data.labels["answer"][i]])[0].strip() == has["answer"]
        assert WORDS.decode([data.labels["wrong"][i]])[0].strip() == has["wrong"]
        assert at["end"] == len(row) - 1
        assert row[at["word1"]] == has["word1"]
        if kind == "antonyms":
            assert has["wrong"] == has["word1"]
            assert data.positions.keys() == {"word1", "end"}
            continue
        for column in ("name1", "name2", "word2", "question", "answer", "wrong"):
            assert row[at[column]] == has[column]
        assert {has["answer"], has["wrong"]} == {has["name1"], has["name2"]}
        first = has["order"] == "first"
        assert at["answer"] == at["name1" if first else "name2"]
        assert (at["asked"], at["other"]) == tuple(
            at[name] for name in (("word1", "word2") if first else ("word2", "word1"))
        )
        if kind == "acts":
            assert (row[at["object1"]], row[at["object2"]]) == (has["name2"], has["name1"])
            assert has["word1"] != has["word2"]
        else:
            assert has["word2"] == OPPOSITES[has["word1"]]


CHANGED = {
    ("antonyms", "adjectives"): ({"word1"}, "other"),
    ("antonyms", "scale"): ({"word1"}, "new"),
    ("adjectives", "names"): ({"name1", "name2"}, "other"),
    ("adjectives", "adjectives"): ({"word1", "word2"}, "other"),
    ("adjectives", "order"): ({"name1", "name2", "word1", "word2"}, "same"),
    ("adjectives", "question"): ({"question"}, "other"),
    ("adjectives", "scale"): ({"word1", "word2", "question"}, "same"),
    ("acts", "names"): ({"name1", "name2", "object1", "object2"}, "other"),
    ("acts", "order"): ({"name1", "name2", "object1", "object2", "word1", "word2"}, "other"),
    ("acts", "question"): ({"question"}, "other"),
    ("acts", "verbs"): ({"word1", "word2"}, "same"),
}


@given(case=st.sampled_from(list(CHANGED)), seed=SEEDS)
@settings(deadline=None, max_examples=30)
def test_a_change_changes_what_it_names_and_nothing_else(case: tuple[str, str], seed: int) -> None:
    (kind, what), (places, answer) = case, CHANGED[case]
    recipe = comparisons.prompts(20, kind=kind, seed=seed)  # type: ignore[arg-type]
    data, copy = made(recipe), made(comparisons.changed(recipe, what))  # type: ignore[arg-type]
    for i, (row, other) in enumerate(zip(texts(data), texts(copy), strict=True)):
        assert differ(row, other) == {int(data.positions[place][i]) for place in places}
        right, wrong = data.columns["answer"][i], data.columns["wrong"][i]
        assert copy.columns["answer"][i] == solved(other)
        if answer == "new":
            assert solved(other) not in (right, wrong)
        else:
            assert solved(other) == {"same": right, "other": wrong}[answer]


@given(kind=st.sampled_from(["adjectives", "acts"]), one=st.booleans(), seed=SEEDS)
@settings(deadline=None, max_examples=10)
def test_a_fresh_name_is_neither_of_the_two(kind: str, one: bool, seed: int) -> None:
    name = "name1" if one else "name2"
    recipe = comparisons.prompts(20, kind=kind, seed=seed)  # type: ignore[arg-type]
    data, copy = made(recipe), made(comparisons.changed(recipe, name))  # type: ignore[arg-type]
    stays = "name2" if one else "name1"
    assert (data.columns[stays] == copy.columns[stays]).all()
    for taken in ("name1", "name2"):
        assert (copy.columns[name] != data.columns[taken]).all()
    for column in ("word1", "word2", "question", "order"):
        assert (data.columns[column] == copy.columns[column]).all()


@pytest.mark.parametrize("kind", comparisons.CHANGES)
def test_rows_do_not_depend_on_their_number_and_swaps_undo_themselves(kind: str) -> None:
    recipe = comparisons.prompts(20, kind=kind, seed=3)  # type: ignore[arg-type]
    rows = made(recipe).inputs["tokens"]
    fewer = made(comparisons.prompts(7, kind=kind, seed=3)).inputs["tokens"]  # type: ignore[arg-type]
    assert (fewer == rows[:7]).all()
    for what in {"names", "adjectives", "order", "question"} & set(comparisons.CHANGES[kind]):
        once = comparisons.changed(recipe, what)  # type: ignore[arg-type]
        assert (made(comparisons.changed(once, what)).inputs["tokens"] == rows).all()  # type: ignore[arg-type]


def test_choices_are_uniform_and_independent() -> None:
    data = made(comparisons.prompts(12_000, seed=1))
    pairs = [f"{a} {b}" for a, b in zip(data.columns["scale"], data.columns["order"], strict=True)]
    pairs = [f"{a} {b}" for a, b in zip(pairs, data.columns["question"], strict=True)]
    counts = np.unique(pairs, return_counts=True)[1]
    assert len(counts) == 16
    assert (np.abs(counts - 750) < 5 * np.sqrt(750)).all()
    names = np.unique(data.columns["name1"] + data.columns["name2"], return_counts=True)[1]
    assert len(names) == 30
    assert (np.abs(names - 400) < 5 * np.sqrt(400)).all()


def test_gpt2_knows_all_of_it_in_one_token_each() -> None:
    if not (SHARED_MODELS / "gpt2-tokenizer").is_dir():
        pytest.skip(f"there is no gpt2-tokenizer in {SHARED_MODELS}")
    gpt2 = load_tokenizer(SHARED_MODELS / "gpt2-tokenizer")
    for kind in comparisons.CHANGES:
        recipe = comparisons.prompts(10, kind=kind)  # type: ignore[arg-type]
        theirs, ours = recipe.make(gpt2), made(recipe)
        assert theirs.name == ours.name
        assert texts(theirs) == texts(ours)
        assert all((theirs.positions[at] == ours.positions[at]).all() for at in ours.positions)


def test_bad_input_is_refused_in_a_sentence_each() -> None:
    with pytest.raises(UserError) as refused:
        comparisons.prompts(0, kind="adjective", seed=-1, names="Ann")  # type: ignore[arg-type]
    assert [str(problem) for problem in refused.value.problems] == [
        "comparisons.prompts: there is no kind 'adjective'. The nearest is \"adjectives\"; there "
        "are: adjectives, antonyms, acts.",
        "comparisons.prompts: n is 0. Give a whole number, 1 or more.",
        "comparisons.prompts: seed is -1. Give a whole number, 0 or more.",
        "comparisons.prompts: names is 'Ann'. Give a list of names.",
    ]
    acts = comparisons.prompts(3, kind="acts")
    with pytest.raises(UserError, match="there is no change 'adjectives' of acts"):
        comparisons.changed(acts, "adjectives")
    with pytest.raises(UserError, match=r"is not a recipe of comparisons\.prompts"):
        comparisons.changed(Recipe("others", made), "names")
    with pytest.raises(UserError, match=r"1 of 1 names .* these prompts need 2"):
        made(comparisons.prompts(3, names=["Ann"]))


def test_words_that_the_tokenizer_lacks_are_left_out_and_named(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    def without(*lacking: str) -> object:
        known = [word for word in comparisons.vocabulary() if word not in lacking]
        return save_word_level(tmp_path_factory.mktemp("other"), known, 14)

    data = comparisons.prompts(50).make(without("taller", "Bob"))  # type: ignore[arg-type]
    assert data.name == "50 adjectives prompts, seed 0, without Bob, tall/short"
    assert not {"tall", "short", "taller", "shorter", "Bob"} & {
        w for row in texts(data) for w in row
    }
    with pytest.raises(UserError) as refused:
        comparisons.prompts(3).make(without(*comparisons.NAMES[1:]))  # type: ignore[arg-type]
    assert "1 of 6 names are made of words that are one token" in str(refused.value)
    assert "these prompts need 2. Left out: Bob (not in its vocabulary), Jane" in str(refused.value)


def test_a_behaviour_says_what_it_is_about() -> None:
    behaviour = comparisons.behaviour(9, kind="acts", model="comparisons-value")
    assert behaviour.name == "acts"
    assert made(behaviour.data).name == "9 acts prompts, seed 0"
    assert comparisons.behaviour(9, name="who").name == "who"
