"""Where the strings of the paren balancer come from, and models that are none."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from scrub.datasets import parens
from scrub.errors import UserError
from scrub.model.arithmetic import graph, source
from scrub.model.registry import describe
from scrub.runner.session import Session
from support.paren_models import random_balancer


def test_a_model_directory_brings_its_strings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(parens.VARIABLE, raising=False)
    directory = random_balancer(tmp_path / "model", strings=["()", "()", "((("])
    digest = hashlib.sha256((directory / "strings.txt.gz").read_bytes()).hexdigest()
    data = parens.strings(describe(directory))
    assert data.name == f"3 strings of {directory}/strings.txt.gz, sha256 {digest[:16]}"
    assert [data.text(i) for i in range(3)] == ["START () END", "START () END", "START ((( END"]


def test_a_variable_names_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("(\n())\n")
    monkeypatch.setenv(parens.VARIABLE, str(mine))
    data = parens.strings(describe(random_balancer(tmp_path / "model", strings=["()"])))
    assert data.text(1) == "START ()) END"
    assert data.name.startswith(f"2 strings of {mine}, sha256 ")


def test_otherwise_strings_are_generated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(parens.VARIABLE, raising=False)
    model = describe(random_balancer(tmp_path))
    data = parens.strings(model)
    assert data.name.startswith("100,000 generated strings, seed 0, sha256 ")
    assert data.width == 42
    assert data.sha256 == parens.strings(model).sha256


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read as strings of parentheses"),
        ("", "holds no strings"),
        ("()\n(x)\n", r'holds "\(x\)". Write one string of 1 to 40'),
        ("(" * 41, r'holds "\({41}"'),
    ],
)
def test_a_file_that_is_no_list_of_strings(
    content: str | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "strings.txt"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv(parens.VARIABLE, str(file))
    with pytest.raises(UserError, match=message):
        parens.strings(describe(random_balancer(tmp_path / "model")))


def test_a_compressed_file_that_is_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(parens.VARIABLE, raising=False)
    directory = random_balancer(tmp_path, strings=["()"] * 100)
    whole = (directory / "strings.txt.gz").read_bytes()
    (directory / "strings.txt.gz").write_bytes(whole[:-4])
    with pytest.raises(UserError, match="cannot be read as strings of parentheses"):
        parens.strings(describe(directory))


def test_models_that_are_no_paren_balancers() -> None:
    with pytest.raises(UserError, match='Model "graph" is no paren balancer'):
        parens.phi(describe(graph(source("a"))))
    with pytest.raises(UserError, match='Model "ioi-shortcut" is no paren balancer'):
        parens.phi(describe("ioi-shortcut"))


def test_claims_of_one_session_share_one_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(parens.VARIABLE, raising=False)
    session = Session()
    first, second = (
        session.describe(str(random_balancer(tmp_path / name, strings=["()"]))) for name in "ab"
    )
    made = session.data(parens.strings, first)
    assert session.data(parens.strings, first) is made
    assert session.data(parens.strings, second) is not made
