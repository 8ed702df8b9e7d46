"""Write what a patch changes once per row, where samples share rows.

A patch adds (new − old) W to a stream. Of plain values both are functions of a row and a position,
of which there are often fewer than samples: each is then written once, and a sample adds the
difference of two of them.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from scrub.engine.alignment import Frames, Pairs, Samples
from scrub.engine.steps import Patch, StreamStep
from scrub.hypothesis.sites import ALL
from scrub.model.forward import head_indices
from scrub.model.graph import Graph, Where

WORTH = 0.75
"""Share of the samples up to which rows are written apart: a product that is saved costs a copy."""


def written_apart(
    graph: Graph, frames: Frames, patch: Patch, step: StreamStep, samples: Samples
) -> Pairs | None:
    """The rows and positions of which a patch's values are written; None: sample by sample.

    Law: what a patch adds is the same either way, to rounding.
    """
    if not may_be_apart(graph, patch):
        return None
    if frames.inputs[patch.source.frame].data is not frames.inputs[patch.over.frame].data:
        return None
    at, where = (step.at, step.frame) if patch.at == ALL else (patch.at, patch.source.frame)
    new, old = (patch.source.frame, where), (patch.over.frame, step.frame)
    pairs = frames.pairs(new, old, patch.site, at, samples)
    return pairs if len(pairs.rows) <= WORTH * pairs.entry[..., 0].numel() else None


def may_be_apart(graph: Graph, patch: Patch) -> bool:
    """Whether a patch's values are plain ones that are stored, and a product is what adds them."""
    site, plain = graph.sites[patch.site], patch.source.step is None and patch.over.step is None
    return plain and site.stored and site.write_flops > 0


def write_each(
    graph: Graph,
    patch: Patch,
    value: Float[Tensor, "n positions heads *rest"],
    at: Int[Tensor, "n positions"],
) -> Float[Tensor, "n positions heads d"]:
    """What each head of a patch adds to a stream.

    Law: their sum is what the site writes of these heads, to rounding.
    """
    output = graph.sites[graph.sites[patch.site].output or ""]
    (port,) = output.ports
    return output.apply({port.name: value}, Where(head_indices(patch.heads, graph), at))


def difference_of(
    written: Float[Tensor, "entries 1 heads d"], entry: Int[Tensor, "n positions 2"]
) -> Float[Tensor, "n positions heads d"]:
    """For each sample and position the first of two entries minus the second, in one pass."""
    sign = torch.tensor([1.0, -1.0], dtype=written.dtype, device=written.device)
    entries, heads = len(written), written.shape[2]
    begins = torch.arange(0, heads * entries, entries, device=entry.device)
    which = (entry[:, :, None] + begins[:, None]).flatten(0, 2)  # head by head, as products give it
    change = functional.embedding_bag(
        which,
        written.movedim(2, 0).flatten(0, 2),
        mode="sum",
        per_sample_weights=sign.expand(which.shape),
    )
    return change.unflatten(0, (*entry.shape[:2], heads))
