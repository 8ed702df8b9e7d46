"""One sample of a claim: where heads look in the scrub and what is answered, by hooked forwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from attrs import evolve
from torch import Tensor

from scrub import (
    Correspondence,
    Exact,
    InterpNode,
    Paired,
    Zero,
    anything,
    claim,
    heads,
    mlps,
    none,
    output,
)
from scrub.data.dataset import Dataset
from scrub.draw import draw
from scrub.hypothesis.collect import Collected
from scrub.metrics import logit_diff
from scrub.model.bridge import graph_of
from scrub.model.registry import Model
from scrub.observations import example as module
from scrub.observations.example import Example, Look, example
from scrub.runner.options import Options
from scrub.runner.prepare import prepare
from scrub.runner.session import Session
from support import tiny_models

NAME, ROWS, WIDTH, END = "2x2", 3, 3, 2
CLOSE = 1e-5
LATE = (1, 0)
"""A head that may hear of what is put in below it."""


def rows(seed: int, name: str) -> Dataset:
    tokens = np.random.default_rng(seed).integers(0, tiny_models.VOCABULARY, (ROWS, WIDTH))
    return Dataset(
        name,
        inputs={"tokens": tokens},
        lengths=np.full(ROWS, WIDTH),
        positions={"end": np.full(ROWS, END)},
        labels={"right": np.array([1, 4, 2]), "wrong": np.array([5, 3, 8])},
    )


CLEAN, CORRUPTED, THIRD = rows(0, "clean"), rows(1, "corrupted"), rows(2, "third")


def seen(build: Callable[[Any], Correspondence], sample: int = 1) -> Example:
    """The sample whose reference is the row of its number."""
    session, options = Session(), Options(samples=ROWS, dtype=torch.float64)
    graph = graph_of(tiny_models.bridge(NAME))
    stated = claim(data=CLEAN, metric=logit_diff("right", "wrong"))(build)
    (prepared,) = prepare([Collected("", stated, graph, Path())], session, options)
    prepared = evolve(prepared, model=Model(NAME, graph, 2, 2, roles={"late": (LATE,)}))
    draws = draw(prepared.tree, prepared.data, samples=ROWS, seed=0, references=range(ROWS))
    return example(prepared, draws, session, options, sample=sample)


def by_title(found: Example, head: tuple[int, int]) -> dict[str, Look]:
    (looking,) = (one for one in found.looking if one.head == head)
    return {look.title: look for look in looking.looks}


def hooked(
    data: Dataset, layer: int, *hooks: tuple[str, Callable[[Tensor, Any], Tensor]]
) -> Tensor:
    """A pattern from END of row 1, [heads, sources], in a forward with hooks."""
    kept: list[Tensor] = []

    def keep(value: Tensor, hook: Any) -> None:
        kept.append(value[1, :, END])

    reading = (f"blocks.{layer}.attn.hook_pattern", keep)
    tokens = torch.tensor(data.inputs["tokens"])
    with torch.no_grad():
        tiny_models.bridge(NAME).run_with_hooks(tokens, fwd_hooks=[*hooks, reading])
    return kept[0]


def put(name: str, donor: Dataset, where: Any) -> tuple[str, Callable[[Tensor, Any], Tensor]]:
    """A hook that puts in what another input has."""
    with torch.no_grad():
        _, cache = tiny_models.bridge(NAME).run_with_cache(torch.tensor(donor.inputs["tokens"]))

    def hook(value: Tensor, hook: Any) -> Tensor:
        value = value.clone()
        value[where] = cache[name][where]
        return value

    return name, hook


Z0 = ("blocks.0.attn.hook_z", (slice(None), END, 1))


def restoring(through: Any) -> Callable[[Any], Correspondence]:
    """Head 0.1 at END, restored in the corrupted run."""

    def build(model: Any) -> Correspondence:
        logits = InterpNode("logits", Exact(), other=Paired(CORRUPTED))
        sites = heads([(0, 1)], at="end", through=through)
        return Correspondence({logits: output(at="end"), logits.child("clean", Exact()): sites})

    return build


def test_a_head_that_paths_pass_hears_of_what_is_put_in() -> None:
    looks = by_title(seen(restoring(anything)), LATE)
    expected = {
        "on the reference": hooked(CLEAN, 1),
        "on the root's other input": hooked(CORRUPTED, 1),
        "in the scrubbed model": hooked(CORRUPTED, 1, put(Z0[0], CLEAN, Z0[1])),
    }
    assert looks.keys() == expected.keys()
    for title, pattern in expected.items():
        np.testing.assert_allclose(looks[title].attention, pattern[LATE[1]], atol=CLOSE)
    shown = [look.attention for look in looks.values()]
    assert np.abs(shown[2] - shown[1]).max() > 0.01, "nothing was heard"


@pytest.mark.parametrize("through", [none, mlps, anything.excluding(heads([LATE]))])
def test_a_head_that_paths_do_not_pass_looks_as_on_the_other_input(through: Any) -> None:
    """It is not drawn a second time."""
    looks = by_title(seen(restoring(through)), LATE)
    assert [*looks] == ["on the reference", "on the root's other input"]


def test_a_head_that_is_put_in_looks_as_where_it_comes_from() -> None:
    """Which is drawn already where that is the reference."""

    def build(model: Any) -> Correspondence:
        logits = InterpNode("logits", Exact(), other=Paired(CORRUPTED))
        late = logits.child("late", Paired(THIRD))
        return Correspondence({logits: output(at="end"), late: heads([LATE], at="end")})

    looks = by_title(seen(build), LATE)
    third = looks["in the scrubbed model"]
    np.testing.assert_allclose(third.attention, hooked(THIRD, 1)[LATE[1]], atol=CLOSE)
    assert third.rows.data is THIRD
    assert len(by_title(seen(restoring(anything)), (0, 1))) == 2


def test_a_pattern_that_is_put_in_is_the_heads() -> None:
    def build(model: Any) -> Correspondence:
        logits = InterpNode("logits", Exact(), other=Exact())
        late = logits.child("late", Exact(), other=Paired(CORRUPTED))
        pattern = late.child("pattern", Paired(THIRD))
        where = heads([LATE], "pattern", at="end")
        sites = {logits: output(at="end"), late: heads([LATE], at="end"), pattern: where}
        return Correspondence(sites)

    found = by_title(seen(build), LATE)["in the scrubbed model"]
    np.testing.assert_allclose(found.attention, hooked(THIRD, 1)[LATE[1]], atol=CLOSE)


def test_a_head_with_children_looks_by_what_reaches_its_query() -> None:
    """Of the head's children those that its pattern does not read are left out."""

    def build(model: Any) -> Correspondence:
        logits = InterpNode("logits", Exact(), other=Exact())
        late = logits.child("late", Exact(), other=Paired(CORRUPTED))
        query, value = late.child("query", Paired(THIRD)), late.child("value", Exact())
        return Correspondence(
            {
                logits: output(at="end"),
                late: heads([LATE], at="end"),
                query: heads([LATE], "q", at="end"),
                value: heads([LATE], "v", at="end"),
            }
        )

    found = by_title(seen(build), LATE)["in the scrubbed model"]
    query = put("blocks.1.attn.hook_q", THIRD, (slice(None), END, LATE[1]))
    np.testing.assert_allclose(found.attention, hooked(CORRUPTED, 1, query)[LATE[1]], atol=CLOSE)
    assert found.rows.data is CORRUPTED


