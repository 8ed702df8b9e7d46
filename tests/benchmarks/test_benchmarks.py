"""The benchmarks: both sides give the same numbers, and the least work is counted right."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import speed
import torch
from attrs import evolve
from timing.attribution import Recipe
from timing.attribution import least as least_attribution
from timing.compare_trees import Bench, off
from timing.ledger import Least, Ledger
from timing.minimum import count
from timing.ours import Work, counted
from timing.setting import METRIC, QUICK, Shape, random_bridge, random_rows
from timing.table import Row
from timing.trees import KINDS, Kind, binary_tree

import scrub
from scrub.data.dataset import Dataset, Rows
from scrub.draw import Draws, NodeDraw
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import (
    heads,
    mlp,
    mlps,
    output,
)
from scrub.model.bridge import graph_of
from scrub.reference import evaluate
from scrub.samplers import Exact, Uncond
from scrub.sweeps.first_order import Swap

SINGLE = 1e-4
"""Largest difference in float32, relative to the largest number (docs/semantics.md, Laws)."""


@functools.cache
def bench() -> Bench:
    torch.set_num_threads(1)
    return speed.bench_of(QUICK)


@pytest.mark.parametrize("comparison", speed.COMPARISONS.values(), ids=speed.COMPARISONS)
def test_every_other_way_gives_our_numbers(comparison: Callable[[Bench], list[Row]]) -> None:
    others = [other for row in comparison(bench()) for other in row.others]
    assert others
    assert max(other.off for other in others) < SINGLE


def test_a_sender_in_the_wrong_place_is_seen() -> None:
    """The comparison can fail: forwards for one tree, against our numbers for another."""
    trees = [binary_tree(QUICK.shape, "direct", nodes=6, seed=seed) for seed in (0, 1)]
    results = bench().work.of(trees).scrub(scrub.Session())
    for other in bench().hooked([(trees[1], results[0])], METRIC, of=1):
        assert other.off > 100 * SINGLE


def test_the_whole_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    speed.main(["--quick", "--only", "edges", "--only", "curves", "--out", str(tmp_path)])
    assert "AutoCircuit's method" in (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert len(list(tmp_path.glob("figures/cost_*.svg"))) == 6
    assert "references (few rows)" in capsys.readouterr().out


# The least work

SHAPE = Shape(layers=2, heads=2, d_model=8, vocabulary=11, width=8)
D, HEAD, MLP = 8, 4, 32
WRITE = 2 * HEAD * D
PROJECT = 2 * D * HEAD
NEURONS = 4 * D * MLP
"""Of an MLP at one position: into the neurons and out of them."""
LABELS = 2 * D * 2


def least(tree: Correspondence, draws: Draws) -> Least:
    ledger = Ledger(SHAPE, columns=2)
    count(ledger, tree, draws)
    return ledger.least()


def by_hand(root: InterpNode, drawn: dict[str, list[int]], references: list[int]) -> Draws:
    """Draws of a root that is exact and children that drew these rows; rows of 3 tokens."""
    data = Dataset(
        "by hand", {"tokens": np.arange(12).reshape(4, 3) % 11}, np.full(4, 3),
        positions={"end": np.full(4, 2)},
    )  # fmt: skip
    rows = {name: Rows(data, np.array(index)) for name, index in drawn.items()}
    reference = Rows(data, np.array(references))
    nodes = {(root.name,): NodeDraw(reference, reference)}
    nodes |= {(root.name, name): NodeDraw(own) for name, own in rows.items()}
    return Draws(reference, reference, nodes)


def test_a_direct_path_by_hand() -> None:
    """Of three samples two are the same; the head's output is written as two differences."""
    root = InterpNode("logits", Exact(), other=Exact())
    sites = {root: output(at="end"), root.child("head", Uncond()): heads([(1, 0)], at="end")}
    found = least(Correspondence(sites), by_hand(root, {"head": [2, 2, 3]}, [0, 0, 1]))
    assert found.values == 2 * LABELS
    assert found.writes == 2 * WRITE
    assert found.kept == 0


def test_new_and_old_outputs_are_written_once_each_where_those_are_fewer() -> None:
    root = InterpNode("logits", Exact(), other=Exact())
    sites = {root: output(at="end"), root.child("head", Uncond()): heads([(1, 0)], at="end")}
    drawn = by_hand(root, {"head": [2, 3, 2, 3, 3, 2]}, [0, 0, 1, 1, 2, 3])
    found = least(Correspondence(sites), drawn)
    assert found.values == 6 * LABELS
    assert found.writes == 4 * WRITE


def test_a_row_in_its_own_place_changes_nothing() -> None:
    root = InterpNode("logits", Exact(), other=Exact())
    sites = {root: output(at="end"), root.child("head", Uncond()): heads([(1, 0)], at="end")}
    found = least(Correspondence(sites), by_hand(root, {"head": [0, 3]}, [0, 3]))
    assert found.scrubbing == 0


def test_a_path_through_mlps_by_hand() -> None:
    """A head of layer 0 changes both MLPs, at the end alone, though it is claimed everywhere."""
    root = InterpNode("logits", Exact(), other=Exact())
    child = root.child("head", Uncond())
    sites = {root: output(at="end"), child: heads([(0, 1)], through=mlps)}
    found = least(Correspondence(sites), by_hand(root, {"head": [2, 2, 3]}, [0, 0, 1]))
    assert found.values == 2 * (2 * NEURONS + LABELS)
    assert found.writes == 2 * WRITE


