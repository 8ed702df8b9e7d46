"""The RGB game: features, positions and corruptions, read off the pixels and the tokens again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from attrs import evolve

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub.data.dataset import Dataset, Recipe
from scrub.data.image_layout import IMAGE
from scrub.datasets import ioi, rgb
from scrub.errors import UserError
from scrub.model.tokenizer import FileTokenizer, load_tokenizer, word_level
from scrub.samplers import Paired, Uncond
from support.image_words import image_words
from support.paths import SHARED_MODELS

WORDS = {look: word for word, look in rgb.COLOURS.items()}
AROUND = {"patch": (0, 0), "left": (0, -1), "right": (0, 1), "above": (-1, 0), "below": (1, 0)}


@st.composite
def games(draw: st.DrawFn) -> tuple[dict[str, Any], FileTokenizer]:
    """Arguments of a game, and a tokenizer that fits them."""
    side = draw(st.integers(4, 8))
    colours = draw(st.permutations(list(rgb.COLOURS)))
    named = {
        name: draw(st.sampled_from([None, colour]))
        for name, colour in zip(("foreign", "background", "new"), colours, strict=False)
    }
    inner = st.integers(1, side - 2)
    arguments = {
        "n": draw(st.integers(1, 20)),
        "place": draw(st.none() | st.tuples(inner, inner)),
        "grid": draw(st.sampled_from([None, side])),
        "seed": draw(st.integers(0, 2**40)),
        **named,
    }
    words = image_words(
        side,
        patch=draw(st.sampled_from([1, 3])),
        special=draw(st.sampled_from([0, 1])),
        begins=draw(st.booleans()),
    )
    return arguments, words


def painted(data: Dataset, row: int, words: FileTokenizer) -> list[list[str]]:
    """The colour of each patch, by the pixels alone."""
    layout = words.images
    assert layout is not None
    assert data.images is not None
    (number,) = data.inputs["images"][row]
    pixels = data.images.pixels[number]
    assert pixels.shape == (layout.size, layout.size, 3)
    seen = []
    for r in range(layout.grid):
        line = []
        for c in range(layout.grid):
            block = pixels[r * layout.patch : (r + 1) * layout.patch]
            block = block[:, c * layout.patch : (c + 1) * layout.patch].reshape(-1, 3)
            (look,) = {tuple(pixel.tolist()) for pixel in block}
            line.append(WORDS[look])
        seen.append(line)
    return seen


def place_of(token: int, data: Dataset, row: int, words: FileTokenizer) -> tuple[int, int]:
    """Row and column of the patch at a token, by counting image tokens."""
    layout = words.images
    assert layout is not None
    tokens = data.inputs["tokens"][row]
    assert tokens[token] == layout.token
    before = int((tokens[:token] == layout.token).sum()) - layout.special
    return divmod(before, layout.grid)


def same(one: Dataset, other: Dataset) -> bool:
    tables = ("inputs", "columns", "positions", "labels")
    assert one.images is not None
    assert other.images is not None
    return (
        one.sha256 == other.sha256
        and one.pieces == other.pieces
        and all(
            (getattr(one, table)[name] == values).all()
            for table in tables
            for name, values in getattr(other, table).items()
        )
    )


@given(game=games())
@settings(deadline=None, max_examples=25)
def test_features_and_positions_are_those_of_pixels_and_tokens(
    game: tuple[dict[str, Any], FileTokenizer],
) -> None:
    arguments, words = game
    recipe = rgb.game(**arguments)
    data = recipe.make(words)
    assert len(data) == arguments["n"]
    assert same(data, recipe.make(words))
    for row in range(len(data)):
        says = {name: values[row] for name, values in data.columns.items()}
        at = {name: int(values[row]) for name, values in data.positions.items()}
        seen = painted(data, row, words)
        r, c = says["row"], says["column"]
        assert says["place"] == f"{r},{c}"
        assert seen[r][c] == says["foreign"]
        assert {
            colour
            for i, line in enumerate(seen)
            for j, colour in enumerate(line)
            if (i, j) != (r, c)
        } == {says["background"]}
        assert len({says["foreign"], says["background"], says["new"]}) == 3
        for name in ("foreign", "background", "new"):
            assert arguments[name] in (None, says[name])
            assert arguments[name] is not None or says[name] in rgb.DRAWN
        for name, (down, right) in AROUND.items():
            assert place_of(at[name], data, row, words) == (r + down, c + right)
        last = len(seen) - 1
        assert {*place_of(at["corner"], data, row, words)} <= {0, last}
        assert arguments["place"] in (None, (r, c))
        pieces = [piece.strip() for piece in data.pieces[row]]
        assert (pieces[at["color"]], pieces[at["odd"]]) == ("color", "odd")
        assert at["color"] == at["odd"] + 1
        assert at["end"] == len(pieces) - 1 == data.lengths[row] - 1
        for name, values in data.labels.items():
            word = says.get(name, name)
            assert words.decode([values[row]])[0].strip() == word


@pytest.mark.parametrize(
    ("change", "patches"), [(rgb.recoloured, 1), (rgb.removed, 1), (rgb.moved, 2)]
)
@given(game=games())
@settings(deadline=None, max_examples=10)
def test_a_corruption_changes_what_it_names_alone(
    change: Callable[[Recipe], Recipe], patches: int, game: tuple[dict[str, Any], FileTokenizer]
) -> None:
    arguments, words = game
    recipe = rgb.game(**arguments)
    before, after = recipe.make(words), change(recipe).make(words)
    assert (before.inputs["tokens"] == after.inputs["tokens"]).all()
    for row in range(len(before)):
        old, new = painted(before, row, words), painted(after, row, words)
        changed = {
            (i, j)
            for i, line in enumerate(old)
            for j, colour in enumerate(line)
            if new[i][j] != colour
        }
        says = {name: values[row] for name, values in before.columns.items()}
        then = {name: values[row] for name, values in after.columns.items()}
        here, there = (says["row"], says["column"]), (then["row"], then["column"])
        assert changed == {here, there}
        assert len(changed) == patches
        kept = {*says} - {"foreign", "new", "present", "row", "column", "place"}
        assert {name: says[name] for name in kept} == {name: then[name] for name in kept}
        assert before.positions["corner"][row] == after.positions["corner"][row]
        if change is rgb.recoloured:
            assert new[here[0]][here[1]] == says["new"] == then["foreign"]
            assert then["new"] == says["foreign"]
        if change is rgb.removed:
            assert {colour for line in new for colour in line} == {says["background"]}
        if change is rgb.moved:
            assert new[there[0]][there[1]] == says["foreign"] == then["foreign"]
        assert then["present"] == (change is not rgb.removed)


def test_recoloured_twice_is_the_original() -> None:
    words, recipe = image_words(6), rgb.game(50)
    assert same(rgb.recoloured(rgb.recoloured(recipe)).make(words), recipe.make(words))


def test_rows_do_not_depend_on_how_many_there_are() -> None:
    words = image_words(6)
    few, many = rgb.game(5, seed=4).make(words), rgb.game(40, seed=4).make(words)
    for row in range(5):
        assert painted(few, row, words) == painted(many, row, words)
        assert few.columns["new"][row] == many.columns["new"][row]


def test_choices_are_uniform_and_independent() -> None:
    data = rgb.game(6_000, background=None, seed=1).make(image_words(6, patch=1))
    frame = data.frame
    for column, count in (("background", 6), ("foreign", 6), ("new", 6), ("place", 16)):
        sizes = frame[column].value_counts().to_numpy()
        assert len(sizes) == count
        assert np.abs(sizes - 6_000 / count).max() < 5 * np.sqrt(6_000 / count), column
    by_place = frame.groupby(["place", "foreign"]).size()
    assert len(by_place) == 16 * 6
    assert np.abs(by_place - 6_000 / 96).max() < 5 * np.sqrt(6_000 / 96)
    assert len(frame["at corner"].unique()) == 4


def test_images_that_are_alike_are_one() -> None:
    data = rgb.game(500).make(image_words(6))
    assert data.images is not None
    assert len(data.images) == 16 * 5
    assert len(set(data.images.hashes)) == 16 * 5
    gone = rgb.removed(rgb.game(500)).make(image_words(6))
    assert gone.images is not None
    assert len(gone.images) == 1


def test_words_of_several_tokens_are_left_out_or_named() -> None:
    some = image_words(6, colours=["red", "green", "blue", "white", "black"])
    data = rgb.game(100).make(some)
    assert {*data.columns["foreign"]} == {"red", "green"}
    assert {*data.labels} == {"foreign", "background", "new", "white"}
    with pytest.raises(UserError) as refused:
        rgb.game(100, foreign="purple", new="orange").make(some)
    one = "One token are: red, green, blue, white, black."
    assert str(refused.value).splitlines() == [
        f'rgb.game: the colour "{word}" is no single token of image-words (not in its '
        f"vocabulary). {one}"
        for word in ("purple", "orange")
    ]
    few = image_words(6, colours=["red", "blue"])
    with pytest.raises(UserError, match=r"2 colours are one token in image-words, and a row needs"):
        rgb.game(100).make(few)
    assert len(rgb.game(5, foreign="red", new="white").make(image_words(
        6, colours=["red", "blue", "white"]))) == 5  # fmt: skip


def test_words_of_several_tokens_have_their_last() -> None:
    """With a tokenizer of a large model, to which the image token is added."""
    shared = "gpt2-tokenizer"
    if not (SHARED_MODELS / shared).is_dir():
        pytest.skip(f"shared/models/{shared} is not here")
    plain, layout = load_tokenizer(SHARED_MODELS / shared), image_words(6).images
    assert layout is not None
    plain.backend.add_special_tokens([IMAGE])
    token = plain.backend.token_to_id(IMAGE)
    words = evolve(plain, images=evolve(layout, token=token))
    data = rgb.game(20).make(words)
    for row in range(20):
        pieces = data.pieces[row]
        at = {name: int(values[row]) for name, values in data.positions.items()}
        assert "".join(pieces[: at["color"] + 1]).endswith("Which color is the odd color")
        assert "".join(pieces[: at["odd"] + 1]).endswith("Which color is the odd")
        assert "".join(pieces).endswith("ASSISTANT:")
        assert place_of(at["patch"], data, row, words) == (
            data.columns["row"][row],
            data.columns["column"][row],
        )
        (answer,) = words.decode([data.labels["foreign"][row]])
        assert answer == f" {data.columns['foreign'][row]}"


def test_a_word_that_is_split_is_told_by_its_tokens() -> None:
    class Split:
        """One token a character."""

        def __init__(self) -> None:
            words = image_words(6)
            self.name, self.pad, self.images = "letters", 0, words.images
            self.encode_whole = words.encode_whole

        def encode(self, text: str) -> list[int]:
            return [ord(letter) for letter in text]

        def decode(self, tokens: list[int]) -> list[str]:
            return [chr(token) for token in tokens]

    said = r'colour "blue" is no single token of letters \(5 tokens\)'
    with pytest.raises(UserError, match=said):
        rgb.game(3).make(Split())


def test_bad_arguments_are_all_named() -> None:
    with pytest.raises(UserError) as refused:
        rgb.game(
            0,
            foreign="rde",
            background="blue",
            new="blue",
            place=(1,),  # type: ignore[arg-type]
            present=1,  # type: ignore[arg-type]
            grid=2,
            prompt="Which is odd?",
            seed=-1,
        )
    assert str(refused.value).splitlines() == [
        "rgb.game: there is no foreign colour 'rde'. The nearest is \"red\"; there are: red, "
        "green, blue, yellow, purple, orange, white, black.",
        "rgb.game: background and new are 'blue'. Name colours that differ.",
        "rgb.game: n is 0. Give a whole number, 1 or more.",
        "rgb.game: seed is -1. Give a whole number, 0 or more.",
        "rgb.game: grid is 2. Give a whole number, 3 or more.",
        "rgb.game: place is (1,). Give a row and a column, such as (2, 3).",
        "rgb.game: present is 1. Give True or False.",
        "rgb.game: prompt is 'Which is odd?'. Give a text with \"<image>\" once.",
    ]


@pytest.mark.parametrize(
    ("arguments", "grid", "said"),
    [
        ({"grid": 24}, 6, "rgb.game: grid is 24, and image-words sees 6 x 6 patches, of 4 pixels"),
        ({"place": (0, 3)}, 6, r"rgb.game: place is \(0, 3\), .* rows and columns are 1 to 4\."),
        ({"place": (3, 9)}, 6, r"rgb.game: place is \(3, 9\), .* rows and columns are 1 to 4\."),
        ({}, 2, r"sees 2 x 2 patches\. A foreign patch with four neighbours needs 3 x 3\."),
    ],
)
def test_what_does_not_fit_the_grid_is_refused(
    arguments: dict[str, Any], grid: int, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        rgb.game(5, **arguments).make(image_words(grid))


def test_a_patch_that_cannot_move_is_refused() -> None:
    with pytest.raises(UserError, match=r"four neighbours and a place to move to needs 4 x 4"):
        rgb.moved(rgb.game(5)).make(image_words(3))


def test_a_model_without_vision_is_refused() -> None:
    blind = FileTokenizer("words", 0, word_level(["red"]), "WordLevel")
    said = r"rgb\.game needs a model that reads images, and words reads text only"
    with pytest.raises(UserError, match=said):
        rgb.game(5).make(blind)


def test_corruptions_of_other_recipes_are_refused() -> None:
    for change in rgb.CHANGES.values():
        with pytest.raises(UserError, match=r"not a recipe of rgb\.game. Give what that returned"):
            change(ioi.prompts(5))
        for gone in (rgb.game(5, present=False), rgb.removed(rgb.game(5))):
            with pytest.raises(UserError, match=r"no foreign patch\. Give images that have one"):
                change(gone)


def test_a_behaviour_pairs_each_image_with_its_corrupted_one() -> None:
    made = rgb.behaviour(20, corrupt="removed", seed=2, name="mine")
    assert (made.name, made.metric.name) == ("mine", "logit(foreign) − logit(new)")
    assert isinstance(made.corrupt, Paired)
    words = image_words(6)
    assert isinstance(made.corrupt.pair, Recipe)
    gone = rgb.removed(rgb.game(20, seed=2)).make(words)
    assert made.corrupt.pair.make(words).sha256 == gone.sha256
    assert rgb.behaviour(5, corrupt=Uncond()).corrupt == Uncond()
    with pytest.raises(UserError, match=r'no corruption .remove.\. The nearest is "removed"'):
        rgb.behaviour(5, corrupt="remove")


def test_a_prompt_of_ones_own() -> None:
    prompt = "<image> What is odd?"
    data = rgb.game(3, prompt=prompt).make(image_words(6, prompt=prompt))
    assert {"odd", "end"} <= {*data.positions}
    assert "color" not in data.positions
