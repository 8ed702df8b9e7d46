"""The reference evaluator on split sites: their laws, and cases with answers by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from scrub.data.dataset import Dataset, Rows, pad
from scrub.draw import Draws, NodeDraw
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import (
    Route,
    Sites,
    anything,
    heads,
    mlp,
    output,
    site,
    summand,
)
from scrub.hypothesis.splits import (
    Split,
    estimate,
    neurons,
    projection,
    source_positions,
)
from scrub.model.arithmetic import graph, node, source
from scrub.names import Cell
from scrub.reference import evaluate, evaluate_graph
from scrub.samplers import Exact
from support.tiny_models import VOCABULARY, bridge

ROWS = [[1, 2, 3, 4, 5, 6], [7, 8, 9], [10, 3, 0, 2], [4, 4, 1, 5, 9, 8, 2], [6, 1, 7], [5, 0]]
DATA = Dataset(
    "by hand",
    inputs={"tokens": pad(ROWS, 0)},
    lengths=[len(row) for row in ROWS],
    positions={"end": [len(row) - 1 for row in ROWS]},
)
PARENT, DONOR, OTHER = [0, 3, 2], [3, 0, 1], [4, 5, 3]
RANDOM = np.random.default_rng(0)
BASIS, _ = np.linalg.qr(RANDOM.normal(size=(16, 3)))
TABLE = RANDOM.normal(size=(VOCABULARY, 16))

NAME = "llama"
RESULT = heads([(0, 1)], part="result")


def phi(rows: Rows) -> np.ndarray:
    return TABLE[rows.data.inputs["tokens"][rows.index]]


PROJECTION = projection(line=BASIS[:, 0], plane=BASIS[:, 1:])
SPLITS: dict[str, tuple[Sites, Split, tuple[str, ...]]] = {
    "projection": (RESULT, PROJECTION, ("line", "plane", "rest")),
    "estimate": (RESULT, estimate(phi), ("phi", "rest")),
    "neurons": (site("blocks.0.mlp_post"), neurons(a=[0, 7], b=[3]), ("a", "b", "rest")),
    "source positions": (heads([(0, 1)]), source_positions(), ("0", "3", "rest")),
}


def rows(index: list[int]) -> Rows:
    return Rows(DATA, np.array(index))


def scrubbed(root: Sites, *children: tuple[Sites, list[int]]) -> Tensor:
    """The root on PARENT with each child on its own rows."""
    above = InterpNode("root", Exact())
    nodes, drawn = {above: root}, {("root",): NodeDraw(rows(PARENT), rows(PARENT))}
    for i, (sites, index) in enumerate(children):
        below = above.child(f"child {i}", Exact())
        nodes[below] = sites
        drawn["root", below.name] = NodeDraw(rows(index))
    draws = Draws(rows(PARENT), rows(PARENT), drawn)
    return evaluate(Correspondence(nodes), draws, bridge(NAME))


def with_path(sites: Sites) -> Sites:
    """The same sites, by paths through anything."""
    return Sites(tuple(Route(route.cells, through=anything) for route in sites.routes))


def difference(found: Tensor, expected: Tensor) -> float:
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())


# Laws


@pytest.mark.parametrize("name", SPLITS)
def test_summands_that_come_from_one_input_are_the_node_unsplit(name: str) -> None:
    sites, split, parts = SPLITS[name]
    sites = with_path(sites)
    found = scrubbed(output(), *((summand(sites, split, part), DONOR) for part in parts))
    assert difference(found, scrubbed(output(), (sites, DONOR))) <= 1e-12
    apart = scrubbed(output(), *((summand(sites, split, p), DONOR) for p in parts[:-1]))
    assert difference(apart, found) > 1e-3


@pytest.mark.parametrize("name", SPLITS)
def test_a_node_may_claim_summands_of_its_parents_own_site(name: str) -> None:
    """A site is its summands' sum: some from the donor, the others from its own frame."""
    sites, split, parts = SPLITS[name]
    children = [summand(sites, split, part) for part in parts]
    value = {
        part: (scrubbed(child), scrubbed_on_donor(child))
        for part, child in zip(parts, children, strict=True)
    }
    for part, child in zip(parts, children, strict=True):
        expected = sum(theirs if other == part else mine for other, (mine, theirs) in value.items())
        if name == "source positions":  # its rest is what the named ones leave, here one
            expected = scrubbed(sites) - scrubbed(child) + scrubbed_on_donor(child)
        assert difference(scrubbed(sites, (child, DONOR)), expected) <= 1e-12


def scrubbed_on_donor(sites: Sites) -> Tensor:
    """What the root stands for, on DONOR."""
    root = InterpNode("root", Exact())
    draws = Draws(rows(PARENT), rows(PARENT), {("root",): NodeDraw(rows(DONOR))})
    return evaluate(Correspondence({root: sites}), draws, bridge(NAME))


