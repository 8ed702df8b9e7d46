"""Train `ioi-planted`: a small GPT-2 whose known heads implement the published IOI algorithm.

    python benchmarks/train_ioi_planted.py [--out DIR] [--steps N] [--seed K]

What is minimised is described in `ioi_losses.py`. Deterministic on one machine's CPU.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from ioi_batches import Batch
from ioi_forward import Heads, Trace, z_at
from ioi_losses import Circuit, attention_loss, clean_loss, interchange_losses
from ioi_training import ROLES, new_model, optimise, options, save, training_data
from torch import Tensor, nn

CIRCUIT = Circuit(ROLES["duplicate token"], ROLES["S-inhibition"], ROLES["name mover"])


def probe_loss(probe: nn.Linear, batch: Batch, trace: Trace, heads: Heads, at: Tensor) -> Tensor:
    """How badly `probe` reads off a group's z [B, group, E] which name comes first; nats."""
    z = z_at(trace.layers[heads[0][0]], heads, at)[batch.repeated].flatten(1)
    target = batch.io_is_first[batch.repeated].float()
    return F.binary_cross_entropy_with_logits(probe(z)[:, 0], target)


def main() -> None:
    """Train and save."""
    given = options("ioi-planted", 2500, "Train the embedded model ioi-planted.")
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # sums over threads depend on how many there are
    data = training_data(given.out, given.seed)
    model = new_model(data.words, given.seed)
    width = 2 * model.config.n_embd // model.config.n_head
    probes = nn.Linear(width, 1), nn.Linear(width, 1)
    learned = [parameter for probe in probes for parameter in probe.parameters()]
    generator = torch.Generator().manual_seed(given.seed)

    def losses(progress: float, batch: Batch, trace: Trace) -> dict[str, Tensor]:
        # Attention and probes lead the way at first: without the probes, training got stuck with
        # name movers only. What counts in the end is behaviour under interchange.
        guide = max(0.1, 1 - 2 * progress)
        groups = ((CIRCUIT.duplicate, batch.s2), (CIRCUIT.inhibition, batch.end))
        read = [
            probe_loss(probe, batch, trace, *group)
            for probe, group in zip(probes, groups, strict=True)
        ]
        terms = {
            "clean": clean_loss(model, batch, trace),
            "attention": guide * attention_loss(CIRCUIT, batch, trace),
            "probes": guide * (read[0] + read[1]),
        }
        swaps = interchange_losses(model, CIRCUIT, batch, trace, generator)
        return terms | {
            name: loss * (0.1 * guide if "attention" in name else 1) for name, loss in swaps.items()
        }

    optimise(model, data, losses, given.steps, given.seed, further=learned)
    save(model, data, given.out)


if __name__ == "__main__":
    main()
