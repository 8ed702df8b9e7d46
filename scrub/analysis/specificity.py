"""Specificity: is a claim's feature needed, and is it enough?

A claim that a node carries a feature says that inputs which agree on it may be swapped. *Coarser*:
one of the features is dropped; if that loses nothing, the claim asks for more than it needs: it is
over-specified. *Shuffled*: its labels are permuted over the rows of the data, so that classes are
as large and mean nothing; if that loses nothing either, no feature is carried there at all, as far
as the score tells. *Finer*: the donors agree on everything (`Exact`); if that wins nothing, no
refinement can, and the feature is enough. If it does, the data's further columns are tried one by
one, each against itself shuffled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np
from attrs import evolve, frozen

from scrub.analysis.blame import Swap
from scrub.data.dataset import Dataset, Rows
from scrub.errors import UserError
from scrub.hypothesis.tree import Tree
from scrub.samplers import Agree, Exact, Randomness, Sampler
from scrub.stats.intervals import Interval

Kind = Literal["coarser", "shuffled", "finer"]


@frozen
class Shuffled:
    """A sampler on data of which some features are permuted over the rows, all by one permutation.

    Classes are as large as they were, and a reference's own row is still in its class. A generated
    reference is no row of the population: it keeps its features, and donors are the rows on which
    their values fell.
    """

    sampler: Agree
    names: tuple[str, ...]
    seed: int

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        population = references.population
        order = np.random.default_rng(self.seed).permutation(len(population))
        columns = {name: population.feature(name)[order] for name in self.names}
        shuffled = population.with_columns(**columns)
        made = references.data is not population
        theirs = evolve(references.data, generated_from=shuffled) if made else shuffled
        drawn = self.sampler.draw(Rows(theirs, references.index), randomness)
        return references.donors(drawn.index)


@frozen(eq=False)
class Change:
    """One sampler of a claim changed.

    Attributes:
        words: how, for people: "without io".
        control: the same with the further column shuffled; None where none is added.
    """

    swap: Swap
    kind: Kind
    words: str
    tree: Tree
    control: Tree | None = None


@frozen
class Tried:
    """What changing one sampler does to the score.

    Attributes:
        recovered: with the change.
        lowers: by how much the claim's loss recovered is above that, paired by reference.
        control: recovered with the further column shuffled; None where none is added.
    """

    swap: Swap
    kind: Kind
    words: str
    recovered: Interval
    lowers: Interval
    control: Interval | None = None

    @property
    def finding(self) -> str:
        """What it says about the claim, as far as the interval tells."""
        less, more = self.lowers.low > 0, self.lowers.high < 0
        match self.kind:
            case "coarser":
                return "needed" if less else "not needed: over-specified"
            case "shuffled":
                return "the feature matters" if less else "any classes as large would do"
        if self.control is not None:
            return "it was missing"
        return "something is missing" if more else "nothing is missing"


def changes(tree: Tree, seed: int) -> tuple[Change, ...]:
    """Every coarser, shuffled and finer version of each `Agree` of a tree."""
    found: list[Change] = []
    for swap, sampler in agreeing(tree):
        for name in sampler.features:
            rest = tuple(other for other in sampler.features if other != name)
            coarser = evolve(sampler, features=rest)
            found.append(_change(tree, swap, "coarser", f"without {name}", coarser))
        if sampler.features:
            shuffled = Shuffled(sampler, sampler.features, seed)
            names = ", ".join(sampler.features)
            found.append(_change(tree, swap, "shuffled", f"{names} shuffled", shuffled))
        found.append(_change(tree, swap, "finer", "and everything else", Exact()))
    return tuple(found)


def further(tree: Tree, swap: Swap, data: Dataset, seed: int) -> tuple[Change, ...]:
    """The versions of one `Agree` that agree on one more column each.

    Any column makes classes smaller, and donors more often the reference itself; what one adds
    beyond that shows against the same column shuffled.
    """
    sampler = dict(agreeing(tree))[swap]
    found: list[Change] = []
    for name in data.columns:
        if name not in sampler.features:
            finer = evolve(sampler, features=(*sampler.features, name))
            change = _change(tree, swap, "finer", f"and {name}", finer)
            control = _with(tree, swap, Shuffled(finer, (name,), seed))
            found.append(evolve(change, control=control))
    return tuple(found)


def drawable(made: Iterable[Change], draws: Callable[[Tree], object]) -> tuple[Change, ...]:
    """Those in which every reference has a donor: a further column may leave some without.

    Args:
        draws: draws the donors of a tree.
    """

    def has_donors(tree: Tree | None) -> bool:
        try:
            return tree is None or draws(tree) is not None
        except UserError:
            return False

    return tuple(one for one in made if has_donors(one.tree) and has_donors(one.control))


def agreeing(tree: Tree) -> tuple[tuple[Swap, Agree], ...]:
    """Every place of a tree that draws by `Agree`, in order from the root."""
    found: list[tuple[Swap, Agree]] = []
    for node in tree.walk():
        if isinstance(node.node.sampler, Agree):
            found.append((Swap(node.path, "own"), node.node.sampler))
        if not node.is_leaf and isinstance(node.node.other, Agree):
            found.append((Swap(node.path, "other"), node.node.other))
    return tuple(found)


def _change(tree: Tree, swap: Swap, kind: Kind, words: str, sampler: Sampler) -> Change:
    return Change(swap, kind, words, _with(tree, swap, sampler))


def _with(tree: Tree, swap: Swap, sampler: Any) -> Tree:
    """The tree with another sampler in one place."""
    children = tuple(_with(child, swap, sampler) for child in tree.children)
    node = tree.node
    if tree.path == swap.path and swap.which == "own":
        node = evolve(node, sampler=sampler)
    elif tree.path == swap.path:
        node = evolve(node, other=sampler)
    return evolve(tree, node=node, children=children)
