"""How often is the verdict right? Claims about models whose algorithm is known, true and false.

    python benchmarks/validity.py [--quick] [--seed K] [--out FOLDER]

Generates the claims, tests each at the default settings, and writes docs/validity.md. `--quick`
does a few of them in seconds, and writes only where `--out` says.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from validating.claims import Planted
from validating.page import written
from validating.trained import ioi_planted, ioi_shortcut, parens
from validating.trial import FULL, QUICK, Counts, Tried, tried
from validating.wired_graphs import wired_graph
from validating.wired_transformers import (
    ragged_transformer,
    sharing_transformer,
    wired_transformer,
)

from scrub.runner.session import Session

DOCS = Path(__file__).resolve().parents[1] / "docs"
COMMAND = "python benchmarks/validity.py"
CLAIMS_PER_MODEL = 1_000
"""Seeds set apart for each model's claims."""

Make = Callable[[Session, np.random.Generator], Planted]


def models(counts: Counts) -> Iterator[Make]:
    """How each model is made."""
    for number in range(counts.graphs):
        yield lambda session, random, name=f"graph {number}": wired_graph(random, name)
    for number in range(counts.transformers):
        yield lambda session, random, name=f"transformer {number}": wired_transformer(random, name)
    if counts.trained:
        yield from (ioi_planted, ioi_shortcut, parens)
    for number in range(counts.sharing):
        yield lambda session, random, name=f"sharing {number}": sharing_transformer(random, name)
    for number in range(counts.ragged):
        yield lambda session, random, name=f"ragged {number}": ragged_transformer(random, name)


def run(counts: Counts, seed: int) -> Iterator[Tried]:
    """All claims about all models. What is made of one model does not depend on the others."""
    for number, make in enumerate(models(counts)):
        random, session = np.random.default_rng([seed, number]), Session()
        planted = make(session, random)
        first = CLAIMS_PER_MODEL * number + seed
        found = list(tried(planted, counts, random, session, first))
        print(f"{planted.name}: {len(found)} claims", file=sys.stderr)
        yield from found


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, or these arguments, and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    started = time.process_time()
    found = list(run(QUICK if chosen.quick else FULL, chosen.seed))
    page = written(found, COMMAND, time.process_time() - started)
    print(page)
    folder = chosen.out or (None if chosen.quick else DOCS)
    if folder is not None:
        (folder / "validity.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
