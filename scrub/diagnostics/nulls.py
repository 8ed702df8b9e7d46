"""Nulls: the same tree with random components of the same types and layers in place of its own.

A claim names heads. Would others do as well? On IOI in GPT-2 small, 12.5% of random sets of 26
heads recover over 70% of the logit difference where MLPs run free: a score is worth what it stands
above such sets. A null puts other heads of the same layer in the place of the named ones, the same
ones everywhere in the tree. Nothing else changes: names, samplers, positions, ports, and with them
all draws.

Without heads (graphs of plain functions), a site stands for those at the same depth that have the
same ports. What has no like in its layer stays as it is: MLPs, embeddings, and the root, which the
metric reads.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from attrs import evolve, frozen
from scipy import stats

from scrub.data import Dataset
from scrub.diagnostics.legal import problems
from scrub.hypothesis import Expectation
from scrub.model.graph import Component, Graph, Site
from scrub.sites import Cell, Route, Through
from scrub.statistics import CONFIDENCE, Interval
from scrub.tree import Tree

NULLS = 20
"""Enough to see a share of nulls that do as well down to about 1 in 20 (see `Nulls.share`)."""
ATTEMPTS = 20
"""Substitutions tried for each null that is asked for, before there are taken to be no more."""
REMARKABLE = 1 / 20
"""The share of nulls that may do as well before a score is doubted.

