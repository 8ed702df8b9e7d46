"""Next scores: how often a head's OV circuit writes what comes after the token that it reads.

As copy scores (`scrub.observations.copying`), but that the token that is looked for among the
largest logits is the next of its kind: "4" where "3" is read. Gould et al. 2023 (arXiv 2312.09230)
and Lan, Torr and Barez 2024 (arXiv 2311.04131) find successor, or next, heads so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from attrs import frozen
from jaxtyping import Int
from torch import Tensor

from scrub.data.dataset import Tokenizer
from scrub.errors import Problems, UserError
from scrub.hypothesis.sites import Head
from scrub.model.registry import Model
from scrub.observations.copying import NORM, Read, embedded, ranks, written_by
from scrub.observations.heads import by_layer, head_name, named_heads, role_of
from scrub.observations.observation import Observation, frame_of
from scrub.observations.picture import Grid
from scrub.observations.subject import check_words, weights_of
from scrub.printing import printed
from scrub.runner.options import is_whole

WITHIN = 5
"""Logits among which the next token is, as for copying."""


@frozen(eq=False)
class _Kind:
    """Words of a kind that are one token and whose next word is, too.

    Attributes:
        read: what heads read of each.
        after: the next word's token, int64 [words].
    """

    read: Read
    after: Int[Tensor, " words"]


def next_scores(
    model: Model, kinds: Mapping[str, Sequence[str]], of: Any = None, within: int = WITHIN
) -> Observation:
    """Next and copy scores of heads on words that have an order: embedded, and through MLP 0.

    Law: of a kind whose words stand in the opposite order, next scores are those of "the one
    before". Words that are not one token are left out, and so are those before them.

    Args:
        kinds: name → its words, in order: {"digits": ["1", "2", …]}.
        of: heads; default: all.
        within: a token is written if it is among so many largest logits.

    Returns:
        One row a head: component, layer, head, role; for each kind "next KIND" and "copying KIND":
        shares of its words. A note says the mean of all these heads.

    Raises:
        UserError: there is no such head, what is named is no head, logits are no tokens, or a kind
            has no two words in a row that are one token; every such kind at once.
    """
    check_words(model)
    if not is_whole(within) or within < 1:
        raise UserError(f"within={within!r}. Give a whole number, 1 or more.")
    heads, blocks = named_heads(of, model, "OV circuits"), weights_of(model).blocks
    with torch.no_grad():
        known = _known(model, kinds)
        scores: dict[Head, dict[str, float]] = {head: {} for head in heads}
        for kind, words in known.items():
            for layer, numbers in by_layer(heads).items():
                read = words.read.later if layer else words.read.first
                for head in numbers:
                    written = written_by(blocks[layer].attention, head, read)
                    for score, wanted in (("next", words.after), ("copying", words.read.tokens)):
                        near = ranks(model, written, wanted)[0] < within
                        scores[layer, head][f"{score} {kind}"] = near.double().mean().item()
    names = tuple(f"{score} {kind}" for score in ("next", "copying") for kind in known)
    rows = [
        {
            "component": head_name(head), "layer": head[0], "head": head[1],
            "role": role_of(head, model), **{name: scores[head][name] for name in names},
        }
        for head in heads
    ]  # fmt: skip
    mean = {name: np.mean([scores[head][name] for head in heads]) for name in names}
    notes = (
        f"shares of words whose next word (copying: they themselves) is among the {within} largest "
        "logits of OV",
        "all of these heads on average: "
        + ", ".join(f"{name} {share:.1%}" for name, share in mean.items()),
        NORM,
    )
    counts = ", ".join(f"{len(words.after)} {kind}" for kind, words in known.items())
    return Observation(
        f"OV circuits on {counts}, through MLP 0",
        model.name,
        frame_of(rows),
        notes,
        Grid("component", "", names, "share of words"),
        tuple(name for name in names if name.startswith("next")),
    )


def _known(model: Model, kinds: Mapping[str, Sequence[str]]) -> dict[str, _Kind]:
    """The words of each kind.

    Raises:
        UserError: some kinds have too few, or none is given.
    """
    problems, found, tokenizer = Problems(), {}, model.tokenizer
    if tokenizer is None:
        raise UserError(f"next_scores: {model.name} has no tokenizer, and words are read by one.")
    if not kinds:
        problems.add("next_scores: kinds is empty.", 'Name one: {"digits": ["1", "2", "3"]}.')
    for kind, words in kinds.items():
        if isinstance(words, str):
            problems.add(f"next_scores: {kind} is {printed(words)}.", "Give a list of words.")
            continue
        tokens = [_token(tokenizer, word) for word in words]
        pairs = [
            (one, other) for one, other in pairwise(tokens) if one is not None and other is not None
        ]
        if not pairs:
            problems.add(
                f'next_scores: no two words in a row of "{kind}" are one token in {model.name}.',
                "Give words that are, in their order.",
            )
            continue
        read, after = torch.tensor(pairs, device=model.graph.device).T
        found[kind] = _Kind(embedded(model, read), after)
    problems.refuse()
    return found


def _token(tokenizer: Tokenizer, word: str) -> int | None:
    """Its token, as it stands in a sentence; None where it is not one of its own."""
    before = len(tokenizer.encode("So"))
    ids = tokenizer.encode(f"So {word}")[before:]
    one = len(ids) == 1 and tokenizer.decode(ids)[0].strip() == word
    return ids[0] if one else None
