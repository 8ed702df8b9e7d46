"""What a notebook shows of values: fragments that are whole, and reprs of one line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import numpy as np
import pytest
import torch

import scrub
from scrub import UserError, metrics, observe, samplers
from scrub.datasets import ioi
from scrub.errors import Problem, cell_name, in_line
from scrub.hypothesis.collect import load
from scrub.printing import LINE, brief, html_of, in_brief, one_line
from scrub.results.several import Results
from support.command import IOI
from support.paths import ROOT
from support.web_page import read

SAMPLES = 20
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    """One of each kind that scrub returns or takes, of a small model."""
    claims = load(ROOT / IOI)
    session = scrub.Session()
    one = claims.by_position
    behaviour = ioi.behaviour(SAMPLES, model="ioi-planted")
    options: dict[str, Any] = {"samples": SAMPLES, "session": session, "model": "ioi-planted"}
    results = scrub.run_all([one, claims.by_value], diagnose=False, **options)
    first = results[0]
    assert isinstance(first, scrub.Result)
    circuit = scrub.circuit_of(one, model="ioi-planted")
    model = session.describe("ioi-planted")
    return {
        "claim": one,
        "behaviour": behaviour,
        "results": results,
        "result": first,
        "explanation": scrub.explain(one, **options),
        "comparison": scrub.compare(first, first),
        "paths": scrub.paths(one, **options),
        "plan": scrub.plan(one, **options),
        "swaps": scrub.show(one, row=1, **options),
        "checked": scrub.check(one, **options),
        "sweep": scrub.patch(behaviour, **options),
        "search": scrub.find(behaviour, steps=1, **options),
        "observation": observe.attention(behaviour, session=session),
        "patterns": observe.patterns(behaviour, of="3.0", session=session),
        "circuit": circuit,
        "model": model,
        "edited": scrub.edited("ioi-planted", scrub.zero(scrub.heads([(3, 0)]))),
        "in memory": scrub.Model(tiny_gpt2(), roles={"some": [(0, 0)]}, name="mine"),
        "correspondence": one.build(model),
        "data": first.draws.references.data,
        "recipe": ioi.prompts(SAMPLES),
        "session": session,
        "task": ioi.TASK,
        "metric": metrics.logit_diff("io", "s"),
        "sites": scrub.heads([(9, 9), (9, 6)], at="end", into="q"),
        "expectation": scrub.supported(above=0.5),
        "sampler": samplers.Agree("io"),
    }


def tiny_gpt2() -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(vocab_size=11, n_positions=8, n_embd=8, n_layer=1, n_head=2))


NOT_SHOWN = {"metric", "sites", "expectation", "sampler"}
"""Parts of a claim, which a notebook shows by their reprs."""


def test_each_value_shows_itself_as_a_whole_fragment(values: dict[str, Any]) -> None:
    for name, value in values.items():
        if name in NOT_SHOWN:
            continue
        page = read(value._repr_html_())
        assert page.problems == [], name
        tags = [element.tag for element in page.elements]
        assert not {"script", "iframe", "link", "img"} & {*tags}, name
        assert page.elements[1].classes == ["scrub"], name


def test_a_result_says_what_it_rests_on(values: dict[str, Any]) -> None:
    shown = values["result"]._repr_html_()
    for said in ("by_position", "≥ 0.7", "ioi-planted", "1,000 ioi prompts", "S-inhibition"):
        assert said in shown
    assert values["result"].verdict in shown
    several = values["results"]._repr_html_()
    assert "Verdicts use 97.5% intervals, so that both hold together at 95%" in several
    assert several.count('<details class="part"><summary>by_') == 2


def test_names_are_text_wherever_they_are_shown(values: dict[str, Any]) -> None:
    claim = attrs.evolve(values["claim"], name=HOSTILE.replace("/", ""), belief=HOSTILE)
    result = attrs.evolve(values["result"], claim=claim)
    for value in (claim, result, Results([result])):
        assert "<img" not in value._repr_html_()
        assert "&lt;img" in value._repr_html_()


def test_a_value_of_no_kind_is_its_repr() -> None:
    assert "&lt;object object" in html_of(object())


def test_a_correspondence_that_is_no_tree_is_shown_all_the_same() -> None:
    roots = {scrub.InterpNode(name, scrub.Exact()): scrub.output() for name in "ab"}
    nothing: Any = {scrub.InterpNode("a", scrub.Exact()): None}
    for sites in (roots, nothing, {}):
        assert "scrub" in scrub.Correspondence(sites)._repr_html_()


# Reprs

DEEP = 3
"""Attributes of attributes that are looked at."""
HASHED = {"Route", "Cell", "Placed"}
"""Values whose reprs are hashed, so that all of them must stand there."""


def held(value: Any, depth: int = DEEP) -> Iterator[Any]:
    """A value of scrub, and those that its public attributes hold."""
    if isinstance(value, list | tuple | dict):
        inner = list(value.values() if isinstance(value, dict) else value)[:3]
        for one in inner:
            yield from held(one, depth)
    elif type(value).__module__.startswith("scrub.") and attrs.has(type(value)):
        yield value
        for field in attrs.fields(type(value)) if depth else ():
            if not field.name.startswith("_"):
                yield from held(getattr(value, field.name), depth - 1)


def wrong(values: Any) -> set[str]:
    """The types of values whose reprs are long, or of several lines."""
    return {
        type(value).__name__
        for value in held(values)
        if len(repr(value)) > LINE or "\n" in repr(value)
    } - HASHED


def test_reprs_are_one_line(values: dict[str, Any]) -> None:
    public = {name: values[name] for name in values if name not in ("search", "session", "model")}
    assert wrong({name: [value] for name, value in public.items()}) == set()
    for name in ("search", "session", "model"):
        assert len(repr(values[name])) <= LINE


def test_a_long_repr_is_found() -> None:
    @attrs.frozen
    class Long:
        numbers: Any = tuple(range(100))

    Long.__module__ = "scrub.mutant"
    assert wrong([Long()]) == {"Long"}


def test_a_brief_repr_tells_arrays_by_shape_and_cuts_what_is_long() -> None:
    @attrs.frozen
    class Some:
        array: Any
        tensor: Any
        share: float
        _hidden: int = 0

    said = brief(Some(np.zeros((2, 3)), torch.zeros(4), 1 / 3))
    assert said == "Some(array=float64 [2, 3], tensor=torch.float32 [4], share=0.333333)"
    assert len(in_brief("Name", "x" * 300)) == LINE
    assert one_line("Name(a\nb\x1b)") == "Name(a b\\x1b)"


# Errors


def test_a_mistake_is_its_sentences_without_a_traceback() -> None:
    error = UserError("This is wrong.", Problem("So is that.", claim="mine"))
    assert error._render_traceback_() == [
        "UserError: This is wrong.",
        "UserError: mine: So is that.",
    ]


def test_code_of_a_cell_is_called_by_the_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """As IPython calls it, whose compiler knows which file is which cell's."""
    file = str(Path("/tmp/ipykernel_1/123.py"))
    names = {file: ("Cell", "In[3]")}
    compile_ = SimpleNamespace(format_code_name=names.get)
    shell = SimpleNamespace(compile=compile_)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(compile("def fails():\n    return 1 / 0", file, "exec"), scope)
    with pytest.raises(ZeroDivisionError) as caught:
        scope["fails"]()
    assert in_line(caught.value, file) == " in line 2 of cell In[3]"
    assert cell_name("mine.py") == ""
