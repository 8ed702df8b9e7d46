"""The figure of an example: what stands where, of an example whose attention is written down."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scrub.data.dataset import Dataset, Rows
from scrub.datasets import rgb
from scrub.observations.example import Answers, Example, Look, Looking, Swapped
from scrub.report.example_figure import FADED, example_figure, over_grid
from support.image_words import image_words

GRID = 4
WORDS = image_words(GRID, special=1, begins=True)
LAYOUT: Any = WORDS.images
DATA = rgb.game(8, foreign="red", new="green").make(WORDS)


def rows(number: int, data: Dataset = DATA) -> Rows:
    return Rows(data, np.array([number]))


def look(title: str, share: float, number: int = 0) -> Look:
    """So much attention to the foreign patch, the rest on the first token."""
    attention = np.zeros(DATA.width)
    attention[DATA.positions["patch"][number]] = share
    attention[0] = 1 - share
    return Look(title, rows(number), attention)


def example(**changes: Any) -> Example:
    looks = (look("on the reference", 0.8), look("on the root's other input", 0.2, 1))
    given: dict[str, Any] = {
        "reference": rows(0),
        "swapped": (Swapped("logits, other", rows(1)),),
        "looking": (Looking((1, 2), "extractor", "end", looks),),
        "answers": Answers(
            ("red (foreign)", "green (new)"),
            {"reference": (0.9, 0.1), "scrubbed": (0.25, 0.5)},
        ),
    }
    return Example(**{**given, **changes})


def test_attention_is_laid_over_the_patches_of_its_row() -> None:
    grid = over_grid(look("", 0.8, 3), LAYOUT)
    assert grid is not None
    assert grid[DATA.columns["row"][3], DATA.columns["column"][3]] == 0.8
    assert grid.sum() == 0.8


def test_what_stands_where() -> None:
    figure = example_figure(example(), LAYOUT, "a claim")
    assert figure.get_suptitle() == "a claim"
    reference, other, first, second, bars = figure.axes
    assert [axes.get_title() for axes in (reference, other)] == ["reference", "logits, other"]
    assert DATA.images is not None
    for axes, number in ((reference, 0), (other, 1), (first, 0), (second, 1)):
        shown = axes.images[0].get_array()
        assert (np.asarray(shown) == DATA.images.pixels[DATA.inputs["images"][number, 0]]).all()
    at = f"{DATA.columns['row'][0]},{DATA.columns['column'][0]}"
    assert first.get_title() == f"on the reference\n80% on the image, most at {at}"
    assert first.get_ylabel() == "head 1.2 from end\nextractor"
    assert second.get_ylabel() == ""
    assert [tick.get_text() for tick in bars.get_xticklabels()] == ["red (foreign)", "green (new)"]
    heights = [bar.get_height() for container in bars.containers for bar in container]
    assert heights == [0.9, 0.1, 0.25, 0.5]


def test_runs_of_one_head_share_a_scale() -> None:
    """The patch that gets most in any run is not faded; one with a quarter of that is, by 3/4."""
    figure = example_figure(example(), LAYOUT, "a claim")
    for axes, number, left in ((figure.axes[2], 0, 1.0), (figure.axes[3], 1, 0.25)):
        veil = np.asarray(axes.images[1].get_array())[..., 3]
        place = DATA.columns["row"][number], DATA.columns["column"][number]
        assert veil[place] == pytest.approx(FADED * (1 - left))
        assert veil.max() == FADED


def test_what_is_not_drawn_is_said() -> None:
    many = tuple(Swapped(f"node {n}", rows(n)) for n in range(7))
    figure = example_figure(example(swapped=many, left_out=3), LAYOUT, "a claim.")
    assert figure.get_suptitle().replace("\n", " ") == (
        "a claim. Not drawn: 2 more inputs, 3 more heads."
    )


def test_without_heads_and_answers_there_are_images() -> None:
    figure = example_figure(example(looking=(), answers=None), LAYOUT, "a claim")
    assert len(figure.axes) == 2


def test_names_that_look_like_formulas_are_shown_as_they_are() -> None:
    figure = example_figure(example(), LAYOUT, "$x_1$ and $y$")
    assert figure.get_suptitle() == "$x_1$ and $y$"
    figure.canvas.draw_idle()
