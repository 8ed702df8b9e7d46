"""`--cache DIR`: the same results with it and without, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scrub.engine import activations
from support.bad_input import refused
from support.command import IOI, SUMS, inside
from support.paths import ROOT


def results(file: Path) -> list[dict[str, Any]]:
    found = json.loads(file.read_text(encoding="utf-8"))["results"]
    return [{k: v for k, v in one.items() if k not in ("seconds", "memory")} for one in found]


def test_the_same_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: to the bit; and the second command runs no plain model."""
    folder, claim = tmp_path / "values", f"{IOI}::by_position"
    passes: list[int] = []
    forward = activations.forward

    def counted(*given: Any) -> Any:
        passes.append(1)
        return forward(*given)

    monkeypatch.setattr(activations, "forward", counted)
    counts = []
    for number, cache in enumerate([(), ("--cache", folder), ("--cache", folder)]):
        file = tmp_path / f"{number}.json"
        done = inside("test", claim, "--samples", "30", "--json", file, *cache)
        assert (done.code, done.err) == (0, "")
        counts.append(len(passes))
    assert counts[0] > 0
    assert counts[2] == counts[1] == 2 * counts[0]
    without, first, second = (results(tmp_path / f"{number}.json") for number in range(3))
    assert without == first == second


def test_a_graph_of_functions_keeps_nothing(tmp_path: Path) -> None:
    """Nothing says what its functions compute."""
    done = inside("test", f"{SUMS}::conjunction", "--samples", "20", "--cache", tmp_path / "values")
    assert (done.code, done.err) == (1, "")  # of 20 references
    assert list((tmp_path / "values").iterdir()) == []


def test_bad_input(tmp_path: Path) -> None:
    (tmp_path / "sums.py").write_text((ROOT / SUMS).read_text(encoding="utf-8"))
    (tmp_path / "file").write_text("")
    test = ("test", "sums.py")
    assert refused(tmp_path, *test, "--cache", "file") == (
        "error: --cache file: this is a file. Name a folder.\n"
    )
    assert refused(tmp_path, *test, "--cache", "file/below") == (
        "error: --cache file/below: the folder cannot be made: not a directory.\n"
    )
    assert "'--cache': it is empty. Name a folder." in refused(tmp_path, *test, "--cache", "")
    assert refused(tmp_path, *test, "--cache-size", "1GB") == (
        "error: --cache-size is for the files of --cache DIR. Give that too.\n"
    )
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "sums.py"]
    assert "'2 GBs' is not a number of bytes" in refused(tmp_path, *test, "--cache-size", "2 GBs")
