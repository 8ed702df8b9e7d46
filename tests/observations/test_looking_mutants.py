"""Each comparison with TransformerLens catches an observation that is spoilt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import test_looking_like_transformer_lens as compared
import torch
from attrs import evolve

from scrub.observations import attention, attribution, copying, lens, ov, tokens
from support.looked_at import Looked, looked_at


def other_rows_scale(model: Any, stream: Any, rows: Any, direction: Any) -> Any:
    """The final norm's scale frozen at another row's."""
    return READOUT(model, stream.roll(1, 0), rows, direction)


def own_scale(model: Any, stream: Any, rows: Any, direction: Any) -> Any:
    """No scale at all."""
    found = READOUT(model, stream, rows, direction)
    return evolve(found, vector=found.vector / found.vector.norm(dim=-1, keepdim=True))


def unshared(weights: Any, head: int, read: Any) -> Any:
    """Values of the wrong key-value head."""
    value = weights.value(weights.norm(read)[:, None, None], torch.tensor([head % 2]))[:, 0, 0]
    return value @ weights.output[head]


def without_norm(weights: Any, head: int, read: Any) -> Any:
    return copying_written(evolve(weights, norm=compared.NoNorm()), head, read)


def unwritten(values: Any, output: Any) -> Any:
    """The norm of the value, not of what is written of it."""
    return values.double().norm(dim=-1).movedim(-1, 1)


def before_the_copy(ids: Any, lengths: Any) -> Any:
    """Induction to the position before the copy, not after it."""
    found = positions(ids, lengths)
    same = found["duplicate_token"]
    before = torch.zeros_like(same)
    before[:, :, :-1] = same[:, :, 1:]
    return found | {"induction": before}


def later_too(ids: Any, lengths: Any) -> Any:
    """Duplicates that include the token itself."""
    found = positions(ids, lengths)
    return found | {"duplicate_token": ids[:, :, None] == ids[:, None, :]}


def without_output(weights: Any, head: int, final: Any) -> Any:
    found = circuit(weights, head, final)
    return evolve(found, values=found.values.flip(0))


READOUT = attribution.readout
copying_written, positions, circuit = copying.written_by, tokens.positions_asked, ov.ov_of
HEADS = compared.test_heads_add_what_stack_head_results_attributes
LAYERS = compared.test_layers_and_embeddings_add_what_decompose_resid_attributes
NEURONS = compared.test_neurons_add_what_stack_neuron_results_attributes
FROZEN = compared.test_the_frozen_lens_is_accumulated_resid
COPIES = compared.test_copy_scores_are_those_of_the_circuit_written_out
PAYS = compared.test_attention_is_the_cached_pattern_and_what_it_moves_the_weighted_result
OV = compared.test_an_ov_circuit_has_the_singular_values_of_the_product_of_its_matrices


def scores(name: str) -> Callable[[Looked], None]:
    return lambda looked: compared.test_scores_by_tokens_are_those_of_the_head_detector(
        looked, name
    )


@pytest.mark.parametrize(
    ("module", "name", "mutant", "test"),
    [
        (attribution, "readout", other_rows_scale, HEADS),
        (attribution, "readout", own_scale, LAYERS),
        (attribution, "readout", other_rows_scale, NEURONS),
        (lens, "readout", other_rows_scale, FROZEN),
        (copying, "written_by", unshared, COPIES),
        (copying, "written_by", without_norm, COPIES),
        (attention, "written_norms", unwritten, PAYS),
        (tokens, "positions_asked", before_the_copy, scores("induction")),
        (tokens, "positions_asked", later_too, scores("duplicate_token")),
        (compared, "ov_of", without_output, OV),
    ],
)
def test_what_is_spoilt_is_found(
    module: Any, name: str, mutant: Any, test: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = looked_at("llama")
    test(looked)
    monkeypatch.setattr(module, name, mutant)
    with pytest.raises(AssertionError):
        test(looked)
