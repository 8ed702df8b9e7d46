"""A matrix says what `scrub test` says, whatever the number of shards, and from records alone."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import scrub
from scrub.hypothesis.collect import collect
from scrub.matrix import compute
from scrub.matrix.compute import Bench, run_cell
from scrub.matrix.folder import save_plan
from scrub.matrix.matrix import Matrix, read_matrix
from scrub.matrix.record import read_record
from scrub.matrix.run import fill
from scrub.results.inapplicable import Inapplicable
from scrub.results.result import Result
from scrub.runner.planned import Planned
from scrub.stats.scores import Scores
from support.command import IOI
from support.matrices import Here, cells_of, claims_file, contents
from support.paths import ROOT


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return claims_file(tmp_path_factory.mktemp("claims"))


def matrix(file: Path | str, folder: Path, **how: int) -> Matrix:
    fill(cells_of(file, **how), folder, Here())
    return read_matrix(folder)


def same(one: Scores, other: Scores, within: float) -> bool:
    return one.columns.keys() == other.columns.keys() and all(
        np.allclose(numbers, other.columns[name], rtol=0, atol=within)
        for name, numbers in one.columns.items()
    )


def check_as_tested(
    found: Matrix, results: list[Result | Inapplicable], within: float = 1e-9
) -> None:
    """The matrix of one seed says what a run of the same claims does."""
    for entry, result in zip(found.entries, results, strict=True):
        assert entry.cell.claim == result.claim.name
        if isinstance(result, Inapplicable):
            assert (entry.status, entry.note) == ("not applicable", result.reason)
            continue
        one = entry.result
        assert one is not None
        assert same(one.scores, result.scores, within)
        assert (one.judgement.verdict, one.judgement.passed, one.judgement.vacuous) == (
            result.judgement.verdict,
            result.judgement.passed,
            result.judgement.vacuous,
        )
        judged_by = result.corrected or result.figure
        assert one.corrected.confidence == judged_by.confidence
        for ours, theirs in ((one.figure, result.figure), (one.corrected, judged_by)):
            assert ours.mean == pytest.approx(theirs.mean, abs=within)
            assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=within)
        loose = result.with_any_input
        assert (one.any_input is None) == (loose is None)
        if one.any_input is not None and loose is not None:
            assert one.any_input.mean == pytest.approx(loose.mean, abs=within)


@pytest.mark.parametrize("shards", [1, 3])
def test_shards_change_no_draw_and_no_number(file: Path, tmp_path: Path, shards: int) -> None:
    results = scrub.run([item.claim for item in collect([str(file)])], samples=200)
    found = matrix(file, tmp_path / "out", shards=shards)
    verdicts = {result.claim.name: result.judgement.verdict for result in results}
    assert {"supported", "refuted", "vacuous", "not applicable"} <= set(verdicts.values())
    assert verdicts["same_values"] == verdicts["any_will_do"] == "vacuous"
    check_as_tested(found, results)


def test_the_law_can_fail(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With shards that each draw as if they were the first."""

    def drawn_anew(planned: Planned, samples: tuple[int, int], context: object) -> object:
        return right(planned, (0, samples[1] - samples[0]), context)  # type: ignore[arg-type]

    right = compute.scores_of_range
    monkeypatch.setattr(compute, "scores_of_range", drawn_anew)
    results = scrub.run([item.claim for item in collect([f"{file}::only_x"])], samples=200)
    found = matrix(f"{file}::only_x", tmp_path / "out", shards=3)
    with pytest.raises(AssertionError):
        check_as_tested(found, results)


def test_shards_on_a_transformer(tmp_path: Path) -> None:
    target = f"{ROOT / IOI}::by_position"
    results = scrub.run([item.claim for item in collect([target])], samples=60)
    found = matrix(target, tmp_path / "out", samples=60, shards=4)
    check_as_tested(found, results, within=1e-4)
    assert found.frame["verdict"].tolist() == ["supported"]


def test_precision(file: Path, tmp_path: Path) -> None:
    target = f"{file}::anything_goes"
    cells = cells_of(target, samples=1600, precision=0.2)  # type: ignore[arg-type]
    fill(cells, tmp_path, Here())
    results = scrub.run([item.claim for item in collect([target])], samples=1600, precision=0.2)
    assert results[0].samples < 1600
    check_as_tested(read_matrix(tmp_path), results)


def test_a_record_does_not_depend_on_what_its_worker_did_before(file: Path, tmp_path: Path) -> None:
    few = {"conjunction", "only_x", "effect"}
    cells = [cell for cell in cells_of(file, shards=2) if cell.claim in few]
    fill(cells, tmp_path / "one", Here())
    save_plan(tmp_path / "other", cells)
    for cell in reversed(cells):
        run_cell(cell, tmp_path / "other", Bench())
    assert contents(tmp_path / "one") == contents(tmp_path / "other")
    assert len(contents(tmp_path / "one")) == 2 * len(cells)


def test_what_is_recorded_comes_back(file: Path, tmp_path: Path) -> None:
    cells = cells_of(f"{file}::conjunction")
    fill(cells, tmp_path, Here())
    record = read_record(tmp_path, cells[0])
    assert record is not None
    assert list(record.others) == ["squared"]
    assert record.expect is not None
    assert (record.expect.verdict, record.expect.low) == ("supported", 0.9)
    numbers = tmp_path / "cells" / f"{cells[0].key}.safetensors"
    numbers.write_bytes(numbers.read_bytes()[:-1] + b"\1")
    assert read_record(tmp_path, cells[0]) is None  # it is not what was written


def test_the_frame_and_how_it_scatters(file: Path, tmp_path: Path) -> None:
    few = {"conjunction", "only_x", "elsewhere"}
    cells = cells_of(file, seeds=(0, 1, 2), samples=100)
    fill([cell for cell in cells if cell.claim in few], tmp_path, Here())
    found = read_matrix(tmp_path)
    frame = found.frame
    assert len(frame) == 3 * 3
    only = frame[frame["claim"] == "only_x"]
    table = found.heterogeneity.set_index("claim")
    row = table.loc["only_x"]
    assert row["between_seeds"] == pytest.approx(only["mean"].std())
    assert row["within_seed"] == pytest.approx(math.sqrt((only["error"] ** 2).mean()))
    assert row["df_seeds"] == 2
    assert row["holds"] == (only["verdict"].nunique() == 1)
    assert table.loc["conjunction", "holds"]
    assert table.loc["elsewhere", "holds"] is None
    assert table.loc["elsewhere", "not applicable"] == 3
    assert found.plot().axes[0].get_xlabel() == "model"
    assert "Matrix(3 claims" in repr(found)
