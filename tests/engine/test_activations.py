"""Plain values that are kept: what is let go of for room, and that it changes no number."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

import scrub
from scrub.data.dataset import Dataset, Rows
from scrub.engine.activations import ActivationCache, ActivationStore
from scrub.hypothesis.collect import load
from scrub.model.arithmetic import graph, node, source
from support.command import IOI
from support.paths import ROOT

GRAPH = graph(
    source("x"), node("twice", lambda x: 2 * x, x="x"), node("out", lambda x: x, x="twice")
)


def data(name: str) -> Dataset:
    return Dataset(name, {"x": np.arange(6)}, np.ones(6, dtype=int))


def rows(dataset: Dataset, *index: int) -> Rows:
    return Rows(dataset, np.array(index))


def test_only_what_is_named_stays() -> None:
    cache, first, second = ActivationCache(GRAPH), data("first"), data("second")
    for dataset in (first, second):
        cache.fill(rows(dataset, 1, 2), 1, ["x", "twice"])
    each = cache.store.held() // 4
    cache.store.evict_all_but({id(first)}, {GRAPH.values["twice"]})
    assert cache.store.held() == each
    cache.fill(rows(first, 5, 1), 1, ["x", "twice"])
    for name, factor, which in (("x", 1, (5, 1)), ("twice", 2, (5, 2, 1))):
        found = cache.get(name, rows(first, *which), 1, None, (None,))
        assert found.flatten().tolist() == [factor * row for row in which]


def test_what_was_not_computed_of_a_row_is_not_read() -> None:
    cache, dataset = ActivationCache(GRAPH), data("rows")
    cache.fill(rows(dataset, 1, 2), 1, ["twice"])
    with pytest.raises(AssertionError, match="was not computed"):
        cache.get("twice", rows(dataset, 1, 3), 1, None, (None,))


def test_memory_is_used_again_by_more_rows_and_by_fewer() -> None:
    cache, dataset = ActivationCache(GRAPH), data("rows")
    held = []
    for drawn in ((0, 1, 2), (3,), (4, 5, 0, 1)):
        cache.store.reuse_memory()
        cache.fill(rows(dataset, *drawn), 1, ["twice"])
        found = cache.get("twice", rows(dataset, *drawn), 1, None, (None,))
        assert found.flatten().tolist() == [2 * row for row in drawn]
        held.append(cache.store.held())
    assert held[0] == held[1]
    assert held[2] * 3 == held[0] * 4


@pytest.fixture(scope="module")
def ioi() -> ModuleType:
    return load(ROOT / IOI)


def test_claims_that_take_turns_in_little_memory_have_their_own_numbers(ioi: ModuleType) -> None:
    """In 30 MB two of them fit, and the one between them does not."""
    session, names = scrub.Session(), ("by_value", "whole_circuit", "by_position")
    for claim in (getattr(ioi, name) for name in names):
        found = scrub.run(claim, session=session, samples=150, max_memory=30_000_000)
        alone = scrub.run(claim, samples=150)
        assert np.allclose(found.scores.scrubbed, alone.scores.scrubbed, atol=1e-4)
        assert session.held() < 27_000_000


def test_nulls_share_what_they_have_in_common_where_not_all_fits(
    ioi: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what a null left, the next one's own part stays."""
    options = {"samples": 100, "diagnose": True}
    whole = scrub.run(ioi.by_value, **options).diagnosis
    partly: list[int] = []
    forget = ActivationStore.evict_all_but

    def counted(store: ActivationStore, *arguments: Any) -> None:
        forget(store, *arguments)
        partly.append(store.held())

    monkeypatch.setattr(ActivationStore, "evict_all_but", counted)
    found = scrub.run(ioi.by_value, **options, max_memory=8_000_000).diagnosis
    assert len(partly) > 3
    assert min(partly) > 0
    assert whole is not None
    assert found is not None
    assert whole.nulls is not None
    assert found.nulls is not None
    assert np.allclose(found.nulls.recovered, whole.nulls.recovered, atol=1e-4)
