"""Train a planted model of which all is known that its heads do: nothing is left to other heads.

    python benchmarks/train_ioi_complete.py --out DIR [--steps N] [--seed K] [--rows N] [--layers N]
        [--previous 0.2] [--duplicate 2.1,2.3] [--inhibition 3.2] [--mover 4.0,4.3]

Two such models are held out, for checks of searches (docs/searches.md):

    --previous 1.2 --duplicate 2.0,2.3 --inhibition 3.1,3.3 --mover 4.2 --seed 121 --steps 600
    --previous 0.1 --duplicate 1.0,1.3 --inhibition 2.0,2.2 --mover 4.1,4.3 --seed 122 --steps 600

The algorithm is that of `ioi-planted` (`train_ioi_planted.py`), with previous-token heads, which
tell at each name whether it is the first: see `ioi_order.py`. `qualify_planted.py` then says, by
hooks, whether a model is what its roles say. Deterministic on one machine's CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from ioi_batches import Batch
from ioi_forward import Trace
from ioi_losses import Circuit, attention_loss, clean_loss, interchange_losses
from ioi_order import (
    PREVIOUS,
    outside_losses,
    passed,
    previous_attention_loss,
    previous_losses,
    share_loss,
)
from ioi_training import (
    fast_gelu,
    guided,
    new_model,
    new_probes,
    optimise,
    rows_of_like_length,
    save,
    training_data,
)
from torch import Tensor
from train_ioi_planted import FLAGS, Planting, placed, probe_loss
from training import deterministic, guide_at, parser_of, with_rows

LAYERS = 5
ROLES = {
    PREVIOUS: ((0, 2),),
    "duplicate token": ((2, 1), (2, 3)),
    "S-inhibition": ((3, 2),),
    "name mover": ((4, 0), (4, 3)),
}
"""Where the roles stand if nothing else is said."""


def planting(arguments: Sequence[str] | None = None) -> Planting:
    """Read the command line; bad input ends the process with a sentence and exit code 2."""
    parser = parser_of("ioi-complete", 1000, "Train a planted model without open ends.")
    parser.set_defaults(out=Path("ioi-complete"))
    flags = {PREVIOUS: "previous"} | FLAGS
    return placed(with_rows(parser, 96), flags, ROLES, LAYERS, arguments, lowest=0)


def main() -> None:
    """Train and save."""
    given = planting()
    circuit = Circuit(*(given.roles[role] for role in FLAGS))
    deterministic()
    data = training_data(given.options.out, given.options.seed)
    model = new_model(data.words, given.options.seed, given.layers)
    fast_gelu(model)
    reporting = (given.roles[PREVIOUS], circuit.duplicate, circuit.inhibition)
    probes = new_probes(model, reporting)
    generator = torch.Generator().manual_seed(given.options.seed)

    def losses(progress: float, batch: Batch, trace: Trace) -> dict[str, Tensor]:
        # Attention and probes lead the way at first, as for `ioi-planted`.
        guide = guide_at(progress)
        p = passed(model, given.roles, circuit, batch, trace)
        places = zip(probes, reporting, (batch.s1, batch.s2, batch.end), strict=True)
        read = [probe_loss(probe, batch, trace, heads, at) for probe, heads, at in places]
        terms = {
            "clean": clean_loss(model, batch, trace),
            "attention": guide * attention_loss(circuit, batch, trace),
            "previous": guide * previous_attention_loss(given.roles[PREVIOUS], batch, trace),
            "probes": guide * torch.stack(read).sum(),
            **previous_losses(p, generator),
        }
        outside = outside_losses(p, generator)
        terms |= {
            "outside": outside["outside"],
            "changed": progress * outside["changed"],
            "shares": 0.05 * share_loss(p, generator),
        }
        swaps = interchange_losses(model, circuit, batch, trace, generator)
        return terms | guided(swaps, guide)

    optimise(model, data, losses, given.options, further=probes, draw=rows_of_like_length)
    save(model, data, given.options.out, given.roles)


if __name__ == "__main__":
    main()
