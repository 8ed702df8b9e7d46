"""The files of models wired by hand, beside what their script makes."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from attrs import evolve
from safetensors.torch import load_file
from wiring_models import Family, token_ids
from wiring_parts import Wired, save

from scrub import write_circuit
from scrub.model.tokenizer import load_tokenizer
from support.paths import ROOT

EMBEDDED = ROOT / "scrub" / "model" / "embedded"
FILES = (
    "config.json", "model.safetensors", "roles.toml", "tokenizer.json", "tokenizer_config.json",
)  # fmt: skip


@cache
def of_files(family: Family, name: str) -> Wired:
    """The files' weights, with the files' roles."""
    text = (EMBEDDED / name / "roles.toml").read_text(encoding="utf-8")
    roles = {
        role: tuple((layer, head) for layer, head in heads)
        for role, heads in tomllib.loads(text)["roles"].items()
    }
    model = family.made(name, token_ids(load_tokenizer(EMBEDDED / name), family.words))
    return evolve(model, roles=roles, state=load_file(EMBEDDED / name / "model.safetensors"))


def assert_made_again(family: Family, name: str, folder: Path) -> None:
    """All files are made again to the bit, but for the evidence, and so are the circuits."""
    directory = folder / name
    tokenizer = family.tokenizer(directory)
    model = family.made(name, token_ids(tokenizer, family.words))
    save(model, directory, family.card(model, tokenizer, 5, 7))
    for file in FILES:
        assert (directory / file).read_bytes() == (EMBEDDED / name / file).read_bytes(), file
    said, kept = (
        (where / "README.md").read_text(encoding="utf-8").split("## Evidence")[0]
        for where in (directory, EMBEDDED / name)
    )
    assert said == kept
    for file, circuit in family.circuits(model).items():
        path = folder / f"{file}.json"
        write_circuit(circuit, path)
        assert path.read_bytes() == (ROOT / "circuits" / path.name).read_bytes()
