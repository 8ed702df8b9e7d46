"""What circuits have in common: by hand, and random ones against random circuits as such."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub.circuits import chance
from scrub.circuits.overlap import Overlap, overlap
from scrub.circuits.parts import common_at, edges_in, nodes_in, size_at
from scrub.circuits.random_circuits import random_circuits
from scrub.errors import UserError
from scrub.hypothesis.circuit import Circuit, edge
from scrub.hypothesis.components import head
from scrub.hypothesis.sites import embeddings, heads, mlp, output
from scrub.model.bridge import graph_of
from scrub.model.registry import Model
from scrub.names import Cell
from scrub.sweeps.heatmap import save_figure
from support import tiny_models
from support.random_circuits import of_edges, of_sites

quick = settings(max_examples=40, deadline=None, database=None)


def model(name: str = "3x2") -> Model:
    return Model(name, graph_of(tiny_models.bridge(name)))


ONE = Circuit.of_edges(
    edge(embeddings(), heads([(0, 0), (0, 1)]), into="v", at="s2"),
    edge(heads([(0, 0), (0, 1)]), heads([(1, 0)]), into="k", at="s2"),
    edge(heads([(1, 0)]) | mlp(1), output(), at="end"),
)
TWO = Circuit.of_edges(
    edge(embeddings(), heads([(0, 0)]), into="v"),
    edge(heads([(0, 0)]), heads([(1, 0), (1, 1)]), at=("s2", "end")),
    edge(heads([(1, 0), (1, 1)]), output(), at="end"),
)
ONE = evolve(ONE, name="one", roles={"early": [head(0, 0), head(0, 1)], "late": [head(1, 0)]})
TWO = evolve(TWO, name="two", roles={"early": [head(0, 0)]})


def test_by_hand() -> None:
    found = overlap([ONE, TWO])
    nodes, placed, edges = found.common
    # 0.0, 0.1, 1.0, MLP 1 and 0.0, 1.0, 1.1
    assert (nodes.of, nodes.sizes, nodes.both) == ("nodes", (4, 3), 2)
    assert nodes.jaccard == 2 / 5
    assert nodes.contained == (2 / 4, 2 / 3)
    # 0.0, 0.1 at s2, 1.0, MLP 1 at end; 0.0 at s2 and end, 1.0, 1.1 at end
    assert (placed.of, placed.sizes, placed.both) == ("nodes at positions", (4, 4), 2)
    # 2 from embeddings, 2 into k, 2 into logits; 1, 2 by three ports each, 2
    assert (edges.of, edges.sizes, edges.both) == ("edges", (6, 9), 1 + 1 + 1)
    assert math.isnan(nodes.p)
    assert found.by_layer["both_random"].isna().all()
    assert found.by_layer.drop(columns="both_random").to_dict("list") == {
        "first": ["one", "one"],
        "second": ["two", "two"],
        "layer": [0, 1],
        "first_size": [2, 2],
        "second_size": [1, 2],
        "both": [1, 1],
        "jaccard": [1 / 2, 1 / 3],
    }
    roles = found.by_role.drop(columns=["share", "in_other_random"]).astype(object)
    assert roles.where(roles.notna(), None).to_numpy().tolist() == [
        ["one", "early", 2, "two", 1, 1],
        ["one", "late", 1, "two", 1, None],
        ["two", "early", 1, "one", 1, 1],
    ]


def test_free_mlps_are_not_compared() -> None:
    table = Circuit.of(heads([(0, 0), (1, 0)]))
    found = overlap([evolve(table, free="mlps"), ONE.of_sites()])
    assert not found.mlps
    assert found.common[0].sizes == (2, 3)
    assert overlap([table, ONE.of_sites()]).common[0].sizes == (2, 4)


@given(of_sites(), of_sites())
@quick
def test_counts_are_those_of_the_sets(one: Circuit, two: Circuit) -> None:
    first, second = (nodes_in(circuit, mlps=True) for circuit in (one, two))
    assert common_at(first, second) == size_at(nodes_in(one & two, mlps=True))
    found, turned = overlap([one, two]).common[0], overlap([two, one]).common[0]
    assert (found.both, found.sizes) == (turned.both, turned.sizes[::-1])
    assert found.jaccard == turned.jaccard or len(one) + len(two) == 0
    for common in overlap([one, one]).common:
        assert common.jaccard == 1 or common.sizes == (0, 0)


@given(of_edges(st.just("all")), of_edges(st.just("all")))
@quick
def test_edges_are_counted_by_port(one: Circuit, two: Circuit) -> None:
    one, two = (circuit.without([Cell("pos_embed")]) for circuit in (one, two))
    first, second = (edges_in(circuit, mlps=True) for circuit in (one, two))
    assert first & second == edges_in(one & two, mlps=True)


def by_random_circuits(one: Circuit, two: Circuit, of: str, draws: int) -> np.ndarray:
    """The same numbers, counted on random circuits."""
    made = random_circuits(two, model(), draws, seed=5)
    found = [overlap([one, other]).common for other in made]
    return np.array([common.both for all_ in found for common in all_ if common.of == of])


SITES = (
    Circuit.of(heads([(0, 0)], at="s2"), heads([(1, 0)], at=("s2", "end")), heads([(2, 0)])),
    Circuit.of(heads([(0, 1)], at="s2"), heads([(1, 1)], at="end"), heads([(2, 0)], at="end")),
)
EDGES = (
    Circuit.of_edges(
        edge(embeddings(), heads([(0, 0)]), into="v"),
        edge(heads([(0, 0), (0, 1)]), heads([(1, 0)]), into="k"),
        edge(heads([(1, 0)]), output()),
    ),
    Circuit.of_edges(
        edge(embeddings(), heads([(0, 1)]), into="v"),
        edge(heads([(0, 0)]), heads([(1, 0), (1, 1)]), into="k"),
        edge(heads([(1, 1)]), output()),
    ),
)


@pytest.mark.parametrize("of", ["nodes", "nodes at positions", "edges"])
def test_random_ones_are_random_circuits(of: str) -> None:
    """What is drawn at once is as often as in random circuits that are made one by one."""
    one, two = EDGES if of == "edges" else SITES
    (common,) = (c for c in overlap([one, two], model(), random=4_000).common if c.of == of)
    expected = by_random_circuits(one, two, of, 400)
    values = sorted(set(expected) | set(common.random))
    assert len(values) > 1
    for value in values:
        share = np.mean(np.array(common.random) == value)
        assert abs(share - np.mean(expected == value)) < 0.1


def test_the_order_of_a_set_changes_no_draw() -> None:
    """Sets of strings and None have another order in each process."""
    one, two = (sorted(edges_in(circuit, mlps=True), key=str) for circuit in EDGES)
    assert len({(e[0], e[2], e[4]) for e in one}) > 1
    drawn = [
        chance.common_edges(way(one), way(two), model().graph, 50, np.random.default_rng(3))
        for way in (list, reversed)
    ]
    np.testing.assert_array_equal(*drawn)


def test_random_ones_must_keep_to_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant that draws from all layers at once."""
    right = np.mean(overlap([ONE, TWO], model(), random=2_000).common[0].random)
    # layer 0: 2 of 2 heads, 1 drawn; layer 1: 1 of 2, 2 drawn; MLPs: none of TWO's
    assert right == 1 + 1

    def anywhere(first, second, sizes, draws, rng):
        total = sum(sizes.values())
        inside, drawn = sum(first.values()), sum(second.values())
        return rng.hypergeometric(inside, total - inside, drawn, size=draws)

    monkeypatch.setattr(chance, "_met", anywhere)
    assert np.mean(overlap([ONE, TWO], model(), random=2_000).common[0].random) != right


