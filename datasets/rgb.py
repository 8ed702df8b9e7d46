"""The RGB game: a grid of patches of one colour but for one, and the question which is odd.

A vision-language model is shown the image and asked "Which color is the odd color out?". The prompt
is the same in every row; rows differ in the image alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from scrub.data.dataset import Dataset, Recipe, Tokenizer
from scrub.data.image_layout import IMAGE, ImageLayout, expanded, image_layout
from scrub.data.task import Task
from scrub.errors import Problems, UserError, did_you_mean
from scrub.hypothesis.behaviour import Behaviour
from scrub.hypothesis.sites import output
from scrub.metrics import logit_diff
from scrub.printing import printed
from scrub.samplers import Paired

from .ioi_draws import fresh_numbers, uniform_numbers
from .rgb_prompt import PROMPT, WORDS, answer_tokens, positions_of_words
from .rgb_table import COLOURS, Change, Table, changed, images_of, tokens_of

__all__ = [
    "COLOURS", "DRAWN", "PROMPT", "TASK", "behaviour", "game", "moved", "recoloured", "removed",
]  # fmt: skip

DRAWN = ("red", "green", "blue", "yellow", "purple", "orange")
"""Colours that are drawn where none is named. White is not: it is what some models answer where no
patch is foreign."""
NOBODY = "white"


def game(
    n: int,
    *,
    foreign: str | None = None,
    background: str | None = "blue",
    new: str | None = None,
    place: tuple[int, int] | None = None,
    present: bool = True,
    grid: int | None = None,
    prompt: str = PROMPT,
    seed: int = 0,
) -> Recipe:
    """Random images of one foreign patch, made once the model's tokenizer and processor are known.

    What is not named is drawn, uniformly and independently of all else: a colour from those of
    `DRAWN` whose word is one token of the model and that the row does not have yet, a place from
    the patches that do not lie on the border. Laws: the same arguments give the same table; row i
    does not depend on `n`; every patch is one colour of `COLOURS`, and the features say which.

    The dataset, row by row:

    - columns: `foreign` and `background` (colours), `new` (a third one, which `recoloured` paints);
      `row`, `column` and `place` ("3,4") of the foreign patch, counted from 0 at the top left;
      `present`: where it is false, the image is all background, and `foreign` and `place` are what
      would have been there;
    - positions: `patch` (the image token of the foreign patch), `left`, `right`, `above`, `below`
      (those of its neighbours), `corner` (that of one of the four corners of the grid, which are
      always background, drawn), `end` (the last token), and where the prompt has these words
      `color` and `odd` (the last token of the last of each);
    - labels: `foreign`, `background` and `new`, the tokens of those words after the prompt, and
      `white` where that is one token.

    Args:
        n: number of rows.
        foreign: the colour of the foreign patch; None: drawn.
        background: that of all other patches; None: drawn.
        new: the colour that `recoloured` paints; None: drawn.
        place: row and column of the foreign patch, not on the border; None: drawn.
        present: False: images without a foreign patch.
        grid: patches a side, where the file is about models of one grid only; None: the model's.
        prompt: the question, with "<image>" once, where the image goes.
        seed: which random images.

    Raises:
        UserError: an argument is not one of the above; or, when the recipe is made, the model reads
            no images, has another grid, or too few words of colours are one token.
    """
    problems = Problems()
    named = {"foreign": foreign, "background": background, "new": new}
    for argument, colour in named.items():
        if colour is not None and colour not in COLOURS:
            hint = did_you_mean(str(colour), COLOURS)
            problems.add(f"rgb.game: there is no {argument} colour {printed(colour)}.", hint)
    given = [colour for colour in named.values() if colour is not None]
    for colour in dict.fromkeys(colour for colour in given if given.count(colour) > 1):
        which = " and ".join(name for name, value in named.items() if value == colour)
        problems.add(f"rgb.game: {which} are {printed(colour)}.", "Name colours that differ.")
    for argument, value, least in (("n", n, 1), ("seed", seed, 0), ("grid", grid, 3)):
        if not (argument == "grid" and value is None) and not _whole(value, least):
            hint = f"Give a whole number, {least} or more."
            problems.add(f"rgb.game: {argument} is {printed(value)}.", hint)
    if place is not None and not _is_place(place):
        hint = "Give a row and a column, such as (2, 3)."
        problems.add(f"rgb.game: place is {printed(place)}.", hint)
    if not isinstance(present, bool):
        problems.add(f"rgb.game: present is {printed(present)}.", "Give True or False.")
    if not isinstance(prompt, str) or prompt.count(IMAGE) != 1:
        problems.add(f"rgb.game: prompt is {printed(prompt)}.", f'Give a text with "{IMAGE}" once.')
    problems.refuse()
    return _recipe(
        {
            "n": int(n), "foreign": foreign, "background": background, "new": new,
            "place": None if place is None else (int(place[0]), int(place[1])),
            "present": present, "grid": None if grid is None else int(grid), "prompt": prompt,
            "seed": int(seed), "changes": (),
        }
    )  # fmt: skip


def recoloured(recipe: Recipe) -> Recipe:
    """Row i is row i of `recipe`, its foreign patch in the colour `new`: the answer is another one.

    Laws: the foreign patch changes and nothing else; twice is the original (`foreign` and `new`
    trade places).

    Raises:
        UserError: `recipe` is not one of this module, or has no foreign patch.
    """
    return _changed(recipe, "recoloured")


def removed(recipe: Recipe) -> Recipe:
    """Row i is row i of `recipe`, its foreign patch in the background's colour: no patch is odd.

    What a model answers then is measured, not assumed. Law: the foreign patch changes and nothing
    else.

    Raises:
        UserError: `recipe` is not one of this module, or has no foreign patch.
    """
    return _changed(recipe, "removed")


def moved(recipe: Recipe) -> Recipe:
    """Row i is row i of `recipe`, its foreign patch at another place, drawn: the answer stays.

    Law: two patches change, where it was and where it is, and nothing else.

    Raises:
        UserError: `recipe` is not one of this module, or has no foreign patch; or, when the recipe
            is made, there is no other place.
    """
    return _changed(recipe, "moved")


CHANGES: dict[str, Callable[[Recipe], Recipe]] = {
    "recoloured": recoloured,
    "removed": removed,
    "moved": moved,
}


def behaviour(
    n: int,
    *,
    corrupt: Change | Any = "recoloured",
    metric: Any = None,
    name: str = "rgb",
    model: Any = None,
    **played: Any,
) -> Behaviour:
    """At END the model answers the foreign patch's colour.

    Args:
        n: number of images.
        corrupt: "recoloured", "removed" or "moved", so that each image's corrupted one is its copy
            with that change; or any sampler.
        metric: default: the logit of the foreign colour less that of `new`.
        name: what `scrub patch FILE::NAME` calls it.
        model: overrides the file's MODEL.
        played: foreign, background, seed, …: as in `game`.

    Raises:
        UserError: an argument of `game` is wrong, or there is no such change.
    """
    recipe = game(n, **played)
    if isinstance(corrupt, str) and corrupt not in CHANGES:
        raise UserError(
            f"rgb.behaviour: there is no corruption {printed(corrupt)}. "
            f"{did_you_mean(corrupt, CHANGES)}"
        )
    sampler = Paired(CHANGES[corrupt](recipe)) if isinstance(corrupt, str) else corrupt
    return Behaviour(
        name=name,
        build=_at_end,
        data=recipe,
        metric=logit_diff("foreign", "new") if metric is None else metric,
        corrupt=sampler,
        model=model,
        says="The model answers the colour of the foreign patch.",
    )


def _at_end(model: Any) -> Any:
    return output(at="end")


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def _is_place(place: Any) -> bool:
    pair = isinstance(place, Sequence) and not isinstance(place, str) and len(place) == 2
    return pair and all(_whole(number, 0) for number in place)


def _recipe(arguments: dict[str, Any]) -> Recipe:
    return Recipe(_name(**arguments), _make, arguments)


def _name(
    n: int,
    foreign: str | None,
    background: str | None,
    present: bool,
    seed: int,
    changes: Sequence[Change],
    **_: Any,
) -> str:
    ground = background or "any colour"
    patch = f"{foreign or 'any colour'} on {ground}" if present else f"{ground}, no foreign patch"
    return ", ".join([f"{n} rgb images", patch, f"seed {seed}", *changes])


def _changed(recipe: Recipe, what: Change) -> Recipe:
    if recipe.function is not _make:
        raise UserError(
            f'rgb.{what}: "{recipe.name}" is not a recipe of rgb.game. Give what that returned.'
        )
    changes = recipe.arguments["changes"]
    if not recipe.arguments["present"] or "removed" in changes:
        raise UserError(
            f'rgb.{what}: the images of "{recipe.name}" have no foreign patch. Give images that '
            "have one."
        )
    return _recipe({**recipe.arguments, "changes": (*changes, what)})


def _make(
    tokenizer: Tokenizer,
    *,
    n: int,
    foreign: str | None,
    background: str | None,
    new: str | None,
    place: tuple[int, int] | None,
    present: bool,
    grid: int | None,
    prompt: str,
    seed: int,
    changes: tuple[Change, ...],
) -> Dataset:
    layout = image_layout(tokenizer, of="rgb.game")
    named = {"foreign": foreign, "background": background, "new": new}
    given = tuple(colour for colour in named.values() if colour is not None)
    problems = _misfits(layout, tokenizer, grid, place, changes)
    if problems:
        raise UserError(*problems)
    answers = answer_tokens(tokenizer, prompt, COLOURS, DRAWN, given)
    words = list(answers)
    choices = sum(word in DRAWN for word in words)

    def uniform(purpose: str) -> np.ndarray:
        return uniform_numbers(seed, f"rgb {purpose}", n)

    colours: dict[str, np.ndarray] = {
        name: np.full(n, words.index(colour)) for name, colour in named.items() if colour
    }
    for name in ("background", "foreign", "new"):
        if name not in colours:
            taken = [column for column in colours.values() if column[0] < choices]
            colours[name] = fresh_numbers(choices, uniform(name), *taken)
    inner = layout.grid - 2
    drawn = fresh_numbers(inner * inner, uniform("place"))
    row, column = (1 + drawn // inner, 1 + drawn % inner) if place is None else place
    table = Table(
        **colours,
        row=np.broadcast_to(row, n),
        column=np.broadcast_to(column, n),
        present=np.full(n, present),
    )
    for depth, what in enumerate(changes):
        table = changed(table, what, inner, uniform(f"change {depth} {what}"))
    corner = fresh_numbers(4, uniform("corner"))
    called = _name(n, foreign, background, present, seed, changes)
    return _dataset(called, table, corner, answers, prompt, layout, tokenizer)


def _misfits(
    layout: ImageLayout,
    tokenizer: Tokenizer,
    grid: int | None,
    place: tuple[int, int] | None,
    changes: Sequence[Change],
) -> list[str]:
    """What does not fit the model's grid of patches, a sentence each."""
    side, size = layout.grid, f"{layout.grid} x {layout.grid}"
    if grid is not None and grid != side:
        return [
            f"rgb.game: grid is {grid}, and {tokenizer.name} sees {size} patches, of "
            f"{layout.patch} pixels a side. Give grid={side}, or leave it out."
        ]
    least = 4 if "moved" in changes else 3
    if side < least:
        return [
            f"rgb.game: {tokenizer.name} sees {size} patches. A foreign patch with four "
            f"neighbours{' and a place to move to' * (least == 4)} needs {least} x {least}."
        ]
    if place is not None and not all(0 < number < side - 1 for number in place):
        return [
            f"rgb.game: place is {place}, and the foreign patch has a neighbour on each side. In a "
            f"grid of {size} rows and columns are 1 to {side - 2}."
        ]
    return []


