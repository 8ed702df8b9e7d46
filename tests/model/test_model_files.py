"""Model directories in which a file beside the weights is wrong: each refused in one sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from scrub.model.registry import describe
from support.command import inside
from support.paths import ROOT
from support.spoilt_models import (
    MISSING,
    PLANTED,
    copy,
    in_lens_naming,
    refused,
    set_in,
)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return copy(tmp_path)


@pytest.fixture
def lens(tmp_path: Path) -> Path:
    return in_lens_naming(tmp_path)


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
    there = "there are: gpt2, gpt_neox, llama, mistral, qwen2, qwen3, llava."
    for kind, message in (
        (MISSING, f"Its config.json names no architecture (model_type); {there}"),
        (3, f"The architecture 3 is not supported; {there}"),
        ("llava_next", f'The architecture "llava_next" is not supported; {there}'),
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


@pytest.mark.parametrize("content", ["[" * 100_000, '{"pad_token": ' * 100_000, "[]", "", "{"])
def test_settings_of_a_tokenizer_are_not_needed(content: str, copied: Path) -> None:
    """Which token pads is known without them."""
    (copied / "tokenizer_config.json").write_text(content)
    tokenizers = [describe(place).tokenizer for place in (copied, PLANTED)]
    assert [tokenizer and tokenizer.pad for tokenizer in tokenizers] == [0, 0]
