"""The IOI prompts: every column is recomputed here from the text of the tokens."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scrub.datasets.ioi_text import ENDINGS, SENTENCES

from hypothesis import given, settings
from hypothesis import strategies as st
from oracle.ioi_parser import parsed, spelled
from scrub.data.dataset import Dataset, Recipe
from scrub.datasets import ioi
from scrub.errors import UserError
from scrub.model.tokenizer import FileTokenizer, load_tokenizer, save_word_level
from support.command import python
from support.paths import SHARED_MODELS

FLIPS = ("io", "s", "s1", "s2", "order", "both")
ROWS = 40

arguments = st.fixed_dictionaries(
    {
        "order": st.sampled_from(["mixed", "ABBA", "BABA"]),
        "seed": st.integers(0, 2**32),
        "prefixes": st.integers(0, 15),
    }
)
kinds = st.sampled_from(["ioi", "abc"])


@pytest.fixture(scope="session")
def words(tmp_path_factory: pytest.TempPathFactory) -> FileTokenizer:
    return save_word_level(tmp_path_factory.mktemp("words"), ioi.vocabulary(), 64)


@pytest.fixture(scope="session")
def gpt2() -> FileTokenizer:
    if not (SHARED_MODELS / "gpt2-tokenizer").is_dir():
        pytest.skip("shared/models/gpt2-tokenizer is not here")
    return load_tokenizer(SHARED_MODELS / "gpt2-tokenizer")


@pytest.fixture(scope="session", params=["words", "gpt2"])
def tokenizer(request: pytest.FixtureRequest) -> FileTokenizer:
    return request.getfixturevalue(request.param)


def same(one: Dataset, other: Dataset) -> bool:
    """The same rows, up to padding."""
    return one.frame.equals(other.frame) and one.pieces == other.pieces


@given(given_arguments=arguments, kind=kinds)
@settings(deadline=None, max_examples=25)
def test_every_column_is_what_the_text_says(
    tokenizer: FileTokenizer, given_arguments: dict[str, Any], kind: Any
) -> None:
    data = ioi.prompts(ROWS, kind=kind, **given_arguments).make(tokenizer)
    for row in range(ROWS):
        told = None if kind == "ioi" else bool(data.columns["io_is_first"][row])
        expected = parsed(data, row, told)
        assert {name: at[row] for name, at in data.positions.items()} == expected.pop("at")
        assert {name: values[row] for name, values in data.columns.items()} == expected
        for label in ("io", "s"):
            assert tokenizer.decode([int(data.labels[label][row])]) == [f" {expected[label]}"]
        if kind == "abc":
            assert len({expected["io"], expected["s"], expected["s2"]}) == 3


@given(given_arguments=arguments)
@settings(deadline=None, max_examples=25)
def test_the_tokens_are_those_of_the_whole_text(
    tokenizer: FileTokenizer, given_arguments: dict[str, Any]
) -> None:
    data = ioi.prompts(ROWS, **given_arguments).make(tokenizer)
    for row, length in enumerate(data.lengths):
        tokens = data.inputs["tokens"][row]
        assert tokenizer.encode(data.text(row)) == tokens[:length].tolist()
        assert (tokens[length:] == tokenizer.pad).all()
        assert spelled(data, row)[-1] in ("to", "for")
        assert spelled(data, row)[0] not in ioi.NAMES


@given(given_arguments=arguments, kind=kinds, rows=st.integers(1, ROWS))
@settings(deadline=None, max_examples=15)
def test_a_row_depends_on_the_seed_and_its_number_alone(
    words: FileTokenizer, given_arguments: dict[str, Any], kind: Any, rows: int
) -> None:
    many = ioi.prompts(ROWS, kind=kind, **given_arguments)
    few = ioi.prompts(rows, kind=kind, **given_arguments)
    assert many.make(words).sha256 == many.make(words).sha256
    assert same(many.make(words).take(range(rows)), few.make(words))
    for what in ("io", "s2", "order"):
        flipped = ioi.flip(many, what).make(words)
        assert same(flipped.take(range(rows)), ioi.flip(few, what).make(words))


@given(given_arguments=arguments)
@settings(deadline=None, max_examples=15)
def test_kinds_orders_and_prefixes_change_nothing_else(
    words: FileTokenizer, given_arguments: dict[str, Any]
) -> None:
    data = ioi.prompts(ROWS, **given_arguments).make(words)
    shared = ["io", "s", "template", "object", "place"]
    abc = ioi.prompts(ROWS, kind="abc", **given_arguments).make(words)
    other = ioi.prompts(ROWS, **given_arguments | {"order": "ABBA"}).make(words)
    bare = ioi.prompts(ROWS, **given_arguments | {"prefixes": 0}).make(words)
    assert abc.frame[[*shared, "order", "prefix_length"]].equals(
        data.frame[[*shared, "order", "prefix_length"]]
    )
    assert other.frame[[*shared, "prefix_length"]].equals(data.frame[[*shared, "prefix_length"]])
    assert bare.frame[[*shared, "order"]].equals(data.frame[[*shared, "order"]])
    for row in range(ROWS):
        changed = [
            i
            for i, (a, b) in enumerate(zip(spelled(data, row), spelled(abc, row), strict=True))
            if a != b
        ]
        assert changed == [data.positions["s2"][row]]
        start = data.positions["start"][row]
        after = "".join(data.pieces[row][start:]).strip().lower()
        assert after == bare.text(row).lower()


@given(given_arguments=arguments, kind=kinds, what=st.sampled_from(FLIPS))
@settings(deadline=None, max_examples=60)
def test_a_flip_changes_what_it_says_and_nothing_else(
    tokenizer: FileTokenizer, given_arguments: dict[str, Any], kind: Any, what: Any
) -> None:
    recipe = ioi.prompts(ROWS, kind=kind, **given_arguments)
    if what == "both" and kind == "abc":
        return
    before, after = recipe.make(tokenizer), ioi.flip(recipe, what).make(tokenizer)
    for row in range(ROWS):
        old, new = spelled(before, row), spelled(after, row)
        at = {name: int(values[row]) for name, values in before.positions.items()}
        io, s, s2 = (before.columns[name][row] for name in ("io", "s", "s2"))
        changed = {i for i, (a, b) in enumerate(zip(old, new, strict=True)) if a != b}
        fresh = {new[i] for i in changed} - {io, s, s2}
        expected = {
            "io": {at["io"]},
            "s": {at["s1"], at["s2"]} if kind == "ioi" else {at["s1"]},
            "s1": {at["s1"]},
            "s2": {at["s2"]},
            "order": {at["io"], at["s1"]},
            "both": {at["s2"]},
        }[what]
        assert changed == expected
        assert len(fresh) == (0 if what in ("order", "both") else 1)
        if what == "order":
            assert (new[at["io"]], new[at["s1"]]) == (s, io)
        if what == "both":
            assert new[at["s2"]] == io
        repeated = kind == "ioi" and what not in ("s1", "s2")
        told = None if repeated else bool(after.columns["io_is_first"][row])
        reread = parsed(after, row, told)
        assert {name: at[row] for name, at in after.positions.items()} == reread.pop("at")
        assert {name: values[row] for name, values in after.columns.items()} == reread
        swaps = what in ("order", "both")
        assert (after.columns["io_is_first"][row] != before.columns["io_is_first"][row]) == swaps


@pytest.mark.parametrize("what", ["order", "both"])
def test_some_flips_undo_themselves(words: FileTokenizer, what: Any) -> None:
    recipe = ioi.prompts(ROWS, prefixes=5)
    twice = ioi.flip(ioi.flip(recipe, what), what).make(words)
    assert same(twice, recipe.make(words))


def test_both_and_order_swap_the_names_everywhere(words: FileTokenizer) -> None:
    recipe = ioi.prompts(ROWS)
    before, after = recipe.make(words), ioi.flip(ioi.flip(recipe, "both"), "order").make(words)
    for row in range(ROWS):
        swap = {
            before.columns[a][row]: before.columns[b][row] for a, b in (("io", "s"), ("s", "io"))
        }
        assert [swap.get(word, word) for word in spelled(before, row)] == spelled(after, row)


def test_flips_in_turn_draw_anew(words: FileTokenizer) -> None:
    recipe: Recipe = ioi.prompts(200)
    once = ioi.flip(recipe, "io")
    twice = ioi.flip(once, "io")
    assert twice.name == "200 ioi prompts, mixed order, seed 0, io flipped, io flipped"
    names = [r.make(words).columns["io"] for r in (recipe, once, twice)]
    assert (names[0] != names[1]).all()
    assert (names[1] != names[2]).all()
    assert np.mean(names[0] == names[2]) < 0.05
    abc = ioi.flip(ioi.flip(once, "s1"), "s2").make(words)
    for row in range(200):
        assert len({abc.columns[name][row] for name in ("io", "s", "s2")}) == 3


def test_choices_are_uniform_and_independent(words: FileTokenizer) -> None:
    frame = ioi.prompts(20_000, prefixes=7, seed=3).make(words).frame
    for column, count in (
        ("template", len(ioi.TEMPLATES)),
        ("prefix_length", 8),
        ("io", len(ioi.NAMES)),
        ("s", len(ioi.NAMES)),
        ("io_is_first", 2),
    ):
        sizes = frame[column].value_counts().to_numpy()
        assert len(sizes) == count
        expected = len(frame) / count
        assert np.abs(sizes - expected).max() < 5 * np.sqrt(expected), column
    full = frame[(frame["object"] != "") & (frame["place"] != "")]
    choices = ("template", "prefix_length", "place", "object", "order")
    for one, other in itertools.combinations(choices, 2):
        counts = full.groupby([one, other]).size().unstack(fill_value=0).to_numpy()
        expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
        freedom = (counts.shape[0] - 1) * (counts.shape[1] - 1)
        surprise = ((counts - expected) ** 2 / expected).sum() - freedom
        assert surprise < 5 * np.sqrt(2 * freedom), (one, other)
    for column in ("template", "prefix_length", "place", "io", "s", "end_position", "s2_to_end"):
        share = frame.groupby(column)["io_is_first"].agg(["mean", "size"])
        assert (np.abs(share["mean"] - 0.5) < 2.5 / np.sqrt(share["size"])).all(), column


def test_no_position_or_distance_tells_which_name_comes_first(words: FileTokenizer) -> None:
    """So a claim that S-inhibition carries an absolute position or a distance can be refuted."""
    frame = ioi.prompts(5_000, prefixes=10).make(words).frame
    for column in ("io_position", "s1_position", "io_to_end", "s1_to_s2", "io_to_s2", "s1_to_end"):
        share = frame.groupby(column)["io_is_first"].agg(["mean", "size"])
        agree = share["mean"] ** 2 + (1 - share["mean"]) ** 2
        assert np.average(agree, weights=share["size"]) < 0.65, column


def test_subsets_of_templates_and_names_are_kept_to(words: FileTokenizer) -> None:
    frame = ioi.prompts(100, templates=[3, 5, 3], names=["Mary", "John", "Tom"]).make(words).frame
    assert set(frame["template"]) == {3, 5}
    assert set(frame["io"]) == set(frame["s"]) == {"Mary", "John", "Tom"}


def test_there_is_enough_of_everything(gpt2: FileTokenizer) -> None:
    assert len(ioi.TEMPLATES) >= 12
    assert len(set(ioi.NAMES)) == len(ioi.NAMES) >= 80
    assert len(set(ioi.OBJECTS)) >= 20
    assert len(set(ioi.PLACES)) >= 20
    assert all(len(gpt2.encode(f" {name}")) == 1 for name in ioi.NAMES)
    other_words = " ".join([*ioi.TEMPLATES, *SENTENCES, *ENDINGS, *ioi.OBJECTS, *ioi.PLACES])
    assert not set(ioi.NAMES) & set(re.findall(r"\w+", other_words))


def test_the_vocabulary_covers_every_prompt(words: FileTokenizer) -> None:
    assert len(ioi.vocabulary()) < 400
    data = ioi.prompts(3_000, prefixes=20).make(words)
    used = {token for row in range(len(data)) for token in spelled(data, row)}
    assert used <= set(ioi.vocabulary())
    assert "<unk>" not in used


def test_it_shows_itself_as_a_frame(words: FileTokenizer) -> None:
    data = ioi.prompts(2, names=["Mary", "John"], templates=[0], order="BABA").make(words)
    assert data.name == "2 ioi prompts, BABA order, seed 0"
    assert "<table" in data._repr_html_()
    text = data.frame.loc[0, "text"]
    assert re.fullmatch(r"When (\w+) and (\w+) went to the \w+, \1 gave a \w+ to", text)
    with pytest.raises(ValueError, match="read-only"):
        data.columns["io"][0] = "Tom"


def test_names_of_several_tokens_are_left_out(gpt2: FileTokenizer) -> None:
    people = ["Mary", "Zebulon", "John"]
    assert set(ioi.prompts(50, names=people).make(gpt2).columns["io"]) == {"Mary", "John"}
    with pytest.raises(UserError) as refused:
        ioi.prompts(50, names=people, kind="abc").make(gpt2)
    assert str(refused.value) == (
        "ioi.prompts: 2 of 3 names are one token in gpt2-tokenizer; these prompts need 3. "
        "Left out: Zebulon (4 tokens)."
    )


def test_of_many_unknown_names_some_are_listed(words: FileTokenizer) -> None:
    with pytest.raises(UserError, match=r"0 of 30 .*: Z0x .*, Z19x [^,]* and 10 more\.$"):
        ioi.prompts(50, names=[f"Z{number}x" for number in range(30)]).make(words)


def test_unknown_names_are_left_out(words: FileTokenizer) -> None:
    with pytest.raises(UserError) as refused:
        ioi.prompts(50, names=["Mary", "Zebulon", "Jean-Luc"]).make(words)
    assert str(refused.value) == (
        f"ioi.prompts: 1 of 3 names are one token in {words.name}; these prompts need 2. "
        "Left out: Zebulon (not in its vocabulary), Jean-Luc (3 tokens)."
    )


@pytest.mark.parametrize(
    ("kind", "flips", "needed"),
    [
        ("ioi", (), 2),
        ("ioi", ("order", "both"), 2),
        ("ioi", ("io",), 3),
        ("ioi", ("s2",), 3),
        ("ioi", ("s2", "io"), 4),
        ("abc", (), 3),
        ("abc", ("s",), 4),
    ],
)
def test_flips_need_a_name_to_spare(
    words: FileTokenizer, kind: Any, flips: tuple[Any, ...], needed: int
) -> None:
    def recipe(count: int) -> Recipe:
        flipped = ioi.prompts(50, kind=kind, names=ioi.NAMES[:count])
        for what in flips:
            flipped = ioi.flip(flipped, what)
        return flipped

    assert len(recipe(needed).make(words)) == 50
    with pytest.raises(UserError) as refused:
        recipe(needed - 1).make(words)
    assert str(refused.value) == (
        f"ioi.prompts: {needed - 1} of {needed - 1} names are one token in {words.name}; "
        f"these prompts need {needed}."
    )


def test_bad_arguments_are_all_named() -> None:
    wrong: dict[str, Any] = {"order": "ABAB", "kind": "ibc", "prefixes": -1, "templates": [99]}
    with pytest.raises(UserError) as refused:
        ioi.prompts(0, names="Mary", **wrong)
    assert str(refused.value).splitlines() == [
        'ioi.prompts: there is no order "ABAB". The nearest is "ABBA"; there are: '
        "mixed, ABBA, BABA.",
        'ioi.prompts: there is no kind "ibc". The nearest is "abc"; there are: ioi, abc.',
        "ioi.prompts: n is 0. Give a whole number, 1 or more.",
        "ioi.prompts: prefixes is -1. Give a whole number, 0 or more.",
        'ioi.prompts: names is "Mary". Give a list of names.',
        "ioi.prompts: there is no template 99. Templates are numbered 0 to 17.",
    ]
    with pytest.raises(UserError) as refused:
        ioi.prompts(5, templates=[])
    assert str(refused.value) == (
        "ioi.prompts: templates is empty. Name at least one, or leave it out."
    )


def test_bad_flips_are_refused() -> None:
    recipe = ioi.prompts(5)
    wrong: Any = "S3"
    with pytest.raises(UserError) as refused:
        ioi.flip(recipe, wrong)
    assert str(refused.value) == (
        'ioi.flip: there is no flip "S3". The nearest is "s"; '
        "there are: io, s, s1, s2, order, both."
    )
    with pytest.raises(UserError) as refused:
        ioi.flip(Recipe("mine", lambda tokenizer: None), "io")  # type: ignore[arg-type]
    assert str(refused.value) == (
        'ioi.flip: "mine" is not a recipe of ioi.prompts. Give what that returned.'
    )
    for unrepeated in (ioi.prompts(5, kind="abc"), ioi.flip(recipe, "s1")):
        with pytest.raises(UserError) as refused:
            ioi.flip(unrepeated, "both")
        assert str(refused.value) == (
            f'ioi.flip: flip "both" needs a repeated name, and "{unrepeated.name}" has none. '
            'Use kind="ioi" without the flips "s1" and "s2".'
        )


def test_a_tokenizer_that_merges_words_is_refused() -> None:
    class Merging:
        """One token a word, but ", " and the word after it are one."""

        name, pad = "merging", 0

        def __init__(self) -> None:
            self.texts: list[str] = []

        def encode(self, text: str) -> list[int]:
            parts = re.findall(r", \w+| ?\w+|,|\.", text)
            self.texts += [part for part in parts if part not in self.texts]
            return [self.texts.index(part) for part in parts]

        def decode(self, tokens: Sequence[int]) -> list[str]:
            return [self.texts[token] for token in tokens]

    with pytest.raises(UserError) as refused:
        ioi.prompts(1, templates=[0], names=["Mary", "John"], order="ABBA").make(Merging())
    message = str(refused.value)
    assert re.fullmatch(
        r'ioi\.prompts: merging merges tokens across words in "When (\w+) and (\w+) went to the '
        r'\w+, \2 gave a \w+ to", so that names have no token of their own there\.',
        message,
    )


def test_importing_it_loads_neither_torch_nor_transformers() -> None:
    code = (
        "import sys; from scrub.datasets import ioi; import scrub.model.tokenizer; "
        "ioi.prompts(3); print({'torch', 'transformers', 'pandas'} & set(sys.modules))"
    )
    done = python("-c", code)
    assert done.out == "set()\n", done.err
