"""The inputs of a claim's nodes as text, with what was swapped marked (`scrub show`)."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Sequence

import numpy as np
from attrs import frozen
from rich.console import Console
from rich.text import Text
from rich.tree import Tree as Picture

from scrub.data.dataset import Rows
from scrub.data.image_layout import ImageLayout
from scrub.data.virtual import told_row
from scrub.draw import Draws
from scrub.hypothesis.describe import describe_route
from scrub.hypothesis.sites import ALL, Route
from scrub.hypothesis.tree import Occurrence, Tree
from scrub.report.console import titled
from scrub.report.images import Picture as Image
from scrub.report.images import images_of_row, legend, row_pictures, runs, side_by_side
from scrub.runner.prepare import Prepared
from scrub.samplers import describe_sampler


@frozen(eq=False)
class Drawn:
    """How images are drawn.

    Attributes:
        layout: which tokens are whose.
        coloured: as blocks of colour, not as letters.
    """

    layout: ImageLayout
    coloured: bool = False


def drawing(claim: Prepared, console: Console) -> Drawn | None:
    """How the images of a claim's data are drawn on a console; None where it has none."""
    layout = getattr(claim.model.tokenizer, "images", None)
    if claim.data.images is None or layout is None:
        return None
    return Drawn(layout, coloured=not console.no_color)


def swaps(tree: Tree, draws: Draws, sample: int, images: Drawn | None = None) -> Picture:
    """The tree with every node's inputs as text, and below it their images patch by patch.

    Tokens that are not the reference's are in «guillemets»; positions that a node stands for are
    _underlined_. An image's tokens are one word.

    Args:
        images: how they are drawn, where the data has any.
    """
    reference = draws.references.at(draws.references.index[sample : sample + 1])
    title = Text.assemble("reference: ", _text(reference, reference, (), images))
    if images is not None:
        title = _with_images(title, [("", reference, ())], reference, images)
    picture = Picture(title)

    def grow(node: Occurrence, picture: Picture) -> None:
        branch = picture.add(titled(node.node.name, f" ({_sites(node)})"))
        shown = inputs_of(node, draws, sample)
        samplers = {"own": node.node.sampler, "other": node.node.other}
        lines = [
            Text.assemble(
                f"{which:5} {describe_sampler(samplers[which])}: ",
                _text(rows, reference, marked, images),
            )
            for which, rows, marked in shown
        ]
        if images is not None:
            lines[-1] = _with_images(lines[-1], shown, reference, images)
        for line in lines:
            branch.add(line)
        for child in node.children:
            grow(child, branch)

    grow(tree, picture)
    return picture


def marks(tree: Tree) -> Text:
    """What the marks in the picture of a tree mean."""
    said = (
        "«word»: not as in the reference. _word_: a position that the node stands for. own: the "
        "input drawn for the node, on which a leaf is computed"
    )
    other = "; other: the input drawn for all that no child of the node claims"
    return Text(f"{said}{'' if tree.is_leaf else other}.", style="dim")


def signs(tree: Tree, draws: Draws, sample: int, images: Drawn) -> Text:
    """What the signs in the pictures of a sample mean."""
    reference = draws.references.at(draws.references.index[sample : sample + 1])
    shown = [one for node in tree.walk() for one in inputs_of(node, draws, sample)]
    pictures = _pictures([("", reference, ()), *shown], reference, images)
    return legend(pictures, coloured=images.coloured)


Shown = tuple[str, Rows, tuple[Route, ...]]
"""An input of a node: "own" or "other", the one row, and the routes whose positions are marked."""


def inputs_of(node: Occurrence, draws: Draws, sample: int) -> list[Shown]:
    """What a node drew. Its positions are marked in the input that it is computed on."""
    drawn = draws.nodes[node.path]
    own = drawn.own.at(drawn.own.index[sample : sample + 1])
    if drawn.other is None:
        return [("own", own, node.routes)]
    other = drawn.other.at(drawn.other.index[sample : sample + 1])
    return [("own", own, ()), ("other", other, node.routes)]


