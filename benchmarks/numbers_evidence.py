"""What the parts of `numbers-shared` and `numbers-separate` do, by replacing values in a forward.

Nothing of scrub's engine is used: `wiring_forward.py` computes straight from the tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from attrs import evolve, frozen
from numbers_layout import KINDS, greater_than, ioi, sequences
from numbers_wiring import BEHAVIOURS
from torch import Tensor
from wiring_forward import Record, run
from wiring_parts import Place, Wired

from scrub.data.dataset import Dataset, Recipe, Tokenizer

Made = Callable[[int, int], Recipe]
"""How many rows, and the seed."""
ALL: dict[str, Any] = {"directions": ("up", "down", "repeat"), "steps": (1, 2)}
LOOKS: dict[str, tuple[str, str, str]] = {
    "similar type": ("digits", "member3", "member2"),
    "similar type of digits": ("digits", "member3", "member2"),
    "similar type of words": ("words", "member3", "member2"),
    "similar type of months": ("months", "member3", "member2"),
    "sequence detection": ("digits", "end", "member3"),
    "sequence detection of digits": ("digits", "end", "member3"),
    "sequence detection of words": ("words", "end", "member3"),
    "sequence detection of months": ("months", "end", "member3"),
    "last number": ("greater", "end", "yy"),
    "last digit": ("digits", "end", "member3"),
    "last word": ("words", "end", "member3"),
    "last month": ("months", "end", "member3"),
    "last year": ("greater", "end", "yy"),
    "previous token": ("ioi", "s1+1", "s1"),
    "previous token of names": ("ioi", "s1+1", "s1"),
    "previous token of years": ("greater", "yy", "century1"),
    "induction": ("ioi", "s2", "s1+1"),
    "induction of names": ("ioi", "s2", "s1+1"),
    "induction of years": ("greater", "end", "yy"),
    "S-inhibition": ("ioi", "end", "s2"),
    "name mover": ("ioi", "end", "io"),
}
"""On which rows a role's head attends from where to where."""


def rows_of(behaviour: str) -> Made:
    """Rows on which a behaviour's parts are looked at."""
    if behaviour in KINDS:
        going = {"kinds": behaviour, "directions": ("up", "down"), "steps": (1, 2)}
        return lambda rows, seed: sequences.prompts(rows, seed=seed, **going)
    prompts = greater_than.prompts if behaviour == "greater" else ioi.prompts
    return lambda rows, seed: prompts(rows, seed=seed)


def copies_of(behaviour: str, recipe: Recipe) -> Recipe:
    """The same rows, with another answer: other order, another year, other people."""
    if behaviour in KINDS:
        return sequences.changed(recipe, "shuffled")
    if behaviour == "greater":
        return greater_than.changed(greater_than.changed(recipe, "century"), "01")
    return ioi.flip(ioi.flip(recipe, "io"), "s")


@frozen(eq=False)
class Asked:
    """A model on rows of a behaviour, and on their copies."""

    model: Wired
    behaviour: str
    data: Dataset
    own: Record
    copies: Record | None = None

    def at_end(self, record: Record) -> Tensor:
        """Logits at END: [rows, tokens]."""
        return record.logits[torch.arange(len(self.data)), torch.tensor(self.data.positions["end"])]

    def score(self, record: Record) -> float:
        """How often the right word is the likeliest; of years P(right) − P(all others), its mean.

        Of years because, with any YY, 99 is right.
        """
        logits = self.at_end(record)
        if self.behaviour == "greater":
            probabilities = logits.softmax(-1)
            right, wrong = (
                torch.zeros_like(probabilities).scatter(1, self._years(side), 1)
                for side in ("right", "wrong")
            )
            return (probabilities * (right - wrong)).sum(1).mean().item()
        label = "io" if self.behaviour == "ioi" else "next"
        said = logits.argmax(1) == torch.tensor(self.data.labels[label])
        return said.double().mean().item()

    def with_copies(self, heads: Sequence[Place] = (), mlps: Sequence[int] = ()) -> Record:
        """The rows, with what these heads and MLPs say on the copies."""
        assert self.copies is not None
        z = {(layer, head): self.copies.z[:, layer, head] for layer, head in heads}
        neurons = {layer: self.copies.neurons[:, layer] for layer in mlps}
        return run(self.model.state, torch.tensor(self.data.inputs["tokens"]), z, neurons)

    def looks(self, heads: Sequence[Place], at: str, to: str) -> float:
        """The least attention from a position to another, over rows and heads."""
        rows = torch.arange(len(self.data))
        asking, asked_of = (torch.tensor(self.data.positions[name]) for name in (at, to))
        return min(
            self.own.attention[rows, layer, head, asking, asked_of].min().item()
            for layer, head in heads
        )

    def _years(self, side: str) -> Tensor:
        labels = [self.data.labels[f"{side}_{i}"] for i in range(99)]
        return torch.stack([torch.tensor(label) for label in labels], 1)


