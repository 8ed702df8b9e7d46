"""Hand cells to workers, one at a time each, until all are done or given up.

A worker is a process that has one model. Which cell it gets changes no number, so whoever is idle
gets the next one of its model; a worker whose model has none left makes room for one with another.
A worker that is lost loses the cell that it had, which another one gets.
"""

from __future__ import annotations

import os
import traceback
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Protocol

from attrs import define, field, frozen

from scrub.matrix.cell import Cell

ATTEMPTS = 3
"""Workers that are lost with one cell before it is given up: such a cell may be what ends them."""
TICK = 0.2
"""Seconds after which a wait looks up, so that Ctrl-C and SIGTERM are heard."""

Kind = Literal["done", "failed", "not loaded", "fault", "lost"]


@frozen
class Answer:
    """What became of a cell.

    Attributes:
        kind: its record is there; or the user's file or model is at fault; or the model cannot be
            loaded by this worker; or scrub is at fault; or the worker was lost.
        why: sentences; "" if it is done.
    """

    kind: Kind
    why: str = ""


class Worker(Protocol):
    """A process that computes cells of one model."""

    @property
    def model(self) -> str: ...
    def start(self, cell: Cell) -> None:
        """Let it compute a cell; it is idle."""
        ...

    def close(self) -> None:
        """End it, whatever it does."""
        ...


class Crew(Protocol):
    """Where workers come from: what an executor is while it runs."""

    @property
    def size(self) -> int:
        """Workers at a time, at most."""
        ...

    @property
    def loads(self) -> int:
        """Workers in which a model may fail to load before its cells are given up: as many as may
        be on different machines.
        """
        ...

    def hire(self, model: str) -> Worker: ...
    def wait(self, busy: Sequence[Worker], seconds: float) -> list[tuple[Worker, Answer]]:
        """The answers of those that have one by now; waits so long for the first."""
        ...


Told = Callable[[Cell, Answer], None]


@define(eq=False)
class Schedule:
    """The state of a run: what waits, who works on what, and how often it was tried."""

    crew: Crew
    told: Told
    waiting: dict[str, deque[Cell]] = field(factory=dict)
    busy: dict[Worker, Cell] = field(factory=dict)
    idle: list[Worker] = field(factory=list)
    lost: Counter[str] = field(factory=Counter)
    unloaded: Counter[str] = field(factory=Counter)
    loaded: set[str] = field(factory=set)

    def run(self, cells: Sequence[Cell]) -> None:
        """Compute cells, and tell of each when it is done or given up."""
        for cell in cells:
            self.waiting.setdefault(cell.model, deque()).append(cell)
        try:
            while any(self.waiting.values()) or self.busy:
                self._hand_out()
                for worker, answer in self.crew.wait(list(self.busy), TICK):
                    self._take(worker, answer)
        finally:
            for worker in (*self.busy, *self.idle):
                worker.close()

    def _hand_out(self) -> None:
        for worker in list(self.idle):
            self.idle.remove(worker)
            if self.waiting.get(worker.model):
                self._start(worker, worker.model)
            else:
                worker.close()
        while len(self.busy) < self.crew.size and (model := self._neediest()) is not None:
            self._start(self.crew.hire(model), model)

    def _neediest(self) -> str | None:
        """The model with the most cells waiting for each of its workers and one more."""
        workers = Counter(worker.model for worker in self.busy)
        need = {m: len(cells) / (workers[m] + 1) for m, cells in self.waiting.items() if cells}
        return max(need, key=lambda model: need[model], default=None)

    def _start(self, worker: Worker, model: str) -> None:
        cell = self.waiting[model].popleft()
        self.busy[worker] = cell
        worker.start(cell)

    def _take(self, worker: Worker, answer: Answer) -> None:
        cell = self.busy.pop(worker)
        model = cell.model
        match answer.kind:
            case "lost":
                worker.close()
                self._again_or_give_up(cell, answer)
            case "not loaded":
                worker.close()
                self._not_loaded(cell, answer)
            case _:
                if answer.kind == "done":
                    self.loaded.add(model)
                self.idle.append(worker)
                self.told(cell, answer)

    def _again_or_give_up(self, cell: Cell, answer: Answer) -> None:
        self.lost[cell.key] += 1
        if self.lost[cell.key] < ATTEMPTS:
            self.waiting[cell.model].appendleft(cell)
        else:
            why = f"{cell.words}: its worker was lost {ATTEMPTS} times: {answer.why}"
            self.told(cell, Answer("lost", why))

    def _not_loaded(self, cell: Cell, answer: Answer) -> None:
        """Another worker may be able to load it; where none could, its other cells wait in vain."""
        self.unloaded[cell.key] += 1
        self.unloaded[cell.model] += 1
        nowhere = cell.model not in self.loaded and self.unloaded[cell.model] >= self.crew.loads
        if not nowhere and self.unloaded[cell.key] < self.crew.loads:
            self.waiting[cell.model].appendleft(cell)
            return
        self.told(cell, answer)
        while nowhere and self.waiting[cell.model]:
            self.told(self.waiting[cell.model].popleft(), answer)


def answer_of(cell: Cell, folder: Path, bench: Any) -> Answer:
    """What becomes of a cell that is computed here: nothing that it raises ends the worker.

    Relative paths in the user's files are those of the directory the command was started in.

    Args:
        bench: a `scrub.matrix.compute.Bench`.
    """
    from scrub.errors import UserError
    from scrub.matrix.compute import LoadError, run_cell

    try:
        with suppress(OSError):  # it is not there on this machine: most files need none
            os.chdir(cell.start)
        run_cell(cell, folder, bench)
    except UserError as error:
        return Answer("not loaded" if isinstance(error, LoadError) else "failed", str(error))
    except Exception as error:  # a bug of scrub's
        return Answer("fault", "".join(traceback.format_exception(error)).rstrip())
    return Answer("done")
