"""What the parts of the contraction models do, by replacing their values in a forward pass.

Nothing of scrub's engine is used: `wiring_forward.py` computes straight from the tensors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from attrs import frozen
from contractions_wiring import HEADS, contractions
from torch import Tensor
from wiring_forward import Record, run
from wiring_parts import Place

from scrub.data.dataset import Dataset, Tokenizer

LAYERS = 3


@frozen(eq=False)
class Asked:
    """A model's weights on rows, and on their copies with one thing changed."""

    state: Mapping[str, Tensor]
    readers: Sequence[Place]
    data: Dataset
    own: Record
    copies: Mapping[str, Dataset]
    changed: Mapping[str, Record]

    def said(self, record: Record) -> Tensor:
        """Logits at END, [rows, tokens]."""
        return record.logits[torch.arange(len(self.data)), _tensor(self.data.positions["end"])]

    def difference(self, record: Record, of: str = "answer", against: str = "other") -> float:
        """Mean logit of one label less that of another."""
        chosen = [_tensor(self.data.labels[name]) for name in (of, against)]
        logits = self.said(record).gather(1, torch.stack(chosen, 1))
        return (logits[:, 0] - logits[:, 1]).mean().item()

    def share(self, label: str) -> float:
        """In how many rows the label is the likeliest token."""
        return (
            (self.said(self.own).argmax(1) == _tensor(self.data.labels[label]))
            .double()
            .mean()
            .item()
        )

    def swapped(self, part: str, change: str) -> Record:
        """The rows, with one part as it is in their changed copies.

        Args:
            part: "z" of the readers (all that they write); their "pattern"; their "value" (what
                they read there, with the pattern of the row); "others" (z of all other heads);
                "MLP 1" or "MLP 2".
        """
        tokens, other = _tensor(self.data.inputs["tokens"]), self.changed[change]
        if part == "pattern":
            pattern = {(i, j): other.attention[:, i, j] for i, j in self.readers}
            return run(self.state, tokens, attention=pattern)
        if part.startswith("MLP"):
            layer = int(part.removeprefix("MLP "))
            return run(self.state, tokens, neurons={layer: other.neurons[:, layer]})
        source = other
        if part == "value":
            own = {(i, j): self.own.attention[:, i, j] for i, j in self.readers}
            source = run(self.state, _tensor(self.copies[change].inputs["tokens"]), attention=own)
        every = [(i, j) for i in range(LAYERS) for j in range(HEADS)]
        heads = [place for place in every if (place in self.readers) == (part != "others")]
        return run(self.state, tokens, {(i, j): source.z[:, i, j] for i, j in heads})


PARTS = ("z", "value", "pattern", "others", "MLP 1", "MLP 2")


def _tensor(values: object) -> Tensor:
    return torch.tensor(values)


def asked(
    state: Mapping[str, Tensor],
    readers: Sequence[Place],
    tokenizer: Tokenizer,
    pairs: contractions.Pairs,
    rows: int,
    seed: int,
) -> Asked:
    """A model on rows of some pairs (nothing was trained: all are held out)."""
    recipe = contractions.prompts(rows, pairs=pairs, seed=seed)
    data = recipe.make(tokenizer)
    names = contractions.TASK.corruptions
    copies = {name: contractions.changed(recipe, name).make(tokenizer) for name in names}
    records = {name: run(state, _tensor(copy.inputs["tokens"])) for name, copy in copies.items()}
    own = run(state, _tensor(data.inputs["tokens"]))
    return Asked(state, tuple(readers), data, own, copies, records)


def evidence(
    state: Mapping[str, Tensor],
    readers: Sequence[Place],
    tokenizer: Tokenizer,
    rows: int,
    seed: int,
) -> str:
    """All of it, as Markdown."""
    same, differ = (
        asked(state, readers, tokenizer, pairs, rows, seed) for pairs in ("same", "differ")
    )
    lines = [
        f"Printed by `python benchmarks/contractions_models.py --rows {rows} --seed {seed}`:",
        f"{rows} rows each, half of them contracted.",
        "",
        "| pairs | `answer` is the likeliest token | `copied` is | logit(answer) − logit(other) |",
        "| --- | --- | --- | --- |",
        *(
            f"| {name} | {one.share('answer'):.1%} | {one.share('copied'):.1%} "
            f"| {one.difference(one.own):.2f} |"
            for name, one in (("agree", same), ("differ", differ))
        ),
        "",
        "In pairs that agree, logit(answer) − logit(other) where a part is as in the row's changed",
        "copy (see `datasets/contractions.py`):",
        "",
        f"| part | {' | '.join(f'`{name}`' for name in same.changed)} |",
        f"| --- |{' --- |' * len(same.changed)}",
    ]
    names = {part: part for part in PARTS} | {
        "z": "reading heads, all that they write",
        "value": "reading heads, their value",
        "pattern": "reading heads, their pattern",
        "others": "all other heads",
    }
    for part in PARTS:
        figures = [f"{same.difference(same.swapped(part, change)):.2f}" for change in same.changed]
        lines.append(f"| {names[part]} | {' | '.join(figures)} |")
    return "\n".join(lines) + "\n"