# By hand


def test_a_projection() -> None:
    line = torch.tensor(BASIS[:, 0])
    along = (scrubbed(RESULT) @ line)[..., None] * line
    assert difference(scrubbed(summand(RESULT, PROJECTION, "line")), along) <= 1e-12


def test_an_estimate_is_of_the_frames_own_row() -> None:
    """Where φ is the donor's, the rest stays what the value leaves of the parent's φ."""
    found = scrubbed(RESULT, (summand(RESULT, estimate(phi), "phi"), DONOR))[:, :, 0]
    theirs, mine = torch.tensor(phi(rows(DONOR))), torch.tensor(phi(rows(PARENT)))
    assert difference(found, scrubbed(RESULT)[:, :, 0] - mine + theirs) <= 1e-12


def test_an_estimate_is_zero_where_the_function_gives_nothing() -> None:
    short = estimate(lambda rows: phi(rows)[:, :2])
    found = scrubbed(summand(RESULT, short, "phi"))[:, :, 0]
    assert found[:, 2:].abs().max() == 0
    assert difference(found[:, :2], torch.tensor(phi(rows(PARENT)))[:, :2]) == 0


def test_a_source_position_is_mapped_index_to_index() -> None:
    z, split = heads([(0, 1)]), source_positions()
    pattern, v = (scrubbed_on_donor(heads([(0, 1)], part=p))[:, :, 0] for p in ("pattern", "v"))
    found = scrubbed_on_donor(summand(z, split, "2"))[:, :, 0]
    assert difference(found, pattern[:, :, 2:3] * v[:, 2:3]) <= 1e-12
    past_the_end = scrubbed_on_donor(summand(z, split, "99"))
    assert past_the_end.abs().max() == 0


def test_a_path_goes_on_through_the_rest_of_an_estimate() -> None:
    """Logits ← φ of a head's result and, beyond the same head, its query."""
    query = heads([(0, 1)], part="q", at="all", through=anything)
    child = summand(with_path(RESULT), estimate(phi), "phi")
    found = scrubbed(RESULT, (child, DONOR), (query, OTHER))[:, :, 0]
    whole = scrubbed(RESULT, (query, OTHER))[:, :, 0]
    theirs, mine = torch.tensor(phi(rows(DONOR))), torch.tensor(phi(rows(PARENT)))
    assert difference(found, whole - mine + theirs) <= 1e-12


def test_a_parent_that_stands_for_a_summand_is_recomputed_whole() -> None:
    rest = summand(RESULT, PROJECTION, "rest")
    whole = scrubbed(RESULT, (heads([(0, 1)], part="v"), DONOR))
    found = scrubbed(rest, (heads([(0, 1)], part="v"), DONOR))
    basis = torch.tensor(BASIS)
    assert difference(found, whole - whole @ basis @ basis.T) <= 1e-12
    assert difference(found, scrubbed(rest)) > 1e-3


def test_a_summand_of_an_estimate_has_nothing_behind_it() -> None:
    part = summand(mlp(0), estimate(phi), "phi")
    found = scrubbed(part, (Sites((Route((Cell("embed"),), through=anything),)), DONOR))
    assert difference(found, scrubbed(part)) == 0


def test_splits_of_a_graph() -> None:
    """d = e · a, where e = 10 a + b is split into 10 a and the rest."""
    sums = graph(
        source("a"),
        source("b"),
        node("e", lambda tens, ones: 10 * tens + ones, tens="a", ones="b"),
        node("d", lambda left, right: left * right, left="e", right="a"),
    )
    a, b = np.array([1.0, 2.0, 3.0]), np.array([5.0, 7.0, 4.0])
    data = Dataset("sums", inputs={"a": a, "b": b}, lengths=[1, 1, 1])
    split = estimate(lambda rows: 10 * rows.data.inputs["a"][rows.index])
    root = InterpNode("root", Exact())
    nodes = {
        root: site("d"),
        root.child("phi", Exact()): summand(site("e", into="left"), split, "phi"),
        root.child("rest", Exact()): summand(site("e", into="left"), split, "rest"),
    }
    drawn = {
        ("root",): NodeDraw(Rows(data, [0, 1]), Rows(data, [0, 1])),
        ("root", "phi"): NodeDraw(Rows(data, [1, 2])),
        ("root", "rest"): NodeDraw(Rows(data, [2, 0])),
    }
    draws = Draws(Rows(data, [0, 1]), Rows(data, [0, 1]), drawn)
    found = evaluate_graph(Correspondence(nodes), draws, sums)
    assert found.flatten().tolist() == [(10 * 2 + 4) * 1, (10 * 3 + 5) * 2]
