"""Copy scores: how often a head's OV circuit writes the token that it reads.

As Wang et al. (2022, section 3.1) do: the stream after the first MLP goes through the head's own
norm, its W_V (with bias) and W_O, and through the final norm, with the scale of what the head
writes, to the logits. A token is copied if it is among the largest few of them. `-OV` writes the
negative: a head that copies so says "not this token".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from attrs import evolve, frozen
from jaxtyping import Float, Int
from torch import Tensor

from scrub import names
from scrub.errors import UserError
from scrub.hypothesis.sites import Head, Spec
from scrub.model.registry import Model
from scrub.model.weights import ACTIVATIONS, MLP, Attention
from scrub.observations.heads import by_layer, head_name, named_heads, role_of
from scrub.observations.observation import Observation, frame_of
from scrub.observations.picture import Grid
from scrub.observations.subject import Subject, Values, check_words, weights_of
from scrub.observations.tokens import ordinary_tokens
from scrub.runner.options import is_whole

WITHIN = 5
"""Logits among which a copied token is, as in Wang et al. (2022)."""
WORDS = 200
"""Tokens of the vocabulary that are tried, at most, where there is no data."""
PROMPTS = 100
"""Rows of data that are tried, at most: all logits are computed for each head and token."""
NORM = "final norm: applied to what the head writes, with its bias, as Wang et al. (2022) do"


@frozen(eq=False)
class Read:
    """What heads read of some tokens: by layer, the stream before it, [tokens, d_model].

    Attributes:
        tokens: int64 [tokens].
        first: what the first layer's heads read; the others read `later`.
    """

    tokens: Int[Tensor, " tokens"]
    first: Float[Tensor, "tokens d_model"]
    later: Float[Tensor, "tokens d_model"]


def copying_of_words(
    model: Model, of: Any = None, within: int = WITHIN, seed: int = 0
) -> Observation:
    """Copy scores of heads on single tokens: embedded, and through MLP 0.

    Args:
        of: heads; default: all.
        within: a token is copied if it is among so many largest logits.
        seed: by which 200 tokens are drawn from the vocabulary, where it has more.

    Returns:
        One row a head: component, layer, head, role, copying and negative (shares of tokens that
        OV and −OV copy), rank (median of the token's rank under OV, 0 the largest), n.

    Raises:
        UserError: there is no such head, what is named is no head, or logits are no tokens.
    """
    check_words(model)
    known = ordinary_tokens(model)
    drawn = known
    if len(known) > WORDS:
        drawn = np.sort(np.random.default_rng(seed).choice(known, WORDS, replace=False))
    tokens = torch.tensor(drawn, device=model.graph.device)
    with torch.no_grad():
        read = embedded(model, tokens)
        about = f"{len(drawn)} of {len(known)} tokens" if len(drawn) < len(known) else "every token"
        title = f"OV circuits on {about}, through MLP 0"
        return _observation(model, [read], of, within, title, model.name)


def copying_of_rows(
    subject: Subject, of: Any = None, at: Any = None, within: int = WITHIN
) -> Observation:
    """Copy scores of heads on a behaviour's prompts: on what stands at some columns.

    Args:
        at: position columns; default: those that always hold a label's token. Of more than 100
            rows 100 are tried, evenly spread.

    Returns, Raises:
        As `copying_of_words`, a token for each row and column; or no column holds labels.
    """
    check_words(subject.model)
    specs = label_columns(subject) if at is None else subject.positions(at)
    if not specs:
        raise UserError(
            f'No position column of dataset "{subject.data.name}" always holds a label\'s token. '
            "Say which tokens to copy: at= (--at), of: "
            f"{', '.join(subject.data.positions) or 'none'}."
        )
    tried = _spread_out(subject.values)
    columns = ", ".join(map(str, specs))
    title = f"OV circuits at {columns} of {len(tried.rows)} rows, after layer 0"
    reads = _read_in_rows(tried, specs)
    return _observation(subject.model, reads, of, within, title, subject.about)


def label_columns(subject: Subject) -> tuple[Spec, ...]:
    """The position columns that hold the token of one and the same label in every row."""
    data, rows = subject.data, subject.values.rows.index
    tokens = data.inputs["tokens"][rows]
    standing = {
        name: np.take_along_axis(tokens, at[rows][:, None], axis=1)[:, 0]
        for name, at in data.positions.items()
    }
    return tuple(
        name
        for name, there in standing.items()
        if any(np.array_equal(there, ids[rows]) for ids in data.labels.values())
    )


def _spread_out(values: Values) -> Values:
    """At most 100 of the rows, evenly spread over them."""
    count = len(values.rows)
    which = np.arange(min(count, PROMPTS)) * count // min(count, PROMPTS)
    return evolve(values, rows=values.rows.at(values.rows.index[which]))


def _read_in_rows(values: Values, specs: tuple[Spec, ...]) -> Iterator[Read]:
    before, after = names.resid_pre(0), names.resid_pre(1)
    for part in values.parts([before, after]):
        at = part.index(*specs)
        tokens = torch.tensor(part.rows.data.inputs["tokens"][part.rows.index], device=at.device)
        streams = (part.value(name, at)[:, :, 0].flatten(0, 1) for name in (before, after))
        yield Read(tokens.gather(1, at).flatten(), *streams)


def embedded(model: Model, tokens: Int[Tensor, " tokens"]) -> Read:
    """What heads read of single tokens: their embedding, and with what MLP 0 adds to it."""
    weights = weights_of(model)
    first = weights.embedding[tokens]
    mlp = weights.blocks[0].mlp
    return Read(tokens, first, first if mlp is None else first + applied(mlp, first))


def applied(mlp: MLP, stream: Float[Tensor, "tokens d_model"]) -> Float[Tensor, "tokens d_model"]:
    """What an MLP writes of a stream."""
    normed = mlp.norm(stream)
    neurons = ACTIVATIONS[mlp.activation](mlp.pre(normed))
    return mlp.post(neurons if mlp.linear is None else neurons * mlp.linear(normed))


def written_by(
    attention: Attention, head: int, read: Float[Tensor, "tokens d_model"]
) -> Float[Tensor, "tokens d_model"]:
    """What a head writes of what it attends to alone: through its norm, W_V with bias, and W_O."""
    shared = len(attention.output) // len(attention.value.weight)
    which = torch.tensor([head // shared], device=read.device)
    value = attention.value(attention.norm(read)[:, None, None], which)[:, 0, 0]
    return value @ attention.output[head]


def ranks(
    model: Model, written: Float[Tensor, "tokens d_model"], tokens: Int[Tensor, " tokens"]
) -> Int[Tensor, "2 tokens"]:
    """How many logits of what is written, and of its negative, are larger than the token's own.

    Law: logits of the negative are 2c − logits, where c are those of nothing: the biases.
    """
    weights = weights_of(model)

    def logits(stream: Tensor) -> Tensor:
        return weights.unembedding(weights.norm_final(stream))

    plus, nothing = logits(written), logits(torch.zeros_like(written[:1]))
    both = (plus, 2 * nothing - plus)
    return torch.stack([(one > one.gather(-1, tokens[:, None])).sum(-1) for one in both])


def _observation(
    model: Model, reads: Iterable[Read], of: Any, within: int, title: str, about: str
) -> Observation:
    if not is_whole(within) or within < 1:
        raise UserError(f"within={within!r}. Give a whole number, 1 or more.")
    heads, blocks = named_heads(of, model, "OV circuits"), weights_of(model).blocks
    found: dict[Head, list[Tensor]] = {}
    for read in reads:
        for layer, numbers in by_layer(heads).items():
            stream = read.later if layer else read.first
            for head in numbers:
                written = written_by(blocks[layer].attention, head, stream)
                found.setdefault((layer, head), []).append(ranks(model, written, read.tokens).cpu())
    rows = []
    for head in heads:
        plus, minus = torch.cat(found[head], dim=1).double().numpy()
        figures = {
            "component": head_name(head), "layer": head[0], "head": head[1],
            "role": role_of(head, model), "copying": (plus < within).mean(),
            "negative": (minus < within).mean(), "rank": np.median(plus), "n": len(plus),
        }  # fmt: skip
        rows.append(figures)
    notes = (
        f"copying: share of tokens among the {within} largest logits of OV; negative: of −OV; "
        "rank: median, 0 is the largest",
        NORM,
    )
    grid = Grid("component", "", ("copying", "negative"), "share of tokens")
    return Observation(title, about, frame_of(rows), notes, grid, ("copying", "negative"))
