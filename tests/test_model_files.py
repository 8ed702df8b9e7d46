"""Model directories in which something is wrong: each refused in one sentence, in no time."""

from __future__ import annotations

import functools
import json
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import HfApi
from safetensors.torch import load_file, save_file
from torch import Tensor

import native_models
from command import ROOT, inside
from scrub.errors import UserError
from scrub.model.model import describe, load

PLANTED = ROOT / "scrub" / "model" / "embedded" / "ioi-planted"
State = dict[str, Tensor]
MISSING = object()


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PLANTED, tmp_path / "copy"))


@pytest.fixture
def lens(tmp_path: Path) -> Path:
    """A directory in TransformerLens naming, without MLPs and norms."""
    return native_models.save(native_models.module("bare"), tmp_path / "lens")


def set_in(directory: Path, **settings: Any) -> None:
    path = directory / "config.json"
    config = json.loads(path.read_text()) | settings
    path.write_text(json.dumps({n: v for n, v in config.items() if v is not MISSING}))


def change(directory: Path, edit: Callable[[State], State]) -> None:
    path = directory / "model.safetensors"
    save_file(edit(load_file(path)), path, metadata={"format": "pt"})


def refused(directory: Path) -> str:
    """What is said, which is one line."""
    started = time.monotonic()
    with pytest.raises(UserError) as caught:
        load(describe(directory), dtype=torch.float32, device="cpu")
    assert time.monotonic() - started < 30
    (problem,) = caught.value.problems
    message = str(problem).replace(str(directory), "DIR")
    assert "\n" not in message
    return message


def loads(directory: Path) -> bool:
    return load(describe(directory), dtype=torch.float32, device="cpu").sha256 != ""


# Configurations

NO_NUMBER = "not a whole number from 1 to 10,000"
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"n_layer": 10**9}, "n_layer is 1000000000, not a whole number from 1 to 1,000"),
    ({"n_head": -4}, f"n_head is -4, {NO_NUMBER}"),
    ({"n_head": 0}, f"n_head is 0, {NO_NUMBER}"),
    ({"n_head": 4.0}, f"n_head is 4.0, {NO_NUMBER}"),
    ({"n_head": "4"}, f"n_head is '4', {NO_NUMBER}"),
    ({"n_head": True}, f"n_head is true, {NO_NUMBER}"),
    ({"n_head": None}, f"n_head is null, {NO_NUMBER}"),
    ({"n_head": [[4]]}, f"n_head is [[4]], {NO_NUMBER}"),
    (
        {"n_head": MISSING, "n_embd": -1, "layer_norm_epsilon": "x"},
        "n_head is missing; n_embd is -1, not a whole number from 1 to 4,194,304; "
        "layer_norm_epsilon is 'x', not a number from 0",
    ),
    ({"n_head": 3}, "n_embd = 64 cannot be shared evenly by n_head = 3"),
    ({"n_embd": 10**12}, "n_embd is 1000000000000, not a whole number from 1 to 4,194,304"),
    ({"layer_norm_epsilon": float("nan")}, "layer_norm_epsilon is nan, not a number from 0"),
    ({"activation_function": 3}, "activation_function is 3, not a name"),
    ({"reorder_and_upcast_attn": "no"}, "reorder_and_upcast_attn is 'no', not true or false"),
]


@pytest.mark.parametrize(("settings", "message"), WRONG, ids=lambda value: str(value)[:30])
def test_settings_of_the_wrong_kind(settings: dict[str, Any], message: str, copied: Path) -> None:
    set_in(copied, **settings)
    assert refused(copied) == (
        f'Model "DIR" cannot be used. Its config.json is incomplete or wrong: {message}. Copy the '
        "model's own."
    )


WRONG_LENS: list[tuple[dict[str, Any], str]] = [
    ({"n_layers": 10**9}, "n_layers is 1000000000, not a whole number from 1 to 1,000"),
    ({"n_heads": -4}, f"n_heads is -4, {NO_NUMBER}"),
    ({"n_heads": 2.0}, f"n_heads is 2.0, {NO_NUMBER}"),
    ({"d_vocab_out": 0}, "d_vocab_out is 0, not a whole number from 1 to 134,217,728"),
    ({"d_vocab_out": -2}, "d_vocab_out is -2, not a whole number from 1 to 134,217,728"),
    ({"attn_only": "yes"}, "attn_only is 'yes', not true or false"),
    ({"attn_only": False}, "act_fn is null, not a name"),
    ({"attn_scale": 0}, "attn_scale is 0, not a number above 0"),
    ({"normalization_type": 3}, "normalization_type is 3, not a name"),
    ({"d_model": MISSING, "n_ctx": True}, "d_model is missing; n_ctx is true, not a whole number "
     "from 1 to 134,217,728"),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "message"), WRONG_LENS, ids=lambda value: str(value)[:30])
