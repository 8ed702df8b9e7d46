"""What type checkers and editors see: keywords that are written out, wrong ones refused."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable
from typing import Any, Never, Unpack, get_origin, get_type_hints

import pytest
from attrs import fields

import scrub
from scrub import metrics, observe, samplers
from scrub.runner.options import Options, RunOptions
from scrub.searches import keywords
from scrub.searches.asked import ABLATE
from scrub.searches.methods import METHODS
from support.paths import ROOT


def test_pyright_reads_the_file_of_wrong_keywords() -> None:
    """It refuses each line that is marked there and no other; README's test command runs it."""
    file = "tests/architecture/_wrong_keywords.py"
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert file in settings["tool"]["pyright"]["include"]
    text = (ROOT / file).read_text(encoding="utf-8")
    assert "\n# pyright: reportUnnecessaryTypeIgnoreComment=error\n" in text
    assert text.count("  # pyright: ignore[") > 20
    assert " && pyright && pytest" in (ROOT / "README.md").read_text(encoding="utf-8")


# Nothing passes keywords on that it does not name

OPEN = {"Dataset.with_columns", "Input.but", "neurons", "projection"}
"""Public callables whose keywords are names that a user chooses: of columns, inputs, summands."""


def callables() -> list[tuple[str, Callable[..., Any]]]:
    """Public functions and classes that are no protocols, and the public methods of these."""
    found: dict[str, Callable[..., Any]] = {}
    for module in (scrub, metrics, observe, samplers):
        listed = getattr(module, "__all__", None) or [n for n in vars(module) if n[0] != "_"]
        for name in listed:
            value = getattr(module, name)
            if inspect.isfunction(value) or inspect.isclass(value):
                found[name] = value
            if inspect.isclass(value):
                methods = inspect.getmembers(value, inspect.isroutine)
                found |= {f"{name}.{method}": of for method, of in methods if method[0] != "_"}
    return [(name, value) for name, value in found.items() if ours(value)]


def ours(value: Callable[..., Any]) -> bool:
    if getattr(value, "_is_protocol", False):
        return False
    return str(getattr(value, "__module__", "")).startswith("scrub")


def loose(function: Callable[..., Any]) -> bool:
    """Whether it takes keywords that a type checker cannot tell."""
    more = [p for p in inspect.signature(function).parameters.values() if p.kind is p.VAR_KEYWORD]
    if not more:
        return False
    where = function.__init__ if inspect.isclass(function) else function  # type: ignore[misc]
    kind = get_type_hints(where).get(more[0].name)
    return kind is not Never and get_origin(kind) is not Unpack


def test_every_keyword_is_named() -> None:
    named = callables()
    assert len(named) > 100
    assert {name for name, value in named if loose(value)} == OPEN


def test_what_passes_keywords_on_is_found() -> None:
    def passing(**options: Any) -> None: ...
    def named(**options: Unpack[RunOptions]) -> None: ...
    def none(**wrong: Never) -> None: ...

    assert [loose(f) for f in (passing, named, none)] == [True, False, False]


def test_the_keywords_of_runs_and_searches_are_those_that_are_taken() -> None:
    of_run = {attribute.name for attribute in fields(Options)}
    assert RunOptions.__annotations__.keys() == of_run
    typed = {
        "pruning": keywords.PruningOptions,
        "acdc": keywords.AcdcOptions,
        "attribution": keywords.AttributionOptions,
    }
    assert typed.keys() == METHODS.keys()
    written_out = {"senders", "at", "steps"}
    every: set[str] = set()
    for name, options in typed.items():
        mine = options.__annotations__.keys() - of_run
        assert mine == {*METHODS[name].keywords, ABLATE} - written_out - of_run
        every |= mine
    assert keywords.SearchOptions.__annotations__.keys() - of_run == every


def test_the_datasets_that_type_checkers_see_are_those_that_there_are() -> None:
    text = (ROOT / "scrub" / "datasets" / "__init__.pyi").read_text(encoding="utf-8")
    names = sorted(path.stem for path in (ROOT / "datasets").glob("*.py"))
    lines = [f"from ...datasets import {name} as {name}" for name in names]
    assert text.splitlines()[5:] == lines


def test_help_shows_the_options_with_their_defaults() -> None:
    usual = {attribute.name: attribute.default for attribute in fields(Options)}
    for function in (scrub.run, scrub.patch, scrub.circuit_scores, observe.attention):
        shown = inspect.signature(function).parameters
        assert {name: shown[name].default for name in usual} == usual
    assert "model" not in inspect.signature(scrub.edit_report).parameters
    assert "keeps" in inspect.signature(scrub.find).parameters


def test_an_option_that_there_is_not_is_still_refused_in_a_sentence() -> None:
    with pytest.raises(scrub.UserError, match=r'no option "memory"\. The nearest is "max_memory"'):
        observe.tokens("parens", memory=1)  # type: ignore[call-arg]
