"""The singular vectors of a head's OV circuit, and the tokens that they read and write."""

from __future__ import annotations

from typing import Any

import torch
from attrs import frozen
from jaxtyping import Float
from torch import Tensor

from scrub.errors import UserError
from scrub.hypothesis.sites import Head
from scrub.model.registry import Model
from scrub.model.weights import Attention, LayerNorm, NoNorm, Norm
from scrub.observations.copying import embedded
from scrub.observations.heads import head_name, named_heads
from scrub.observations.observation import Observation, frame_of
from scrub.observations.picture import Grid
from scrub.observations.scatter import correlation
from scrub.observations.subject import check_words, weights_of
from scrub.observations.tokens import ordinary_tokens
from scrub.runner.options import is_whole

DIRECTIONS, TOKENS = 5, 5
"""Directions of a head, and tokens at each end of one, that are shown by default."""
NORMS = "norms: their weights and centring are part of the matrix, and no scale is"


@frozen(eq=False)
class Circuit:
    """A head's OV matrix by its singular values.

    Attributes:
        reads: left singular vectors: a stream after the norm's centring is read along them.
        writes: right singular vectors: what is written is in multiples of them, as the unembedding
            finds it.
    """

    reads: Float[Tensor, "d_model d_head"]
    values: Float[Tensor, " d_head"]
    writes: Float[Tensor, "d_model d_head"]


def ov_circuits(
    model: Model, of: Any = None, directions: int = DIRECTIONS, tokens: int = TOKENS
) -> Observation:
    """The largest singular values of heads' OV circuits, with the tokens at both ends of each.

    Tokens are read as they are embedded, and for heads after the first layer through MLP 0.

    Args:
        of: heads; default: all.
        directions: how many of each head, the largest first.
        tokens: how many at each end.

    Returns:
        One row a direction and sign: component, layer, head, direction, sign; value, and its share
        of the sum of squares; reads, writes: tokens; correlation, over all tokens, of how much of a
        token is read along the direction and how much its logit is raised: 1 of a head that copies.

    Raises:
        UserError: there is no such head, what is named is no head, or logits are no tokens.
    """
    check_words(model)
    for name, number in (("directions", directions), ("tokens", tokens)):
        if not is_whole(number) or number < 1:
            raise UserError(f"{name}={number!r}. Give a whole number, 1 or more.")
    known = torch.tensor(ordinary_tokens(model), device=model.graph.device)
    rows = []
    with torch.no_grad():
        read = embedded(model, known)
        for head in named_heads(of, model, "OV circuits"):
            stream = (read.later if head[0] else read.first).double()
            rows += _rows(model, head, stream, known, directions, tokens)
    title = "OV circuits, singular vectors"
    notes = (
        f"reads and writes: the tokens at each end, of {len(known):,}; correlation: of both, over "
        "all of them",
        NORMS,
    )
    grid = Grid("component", "direction", ("value",), "singular value")
    return Observation(title, model.name, frame_of(rows), notes, grid, ("value",))


def _rows(
    model: Model, head: Head, stream: Tensor, known: Tensor, directions: int, tokens: int
) -> list[dict[str, Any]]:
    """Both ends of the largest directions of a head."""
    weights = weights_of(model)
    attention = weights.blocks[head[0]].attention
    circuit = ov_of(attention, head[1], weights.norm_final)
    share = circuit.values.square() / circuit.values.square().sum()
    scaled = _without_weight(attention.norm, stream)
    table = weights.unembedding.weight[:, known].double()
    found = []
    for n in range(min(directions, len(circuit.values))):
        reads, writes = scaled @ circuit.reads[:, n], circuit.writes[:, n] @ table
        reads, writes = reads - reads.mean(), writes - writes.mean()
        likeness = correlation(reads.cpu().numpy(), writes.cpu().numpy())
        for sign, name in ((1, "+"), (-1, "−")):
            row = {
                "component": head_name(head), "layer": head[0], "head": head[1], "direction": n,
                "sign": name, "value": float(circuit.values[n]), "share": float(share[n]),
                "reads": _largest(model, sign * reads, known, tokens),
                "writes": _largest(model, sign * writes, known, tokens), "correlation": likeness,
            }  # fmt: skip
            found.append(row)
    return found


def ov_of(attention: Attention, head: int, final: Norm) -> Circuit:
    """A head's OV matrix between the centring of its norm and the final norm's weight.

    Law: reads · values · writesᵀ is P·diag(w)·W_V·W_O·P·diag(w_final), where P takes the mean off
    (of a LayerNorm; nothing of an RMSNorm), and w are the norms' weights. The sign is such that the
    largest entry of what a direction writes is positive.
    """
    shared = len(attention.output) // len(attention.value.weight)
    value = _read_through(attention.norm, attention.value.weight[head // shared].double())
    output = written_through(final, attention.output[head].double())
    first, inner = torch.linalg.qr(value)
    last, outer = torch.linalg.qr(output.T)
    left, values, right = torch.linalg.svd(inner @ outer.T)
    reads, writes = first @ left, last @ right.T
    rows = writes.abs().argmax(0)
    sign = writes[rows, torch.arange(len(rows), device=rows.device)].sign()
    return Circuit(reads * sign, values, writes * sign)


def _read_through(norm: Norm, matrix: Float[Tensor, "d_model some"]) -> Tensor:
    """What reads a norm's output as what reads its input, but for the scale."""
    if isinstance(norm, NoNorm):
        return matrix
    weighted = norm.weight.double()[:, None] * matrix
    return weighted - weighted.mean(0) if isinstance(norm, LayerNorm) else weighted


def written_through(norm: Norm, matrix: Float[Tensor, "some d_model"]) -> Tensor:
    """What is written as a norm passes it on, but for the scale."""
    if isinstance(norm, NoNorm):
        return matrix
    if isinstance(norm, LayerNorm):
        matrix = matrix - matrix.mean(-1, keepdim=True)
    return matrix * norm.weight.double()


def _without_weight(norm: Norm, stream: Float[Tensor, "tokens d_model"]) -> Tensor:
    """A stream as a norm without weight and bias gives it."""
    if isinstance(norm, NoNorm):
        return stream
    if isinstance(norm, LayerNorm):
        stream = stream - stream.mean(-1, keepdim=True)
    return stream / (stream.square().mean(-1, keepdim=True) + norm.epsilon).sqrt()


def _largest(model: Model, scores: Tensor, known: Tensor, count: int) -> str:
    ids = known[scores.topk(min(count, len(scores))).indices].tolist()
    if model.tokenizer is None:
        return " ".join(map(str, ids))
    return " ".join(text.strip() or repr(text) for text in model.tokenizer.decode(ids))
