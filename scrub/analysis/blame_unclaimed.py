"""Blame among what no child claims: which component of a node's other inputs loses how much.

Two trees a component: one in which it alone takes the other input, and all else is exact, and the
claim's own in which it alone takes the node's own input. Heads are looked at a layer at a time, and
one by one only in the layer that loses most: so a node costs two scrubs a layer and not two a head.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import evolve, frozen

from scrub.analysis.blame import Blame, ScrubVariants, Swap, keeping
from scrub.analysis.unclaimed import (
    REST,
    LostBy,
    Piece,
    Unclaimed,
    exact,
    other_alone,
    pieces,
)
from scrub.data.dataset import Dataset, Rows
from scrub.draw import Draws
from scrub.hypothesis.tree import Tree
from scrub.model.graph import Graph
from scrub.stats.intervals import Interval
from scrub.stats.scores import Scores
from scrub.stats.shares import share


def with_unclaimed(
    found: Blame,
    tree: Tree,
    scores: Scores,
    draws: Draws,
    scrubbed: ScrubVariants,
    drawn: Callable[[Tree], Draws],
    *,
    graph: Graph,
    data: Dataset,
) -> Blame:
    """The same, with every `other` that loses or wins anything broken down by component and port.

    Law: with one component, and no rest, that loses alone and last what the `other` does.

    Args:
        scores, draws: of the claim itself.
        scrubbed: scrubs variants on the claim's draws.
        drawn: the draws of a variant.
    """
    losing = [
        loss.swap
        for loss in found.swaps
        if loss.swap.which == "other" and (_told(loss.alone) or _told(loss.last))
    ]
    nodes = [_apart(tree, swap, draws, drawn, graph, data) for swap in losing]
    first = _lost([(node, [*node.pieces, None]) for node in nodes], scores, scrubbed)
    layers = [_worst_layer(node.pieces, rows[:-1]) for node, rows in zip(nodes, first, strict=True)]
    heads = [[] if layer is None else layer.heads for layer in layers]
    second = _lost([*zip(nodes, heads, strict=True)], scores, scrubbed)
    unclaimed: dict[Swap, Unclaimed] = {}
    for node, (*rows, rest), layer, each in zip(nodes, first, layers, second, strict=True):
        components = tuple(
            evolve(row, heads=tuple(each)) if piece is layer else row
            for piece, row in zip(node.pieces, rows, strict=True)
        )
        unclaimed[node.swap] = Unclaimed(components, rest, node.together)
    swaps = (evolve(loss, unclaimed=unclaimed.get(loss.swap)) for loss in found.swaps)
    return evolve(found, swaps=tuple(swaps))


@frozen(eq=False)
class _Apart:
    """A node's other input, taken apart.

    Attributes:
        pieces: its components; `together`: why there are not more.
        other: what the node draws as other in the claim's tree.
        other_alone: and where its `other` alone is swapped.
    """

    tree: Tree
    swap: Swap
    pieces: tuple[Piece, ...]
    together: str
    other: Rows
    other_alone: Rows

    def alone(self, piece: Piece | None) -> Tree:
        """This piece (None: the rest) alone takes the other input, and all else is exact."""
        path = self.swap.path
        if piece is None:
            return exact(keeping(self.tree, {self.swap}), path, self.pieces)
        swapped = keeping(self.tree, {self.swap})
        return other_alone(swapped, path, [piece], self.other_alone)

    def last(self, piece: Piece | None) -> Tree:
        """The claim's tree, in which this piece (None: the rest) takes the node's own input."""
        if piece is None:
            return other_alone(self.tree, self.swap.path, self.pieces, self.other)
        return exact(self.tree, self.swap.path, [piece])


def _apart(
    tree: Tree,
    swap: Swap,
    draws: Draws,
    drawn: Callable[[Tree], Draws],
    graph: Graph,
    data: Dataset,
) -> _Apart:
    found, together = pieces(tree, swap.path, graph, data, draws)
    with_it, alone = (one.nodes[swap.path].other for one in (draws, drawn(keeping(tree, {swap}))))
    assert with_it is not None, "a leaf has no other input to swap"
    assert alone is not None, "a leaf has no other input to swap"
    return _Apart(tree, swap, found, together, with_it, alone)


def _lost(
    asked: Sequence[tuple[_Apart, Sequence[Piece | None]]], scores: Scores, scrubbed: ScrubVariants
) -> list[list[LostBy]]:
    """For each node what these pieces lose; all scrubbed in one go."""
    trees = [
        one(piece) for node, some in asked for piece in some for one in (node.alone, node.last)
    ]
    values = iter(scrubbed(trees))

    def lost(piece: Piece | None) -> LostBy:
        alone, without = next(values), next(values)
        name, port = (REST, "") if piece is None else (piece.component, piece.port)
        return LostBy(
            name,
            port,
            alone=share(alone - scores.original, scores),
            last=share(scores.scrubbed - without, scores),
        )

    return [[lost(piece) for piece in some] for _, some in asked]


def _worst_layer(found: Sequence[Piece], lost: Sequence[LostBy]) -> Piece | None:
    """The several heads that lose most, alone or last, if it is told from nothing."""
    layers = [(p, by) for p, by in zip(found, lost, strict=True) if p.heads]
    told = [(p, by) for p, by in layers if _told(by.alone) or _told(by.last)]
    return max(told, key=lambda one: _most(one[1]), default=(None, None))[0]


def _most(by: LostBy) -> float:
    """What it moves at most; one that is undefined is not told from nothing and not asked."""
    return max(abs(found.mean) for found in (by.alone, by.last) if _told(found))


def _told(found: Interval) -> bool:
    """Whether it is told from nothing. Law: what is undefined is not."""
    return found.low > 0 or found.high < 0
