"""Fill a shared folder: compute the cells that it lacks, by an executor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import define, field

from scrub.matrix.cell import Cell
from scrub.matrix.executors import Executor
from scrub.matrix.folder import (
    FAILURES,
    is_done,
    locked,
    plan_of,
    put_json,
    read_failures,
    read_plan,
    save_plan,
)
from scrub.matrix.record import read_record
from scrub.matrix.schedule import Answer
from scrub.runner.interrupts import nothing_stops, sigterm_stops
from scrub.runner.progress import SILENT, Progress


@define(eq=False)
class Outcome:
    """What a run came to.

    Attributes:
        cells: of the whole matrix.
        done: whose records are there.
        failures: why others failed, by key; `faults` are those of them that scrub is to blame for.
        stopped: by what the run was stopped; None where it came to its end.
    """

    cells: list[Cell]
    done: int = 0
    failures: dict[str, str] = field(factory=dict)
    faults: set[str] = field(factory=set)
    stopped: KeyboardInterrupt | None = None


def fill(
    asked: Sequence[Cell],
    folder: Path,
    executor: Executor,
    *,
    add: bool = False,
    progress: Progress = SILENT,
) -> Outcome:
    """Compute the cells of a matrix whose records are not there yet.

    Cells that failed are tried again. A run that is stopped leaves all records that were finished.

    Args:
        add: to the cells of an earlier command with others.

    Raises:
        UserError: the folder cannot be written, is in use, or holds another matrix; or the executor
            is not to be had.
    """
    with locked(folder):
        cells = plan_of(read_plan(folder), asked, folder, add=add)
        save_plan(folder, cells)
        there = [cell for cell in cells if _is_whole(folder, cell)]
        known = {cell.key for cell in there}
        wanted = {cell.key for cell in asked}
        left = [cell for cell in cells if cell.key in wanted and cell.key not in known]
        earlier = {k: why for k, why in read_failures(folder).items() if k not in wanted}
        outcome = Outcome(cells, len(there), earlier)
        progress.expects(len(cells))
        progress.advance(len(there))
        if there and left:
            progress.note(f"resuming: {len(there):,} of {len(cells):,} cells were computed before")

        def told(cell: Cell, answer: Answer) -> None:
            if answer.kind == "done":
                outcome.done += 1
                progress.says(cell.claim)
            else:
                outcome.failures[cell.key] = answer.why
                if answer.kind == "fault":
                    outcome.faults.add(cell.key)
            progress.advance(1)

        with sigterm_stops():
            try:
                with progress:
                    executor.run(left, folder, told)
            except KeyboardInterrupt as stopped:
                outcome.stopped = stopped
            with nothing_stops():
                outcome.done = sum(is_done(folder, cell) for cell in cells)
                put_json(folder / FAILURES, outcome.failures)
    return outcome


def _is_whole(folder: Path, cell: Cell) -> bool:
    """Whether a cell's record is there and whole; what is damaged goes, to be computed anew."""
    if not is_done(folder, cell):
        return False
    if read_record(folder, cell) is not None:
        return True
    (folder / "cells" / f"{cell.key}.json").unlink(missing_ok=True)
    return False