def test_the_same_in_transformer_lens_naming(
    settings: dict[str, Any], message: str, lens: Path
) -> None:
    set_in(lens, **settings)
    assert refused(lens) == (
        f'Model "DIR" cannot be used. Its config.json is incomplete or wrong: {message}. Copy the '
        "model's own."
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is not JSON: Expecting value: line 1 column 1 (char 0)."),
        (b"[]", "holds no table of settings."),
        (b"null", "holds no table of settings."),
        (b"\xff\xfe", "is not text in UTF-8."),
        (b'{"a":' * 100_000, "is nested too deep for a table of settings."),
        (b"[" * 100_000, "is nested too deep for a table of settings."),
    ],
)
def test_configurations_that_are_none(text: bytes, message: str, copied: Path) -> None:
    (copied / "config.json").write_bytes(text)
    assert refused(copied) == f"DIR/config.json {message} Copy the model's own config.json."


def test_a_configuration_that_is_a_folder_or_leads_in_a_circle(copied: Path) -> None:
    path = copied / "config.json"
    path.unlink()
    path.mkdir()
    assert refused(copied) == (
        "DIR/config.json is a folder, where a file is expected. Copy the model's own config.json."
    )
    path.rmdir()
    path.symlink_to("config.json")
    assert refused(copied) == ("DIR/config.json cannot be read: Too many levels of symbolic links.")


def test_architectures(copied: Path) -> None:
    there = "there are: gpt2, gpt_neox, llama, mistral, qwen2, qwen3."
    for kind, message in (
        (MISSING, f"Its config.json names no architecture (model_type); {there}"),
        (3, f"The architecture 3 is not supported; {there}"),
        (
            "llava",
            "It is a LLaVA, which reads images beside text: such models are not supported yet; "
            f"{there}",
        ),
    ):
        set_in(copied, model_type=kind)
        assert refused(copied) == f'Model "DIR" cannot be used. {message}'


def test_sizes_that_are_not_those_of_the_weights(copied: Path) -> None:
    """Before anything is built: a million of dimensions would not fit into memory."""
    same = "Copy both from the same model."
    table = "transformer.wte.weight in DIR is [310, 64], where config.json says"
    for settings, message in (
        (
            {"n_layer": 900},
            f"DIR holds the weights of 4 layers, and its config.json says 900. {same}",
        ),
        (
            {"n_embd": 10**6},
            "transformer.wpe.weight in DIR is [48, 64], where config.json says [48, 1000000]. "
            f"{same}",
        ),
        ({"vocab_size": 10}, f"{table} [10, 64]. {same}"),
        (
            {"n_positions": 10**8},
            "transformer.wpe.weight in DIR is [48, 64], where config.json says [100000000, 64]. "
            f"{same}",
        ),
        (
            {"n_inner": 10**6},
            "In DIR transformer.h.0.mlp.c_fc.weight is [64, 256], where config.json says [64, "
            "1000000], transformer.h.0.mlp.c_fc.bias is [256], where config.json says [1000000], "
            "transformer.h.0.mlp.c_proj.weight is [256, 64], where config.json says [1000000, 64] "
            f"and 9 others. {same}",
        ),
    ):  # fmt: skip
        shutil.copyfile(PLANTED / "config.json", copied / "config.json")
        set_in(copied, **settings)
        assert refused(copied) == message


# Weights

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


# Roles

HEADS = "and the model has layers 0 to 3 with heads 0 to 3 each"
ROLES = [
    (
        '[roles]\n"a" = [[3.9, 0]]',
        'is no table of roles: "a" holds [3.9, 0], not a head [layer, head]',
    ),
    (
        '[roles]\n"a" = [["1", "0"], [-1, 0], [0, 99], [1], [true, 0], [1, 1], [1, 1]]\n"b" = "c"\n'
        '"d" = []\n[other]\ne = 1',
        'is no table of roles: "other" is not [roles]; '
        "\"a\" holds ['1', '0'], not a head [layer, head]; "
        f'"a" names head -1.0, {HEADS}; "a" names head 0.99, {HEADS}; '
        '"a" holds [1], not a head [layer, head]; "a" holds [True, 0], not a head [layer, head]; '
        '"a" names head 1.1 twice; "b" is \'c\', not a list of heads [layer, head]; '
        '"d" is [], not a list of heads [layer, head]',
    ),
    ("a = [[0, 0]]", 'is no table of roles: "a" is not [roles]; there is no table [roles]'),
    ("roles = 3", "is no table of roles: roles is no table"),
    ("roles =", "is not TOML: Invalid value (at end of document)"),
    (
        '[roles]\n"a" = [[0, 0]]\n"a" = [[0, 1]]',
        "is not TOML: Cannot overwrite a value (at end of document)",
    ),
    ("a = " + "[" * 5_000, "is nested too deep for a table of roles"),
    ("\udcff", "is not text in UTF-8"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), ROLES, ids=lambda value: value[:30])
