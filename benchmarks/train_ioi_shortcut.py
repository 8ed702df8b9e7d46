"""Train `ioi-shortcut`: a small GPT-2 trained on the answers of IOI prompts and on nothing else.

    python benchmarks/train_ioi_shortcut.py [--out DIR] [--steps N] [--seed K] [--rows N]

Shape, data, optimiser and the loss on the prompts as they are: those of `ioi-planted`. No head is
told what to do. Deterministic on one machine's CPU.
"""

from __future__ import annotations

from ioi_batches import Batch
from ioi_forward import Trace
from ioi_losses import clean_loss
from ioi_training import new_model, optimise, save, training_data
from torch import Tensor
from training import deterministic, options


def main() -> None:
    """Train and save."""
    given = options("ioi-shortcut", 1500, "Train the embedded model ioi-shortcut.", 192)
    deterministic()
    data = training_data(given.out, given.seed)
    model = new_model(data.words, given.seed)

    def losses(progress: float, batch: Batch, trace: Trace) -> dict[str, Tensor]:
        return {"clean": clean_loss(model, batch, trace)}

    optimise(model, data, losses, given)
    save(model, data, given.out)


if __name__ == "__main__":
    main()
