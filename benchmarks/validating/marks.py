"""What a supported claim is marked with, and whether that is so in truth.

A mark is a statement about the claim: this node may take any input and the belief is met even so
(*idle*), or all that state a feature may (*vacuous*), or this node may ask for less and nothing is
lost (*finer*). So it has a truth of its own: what the claim recovers in the population if it is
changed as the mark says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from attrs import frozen

from scrub.analysis.loosening import coarser, loosened, stated
from scrub.analysis.support import NO_LOSS
from scrub.hypothesis.tree import NamePath, Tree
from scrub.results.doubts import doubts
from scrub.results.result import Result
from validating.claims import Part, Told, part_of_tree
from validating.population import KNOWN, Population

Kind = Literal["vacuous", "idle", "finer"]
MARKS: tuple[Kind, ...] = ("vacuous", "idle", "finer")
ALIKE = "divide these rows alike"


@frozen
class Mark:
    """What is doubted about a claim.

    Attributes:
        node: as the result names it; "" for a claim that is vacuous.
        words: how a node could ask for less.
        here: whether it is about the node in which the claim is wrong.
        population: what the claim recovers in truth if it is changed as the mark says.
        right: whether what the mark says is so, as far as the population is known.
    """

    kind: Kind
    node: str
    words: str
    here: bool
    population: float
    right: bool


def marks(
    told: Told, result: Result, truth: Population, bound: float, of: Callable[[Part], Population]
) -> tuple[Mark, ...]:
    """The marks that a result has.

    Args:
        truth: of the claim.
        of: what another claim on the same data recovers in truth.
    """
    wrong = _path(told) if told.place else None

    def mark(kind: Kind, node: str, words: str, paths: frozenset[NamePath], tree: Tree) -> Mark:
        found = of(part_of_tree(tree))
        if kind == "finer":
            room = KNOWN * (found.error + truth.error)
            right = truth.recovered - found.recovered - room <= NO_LOSS
        else:
            right = found.recovered + KNOWN * found.error >= bound
        return Mark(kind, node, words, wrong in paths, float(found.recovered), bool(right))

    def every() -> Iterator[Mark]:
        nodes = {node.name: node for node in stated(result.tree)}
        paths = frozenset(path for node in nodes.values() for path in node.paths)
        if result.judgement.verdict == "vacuous":
            yield mark("vacuous", "", "", paths, loosened(result.tree, list(nodes.values())))
        for name in result.idle:
            tree = loosened(result.tree, [nodes[name]])
            yield mark("idle", name, "", nodes[name].paths, tree)
        asked = {(finer.name, finer.words) for finer in result.support.finer}
        for less in coarser(result.tree, result.draws) if asked else ():
            if (less.node.name, less.words) in asked:
                yield mark("finer", less.node.name, less.words, less.node.paths, less.tree)

    return tuple(every())


def alike(told: Told, result: Result) -> bool:
    """Whether the node that is wrong is named as one of two whose features divide the rows alike.

    That is no mark: it says of which rows there are none, not that the claim states too much.
    """
    if not told.place:
        return False
    (name,) = [node.name for node in stated(result.tree) if _path(told) in node.paths] or [""]
    return any(ALIKE in line and f'"{name}"' in line for line in doubts(result))


def _path(told: Told) -> NamePath:
    """The names from the root down to the node in which a claim is wrong."""
    names, part = [told.part.name], told.part
    for number in told.place:
        part = part.children[number]
        names.append(part.name)
    return tuple(names)