The share is the chance that heads which were picked blindly do as well as those that the claim
picked: the p-value of the score as a test of that choice (a permutation test). Above the usual 5%
the score would be nothing remarkable for any heads. So one of the usual 20 nulls may do as well.
"""


@frozen(eq=False)
class Pool:
    """The components that may stand in for those of one layer and type.

    Attributes:
        named: those that the tree names.
        others: those that may stand in for them.
        own: whether the named ones are among the others, since besides them there are too few for
            as many nulls as usual.
        layer: group of a head; "" for sites without heads.
    """

    named: tuple[Component, ...]
    others: tuple[Component, ...]
    own: bool
    layer: str = ""


@frozen(eq=False)
class Nulls:
    """Where a claim's score lies among its nulls'.

    Attributes:
        claim: loss recovered by the claim.
        recovered: loss recovered by each null; NaN where that is undefined.
        as_well: how many of those that are defined do as well as the claim (see `does_as_well`).
        share: of nulls that recover as much as the claim or more, with the exact binomial interval
            (Clopper & Pearson 1934); of those that are defined.
        passing: how many recover what the file's bounds ask for; None where it has none.
        asked: how many nulls were asked for; fewer there are where components are few.
        pools: where components were drawn from, in words.
        reason: why there are none, if there are none.
        kind: what they have in place of the claim's own: heads, sites, or both.
    """

    claim: float
    recovered: tuple[float, ...]
    as_well: int
    share: Interval
    passing: int | None
    asked: int
    pools: str
    reason: str = ""
    kind: str = "heads"

    @property
    def as_high(self) -> int:
        """Number of nulls that recover as much as the claim or more."""
        return sum(null >= self.claim for null in self.recovered)

    @property
    def tries(self) -> int:
        """Number of nulls of which loss recovered is defined."""
        return sum(not math.isnan(null) for null in self.recovered)


def does_as_well(null: float, claim: float, ahead: Interval, expect: Expectation | None) -> bool:
    """Whether a claim does no better than a null, as far as can be told.

    Not told apart: then it does no better. Else better is to recover more; of a belief that is
    bounded from above alone, less; of one that is bounded on both sides, to lie nearer to the
    middle of the two.

    Args:
        null, claim: loss recovered by each.
        ahead: claim − null with its interval, paired by reference.
    """
    if ahead.low <= 0 <= ahead.high:
        return True
    low, high = (None, None) if expect is None else (expect.low, expect.high)
    if high is None:
        return null > claim
    if low is None:
        return null < claim
    middle = (low + high) / 2
    return abs(null - middle) <= abs(claim - middle)


def nulls_doubts(found: Nulls | None) -> tuple[str, ...]:
    """What a reader of the score must be told of its nulls: nothing, or one sentence.

    Without the claim's name and without a full stop. None: there are none.
    """
    if found is None or not found.tries or found.as_well / found.tries <= REMARKABLE:
        return ()
    times = f"in {found.as_well} of {found.tries} tries"
    if found.tries == 1:
        times = "in the one try that could be made"
    return (
        f"random {found.kind} in its place do as well {times}: "
        f"the score does not show that these {found.kind} matter",
    )


def pools(tree: Tree, graph: Graph) -> tuple[Pool, ...]:
    """What may stand in for the components that a tree names; () where nothing may."""
    fixed = {graph.component(cell) for route in tree.routes for cell in route.cells}
    fixed |= {  # a split need not fit another site; it fits all heads of its own
        graph.component(cell)
        for node in tree.walk()
        for route in node.routes
        for cell in route.cells
        if cell.part is not None and cell.head is None
    }
    named = {
        graph.component(cell)
        for node in tree.walk()[1:]
        for route in node.routes
        for cell in (*route.cells, *route.through.also, *route.through.never)
    } - fixed
    layers: dict[object, list[Component]] = {}
    for component in sorted(named, key=str):
        layers.setdefault(_kind(component, graph), []).append(component)
    found: list[Pool] = []
    for mine in layers.values():
        every = [c for c in _alike(mine[0], graph) if c not in fixed]
        group, head = mine[0]
        if len(every) > len(mine):
            layer = "" if head is None else group
            found.append(Pool(tuple(mine), tuple(every), own=True, layer=layer))
    without = tuple(
        evolve(pool, others=tuple(c for c in pool.others if c not in pool.named), own=False)
        for pool in found
    )
    choices = math.prod(math.comb(len(pool.others), len(pool.named)) for pool in without)
    return without if choices >= NULLS else tuple(found)


def nulls(
    tree: Tree, graph: Graph, data: Dataset, most: int, rng: np.random.Generator
) -> Iterator[Tree]:
    """Legal nulls of a tree, no two alike and none the tree itself, `most` at most.

    Law: asking for more leaves the first ones as they were.
    """
    there = pools(tree, graph)
    if not there:
        return
    seen = {_claimed(tree)}
    found = 0
    for _ in range(ATTEMPTS * most):
        if found == most:
            return
        null = substituted(tree, _substitution(there, rng), graph)
        claimed = _claimed(null)
        if claimed in seen:
            continue
        seen.add(claimed)
        if not problems(null, graph, data):
            found += 1
            yield null


def _substitution(there: tuple[Pool, ...], rng: np.random.Generator) -> dict[Component, Component]:
    found: dict[Component, Component] = {}
    for pool in there:
        chosen = rng.permutation(len(pool.others))[: len(pool.named)]
        found |= {mine: pool.others[i] for mine, i in zip(pool.named, chosen, strict=True)}
    return found


def substituted(tree: Tree, instead: Mapping[Component, Component], graph: Graph) -> Tree:
    """The tree with some components in the place of others, wherever it names them."""

    def cell(old: Cell) -> Cell:
        component = graph.component(old)
        if component not in instead:
            return old
        other, number = instead[component]
        return evolve(old, site=old.site if other == component[0] else other, head=number)

    def through(old: Through) -> Through:
        return evolve(old, also=tuple(map(cell, old.also)), never=tuple(map(cell, old.never)))

    def route(old: Route) -> Route:
        return evolve(old, cells=tuple(map(cell, old.cells)), through=through(old.through))

    return evolve(
        tree,
        routes=tuple(map(route, tree.routes)),
        children=tuple(substituted(child, instead, graph) for child in tree.children),
    )


def _claimed(tree: Tree) -> object:
    """What a tree claims, whatever order it writes it in."""

    def route(one: Route) -> object:
        through = one.through
        return (
            frozenset(one.cells),
            one.at,
            one.into,
            (through.kinds, frozenset(through.also), frozenset(through.never)),
        )

    return tuple((node.path, frozenset(map(route, node.routes))) for node in tree.walk())


def _kind(component: Component, graph: Graph) -> object:
    """Equal for components of one type and layer."""
    group, head = component
    if head is not None:
        return group
    sites = _sites(group, graph)
    if len(sites) == 1 and sites[0].kind == "site":
        return _depths(graph)[sites[0].name], frozenset(port.name for port in sites[0].ports)
    return component


def _alike(component: Component, graph: Graph) -> list[Component]:
    """All components of one type and layer, this one included."""
    group, head = component
    if head is not None:
        count = max(site.heads or 0 for site in _sites(group, graph))
        return [(group, number) for number in range(count)]
    kind = _kind(component, graph)
    others = dict.fromkeys(site.group for site in graph.sites.values() if site.heads is None)
    return [(other, None) for other in others if _kind((other, None), graph) == kind]


def _sites(group: str, graph: Graph) -> list[Site]:
    return [site for site in graph.sites.values() if site.group == group]


def _depths(graph: Graph) -> dict[str, int]:
    """Of every site and stream: the longest way to it from an input, counted in sites."""
    found: dict[str, int] = {}
    for name, value in graph.values.items():
        if isinstance(value, Site):
            found[name] = 1 + max((found[port.source] for port in value.ports), default=-1)
        else:
            found[name] = max((found[writer] for writer in graph.writers(name)), default=0)
    return found


def judged(
    recovered: Sequence[float],
    ahead: Sequence[Interval],
    claim: float,
    expect: Expectation | None,
    asked: int,
    there: tuple[Pool, ...],
) -> Nulls:
    """Where the claim's score lies among the nulls'.

    Args:
        recovered: by each null.
        ahead: claim − null for each, with the interval, paired by reference.
    """
    unknown = Interval(math.nan, math.nan, math.nan)
    found = Nulls(claim, (), 0, unknown, None, asked, in_words(there), kind=_kinds(there))
    if math.isnan(claim):
        return evolve(found, pools="", reason="loss recovered is undefined")
    if not recovered:
        why = "nothing that it names has a like of the same type in its layer"
        if there:
            why = f"no choice of {in_words(there)} is a legal claim"
        return evolve(found, reason=why)
    found = evolve(found, recovered=tuple(recovered))
    defined = [null for null in recovered if not math.isnan(null)]
    if not defined:
        return evolve(found, reason=f"loss recovered is undefined for all {len(recovered)}")
    pairs = zip(recovered, ahead, strict=True)
    as_well = sum(not math.isnan(n) and does_as_well(n, claim, d, expect) for n, d in pairs)
    as_high = sum(null >= claim for null in defined)
    exact = stats.binomtest(as_high, len(defined)).proportion_ci(CONFIDENCE)
    share = Interval(as_high / len(defined), float(exact.low), float(exact.high))
    passing = None
    if expect is not None and (expect.low, expect.high) != (None, None):
        low = -math.inf if expect.low is None else expect.low
        high = math.inf if expect.high is None else expect.high
        passing = sum(low <= null <= high for null in defined)
    return evolve(found, as_well=as_well, share=share, passing=passing)


def _kinds(there: tuple[Pool, ...]) -> str:
    """What stands in for what: "heads", "sites", "heads and sites"."""
    kinds = {"heads" if pool.layer else "sites" for pool in there}
    return " and ".join(sorted(kinds)) or "heads"


def in_words(there: tuple[Pool, ...]) -> str:
    """Where nulls come from: "other heads of layers 2, 3"."""
    parts = []
    for own in (False, True):
        layers = [_number(pool.layer) for pool in there if pool.layer and pool.own == own]
        if layers:
            which = "any" if own else "other"
            word = "layer" if len(layers) == 1 else "layers"
            parts.append(f"{which} heads of {word} {', '.join(layers)}")
        sites = [pool for pool in there if not pool.layer and pool.own == own]
        if sites:
            names = ", ".join(group for pool in sites for group, _ in pool.others)
            parts.append(f"any of {names}" if own else f"others of {names}")
    return "; ".join(parts)


def _number(group: str) -> str:
    """Of a layer; the group's name, where it is no transformer's."""
    stem, _, rest = group.partition(".")
    return rest.partition(".")[0] if stem == "blocks" else group
