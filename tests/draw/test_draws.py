"""The laws of the draws: what they are keyed by, and which distribution each sampler draws from.

Distributions are tested by chi-square with fixed seeds at a level of one in a million: what draws
as it says passes for good, and the samplers that do not, at the end of the file, fail by far.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from attrs import evolve, frozen
from scipy import stats

import scrub
from hypothesis import given, settings
from hypothesis import strategies as st
from scrub import Agree, Correspondence, Dataset, Exact, Fixed, InterpNode, Uncond, UserError, site
from scrub.data.dataset import Rows
from scrub.draw import Draws, draw
from scrub.hypothesis.tree import NamePath, Tree, treeify
from scrub.metrics import custom
from scrub.model.arithmetic import graph, source
from scrub.samplers import Sampler

ROWS = 12
LEVEL = 1e-6
MANY = 20_000


def table(name: str = "data") -> Dataset:
    """Twelve rows: classes of one, three and eight; of two halves; and a name for each."""
    return Dataset(
        name,
        inputs={"x": np.arange(ROWS)},
        lengths=np.ones(ROWS, dtype=int),
        columns={
            "uneven": [0] + [1] * 3 + [2] * 8,
            "half": [0, 1] * (ROWS // 2),
            "name": [f"row {i}" for i in range(ROWS)],
        },
    )


DATA, TWIN = table(), table("twin")
SHIFT = tuple((i + 1) % ROWS for i in range(ROWS))
SAMPLERS: tuple[Sampler, ...] = (
    Exact(),
    Uncond(),
    Agree("uneven"),
    Agree(["uneven", "half"]),
    Agree("name"),
    Fixed(SHIFT),
    Fixed(TWIN),
)
samplers = st.sampled_from(SAMPLERS)
seeds = st.integers(0, 2**63)


@st.composite
def hypotheses(draw: st.DrawFn) -> list[InterpNode]:
    """The nodes of a tree: a root, and nodes with one or two parents among those before."""
    nodes = [InterpNode("n0", draw(samplers), other=draw(samplers))]
    for number in range(1, draw(st.integers(1, 7))):
        parents = draw(st.lists(st.sampled_from(nodes), min_size=1, max_size=2, unique_by=id))
        nodes.append(
            InterpNode(f"n{number}", draw(samplers), other=draw(samplers), parents=tuple(parents))
        )
    return nodes


def tree_of(nodes: Sequence[InterpNode]) -> Tree:
    return treeify(Correspondence({node: site("x") for node in nodes}))


def drawn(nodes: Sequence[InterpNode], seed: int, samples: int = 9) -> Draws:
    return draw(tree_of(nodes), DATA, samples=samples, seed=seed)


def told(rows: Rows | None, samples: int | None = None) -> Any:
    """What was drawn, comparable."""
    return None if rows is None else (rows.data.name, rows.index[:samples].tolist())


def everything(draws: Draws, samples: int | None = None) -> dict[NamePath | str, Any]:
    found: dict[NamePath | str, Any] = {
        path: (told(node.own, samples), told(node.other, samples))
        for path, node in draws.nodes.items()
    }
    found["references"] = told(draws.references, samples)
    found["baseline"] = told(draws.baseline, samples)
    return found


# What a draw depends on


@given(nodes=hypotheses(), seed=seeds, data=st.data())
@settings(deadline=None)
def test_the_seed_decides_and_the_order_of_writing_does_not(
    nodes: list[InterpNode], seed: int, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(nodes))
    assert everything(drawn(nodes, seed)) == everything(drawn(shuffled, seed))


@given(nodes=hypotheses(), seed=seeds)
@settings(deadline=None)
def test_another_seed_draws_others(nodes: list[InterpNode], seed: int) -> None:
    first, second = drawn(nodes, seed, 50), drawn(nodes, seed + 1, 50)
    assert told(first.references) != told(second.references)
    assert told(first.baseline) != told(second.baseline)


@given(nodes=hypotheses(), seed=seeds, sampler=samplers, data=st.data())
@settings(deadline=None)
def test_adding_a_node_leaves_every_other_draw(
    nodes: list[InterpNode], seed: int, sampler: Sampler, data: st.DataObject
) -> None:
    before = drawn(nodes, seed)
    parent = data.draw(st.sampled_from(nodes))
    after = drawn([*nodes, parent.child("added", sampler)], seed)
    assert any(path[-1] == "added" for path in after.nodes)
    assert told(after.references) == told(before.references)
    assert told(after.baseline) == told(before.baseline)
    for path, node in before.nodes.items():
        assert told(after.nodes[path].own) == told(node.own)
        if node.other is not None:  # a leaf that gets a child gets its first other inputs
            assert told(after.nodes[path].other) == told(node.other)


@given(nodes=hypotheses(), seed=seeds, samples=st.integers(1, 30), more=st.integers(1, 30))
@settings(deadline=None)
def test_adding_samples_leaves_every_other_draw(
    nodes: list[InterpNode], seed: int, samples: int, more: int
) -> None:
    few, many = drawn(nodes, seed, samples), drawn(nodes, seed, samples + more)
    assert everything(many, samples) == everything(few)


@given(one=hypotheses(), other=hypotheses(), seed=seeds)
@settings(deadline=None)
def test_references_and_baseline_do_not_depend_on_the_hypothesis(
    one: list[InterpNode], other: list[InterpNode], seed: int
) -> None:
    first, second = drawn(one, seed), drawn(other, seed)
    assert told(first.references) == told(second.references)
    assert told(first.baseline) == told(second.baseline)


@given(nodes=hypotheses(), seed=seeds, data=st.data())
@settings(deadline=None)
def test_another_sampler_at_one_node_moves_only_what_hangs_from_it(
    nodes: list[InterpNode], seed: int, data: st.DataObject
) -> None:
    """Common random numbers: two hypotheses are compared on the same draws elsewhere."""
    tree = tree_of(nodes)
    changed = data.draw(st.sampled_from(tree.walk())).path

    def other(here: Tree) -> Tree:
        node = evolve(here.node, sampler=Uncond()) if here.path == changed else here.node
        return evolve(here, node=node, children=tuple(other(child) for child in here.children))

    before = draw(tree, DATA, samples=9, seed=seed)
    after = draw(other(tree), DATA, samples=9, seed=seed)
    for path, node in before.nodes.items():
        if path[: len(changed)] != changed:
            assert told(after.nodes[path].own) == told(node.own)
            assert told(after.nodes[path].other) == told(node.other)


def test_a_row_drawn_twice_gets_fresh_donors() -> None:
    root = InterpNode("root", Uncond())
    draws = draw(tree_of([root]), DATA, samples=60, seed=0, references=[7] * 60)
    assert set(draws.references.index) == {7}
    assert len(set(draws.nodes["root",].own.index)) > 6
    assert len(set(draws.baseline.index)) > 6


def test_a_node_with_two_parents_is_drawn_once_for_each() -> None:
    root = InterpNode("root", Exact())
    left, right = root.child("left", Exact()), root.child("right", Exact())
    shared = InterpNode("shared", Uncond(), parents=(left, right))
    nodes = drawn([root, left, right, shared], 0, 60).nodes
    one, two = nodes["root", "left", "shared"].own, nodes["root", "right", "shared"].own
    assert told(one) != told(two)


# What the samplers draw from


def pairs(sampler: Sampler, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """References and their donors, many of them."""
    draws = drawn([InterpNode("root", sampler)], seed, MANY)
    return draws.references.index, draws.nodes["root",].own.index


def uniform(values: np.ndarray, cells: int) -> bool:
    """Whether whole numbers below `cells` are equally frequent."""
    return bool(stats.chisquare(np.bincount(values, minlength=cells)).pvalue > LEVEL)


def independent(one: np.ndarray, two: np.ndarray) -> bool:
    counts = np.zeros((ROWS, ROWS))
    np.add.at(counts, (one, two), 1)
    return bool(stats.chi2_contingency(counts).pvalue > LEVEL)


def uniform_over_classes(sampler: Sampler, features: Sequence[str]) -> bool:
    """Whether every row of the reference's class, its own included, is an equally likely donor."""
    references, donors = pairs(sampler)
    classes = {tuple(DATA.feature(name)[i] for name in features) for i in range(ROWS)}
    for values in classes:
        members = [
            i for i in range(ROWS) if tuple(DATA.feature(name)[i] for name in features) == values
        ]
        for reference in members:
            here = donors[references == reference]
            if not set(here) <= set(members):
                return False
            if len(members) > 1 and not uniform(np.searchsorted(members, here), len(members)):
                return False
    return True


