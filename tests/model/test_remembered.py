"""The check of weights against TransformerLens: when it is made, and what it must catch."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from attrs import evolve

from scrub.errors import UserError
from scrub.model import hf_directory, llava_directory
from scrub.model.bridge import boot
from scrub.model.directory import read_config, sha256
from scrub.model.hf_directory import CHECKING
from scrub.model.llava_config import is_llava
from scrub.model.processor_files import FILES
from scrub.model.registry import EMBEDDED, describe, embedded_names, load
from scrub.model.remembered import SHIPPED, TESTED, files_hash
from scrub.model.tl_config import is_lens
from scrub.model.verify import plain_logits
from scrub.model.weights import Projection, Weights
from support import family_models
from support.family_models import blocks, hugging_face_model, tokens
from support.spoilt_models import change, refused, set_in

Change = Callable[[Weights], Weights]
Checks = list[str]
"""What is said when a model is loaded: one sentence if its check is made, none if it was before."""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache directory, which need not exist."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "scrub" / "checked"


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    family_models.save(hugging_face_model("llama"), tmp_path / "llama")
    return tmp_path / "llama"


def checks(directory: Path, *, dtype: torch.dtype = torch.float32, recheck: bool = False) -> Checks:
    said: Checks = []
    made = load(describe(directory), dtype=dtype, device="cpu", recheck=recheck, says=said.append)
    assert made.sha256 == sha256(directory)
    return said


MADE = [CHECKING]


def test_a_check_is_made_once(llama: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    booted: list[Path] = []

    def counted(directory: Path, **more: Any) -> Any:
        booted.append(directory)
        return boot(directory, **more)

    monkeypatch.setattr(hf_directory, "boot", counted)
    assert checks(llama) == MADE
    assert checks(llama) == []
    assert booted == [llama]
    assert len(list(cache.iterdir())) == 1
    assert checks(llama, recheck=True) == MADE
    assert len(booted) == 2


def test_checked_or_not_the_model_is_the_same(llama: Path, cache: Path) -> None:
    first, second = (
        plain_logits(load(describe(llama), dtype=torch.float64, device="cpu").graph, tokens())
        for _ in range(2)
    )
    assert len(list(cache.iterdir())) == 1
    assert torch.equal(first, second)


def test_another_model_is_checked(llama: Path, cache: Path) -> None:
    """Other numbers, another setting, another precision; not another name or tokenizer."""
    assert checks(llama) == MADE
    moved = llama.rename(llama.with_name("moved"))
    (moved / "tokenizer.json").unlink()
    assert checks(moved) == []
    assert checks(moved, dtype=torch.float64) == MADE
    set_in(moved, rms_norm_eps=1e-4)
    assert checks(moved) == MADE
    change(moved, lambda state: {n: 1.001 * t for n, t in state.items()})
    assert checks(moved) == MADE


@pytest.mark.parametrize("what", ["version", "sources"])
def test_other_code_checks_again(
    what: str, llama: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checks(llama) == MADE
    if what == "version":
        monkeypatch.setattr("scrub.model.remembered.version", lambda name: f"{name} 99")
    else:
        monkeypatch.setattr("scrub.model.remembered.PACKAGE", tmp_path)
    assert checks(llama) == MADE


def spoil(entry: Path, how: str) -> None:
    if how == "a folder":
        entry.unlink()
        entry.mkdir()
    else:
        entry.write_bytes({"empty": b"", "cut": entry.read_bytes()[:-9], "other": b"\xff\n"}[how])


@pytest.mark.parametrize("how", ["empty", "cut", "other", "a folder"])
def test_an_entry_that_is_spoilt_is_none(how: str, llama: Path, cache: Path) -> None:
    assert checks(llama) == MADE
    (entry,) = cache.iterdir()
    spoil(entry, how)
    assert checks(llama) == MADE
    assert len(list(cache.iterdir())) == 1
    assert checks(llama) == (MADE if how == "a folder" else [])


def test_without_a_place_to_remember_it_is_made_each_time(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    for place in (str(tmp_path / "file"), "/proc/1"):
        monkeypatch.setenv("XDG_CACHE_HOME", place)
        assert checks(llama) == checks(llama) == MADE


def test_where_it_is_remembered(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default in ~/.cache; a relative directory counts as none, and so does a relative home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere")
    assert checks(llama) == MADE
    assert len(list((tmp_path / "home" / ".cache" / "scrub" / "checked").iterdir())) == 1
    monkeypatch.setenv("HOME", "home")
    assert checks(llama) == checks(llama) == MADE
    assert not os.path.exists("somewhere")


# What it must catch


def swapped(attention: Any) -> Any:
    return evolve(attention, key=attention.value, value=attention.key)


def in_turn(attention: Any) -> Any:
    """Heads dealt in turn where they lie in groups."""

    def dealt(projection: Projection) -> Projection:
        heads, _, d_head = projection.weight.shape
        flat = projection.weight.transpose(1, 2).flatten(0, 1)
        return evolve(projection, weight=flat.unflatten(0, (d_head, heads)).permute(1, 2, 0))

    return evolve(attention, query=dealt(attention.query))


MUTANTS: dict[str, Change] = {
    "keys for values": lambda w: blocks(w, swapped),
    "heads in turn": lambda w: blocks(w, in_turn),
    "gate for linear": lambda w: blocks(
        w, lambda m: evolve(m, pre=m.linear, linear=m.pre), attention=False
    ),
    "layers swapped": lambda w: evolve(w, blocks=w.blocks[::-1]),
    "no output bias": lambda w: blocks(w, lambda a: evolve(a, output_bias=None)),
    "tied": lambda w: evolve(w, unembedding=evolve(w.unembedding, weight=w.embedding.T)),
    "rotated half as fast": lambda w: blocks(
        w, lambda a: evolve(a, rotary=evolve(a.rotary, frequencies=a.rotary.frequencies / 2))
    ),
    "epsilon": lambda w: evolve(w, norm_final=evolve(w.norm_final, epsilon=0.1)),
}


@pytest.mark.parametrize("case", MUTANTS)
def test_a_mistaken_reader_is_refused(
    case: str, llama: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = hf_directory.read_weights
    monkeypatch.setattr(
        hf_directory, "read_weights", lambda *given, **more: MUTANTS[case](read(*given, **more))
    )
    for _ in range(2):  # nothing is remembered of it
        with pytest.raises(UserError, match=r"^The graph disagrees .* by [\d.e+-]+ of the largest"):
            checks(llama)
    assert not cache.exists()


def test_a_number_that_is_off_by_less_than_a_probe_shows_is_refused(
    llama: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = hf_directory.read_weights

    def spoilt(*given: Any, **more: Any) -> Weights:
        weights = read(*given, **more)
        weights.embedding[-1, -1] += 1e-9
        return weights

    monkeypatch.setattr(hf_directory, "read_weights", spoilt)
    with pytest.raises(UserError) as caught:
        checks(llama, dtype=torch.float64)
    assert str(caught.value) == (
        "The weights that scrub reads differ from those that TransformerLens reads: embedding by "
        "1e-09. Was the file changed meanwhile? If not, please report it."
    )
    assert not cache.exists()


# Files that are wrong after a check


def test_files_that_are_spoilt_after_their_check(llama: Path, cache: Path) -> None:
    name = "model.layers.1.mlp.up_proj.weight"
    whole = llama.with_name("whole")
    llama.rename(whole)
    assert checks(whole) == MADE

    def spoilt(edit: Callable[[Any], Any]) -> str:
        shutil.copytree(whole, llama)
        change(llama, edit)
        said = refused(llama)
        shutil.rmtree(llama)
        return said

    assert spoilt(lambda state: state | {name: state[name][:-1].clone()}) == (
        f"In DIR {name} is [19, 16], where config.json says [20, 16]. Copy both from the same "
        "model."
    )
    assert spoilt(lambda state: {n: t for n, t in state.items() if n != name}) == (
        f'The weights of model "DIR" are incomplete: {name} is missing. Copy or download them '
        "again."
    )
    assert spoilt(lambda state: state | {name: state[name] / 0}).startswith(
        f"The weights in DIR hold numbers that are NaN or infinite: 320 of 320 in {name}."
    )
    shutil.copytree(whole, llama)
    set_in(llama, intermediate_size=24)
    assert refused(llama).startswith(
        "In DIR model.layers.0.mlp.gate_proj.weight is [20, 16], where config.json says [24, 16], "
    )
    path = llama / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert refused(llama).startswith("DIR/model.safetensors is not a complete safetensors file (")


# The embedded models

OURS = [n for n in embedded_names() if not is_lens(read_config(EMBEDDED / n))]


def test_the_shipped_checks_are_of_the_shipped_files() -> None:
    def more(name: str) -> tuple[str, ...]:
        return FILES if is_llava(read_config(EMBEDDED / name)) else ()

    found = {n: files_hash(EMBEDDED / n, sha256(EMBEDDED / n), more(n)) for n in OURS}
    assert found == json.loads(SHIPPED.read_text()), f"write this to {SHIPPED}: {json.dumps(found)}"


@pytest.mark.parametrize("dtype", TESTED, ids=str)
@pytest.mark.parametrize("name", OURS)
def test_the_shipped_checks_hold(name: str, dtype: torch.dtype, cache: Path) -> None:
    assert checks(EMBEDDED / name, dtype=dtype) == []
    assert not cache.exists()
    of_images = is_llava(read_config(EMBEDDED / name))
    made = [llava_directory.CHECKING] if of_images else MADE
    assert checks(EMBEDDED / name, dtype=dtype, recheck=True) == made
    assert checks(EMBEDDED / name, dtype=torch.float16) == made
