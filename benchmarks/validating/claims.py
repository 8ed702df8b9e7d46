"""A claim as a tree that can be changed in one place, and the models that claims are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from attrs import evolve, field, frozen

from scrub.data.dataset import Dataset
from scrub.hypothesis.belief import supported
from scrub.hypothesis.claim import Claim
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import Sites
from scrub.hypothesis.tree import Occurrence, treeify
from scrub.metrics import Metric
from scrub.samplers import Agree, Exact, Sampler, Uncond

ROOT = Exact()
"""A root's sampler: the metric is that of the reference itself."""

Place = tuple[int, ...]
"""A part of a tree: the numbers of the children on the way from the root."""


@frozen
class Part:
    """A node of an interpretation, what it stands for, and the nodes below it."""

    name: str
    sampler: Sampler
    sites: Sites
    children: tuple[Part, ...] = ()
    other: Sampler = field(factory=Uncond)

    def walk(self, place: Place = ()) -> Iterator[tuple[Place, Part]]:
        """This part and all below it, parents first."""
        yield place, self
        for number, child in enumerate(self.children):
            yield from child.walk((*place, number))

    def at(self, place: Place) -> Part:
        """The part at this place."""
        return self.children[place[0]].at(place[1:]) if place else self

    def put(self, place: Place, part: Part | None) -> Part:
        """The tree with another part at this place; None: without what was there."""
        number, *rest = place
        below = self.children[number].put(tuple(rest), part) if rest else part
        kept = (below,) if below is not None else ()
        return evolve(self, children=self.children[:number] + kept + self.children[number + 1 :])


@frozen
class Told:
    """A claim, before it is tested.

    Attributes:
        kind: "true", or the mistake.
        what: which node is wrong, and what is said of it.
        truth: the claim that a false one was made of; None where it was not made of any.
        place: of the node that is wrong; () where it is left out, or none is.
        near: whether it was chosen since its population lies just below the bound.
    """

    kind: str
    what: str
    part: Part
    truth: Part | None = None
    place: Place = ()
    near: bool = False


@frozen(eq=False)
class Planted:
    """A model whose algorithm is known, and what a claim about it may get wrong.

    Attributes:
        group: what the results are reported under.
        model: a graph, or the name of an embedded model.
        truths: claims that are true, each whole: down to where its story ends.
        features: columns that a claim may name.
        elsewhere: (parent, child) → what else the child could be said to stand for: the kind of
            the mistake, and the sites.
        idle: sites that may be claimed below the root and are known to do nothing.
        also: claims that are tested as they are.
        exact: a claim → its loss recovered in the whole population, where it can be enumerated.
    """

    group: str
    name: str
    model: Any
    data: Dataset
    metric: Metric
    truths: tuple[Part, ...]
    features: tuple[str, ...]
    elsewhere: Callable[[Part, Part], Iterable[tuple[str, Sites]]]
    idle: tuple[Sites, ...] = ()
    also: tuple[Told, ...] = ()
    exact: Callable[[Part], float] | None = None

    def claim(self, part: Part, bound: float) -> Claim:
        """The belief that this recovers at least the bound."""
        written = correspondence(part)
        return Claim(
            name=self.name,
            build=lambda model: written,
            data=self.data,
            metric=self.metric,
            expect=supported(above=bound),
            model=self.model,
        )


def correspondence(root: Part) -> Correspondence:
    """The tree as a user would hand it in."""
    sites: dict[InterpNode, Sites] = {}

    def add(part: Part, parents: tuple[InterpNode, ...]) -> None:
        node = InterpNode(part.name, part.sampler, other=part.other, parents=parents)
        sites[node] = part.sites
        for child in part.children:
            add(child, (node,))

    add(root, ())
    return Correspondence(sites)


def part_of(written: Correspondence) -> Part:
    """The tree of a user's correspondence."""
    return part_of_tree(treeify(written))


def part_of_tree(tree: Occurrence) -> Part:
    """The same of a tree that may have been changed since."""
    node = tree.node
    below = tuple(part_of_tree(child) for child in tree.children)
    return Part(node.name, node.sampler, Sites(tree.routes), below, node.other)


def pruned(part: Part, random: np.random.Generator, *, root: bool = True) -> Part:
    """The same story, told less far: any node that agrees on a feature may become a leaf.

    What is below the root stays, and so does what is below a node that is `Exact`: as a leaf it
    would say nothing.
    """
    if not root and isinstance(part.sampler, Agree) and random.random() < 0.4:
        return evolve(part, children=())
    return evolve(part, children=tuple(pruned(c, random, root=False) for c in part.children))


def stated(truths: Iterable[Part]) -> tuple[str, ...]:
    """The features that claims state, each once."""
    samplers = (part.sampler for truth in truths for _, part in truth.walk())
    return tuple(
        dict.fromkeys(name for s in samplers if isinstance(s, Agree) for name in s.features)
    )


def coarser(feature: str) -> str:
    """The name of the column in which values of a feature are merged."""
    return f"{feature}, merged"


def with_coarser(data: Dataset, features: Sequence[str], random: np.random.Generator) -> Dataset:
    """The dataset, with a column for each feature in which its values are merged two by two.

    Which two is left to chance; of a feature with two values nothing is left.
    """
    columns = {}
    for feature in features:
        _, codes = np.unique(data.feature(feature), return_inverse=True)
        columns[coarser(feature)] = random.permutation(codes.max() + 1)[codes] // 2
    return data.with_columns(**columns)


WRONG = (0.04, 0.07, 0.1, 0.3)
"""Shares of the rows in which a half-right feature has a wrong value. A reference and its donor are
both among the right ones with a probability of about 1 − 2 · share: the first three are nearly
right, and lose a tenth to a fifth of what is at stake where all hangs on the feature."""


def half_right(feature: str, share: float) -> str:
    """The name of the column that is the feature, but for a share of the rows."""
    return f"{feature}, {share:.0%} wrong"


def turned(feature: str) -> str:
    """The name of the column whose values are moved on by one in part of the rows."""
    return f"{feature}, turned"


def with_half_right(
    data: Dataset,
    features: Sequence[str],
    others: Sequence[str],
    random: np.random.Generator,
) -> Dataset:
    """The dataset, with columns that are each feature in part of the rows only.

    Half-right ones have another value in some rows, left to chance. Turned ones have the next value
    where one of the `others`, left to chance, has one of every second of its values.
    """
    columns = {}
    for feature in features:
        _, codes = np.unique(data.feature(feature), return_inverse=True)
        kinds = int(codes.max()) + 1
        if kinds == 1:
            continue
        for share in WRONG:
            moved = np.zeros(len(data), dtype=np.int64)
            rows = random.choice(len(data), round(share * len(data)), replace=False)
            moved[rows] = random.integers(1, kinds, size=len(rows))
            columns[half_right(feature, share)] = (codes + moved) % kinds
        rest = [name for name in others if name != feature]
        other = rest[random.integers(len(rest))]
        _, where = np.unique(data.feature(other), return_inverse=True)
        columns[turned(feature)] = (codes + where % 2) % kinds
    return data.with_columns(**columns)
