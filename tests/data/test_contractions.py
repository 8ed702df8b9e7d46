"""The contraction prompts: every column is recomputed here from the text of the tokens."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from attrs import evolve

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub.data.dataset import Dataset
from scrub.datasets import contractions
from scrub.errors import UserError
from scrub.model.tokenizer import FileTokenizer, load_tokenizer, save_word_level
from support.paths import SHARED_MODELS

ROWS = 40
CHANGES = ("spelled", "contraction", "last")
VERB = {"i": "am", "he": "is", "she": "is", "it": "is", "we": "are", "you": "are", "they": "are"}
SHORT = {"am": "'m", "is": "'s", "are": "'re"}

arguments = st.fixed_dictionaries(
    {
        "contracted": st.sampled_from([None, True, False]),
        "pairs": st.sampled_from(["all", "same", "differ"]),
        "seed": st.integers(0, 2**32),
    }
)


@pytest.fixture(scope="session")
def words(tmp_path_factory: pytest.TempPathFactory) -> FileTokenizer:
    folder = tmp_path_factory.mktemp("contractions")
    return save_word_level(folder, contractions.vocabulary(), 16)


@pytest.fixture(scope="session")
def gpt2() -> FileTokenizer:
    if not (SHARED_MODELS / "gpt2-tokenizer").is_dir():
        pytest.skip("shared/models/gpt2-tokenizer is not here")
    return load_tokenizer(SHARED_MODELS / "gpt2-tokenizer")


@pytest.fixture(scope="session", params=["words", "gpt2"])
def tokenizer(request: pytest.FixtureRequest) -> FileTokenizer:
    return request.getfixturevalue(request.param)


def read(data: Dataset, row: int, tokenizer: FileTokenizer) -> dict[str, Any]:
    """What the text of a row says of its columns, positions and labels."""
    text = data.text(row)
    found = re.fullmatch(r"(\w+)('\w+| am| is| are) (.+) (\w+)", text)
    assert found is not None, text
    first, form, _, last = found.groups()
    short = form.startswith("'")
    verb, said = VERB[last.lower()], VERB[first.lower()]
    assert form.strip() == (SHORT[said] if short else said)
    forms = {True: SHORT[verb], False: f" {verb}"}
    end = data.lengths[row] - 1
    assert data.pieces[row][end].strip() == last
    label = {name: tokenizer.decode([int(at[row])])[0] for name, at in data.labels.items()}
    assert label == {"answer": forms[short], "other": forms[not short], "copied": form}
    assert {name: at[row] for name, at in data.positions.items()} == {
        "pronoun1": 0, "contraction": 1, "end": end,
    }  # fmt: skip
    columns = {
        "first": first, "last": last, "contracted": short, "pair": f"{SHORT[said]} … {last}",
    }  # fmt: skip
    assert {name: values[row] for name, values in data.columns.items()} == columns
    return {**columns, "agree": said == verb}


@given(given_arguments=arguments)
@settings(deadline=None, max_examples=20)
def test_every_column_is_what_the_text_says(
    tokenizer: FileTokenizer, given_arguments: dict[str, Any]
) -> None:
    data = contractions.prompts(ROWS, **given_arguments).make(tokenizer)
    for row, length in enumerate(data.lengths):
        found = read(data, row, tokenizer)
        assert found["first"].lower() != found["last"].lower()
        assert given_arguments["contracted"] in (None, found["contracted"])
        assert given_arguments["pairs"] in ("all", "same" if found["agree"] else "differ")
        tokens = data.inputs["tokens"][row]
        assert tokenizer.encode(data.text(row)) == tokens[:length].tolist()
        assert (tokens[length:] == tokenizer.pad).all()


def differing(one: Dataset, other: Dataset) -> list[list[str]]:
    """Per row the position columns at which the tokens differ; they differ nowhere else."""
    assert (one.lengths == other.lengths).all()
    found = []
    for row in range(len(one)):
        pair = [data.inputs["tokens"][row][: data.lengths[row]] for data in (one, other)]
        where = set(np.flatnonzero(pair[0] != pair[1]).tolist())
        names = [name for name, at in one.positions.items() if at[row] in where]
        assert len(names) == len(where)
        found.append(names)
    return found


@given(given_arguments=arguments, before=st.lists(st.sampled_from(CHANGES), max_size=2))
@settings(deadline=None, max_examples=20)
def test_a_change_leaves_all_else_as_it_was(
    tokenizer: FileTokenizer, given_arguments: dict[str, Any], before: list[Any]
) -> None:
    recipe = contractions.prompts(ROWS, **given_arguments)
    for what in before:
        recipe = contractions.changed(recipe, what)
    data = recipe.make(tokenizer)
    copies = {what: contractions.changed(recipe, what).make(tokenizer) for what in CHANGES}
    assert all(names == ["contraction"] for names in differing(data, copies["spelled"]))
    both = ["pronoun1", "contraction"]
    assert all(names == both for names in differing(data, copies["contraction"]))
    assert all(names == ["end"] for names in differing(data, copies["last"]))
    for what, copy in copies.items():
        for row in range(ROWS):
            one, other = read(data, row, tokenizer), read(copy, row, tokenizer)
            assert (one["contracted"] == other["contracted"]) == (what != "spelled")
        same = data.labels["answer"] == copy.labels["answer"]
        assert same.all() if what == "contraction" else not same.any()
    assert (data.labels["copied"] != copies["contraction"].labels["copied"]).all()
    twice = contractions.changed(contractions.changed(recipe, "spelled"), "spelled")
    assert twice.make(tokenizer).sha256 == data.sha256


@given(given_arguments=arguments, rows=st.integers(1, ROWS))
@settings(deadline=None, max_examples=15)
def test_rows_do_not_depend_on_how_many_there_are(
    words: FileTokenizer, given_arguments: dict[str, Any], rows: int
) -> None:
    for change in (lambda r: r, lambda r: contractions.changed(r, "last")):
        few, many = (change(contractions.prompts(n, **given_arguments)) for n in (rows, ROWS))
        expected = many.make(words).take(range(rows))
        assert few.make(words).frame.equals(expected.frame)


def test_every_choice_is_uniform_and_independent(words: FileTokenizer) -> None:
    frame = contractions.prompts(8_000).make(words).frame
    pairs = frame.groupby(["first", "last"]).size()
    assert len(pairs) == 42
    assert abs(pairs - 8_000 / 42).max() < 5 * (8_000 / 42) ** 0.5
    by_pair = frame.groupby("pair")["contracted"].mean()
    assert len(by_pair) == 20  # 3 contractions × 7 pronouns, but not "'m … I": pronouns differ
    assert abs(by_pair - 0.5).max() < 0.15
    assert abs(frame.groupby("contracted")["length"].mean().diff().iloc[1]) < 0.05


def test_pronouns_are_those_that_are_asked_for(words: FileTokenizer) -> None:
    data = contractions.prompts(50, first=["we", "I"], last=["he"]).make(words)
    assert set(data.columns["first"]) == {"We", "I"}
    assert set(data.columns["last"]) == {"he"}


def wrongly(**given_arguments: Any) -> Callable[[], Any]:
    return lambda: contractions.prompts(**({"n": 1} | given_arguments))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (wrongly(n=0), "contractions.prompts: n is 0. Give a whole number, 1 or more."),
        (
            wrongly(contracted="yes"),
            "contractions.prompts: contracted is 'yes'. Give True, False or None (either).",
        ),
        (
            wrongly(pairs="difer"),
            'contractions.prompts: there are no pairs "difer". The nearest is "differ"; there are: '
            "all, same, differ.",
        ),
        (wrongly(first="we"), "contractions.prompts: first is 'we'. Give a list of pronouns."),
        (
            wrongly(last=["thy"]),
            'contractions.prompts: there is no pronoun "thy". The nearest is "they"; there are: '
            "I, we, you, they, he, she, it.",
        ),
        (
            lambda: contractions.changed(contractions.prompts(1), "first"),  # type: ignore[arg-type]
            'contractions.changed: there is no change "first". There are: spelled, contraction, '
            "last.",
        ),
    ],
)
def test_bad_arguments_are_refused_in_a_sentence(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        call()
    assert str(caught.value) == message


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(UserError) as caught:
        contractions.prompts(0, pairs="some", last=["thy"])  # type: ignore[arg-type]
    assert len(caught.value.problems) == 3


def tokenizer_of(lacking: set[str], folder: Any) -> FileTokenizer:
    return save_word_level(folder, set(contractions.vocabulary()) - lacking, 16)


def test_what_has_no_token_is_left_out_and_named(tmp_path: Any) -> None:
    without_it = tokenizer_of({"It", "am"}, tmp_path / "some")
    data = contractions.prompts(60).make(without_it)
    assert set(data.columns["last"]) == {"we", "you", "they", "he", "she"}
    assert data.name == (
        '60 contraction prompts, seed 0 (left out: I ("am" is not in its vocabulary), '
        'it ("It" is not in its vocabulary))'
    )
    few = tokenizer_of({"am", "is"}, tmp_path / "few")
    recipe = contractions.prompts(60)
    with pytest.raises(UserError, match=r"changed: of the pronouns .* \(we, you, they\), none ta"):
        contractions.changed(recipe, "last").make(few)
    with pytest.raises(UserError, match=r'no two make such a pair .*Left out: I \("am" is not'):
        contractions.prompts(60, pairs="differ").make(few)


def test_a_tokenizer_that_splits_contractions_is_refused(tmp_path: Any) -> None:
    words = [word for word in contractions.vocabulary() if not word.startswith("'")]
    splitting = save_word_level(tmp_path, [*words, "'", "re", "m", "s"], 16)
    with pytest.raises(UserError, match=r"\(none\), no two.*Left out: I \(\"'m\" is 2 tokens\)"):
        contractions.prompts(1).make(splitting)


def test_a_wrong_column_or_label_is_seen(words: FileTokenizer) -> None:
    data = contractions.prompts(1).make(words)
    read(data, 0, words)
    labels = {**data.labels, "answer": data.labels["other"], "other": data.labels["answer"]}
    columns = {**data.columns, "contracted": ~data.columns["contracted"]}
    positions = {**data.positions, "contraction": data.positions["contraction"] + 1}
    for mutant in ({"labels": labels}, {"columns": columns}, {"positions": positions}):
        with pytest.raises(AssertionError):
            read(evolve(data, **mutant), 0, words)
