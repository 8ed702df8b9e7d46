"""`scrub matrix` as people type it: what it prints, writes and refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from scrub.matrix import executors
from scrub.model.registry import EMBEDDED
from support.command import IOI, Finished, inside
from support.matrices import Here, cells_of, claims_file
from support.paths import ROOT


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers take seconds to start: tests/matrix/test_executors.py has them."""
    monkeypatch.setattr(executors, "executor_of", lambda *given: Here())


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the claims, and in `out` their matrix with three seeds."""
    folder = tmp_path_factory.mktemp("matrix")
    claims_file(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executors, "executor_of", lambda *given: Here())
        done = run(folder, "claims.py", "--seeds", "0..2", "--samples", "200", "--out", "out", "-q")
    assert (done.code, done.out) == (1, "")
    return folder


def run(folder: Path, *arguments: str) -> Finished:
    return inside("matrix", *arguments, cwd=folder)


def refused(folder: Path, *arguments: str) -> str:
    done = run(folder, *arguments)
    assert (done.code, done.out) == (2, "")
    assert "Traceback" not in done.err
    return done.err


def test_it_is_read_without_files(filled: Path) -> None:
    done = run(filled, "--out", "out")
    lines = done.out.splitlines()
    assert (done.code, done.err) == (1, "")
    assert lines[0] == "9 claims on 1 model, 3 seeds, 200 references each"
    words = {line.split()[0]: line for line in lines if line and not line.startswith("±")}
    assert "supported" in words["conjunction"]
    assert any("not applicable 3" in line for line in lines if line.startswith("elsewhere"))
    assert "Verdicts use 99.29% intervals" in done.out  # one of seven
    assert lines[-1].endswith("not as expected")


def test_it_fits_80_columns(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from scrub.matrix.matrix import read_matrix
    from scrub.report.matrix import show_matrix

    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    show_matrix(read_matrix(filled / "out"), console)
    shown = console.export_text()
    assert max(map(len, shown.splitlines())) <= 80
    for word in ("conjunction", "supported 3", "vacuous 3", "one verdict", "± within"):
        assert word in shown


def test_what_it_writes(filled: Path) -> None:
    files = ("--csv", "m.csv", "--json", "m.json", "--plot", "m.svg")
    assert run(filled, "--out", "out", "-q", *files).code == 1
    table = pd.read_csv(filled / "m.csv")
    found = json.loads((filled / "m.json").read_text(encoding="utf-8"))
    assert found["schema"] == "scrub.matrix/1"
    assert len(table) == len(found["results"]) == 27
    assert {one["claim"] for one in found["heterogeneity"]} == set(table["claim"])
    only = next(one for one in found["results"] if one["claim"] == "only_x" and one["seed"] == 2)
    row = table[(table["claim"] == "only_x") & (table["seed"] == 2)].iloc[0]
    assert only["mean"] == pytest.approx(row["mean"])
    undefined = [one for one in found["results"] if one["claim"] == "elsewhere"]
    assert all(one["mean"] is None for one in undefined)
    assert "supported 3" in (filled / "m.svg").read_text(encoding="utf-8")


def test_a_model_that_does_not_load_takes_no_others_with_it(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(EMBEDDED / "ioi-planted", bare)
    (bare / "model.safetensors").unlink()
    target = f"{ROOT / IOI}::by_position"
    models = ("--models", "bare,ioi-planted", "--samples", "60")
    done = run(tmp_path, target, *models, "--out", "out")
    assert done.code == 2
    assert "1 of 2 are there; 1 failed" in done.out
    assert done.err.startswith("error: On ")
    assert "model.safetensors" in done.err
    table = json.loads(_json(tmp_path))["results"]
    assert [one["status"] for one in table] == ["failed", "done"]


def _json(folder: Path) -> str:
    run(folder, "--out", "out", "-q", "--json", "m.json")
    return (folder / "m.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--seeds", "4..0"), "runs backwards and is empty. Write 0..4."),
        (("--shards", "11", "--samples", "10"), "11 shards of 10 samples: some would be empty"),
        (("--shards", "2", "--precision", "0.1"), "exclude each other"),
        (("--slurm", "gpu"), "--slurm gpu: write KEY=VALUE"),
        (("--models", "ioi-plantde,ioi-planted"), 'There is no model "ioi-plantde"'),
        (("--device", "cuda:77"), 'There is no device "cuda:77" on this machine'),
        (("-k", "absent"), 'matches -k "absent"'),
    ],
)
def test_bad_input(filled: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run(filled, "claims.py", "--out", "other", *arguments)
    assert done.code == (5 if "-k" in arguments else 2)
    assert done.out == ""
    assert said in done.err
    assert not (filled / "other").exists()


def test_bad_folders(filled: Path) -> None:
    assert "There is no matrix in nowhere" in refused(filled, "--out", "nowhere")
    other = ("claims.py", "--seeds", "3", "--samples", "200", "--out", "out")
    message = refused(filled, *other)
    assert "it holds another matrix: 27 cells" in message
    assert "Give --add" in message
    assert "--out claims.py: this is a file. Name a folder." in refused(
        filled, "claims.py", "--out", "claims.py"
    )
    assert "Missing option '--out'" in inside("matrix", "claims.py", cwd=filled).err


def test_claims_that_are_about_no_model(filled: Path, tmp_path: Path) -> None:
    done = run(filled, "claims.py::elsewhere", "--out", str(tmp_path / "out"))
    assert done.code == 5
    assert "not applicable" in done.out


def test_it_goes_on_where_it_was_stopped(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = cells_of(filled / "claims.py", seeds=(0, 1), samples=60)

    class Stopped:
        """An executor that is stopped after some cells."""

        def run(self, cells: list, folder: Path, told: object) -> None:
            Here().run(cells[:5], folder, told)  # type: ignore[arg-type]
            raise KeyboardInterrupt

    monkeypatch.setattr(executors, "executor_of", lambda *given: Stopped())
    command = ("claims.py", "--seeds", "0,1", "--samples", "60", "--out", str(tmp_path / "out"))
    done = run(filled, *command)
    assert done.code == 130
    assert f"interrupted: 5 of {len(cells)} cells finished; they are in " in done.err
    assert "pending" in done.out
    monkeypatch.setattr(executors, "executor_of", lambda *given: Here())
    assert "resuming: 5 of 18 cells were computed before" in run(filled, *command).err
