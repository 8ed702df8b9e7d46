"""Sequences: what their rows hold, what changes change, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from attrs import frozen

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub.data.dataset import Dataset
from scrub.datasets import sequences
from scrub.errors import UserError
from scrub.model.tokenizer import FileTokenizer, load_tokenizer, word_level
from support.paths import ROOT

GPT2 = ROOT.parent / "shared" / "models" / "gpt2-tokenizer"
CHANGES = ("shuffled", "repeated", "random", "kind")


def tokenizer(without: tuple[str, ...] = ()) -> FileTokenizer:
    words = [word for word in sequences.vocabulary() if word not in without]
    return FileTokenizer("ours", 0, word_level(words), "WordLevel")


OURS = tokenizer()


@frozen(eq=False)
class Row:
    """A row, read from its tokens alone."""

    members: list[int]
    kind: str
    next: str
    last: str
    wrong: str


def read(data: Dataset, row: int) -> Row:
    texts = [piece.strip() for piece in data.pieces[row]]
    spelled = [texts[data.positions[f"member{at}"][row]] for at in (1, 2, 3)]
    (kind,) = {kind for kind, words in sequences.KINDS.items() if spelled[0] in words}
    members = [sequences.KINDS[kind].index(word) + 1 for word in spelled]
    labels = (OURS.decode([data.labels[name][row]])[0].strip() for name in data.labels)
    return Row(members, kind, *labels)


recipes = st.builds(
    sequences.prompts,
    st.integers(1, 12),
    kinds=st.lists(st.sampled_from([*sequences.KINDS]), min_size=1, max_size=3),
    directions=st.lists(st.sampled_from(["up", "down", "repeat"]), min_size=1, max_size=3),
    steps=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    gaps=st.integers(0, 2),
    seed=st.integers(0, 1_000),
)


@settings(max_examples=25)
@given(recipes)
def test_a_row_says_its_sequence(recipe: Any) -> None:
    data = recipe.make(OURS)
    for row in range(len(data)):
        found = read(data, row)
        step = int(data.columns["step"][row])
        sign = {"up": 1, "down": -1, "repeat": 0}[data.columns["direction"][row]]
        assert (step == 0) == (sign == 0)
        first = found.members[0]
        assert found.members == [first, first + sign * step, first + 2 * sign * step]
        words = sequences.KINDS[found.kind]
        assert found.kind == data.columns["kind"][row]
        assert data.columns["start"][row] == words[first - 1]
        assert found.next == words[first + 3 * sign * step - 1]
        assert found.last == words[found.members[2] - 1]
        assert found.wrong in words
        assert found.wrong != found.next
        if sign:
            assert found.wrong == words[found.members[1] - 1]
        texts = [piece.strip() for piece in data.pieces[row]]
        nouns = [texts[data.positions[f"noun{at}"][row]] for at in (1, 2, 3, 4)]
        assert len({*nouns}) == 4
        assert {*nouns} <= {*sequences.NOUNS}
        assert data.positions["end"][row] == data.lengths[row] - 1
        assert texts[-1] == "in"


@settings(max_examples=25)
@given(recipes, st.sampled_from(CHANGES))
def test_a_change_changes_members_alone(recipe: Any, what: Any) -> None:
    if what in ("shuffled", "repeated") and "repeat" in recipe.arguments["directions"]:
        with pytest.raises(UserError, match="may repeat themselves"):
            sequences.changed(recipe, what)
        return
    data, after = recipe.make(OURS), sequences.changed(recipe, what).make(OURS)
    differs = data.inputs["tokens"] != after.inputs["tokens"]
    for name, positions in data.positions.items():
        assert np.array_equal(positions, after.positions[name])
    for row in range(len(data)):
        found, then = read(data, row), read(after, row)
        at = {int(data.positions[f"member{number}"][row]) for number in (1, 2, 3)}
        where = {*np.flatnonzero(differs[row]).tolist()}
        assert where
        assert where <= at
        kept = (then.next, then.wrong) == (found.next, found.wrong)
        match what:
            case "shuffled":
                assert sorted(then.members) == sorted(found.members)
                assert then.members not in (found.members, found.members[::-1])
                assert kept
            case "repeated":
                assert then.members == found.members[2:] * 3
                assert kept
            case "random":
                assert len(where) == 1
                assert then.kind == found.kind
                assert kept
            case "kind":
                assert then.members == found.members
                assert then.kind != found.kind
                assert where == at
                assert not kept


@settings(max_examples=25)
@given(recipes, st.integers(0, 4))
def test_rows_do_not_depend_on_how_many_there_are(recipe: Any, more: int) -> None:
    n = recipe.arguments["n"]
    longer = sequences.prompts(n + more, **named(recipe)).make(OURS)
    data = recipe.make(OURS)
    assert data.pieces == longer.pieces[:n]
    assert recipe.make(OURS).sha256 == data.sha256


@settings(max_examples=25)
@given(recipes, st.integers(0, 2))
def test_gaps_move_words_and_change_none(recipe: Any, gaps: int) -> None:
    def without(data: Dataset) -> list[list[str]]:
        fillers = {" again", " early", " late", " today"}
        return [[piece for piece in row if piece not in fillers] for row in data.pieces]

    other = sequences.prompts(recipe.arguments["n"], **(named(recipe) | {"gaps": gaps}))
    assert without(recipe.make(OURS)) == without(other.make(OURS))


def named(recipe: Any) -> dict[str, Any]:
    return {k: v for k, v in recipe.arguments.items() if k not in ("n", "changes")}


def test_choices_are_uniform_and_independent() -> None:
    recipe = sequences.prompts(6_000, directions=("up", "down", "repeat"), gaps=1, steps=(1, 2))
    data = recipe.make(OURS)
    columns = data.columns
    assert {count(columns["kind"], kind) for kind in sequences.KINDS} <= {*range(1_850, 2_150)}
    for kind in sequences.KINDS:
        mine = columns["direction"][columns["kind"] == kind]
        assert all(600 <= count(mine, way) <= 740 for way in ("up", "down", "repeat"))
    up = (columns["direction"] == "up") & (columns["step"] == 2) & (columns["kind"] == "digits")
    starts = [count(columns["start"][up], str(start)) for start in range(1, 7)]
    assert sum(starts) == up.sum()
    assert min(starts) > 0.6 * np.mean(starts)
    assert count(data.lengths, 18) == pytest.approx(6_000 / 16, abs=80)


def count(values: np.ndarray, what: Any) -> int:
    return int((values == what).sum())


def test_random_changes_every_place() -> None:
    recipe = sequences.prompts(300)
    data, after = recipe.make(OURS), sequences.changed(recipe, "random").make(OURS)
    differs = data.inputs["tokens"] != after.inputs["tokens"]
    at = differs.argmax(axis=1)
    shares = [np.mean(at == data.positions[f"member{number}"]) for number in (1, 2, 3)]
    assert min(shares) > 0.25


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kinds": "month"}, r"no kind 'month'.*nearest is .months"),
        ({"kinds": "months", "start": 11}, "November.*by 1 runs off the end. Start at 9 or less"),
        ({"start": 3, "directions": "down"}, "goes down by 1 runs off the end. Start at 4 or more"),
        ({"steps": 4}, "step 4"),
        ({"steps": ()}, "steps is empty"),
        ({"gaps": -1}, "gaps is -1"),
        ({"start": True}, "start is True"),
        ({"directions": ("up", "sideways")}, "no direction"),
    ],
)
def test_what_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        sequences.prompts(3, **given)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(UserError) as error:
        sequences.prompts(0, kinds="months", start=11, steps=5)
    assert len(error.value.problems) == 2


def test_other_changes_and_recipes_are_refused() -> None:
    recipe = sequences.prompts(3)
    with pytest.raises(UserError, match=r"no change 'shufled'.*shuffled"):
        sequences.changed(recipe, "shufled")  # type: ignore[arg-type]
    from scrub.datasets import ioi

    with pytest.raises(UserError, match="not a recipe of sequences"):
        sequences.changed(ioi.prompts(3), "kind")


def test_what_is_not_one_token_is_left_out_and_named() -> None:
    known = tokenizer(without=("eleven", "Van"))
    data = sequences.prompts(200, kinds="words").make(known)
    assert data.name.endswith(", without eleven, Van")
    spelled = {piece.strip() for row in data.pieces for piece in row}
    assert not {"twelve", "eleven", "Van", "<unk>"} & spelled
    repeats = sequences.prompts(200, kinds="words", directions="repeat").make(known)
    assert "<unk>" not in {text for row in repeats.pieces for text in row}
    with pytest.raises(UserError, match="eleven"):
        sequences.changed(sequences.prompts(200, kinds="digits"), "kind").make(known)


def test_too_few_words_are_refused_by_name() -> None:
    known = tokenizer(without=("four", "eight", "twelve", *sequences.NOUNS[:9], "in"))
    with pytest.raises(UserError) as error:
        sequences.prompts(3, kinds="words").make(known)
    first, second, third = map(str, error.value.problems)
    assert "3 words in a row are one token each" in first
    assert "four, eight, twelve" in first
    assert "3 nouns" in second
    assert "Bed" in second
    assert "in: not one token" in third


@pytest.mark.skipif(not GPT2.is_dir(), reason="the tokenizer of GPT-2 is not there")
def test_gpt2_has_every_word() -> None:
    recipe = sequences.prompts(50, directions=("up", "down"), gaps=2)
    data = recipe.make(load_tokenizer(GPT2))
    assert data.name == recipe.name
    assert data.text(0) == recipe.make(OURS).text(0)
