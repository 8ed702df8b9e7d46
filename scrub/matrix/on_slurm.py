"""`--on slurm`: jobs of Slurm by submitit, each with one model and a share of its cells."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import field, frozen

from scrub.errors import UserError
from scrub.matrix.cell import Cell
from scrub.matrix.folder import is_done
from scrub.matrix.schedule import ATTEMPTS, Answer, Told

JOBS = 16
"""Jobs that the cells are divided among where the user does not say how many."""
POLL = 2.0
"""Seconds between two looks at the folder and at the queue."""


@frozen
class Slurm:
    """Jobs of Slurm.

    Attributes:
        workers: jobs in all; None: `JOBS`.
        threads: CPUs of each.
        gpus: of each, a whole number.
        settings: further ones of submitit's `update_parameters`, as `slurm_partition`.
        cluster: of submitit: "slurm"; "local" and "debug" run jobs on this machine.
        poll: seconds between two looks.
    """

    workers: int | None = None
    threads: int = 1
    gpus: int = 0
    settings: Mapping[str, Any] = field(factory=dict)
    cluster: str = "slurm"
    poll: float = POLL

    def run(self, cells: Sequence[Cell], folder: Path, told: Told) -> None:
        """Compute cells. Those of a job that was lost are given to another one.

        Raises:
            UserError: submitit is not installed, or there is no Slurm here.
        """
        left = list(cells)
        lost: dict[str, str] = {}
        for _ in range(ATTEMPTS):
            if left:
                lost = self._once(left, folder, told)
                left = [cell for cell in left if cell.key in lost]
        for cell in left:
            why = f"{cell.words}: its job was lost {ATTEMPTS} times: {lost[cell.key]}"
            told(cell, Answer("lost", why))

    def _once(self, cells: Sequence[Cell], folder: Path, told: Told) -> dict[str, str]:
        """Give each cell to one job; the cells of jobs that were lost, with the reason."""
        executor = self._executor(folder)
        batches = divided(cells, self.workers or JOBS)
        with executor.batch():
            jobs = [executor.submit(work, batch, folder, self.threads) for batch in batches]
        running = dict(zip(jobs, batches, strict=True))
        open_ = {cell.key: cell for cell in cells}
        lost: dict[str, str] = {}
        try:
            while running:
                for job in list(running):
                    ended = job.done()
                    answers = _answers(job, running[job], folder) if ended else {}
                    for cell in running[job]:
                        if cell.key in open_ and is_done(folder, cell):
                            answers.setdefault(cell.key, Answer("done"))
                    for key, answer in answers.items():
                        cell = open_.pop(key, None)
                        if answer.kind == "lost":
                            lost[key] = answer.why
                        elif cell is not None:
                            told(cell, answer)
                    if ended:
                        del running[job]
                if running:
                    time.sleep(self.poll)
        finally:
            for job in running:
                job.cancel(check=False)
        return lost

    def _executor(self, folder: Path) -> Any:
        try:
            import submitit
        except ImportError as error:
            raise UserError(
                "--on slurm needs submitit, which is not installed. Install it: pip install "
                '"scrub[slurm]".'
            ) from error
        try:
            executor = submitit.AutoExecutor(folder=folder / "slurm", cluster=self.cluster)
        except RuntimeError as error:
            raise UserError(
                "--on slurm: there is no Slurm on this machine (srun is not found). Start the "
                "command where jobs are submitted, or leave --on out."
            ) from error
        usual: dict[str, Any] = {"name": "scrub", "cpus_per_task": self.threads, "timeout_min": 240}
        if self.gpus:
            usual["gpus_per_node"] = self.gpus
        try:
            executor.update_parameters(**usual | dict(self.settings))
        except (NameError, TypeError, ValueError) as error:
            said = " ".join(str(error).split())[:300]
            raise UserError(f"--slurm: submitit refuses it: {said}") from error
        return executor


def divided(cells: Sequence[Cell], jobs: int) -> list[list[Cell]]:
    """The cells of so many jobs, each with one model, as equal in number as that allows.

    Law: each cell is in one of them. There are more jobs than asked for only if there are more
    models than that.
    """
    by_model: dict[str, list[Cell]] = {}
    for cell in cells:
        by_model.setdefault(cell.model, []).append(cell)
    parts = dict.fromkeys(by_model, 1)
    for _ in range(min(jobs, len(cells)) - len(by_model)):
        most = max(by_model, key=lambda model: len(by_model[model]) / parts[model])
        parts[most] += 1
    return [
        there[first :: parts[model]]
        for model, there in by_model.items()
        for first in range(parts[model])
    ]


def work(cells: Sequence[Cell], folder: Path, threads: int) -> dict[str, Answer]:
    """What a job does: its cells, one after the other."""
    import torch

    from scrub.matrix.compute import Bench
    from scrub.matrix.schedule import answer_of

    torch.set_num_threads(threads)
    bench = Bench()
    return {cell.key: answer_of(cell, folder, bench) for cell in cells}


def _answers(job: Any, cells: Sequence[Cell], folder: Path) -> dict[str, Answer]:
    """What a job that has ended says of its cells; of one that was lost, what the folder says."""
    try:
        return dict(job.result())
    except Exception as error:  # whatever submitit raises for a job that failed or was killed
        lines = str(error).strip().splitlines()
        why = " ".join((lines[-1] if lines else type(error).__name__).split())[:300]
        left = (cell for cell in cells if not is_done(folder, cell))
        return {cell.key: Answer("lost", why) for cell in left}