def test_what_random_circuits_have(tmp_path: Path) -> None:
    one = Circuit.of(heads([(0, 0), (1, 0), (2, 0)]))
    found = overlap([one, one], model(), random=999, seed=3)
    (common,) = found.common
    assert common.both_random == pytest.approx(1.5, abs=0.1)
    assert common.p == pytest.approx(1 / 8, abs=0.04)
    assert common.jaccard_random[1:] == (0.0, 1.0)
    assert found.model == "3x2"
    row = found.frame.iloc[0]
    assert row["first_in_second_random"] == common.both_random / 3
    assert (row["first"], row["second"]) == ("circuit (1)", "circuit (2)")
    again = overlap([one, one], model(), random=999, seed=3)
    assert again.common == found.common
    said = json.loads(found.to_json())
    assert said["schema"] == "scrub.overlap/1"
    assert said["overlap"][0]["p"] == common.p
    assert json.loads(overlap([one, Circuit()]).to_json())["overlap"][0]["p"] is None


def test_layers_and_roles_beside_random_ones() -> None:
    """TWO has one of two heads of layer 0, both of layer 1, and no MLP."""
    found = overlap([ONE, TWO], model(), random=2_000)
    assert list(found.by_layer["both_random"]) == [2 / 2, 1.0]
    assert found.by_layer["both_random"].sum() == pytest.approx(found.common[0].both_random)
    assert list(found.by_role["in_other_random"]) == [2 / 2, 1.0, 1.0]


def test_what_is_in_exactly_some() -> None:
    three = evolve(Circuit.of(heads([(0, 0), (2, 0)])), name="three")
    found = overlap([ONE, TWO, three])
    assert found.exactly() == {(0, 1, 2): 1, (0,): 2, (0, 1): 1, (1,): 1, (2,): 1}
    assert len(found.common) == 2 + 3 + 2
    assert [one.first for one in found.common if one.of == "nodes"] == ["one", "one", "two"]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_it_is_drawn(count: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    some = [
        Circuit.of(heads([(n, int(h)) for n, h in enumerate(rng.integers(2, size=3))]), mlp(0))
        for _ in range(count)
    ]
    found = overlap(some, model(), random=50)
    for name in ("one.svg", "two.svg"):
        save_figure(found.plot(), tmp_path / name)
    drawn = (tmp_path / "one.svg").read_text()
    assert drawn == (tmp_path / "two.svg").read_text()
    for name in found.names:
        assert name in drawn


def test_what_cannot_be_compared() -> None:
    with pytest.raises(UserError, match="was given 1"):
        overlap([ONE])
    with pytest.raises(UserError) as refused:
        overlap([ONE, Circuit.of(heads([(9, 9)]))], model())
    assert "There is no head 9.9" in str(refused.value)
    assert isinstance(overlap([ONE, TWO]), Overlap)
