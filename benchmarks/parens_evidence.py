"""Print, as Markdown, how well the embedded model `parens` knows balanced strings.

    python benchmarks/parens_evidence.py [DIRECTORY] [--rows N] [--seed K] [--card]

`--card` also puts it in the directory's README.md, under the heading "Evidence". The strings that
the model was trained on are made again, to say which of the held-out ones it had never seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice, product
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from cards import answer, parser
from parens_training import STEPS, Batch, batch_of, batches, classify, parens_strings
from safetensors.torch import load_file
from torch import Tensor

EVERY = 14
"""Parentheses of the longest strings of which all are tried."""
PIECES = ("()", "(())", "(()())", ")(")


def answers(state: Mapping[str, Tensor], batch: Batch) -> Tensor:
    """Logit of balanced minus that of unbalanced: [B]."""
    with torch.no_grad():
        parts = torch.arange(len(batch)).split(2000)
        logits = torch.cat([classify(state, batch.take(part)) for part in parts])
    return logits[:, 1] - logits[:, 0]


def trained_on(steps: int, seed: int) -> Tensor:
    """`Batch.codes` of the strings of a training run, sorted."""
    return torch.cat([batch.codes() for batch in islice(batches(seed), steps)]).unique()


def by_kind(state: Mapping[str, Tensor], seen: Tensor, rows: int, seed: int) -> Iterator[str]:
    """The table: a line per kind, then the mixture."""
    yield "| kind | balanced | right | never trained on | of these right | logit difference |"
    yield "| --- | --- | --- | --- | --- | --- |"
    made = {
        kind: batch_of(parens_strings.generated_by_kind(kind, rows, seed=seed))
        for kind in parens_strings.KINDS
    }
    mixture = batch_of(parens_strings.generated(rows, seed=seed))
    for name, batch in [*made.items(), ("the mixture", mixture)]:
        difference = answers(state, batch)
        right = ((difference > 0) == (batch.label == 1)).double()
        new = ~torch.isin(batch.codes(), seen)
        yield (
            f"| {name} | {batch.label.double().mean():.1%} | {right.mean():.3%} "
            f"| {int(new.sum())} | {right[new].mean():.3%} | {difference.abs().mean():.1f} |"
        )
    loss = F.binary_cross_entropy_with_logits(
        answers(state, mixture).double(), mixture.label.double()
    )
    yield f"\nMean cross-entropy on the mixture: {loss:.1e} nats."


def pieced(rows: int, seed: int) -> list[str]:
    """Strings of `PIECES`, 36 to 40 parentheses long: no kind that the model was trained on."""
    rng = np.random.default_rng(seed)
    strings = []
    for _ in range(rows):
        text = ""
        while len(text) < parens_strings.LONGEST - 4:
            text += PIECES[rng.integers(len(PIECES))]
        strings.append(text[: parens_strings.LONGEST])
    return strings


def of_other_strings(state: Mapping[str, Tensor], rows: int, seed: int) -> str:
    """How many it gets wrong of a kind that it was not trained on."""
    batch = batch_of(pieced(rows, seed))
    wrong = int(((answers(state, batch) > 0) != (batch.label == 1)).sum())
    pieces = ", ".join(f"`{piece}`" for piece in PIECES)
    return (
        f"Of {rows} strings of a kind that it was not trained on (36 to 40 parentheses, put\n"
        f"together from {pieces} at random) it gets {wrong} wrong."
    )


def of_every_string(state: Mapping[str, Tensor]) -> str:
    """How many of all short strings it gets wrong."""
    lengths = range(1, EVERY + 1)
    strings = ["".join(letters) for n in lengths for letters in product("()", repeat=n)]
    batch = batch_of(strings)
    wrong = int(((answers(state, batch) > 0) != (batch.label == 1)).sum())
    return f"Of all {len(strings)} strings of 1 to {EVERY} parentheses it gets {wrong} wrong."


def evidence(directory: Path, rows: int, seed: int) -> str:
    """Everything, as Markdown."""
    state = load_file(directory / "model.safetensors")
    command = f"python benchmarks/parens_evidence.py --rows {rows} --seed {seed}"
    lines = [
        f"Printed by `{command}`: {rows} held-out strings",
        "of each kind. Short strings are few, and training has seen most: two columns count the",
        "others. Logit difference: mean of its absolute value.",
        "",
        *by_kind(state, trained_on(STEPS, 0), rows, seed),
        "",
        of_every_string(state),
        "",
        of_other_strings(state, rows, seed),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    answer(parser(rows=20_000, usual="parens"), evidence)