def test_a_path_into_the_keys_by_hand() -> None:
    """An MLP at position 0 changes one key, and the scores and z of the query at the end."""
    root = InterpNode("head", Exact(), other=Exact())
    child = root.child("mlp", Uncond())
    sites = {root: heads([(1, 1)], at="end"), child: mlp(0, at=0, into="k")}
    found = least(Correspondence(sites), by_hand(root, {"mlp": [2]}, [0]))
    scores_or_z = 2 * HEAD * 3  # over three sources
    assert found.values == PROJECT + 2 * scores_or_z
    assert found.writes == 0


def test_plain_values_by_hand() -> None:
    """Below the logits at the end: in the last layer only what the end needs, for each row once."""
    root = InterpNode("logits", Exact(), other=Exact())
    found = least(Correspondence({root: output(at="end")}), by_hand(root, {}, [0, 0, 3]))
    causal = 2 * HEAD * (1 + 2 + 3)
    first = 2 * 3 * (3 * PROJECT + WRITE) + 2 * 2 * causal + 3 * NEURONS
    last = 2 * (7 * PROJECT + WRITE) + 2 * 2 * 2 * HEAD * 3 + NEURONS
    assert found.fill == 2 * (first + last + LABELS)


def test_attribution_by_hand() -> None:
    """Of two pairs with one old input and one reference, a backward is counted once."""
    drawn = by_hand(InterpNode("logits", Exact()), {"old": [0, 0], "new": [2, 3]}, [1, 1])
    swap = Swap(
        drawn.references, drawn.nodes["logits", "old"].own, drawn.nodes["logits", "new"].own
    )
    causal = 2 * HEAD * (1 + 2 + 3)
    first = 2 * 3 * (3 * PROJECT + WRITE) + 2 * 2 * causal + 3 * NEURONS
    pattern = 2 * 2 * 2 * HEAD * 3
    last = 2 * (7 * PROJECT + WRITE) + pattern + NEURONS
    backward = LABELS + last + pattern + 3 * NEURONS + 2 * 3 * WRITE
    assert least_attribution(SHAPE, METRIC, swap) == 3 * (first + last) + LABELS + backward


def test_attribution_from_the_wrong_inputs_is_seen() -> None:
    rows = [Rows(bench().work.data, np.arange(start, start + 4)) for start in (0, 5, 10)]
    right, wrong = Swap(*rows), Swap(rows[0], rows[2], rows[1])
    recipe = Recipe(bench().bridge, METRIC)
    found, executed = recipe.effects(right), counted(lambda: recipe.effects(right))[0]
    assert off(recipe.effects(wrong), found) > 100 * SINGLE
    assert executed >= least_attribution(QUICK.shape, METRIC, right)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("nodes", [2, 3, 6])
def test_fingerprints_tell_apart_what_the_evaluator_does(kind: Kind, nodes: int) -> None:
    """Roots are one value for the ledger exactly where the reference evaluator gives one value."""
    shape = QUICK.shape
    data = random_rows(3, 8, shape.vocabulary)
    bridge = random_bridge(shape, dtype=torch.float64)
    tree = binary_tree(shape, kind, nodes=nodes, seed=nodes)
    work = Work(graph_of(bridge), shape, data, METRIC, 40, (tree,))
    (result,) = work.scrub(scrub.Session())
    keys = count(Ledger(shape, 2), tree, result.draws)
    values = evaluate(tree, result.draws, bridge)
    told = np.unique(keys.flatten().numpy(), return_inverse=True)[1]
    rounded = values[:, 0, 0].numpy().round(9)
    true = np.unique(rounded, axis=0, return_inverse=True)[1]
    assert np.array_equal(told[:, None] == told, true[:, None] == true)
    assert 1 < len(set(told)) < 40


@pytest.mark.parametrize("kind", KINDS)
def test_the_engine_executes_no_less(kind: Kind) -> None:
    """Law: what torch counts is at least the least, for plain values and for scrubbing."""
    shape = bench().work.shape
    trees = [binary_tree(shape, kind, nodes=nodes, seed=nodes) for nodes in (2, 4, 7)]
    for tree in trees:
        work = evolve(bench().work, references=60).of([tree])
        session = scrub.Session()
        cold, results = counted(lambda work=work, s=session: work.scrub(s))
        warm, _ = counted(lambda work=work, s=session: work.scrub(s))
        found = work.least(results)
        assert cold - warm >= found.fill
        assert warm >= found.scrubbing


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_scrubs_as_claimed_and_loosened(kind: Kind) -> None:
    """Law: what a warm run executes is the loosened scrub, and at least the claim's least."""
    tree = binary_tree(bench().work.shape, kind, nodes=6, seed=1)
    work, session = evolve(bench().work, references=60).of([tree]), scrub.Session()
    results = work.scrub(session)
    warm, loose = counted(lambda: work.scrub(session))[0], counted(work.rescrub(session))[0]
    assert loose >= work.least(work.loosened()).scrubbing
    assert warm - loose >= work.least(results).scrubbing
    assert 0.8 < (warm - loose) / loose < 1.25
