"""What the parts of `sequences-planted` and its twins do, by replacing values in a forward pass.

Nothing of scrub's engine is used: `wiring_forward.py` computes straight from the tensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from attrs import frozen
from sequences_wiring import KINDS, sequences
from torch import Tensor
from wiring_forward import Record, run
from wiring_parts import Place, Wired

from scrub.data.dataset import Dataset, Tokenizer

ALL: dict[str, Any] = {"directions": ("up", "down", "repeat"), "steps": (1, 2)}
DATA: dict[str, dict[str, Any]] = {
    "up by 1": {},
    "all": ALL,
    "all, with words between": {**ALL, "gaps": 2},
}
LOOKS = {
    "similar type": ("member3", ("member2",)),
    "sequence detection": ("end", ("member1", "member2", "member3")),
    "next": ("end", ("member3",)),
}
"""From where heads look, and to which members."""


@frozen(eq=False)
class Asked:
    """A model on rows, and on as many others whose tokens stand at the same places."""

    model: Wired
    data: Dataset
    own: Record
    others: Record
    others_next: Tensor

    def at_end(self, record: Record) -> Tensor:
        """Logits at END: [rows, tokens]."""
        return record.logits[torch.arange(len(self.data)), torch.tensor(self.data.positions["end"])]

    def right(self, record: Record) -> float:
        """How often the next member is the likeliest word."""
        said = self.at_end(record).argmax(1) == torch.tensor(self.data.labels["next"])
        return said.double().mean().item()

    def with_others(self, heads: Sequence[Place] = (), mlps: Sequence[int] = ()) -> Record:
        """The rows, with what these heads and MLPs say on the others."""
        z = {(layer, head): self.others.z[:, layer, head] for layer, head in heads}
        neurons = {layer: self.others.neurons[:, layer] for layer in mlps}
        return run(self.model.state, torch.tensor(self.data.inputs["tokens"]), z, neurons)

    def looks(self, heads: Sequence[Place], at: str, to: Sequence[str]) -> float:
        """The least attention that a position pays to some in all, over rows and heads."""
        rows = torch.arange(len(self.data))
        places = torch.tensor(self.data.positions[at])
        where = torch.stack([torch.tensor(self.data.positions[name]) for name in to], 1)
        there = [
            self.own.attention[rows, layer, head, places].gather(1, where).sum(1).min()
            for layer, head in heads
        ]
        return min(there).item()


def asked(model: Wired, tokenizer: Tokenizer, rows: int, seed: int, **prompted: Any) -> Asked:
    """A model on held-out rows (all are: nothing was trained)."""
    data, others = (
        sequences.prompts(rows, seed=at, **prompted).make(tokenizer) for at in (seed, seed + 1)
    )
    own, other = (run(model.state, torch.tensor(each.inputs["tokens"])) for each in (data, others))
    return Asked(model, data, own, other, torch.tensor(others.labels["next"]))


def evidence(model: Wired, tokenizer: Tokenizer, rows: int, seed: int) -> str:
    """All of it, as Markdown."""
    every = {
        (kind, name): asked(model, tokenizer, rows, seed, kinds=kind, **prompted)
        for kind in KINDS
        for name, prompted in DATA.items()
    }
    lines = [
        f"Printed by `python benchmarks/sequences_models.py --rows {rows} --seed {seed}`: {rows} "
        "rows of each",
        "kind. All: up, down or repeat, by 1 or 2.",
        "",
        "How often the next member is the likeliest word:",
        "",
        f"| rows | {' | '.join(KINDS)} |",
        f"| --- |{' --- |' * len(KINDS)}",
        *_right(every),
        "",
        "Least attention over rows and both heads, from a place to members:",
        "",
        f"| heads | from | to | {' | '.join(DATA)} |",
        f"| --- | --- | --- |{' --- |' * len(DATA)}",
        *_looked(model, every),
        "",
        "How often it still is, where parts say what they say on other rows of the kind (all):",
        "",
        f"| parts | {' | '.join(KINDS)} |",
        f"| --- |{' --- |' * len(KINDS)}",
        *_replaced(model, every),
    ]
    return "\n".join(lines) + "\n"


Every = Mapping[tuple[str, str], Asked]


def _right(every: Every) -> Iterator[str]:
    for name in DATA:
        shares = (every[kind, name].right(every[kind, name].own) for kind in KINDS)
        yield f"| {name} | {' | '.join(f'{share:.1%}' for share in shares)} |"


def _looked(model: Wired, every: Every) -> Iterator[str]:
    for role, heads in model.roles.items():
        at, to = LOOKS[role.removesuffix(" of words")]
        kind = "words" if role.endswith(" of words") else "digits"
        shares = (every[kind, name].looks(heads, at, to) for name in DATA)
        cells = " | ".join(f"{share:.3f}" for share in shares)
        members = "members" if len(to) > 1 else to[0]
        yield f"| {role}, on {kind} | {at} | {members} | {cells} |"


def _replaced(model: Wired, every: Every) -> Iterator[str]:
    named = {head for heads in model.roles.values() for head in heads}
    shape = (model.layers, model.shape.heads)
    rest = [(i, j) for i in range(shape[0]) for j in range(shape[1]) if (i, j) not in named]
    groups: dict[str, tuple[Sequence[Place], Sequence[int]]] = {
        f"{role}: {', '.join(f'{i}.{j}' for i, j in heads)}": (heads, ())
        for role, heads in model.roles.items()
    }
    groups |= {f"MLP {layer}": ((), (layer,)) for layer in range(model.layers)}
    if rest:
        groups["heads without a role"] = (rest, ())
    for name, (heads, mlps) in groups.items():
        shares = []
        for kind in KINDS:
            one = every[kind, "all"]
            shares.append(f"{one.right(one.with_others(heads, mlps)):.1%}")
        yield f"| {name} | {' | '.join(shares)} |"