def test_roles_that_are_none(text: str, message: str, copied: Path) -> None:
    (copied / "roles.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert refused(copied) == (
        f"DIR/roles.toml {message}. Write: [roles] and, a line each, "
        '"name mover" = [[9, 9], [10, 0]].'
    )


def test_roles_that_are_a_folder_or_lead_in_a_circle(copied: Path) -> None:
    path = copied / "roles.toml"
    path.unlink()
    path.symlink_to("roles.toml")
    assert refused(copied) == "DIR/roles.toml cannot be read: Too many levels of symbolic links."
    path.unlink()
    path.mkdir()
    assert refused(copied).startswith("DIR/roles.toml is a folder, where a file is expected. Write")


def test_published_roles_are_those_of_a_model_that_has_such_heads(
    tmp_path: Path, copied: Path
) -> None:
    """A small model that somebody calls gpt2 has no head 9.9."""
    (copied / "roles.toml").unlink()
    small = copied.rename(tmp_path / "gpt2")
    assert describe(small).roles == {}


def test_a_folder_beside_the_weights_is_passed_over(copied: Path) -> None:
    (copied / "runs.json").mkdir()
    (copied / "gone.json").symlink_to("nowhere")
    claim = str(ROOT / "hypotheses" / "ioi_claim3.py::by_value")
    done = inside("test", claim, "--model", "copy", "--samples", "20", cwd=copied.parent)
    assert done.code == 0, done.err


# Tokenizers


def test_tokenizers(copied: Path) -> None:
    path = copied / "tokenizer.json"
    text = json.loads(path.read_text())
    text["model"]["vocab"] |= {f"more{number}": 310 + number for number in range(5)}
    path.write_text(json.dumps(text))
    assert refused(copied) == (
        "DIR/tokenizer.json knows 315 tokens, and config.json says that the model knows 310. Copy "
        "both from the same model."
    )
    path.unlink()
    assert describe(copied).tokenizer is None
    path.symlink_to("tokenizer.json")
    assert refused(copied) == "There is no tokenizer in DIR: its tokenizer.json is no file."
    path.unlink()
    path.mkdir()
    assert refused(copied) == "There is no tokenizer in DIR: its tokenizer.json is no file."


def test_a_pad_that_the_model_does_not_know_is_not_taken(copied: Path) -> None:
    """A special token that was added to the tokenizer and not to the embedding."""
    path = copied / "tokenizer.json"
    text = json.loads(path.read_text())
    text["added_tokens"].append({**text["added_tokens"][0], "id": 310, "content": "[PAD]"})
    path.write_text(json.dumps(text))
    named = json.loads((copied / "tokenizer_config.json").read_text()) | {"pad_token": "[PAD]"}
    (copied / "tokenizer_config.json").write_text(json.dumps(named))
    tokenizer = describe(copied).tokenizer
    assert tokenizer is not None
    assert tokenizer.pad < 310


# Names


@pytest.mark.parametrize("name", ["", " ", "x/y/z", "gpt2 ", "http://x.org/y", "a\0b", "é/ü"])
def test_names_that_can_be_none(name: str) -> None:
    with pytest.raises(UserError, match=r"^There is no model "):
        describe(name)


def test_a_name_that_is_very_long() -> None:
    with pytest.raises(UserError) as caught:
        describe("x" * 5_000)
    assert len(str(caught.value)) < 600


def test_paths_that_lead_to_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    give = (
        "Give a directory with config.json and model.safetensors, or one of: ioi-planted, "
        "ioi-shortcut, parens."
    )
    for name, why in (
        ("file", "it is a file"),
        ("loop", "there is no such directory"),
        ("nowhere", "there is no such directory"),
    ):
        path = tmp_path / name
        assert refused(path) == f'There is no model "DIR": {why}. {give}'


def test_a_hub_that_answers_with_an_error_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def download(name: str, **options: Any) -> str:
        raise RuntimeError("500 Server Error\n" + "<html>\n" * 1_000)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    with pytest.raises(UserError) as caught:
        describe("some/body")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_hub_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as hub:
        endpoint = f"http://127.0.0.1:{hub.getsockname()[1]}"
        monkeypatch.setattr("scrub.model.model.PATIENCE", 0.5)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.HfApi", functools.partial(HfApi, endpoint=endpoint))
        with pytest.raises(UserError, match=r"it was not reached, and there is no copy of it here"):
            describe("some/body")
