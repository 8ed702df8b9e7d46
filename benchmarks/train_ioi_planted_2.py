"""Train `ioi-planted-2`: a GPT-2 with previous-token, induction and negative name-mover heads too.

    python benchmarks/train_ioi_planted_2.py [--out DIR] [--steps N] [--seed K] [--rows N]
        [--start DIR]

Which heads play which role, and what is minimised, is in `ioi_votes.py`. Deterministic on one
machine's CPU.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from ioi_batches import Batch
from ioi_forward import Trace, z_at
from ioi_groups import Group, by_layer, place
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
from training import deterministic, guide_at, options_of, parser_of, with_rows
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
    parser = parser_of("ioi-planted-2", 1500, "Train the embedded model ioi-planted-2.")
    parser.add_argument("--start", type=Path, help="directory of a model to go on from")
    given = with_rows(parser, 96).parse_args()
    deterministic()
    data = training_data(given.out, given.seed)
    model = new_model(data.words, given.seed, LAYERS)
    if given.start is not None:
        model.load_state_dict(GPT2LMHeadModel.from_pretrained(given.start).state_dict())
    fast_gelu(model)
    groups = [group for group in TABLE.values() if group.says_order]
    probes = new_probes(model, (group.heads for group in groups))
    generator = torch.Generator().manual_seed(given.seed)

    def losses(progress: float, batch: Batch, trace: Trace) -> dict[str, Tensor]:
        # Attention and probes lead the way at first, as for `ioi-planted`.
        guide = guide_at(progress)
        p = passed(model, batch, trace)
        read = [probe_loss(probe, group, p) for probe, group in zip(probes, groups, strict=True)]
        terms = {
            "clean": clean_loss(p),
            "attention": guide * attention_loss(p),
            "repetition": 0.3 * guide * repetition_loss(model, data.words, generator),
            "probes": guide * torch.stack(read).sum(),
        }
        swaps = interchange_losses(p, generator)
        return terms | guided(swaps, guide)

    optimise(model, data, losses, options_of(given), further=probes, draw=rows_of_like_length)
    save(model, data, given.out, {role: group.heads for role, group in TABLE.items()})


if __name__ == "__main__":
    main()
