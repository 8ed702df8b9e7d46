"""The ranking of further paths beside 1b: paths that are there, on the draws of 1b itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from parens_ranking import NOTHING, lift, ranked
from parens_table import KINDS, PARTS, results
from torch import Tensor

from scrub.api import run
from scrub.checks.structure import check
from scrub.hypothesis.collect import collect
from scrub.hypothesis.correspondence import Correspondence
from scrub.hypothesis.sites import embeddings
from scrub.reference import evaluate_graph
from scrub.results.doubts import doubts
from scrub.results.result import Result
from scrub.samplers import Uncond
from support.balancer import CLAIMS, Balancer
from support.difference import difference
from support.paren_models import random_balancer, random_strings
from support.paths import HYPOTHESES

MORE = HYPOTHESES / "parens_more.py"
BUILDS = {item.claim.name: item.claim for item in collect([str(MORE)])}
FURTHER = [name.removesuffix("_by_all") for name in BUILDS if name.endswith("_by_all")]
WIDER = [name for name in BUILDS if name.endswith("_too")]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("balancer")
    return random_balancer(folder, strings=random_strings(400))


@pytest.fixture(scope="module")
def balancer(directory: Path) -> Balancer:
    return Balancer.of(directory, 400)


def built(balancer: Balancer, name: str) -> Correspondence:
    return BUILDS[name].build(balancer.model)


def scrubbed(balancer: Balancer, claim: Correspondence) -> Tensor:
    return balancer.scrubbed(claim, balancer.drawn(claim, 20))


def plain_1b(balancer: Balancer) -> Tensor:
    return scrubbed(balancer, CLAIMS["exp_1b"].build(balancer.model))


def test_every_claim_is_legal(balancer: Balancer) -> None:
    for name, claim in BUILDS.items():
        found = check(built(balancer, name), balancer.graph, balancer.data, claim.metric)
        assert found == (), name


def test_all_share_the_draws_of_1b(balancer: Balancer) -> None:
    """And those of the further node differ only where its feature does."""
    first = balancer.drawn(CLAIMS["exp_1b"].build(balancer.model), 50)
    for name in BUILDS:
        drawn = balancer.drawn(built(balancer, name), 50)
        assert np.array_equal(drawn.references.index, first.references.index)
        for path, node in first.nodes.items():
            assert np.array_equal(drawn.nodes[path].own.index, node.own.index), (name, path)
            assert np.array_equal(drawn.nodes[path].frame.index, node.frame.index), (name, path)
        assert len(drawn.nodes) == len(first.nodes) + (name not in (NOTHING, *WIDER)), name


def test_without_a_further_path_it_is_1b(balancer: Balancer) -> None:
    assert scrubbed(balancer, built(balancer, NOTHING)).equal(plain_1b(balancer))


@pytest.mark.parametrize("name", [*(f"{path}_by_all" for path in FURTHER), *WIDER])
def test_every_path_reaches_the_logits(balancer: Balancer, name: str) -> None:
    assert difference(scrubbed(balancer, built(balancer, name)), plain_1b(balancer)) > 1e-6


def test_the_embeddings_at_position_0_tell_nothing(balancer: Balancer) -> None:
    """So the direct path that the list leaves out would lift nothing."""
    nothing = built(balancer, NOTHING)
    (root,) = (node for node in nothing.sites if not node.parents)
    more = {root.child("further", Uncond()): embeddings(at=0)}
    found = scrubbed(balancer, Correspondence({**nothing.sites, **more}))
    assert difference(found, plain_1b(balancer)) < 1e-12


@pytest.mark.parametrize(
    "name",
    [*(f"{path}_by_count" for path in FURTHER if path.endswith("_beside")), "all_three_heads_too"],
)
def test_engine_equals_reference_evaluator(balancer: Balancer, name: str) -> None:
    claim = built(balancer, name)
    draws = balancer.drawn(claim)
    expected = evaluate_graph(claim, draws, balancer.graph)[:, 0, 0]
    assert difference(balancer.scrubbed(claim, draws), expected) < 1e-9


def test_the_lift_is_the_difference_of_what_is_recovered(directory: Path) -> None:
    found = dict(results([MORE], str(directory), 20, 0))
    nothing = found[NOTHING]
    for result in found.values():
        more = lift(result, nothing)
        assert more.mean == pytest.approx(result.recovered.mean - nothing.recovered.mean)
        assert more.low <= more.mean <= more.high or not np.isfinite(more.half_width)
    assert lift(nothing, nothing).mean == 0
    assert any(abs(lift(result, nothing).mean) > 0.01 for result in found.values())
    ranking = ranked(found)
    assert sorted(path.path for path in ranking) == sorted([NOTHING, *FURTHER, *WIDER])
    means = [path.recovered.mean for path in ranking]
    assert means == sorted(means, reverse=True)
    for path in ranking:
        both = f"{path.path}_by_both" if path.path in FURTHER else path.path
        assert path.recovered == found[both].recovered
        assert path.lift == lift(found[both], nothing)
        for feature, more in path.lifts.items():
            assert more == lift(found[f"{path.path}_by_{feature}"], nothing)


def test_of_many_nodes_that_read_padding_one_line_is_said(directory: Path) -> None:
    def found(name: str) -> Result:
        return run(CLAIMS[name], model=str(directory), samples=20)

    leaves = found("exp_3a")
    reading = [node for node in leaves.nodes if node.pads_read]
    times = sum(node.pads_read for node in reading)
    said = [note for note in doubts(leaves) if "padding" in note]
    assert len(reading) > 30
    assert said == [
        f"{len(reading)} nodes read padding, {times:,} times in all, at positions past a row's end"
    ]
    few = [note for note in doubts(found("exp_2a")) if "padding" in note]
    assert [note.split(" read ")[0] for note in few] == [
        f'node "logits / {head} / p1 / emb"' for head in ("1.0", "2.0")
    ]


def test_parts_are_what_they_are_called(directory: Path) -> None:
    """Kinds exclude each other and leave the balanced; the other parts hold both of two kinds."""
    (_, result) = next(results([MORE], str(directory), 200, 0))
    masks = {name: within(result) for name, within in (PARTS | KINDS).items()}
    assert all(mask.any() for name, mask in masks.items() if name != "balanced")
    kinds = sum(masks[name].astype(int) for name in KINDS)
    assert np.array_equal(kinds, masks["unbalanced"].astype(int))
    assert np.array_equal(masks["unbalanced"], ~masks["balanced"])
    for part in ("count", "horizon"):
        either = masks[f"{part} alone fails"] | masks["both fail"]
        assert np.array_equal(masks[f"{part} fails"], either)
    texts = [result.draws.references.data.text(i) for i in result.draws.references.index]
    opened = np.array([text.count("(") == text.count(")") for text in texts])
    assert np.array_equal(masks["count fails"], ~opened)
