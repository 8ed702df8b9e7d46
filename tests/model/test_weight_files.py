"""Weights that are wrong: each refused in one sentence, in no time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from support.spoilt_models import (
    State,
    change,
    copy,
    in_lens_naming,
    loads,
    refused,
    set_in,
)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return copy(tmp_path)


@pytest.fixture
def lens(tmp_path: Path) -> Path:
    return in_lens_naming(tmp_path)


SOME = "transformer.h.0.attn.c_attn.weight"


def test_numbers_that_are_not_finite(copied: Path, lens: Path) -> None:
    def spoilt(name: str) -> Callable[[State], State]:
        def edit(state: State) -> State:
            state[name][0].view(-1)[:3] = torch.nan
            state[name][1].view(-1)[0] = torch.inf
            return state

        return edit

    change(copied, spoilt(SOME))
    why = (
        "Training diverged, or the file was damaged, or its numbers are too large for the "
        "precision that they are read in."
    )
    assert refused(copied) == (
        f"The weights in DIR hold numbers that are NaN or infinite: 4 of 12,288 in {SOME}. {why}"
    )
    change(lens, spoilt("blocks.1.attn.W_K"))
    assert refused(lens) == (
        "The weights in DIR hold numbers that are NaN or infinite: 4 of 96 in blocks.1.attn.W_K. "
        f"{why}"
    )


def test_numbers_that_are_too_large_for_their_precision(copied: Path) -> None:
    change(copied, lambda state: state | {SOME: state[SOME].double() * 1e300})
    assert "are NaN or infinite: 12,288 of 12,288 in " in refused(copied)


def test_activations_that_are_not_finite(copied: Path) -> None:
    change(copied, lambda state: state | {SOME: torch.full_like(state[SOME], 1e38)})
    assert refused(copied) == (
        "The model itself gives NaN or infinity at 64 of 64 positions of a probe batch, though "
        "its weights are finite: its activations are too large for the precision that it runs in."
    )


def test_settings_by_which_the_model_itself_fails(copied: Path) -> None:
    set_in(copied, attn_pdrop=float("nan"))
    assert refused(copied) == (
        "The model itself fails on a probe batch of tokens: RuntimeError: dropout probability has "
        "to be between 0 and 1, but got nan. Are its configuration and its modules as they were "
        "made?"
    )


def test_tensors_of_another_shape_missing_and_extra(copied: Path) -> None:
    whole = load_file(copied / "model.safetensors")
    for changes, message in (
        (
            {SOME: whole[SOME][:-1].clone()},
            f"In DIR {SOME} is [63, 192], where config.json says [64, 192]. Copy both from the "
            "same model.",
        ),
        (
            {SOME: None},
            f'The weights of model "DIR" are incomplete: {SOME} is missing. Copy or download them '
            "again.",
        ),
        (
            {"transformer.h.0.attn.q_norm.weight": torch.ones(4)},
            "The weights in DIR hold transformer.h.0.attn.q_norm.weight, which such a model has no "
            "place for. Copy config.json and weights from the same model.",
        ),
    ):
        state = {n: t for n, t in (whole | changes).items() if t is not None}
        change(copied, lambda _, state=state: state)
        assert refused(copied) == message


def test_masks_among_the_weights_are_passed_over(copied: Path) -> None:
    """Older files of GPT-2 hold them."""
    masks = {
        "transformer.h.0.attn.bias": torch.ones(1, 1, 4, 4, dtype=torch.uint8),
        "transformer.h.0.attn.masked_bias": torch.tensor(-1e4),
    }
    change(copied, lambda state: state | masks)
    assert loads(copied)


@pytest.mark.parametrize("which", ["copied", "lens"])
def test_formats_of_numbers(which: str, request: pytest.FixtureRequest) -> None:
    directory = request.getfixturevalue(which)
    for dtype in (torch.float64, torch.bfloat16, torch.float16):
        change(directory, lambda state, dtype=dtype: {n: t.to(dtype) for n, t in state.items()})
        assert loads(directory)
    name = min(load_file(directory / "model.safetensors"))
    for dtype, called in ((torch.int8, "I8"), (torch.float8_e4m3fn, "F8_E4M3")):
        change(directory, lambda state, dtype=dtype: state | {name: state[name].to(dtype)})
        assert refused(directory) == (
            f"The weights in DIR are quantised: {name} is {called}. scrub reads F64, F32, F16, "
            "BF16; save the model in one of them."
        )


def test_files_that_cannot_be_read(copied: Path) -> None:
    path = copied / "model.safetensors"
    path.write_bytes(b"")
    assert refused(copied) == (
        "DIR/model.safetensors is not a complete safetensors file (Error while deserializing "
        "header: header too small). Copy or download it again."
    )
    path.unlink()
    path.mkdir()
    assert refused(copied) == "DIR/model.safetensors cannot be read: it is a folder."
    path.rmdir()
    path.symlink_to("model.safetensors")
    assert refused(copied) == "DIR/model.safetensors cannot be read: it leads nowhere."


def test_pickles_are_refused(copied: Path) -> None:
    path = copied / "model.safetensors"
    torch.save(load_file(path), copied / "pytorch_model.bin")
    path.unlink()
    assert refused(copied) == (
        "DIR holds its weights in pytorch_model.bin, a pickle, which could run any code when it is "
        "read. Write them as model.safetensors, by save_pretrained of transformers or save_file of "
        "safetensors."
    )