@pytest.mark.parametrize("features", [["uneven"], ["half"], ["uneven", "half"], ["name"], []])
def test_agree_is_uniform_over_the_agreement_class(features: list[str]) -> None:
    assert uniform_over_classes(Agree(features), features)


@given(nodes=hypotheses(), seed=seeds)
@settings(deadline=None)
def test_agree_agrees_at_every_depth(nodes: list[InterpNode], seed: int) -> None:
    tree, draws = tree_of(nodes), drawn(nodes, seed)
    for node in tree.walk():
        above = draws.nodes[node.path[:-1]].own if len(node.path) > 1 else draws.references
        here = draws.nodes[node.path]
        for sampler, reference, donor in (
            (node.node.sampler, above, here.own),
            (node.node.other, here.own, here.other),
        ):
            if donor is not None and isinstance(sampler, Agree):
                for name in sampler.features:
                    assert reference.feature(name).tolist() == donor.feature(name).tolist()


@pytest.mark.parametrize(
    "sampler", [s for s in SAMPLERS if not isinstance(s, Fixed)] + [Fixed(SHIFT)]
)
def test_the_donors_distribution_is_the_datasets(sampler: Sampler) -> None:
    references, donors = pairs(sampler)
    assert uniform(references, ROWS)
    assert uniform(donors, ROWS)


