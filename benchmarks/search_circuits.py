"""What circuit searches find of models whose circuit is known: precision, recall, AUC, CPR, CMD.

    python benchmarks/search_circuits.py [--held-out] [--only METHOD]... [--own] [--models N]
                                        [NAME]...

Prints the tables of docs/benchmarks.md, section "Circuit searches": of wired models with shuffled
heads, by default those on which the settings were looked at; `--held-out`: those that were searched
once, when they were frozen. Names are embedded models, directories of trained ones, or seeds of
wired ones, which are searched instead. Records are kept in --records (default
.scrub/search_circuits), and a run that is stopped resumes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from searching.curve import areas
from searching.planted import known_planted
from searching.record import Record, Way, resumed
from searching.shuffled import known_wired
from searching.table import by_group, by_way
from searching.truth import Known
from searching.ways import DEVELOPED, HELD_OUT, SAMPLES, WAYS


def records(
    models: Sequence[Known], ways: Sequence[Way], folder: Path, samples: int
) -> Iterator[Record]:
    """Every search of every model, model by model."""
    for number, known in enumerate(models):
        for way in ways:
            one, new = resumed(folder, known, way, samples, areas)
            if new:
                print(
                    f"{number + 1}/{len(models)} {known.name}: {way.name}: {one.edges.right} of "
                    f"{one.edges.true} edges, {one.edges.found} found, {one.seconds:.1f} s"
                    + (f": {one.refused}" if one.refused else ""),
                    file=sys.stderr,
                )
            yield one


def known(name: str) -> Known:
    return known_wired(int(name)) if name.isdecimal() else known_planted(name)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, or these arguments, and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="embedded models, directories, or seeds")
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument(
        "--only", action="append", choices=list(dict.fromkeys(w.method for w in WAYS))
    )
    parser.add_argument("--own", action="store_true", help="each method's own settings alone")
    parser.add_argument("--models", type=int, help="the first so many of the wired ones")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--records", type=Path, default=Path(".scrub/search_circuits"))
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    ways = [
        way
        for way in WAYS
        if (not chosen.only or way.method in chosen.only) and (way.default or not chosen.own)
    ]
    seeds = (HELD_OUT if chosen.held_out else DEVELOPED)[: chosen.models]
    models = [known(name) for name in chosen.names or map(str, seeds)]
    found = list(records(models, ways, chosen.records, chosen.samples))
    print(by_way(found, ways))
    print(by_group(found, ways))


if __name__ == "__main__":
    main()
