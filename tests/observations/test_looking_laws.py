"""What holds of observations on every model, and what they come to on values made by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hypothesis import given
from hypothesis import strategies as st
from scrub.data.dataset import Dataset, Rows
from scrub.engine.activations import ActivationCache
from scrub.model.forward import batch_of, forward
from scrub.model.registry import Model, describe, load
from scrub.model.weights import LayerNorm, NoNorm
from scrub.observations.attribution import attribution
from scrub.observations.components import between, components, principal
from scrub.observations.copying import copying_of_words, embedded
from scrub.observations.lens import logit_lens
from scrub.observations.observation import largest, spread
from scrub.observations.ov import ov_of
from scrub.observations.overview import overview
from scrub.observations.scatter import scatter
from scrub.observations.subject import Values, chosen_rows
from scrub.observations.tokens import attended, positions_asked, repeated_tokens
from support import family_models, native_models
from support.looked_at import AT, subject_of

TOKENS = torch.randint(11, (6, 8), generator=torch.Generator().manual_seed(5))
KINDS = [*family_models.FAMILIES, *native_models.KINDS]


def model_of(name: str) -> Model:
    native = name in native_models.KINDS
    graph = native_models.graph(name) if native else family_models.graph(name)
    return Model(name, graph)


# What components add


@pytest.mark.parametrize("name", KINDS)
def test_all_parts_add_up_to_the_logit_difference(name: str) -> None:
    """With a final norm that has weight and bias, or none, and an unembedding with a bias."""
    subject = subject_of(model_of(name), TOKENS)
    graph = subject.model.graph
    batch = batch_of(subject.values.rows, TOKENS.shape[1], graph.device)
    logits = forward(graph, batch, ["logits"])["logits"][:, AT, 0]
    plus, minus = (torch.tensor(subject.data.labels[label]) for label in ("plus", "minus"))
    gap = (logits.gather(1, plus[:, None]) - logits.gather(1, minus[:, None])).mean()
    for by in ("parts", "layers"):
        added = attribution(subject, by=by).frame["adds"].sum()
        assert added == pytest.approx(float(gap), abs=1e-6)
    lens = logit_lens(subject, at="end").frame.iloc[-1]
    assert lens["value"] == pytest.approx(float(gap), abs=1e-6)
    assert lens["frozen"] == pytest.approx(float(gap), abs=1e-6)
    one = attribution(subject, direction="plus").frame["adds"].sum()
    assert one == pytest.approx(float(logits.gather(1, plus[:, None]).mean()), abs=1e-6)


@pytest.mark.parametrize("name", [*family_models.FAMILIES, "both ways", "no norms"])
def test_the_neurons_of_a_layer_add_up_to_its_mlp(name: str) -> None:
    subject = subject_of(model_of(name), TOKENS)
    whole = attribution(subject).frame.set_index("component")["adds"]
    for layer in range(2):
        neurons = attribution(subject, by=f"neurons:{layer}").frame["adds"].sum()
        assert neurons == pytest.approx(whole[f"MLP {layer}"], abs=1e-9)


def test_memory_changes_no_figure() -> None:
    model = model_of("gpt2")
    found = [
        attribution(subject_of(model, TOKENS, memory)).frame["adds"].to_numpy()
        for memory in (1, 2**24)
    ]
    np.testing.assert_allclose(*found, rtol=1e-12)


def test_a_head_that_is_looked_at_row_by_row_adds_in_the_mean_what_attribution_says() -> None:
    subject = subject_of(model_of("llama"), TOKENS)
    adds = attribution(subject).frame.set_index("component")["adds"]
    seen = scatter(subject, "1.2", to="first", direction=("plus", "minus"), by="odd").frame
    assert seen["writes"].mean() == pytest.approx(adds["head 1.2"], abs=1e-9)
    assert seen["odd"].tolist() == [False, True] * 3
    there = scatter(subject, "1.2", to=["first", "moved"]).frame
    assert list(there["to"]) == ["first"] * 6 + ["moved"] * 6


# Circuits of weights


@pytest.mark.parametrize("name", ["gpt2", "llama", "bare"])
def test_singular_vectors_make_up_the_matrix_between_the_norms(name: str) -> None:
    weights = model_of(name).graph.weights
    assert weights is not None
    size = weights.embedding.shape[1]
    for block in weights.blocks:
        attention = block.attention
        shared = len(attention.output) // len(attention.value.weight)

        def centred(norm: object) -> torch.Tensor:
            off = torch.ones(size, size, dtype=torch.float64) / size
            return torch.eye(size, dtype=torch.float64) - off * isinstance(norm, LayerNorm)

        def scale(norm: object) -> torch.Tensor:
            weight = torch.ones(size) if isinstance(norm, NoNorm) else norm.weight  # type: ignore[attr-defined]
            return weight.double().diag()

        final = weights.norm_final
        for head in range(len(attention.output)):
            circuit = ov_of(attention, head, final)
            product = attention.value.weight[head // shared] @ attention.output[head]
            expected = centred(attention.norm) @ scale(attention.norm) @ product
            expected = expected @ centred(final) @ scale(final)
            found = circuit.reads @ circuit.values.diag() @ circuit.writes.T
            torch.testing.assert_close(found, expected)
            assert (circuit.values.diff() <= 1e-12).all()


def test_a_token_through_mlp_0_is_the_stream_of_an_attention_that_writes_nothing() -> None:
    model = model_of("llama")
    weights = model.graph.weights
    assert weights is not None
    assert weights.blocks[0].mlp is not None
    tokens = torch.arange(7)
    stream = weights.embedding[tokens]
    mlp = weights.blocks[0].mlp
    normed = mlp.norm(stream)
    gate = torch.nn.functional.silu(mlp.pre(normed))
    assert mlp.linear is not None
    expected = stream + mlp.post(gate * mlp.linear(normed))
    torch.testing.assert_close(embedded(model, tokens).later, expected)
    torch.testing.assert_close(embedded(model, tokens).first, stream)


def test_the_planted_name_movers_copy_names_and_the_rest_is_told() -> None:
    model = load(describe("ioi-planted"), dtype=torch.float32, device="cpu")
    seen = overview(model, 2**28)
    copying = seen.frame.set_index("component")["copying"]
    planted = [f"head {layer}.{head}" for layer, head in model.role("name mover")]
    assert copying[planted].min() > 0.4 > copying[["head 0.0", "head 2.1"]].max()
    duplicate = seen.frame.set_index("component")["duplicate_token"]
    heads = [f"head {layer}.{head}" for layer, head in model.role("duplicate token")]
    assert set(duplicate.nlargest(2).index) == set(heads)
    again = copying_of_words(model, of="name mover", seed=0).frame
    assert again["copying"].tolist() == copying[planted].tolist()


# Scores by tokens


def test_positions_that_are_asked_about_are_those_by_hand() -> None:
    tokens, lengths = torch.tensor([[4, 5, 4, 4, 9, 9]]), torch.tensor([4])
    found = {
        name: [tuple(pair) for pair in mask[0].nonzero().tolist()]
        for name, mask in positions_asked(tokens, lengths).items()
    }
    assert found["previous_token"] == [(1, 0), (2, 1), (3, 2)]
    assert found["duplicate_token"] == [(2, 0), (3, 0), (3, 2)]
    assert found["induction"] == [(2, 1), (3, 1), (3, 3)]


def test_a_score_is_a_mean_over_the_positions_that_ask() -> None:
    asked = torch.zeros(2, 3, 3, dtype=torch.bool)
    asked[0, 1, 0] = asked[0, 2, 0] = asked[0, 2, 1] = True
    pattern = torch.full((2, 3, 1, 3), 0.25)
    found = attended(pattern, asked)
    assert found[0].tolist() == [pytest.approx((0.25 + 0.5) / 2)]
    assert torch.isnan(found[1]).all(), "nothing is asked of this row"


def test_random_tokens_come_twice_and_are_no_special_ones() -> None:
    model = load(describe("ioi-planted"), dtype=torch.float32, device="cpu")
    data = repeated_tokens(model, seed=4)
    tokens = data.inputs["tokens"]
    half = tokens.shape[1] // 2
    assert np.array_equal(tokens[:, :half], tokens[:, half:])
    assert all(len(set(row)) == half for row in tokens[:, :half].tolist())
    assert tokens.min() > 1, "0 is <pad>, 1 <unk>"
    assert not np.array_equal(tokens, repeated_tokens(model, seed=5).inputs["tokens"])


# Components and spreads


POINTS = st.integers(0, 2**31).map(lambda seed: np.random.default_rng(seed).normal(size=(9, 4)))


@given(points=POINTS)
def test_principal_components_are_uncorrelated_and_make_up_the_variance(
    points: np.ndarray,
) -> None:
    scores, shares = principal(points, 4)
    assert shares.sum() == pytest.approx(1)
    variances = scores.var(0)
    np.testing.assert_allclose(variances / points.var(0).sum(), shares, atol=1e-9)
    apart = np.cov(scores.T, bias=True)
    np.testing.assert_allclose(apart, np.diag(variances), atol=1e-9)
    turned, _ = principal(-points, 4)
    np.testing.assert_allclose(turned, -scores, atol=1e-9)


@given(points=POINTS, classes=st.lists(st.integers(0, 2), min_size=9, max_size=9))
def test_what_a_feature_explains_is_a_share(points: np.ndarray, classes: list[int]) -> None:
    score, labels = points[:, 0], np.array(classes)
    share = between(score, labels)
    assert -1e-9 <= share <= 1 + 1e-9
    assert between(labels * 2.0, labels) == pytest.approx(1) or len(set(classes)) == 1
    assert between(score, np.arange(9)) == pytest.approx(1)
    assert between(score, np.zeros(9)) == pytest.approx(0)


def test_what_does_not_vary_has_no_shares() -> None:
    scores, shares = principal(np.ones((3, 2)), 1)
    assert np.isnan(shares).all()
    assert scores.tolist() == [[0], [0], [0]]
    assert np.isnan(between(np.ones(3), np.arange(3)))


def test_heads_components_are_those_of_what_they_write_together() -> None:
    subject = subject_of(model_of("gpt2"), TOKENS)
    seen = components(subject, of="0.0,1.1", at=["end", "first"], count=3)
    cache, names = ActivationCache(subject.model.graph), ("blocks.0.attn.z", "blocks.1.attn.z")
    values = Values(cache, subject.values.rows, 2**20)
    (part,) = values.parts(names)
    at = part.index("end", "first")
    results = [part.value(f"blocks.{n}.attn.result", at)[:, :, n] for n in (0, 1)]
    written = sum(results).swapaxes(0, 1).flatten(0, 1).numpy()
    scores, shares = principal(written, 3)
    np.testing.assert_allclose(seen.frame[["pc1", "pc2", "pc3"]], scores, atol=1e-12)
    assert seen.tables[0]["share"].tolist() == shares.tolist()
    assert seen.tables[0]["explained"].notna().all(), "between positions, where no feature is given"


def test_what_is_undefined_is_left_out_of_spreads_and_comes_last() -> None:
    import pandas as pd

    found = spread(np.array([1.0, np.nan, 3.0]), "x")
    assert (found["x"], found["n"]) == (2.0, 2)
    assert found["sd"] == pytest.approx(np.sqrt(2))
    none = spread(np.array([np.nan]), "x")
    assert none["n"] == 0
    assert np.isnan(none["x"])
    assert np.isnan(spread(np.array([1.0]), "x")["sd"])
    table = pd.DataFrame({"a": [1.0, np.nan, -3.0]})
    assert largest(table, ["a"], 3).index.tolist() == [2, 0, 1]


def test_rows_are_drawn_once_each_where_there_are_more() -> None:
    data = Dataset("d", {"tokens": np.zeros((9, 2))}, np.full(9, 2))
    assert chosen_rows(data, 9, 0).index.tolist() == list(range(9))
    drawn = chosen_rows(data, 5, 1).index
    assert len(set(drawn.tolist())) == 5
    assert isinstance(chosen_rows(data, 5, 2), Rows)
    assert drawn.tolist() == chosen_rows(data, 5, 1).index.tolist()