def test_answers_are_the_models_probabilities() -> None:
    found = seen(restoring(anything)).answers
    assert found is not None
    bridge = tiny_models.bridge(NAME)
    with torch.no_grad():
        plain, before = (bridge(torch.tensor(data.inputs["tokens"])) for data in (CLEAN, CORRUPTED))
        tokens = torch.tensor(CORRUPTED.inputs["tokens"])
        after = bridge.run_with_hooks(tokens, fwd_hooks=[put(Z0[0], CLEAN, Z0[1])])
    expected = {"reference": plain, "root's other input": before, "scrubbed": after}
    assert found.runs.keys() == expected.keys()
    for run, logits in expected.items():
        shares = logits[1, END].softmax(-1)[[4, 3]]
        np.testing.assert_allclose(found.runs[run], shares, rtol=1e-4)


def test_inputs_that_were_swapped_are_named_once() -> None:
    def build(model: Any) -> Correspondence:
        logits = InterpNode("logits", Exact(), other=Paired(CORRUPTED))
        late = logits.child("late", Exact(), other=Paired(CORRUPTED))
        low = late.child("low", Paired(THIRD))
        sites = {logits: output(at="end"), late: heads([LATE]), low: heads([(0, 0)], into="q")}
        return Correspondence(sites)

    found = seen(build)
    titles = {one.title: one.rows.data.name for one in found.swapped}
    assert titles == {"logits, other; late, other": "corrupted", "low, own": "third"}


def test_virtual_rows_have_no_picture_of_attention() -> None:
    def build(model: Any) -> Correspondence:
        logits = InterpNode("logits", Exact(), other=Zero())
        sites = heads([(0, 1)], at="end", through=anything)
        return Correspondence({logits: output(at="end"), logits.child("clean", Exact()): sites})

    found = seen(build)
    assert [*by_title(found, LATE)] == ["on the reference"]
    assert found.answers is not None
    assert [*found.answers.runs] == ["reference", "scrubbed"]


# Mutants: each mistake is caught by one of the tests above.


def test_mutants_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right, claiming = module.pattern_tree, module.claiming

    def all_pass(*given: Any, passing: bool) -> Any:
        return right(*given, passing=False)

    monkeypatch.setattr(module, "pattern_tree", all_pass)
    with pytest.raises(AssertionError):
        test_a_head_that_paths_do_not_pass_looks_as_on_the_other_input(none)
    monkeypatch.setattr(module, "pattern_tree", right)
    monkeypatch.setattr(module, "claiming", lambda *given: None)
    with pytest.raises((AssertionError, KeyError)):
        test_a_head_with_children_looks_by_what_reaches_its_query()
    monkeypatch.setattr(module, "claiming", claiming)
    monkeypatch.setattr(module, "NOTICED", 1.1)
    with pytest.raises((AssertionError, KeyError)):
        test_a_head_that_paths_pass_hears_of_what_is_put_in()
