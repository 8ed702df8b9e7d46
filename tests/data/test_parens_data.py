"""The data of the paren balancer: labels against a stack, features by hand, p by slow loops."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub.data.dataset import Rows
from scrub.datasets import parens, parens_features, parens_head
from scrub.draw import Draws, NodeDraw
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import heads
from scrub.model.registry import Model, describe, load
from scrub.model.verify import plain_logits
from scrub.reference import evaluate_graph
from scrub.samplers import Exact
from support.paren_models import (
    HEADS,
    ORIGINAL,
    State,
    needs_original,
    random_balancer,
    random_strings,
    weights_of,
)

Parens = parens_features.Parens
texts = st.text("()", min_size=1, max_size=40)
laws = settings(max_examples=200, deadline=None, database=None)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return describe(random_balancer(tmp_path_factory.mktemp("balancer")))


@pytest.fixture(scope="module")
def head(model: Model) -> parens_head.Head:
    return parens_head.Head.of(model)


@pytest.fixture(scope="module")
def single(model: Model) -> parens_head.Head:
    return parens_head.Head.of(model, np.float32)


def parsed(text: str) -> bool:
    """Whether every parenthesis has its partner: a stack of what is open, nothing counted."""
    stack: list[str] = []
    for character in text:
        if character == "(":
            stack.append(character)
        elif not stack:
            return False
        else:
            stack.pop()
    return not stack


# Labels


@laws
@given(texts)
def test_the_label_is_what_a_stack_says(text: str) -> None:
    assert Parens.of([text]).balanced.tolist() == [parsed(text)]


@needs_original
def test_the_label_is_what_a_stack_says_of_all_the_original_strings() -> None:
    with gzip.open(ORIGINAL / "strings.txt.gz", "rt") as file:
        found = file.read().split()
    assert len(found) == 100_000
    assert Parens.of(found).balanced.tolist() == [parsed(text) for text in found]


@pytest.mark.parametrize(
    "mutant",
    [
        lambda p: p.count,
        lambda p: p.horizon,
        lambda p: p.count & ~(2 * p.opens_from[:, 1:] >= p.parens_from[:, 1:]).any(axis=1),
        lambda p: p.count & p.starts_open,
    ],
    ids=["count alone", "horizon alone", "a tie is a violation", "no horizon but the first"],
)
def test_the_stack_catches_other_labels(mutant: object) -> None:
    every = [
        f"{i:0{n}b}".replace("0", "(").replace("1", ")") for n in (2, 4, 6) for i in range(2**n)
    ]
    assert callable(mutant)
    assert mutant(Parens.of(every)).tolist() != [parsed(text) for text in every]


@needs_original
def test_the_original_model_knows_the_label(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(parens.VARIABLE, raising=False)
    described = describe(ORIGINAL)
    data = parens.strings(described).take(range(2000))
    loaded = load(described, dtype=torch.float32, device="cpu")
    tokens, lengths = torch.tensor(data.inputs["tokens"]), torch.tensor(data.lengths)
    answers = plain_logits(loaded.graph, tokens, lengths)[:, 0].argmax(-1)
    assert np.mean(answers.numpy() == data.label("balanced")) > 0.999


# Features by hand


BY_HAND = ["(())", "())(", "(()", "))(", ")"]


def test_tokens_and_simple_features(model: Model) -> None:
    data = parens.dataset(BY_HAND, model)
    assert data.inputs["tokens"].shape == (5, 42)
    assert data.inputs["tokens"][0, :7].tolist() == [0, 3, 3, 4, 4, 2, 1]
    assert data.inputs["tokens"][4, :4].tolist() == [0, 4, 2, 1]
    assert data.text(1) == "START ())( END"

    def column(name: str) -> list[object]:
        return data.feature(name).tolist()

    assert column("length") == [6, 6, 5, 5, 3]
    assert column("p") == [1 / 2, 1 / 2, 2 / 3, 1 / 3, 0]
    assert column("count") == [True, True, False, False, False]
    assert column("horizon") == [True, False, False, False, True]
    assert column("balanced") == [True, False, False, False, False]
    assert data.label("balanced").tolist() == [1, 0, 0, 0, 0]
    assert column("kind") == [
        "balanced", "horizon fails", "both fail", "both fail", "count fails"
    ]  # fmt: skip
    assert column("starts_open") == [True, True, True, False, False]
    assert column("count_open") == [True, True, False, False, False]
    assert column("p_if_open") == [1 / 2, 1 / 2, 2 / 3, -1, -1]
    assert column("start") == [0] * 5
    assert column("end") == [5, 5, 4, 4, 2]


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        # START, the parentheses, END, one PAD; 3: p > 1/2, 4: p <= 1/2
        ("(())", [4, 4, 4, 4, 4, 2, 0]),
        ("())(", [4, 4, 4, 4, 3, 1, 0]),
        ("(()", [3, 3, 4, 4, 2, 0]),
        ("))(", [4, 4, 4, 3, 1, 0]),
        ("((", [3, 3, 3, 1, 0]),
        (")", [4, 4, 2, 0]),
    ],
)
def test_evidence_at_every_position(model: Model, text: str, classes: list[int]) -> None:
    data = parens.dataset([text], model)
    found = [int(data.feature(f"h_{i}")[0]) for i in range(42)]
    assert found == classes + [0] * (42 - len(classes))
    assert data.feature("h_all")[0] == (not {1, 3} & set(classes))


@laws
@given(texts)
def test_evidence_of_imbalance_is_a_violated_horizon(text: str) -> None:
    found = Parens.of([text])
    assert parens_features.no_imbalance(found.evidence(found.over_half)) == found.horizon


@laws
@given(texts)
def test_p_is_counted_from_the_right(text: str) -> None:
    expected = [np.nan] * 42
    for i in range(len(text) + 1):
        rest = text[max(i - 1, 0) :]
        if rest:
            expected[i] = rest.count("(") / len(rest)
    np.testing.assert_array_equal(Parens.of([text]).p[0], expected)


# What head 0.0 would see


def slow_adjusted(text: str, q: int, state: State) -> float:
    """p_adj[q] of a string, word by word as it is defined."""

    def ln1(token: int, position: int) -> np.ndarray:
        x = state["embed.W_E"][token] + state["pos_embed.W_pos"][position]
        x = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
        return x * state["blocks.0.ln1.w"] + state["blocks.0.ln1.b"]

    n = len(text) + 2
    query = ln1(3, q) @ state["blocks.0.attn.W_Q"][0] + state["blocks.0.attn.b_Q"][0]
    raised = []
    for k in range(n):
        if k == 0:
            x = ln1(0, 0)
        elif k == n - 1:
            x = ln1(2, k)
        else:
            x = (ln1(3, k) + ln1(4, k)) / 2
        key = x @ state["blocks.0.attn.W_K"][0] + state["blocks.0.attn.b_K"][0]
        raised.append(np.exp(query @ key / np.sqrt(len(key))))
    a = [value / sum(raised) for value in raised]
    weight = {}
    for k in range(1, n - 1):
        alike = [j for j in range(1, n - 1) if (j < q) == (k < q)]
        weight[k] = sum(a[j] for j in alike) / len(alike)
    opened = sum(weight[k] for k in weight if text[k - 1] == "(")
    closed = sum(weight[k] for k in weight if text[k - 1] == ")")
    return opened / (opened + closed)


def test_adjusted_p_is_what_slow_loops_say(model: Model, head: parens_head.Head) -> None:
    assert model.directory is not None
    state = weights_of(model.directory)
    found = random_strings(5)
    p = parens_head.adjusted(Parens.of(found), head)
    for text, row in zip(found, p, strict=True):
        expected = [slow_adjusted(text, q, state) for q in range(len(text) + 1)]
        np.testing.assert_allclose(row[: len(expected)], expected, rtol=1e-12)
        assert np.isnan(row[len(expected) :]).all()
    plain = Parens.of(found).p
    assert np.nanmax(np.abs(p - plain)) > 0.01  # or else the test could not fail
    np.testing.assert_allclose(p[:, :2], plain[:, :2], rtol=1e-12)  # nothing stands before these


def test_as_it_comes_is_the_same_in_single_precision(
    head: parens_head.Head, single: parens_head.Head
) -> None:
    found = Parens.of(random_strings(50))
    p = parens_head.as_it_comes(found, single.normalised)
    assert p.dtype == np.float32
    np.testing.assert_allclose(p, parens_head.adjusted(found, head), atol=1e-5)
    some = parens_head.as_it_comes(Parens.of(random_strings(50)[7:9]), single.normalised)
    np.testing.assert_array_equal(some, p[7:9])


def shuffled(pairs: int) -> st.SearchStrategy[str]:
    return st.permutations("()" * pairs).map("".join)


evenly = st.tuples(st.integers(0, 10), st.integers(1, 10)).flatmap(
    lambda sizes: st.tuples(shuffled(sizes[0]), shuffled(sizes[1]))
)


@laws
@given(parts=evenly)
def test_even_splits_on_both_sides_give_one_half(
    head: parens_head.Head, parts: tuple[str, str]
) -> None:
    p = parens_head.adjusted(Parens.of(["".join(parts)]), head)[:, 1 + len(parts[0])]
    assert p == pytest.approx(0.5, abs=1e-14)
    assert not parens_head.above_half(p)


def test_rounding_decides_ties_as_it_comes(
    head: parens_head.Head, single: parens_head.Head
) -> None:
    """What the adjusted p is spared: some even splits come out above 1/2, others do not."""
    random = np.random.default_rng(0)
    even = ["".join(random.permutation(list("()" * pairs))) for pairs in range(1, 21)]
    found = Parens.of(even)
    p = parens_head.as_it_comes(found, single.normalised)[:, 1]
    assert np.abs(p - 0.5).max() < 1e-6
    assert 0 < (p > 0.5).sum() < len(p)
    assert not parens_head.above_half(parens_head.adjusted(found, head)[:, 1]).any()


def test_a_fraction_just_above_one_half_is_above_it() -> None:
    """The closest that 40 parentheses come to 1/2 is far from a tie."""
    assert parens_head.above_half(np.array([0.5 + 1e-8, 0.5 + 1e-10, 0.5, np.nan])).tolist() == [
        True, False, False, False
    ]  # fmt: skip


def test_uniform_attention_sees_the_whole_string_from_everywhere(tmp_path: Path) -> None:
    def without_queries(state: State) -> State:
        return state | {
            "blocks.0.attn.W_Q": np.zeros_like(state["blocks.0.attn.W_Q"]),
            "blocks.0.attn.b_Q": np.zeros_like(state["blocks.0.attn.b_Q"]),
        }

    uniform = describe(random_balancer(tmp_path, change=without_queries))
    found = Parens.of(random_strings(100))
    expected = np.where(np.isnan(found.p), np.nan, found.p[:, :1])
    p = parens_head.adjusted(found, parens_head.Head.of(uniform))
    np.testing.assert_allclose(p, expected, rtol=1e-12)


def site_values(model: Model, part: str, text: str) -> np.ndarray:
    """A part of head 0.0 on a string, at all positions, as the graph computes it."""
    data = parens.dataset([text, "(" * 40], model)
    rows = Rows(data, np.array([0]))
    draws = Draws(rows, Rows(data, np.array([1])), {("root",): NodeDraw(rows)})
    root = Correspondence({InterpNode("root", Exact()): heads([(0, 0)], part=part)})
    loaded = load(model, dtype=torch.float64, device="cpu")
    return evaluate_graph(root, draws, loaded.graph)[0, :, 0].numpy()


def test_attention_is_the_models_own_where_both_kinds_are_alike(tmp_path: Path) -> None:
    """Of two parentheses with one embedding the average input is the input."""

    def alike(state: State) -> State:
        embedding = state["embed.W_E"].copy()
        embedding[4] = embedding[3]
        return state | {"embed.W_E": embedding}

    same = describe(random_balancer(tmp_path, change=alike))
    a = parens_head.Head.of(same).attention
    for n in (3, 9, 42):
        pattern = site_values(same, "pattern", ")" * (n - 2))
        np.testing.assert_allclose(a[n, 1 : n - 1], pattern[1 : n - 1], atol=1e-12)


def test_phi_points_where_the_output_value_circuit_does(model: Model) -> None:
    assert model.directory is not None
    output = weights_of(model.directory)["blocks.0.attn.W_O"]
    assert output.shape[0] == HEADS
    opened, closed = (site_values(model, "v", character * 40)[1:41] for character in "()")
    v = ((opened - closed) @ output[0] / 2).mean(axis=0)
    data = parens.dataset(["((", "()", "))", "(()("], model)
    found = parens.phi(model)(Rows(data, np.array([0, 1, 2, 3, 3])))
    np.testing.assert_allclose(found, np.outer([1, 0, -1, 0.5, 0.5], v), atol=1e-12)
    assert np.abs(v).max() > 0.01
