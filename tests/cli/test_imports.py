"""What is imported: `--help` must not wait for torch, errors not for transformer_lens."""

from __future__ import annotations

from support.command import IOI, python


def _imported(*arguments: str) -> set[str]:
    lines = python("-X", "importtime", "-m", "scrub", *arguments).err.splitlines()
    names = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time")}
    assert "click" in names
    return names


def test_heavy_modules_are_imported_where_they_are_needed() -> None:
    heavy = {"torch", "pandas", "transformers", "transformer_lens", "scipy"}
    for arguments in (("--help",), ("test", "--help"), ("test", "nowhere.py")):
        assert not heavy & _imported(*arguments), arguments
    ran = _imported("test", IOI, "--samples", "20", "--no-diagnose")
    assert "scrub.report.terminal" in ran
    assert not {"transformers", "transformer_lens", "huggingface_hub", "matplotlib"} & ran
    checked = _imported("check", IOI)
    assert "torch" in checked
    assert not {"transformers", "transformer_lens"} & checked
    refused = _imported("test", IOI, "--model", "ioi-plantde")
    assert "torch" in refused
    assert not {"transformers", "transformer_lens"} & refused
