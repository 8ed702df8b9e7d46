"""Executors: who computes the cells, as a value that `--on` names."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from scrub.errors import UserError, did_you_mean
from scrub.matrix.cell import Cell
from scrub.matrix.on_local import Local
from scrub.matrix.on_ray import Ray
from scrub.matrix.on_slurm import Slurm
from scrub.matrix.schedule import Told

NAMES = ("local", "ray", "ray://ADDRESS", "slurm")


class Executor(Protocol):
    """Who computes cells. Which one it is changes no record."""

    def run(self, cells: Sequence[Cell], folder: Path, told: Told) -> None:
        """Compute cells, and tell of each when it is done or given up."""
        ...


def executor_of(
    on: str,
    workers: int | None = None,
    threads: int = 1,
    gpus: float = 0.0,
    settings: Mapping[str, Any] | None = None,
) -> Executor:
    """The executor of `--on`.

    Args:
        workers: at a time; None: as many as there is room for.
        threads: of each.
        gpus: of each (Ray, Slurm).
        settings: of submitit (Slurm).

    Raises:
        UserError: there is none of this name, or it has no such setting.
    """
    if settings and on != "slurm":
        raise UserError(f"--slurm is a setting of --on slurm, not of --on {on}. Leave it out.")
    if gpus and on == "local":
        raise UserError(
            "--gpus is a setting of --on ray and --on slurm. On this machine --device cuda has "
            "one worker per GPU; --workers says how many."
        )
    match on.partition("://"):
        case ("local", "", _):
            return Local(workers, threads)
        case ("ray", "", _):
            return Ray(os.environ.get("RAY_ADDRESS", ""), workers, threads, gpus)
        case ("ray", _, address):
            return Ray(address, workers, threads, gpus)
        case ("slurm", "", _):
            if gpus != int(gpus):
                raise UserError(f"--gpus {gpus:g}: Slurm gives whole GPUs. Give a whole number.")
            return Slurm(workers, threads, int(gpus), settings or {})
    raise UserError(f"--on {on}: there is no such executor. {did_you_mean(on, NAMES)}")
