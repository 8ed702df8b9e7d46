"""The shared folder: what resumes, what is refused, and what a half-written one is taken for."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from scrub.errors import UserError
from scrub.matrix import compute
from scrub.matrix.compute import run_cell
from scrub.matrix.folder import locked, plan_of, read_plan, save_plan
from scrub.matrix.matrix import read_matrix
from scrub.matrix.run import fill
from support.matrices import Here, cells_of, claims_file, contents


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return claims_file(tmp_path / "claims")


def refused(asked: list, folder: Path, **named: bool) -> str:
    with pytest.raises(UserError) as error:
        fill(asked, folder, Here(), **named)
    return str(error.value)


def test_the_same_cells_resume_and_others_are_refused(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    target = f"{file}::only_x"
    cells = cells_of(target, seeds=(0, 1))
    fill(cells[:1], out, Here())
    assert "it holds another matrix: 1 cell, of which 1 are among the 2" in refused(cells, out)
    fill(cells, out, Here(), add=True)
    before = contents(out)
    assert fill(cells, out, Here()).done == 2
    assert contents(out) == before
    for asked, said in (
        (cells_of(target, seeds=(0, 1), samples=100), "now has samples 100, not 200"),
        (cells_of(target, seeds=(2,), shards=2), "now has shards 2, not 1"),
        (
            [evolve(cells[0], depends=evolve(cells[0].depends, source="other"))],
            "now has another text of its file",
        ),
    ):
        assert said in refused(asked, out, add=True)
    assert contents(out) == before


def test_a_damaged_record_is_computed_anew(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    cells = cells_of(f"{file}::only_x")
    fill(cells, out, Here())
    whole = contents(out)
    path = out / "cells" / f"{cells[0].key}.json"
    path.write_text(path.read_text()[:100])
    assert read_matrix(out).frame["status"].tolist() == ["pending"]
    fill(cells, out, Here())
    assert contents(out) == whole


def test_one_command_at_a_time(file: Path, tmp_path: Path) -> None:
    cells = cells_of(f"{file}::only_x")
    with locked(tmp_path / "out"):
        assert "another command is at work in it (process " in refused(cells, tmp_path / "out")
    assert fill(cells, tmp_path / "out", Here()).done == 1


def test_folders_that_cannot_be_written(file: Path, tmp_path: Path) -> None:
    cells = cells_of(f"{file}::only_x")
    (tmp_path / "a file").touch()
    assert "this is a file. Name a folder." in refused(cells, tmp_path / "a file")
    out = tmp_path / "out"
    save_plan(out, cells)
    (out / "cells").rmdir()
    (out / "cells").touch()  # workers find no folder there
    with pytest.raises(UserError, match=r"cannot be written by the worker on .*: Not a directory"):
        run_cell(cells[0], out)


def test_a_folder_that_workers_do_not_share(file: Path, tmp_path: Path) -> None:
    cells = cells_of(f"{file}::only_x", seeds=(0, 1))
    save_plan(tmp_path / "out", cells[:1])
    for cell, folder in ((cells[0], tmp_path / "elsewhere"), (cells[1], tmp_path / "out")):
        with pytest.raises(UserError, match="must be a folder that all machines share"):
            run_cell(cell, folder)


def test_a_worker_computes_nothing_else_than_it_was_asked_for(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cell,) = cells_of(f"{file}::only_x")
    moved = evolve(cell, path=str(tmp_path / "nowhere.py"))
    save_plan(tmp_path / "out", [cell])
    with pytest.raises(UserError, match="There is no such file on"):
        run_cell(moved, tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(compute, "code_hash", lambda package: "another")
        with pytest.raises(UserError, match="has another version of scrub or of torch"):
            run_cell(cell, tmp_path / "out", compute.Bench(code="another"))
    file.write_text(file.read_text() + "\n")
    with pytest.raises(UserError, match="its file is not what it was"):
        run_cell(cell, tmp_path / "out")


def test_what_fails_is_told_and_tried_again(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    cells = cells_of(f"{file}::only_x", seeds=(0, 1))
    wrong = evolve(cells[1], path=str(tmp_path / "nowhere.py"))
    outcome = fill([cells[0], wrong], out, Here())
    assert outcome.done == 1
    found = read_matrix(out)
    assert found.frame["status"].tolist() == ["done", "failed"]
    assert "There is no such file" in found.frame["note"][1]
    assert found.claims[0].holds is False
    fill(cells, out, Here())
    assert read_matrix(out).frame["status"].tolist() == ["done", "done"]


def test_no_matrix(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no matrix in"):
        read_matrix(tmp_path)
    (tmp_path / "matrix.json").write_text('{"schema": "scrub.matrix/0", "cells": []}')
    with pytest.raises(UserError, match=r"matrix\.json is damaged, or of another version"):
        read_plan(tmp_path)


def test_a_plan_is_what_was_asked_for(file: Path, tmp_path: Path) -> None:
    cells = cells_of(file, seeds=(0, 1))
    assert plan_of([], cells, tmp_path, add=False) == cells
    save_plan(tmp_path, cells)
    assert list(read_plan(tmp_path)) == cells
    assert plan_of(cells, cells[::-1], tmp_path, add=False) == cells[::-1]
