"""Train `rgb-planted`: a tiny LLaVA whose known heads play the RGB game by a known algorithm.

    python benchmarks/train_rgb_planted.py [--out DIR] [--steps N] [--seed K] [--rows N]

What is minimised is described in `rgb_losses.py`. Deterministic on one machine's CPU.
"""

from __future__ import annotations

import torch
from rgb_losses import (
    Circuit,
    Sample,
    alone_losses,
    clean_losses,
    extractor_losses,
    localisation_losses,
)
from rgb_training import ROLES, optimise, problem, save, setup
from torch import Tensor
from training import deterministic, guide_at, options


def main() -> None:
    """Train and save."""
    given = options("rgb-planted", 1500, "Train the embedded model rgb-planted.", 96)
    deterministic()
    start = setup(given.seed)
    p = problem(start, Circuit(ROLES["localisation"], ROLES["colour extractor"]))
    generator = torch.Generator().manual_seed(given.seed)

    def losses(progress: float, sample: Sample) -> dict[str, Tensor]:
        # Attention leads the way at first; what counts in the end is behaviour under interchange.
        guide = guide_at(progress)
        terms = clean_losses(p, sample)
        for part in (localisation_losses, extractor_losses, alone_losses):
            terms |= part(p, sample, given.rows, generator)
        return {name: loss * (guide if "attention" in name else 1) for name, loss in terms.items()}

    optimise(start, losses, given, mixed=given.rows // 3)
    save(start, given.out)


if __name__ == "__main__":
    main()
