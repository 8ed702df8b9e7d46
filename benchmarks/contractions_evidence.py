"""What the parts of the contraction models do, by replacing their values in a forward pass.

Nothing of scrub's engine is used: `wiring_forward.py` computes straight from the tensors.
"""

from __future__ import annotations

from typing import Any

from cards import table
from contractions_wiring import READER, contractions
from wiring_evidence import Asked, difference, on_rows, tokens_of
from wiring_forward import Record, run
from wiring_parts import Wired

from scrub.data.dataset import Tokenizer

PARTS = {
    "z": "reading heads, all that they write",
    "value": "reading heads, their value",
    "pattern": "reading heads, their pattern",
    "others": "all other heads",
    "MLP 1": "MLP 1",
    "MLP 2": "MLP 2",
}
"""Parts, in words."""


def swapped(one: Asked, part: str, change: str) -> Record:
    """The rows, with one part as it is in their changed copies.

    Args:
        one: the model on its rows.
        part: "z" of the readers (all that they write); their "pattern"; their "value" (what they
            read there, with the pattern of the row); "others" (z of all other heads); "MLP 1" or
            "MLP 2".
        change: of which copies.
    """
    readers, (copies, record) = one.model.roles[READER], one.others[change]
    if part == "z":
        return one.told(change, readers, at=None)
    if part == "pattern":
        return one.again(attention={(i, j): record.attention[:, i, j] for i, j in readers})
    if part == "value":
        own = {(i, j): one.own.attention[:, i, j] for i, j in readers}
        read = run(one.model.state, tokens_of(copies), attention=own)
        return one.again(z={(i, j): read.z[:, i, j] for i, j in readers})
    if part == "others":
        shape = range(one.model.layers), range(one.model.shape.heads)
        others = [(i, j) for i in shape[0] for j in shape[1] if (i, j) not in readers]
        return one.told(change, others, at=None)
    return one.told(change, mlps=[int(part.removeprefix("MLP "))], at=None)


def asked(
    model: Wired, tokenizer: Tokenizer, pairs: contractions.Pairs, rows: int, seed: int
) -> Asked:
    """A model on rows of some pairs, and on their copies with one thing changed, by what it is."""
    recipe = contractions.prompts(rows, pairs=pairs, seed=seed)
    changes: list[Any] = [*contractions.TASK.corruptions]  # `changed` takes these names alone
    copies = {name: contractions.changed(recipe, name).make(tokenizer) for name in changes}
    return on_rows(model, recipe.make(tokenizer), copies, difference("answer", "other"))


def evidence(model: Wired, tokenizer: Tokenizer, rows: int, seed: int) -> str:
    """All of it, as Markdown."""
    same, differ = (asked(model, tokenizer, pairs, rows, seed) for pairs in ("same", "differ"))
    lines = [
        f"Printed by `python benchmarks/contractions_models.py --rows {rows} --seed {seed}`:",
        f"{rows} rows each, half of them contracted.",
        "",
        *table(
            [
                "pairs",
                "`answer` is the likeliest token",
                "`copied` is",
                "logit(answer) − logit(other)",
            ],
            (
                [
                    name,
                    *(f"{one.share(label):.1%}" for label in ("answer", "copied")),
                    f"{one.mean(one.own):.2f}",
                ]
                for name, one in (("agree", same), ("differ", differ))
            ),
        ),
        "In pairs that agree, logit(answer) − logit(other) where a part is as in the row's changed",
        "copy (see `datasets/contractions.py`):",
        "",
        *table(
            ["part", *(f"`{name}`" for name in same.others)],
            (
                [words, *(f"{same.mean(swapped(same, part, one)):.2f}" for one in same.others)]
                for part, words in PARTS.items()
            ),
        ),
    ]
    return "\n".join(lines)
