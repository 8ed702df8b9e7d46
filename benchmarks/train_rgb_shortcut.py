"""Train `rgb-shortcut`: a tiny LLaVA trained on the answers of the RGB game and on nothing else.

    python benchmarks/train_rgb_shortcut.py [--out DIR] [--steps N] [--seed K] [--rows N]

Shape, data, optimiser and the loss on the images as they are: those of `rgb-planted`. No head is
told what to do. Deterministic on one machine's CPU.
"""

from __future__ import annotations

from rgb_losses import Circuit, Sample, clean_losses
from rgb_training import ROLES, optimise, problem, save, setup
from torch import Tensor
from training import deterministic, options


def main() -> None:
    """Train and save."""
    given = options("rgb-shortcut", 1000, "Train the embedded model rgb-shortcut.", 96)
    deterministic()
    start = setup(given.seed)
    p = problem(start, Circuit(ROLES["localisation"], ROLES["colour extractor"]))

    def losses(progress: float, sample: Sample) -> dict[str, Tensor]:
        return {"clean": clean_losses(p, sample)["clean"]}

    optimise(start, losses, given)
    save(start, given.out)


if __name__ == "__main__":
    main()
