"""Time the same circuits of edges in scrub and in the ways of AutoCircuit and of ACDC.

    python benchmarks/speed_circuits.py [--quick] [--layers 12]... [--busy]

Prints the table of docs/benchmarks.md, section "Circuits of edges". Everything is measured in one
run, on one thread and on two. Let nothing else run meanwhile; on a machine where other things run,
`--busy` measures the processor's time, on one thread.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence

import torch
from attrs import frozen
from timing.compare_circuits import HEADINGS, Bench, compared, lines
from timing.ours import Clock, Machine
from timing.setting import FULL, QUICK, Shape, random_bridge, random_rows

from scrub.model.bridge import graph_of

WIDTH = 16
ROWS = 100


@frozen
class Size:
    """A model, and how much is run on it.

    Attributes:
        candidates: circuits with one edge left out.
    """

    shape: Shape
    references: int
    candidates: int
    repeats: int


SMALL = Size(Shape(4, 4, 64, 310, 48), 100, 24, 3)
"""The shape of `ioi-planted`."""
SIZES = (SMALL, Size(FULL.curves, 64, 24, 3), Size(FULL.shape, 16, 8, 1))
TINY = (Size(QUICK.shape, 12, 3, 1),)


def measured(sizes: Sequence[Size], threads: Sequence[int], clock: Clock) -> Iterator[list[str]]:
    """The lines of the table, as they come."""
    for size in sizes:
        graph = graph_of(random_bridge(size.shape))
        data = random_rows(ROWS, min(WIDTH, size.shape.width // 2), size.shape.vocabulary)
        for count in threads:
            torch.set_num_threads(count)
            rate, started = Machine.measured(clock).rate, time.perf_counter()
            bench = Bench(
                graph, size.shape, data, size.references, rate, size.repeats, size.candidates,
                clock,
            )  # fmt: skip
            for row in compared(bench):
                yield from lines(row, size.shape, count)
            seconds = time.perf_counter() - started
            print(f"{size.shape}, {count} threads: {seconds:.0f} s", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, or these arguments, and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tiny model, in seconds")
    parser.add_argument("--layers", type=int, action="append", help="only models of so many")
    parser.add_argument("--busy", action="store_true", help="processor's time, on one thread")
    chosen = parser.parse_args(arguments)
    threads = (1,) if chosen.quick or chosen.busy else (1, 2)
    clock = time.process_time if chosen.busy else time.perf_counter
    sizes = [s for s in SIZES if not chosen.layers or s.shape.layers in chosen.layers]
    for line in (HEADINGS, ["---"] * len(HEADINGS)):
        print(f"| {' | '.join(line)} |")
    for line in measured(TINY if chosen.quick else sizes, threads, clock):
        print(f"| {' | '.join(line)} |", flush=True)


if __name__ == "__main__":
    main()