def _dataset(
    name: str,
    table: Table,
    corner: np.ndarray,
    answers: dict[str, int],
    prompt: str,
    layout: ImageLayout,
    tokenizer: Tokenizer,
) -> Dataset:
    n, words = len(table.row), list(answers)
    ids = expanded(tokenizer, prompt)
    first = ids.index(layout.token)
    images, which = images_of(table, words, layout)
    spelled, tokens = np.array(words, dtype=object), np.array(list(answers.values()))
    last = layout.grid - 1
    around = {"patch": (0, 0), "left": (0, -1), "right": (0, 1), "above": (-1, 0), "below": (1, 0)}
    cells = {at: (table.row + down, table.column + right) for at, (down, right) in around.items()}
    cells["corner"] = (corner // 2 * last, corner % 2 * last)
    at_words = positions_of_words(tokenizer, prompt)
    colours = {"foreign": table.foreign, "background": table.background, "new": table.new}
    labels = {role: tokens[colour] for role, colour in colours.items()}
    if NOBODY in answers:
        labels[NOBODY] = np.full(n, answers[NOBODY])
    return Dataset(
        name,
        inputs={"tokens": np.tile(ids, (n, 1)), "images": which},
        lengths=np.full(n, len(ids)),
        columns={role: spelled[colour] for role, colour in colours.items()}
        | {
            "place": np.array([f"{r},{c}" for r, c in zip(table.row, table.column, strict=True)]),
            "row": table.row,
            "column": table.column,
            "present": table.present,
        },
        positions={at: tokens_of(layout, first, *cell) for at, cell in cells.items()}
        | {word: np.full(n, index) for word, index in at_words.items()},
        labels=labels,
        pieces=(tuple(tokenizer.decode(ids)),) * n,
        images=images,
    )


TASK = Task(
    name="rgb",
    says="Odd one out: the colour of the one foreign patch of an image",
    example="<image> Which color is the odd color out? → red",
    prompts=game,
    changed=_changed,
    corruptions={
        "recoloured": "the foreign patch has the colour `new`: another answer",
        "removed": "no patch is foreign",
        "moved": "the foreign patch is elsewhere: the same answer",
    },
    features={
        "foreign": "the foreign patch's colour",
        **{"background": "that of all others", "new": "a third colour"},
        "place": "row and column of the foreign patch, from the top left",
        **dict.fromkeys(("row", "column"), "one of the two"),
        "present": "whether there is a foreign patch",
    },
    positions={
        "patch": "the image token of the foreign patch",
        **dict.fromkeys(("left", "right", "above", "below"), "that of its neighbour"),
        "corner": "that of a corner, which is background",
        **dict.fromkeys((*WORDS, "end"), "the last token of the word, or of all"),
    },
    labels=dict.fromkeys(("foreign", "background", "new", NOBODY), "that word (of a colour)"),
    metrics={'logit_diff("foreign", "new")': "by how much the right colour is above a third"},
    answers={"foreign": "the right answer", NOBODY: "where there is no foreign patch"},
    models={
        "rgb-planted": "localisation heads point a colour extractor at the patch",
        "rgb-shortcut": "with the same accuracy, another way",
    },
    hypotheses=("rgb_game.py",),
)
