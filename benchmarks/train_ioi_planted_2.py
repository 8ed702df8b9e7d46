"""Train `ioi-planted-2`: a GPT-2 with previous-token, induction and negative name-mover heads too.

    python benchmarks/train_ioi_planted_2.py [--out DIR] [--steps N] [--seed K] [--rows N]
        [--start DIR]

Which heads play which role, and what is minimised, is in `ioi_votes.py`. Deterministic on one
machine's CPU.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from ioi_batches import Batch
from ioi_forward import Trace, z_at
from ioi_groups import Group, by_layer, place
from ioi_training import (
    new_model,
    optimise,
    parser_of,
    rows_of_like_length,
    save,
    training_data,
)
from ioi_votes import (
    TABLE,
    Passed,
    attention_loss,
    clean_loss,
    interchange_losses,
    passed,
    repetition_loss,
)
from torch import Tensor, nn
from transformers import GPT2LMHeadModel

LAYERS = 6


def probe_loss(probe: nn.Linear, group: Group, p: Passed) -> Tensor:
    """How badly `probe` reads off a group's z which name comes first; nats."""
    position = place(p.batch, group.columns[0])
    z = torch.cat(
        [z_at(p.trace.layers[some[0][0]], some, position) for some in by_layer(group.heads)], 1
    )
    some = p.batch.repeated
    target = p.batch.io_is_first[some].float()
    return F.binary_cross_entropy_with_logits(probe(z[some].flatten(1))[:, 0], target)


def main() -> None:
    """Train and save."""
    parser = parser_of("ioi-planted-2", 1500, "Train the embedded model ioi-planted-2.", 96)
    parser.add_argument("--start", type=Path, help="directory of a model to go on from")
    given = parser.parse_args()
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # sums over threads depend on how many there are
    data = training_data(given.out, given.seed)
    model = new_model(data.words, given.seed, LAYERS)
    if given.start is not None:
        model.load_state_dict(GPT2LMHeadModel.from_pretrained(given.start).state_dict())
    blocks: Any = model.transformer.h
    for block in blocks:
        block.mlp.act = nn.GELU(approximate="tanh")  # the same function, in a fifth of the time
    width = model.config.n_embd // model.config.n_head
    groups = [group for group in TABLE.values() if group.says_order]
    probes = [nn.Linear(len(group.heads) * width, 1) for group in groups]
    learned = [parameter for probe in probes for parameter in probe.parameters()]
    generator = torch.Generator().manual_seed(given.seed)

    def losses(progress: float, batch: Batch, trace: Trace) -> dict[str, Tensor]:
        # Attention and probes lead the way at first, as for `ioi-planted`.
        guide = max(0.1, 1 - 2 * progress)
        p = passed(model, batch, trace)
        read = [probe_loss(probe, group, p) for probe, group in zip(probes, groups, strict=True)]
        terms = {
            "clean": clean_loss(p),
            "attention": guide * attention_loss(p),
            "repetition": 0.3 * guide * repetition_loss(model, data.words, generator),
            "probes": guide * torch.stack(read).sum(),
        }
        swaps = interchange_losses(p, generator)
        return terms | {
            name: loss * (0.1 * guide if "attention" in name else 1) for name, loss in swaps.items()
        }

    optimise(
        model,
        data,
        losses,
        given.steps,
        given.seed,
        further=learned,
        rows=given.rows,
        draw=rows_of_like_length,
    )
    save(model, data, given.out, {role: group.heads for role, group in TABLE.items()})


if __name__ == "__main__":
    main()
