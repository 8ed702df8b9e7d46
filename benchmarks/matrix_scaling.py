"""What a matrix would take on many workers, from what its cells took on this machine.

    python benchmarks/matrix_scaling.py DIR [--repeat 13] [--slower 100] [--start 5]

DIR was filled by `scrub matrix`. Its cells are handed out by the scheduler that hands them out in
earnest (`scrub.matrix.schedule`), to workers that only have a clock: a worker starts, loads its
model, and computes cell after cell. Printed are, for 1 to 64 workers, the time, the least that any
schedule takes, and the efficiency, computing over workers × time.
"""

from __future__ import annotations

import argparse
import heapq
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import define, evolve, field, frozen

from scrub.matrix.cell import Cell
from scrub.matrix.folder import read_plan, timing_file
from scrub.matrix.schedule import Answer, Schedule, Worker

WORKERS = (1, 2, 4, 8, 16, 32, 64)
DONE = Answer("done")


@frozen
class Costs:
    """Seconds: of each cell, by its key; of loading a model; of a process until it can load."""

    cells: Mapping[str, float]
    loads: Mapping[str, float]
    start: float


@define(eq=False)
class Clocked:
    """A worker that has a clock and computes nothing."""

    model: str
    ready: float
    crew: Clocks

    def start(self, cell: Cell) -> None:
        begun = max(self.ready, self.crew.now)
        heapq.heappush(self.crew.ends, (begun + self.crew.costs.cells[cell.key], id(self), self))

    def close(self) -> None:
        return


@define(eq=False)
class Clocks:
    """A crew of them: time passes to the end of the cell that ends first."""

    size: int
    costs: Costs
    loads: int = 1
    now: float = 0.0
    hired: int = 0
    ends: list[tuple[float, int, Clocked]] = field(factory=list)

    def hire(self, model: str) -> Clocked:
        self.hired += 1
        return Clocked(model, self.now + self.costs.start + self.costs.loads[model], self)

    def wait(self, busy: Sequence[Worker], seconds: float) -> list[tuple[Worker, Answer]]:
        self.now, _, worker = heapq.heappop(self.ends)
        return [(worker, DONE)]


@frozen
class Predicted:
    """What a matrix takes on so many workers, in seconds; `least`: on any schedule."""

    workers: int
    seconds: float
    least: float
    efficiency: float
    started: int


def predicted(cells: Sequence[Cell], costs: Costs, workers: int) -> Predicted:
    """Hand out all cells.

    Laws: the time is at least the longest cell with its load, and at least all work over all
    workers; with one worker it is all work.
    """
    crew = Clocks(workers, costs)
    Schedule(crew, lambda cell, answer: None).run(cells)
    work = [costs.cells[cell.key] for cell in cells]
    loads = {cell.model: costs.start + costs.loads[cell.model] for cell in cells}
    longest = max(costs.cells[cell.key] + loads[cell.model] for cell in cells)
    least = max(longest, (sum(work) + sum(loads.values())) / workers)
    return Predicted(workers, crew.now, least, sum(work) / (workers * crew.now), crew.hired)


def repeated(
    cells: Sequence[Cell], costs: Mapping[str, float], times: int
) -> tuple[list[Cell], dict[str, float]]:
    """The same cells with so many times as many seeds."""
    step = 1 + max(cell.seed for cell in cells)
    more = {
        evolve(cell, seed=cell.seed + n * step): costs[cell.key]
        for n in range(times)
        for cell in cells
    }
    ordered = sorted(more, key=lambda cell: (cell.model, cell.claim, cell.seed))
    return ordered, {cell.key: cost for cell, cost in more.items()}


def main() -> None:
    """Read the command line, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeat", type=int, default=1, help="times as many seeds")
    parser.add_argument("--slower", type=float, default=1.0, help="factor of cells and loads")
    parser.add_argument("--start", type=float, default=5.0, help="seconds of a process")
    chosen = parser.parse_args()
    plan = read_plan(chosen.folder)
    took = {cell.key: json.loads(timing_file(chosen.folder, cell).read_text()) for cell in plan}
    seconds = {key: chosen.slower * one["compute_cpu"] for key, one in took.items()}
    loads: dict[str, float] = {}
    for cell in plan:  # the first cell of a worker loads; the others find the weights there
        load = chosen.slower * took[cell.key]["load_cpu"]
        loads[cell.model] = max(loads.get(cell.model, 0.0), load)
    cells, costs = repeated(plan, seconds, chosen.repeat)
    print(
        f"{len(cells):,} cells on {len(loads)} models: {sum(costs.values()):,.0f} s in all, median "
        f"{statistics.median(costs.values()):.2f} s, longest {max(costs.values()):.2f} s; load "
        f"{max(loads.values()):.2f} s at most, start {chosen.start:g} s"
    )
    print(
        "| workers | time | least | efficiency | processes |\n| ---: | ---: | ---: | ---: | ---: |"
    )
    for workers in WORKERS:
        one = predicted(cells, Costs(costs, loads, chosen.start), workers)
        print(
            f"| {workers} | {one.seconds:,.0f} s | {one.least:,.0f} s | {one.efficiency:.0%} | "
            f"{one.started} |"
        )


if __name__ == "__main__":
    main()
