"""The claims about the paren balancer: the trees that were meant, computed as they are defined.

No figure of an experiment is computed here: values of the engine are compared with those of the
reference evaluator and with sums by hand, on a few references.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch
from attrs import evolve
from torch import Tensor

from scrub import Uncond
from scrub.checks.structure import check
from scrub.data.dataset import Rows
from scrub.datasets import parens
from scrub.draw import Draws
from scrub.hypothesis.collect import collect
from scrub.hypothesis.correspondence import Correspondence
from scrub.hypothesis.sites import (
    Sites,
    anything,
    heads,
    mlps,
)
from scrub.hypothesis.tree import NamePath, treeify
from scrub.metrics import cross_entropy, measure
from scrub.reference import evaluate_graph
from scrub.runner.options import Options
from scrub.runner.prepare import prepare
from scrub.runner.session import Session
from scrub.samplers import describe_sampler
from support.balancer import CLAIMS, FILES, Balancer
from support.difference import difference
from support.paren_models import (
    ORIGINAL,
    needs_original,
    random_balancer,
    random_strings,
    weights_of,
)

ALTERNATIVES = ["exp_3b_alt", "exp_4_alt"]
NINE = [item.claim.name for item in collect(FILES[:1])]
TOLERANCE = 1e-9


@pytest.fixture(scope="module")
def balancer(tmp_path_factory: pytest.TempPathFactory) -> Balancer:
    directory = tmp_path_factory.mktemp("balancer")
    return Balancer.of(random_balancer(directory, strings=random_strings(400)), 400)


@pytest.fixture(scope="module")
def original() -> Balancer:
    return Balancer.of(ORIGINAL, 2000)


# Engine and reference evaluator


def disagreement(balancer: Balancer, name: str) -> float:
    correspondence = CLAIMS[name].build(balancer.model)
    draws = balancer.drawn(correspondence)
    expected = evaluate_graph(correspondence, draws, balancer.graph)[:, 0, 0]
    return difference(balancer.scrubbed(correspondence, draws), expected)


@pytest.mark.parametrize("name", NINE)
def test_engine_equals_reference_evaluator(balancer: Balancer, name: str) -> None:
    assert disagreement(balancer, name) < TOLERANCE


@needs_original
@pytest.mark.parametrize("name", ["exp_0a", "exp_2b", "exp_4", *ALTERNATIVES])
def test_engine_equals_reference_evaluator_on_the_original(original: Balancer, name: str) -> None:
    assert disagreement(original, name) < TOLERANCE


# The trees


COUNTING = {("1.0",): "count_open", ("2.0",): "count_open"}
HORIZON = {("2.1",): "horizon"}
AT_FIRST = {
    (head, *below): feature
    for head in ("1.0", "2.0")
    for below, feature in {
        ("p1",): "count_open",
        ("p1", "00"): "p_if_open",
        ("p1", "emb"): "starts_open",
    }.items()
}
PHI = {(head, "p1", "00", "phi"): "p_if_open" for head in ("1.0", "2.0")}


def by_position(stem: str) -> dict[NamePath, str]:
    positions = {("2.1", f"at {i}"): f"{stem}_{i}" for i in range(42)}
    return {("2.1",): f"{stem}_all", ("2.1", "mask"): "length", **positions}


EXPECTED: dict[str, Mapping[NamePath, str]] = {
    "exp_0a": {},
    "exp_1a": {("1.0",): "count", ("2.0",): "count", **HORIZON},
    "exp_1b": COUNTING | HORIZON,
    "exp_2a": COUNTING | HORIZON | AT_FIRST,
    "exp_2b": COUNTING | HORIZON | AT_FIRST | PHI,
    "exp_3a": COUNTING | by_position("h"),
    "exp_3b": COUNTING | by_position("h_adjusted"),
    "exp_4": COUNTING | AT_FIRST | PHI | by_position("h_adjusted"),
    "exp_3b_alt": COUNTING | by_position("h_alt"),
    "exp_4_alt": COUNTING | AT_FIRST | PHI | by_position("h_alt"),
    "exp_3b_alt_sums": COUNTING | by_position("h_alt_sums"),
    "exp_4_alt_sums": COUNTING | AT_FIRST | PHI | by_position("h_alt_sums"),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_what_every_node_agrees_on(balancer: Balancer, name: str) -> None:
    root, *nodes = treeify(CLAIMS[name].build(balancer.model)).walk()
    assert describe_sampler(root.node.sampler) == "Exact"
    found = {node.path[1:]: describe_sampler(node.node.sampler) for node in nodes}
    assert found == {path: f"Agree({feature})" for path, feature in EXPECTED[name].items()}
    assert all(node.node.other == Uncond() for node in (root, *nodes))


def test_0b_is_the_root_alone(balancer: Balancer) -> None:
    root = treeify(CLAIMS["exp_0b"].build(balancer.model))
    assert (root.is_leaf, root.node.sampler) == (True, Uncond())


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_is_legal(balancer: Balancer, name: str) -> None:
    claim = CLAIMS[name]
    assert check(claim.build(balancer.model), balancer.graph, balancer.data, claim.metric) == ()


def test_the_files_find_their_data_by_the_model(
    balancer: Balancer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(parens.VARIABLE, raising=False)
    options = Options(model=str(balancer.model.directory))
    prepared = prepare(collect(FILES), Session(), options)
    assert len(prepared) == len(CLAIMS) == 13
    assert len({id(item.data) for item in prepared}) == 1
    assert prepared[0].data.sha256 == balancer.data.sha256


def test_the_loss_is_binary_cross_entropy_of_the_difference(balancer: Balancer) -> None:
    rows = Rows(balancer.data, np.arange(50))
    logits = 5 * torch.randn(50, 1, 1, 2, generator=torch.manual_seed(0), dtype=torch.float64)
    gap = logits[:, 0, 0, 1] - logits[:, 0, 0, 0]
    label = torch.tensor(rows.feature("balanced")).double()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(gap, label, reduction="none")
    found = torch.tensor(measure(cross_entropy("balanced"), logits, rows))
    assert difference(found, expected) < 1e-12
    assert 0 < label.mean() < 1


# What is left to other inputs


def with_children(
    correspondence: Correspondence, path: Sequence[str], *children: Sites
) -> Correspondence:
    """The same with more children below the node at this path (without the root's name)."""
    (node,) = (n for n in correspondence.sites if not n.parents)
    for name in path:
        (node,) = (n for n in correspondence.sites if n.name == name and node in n.parents)
    more = {node.child(f"more {i}", Uncond()): sites for i, sites in enumerate(children)}
    return Correspondence({**correspondence.sites, **more})


def without(correspondence: Correspondence, name: str) -> Correspondence:
    """The same without the leaves of this name."""
    return Correspondence({n: s for n, s in correspondence.sites.items() if n.name != name})


def matters(balancer: Balancer, correspondence: Correspondence, path: NamePath) -> bool:
    """Whether other other inputs of the node at this path change the logits."""
    assert check(correspondence, balancer.graph, balancer.data, cross_entropy("balanced")) == ()
    draws, path = balancer.drawn(correspondence, 20), ("logits", *path)
    drawn = draws.nodes[path]
    assert drawn.other is not None
    changed = evolve(drawn, other=drawn.other.at((drawn.other.index + 17) % len(balancer.data)))
    first = balancer.scrubbed(correspondence, draws)
    second = balancer.scrubbed(correspondence, evolve(draws, nodes={**draws.nodes, path: changed}))
    return difference(second, first) > 1e-9


NOT_00 = anything.excluding(heads([(0, 0)]))
LEFT_TO_P1 = {
    "1.0": [heads([(0, 1)], part="mask", through=NOT_00)],
    "2.0": [
        *(heads([head], part="mask", through=NOT_00) for head in ((0, 1), (1, 0), (1, 1))),
        heads([(0, 0)], at=(0, *range(2, 42)), through=anything),
    ],
}
"""Below each head what the embeddings and 0.0 at position 1 leave to p1's other inputs."""


@pytest.mark.parametrize("name", ["exp_2a", "exp_2b"])
@pytest.mark.parametrize("head", LEFT_TO_P1)
def test_what_is_left_to_the_other_inputs_of_p1(balancer: Balancer, head: str, name: str) -> None:
    """With these claimed, nothing is left; without any one of them, something is."""
    claim, path, left = CLAIMS[name].build(balancer.model), (head, "p1"), LEFT_TO_P1[head]
    assert not matters(balancer, with_children(claim, path, *left), path)
    for i in range(len(left)):
        assert matters(balancer, with_children(claim, path, *left[:i], *left[i + 1 :]), path)
    for leaf in ("00", "emb"):
        if name == "exp_2a":
            fewer = with_children(without(claim, leaf), path, *left)
            assert matters(balancer, fewer, path)


@pytest.mark.parametrize("head", ["1.0", "2.0"])
def test_the_rest_of_00_comes_from_its_other_inputs(balancer: Balancer, head: str) -> None:
    claim = CLAIMS["exp_2b"].build(balancer.model)
    assert matters(balancer, claim, (head, "p1", "00"))


@pytest.mark.parametrize("name", ["exp_3a", "exp_4"])
def test_nothing_is_left_to_the_other_inputs_of_21(balancer: Balancer, name: str) -> None:
    claim = CLAIMS[name].build(balancer.model)
    assert not matters(balancer, claim, ("2.1",))
    for leaf in ("mask", "at 0", "at 2", "at 41"):
        assert matters(balancer, without(claim, leaf), ("2.1",)), leaf


# By hand


def by_hand(balancer: Balancer, draws: Draws, written: Mapping[str, Tensor]) -> Tensor:
    """Logits of the root's other inputs with what three heads write at position 0 exchanged."""
    assert balancer.model.directory is not None
    state = {k: torch.tensor(v) for k, v in weights_of(balancer.model.directory).items()}
    other = draws.nodes[("logits",)].frame
    stream = balancer.plain(other, "resid_pre.3")[:, 0, 0]
    for head, new in written.items():
        stream = stream + new - output_of(balancer, head, other)
    x = stream - stream.mean(-1, keepdim=True)
    x = x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()
    x = x * state["ln_final.w"] + state["ln_final.b"]
    return x @ state["unembed.W_U"] + state["unembed.b_U"]


def output_of(balancer: Balancer, head: str, rows: Rows) -> Tensor:
    """What a head writes at position 0, [samples, d_model]."""
    assert balancer.model.directory is not None
    layer, number = map(int, head.split("."))
    z = balancer.plain(rows, f"blocks.{layer}.attn.z")[:, 0, number]
    state = weights_of(balancer.model.directory)
    return z @ torch.tensor(state[f"blocks.{layer}.attn.W_O"][number])


@pytest.mark.parametrize("name", ["exp_1a", "exp_1b"])
def test_three_heads_by_hand(balancer: Balancer, name: str) -> None:
    claim = CLAIMS[name].build(balancer.model)
    draws = balancer.drawn(claim, 20)
    own = {head: draws.nodes["logits", head].own for head in ("1.0", "2.0", "2.1")}
    written = {head: output_of(balancer, head, rows) for head, rows in own.items()}
    expected = by_hand(balancer, draws, written)
    assert difference(balancer.scrubbed(claim, draws), expected) < TOLERANCE
    indirect = {
        node: Sites(tuple(evolve(route, through=mlps) for route in sites.routes))
        if node.parents
        else sites
        for node, sites in claim.sites.items()
    }
    assert difference(balancer.scrubbed(Correspondence(indirect), draws), expected) > 1e-3


def test_21_position_by_position_by_hand(balancer: Balancer) -> None:
    """3a: one query, 42 keys and values and a mask, each from an input of its own."""
    assert balancer.model.directory is not None
    claim = CLAIMS["exp_3a"].build(balancer.model)
    draws = balancer.drawn(claim, 20)
    own = {path[1:]: drawn.own for path, drawn in draws.nodes.items()}
    state = {k: torch.tensor(v) for k, v in weights_of(balancer.model.directory).items()}
    leaves = [balancer.plain(own["2.1", f"at {i}"], "resid_pre.2")[:, i, 0] for i in range(42)]
    x = torch.stack(leaves, dim=1)
    x = x - x.mean(-1, keepdim=True)
    x = x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()
    x = x * state["blocks.2.ln1.w"] + state["blocks.2.ln1.b"]
    q, k, v = (
        x @ state[f"blocks.2.attn.W_{letter}"][1] + state[f"blocks.2.attn.b_{letter}"][1]
        for letter in "QKV"
    )
    scores = torch.einsum("ne,nke->nk", q[:, 0], k) / np.sqrt(q.shape[-1])
    lengths = torch.tensor(own["2.1", "mask"].feature("length"))
    pattern = scores.masked_fill(torch.arange(42) >= lengths[:, None], -torch.inf).softmax(-1)
    z = torch.einsum("nk,nke->ne", pattern, v)
    written = {head: output_of(balancer, head, own[head,]) for head in ("1.0", "2.0")}
    written["2.1"] = z @ state["blocks.2.attn.W_O"][1]
    found = balancer.scrubbed(claim, draws)
    assert difference(found, by_hand(balancer, draws, written)) < TOLERANCE
