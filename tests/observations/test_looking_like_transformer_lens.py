"""Observations agree with TransformerLens' own, on every family: to 1e-5 and better."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from attrs import evolve
from torch import Tensor
from transformer_lens import FactoredMatrix
from transformer_lens.head_detector import (
    compute_head_attention_similarity_score,
    get_duplicate_token_head_detection_pattern,
    get_induction_head_detection_pattern,
    get_previous_token_head_detection_pattern,
)

from scrub.model.weights import Attention, NoNorm
from scrub.observations.attention import attention
from scrub.observations.attribution import attribution
from scrub.observations.copying import copying_of_rows
from scrub.observations.lens import logit_lens
from scrub.observations.ov import ov_of
from scrub.observations.tokens import SCORES, token_scores
from support.looked_at import AT, FAMILIES, Looked, looked_at

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
DETECTORS: dict[str, Callable[[Tensor], Tensor]] = {
    "previous_token": get_previous_token_head_detection_pattern,
    "duplicate_token": get_duplicate_token_head_detection_pattern,
    "induction": get_induction_head_detection_pattern,
}


@pytest.fixture(params=FAMILIES)
def looked(request: pytest.FixtureRequest) -> Looked:
    return looked_at(request.param)


def attributed(looked: Looked, stack: Tensor) -> np.ndarray:
    """What TransformerLens attributes to each of a stack at the position, a mean over rows."""
    found = looked.cache.logit_attrs(
        stack, looked.label("plus"), looked.label("minus"), pos_slice=AT
    )
    return found.mean(-1).numpy()


def stacked(looked: Looked) -> Tensor:
    """The streams that the lens looks at; a model whose MLPs run beside has none in between."""
    between = any("resid_mid" in name for name in looked.subject.model.graph.streams)
    return looked.cache.accumulated_resid(incl_mid=between, pos_slice=AT)


def of_kind(frame: pd.DataFrame, kind: str) -> np.ndarray:
    return frame.loc[frame["kind"] == kind, "adds"].to_numpy()


@torch.no_grad()
def test_heads_add_what_stack_head_results_attributes(looked: Looked) -> None:
    frame = attribution(looked.subject).frame
    stack = looked.cache.stack_head_results(pos_slice=AT)
    np.testing.assert_allclose(of_kind(frame, "head"), attributed(looked, stack), **CLOSE)


@torch.no_grad()
def test_layers_and_embeddings_add_what_decompose_resid_attributes(looked: Looked) -> None:
    stack, labels = looked.cache.decompose_resid(pos_slice=AT, return_labels=True)
    expected = dict(zip(labels, attributed(looked, stack), strict=True))
    frame = attribution(looked.subject, by="layers").frame.set_index("component")["adds"]
    ours = {"embed": "token embedding", "pos_embed": "position embedding"}
    for layer in range(len(looked.subject.weights.blocks)):
        ours |= {f"{layer}_attn_out": f"attention {layer}", f"{layer}_mlp_out": f"MLP {layer}"}
    compared = [label for label in labels if label in ours]
    assert len(compared) >= 5
    for label in compared:
        np.testing.assert_allclose(frame[ours[label]], expected[label], **CLOSE)


@torch.no_grad()
def test_neurons_add_what_stack_neuron_results_attributes(looked: Looked) -> None:
    layer = len(looked.subject.weights.blocks) - 1
    frame = attribution(looked.subject, by=f"neurons:{layer}").frame
    below = looked.cache.stack_neuron_results(layer, pos_slice=AT) if layer else ()
    every = looked.cache.stack_neuron_results(layer + 1, pos_slice=AT)
    stack = every[len(below) :]
    np.testing.assert_allclose(of_kind(frame, "neuron"), attributed(looked, stack), **CLOSE)


@torch.no_grad()
def test_the_frozen_lens_is_accumulated_resid(looked: Looked) -> None:
    frame = logit_lens(looked.subject, at="end").frame
    stack = stacked(looked)
    np.testing.assert_allclose(frame["frozen"], attributed(looked, stack), **CLOSE)


@torch.no_grad()
def test_the_lens_is_the_unembedding_of_each_stream_by_its_own_norm(looked: Looked) -> None:
    frame = logit_lens(looked.subject, at=["end", "moved"]).frame
    last = frame.iloc[-1]
    logits = looked.bridge(looked.tokens)
    places = torch.arange(len(logits))
    plus, minus = (looked.label(name) for name in ("plus", "minus"))
    there = logits[places, places]
    expected = (there.gather(1, plus[:, None]) - there.gather(1, minus[:, None])).mean()
    assert last["at"] == "moved"
    np.testing.assert_allclose(last["value"], float(expected), **CLOSE)
    np.testing.assert_allclose(last["frozen"], float(expected), **CLOSE)
    rank = (there > there.gather(1, plus[:, None])).sum(-1)
    assert last["rank"] == rank.double().median()
    normed = looked.cache.apply_ln_to_stack(stacked(looked), pos_slice=AT, recompute_ln=True)
    directions = [looked.bridge.tokens_to_residual_directions(label) for label in (plus, minus)]
    own = torch.einsum("lnd,nd->ln", normed, directions[0] - directions[1]).mean(-1)
    np.testing.assert_allclose(frame.loc[frame["at"] == "end", "value"], own, **CLOSE)


@torch.no_grad()
def test_attention_is_the_cached_pattern_and_what_it_moves_the_weighted_result(
    looked: Looked,
) -> None:
    frame = attention(looked.subject, to=["first", "moved"]).frame
    blocks = looked.subject.weights.blocks
    for _, row in frame.iterrows():
        layer, head = row["layer"], row["head"]
        pattern = looked.cache["pattern", layer, "attn"][:, head, AT]
        key = torch.zeros(5, dtype=torch.int64) if row["to"] == "first" else torch.arange(5)
        paid = pattern.gather(1, key[:, None])[:, 0]
        np.testing.assert_allclose(row["attention"], paid.mean(), **CLOSE)
        np.testing.assert_allclose(row["sd"], paid.std(), **CLOSE)
        values = looked.cache["v", layer, "attn"]
        shared = len(blocks[layer].attention.output) // values.shape[2]
        written = values[:, :, head // shared] @ blocks[layer].attention.output[head]
        moved = pattern * written.norm(dim=-1)
        there = moved.gather(1, key[:, None])[:, 0]
        np.testing.assert_allclose(row["moved"], there.mean(), **CLOSE)
        np.testing.assert_allclose(row["of_all"], (there / moved.sum(-1)).mean(), **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("name", SCORES)
def test_scores_by_tokens_are_those_of_the_head_detector(looked: Looked, name: str) -> None:
    """The detector divides by all positions; ours by those to which the question applies."""
    frame = token_scores(looked.subject.values, looked.model).frame
    asked = [DETECTORS[name](row[None]) for row in looked.tokens]
    applies = [int((mask.sum(-1) > 0).sum()) for mask in asked]
    assert any(applies)
    for _, row in frame.iterrows():
        patterns = looked.cache["pattern", row["layer"], "attn"][:, row["head"]]
        theirs = [
            compute_head_attention_similarity_score(
                pattern,
                mask.double(),
                exclude_bos=False,
                exclude_current_token=False,
                error_measure="mul",
            )
            * len(mask)
            / count
            for pattern, mask, count in zip(patterns, asked, applies, strict=True)
            if count
        ]
        np.testing.assert_allclose(row[name], np.mean(theirs), **CLOSE)


@torch.no_grad()
def test_copy_scores_are_those_of_the_circuit_written_out(looked: Looked) -> None:
    """As Wang et al.'s released code has it, on the bridge's modules."""
    frame = copying_of_rows(looked.subject, at=["first", "moved"], within=2).frame
    blocks, final = looked.subject.weights.blocks, looked.bridge.ln_final
    at = torch.stack([torch.zeros(5, dtype=torch.int64), torch.arange(5)], 1)
    tokens = looked.tokens.gather(1, at).flatten()
    for _, row in frame.iterrows():
        layer, head = row["layer"], row["head"]
        stream = looked.cache["resid_post", 0] if layer else looked.cache["resid_pre", 0]
        normed = looked.bridge.blocks[layer].ln1(stream)
        value = blocks[layer].attention.value
        shared = len(blocks[layer].attention.output) // len(value.weight)
        values = normed @ value.weight[head // shared]
        if value.bias is not None:
            values = values + value.bias[head // shared]
        written = (values @ blocks[layer].attention.output[head])[torch.arange(5)[:, None], at]
        for name, sign in (("copying", 1), ("negative", -1)):
            logits = looked.bridge.unembed(final(sign * written)).flatten(0, 1)
            copied = (logits.topk(2).indices == tokens[:, None]).any(-1)
            np.testing.assert_allclose(row[name], copied.double().mean())


@torch.no_grad()
def test_an_ov_circuit_has_the_singular_values_of_the_product_of_its_matrices(
    looked: Looked,
) -> None:
    for block in looked.subject.weights.blocks:
        shared = len(block.attention.output) // len(block.attention.value.weight)
        for head, output in enumerate(block.attention.output):
            value = block.attention.value.weight[head // shared]
            bare = without_norm(block.attention)
            plain = FactoredMatrix(value, output)
            found = ov_of(bare, head, NoNorm())
            np.testing.assert_allclose(found.values, plain.S, **CLOSE)
            whole = found.reads @ found.values.diag() @ found.writes.T
            np.testing.assert_allclose(whole, plain.AB, **CLOSE)


def without_norm(weights: Attention) -> Attention:
    return evolve(weights, norm=NoNorm())