def test_uncond_and_baseline_are_independent_of_the_reference() -> None:
    references, donors = pairs(Uncond())
    assert independent(references, donors)
    baseline = drawn([InterpNode("root", Uncond())], 0, MANY).baseline.index
    assert uniform(baseline, ROWS)
    assert independent(references, baseline)
    assert independent(donors, baseline)
    assert not independent(*pairs(Agree("uneven")))


def test_draws_of_different_nodes_and_purposes_are_independent() -> None:
    root = InterpNode("root", Uncond(), other=Uncond())
    nodes = [root, root.child("left", Uncond()), root.child("right", Uncond())]
    draws = drawn(nodes, 0, MANY)
    top = draws.nodes["root",]
    assert top.other is not None
    found = [
        draws.references.index,
        draws.baseline.index,
        top.own.index,
        top.other.index,
        draws.nodes["root", "left"].own.index,
        draws.nodes["root", "right"].own.index,
    ]
    for i, one in enumerate(found):
        assert all(independent(one, other) for other in found[i + 1 :])


def test_other_is_drawn_from_own_and_the_child_from_its_parents_own() -> None:
    root = InterpNode("root", Fixed(SHIFT), other=Fixed(SHIFT))
    draws = drawn([root, root.child("child", Fixed(SHIFT))], 0)
    reference = draws.references.index
    top = draws.nodes["root",]
    assert top.other is not None
    assert top.own.index.tolist() == ((reference + 1) % ROWS).tolist()
    assert top.other.index.tolist() == ((reference + 2) % ROWS).tolist()
    assert draws.nodes["root", "child"].own.index.tolist() == ((reference + 2) % ROWS).tolist()


def test_fixed_to_a_dataset_is_the_same_row_there() -> None:
    root = InterpNode("root", Fixed(TWIN))
    child = root.child("child", Agree("uneven"))
    draws = drawn([root, child], 0, 60)
    own = draws.nodes["root",].own
    assert own.data is TWIN
    assert own.index.tolist() == draws.references.index.tolist()
    assert draws.nodes["root", "child"].own.data is TWIN


def test_agree_on_singletons_is_exact() -> None:
    references, donors = pairs(Agree("name"))
    assert donors.tolist() == references.tolist() == pairs(Exact())[1].tolist()


def test_fixed_needs_a_donor_for_each_row() -> None:
    with pytest.raises(UserError, match=r"row map has 3 rows, the data 12"):
        drawn([InterpNode("root", Fixed([0, 1, 2]))], 0)
    with pytest.raises(UserError, match=r"dataset has 5 rows, the data 12"):
        drawn([InterpNode("root", Fixed(DATA.take(range(5))))], 0)
    with pytest.raises(UserError, match=r"gives row 0 the donor 12; the data has rows 0 to 11"):
        drawn([InterpNode("root", Fixed([12] * ROWS))], 0)


@pytest.mark.parametrize("deep", [False, True])
def test_a_node_cannot_take_the_baselines_draws(deep: bool) -> None:
    @scrub.claim(data=DATA, metric=custom(lambda x, rows: x), model=graph(source("x")))
    def reserved(model: Any) -> Correspondence:
        root = InterpNode("root" if deep else "baseline", Exact())
        nodes = [root, root.child("baseline", Exact())] if deep else [root]
        return Correspondence({node: site("x") for node in nodes})

    with pytest.raises(UserError, match="That name is reserved for the baseline's draws"):
        scrub.run(reserved)


# The tests above can fail: samplers that break a law


@frozen
class NotItself:
    """Another row of the class, never the reference's own."""

    def draw(self, references: Rows, randomness: Any) -> Rows:
        classes = references.feature("half")
        step = 1 + (randomness.uniform() * (ROWS // 2 - 1)).astype(int)
        rows = (references.index // 2 + step) % (ROWS // 2)
        return references.at(2 * rows + classes)


@frozen
class OftenTheFirst:
    """The first row of the class a tenth more often than it should be."""

    def draw(self, references: Rows, randomness: Any) -> Rows:
        donors = Agree("half").draw(references, randomness)
        first = randomness.uniform() < 0.1
        return donors.at(np.where(first, references.feature("half"), donors.index))


@pytest.mark.parametrize("mutant", [NotItself(), OftenTheFirst(), Uncond(), Exact()])
def test_a_sampler_that_is_not_uniform_over_the_class_is_found_out(mutant: Sampler) -> None:
    assert not uniform_over_classes(mutant, ["half"])


def test_a_sampler_that_changes_the_distribution_is_found_out() -> None:
    assert not uniform(pairs(OftenTheFirst())[1], ROWS)
    assert not uniform(pairs(Fixed([0, *range(ROWS - 1)]))[1], ROWS)
