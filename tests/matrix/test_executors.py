"""Executors leave the same bytes, also where a worker is killed with kill -9 during the run."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scrub.errors import UserError
from scrub.matrix import on_ray
from scrub.matrix.executors import Executor, executor_of
from scrub.matrix.on_local import Local
from scrub.matrix.on_ray import Ray, check_answers
from scrub.matrix.on_slurm import Slurm
from scrub.matrix.run import fill
from support.command import ENVIRONMENT, Fork
from support.matrices import Here, cells_of, contents, watched_file
from support.paths import ROOT


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return watched_file(tmp_path_factory.mktemp("watched"))


@pytest.fixture(scope="module")
def records(file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process computes by itself."""
    out = tmp_path_factory.mktemp("here")
    fill(cells_of(file, seeds=(0, 1)), out, Here())
    return contents(out)


def check(executor: Executor, file: Path, out: Path, records: dict[str, bytes]) -> None:
    """All cells come out as they do in one process, though the first worker is killed."""
    (file.parent / "killed").unlink(missing_ok=True)
    (file.parent / "kill").touch()
    outcome = fill(cells_of(file, seeds=(0, 1)), out, executor)
    assert (outcome.done, outcome.failures) == (6, {})
    assert (file.parent / "killed").exists()
    assert contents(out) == records


def test_local(file: Path, tmp_path: Path, records: dict[str, bytes]) -> None:
    check(Local(workers=1), file, tmp_path / "out", records)


def test_slurm(file: Path, tmp_path: Path, records: dict[str, bytes]) -> None:
    """Where submitit runs jobs in this process."""
    pytest.importorskip("submitit")
    out = tmp_path / "out"
    outcome = fill(cells_of(file, seeds=(0, 1)), out, Slurm(2, cluster="debug", poll=0))
    assert (outcome.done, outcome.failures) == (6, {})
    assert contents(out) == records


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A Ray cluster of two nodes, each a set of processes of its own."""
    pytest.importorskip("ray")
    from scrub.matrix.on_ray import imported

    imported()
    from ray.cluster_utils import Cluster

    usual = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
        try:
            made = Cluster(initialize_head=True, head_node_args=usual)
            made.add_node(**{n: v for n, v in usual.items() if n != "include_dashboard"})
        except (OSError, RuntimeError, ValueError) as error:  # no sockets, no shared memory, …
            pytest.skip(f"Ray starts no cluster on this machine: {error}")
        try:
            yield made
        finally:
            made.shutdown()


def test_ray(cluster: Any, file: Path, tmp_path: Path, records: dict[str, bytes]) -> None:
    """The command is stopped by SIGTERM, and keeps what it has; another one goes on."""
    out = tmp_path / "out"
    (file.parent / "hold").touch()
    on = f"ray://{cluster.address}"
    command = (
        "matrix",
        str(file),
        "--seeds",
        "0,1",
        "--samples",
        "200",
        "--on",
        on,
        "--workers",
        "1",
    )
    process = Fork.of(*command, "--out", str(out), cwd=ROOT, env=ENVIRONMENT)
    for _ in range(6000):
        if (file.parent / "waiting").exists() or process.poll() is not None:
            break
        time.sleep(0.02)
    assert process.poll() is None, process.communicate(1)
    os.kill(process.pid, signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 143
    assert "of 6 cells finished; they are in " in err
    assert "Traceback" not in err
    (file.parent / "hold").unlink()
    kept = {name: raw for name, raw in contents(out).items() if not name.startswith(".")}
    assert kept.items() <= records.items()
    check(Ray(cluster.address, workers=2), file, out, records)


def test_no_cluster_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UserError, match=f"--on ray://{address}: there is no Ray cluster there"):
            Ray(address).run([object()], Path(), lambda cell, answer: None)  # type: ignore[list-item]
    pytest.importorskip("ray")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()  # and says nothing
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(on_ray, "GREETING", 1.0)
            with pytest.raises(UserError, match="it is no Ray cluster of this version"):
                check_answers(address)
    with pytest.raises(UserError, match="give the address that `ray start --head` prints"):
        Ray("head").run([object()], Path(), lambda cell, answer: None)  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("on", "module", "extra"), [("ray", "ray", "ray"), ("slurm", "submitit", "slurm")]
)
def test_what_is_not_installed(
    on: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # its import then fails
    with pytest.raises(UserError, match=rf'pip install "scrub\[{extra}\]"'):
        executor_of(on).run([object()], tmp_path, lambda cell, answer: None)  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"on": "rya"}, 'The nearest is "ray"'),
        ({"on": "ray:there"}, "there is no such executor"),
        ({"on": "local", "gpus": 0.5}, "--gpus is a setting of --on ray"),
        ({"on": "slurm", "gpus": 0.5}, "Give a whole number"),
        ({"on": "ray", "settings": {"a": 1}}, "--slurm is a setting of --on slurm"),
    ],
)
def test_no_executors(named: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        executor_of(**named)


def test_no_slurm_on_this_machine(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    with pytest.raises(UserError, match="there is no Slurm on this machine"):
        Slurm().run([object()], tmp_path, lambda cell, answer: None)  # type: ignore[list-item]
