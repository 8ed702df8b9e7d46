"""Claims that state less: any input in place of those that a node asks for, or coarser features.

A node *states a feature* if its sampler says what matters there. `Exact` and `Uncond` do not: the
one swaps nothing, the other says that nothing matters. Nor does `Differ`, which keeps nothing of
the reference. *Loosened*, such a node may take any input at all; *coarser*, it asks for less. Nodes
keep their names, and with them all draws that do not change, so that both are paired by reference
with the claim itself. Sites and paths stay, so that the claim's own plan serves them all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np
from attrs import evolve, frozen

from scrub.data.dataset import Dataset, Rows
from scrub.draw import Draws
from scrub.hypothesis.tree import NamePath, Tree
from scrub.samplers import Agree, Differ, Exact, Sampler, Uncond, describe_sampler, features_of
from scrub.samplers.agreement import classes

COLUMNS_TRIED = 3
"""Coarser columns that are tried in place of a node's features: the finest ones, of which a claim
whose feature is too fine most likely means one; each costs a scrub."""


@frozen(eq=False)
class Stated:
    """A node that states a feature, at all places of the tree where it stands.

    Attributes:
        name: for people: the node's name, with its path where several nodes have that name.
    """

    name: str
    sampler: Sampler
    paths: frozenset[NamePath]


@frozen(eq=False)
class Coarser:
    """A claim of which one node asks for less.

    Attributes:
        words: how, for people: 'without "io"'.
    """

    node: Stated
    words: str
    tree: Tree


def states(sampler: Any) -> bool:
    """Whether a sampler says what matters at its node."""
    return not isinstance(sampler, Exact | Uncond | Differ)


def stated(tree: Tree) -> tuple[Stated, ...]:
    """The nodes that state a feature, in order from the root."""
    nodes = {id(occurrence.node): occurrence.node for occurrence in tree.walk()}
    paths: dict[int, list[NamePath]] = {key: [] for key in nodes}
    for occurrence in tree.walk():
        paths[id(occurrence.node)].append(occurrence.path)
    names = Counter(node.name for node in nodes.values())
    return tuple(
        Stated(
            node.name if names[node.name] == 1 else " / ".join(paths[key][0]),
            node.sampler,
            frozenset(paths[key]),
        )
        for key, node in nodes.items()
        if states(node.sampler)
    )


def loosened(tree: Tree, nodes: Collection[Stated]) -> Tree:
    """The tree in which these nodes may take any input at all."""
    return _sampled(tree, _paths(nodes), lambda sampler: Uncond())


def coarser(tree: Tree, draws: Draws) -> Iterator[Coarser]:
    """The tree with one feature of one `Agree` dropped, or coarser columns in place of all of them.

    A column is coarser if the features determine it in this data, and it does not determine them.
    """
    population = draws.references.population
    for node in stated(tree):
        sampler = node.sampler
        if not isinstance(sampler, Agree):
            continue
        dropped = (tuple(f for f in sampler.features if f != name) for name in sampler.features)
        for rest, name in zip(dropped, sampler.features, strict=True):
            if rest:
                yield _asks(tree, node, rest, f'without "{name}"')
        if _drawn_from(node, draws, population):
            asked = " and ".join(f'"{name}"' for name in sampler.features)
            for column in coarser_columns(population, sampler.features):
                yield _asks(tree, node, (column,), f'by "{column}" instead of {asked}')


def _drawn_from(node: Stated, draws: Draws, population: Dataset) -> bool:
    """Whether its donors are rows of the claim's data, whose columns can be compared."""
    return all(draws.nodes[path].own.data is population for path in node.paths)


def coarser_columns(data: Dataset, features: tuple[str, ...]) -> list[str]:
    """Columns that the features determine and that do not determine them, the finest first.

    One of each kind: of columns that divide the rows alike only the first, and none that divides
    them as some of the features do.
    """
    every = Rows(data, np.arange(len(data)))
    mine, _ = classes(every, features)
    seen = {_key(mine), *(_key(classes(every, [name])[0]) for name in features)}
    found: list[tuple[int, str]] = []
    for name in data.columns:
        theirs, _ = classes(every, [name])
        kinds = int(theirs.max()) + 1
        both = np.unique(mine.astype(np.int64) * kinds + theirs)
        if kinds < 2 or len(both) > mine.max() + 1 or _key(theirs) in seen:
            continue
        seen.add(_key(theirs))
        found.append((kinds, name))
    return [name for _, name in sorted(found, key=lambda one: -one[0])][:COLUMNS_TRIED]


def _key(numbers: np.ndarray) -> bytes:
    """Two columns with one key divide the rows alike: classes are numbered as they appear."""
    return numbers.tobytes()


def _asks(tree: Tree, node: Stated, features: tuple[str, ...], words: str) -> Coarser:
    def less(sampler: Any) -> Sampler:
        return evolve(sampler, features=features)

    return Coarser(node, words, _sampled(tree, node.paths, less))


def _paths(nodes: Collection[Stated]) -> frozenset[NamePath]:
    return frozenset(path for node in nodes for path in node.paths)


def _sampled(tree: Tree, paths: Collection[NamePath], changed: Callable[[Any], Sampler]) -> Tree:
    """The tree with other samplers of own inputs at these paths."""
    node = tree.node
    if tree.path in paths:
        node = evolve(node, sampler=changed(node.sampler))
    children = tuple(_sampled(child, paths, changed) for child in tree.children)
    return evolve(tree, node=node, children=children)


def in_words(nodes: Collection[Stated]) -> str:
    """What is taken away: "those that agree on io_is_first"."""
    asked = list(dict.fromkeys(describe_sampler(node.sampler) for node in nodes))
    first = next(iter(nodes)).sampler
    if len(asked) == 1 and isinstance(first, Agree) and not first.differ:
        return f"those that agree on {', '.join(features_of(first))}"
    if len(asked) <= 3:
        return f"those that its nodes ask for, {', '.join(asked)}"
    return f"those that its {len(nodes)} nodes ask for"
