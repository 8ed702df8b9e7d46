"""Images as text: letters are the pixels' colours, capitals what differs; nothing is too wide."""

from __future__ import annotations

import re

import numpy as np
import pytest
from rich.console import Console

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub.data.dataset import Rows
from scrub.datasets import rgb
from scrub.report.images import (
    APART,
    MOST,
    NAMED,
    WIDE,
    images_of_row,
    legend,
    patches,
    picture,
    row_pictures,
    runs,
    side_by_side,
)
from support.image_words import image_words

LETTERS = {look: letter for letter, look in NAMED.values()}


def blocks(grid: np.ndarray, patch: int) -> np.ndarray:
    """Pixels of a grid of named colours, by their numbers."""
    looks = np.array([look for _, look in NAMED.values()], dtype=np.uint8)
    return looks[grid].repeat(patch, axis=0).repeat(patch, axis=1)


@given(
    seed=st.integers(0, 1_000),
    grid=st.integers(1, MOST),
    patch=st.integers(1, 4),
    changes=st.integers(0, 5),
)
@settings(deadline=None, max_examples=40)
def test_letters_are_colours_and_capitals_differ(
    seed: int, grid: int, patch: int, changes: int
) -> None:
    random = np.random.default_rng(seed)
    before = random.integers(0, len(NAMED), (grid, grid))
    after = before.copy()
    for _ in range(changes):
        after[tuple(random.integers(0, grid, 2))] = random.integers(len(NAMED))
    one, other = blocks(after, patch), blocks(before, patch)
    text = side_by_side([picture("own", one, other, patch)], coloured=False).plain
    title, *lines = text.split("\n")
    assert title == "own"
    assert len(lines) == grid
    letters = [letter for letter, _ in NAMED.values()]
    for row, line in enumerate(lines):
        signs = re.sub("[^a-zA-Z]", "", line)
        assert len(signs) == grid
        for column, sign in enumerate(signs):
            assert sign.lower() == letters[after[row, column]]
            assert sign.isupper() == (after[row, column] != before[row, column])


def test_a_row_of_the_game_and_its_corrupted_ones_by_hand() -> None:
    words = image_words(4)
    assert words.images is not None
    game = rgb.game(1, foreign="red", new="green", place=(1, 2))
    data, changed, gone = (
        recipe.make(words) for recipe in (game, rgb.recoloured(game), rgb.removed(game))
    )
    reference = Rows(data, np.array([0]))
    patch = int(data.positions["patch"][0])
    shown = [
        one
        for title, table in (("own", data), ("other", changed), ("gone", gone))
        for one in row_pictures(title, Rows(table, np.array([0])), reference, words.images, [patch])
    ]
    assert side_by_side(shown, coloured=False).plain.split("\n") == [
        "own            other          gone",
        " b  b  b  b     b  b  b  b     b  b  b  b",
        " b  b [r] b     b  b [G] b     b  b [B] b",
        " b  b  b  b     b  b  b  b     b  b  b  b",
        " b  b  b  b     b  b  b  b     b  b  b  b",
    ]
    said = legend(shown, coloured=False).plain
    assert said == (
        "r red · g green · b blue; capitals: not the reference's; [ ]: where a node stands"
    )


def test_on_a_terminal_patches_are_blocks_of_their_colour() -> None:
    grid = np.zeros((2, 2), dtype=int)
    changed = grid.copy()
    changed[0, 1] = 2  # blue
    one = picture("", blocks(changed, 2), blocks(grid, 2), 2)
    console = Console(force_terminal=True, color_system="truecolor", width=80)
    with console.capture() as capture:
        console.print(side_by_side([one], coloured=True))
    printed = capture.get()
    assert printed.count("48;2;255;0;0") == 3
    assert printed.count("48;2;0;0;255") == 1
    assert printed.count("◆") == 1
    assert not re.search("[a-z]", re.sub(r"\x1b\[[0-9;]*m", "", printed))


@pytest.mark.parametrize("grid", [1, 6, WIDE, WIDE + 1, 24, 27, 37, 64])
def test_two_images_side_by_side_fit_into_eighty_columns(grid: int) -> None:
    """With room for the guides of a tree four nodes deep."""
    pixels = blocks(np.zeros((grid, grid), dtype=int), 2)
    pair = [picture(title, pixels, pixels, 2) for title in ("own", "other")]
    lines = side_by_side(pair, coloured=False).plain.split("\n")
    assert max(map(len, lines)) <= 2 * MOST + len(APART) <= 80 - 4 * 4
    assert len(lines) <= MOST + 1


def test_signs_are_explained_that_can_be_seen() -> None:
    grid = np.zeros((WIDE + 1, WIDE + 1), dtype=int)
    pixels = blocks(grid, 2)
    narrow = picture("", pixels, pixels, 2, [(0, 0)])
    assert legend([narrow], coloured=False).plain == "r red; capitals: not the reference's"
    assert legend([narrow], coloured=True).plain == (
        "◆: not the reference's; underlined: where a node stands"
    )


def test_of_many_patches_some_are_drawn_as_one_and_no_change_is_lost() -> None:
    before = np.zeros((64, 64), dtype=int)
    after = before.copy()
    after[63, 0] = 1
    one = picture("", blocks(after, 2), blocks(before, 2), 2, [(63, 0)])
    assert one.changed.sum() == one.claimed.sum() == 1
    assert one.changed[-1, 0]
    assert one.claimed[-1, 0]


def test_other_colours_have_the_letter_of_the_nearest() -> None:
    pixels = np.full((2, 2, 3), (250, 10, 10), dtype=np.uint8)
    one = picture("", pixels, pixels, 1)
    assert side_by_side([one], coloured=False).plain.split("\n")[0] == " r  r"
    said = legend([one], coloured=False).plain
    assert said == "nearest to r red; capitals: not the reference's"


def test_letters_are_distinct_and_the_games_colours_have_one() -> None:
    letters = [letter for letter, _ in NAMED.values()]
    assert len({*letters}) == len(letters)
    assert {word: NAMED[word][1] for word in rgb.COLOURS} == rgb.COLOURS


def test_pixels_that_are_left_over_are_filled_up_alike() -> None:
    pixels = np.arange(5 * 5 * 3, dtype=np.uint8).reshape(5, 5, 3)
    assert patches(pixels, 2).shape == (3, 3, 4, 3)
    assert (patches(pixels, 2)[2, 2] == pixels[4, 4]).all()


def test_an_images_tokens_are_found_in_their_row() -> None:
    words = image_words(4, begins=True)
    assert words.images is not None
    data = rgb.game(2).make(words)
    (run,) = runs(data, 1, words.images)
    assert {*data.inputs["tokens"][1, run.start : run.stop]} == {words.images.token}
    assert len(run) == 16
    assert len(images_of_row(data, 1)) == 1
