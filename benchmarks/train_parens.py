"""Train `parens`: a small bidirectional transformer that says whether parentheses balance.

    python benchmarks/train_parens.py [--out DIR] [--steps N] [--seed K]

The architecture is that of the paren balancer of the causal-scrubbing post. It is trained on the
label and on nothing else: no head is told what to do. Deterministic on one machine's CPU.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from parens_training import ROOT, STEPS, new_model, optimise, save


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description="Train the embedded model parens.")
    home = ROOT / "scrub" / "model" / "embedded" / "parens"
    parser.add_argument("--out", type=Path, default=home, help="directory to write (%(default)s)")
    parser.add_argument("--steps", type=int, default=STEPS, help="default %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default %(default)s")
    given = parser.parse_args()
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # sums over threads depend on how many there are
    state = new_model(given.seed)
    optimise(state, given.steps, given.seed)
    save(state, given.out)


if __name__ == "__main__":
    main()