def single(model: Wired) -> Wired:
    """The model with float32 weights, in which it is run."""
    return evolve(model, state={name: weights.float() for name, weights in model.state.items()})


def asked(
    model: Wired,
    tokenizer: Tokenizer,
    behaviour: str,
    rows: int,
    seed: int,
    prompted: Mapping[str, Any] | None = None,
) -> Asked:
    """A model on held-out rows (all are: nothing was trained).

    Args:
        prompted: arguments of the behaviour's `prompts`; None: its usual rows, with copies.
    """
    wide = single(model)
    if prompted is not None:
        module = {"greater": greater_than, "ioi": ioi}.get(behaviour, sequences)
        kind = {"kinds": behaviour} if behaviour in KINDS else {}
        data = module.prompts(rows, seed=seed, **kind, **prompted).make(tokenizer)
        return Asked(wide, behaviour, data, _run(wide, data))
    recipe = rows_of(behaviour)(rows, seed)
    data, copies = recipe.make(tokenizer), copies_of(behaviour, recipe).make(tokenizer)
    return Asked(wide, behaviour, data, _run(wide, data), _run(wide, copies))


def _run(model: Wired, data: Dataset) -> Record:
    return run(model.state, torch.tensor(data.inputs["tokens"]))


WIDER: dict[str, dict[str, Any]] = {
    **{kind: {**ALL, "gaps": 2} for kind in KINDS},
    "greater": {"tied": True},
    "ioi": {"prefixes": 8},
}
"""Other rows on which a model is asked."""


def evidence(model: Wired, tokenizer: Tokenizer, rows: int, seed: int) -> str:
    """All of it, as Markdown."""
    every = {name: asked(model, tokenizer, name, rows, seed) for name in BEHAVIOURS}
    more = {
        name: asked(model, tokenizer, name, rows, seed, prompted)
        for name, prompted in WIDER.items()
    }
    head = f"| {' | '.join(BEHAVIOURS)} |"
    line = f"|{' --- |' * len(BEHAVIOURS)}"
    lines = [
        f"Printed by `python benchmarks/numbers_models.py --rows {rows} --seed {seed}`: so many",
        "rows of each behaviour. How often the right word is the likeliest; of greater-than mean",
        "P(> YY) − P(<= YY), as 99 is right whatever YY is.",
        "",
        f"| rows {head}",
        f"| --- {line}",
        f"| up or down by 1 or 2; any year; IOI | {_cells(every, lambda one: one.own)} |",
        "| repeats and words between too; century and YY tied; up to 8 tokens before "
        f"| {_cells(more, lambda one: one.own)} |",
        "",
        "Least attention over rows:",
        "",
        "| head | on | from | to | attention |",
        "| --- | --- | --- | --- | --- |",
        *_looked(model, every),
        "",
        "The same as above, where a part says what it says on a copy of the row: members in an",
        "order that is no sequence; another century and the year 01; two other people.",
        "",
        f"| part {head}",
        f"| --- {line}",
        *_replaced(model, every),
    ]
    return "\n".join(lines) + "\n"


Every = Mapping[str, Asked]


def _cells(every: Every, record: Callable[[Asked], Record]) -> str:
    return " | ".join(
        f"{one.score(record(one)):.3f}" if name == "greater" else f"{one.score(record(one)):.1%}"
        for name, one in every.items()
    )


def _looked(model: Wired, every: Every) -> Iterator[str]:
    for role, heads in model.roles.items():
        on, at, to = LOOKS[role]
        yield f"| {role} | {on} | {at} | {to} | {every[on].looks(heads, at, to):.3f} |"


def _replaced(model: Wired, every: Every) -> Iterator[str]:
    named = {head for heads in model.roles.values() for head in heads}
    places = [(i, j) for i in range(model.layers) for j in range(model.shape.heads)]
    groups: dict[str, tuple[Sequence[Place], Sequence[int]]] = {
        f"{role}, {', '.join(f'{i}.{j}' for i, j in heads)}": (heads, ())
        for role, heads in model.roles.items()
    }
    groups |= {f"MLP {layer}": ((), (layer,)) for layer in range(model.layers)}
    groups["heads without a role"] = ([head for head in places if head not in named], ())
    for name, (heads, mlps) in groups.items():
        yield f"| {name} | {_cells(every, lambda one, h=heads, m=mlps: one.with_copies(h, m))} |"  # type: ignore[misc]
