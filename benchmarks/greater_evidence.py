"""What the heads and MLPs of `greater-planted` and `greater-century` do, by replacing their values.

Nothing of scrub's engine is used: `wiring_forward.py` computes straight from the tensors.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from cards import listed, table
from greater_wiring import CENTURY1, LAYERS, SECOND, YY, greater_than
from torch import Tensor
from wiring_evidence import END, Asked, label, on_rows
from wiring_parts import Wired, without_role

from scrub.data.dataset import Dataset, Tokenizer

COPIES = ("01", "yy", "century", "noun", "relation")


def tokens(data: Dataset, side: str) -> Tensor:
    """Tokens of the right or wrong years, int64 [rows, 99], some repeated."""
    return torch.stack([label(data, f"{side}_{number}") for number in range(99)], 1)


def right_less_wrong(logits: Tensor, data: Dataset) -> Tensor:
    """P(right years) − P(wrong years), by the prompts' own YY: [rows]."""
    probabilities = logits.softmax(-1)
    right, wrong = (
        torch.zeros_like(probabilities).scatter(1, tokens(data, side), 1)
        for side in ("right", "wrong")
    )
    return (probabilities * (right - wrong)).sum(1)


def right(one: Asked) -> float:
    """How often the likeliest token is a right year."""
    said = one.at_end(one.own).argmax(1)[:, None]
    return (said == tokens(one.data, "right")).any(1).double().mean().item()


def asked(
    model: Wired,
    tokenizer: Tokenizer,
    rows: int,
    seed: int,
    *,
    relation: str = "greater",
    tied: bool = True,
) -> Asked:
    """A model on prompts, and on copies in which one thing is changed, by what it is."""
    recipe = greater_than.prompts(rows, relation=relation, tied=tied, seed=seed)  # type: ignore
    copies = {
        what: greater_than.changed(recipe, what).make(tokenizer)  # type: ignore
        for what in COPIES
    }
    return on_rows(model, recipe.make(tokenizer), copies, right_less_wrong)


def evidence(model: Wired, tokenizer: Tokenizer, rows: int, seed: int) -> str:
    """All of it, as Markdown."""
    kinds = [(relation, tied) for tied in (True, False) for relation in ("greater", "less")]
    every = {
        (relation, tied): asked(model, tokenizer, rows, seed, relation=relation, tied=tied)
        for relation, tied in kinds
    }
    one = every["greater", True]
    lines = [
        f"Printed by `python benchmarks/greater_models.py --rows {rows} --seed {seed}`: "
        f"{rows} prompts of",
        "each kind. The difference is P(right years) − P(wrong years).",
        "",
        *table(
            ["prompts", "the likeliest token is a right year", "difference"],
            (
                [
                    f"{relation} than, {'century and YY tied' if tied else 'any YY'}",
                    f"{right(found):.1%}",
                    f"{found.mean(found.own):.3f}",
                ]
                for (relation, tied), found in every.items()
            ),
        ),
        "Least attention from END, over greater-than prompts and both heads:",
        "",
        *table(
            ["role", "heads", "to the first century", "to YY", 'to "to"'],
            (
                [
                    role,
                    listed(heads),
                    *(f"{one.looks(heads, END, at):.3f}" for at in (CENTURY1, YY, SECOND)),
                ]
                for role, heads in model.roles.items()
            ),
        ),
        "Difference in tied greater-than prompts where some parts say at END what they say in a",
        "copy of the prompt in which one thing is changed:",
        "",
        *table(["parts", *COPIES], _changed(one)),
    ]
    return "\n".join(lines)


def _changed(one: Asked) -> Iterator[list[str]]:
    groups = {f"both {role} heads": heads for role, heads in one.model.roles.items()}
    for name, heads in (groups | {"all heads without a role": without_role(one.model)}).items():
        yield [name, *(f"{one.mean(one.told(copy, heads)):.3f}" for copy in COPIES)]
    for mlps in (*([layer] for layer in range(LAYERS)), [1, 2]):
        name = f"MLP {' and '.join(map(str, mlps))}"
        yield [name, *(f"{one.mean(one.told(copy, mlps=mlps)):.3f}" for copy in COPIES)]