def _pictures(shown: Sequence[Shown], reference: Rows, images: Drawn) -> list[Image]:
    """The images of some inputs, each under its title; of virtual rows there are none."""
    return [
        one
        for title, rows, routes in shown
        if rows.data.given is None
        for one in row_pictures(title, rows, reference, images.layout, _positions(rows, routes))
    ]


def _with_images(line: Text, shown: Sequence[Shown], reference: Rows, images: Drawn) -> Text:
    """A line with the images of some inputs below it, side by side."""
    pictures = _pictures(shown, reference, images)
    if not pictures:
        return line
    return Text.assemble(line, "\n", side_by_side(pictures, coloured=images.coloured))


def _sites(node: Occurrence) -> str:
    return " | ".join(describe_route(route) for route in node.routes)


@frozen
class _Piece:
    """Some tokens that are shown as one.

    Attributes:
        key: what tells it from others; the text, and of an image what it shows.
    """

    text: str
    key: str
    tokens: range


def _pieces(rows: Rows, images: Drawn | None) -> list[_Piece]:
    """The tokens of one row, those of an image as one."""
    row = int(rows.index[0])
    texts = rows.data.pieces[row]
    found = [_Piece(text, text, range(i, i + 1)) for i, text in enumerate(texts)]
    if images is None:
        return found
    pixels = images_of_row(rows.data, row)
    for shown, run in reversed([*zip(pixels, runs(rows.data, row, images.layout), strict=True)]):
        text = texts[run.start]
        key = f"{text} {hashlib.sha256(shown.tobytes()).hexdigest()}"
        found[run.start : run.stop] = [_Piece(text, key, run)]
    return found


def _positions(rows: Rows, routes: tuple[Route, ...]) -> set[int]:
    """The tokens of one row at which a node stands that names positions."""
    row = int(rows.index[0])
    return {
        int(rows.data.position(spec)[row])
        for route in routes
        if route.at != ALL
        for spec in route.at
    }


@frozen
class Marked:
    """A piece of an input's text: its tokens, and the blanks before them.

    Attributes:
        changed: whether the reference has no such piece there.
        underlined: whether a node stands for it.
    """

    text: str
    changed: bool
    underlined: bool = False


def marked_text(
    rows: Rows, reference: Rows, routes: tuple[Route, ...], images: Drawn | None = None
) -> tuple[Marked, ...]:
    """One row as text, piece by piece, with what differs from the reference marked."""
    row = int(rows.index[0])
    if rows.data.given is not None:
        return (Marked(told_row(rows.data, row), changed=True),)
    if not rows.data.pieces:
        values = {name: np.asarray(v[row]).tolist() for name, v in rows.data.inputs.items()}
        return (Marked(f"row {row}: {values}", changed=False),)
    pieces, known = _pieces(rows, images), _pieces(reference, images)
    same = np.zeros(len(pieces), dtype=bool)
    keys = [[piece.key for piece in one] for one in (known, pieces)]
    matcher = difflib.SequenceMatcher(a=keys[0], b=keys[1], autojunk=False)
    for block in matcher.get_matching_blocks():
        same[block.b : block.b + block.size] = True
    at = _positions(rows, routes)
    return tuple(
        Marked(piece.text, changed=not same[i], underlined=not at.isdisjoint(piece.tokens))
        for i, piece in enumerate(pieces)
    )


def _text(
    rows: Rows, reference: Rows, routes: tuple[Route, ...], images: Drawn | None = None
) -> Text:
    """One row as text, with what differs from the reference marked."""
    shown = Text()
    for piece in marked_text(rows, reference, routes, images):
        text = piece.text if shown.plain else piece.text.lstrip()
        shown += _marked(text, changed=piece.changed, underlined=piece.underlined)
    shown.rstrip()
    return shown


def _marked(piece: str, *, changed: bool, underlined: bool) -> Text:
    word = piece.lstrip()
    space = piece[: len(piece) - len(word)]
    shown = Text(f"_{word}_", style="underline") if underlined else Text(word)
    if changed:
        shown = Text.assemble("«", shown, "»", style="yellow")
    return Text.assemble(space, shown)
