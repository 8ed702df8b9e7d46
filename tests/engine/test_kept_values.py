"""Plain values on disk: the same bits, nothing of another's, and what happens to the folder."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from attrs import evolve
from torch import Tensor

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub.data.dataset import Dataset, Rows
from scrub.engine import activations, kept_values
from scrub.engine.activations import ActivationCache
from scrub.engine.kept_values import HALF, LEFT, SUFFIX, KeptValues, ValueFolder
from scrub.model.bridge import graph_of
from scrub.model.graph import Graph
from support.random_data import random_dataset
from support.tiny_models import bridge

PLENTY = 10**9


@pytest.fixture(scope="module")
def graph() -> Graph:
    return graph_of(bridge("2x2"))


@pytest.fixture(scope="module")
def data() -> Dataset:
    return random_dataset(np.random.default_rng(0), "rows")


def stored_names(graph: Graph) -> list[str]:
    return [name for name, site in graph.sites.items() if site.stored and site.positions]


def kept(folder: Path, graph: Graph, budget: int = PLENTY, model: str = "m") -> KeptValues:
    said: list[str] = []
    return KeptValues(ValueFolder(folder, budget, said.append), model, graph)


def said_by(one: KeptValues) -> list[str]:
    return one.folder.says.__self__  # type: ignore[attr-defined]  # the list's append


def filled(
    graph: Graph, data: Dataset, index: list[int], one: KeptValues | None, width: int | None = None
) -> dict[str, Tensor]:
    """The stored sites of some rows, as a session of its own finds them."""
    cache, rows = ActivationCache(graph, kept=one), Rows(data, np.array(index))
    names, wide = stored_names(graph), width or data.width
    cache.fill(rows, wide, names)
    table = cache.store.table(data, wide)
    buffers = {name: table.buffers[graph.values[name]] for name in names}
    return {name: buffer.values[buffer.at(rows.index)] for name, buffer in buffers.items()}


def differences(first: dict[str, Tensor], second: dict[str, Tensor]) -> float:
    return max(float((first[n].double() - second[n].double()).abs().max()) for n in first)


def computing(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each forward pass takes from now on."""
    passes: list[int] = []
    forward = activations.forward

    def counted(graph: Any, inputs: Any, *more: Any) -> Any:
        passes.append(len(inputs.at))
        return forward(graph, inputs, *more)

    monkeypatch.setattr(activations, "forward", counted)
    return passes


def test_the_same_bits_and_nothing_computed(
    graph: Graph, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = list(range(len(data)))
    without, first = (
        filled(graph, data, index, None),
        filled(graph, data, index, kept(tmp_path, graph)),
    )

    def forward(*given: Any) -> Any:
        raise AssertionError("all of it is on disk")

    monkeypatch.setattr(activations, "forward", forward)
    again = filled(graph, data, index, kept(tmp_path, graph))
    for name, value in without.items():
        assert torch.equal(value, first[name])
        assert torch.equal(value, again[name])


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), min_size=2, max_size=4))
@settings(deadline=None, max_examples=10)
def test_other_rows_start_from_those_that_are_there(asked: list[list[int]]) -> None:
    """Law: in whatever order rows are asked for, values differ by rounding at most."""
    import tempfile

    graph, data = graph_of(bridge("2x2")), random_dataset(np.random.default_rng(0), "rows")
    with tempfile.TemporaryDirectory() as folder:
        for index in asked:
            one = kept(Path(folder), graph)
            found = filled(graph, data, index, one)
            assert differences(found, filled(graph, data, index, None)) <= 1e-9
            assert said_by(one) == []


def other_data(data: Dataset) -> Dataset:
    tokens = data.inputs["tokens"].copy()
    tokens[0, 0] += 1
    return evolve(data, inputs={**data.inputs, "tokens": tokens})


def only_its_own(graph: Graph, data: Dataset, folder: Path) -> None:
    """Other weights, data, lengths, widths and dtypes find nothing."""
    index = [0, 1, 2]
    filled(graph, data, index, kept(folder, graph))
    count = len(list(folder.iterdir()))
    assert count == len(stored_names(graph))
    longer = evolve(data, lengths=np.minimum(data.lengths + 1, data.width))
    changed = [
        ("m", other_data(data), data.width),
        ("m", longer, data.width),
        ("other weights", data, data.width),
        ("m", data, data.width - 1),
    ]
    for number, (model, table, width) in enumerate(changed, start=2):
        found = filled(graph, table, index, kept(folder, graph, model=model), width)
        assert differences(found, filled(graph, table, index, None, width)) == 0
        assert len(list(folder.iterdir())) == number * count


