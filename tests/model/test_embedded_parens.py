"""The embedded model `parens`: it loads anywhere, and is right about strings of every kind."""

from __future__ import annotations

import json
import re
import shutil
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from scrub.datasets.parens_strings import KINDS, Kind, generated_by_kind

from scrub.model.registry import (
    Model,
    describe,
    embedded_names,
    load,
)
from scrub.model.verify import plain_logits
from support.paths import ROOT, SHARED_MODELS

PARENS = ROOT / "scrub" / "model" / "embedded" / "parens"
ORIGINAL = SHARED_MODELS / "parens"
ROWS = 300


def balanced(text: str) -> bool:
    while "()" in text:
        text = text.replace("()", "")
    return not text


@cache
def parens(dtype: torch.dtype) -> Model:
    return load(describe("parens"), dtype=dtype, device="cpu")


def rows_of(strings: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens int64 [rows, 42] and how many of each row are real."""
    table = json.loads((PARENS / "config.json").read_text())["tokens"]
    tokens = torch.full((len(strings), 42), table["pad"])
    for row, text in zip(tokens, strings, strict=True):
        row[: len(text) + 2] = torch.tensor(
            [table["start"], *(table[character] for character in text), table["end"]]
        )
    return tokens, torch.tensor([len(text) + 2 for text in strings])


def right(model: Model, strings: list[str]) -> torch.Tensor:
    """Which strings a model is right about, by its logits at position 0: bool [strings]."""
    logits = plain_logits(model.graph, *rows_of(strings))[:, 0]
    return (logits[:, 1] > logits[:, 0]) == torch.tensor([balanced(text) for text in strings])


def test_it_is_found_by_name_and_has_the_shape_of_the_original() -> None:
    assert "parens" in embedded_names()
    described = describe("parens")
    assert (described.layers, described.heads, described.tokenizer) == (3, 2, None)
    model = parens(torch.float64)
    assert not model.graph.causal
    assert re.fullmatch("[0-9a-f]{64}", model.sha256)
    if ORIGINAL.is_dir():
        ours, theirs = (
            json.loads((folder / "config.json").read_text()) for folder in (PARENS, ORIGINAL)
        )
        assert ours == theirs


@pytest.mark.parametrize("kind", KINDS)
def test_right_about_strings_of_every_kind(kind: Kind) -> None:
    """At 99.9%, 300 strings hold three mistakes or more in one of 300 such tests."""
    wrong = ~right(parens(torch.float32), generated_by_kind(kind, ROWS, seed=11))
    assert wrong.sum() < 3


def test_without_its_positions_it_is_wrong(tmp_path: Path) -> None:
    """So the test above can fail."""
    shutil.copyfile(PARENS / "config.json", tmp_path / "config.json")
    state = load_file(PARENS / "model.safetensors")
    state["pos_embed.W_pos"] = state["pos_embed.W_pos"].mean(0, keepdim=True).repeat(42, 1)
    save_file(state, tmp_path / "model.safetensors")
    model = load(describe(tmp_path), dtype=torch.float32, device="cpu")
    strings = generated_by_kind("violated once", ROWS // 2, seed=11)
    strings += generated_by_kind("balanced", ROWS // 2, seed=11)
    assert right(model, strings).double().mean() < 0.8


def test_pads_do_not_reach_the_answer() -> None:
    strings = generated_by_kind("random", 20, seed=2)
    tokens, lengths = rows_of(strings)
    graph = parens(torch.float64).graph
    together = plain_logits(graph, tokens, lengths)[:, 0]
    for row, length, answer in zip(tokens, lengths, together, strict=True):
        alone = plain_logits(graph, row[None, :length])[0, 0]
        assert (alone - answer).abs().max() < 1e-9 * answer.abs().max()


def test_the_card_says_99_9_percent_for_every_kind_and_the_model_is_small() -> None:
    card = (PARENS / "README.md").read_text()
    assert card.count("## Evidence\n") == 1
    for kind in KINDS:
        line = re.search(rf"\| {kind} \| [\d.]+% \| ([\d.]+)% \| \d+ \| ([\d.]+)% \|", card)
        assert line, kind
        assert min(map(float, line.groups())) >= 99.9
    assert sum(path.stat().st_size for path in PARENS.iterdir()) < 3e6
