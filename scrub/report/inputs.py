"""The inputs of a claim's nodes as text, with what was swapped marked (`scrub show`)."""

from __future__ import annotations

import difflib

import numpy as np
from rich.text import Text
from rich.tree import Tree as Picture

from scrub.data.dataset import Rows
from scrub.data.virtual import told_row
from scrub.draw import Draws
from scrub.hypothesis.describe import describe_route
from scrub.hypothesis.sites import ALL, Route
from scrub.hypothesis.tree import Occurrence, Tree
from scrub.report.console import titled
from scrub.samplers import describe_sampler


def swaps(tree: Tree, draws: Draws, sample: int) -> Picture:
    """The tree with every node's inputs as text.

    Tokens that are not the reference's are in «guillemets»; positions that a node stands for are
    _underlined_.
    """
    reference = draws.references.at(draws.references.index[sample : sample + 1])
    picture = Picture(Text.assemble("reference: ", _text(reference, reference, ())))

    def grow(node: Occurrence, picture: Picture) -> None:
        drawn = draws.nodes[node.path]
        branch = picture.add(titled(node.node.name, f" ({_sites(node)})"))
        rows = drawn.own.at(drawn.own.index[sample : sample + 1])
        marked = node.routes if node.is_leaf else ()
        words = describe_sampler(node.node.sampler)
        branch.add(Text.assemble(f"own   {words}: ", _text(rows, reference, marked)))
        if drawn.other is not None:
            rows = drawn.other.at(drawn.other.index[sample : sample + 1])
            words = describe_sampler(node.node.other)
            branch.add(Text.assemble(f"other {words}: ", _text(rows, reference, node.routes)))
        for child in node.children:
            grow(child, branch)

    grow(tree, picture)
    return picture


def _sites(node: Occurrence) -> str:
    return " | ".join(describe_route(route) for route in node.routes)


def _text(rows: Rows, reference: Rows, routes: tuple[Route, ...]) -> Text:
    """One row as text, with what differs from the reference marked."""
    row = int(rows.index[0])
    if rows.data.given is not None:
        return Text(f"«{told_row(rows.data, row)}»", style="yellow")
    if not rows.data.pieces:
        values = {name: np.asarray(v[row]).tolist() for name, v in rows.data.inputs.items()}
        return Text(f"row {row}: {values}")
    pieces = rows.data.pieces[row]
    known = reference.data.pieces[int(reference.index[0])]
    same = np.zeros(len(pieces), dtype=bool)
    matcher = difflib.SequenceMatcher(a=known, b=pieces, autojunk=False)
    for block in matcher.get_matching_blocks():
        same[block.b : block.b + block.size] = True
    at = {
        int(rows.data.position(spec)[row])
        for route in routes
        if route.at != ALL
        for spec in route.at
    }
    shown = Text()
    for i, piece in enumerate(pieces):
        piece = piece if shown.plain else piece.lstrip()
        shown += _marked(piece, changed=not same[i], underlined=i in at)
    shown.rstrip()
    return shown


def _marked(piece: str, *, changed: bool, underlined: bool) -> Text:
    word = piece.lstrip()
    space = piece[: len(piece) - len(word)]
    shown = Text(f"_{word}_", style="underline") if underlined else Text(word)
    if changed:
        shown = Text.assemble("«", shown, "»", style="yellow")
    return Text.assemble(space, shown)
