"""Duplicate-token, previous-token and induction scores, on repeated random tokens or on text.

A score is the attention that a head pays, from a position to which the question applies, to where
it leads; the mean over such positions of a row, then over rows:

- previous token: to the position before;
- duplicate token: to earlier positions with the same token;
- induction: to positions that follow earlier ones with the same token.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from attrs import frozen
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scrub import names
from scrub.data.dataset import Dataset, Rows, pad
from scrub.engine.activations import ActivationCache
from scrub.errors import UserError
from scrub.model.registry import Model
from scrub.model.tokenizer import FileTokenizer
from scrub.observations.heads import by_layer, head_name, named_heads, role_of
from scrub.observations.observation import Observation, frame_of, spread
from scrub.observations.picture import Grid
from scrub.observations.subject import Values, weights_of
from scrub.runner.progress import SILENT, Progress

SCORES = ("previous_token", "duplicate_token", "induction")
HALF, SEQUENCES, FEWEST = 25, 50, 4
"""Tokens that are repeated once, at most; rows of them; and how many there must be at least."""
WINDOW = 256
"""Tokens of a text in one row, at most."""
LISTED = 8
"""Words that a message lists."""


def token_scores(values: Values, model: Model, of: Any = None) -> Observation:
    """How much each head attends to the previous token, to duplicates, and after duplicates.

    Args:
        values: of rows of tokens: see `repeated_tokens`, `text_tokens`.
        of: heads; default: all.

    Returns:
        One row a head: component, layer, head, role; each score with its sd over rows, NaN where no
        position of any row is one to which it applies.

    Raises:
        UserError: there is no such head, or what is named is no head.
    """
    heads = named_heads(of, model, "attention patterns")
    layers = by_layer(heads)
    data, found = values.rows.data, []
    for part in values.parts([names.attention_site(layer, "pattern") for layer in layers]):
        tokens = torch.tensor(data.inputs["tokens"][part.rows.index][:, : data.width])
        lengths = torch.tensor(data.lengths[part.rows.index])
        masks = {name: mask.to(values.cache.graph.device) for name, mask in
                 positions_asked(tokens, lengths).items()}  # fmt: skip
        scores = []
        for layer, numbers in layers.items():
            pattern = part.value(names.attention_site(layer, "pattern"))[:, :, numbers]
            scores.append(torch.stack([attended(pattern, masks[name]) for name in SCORES], -1))
        found.append(torch.cat(scores, dim=1).cpu().numpy())
    every = np.concatenate(found)  # [rows, heads, scores]
    rows = []
    for number, head in enumerate(heads):
        row: dict[str, Any] = {
            "component": head_name(head), "layer": head[0], "head": head[1],
            "role": role_of(head, model),
        }  # fmt: skip
        for place, name in enumerate(SCORES):
            figures = spread(every[:, number, place], name)
            row |= {name: figures[name], f"{name}_sd": figures["sd"]}
        rows.append(row)
    notes = (
        "scores: attention to the token before, to earlier copies of the token, and to what "
        "followed them; means over the positions to which each applies",
    )
    title, grid = f"Attention by tokens on {data.name}", Grid("component", "", SCORES, "attention")
    return Observation(title, model.name, frame_of(rows), notes, grid, SCORES)


def positions_asked(
    tokens: Int[Tensor, "rows positions"], lengths: Int[Tensor, " rows"]
) -> dict[str, Bool[Tensor, "rows positions positions"]]:
    """For each score, which pairs of a query and a key it is about; the query comes first."""
    width = tokens.shape[1]
    index = torch.arange(width)
    real = index < lengths[:, None]
    pair = real[:, :, None] & real[:, None, :]
    earlier = index[:, None] > index
    same = (tokens[:, :, None] == tokens[:, None, :]) & earlier & pair
    after = torch.zeros_like(same)
    after[:, :, 1:] = same[:, :, :-1]
    before = (index[:, None] == index + 1) & pair
    return {"previous_token": before, "duplicate_token": same, "induction": after}


def attended(
    pattern: Float[Tensor, "rows positions heads positions"],
    asked: Bool[Tensor, "rows positions positions"],
) -> Float[Tensor, "rows heads"]:
    """The attention paid to what is asked about, a mean over positions that have any of it."""
    paid = torch.einsum("nqhk,nqk->nqh", pattern.double(), asked.double())
    return paid.sum(1) / asked.any(-1).sum(1, keepdim=True)


def repeated_tokens(model: Model, seed: int) -> Dataset:
    """Rows of different random tokens that come twice, in the same order: [50, twice 25 or fewer].

    No beginning-of-text token stands before them; special tokens are not among them.

    Raises:
        UserError: the model knows too few tokens, or takes too few positions.
    """
    known = ordinary_tokens(model)
    half = min(HALF, len(known), (model.graph.width or 2 * HALF) // 2)
    if half < FEWEST:
        raise UserError(
            f'Repeated random tokens do not apply to model "{model.name}": it knows {len(known)} '
            f"tokens and takes {model.graph.width} positions, and {FEWEST} different tokens that "
            "come twice are needed."
        )
    draw = np.random.default_rng(seed)
    once = np.stack([draw.choice(known, half, replace=False) for _ in range(SEQUENCES)])
    name = f"{SEQUENCES} rows of {half} random tokens that come twice, seed {seed}"
    tokens = np.concatenate([once, once], axis=1)
    return Dataset(name, {"tokens": tokens}, np.full(SEQUENCES, 2 * half))


def ordinary_tokens(model: Model) -> np.ndarray:
    """Token ids of a model that are no special tokens, in order."""
    tokenizer, count = model.tokenizer, weights_of(model).embedding.shape[0]
    if not isinstance(tokenizer, FileTokenizer):
        return np.arange(count)
    added = tokenizer.backend.get_added_tokens_decoder().items()
    special = {number for number, token in added if token.special}
    special |= {tokenizer.pad, tokenizer.unknown}
    known = min(count, tokenizer.backend.get_vocab_size(with_added_tokens=True))
    return np.array([number for number in range(known) if number not in special])


@frozen
class Text:
    """A text and what it is called.

    Attributes:
        option: what messages say before the name: "--text".
    """

    text: str
    name: str = "the text"
    option: str = ""

    def __str__(self) -> str:
        return f"{self.option} {self.name}".strip()


def text_tokens(model: Model, given: Text) -> Dataset:
    """A text in the model's tokens, cut into rows of at most 256 tokens, or what the model takes.

    Raises:
        UserError: the model has no tokenizer, or one that does not know words of the text.
    """
    tokenizer, text = model.tokenizer, given.text
    if tokenizer is None:
        raise UserError(f'{given} does not apply to model "{model.name}": it has no tokenizer.')
    tokens = tokenizer.encode(text)
    unknown = getattr(tokenizer, "unknown", None)
    if unknown is not None and unknown in tokens:
        words = dict.fromkeys(w for w in text.split() if unknown in tokenizer.encode(w))
        listed = ", ".join(f'"{word}"' for word in list(words)[:LISTED])
        more = f" and {len(words) - LISTED} more" if len(words) > LISTED else ""
        every = len(dict.fromkeys(text.split()))
        raise UserError(
            f'{given} does not apply to model "{model.name}": its tokenizer does not cover '
            f"{len(words)} of {every} words: {listed}{more}. Give a text in words that it knows."
        )
    if len(tokens) < 2:
        raise UserError(f"{given} is {len(tokens)} tokens long. Give a text of two or more.")
    width = min(WINDOW, model.graph.width or WINDOW)
    rows = [tokens[first : first + width] for first in range(0, len(tokens), width)]
    lengths = np.array([len(row) for row in rows])
    name = f"{given.name}, {len(tokens):,} tokens"
    return Dataset(name, {"tokens": pad(rows, tokenizer.pad)}, lengths)


def all_rows(data: Dataset, model: Model, memory: int, progress: Progress = SILENT) -> Values:
    """Plain values of all rows of a dataset, which are kept no longer than these."""
    rows = Rows(data, np.arange(len(data)))
    return Values(ActivationCache(model.graph), rows, memory, progress)
