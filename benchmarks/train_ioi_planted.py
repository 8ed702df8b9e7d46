"""Train `ioi-planted`: a small GPT-2 whose known heads implement the published IOI algorithm.

    python benchmarks/train_ioi_planted.py [--out DIR] [--steps N] [--seed K] [--rows N]
        [--layers N] [--duplicate 1.0,1.1] [--inhibition 2.0,2.1] [--mover 3.0,3.1]

With other places and another seed it plants the same algorithm elsewhere. Two such models are held
out, for checks of searches whose settings were chosen on `ioi-planted`:

    --layers 5 --duplicate 2.1,2.3 --inhibition 3.2 --mover 4.0,4.3 --seed 11 --rows 96 --steps 1000
    --duplicate 1.3 --inhibition 2.1,2.3 --mover 3.2 --seed 12 --rows 96 --steps 800

What is minimised is described in `ioi_losses.py`. Deterministic on one machine's CPU.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from attrs import frozen
from ioi_batches import Batch
from ioi_forward import Heads, Trace, z_at
from ioi_losses import Circuit, attention_loss, clean_loss, interchange_losses
from ioi_places import Roles, heads_of, in_words, problems
from ioi_training import (
    HEADS,
    LAYERS,
    ROLES,
    guided,
    new_model,
    new_probes,
    optimise,
    save,
    training_data,
)
from torch import Tensor, nn
from training import Options, deterministic, guide_at, options_of, parser_of, with_rows

FLAGS = {
    "duplicate token": "duplicate",
    "S-inhibition": "inhibition",
    "name mover": "mover",
}
"""By which option each role's heads are given."""


@frozen
class Planting:
    """What the command line says: where to write, how to train, which heads play which role."""

    options: Options
    layers: int
    roles: Roles


def planting(arguments: Sequence[str] | None = None) -> Planting:
    """Read the command line; bad input ends the process with a sentence and exit code 2."""
    parser = with_rows(parser_of("ioi-planted", 2500, "Train the embedded model ioi-planted."), 192)
    return placed(parser, FLAGS, ROLES, LAYERS, arguments)


def placed(
    parser: ArgumentParser,
    flags: Mapping[str, str],
    usual: Roles,
    layers: int,
    arguments: Sequence[str] | None,
    *,
    lowest: int = 1,
) -> Planting:
    """Add the options that say where the roles stand, and read the command line.

    Args:
        parser: with all other options.
        flags: the option of each role.
        usual: where each stands if it is not given.
        layers: how many there are if it is not given.
        arguments: the command line; None: the process's.
        lowest: the lowest layer in which the first role may lie.
    """
    parser.add_argument("--layers", type=int, default=layers, help="default %(default)s")
    for role, flag in flags.items():
        parser.add_argument(
            f"--{flag}", default=in_words(usual[role]), metavar="HEADS", help="default %(default)s"
        )
    given = parser.parse_args(arguments)
    try:
        roles = {role: heads_of(getattr(given, flag)) for role, flag in flags.items()}
    except ValueError as error:
        parser.error(str(error))
    if wrong := problems(roles, given.layers, HEADS, lowest):
        parser.error(" ".join(wrong))
    return Planting(options_of(given), given.layers, roles)


def probe_loss(probe: nn.Linear, batch: Batch, trace: Trace, heads: Heads, at: Tensor) -> Tensor:
    """How badly `probe` reads off a group's z [B, group, E] which name comes first; nats."""
    z = z_at(trace.layers[heads[0][0]], heads, at)[batch.repeated].flatten(1)
    target = batch.io_is_first[batch.repeated].float()
    return F.binary_cross_entropy_with_logits(probe(z)[:, 0], target)


def main() -> None:
    """Train and save."""
    given = planting()
    circuit = Circuit(*(given.roles[role] for role in FLAGS))
    deterministic()
    data = training_data(given.options.out, given.options.seed)
    model = new_model(data.words, given.options.seed, given.layers)
    probes = new_probes(model, (circuit.duplicate, circuit.inhibition))
    generator = torch.Generator().manual_seed(given.options.seed)

    def losses(progress: float, batch: Batch, trace: Trace) -> dict[str, Tensor]:
        # Attention and probes lead the way at first: without the probes, training got stuck with
        # name movers only. What counts in the end is behaviour under interchange.
        guide = guide_at(progress)
        groups = ((circuit.duplicate, batch.s2), (circuit.inhibition, batch.end))
        read = [
            probe_loss(probe, batch, trace, *group)
            for probe, group in zip(probes, groups, strict=True)
        ]
        terms = {
            "clean": clean_loss(model, batch, trace),
            "attention": guide * attention_loss(circuit, batch, trace),
            "probes": guide * (read[0] + read[1]),
        }
        swaps = interchange_losses(model, circuit, batch, trace, generator)
        return terms | guided(swaps, guide)

    optimise(model, data, losses, given.options, further=probes)
    save(model, data, given.options.out, given.roles)


if __name__ == "__main__":
    main()