def test_each_finds_only_its_own(graph: Graph, data: Dataset, tmp_path: Path) -> None:
    only_its_own(graph, data, tmp_path)


@pytest.mark.parametrize("mutant", ["_read_of", "_digest"])
def test_keys_that_leave_something_out_are_caught(
    graph: Graph, data: Dataset, tmp_path: Path, mutant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_values, mutant, lambda *given: "a" * 40)
    with pytest.raises((AssertionError, RuntimeError)):
        only_its_own(graph, data, tmp_path)


def test_other_dtypes_have_other_names(graph: Graph, data: Dataset, tmp_path: Path) -> None:
    single = evolve(graph, dtype=torch.float32)
    keys = {kept(tmp_path, one)._key(data, 5, "embed") for one in (graph, single)}
    assert len(keys) == 2


def flipped(file: Path) -> None:
    raw = bytearray(file.read_bytes())
    raw[-3] ^= 1
    file.write_bytes(raw)


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-9])


def emptied(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("damage", [flipped, cut_short, emptied])
def test_damaged_files_are_made_anew_with_one_warning(
    graph: Graph, data: Dataset, tmp_path: Path, damage: Any
) -> None:
    whole = filled(graph, data, [0, 1], kept(tmp_path, graph))
    for file in list(tmp_path.iterdir()):
        damage(file)
    one = kept(tmp_path, graph)
    assert differences(filled(graph, data, [0, 1], one), whole) == 0
    (warning,) = said_by(one)
    assert "is damaged. Its values are computed again." in warning
    healed = kept(tmp_path, graph)
    assert differences(filled(graph, data, [0, 1], healed), whole) == 0
    assert said_by(healed) == []


def test_what_was_used_longest_ago_makes_room(tmp_path: Path) -> None:
    values, rows = torch.ones(100, 10), np.arange(100)
    folder = ValueFolder(tmp_path, 3 * 6_000, print)
    for number, key in enumerate("abc"):
        folder.write(key, rows, values)
        (file,) = tmp_path.glob(f"{key}.*")
        os.utime(file, (number, number))
    assert [len(rows) for rows, _ in folder.read("a", rows)] == [100]  # now it was used last
    folder.write("d", rows, values)
    assert sorted(file.name[0] for file in tmp_path.iterdir()) == ["a", "c", "d"]
    folder.write("e", rows, torch.ones(100, 1000))
    assert sorted(file.name[0] for file in tmp_path.iterdir()) == ["a", "c", "d"]


def test_what_killed_commands_left_goes(tmp_path: Path) -> None:
    old, new = tmp_path / f"old{HALF}", tmp_path / f"new{HALF}"
    for file in (old, new):
        file.write_bytes(b"half of it")
    os.utime(old, (time.time() - 2 * LEFT,) * 2)
    (tmp_path / "notes.txt").write_text("the user's")
    ValueFolder(tmp_path, 1, print).write("a", np.arange(1), torch.ones(1, 0))
    assert {file.name for file in tmp_path.iterdir()} >= {new.name, "notes.txt"}
    assert not old.exists()


def test_many_write_and_read_at_once(tmp_path: Path) -> None:
    """Nobody sees half a file, and none is left."""
    said: list[str] = []
    rows = np.arange(50)

    def work(number: int) -> None:
        folder = ValueFolder(tmp_path, 40_000, said.append)
        for turn in range(12):
            key = f"k{(number + turn) % 4}"
            folder.write(key, rows, torch.full((50, 20), float(key[1])))
            for found, values in folder.read(key, rows[::2]):
                assert len(found) == 25
                assert (values == float(key[1])).all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert said == []
    assert {file.suffix for file in tmp_path.iterdir()} == {SUFFIX}


def test_a_folder_that_goes_away_costs_one_warning(tmp_path: Path) -> None:
    said: list[str] = []
    folder = ValueFolder(tmp_path / "gone", PLENTY, said.append)
    for key in "ab":
        folder.write(key, np.arange(2), torch.ones(2, 2))
    (warning,) = said
    assert "values cannot be kept in" in warning
