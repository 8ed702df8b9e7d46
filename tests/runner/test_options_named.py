"""Messages name an option as the caller has it, from Python too."""

from __future__ import annotations

import re

import pytest

import scrub
from scrub.hypothesis.collect import load
from support.command import SUMS
from support.paths import ROOT

SOURCES = sorted((ROOT / "scrub").rglob("*.py"))
COMMANDS = [
    *(ROOT / "scrub" / "cli").rglob("*.py"),
    *(ROOT / "scrub" / "matrix").rglob("*.py"),
    *(ROOT / "scrub" / "pytest_plugin").rglob("*.py"),
    ROOT / "scrub" / "report" / "figures.py",
    ROOT / "scrub" / "report" / "html_report.py",
    ROOT / "scrub" / "report" / "junit.py",
    ROOT / "scrub" / "runner" / "kept.py",
    ROOT / "scrub" / "runner" / "outputs.py",
    ROOT / "scrub" / "runner" / "partial_results.py",
    ROOT / "scrub" / "sweeps" / "save.py",
]
"""Only the command line gets there."""
TABLES = [ROOT / "scrub" / "searches" / f"{name}.py" for name in ("acdc", "attribution", "pruning")]
"""They say what the options of settings are called, which messages put beside the argument."""


def test_too_little_memory_and_no_model_are_said_to_python_callers() -> None:
    sums = load(ROOT / SUMS)
    with pytest.raises(
        scrub.UserError, match=r"max_memory= \(--max-memory on the command line\) of 10 "
    ):
        scrub.run(sums.by_hand, max_memory=10)
    unsaid = scrub.Claim("unsaid", lambda model: model, sums.DATA, sums.by_hand.metric)
    with pytest.raises(scrub.UserError, match=r"or give model= \(--model on the command line\)\."):
        scrub.run(unsaid)


def test_no_message_names_a_flag_alone() -> None:
    for file in SOURCES:
        text = re.sub(r'"""[\s\S]*?"""|#.*', "", file.read_text(encoding="utf-8"))
        alone = re.findall(r"(?<!\()--[a-z][a-z-]+", text)
        assert not alone or file in (*COMMANDS, *TABLES), file
