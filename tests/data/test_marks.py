"""Rows of three tasks: columns, positions and changes, from the tokens alone."""

from __future__ import annotations

import numpy as np
import pytest

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub.data.dataset import Dataset, Recipe
from scrub.datasets import marks
from scrub.errors import UserError
from scrub.model.registry import EMBEDDED
from scrub.model.tokenizer import FileTokenizer, load_tokenizer, save_word_level

WORDS = load_tokenizer(EMBEDDED / "marks-shared")
ALL = st.sampled_from(list(marks.TASKS))
SEEDS = st.integers(0, 2**32)


def made(recipe: Recipe) -> Dataset:
    return recipe.make(WORDS)


def texts(data: Dataset) -> list[list[str]]:
    return [[piece.strip() for piece in row] for row in data.pieces]


def solved(row: list[str]) -> str:
    """The answer, from the row alone."""
    mark, beside = {"a": ("*", 1), "b": ("*", -1), "c": ("#", -1)}[row[-1]]
    return row[row.index(mark) + beside]


@given(task=ALL, seed=SEEDS, what=st.sampled_from(["marks", "words", "task"]))
@settings(deadline=None, max_examples=30)
def test_columns_say_what_the_tokens_say(task: str, seed: int, what: str) -> None:
    recipe = marks.rows(40, task, seed=seed)
    data, copy = made(recipe), made(marks.changed(recipe, what))
    for i, (row, other) in enumerate(zip(texts(data), texts(copy), strict=True)):
        words = row[1:-1:2]
        assert len({*words}) == len(words) == 6
        assert {*words} <= {*marks.WORDS}
        assert sorted(row[2:-1:2]) == sorted(["*", "#", ",", ",", ","])
        assert row[0] == "start"
        assert len({solved([*row[:-1], each]) for each in marks.TASKS}) == 3
        at = {name: int(index[i]) for name, index in data.positions.items()}
        assert (row[at["star"]], row[at["hash"]], row[at["end"]]) == ("*", "#", task)
        assert (at["star+1"], at["star-1"]) == (at["star"] + 1, at["star"] - 1)
        assert at["hash-1"] == at["hash"] - 1
        answer = solved(row)
        assert row[at["answer"]] == answer == data.columns["answer"][i]
        assert (data.columns["star"][i], data.columns["hash"][i]) == (
            at["star"] // 2,
            at["hash"] // 2,
        )
        assert WORDS.decode([data.labels["answer"][i]])[0].strip() == answer
        assert WORDS.decode([data.labels[f"if {what}"][i]])[0].strip() == solved(other) != answer
        differ = [one != two for one, two in zip(row, other, strict=True)]
        free = {"marks": range(2, 12, 2), "words": range(1, 12, 2), "task": [12]}[what]
        assert {place for place, changed in enumerate(differ) if changed} <= {*free}
        if what != "marks":
            assert sum(differ) == len(free)


@given(seed=SEEDS)
@settings(deadline=None, max_examples=10)
def test_rows_of_two_tasks_differ_in_the_last_token_and_rows_do_not_depend_on_their_number(
    seed: int,
) -> None:
    a, b = (made(marks.rows(20, task, seed=seed)).inputs["tokens"] for task in "ab")
    assert (a[:, :-1] == b[:, :-1]).all()
    assert (a[:, -1] != b[:, -1]).all()
    assert (made(marks.rows(7, "a", seed=seed)).inputs["tokens"] == a[:7]).all()


def test_every_place_is_drawn_as_often_and_moved_to_as_often() -> None:
    recipe = marks.rows(12_000, "a", seed=1)
    data, copy = made(recipe), made(marks.changed(recipe, "marks"))
    counts = [
        np.unique(which.columns["star"] * 10 + which.columns["hash"], return_counts=True)[1]
        for which in (data, copy)
    ]
    assert len(counts[0]) == len(counts[1]) == 12
    assert (np.abs(counts[0] - 1_000) < 5 * np.sqrt(1_000)).all()


def test_a_behaviour_says_what_it_is_about() -> None:
    behaviour = marks.behaviour("c", 9, corrupt="task", model="marks-separate")
    assert (behaviour.name, behaviour.says) == ("c", "The model answers the word before the hash.")
    assert marks.behaviour("c", 9, name="hash").name == "hash"
    assert made(behaviour.data).name == "9 rows, task c, seed 0"


def test_bad_input_is_refused_in_a_sentence() -> None:
    with pytest.raises(UserError) as refused:
        marks.rows(0, "d", seed=-1)  # type: ignore[arg-type]
    assert [str(problem) for problem in refused.value.problems] == [
        "marks.rows: there is no task 'd'. There are: a, b, c.",
        "marks.rows: n is 0. Give a whole number, 1 or more.",
        "marks.rows: seed is -1. Give a whole number, 0 or more.",
    ]
    with pytest.raises(UserError, match=r"there is no change 'mark'\. The nearest is \"marks\""):
        marks.changed(marks.rows(3, "a"), "mark")  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"is not a recipe of marks\.rows"):
        marks.changed(Recipe("others", made), "marks")


def test_a_model_without_these_words_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    other: FileTokenizer = save_word_level(
        tmp_path_factory.mktemp("other"), [*marks.vocabulary()[:-1], "end"], 13
    )
    with pytest.raises(UserError, match=r"has no token of its own for start\. Use a model"):
        marks.rows(3, "a").make(other)
