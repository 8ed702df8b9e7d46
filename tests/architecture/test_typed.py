"""What type checkers and editors see: keywords that are written out, wrong ones refused."""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
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

WRONG = """
import scrub
from scrub import Correspondence, Exact, InterpNode, claim, heads, mlp, observe, output, site
from scrub.datasets import ioi
from scrub.datasets import ioj  # refused
from scrub.metrics import logit_diff

heads([(9, 9)], at="end", into="q", through="mlps")
heads(["9.9", "10.0"], "q")
heads([(9, 9)], att="end")  # refused
heads([(9, 9)], through="mlp")  # refused
heads([9.9])  # refused
mlp(1, 2, at=["end", 3], through=scrub.anything)
mlp(1, position="end")  # refused
output(to="end")  # refused
site("embed", at=1.5)  # refused
Exact("io")  # refused

@claim(data=ioi.prompts(100), metric=logit_diff("io", "s"), expected=None)  # refused
def wrong(model):
    return Correspondence({InterpNode("logits", Exact()): output()})

@claim(data=ioi.prompts(100), metric=logit_diff("io", "s"))
def right(model):
    return Correspondence({InterpNode("logits", Exact()): output()})

ioi.promts(100)  # refused
result = scrub.run(right, samples=10, max_memory="1GB", dtype="float64", diagnose=False)
scrub.run(right, sample=10)  # refused
scrub.run(right, memory="1GB")  # refused
scrub.run([right], diagnosed=True)  # refused
scrub.explain(right, row=1)  # refused
scrub.paths(right, seeds=1)  # refused
behaviour = ioi.behaviour(100)
scrub.patch(behaviour, to="name mover.q@end", senders=["9.9"], through="anything", at="each")
scrub.patch(behaviour, sender="heads")  # refused
scrub.patch(behaviour, approximate="integrate")  # refused
scrub.find(behaviour, keep="9.9", smallest=0.05, samples=100).links
scrub.find(behaviour, by="pruning", keeps=0.9, order="least", ablate="mean")
scrub.find(behaviour, by="pruning", threshold=0.1)  # refused
scrub.find(behaviour, by="prune")  # refused
scrub.edit_report("gpt2", "gpt2", [], model="gpt2")  # refused
observe.attention(behaviour, of="9.9", seed=1)
observe.attention(behaviour, head="9.9")  # refused
observe.ov("gpt2", of="9.9", model="gpt2")  # refused
"""


def test_wrong_keywords_are_refused_by_pyright(tmp_path: Path) -> None:
    """As an editor shows them: one file, which sees scrub as an installed package's user does."""
    pyright = shutil.which("pyright", path=str(Path(sys.executable).parent)) or shutil.which(
        "pyright"
    )
    if pyright is None:
        pytest.skip("pyright is not installed")
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    settings = {"extraPaths": [str(ROOT)], "typeCheckingMode": "standard", "pythonVersion": "3.11"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    command = [pyright, "--outputjson", "--pythonpath", sys.executable, "-p", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if not done.stdout.startswith("{"):
        pytest.skip(f"pyright cannot be run here: {done.stderr[:200]}")
    found = json.loads(done.stdout)["generalDiagnostics"]
    refused = {one["range"]["start"]["line"]: one["message"] for one in found}
    lines = WRONG.splitlines()
    marked = {number for number, line in enumerate(lines) if line.endswith("# refused")}
    assert {lines[n] for n in refused.keys() ^ marked} == set(), refused


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
