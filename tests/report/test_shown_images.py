"""`scrub show` of rows with images: one word in the text, drawn below it, what differs marked."""

from __future__ import annotations

import io

import numpy as np
from rich.console import Console

from scrub import Correspondence, Exact, InterpNode, Mean, Paired, heads, output
from scrub.data.dataset import Dataset
from scrub.datasets import rgb
from scrub.draw import Draws, draw
from scrub.hypothesis.tree import Tree, treeify
from scrub.report.inputs import Drawn, signs, swaps
from support.image_words import image_words

WORDS = image_words(4)
assert WORDS.images is not None
GAME = rgb.game(1, foreign="red", new="green", place=(1, 2))
DATA, NEW, GONE = (recipe.make(WORDS) for recipe in (GAME, rgb.recoloured(GAME), rgb.removed(GAME)))
PIPE = Drawn(WORDS.images)


def drawn(other: Dataset, own: Dataset) -> tuple[Tree, Draws]:
    logits = InterpNode("logits", Exact(), other=Paired(other))
    value = logits.child("value", Paired(own))
    sites = {logits: output(at="end"), value: heads([(0, 0)], "v", at=("patch", "end"))}
    tree = treeify(Correspondence(sites))
    return tree, draw(tree, DATA, samples=1, seed=0)


def printed(tree: Tree, draws: Draws, images: Drawn | None, colours: str | None = None) -> str:
    console = Console(
        file=io.StringIO(),
        width=160,
        force_terminal=bool(colours),
        color_system=colours,  # type: ignore[arg-type]  # one of rich's names
    )
    console.print(swaps(tree, draws, 0, images), highlight=False)
    if images is not None:
        console.print(signs(tree, draws, 0, images), highlight=False)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_what_is_shown_by_hand() -> None:
    lines = [line.rstrip() for line in printed(*drawn(GONE, NEW), PIPE).splitlines()]
    question = "Which color is the odd color out? Respond in one word. ASSISTANT:"
    assert lines == [
        f"reference: USER:<image> {question}",
        " b  b  b  b",
        " b  b  r  b",
        " b  b  b  b",
        " b  b  b  b",
        "└── logits (logits at end)",
        f"    ├── own   Exact: USER:<image> {question}",
        f"    ├── other Paired({GONE.name}): USER:«<image>» {question[:-1]}_:_",
        "    │   own            other",
        "    │    b  b  b  b     b  b  b  b",
        "    │    b  b  r  b     b  b  B  b",
        "    │    b  b  b  b     b  b  b  b",
        "    │    b  b  b  b     b  b  b  b",
        "    └── value (v of head 0.0 at patch, end)",
        f"        └── own   Paired({NEW.name}): USER:«_<image>_» {question[:-1]}_:_",
        "            own",
        "             b  b  b  b",
        "             b  b [G] b",
        "             b  b  b  b",
        "             b  b  b  b",
        "r red · g green · b blue; capitals: not the reference's; [ ]: where a node stands",
    ]


def test_on_a_terminal_there_are_blocks_and_no_letters_to_explain() -> None:
    shown = printed(*drawn(GONE, NEW), Drawn(PIPE.layout, coloured=True), "truecolor")
    assert "48;2;255;0;0" in shown
    assert "48;2;0;255;0" in shown
    assert "◆: not the reference's; [ ]: where a node stands" in shown
    assert "r red" not in shown


def test_virtual_rows_have_no_image() -> None:
    logits = InterpNode("logits", Exact(), other=Exact())
    gone = logits.child("removed", Mean("place"))
    sites = {logits: output(at="end"), gone: heads([(0, 0)], at="end")}
    tree = treeify(Correspondence(sites))
    draws = draw(tree, rgb.game(4, place=(1, 2)).make(WORDS), samples=1, seed=0)
    lines = printed(tree, draws, PIPE).splitlines()
    assert lines[-2].strip().endswith("»")


def test_two_images_of_a_row_stand_side_by_side_and_are_told_apart() -> None:
    data = rgb.game(3, foreign="red", seed=1).make(WORDS)
    assert data.images is not None
    ids = data.inputs["tokens"][0].tolist()
    tokens = np.array([[*ids, *ids]] * 2)
    twice = Dataset(
        "pairs",
        {"tokens": tokens, "images": np.array([[0, 1], [0, 0]])},
        np.full(2, tokens.shape[1]),
        positions={"end": np.full(2, tokens.shape[1] - 1)},
        pieces=(tuple(WORDS.decode([*ids, *ids])),) * 2,
        images=data.images,
    )
    logits = InterpNode("logits", Exact(), other=Paired(twice.take([1, 0])))
    tree = treeify(
        Correspondence({logits: output(at="end"), logits.child("h", Exact()): heads([(0, 0)])})
    )
    draws = draw(tree, twice, samples=1, seed=0, references=[0])
    shown = printed(tree, draws, PIPE)
    other = next(line for line in shown.splitlines() if "other Paired" in line)
    assert other.count("<image>") == 2
    assert other.count("«<image>»") == 1
    rows = [line.replace("│", "").split() for line in shown.splitlines()]
    assert len([row for row in rows if len(row) == 16 and {*row} <= {*"brBR"}]) == 4
