"""What the parts of `sequences-planted` and its twins do, by replacing values in a forward pass.

Nothing of scrub's engine is used: `wiring_forward.py` computes straight from the tensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cards import listed, table
from sequences_wiring import KINDS, sequences
from wiring_evidence import END, Asked, likeliest, on_rows
from wiring_forward import Record
from wiring_parts import Place, Wired, without_role

from scrub.data.dataset import Tokenizer

ALL: dict[str, Any] = {"directions": ("up", "down", "repeat"), "steps": (1, 2)}
DATA: dict[str, dict[str, Any]] = {
    "up by 1": {},
    "all": ALL,
    "all, with words between": {**ALL, "gaps": 2},
}
LOOKS = {
    "similar type": ("member3", ("member2",)),
    "sequence detection": (END, ("member1", "member2", "member3")),
    "next": (END, ("member3",)),
}
"""From where heads look, and to which members."""


def asked(model: Wired, tokenizer: Tokenizer, rows: int, seed: int, **prompted: Any) -> Asked:
    """A model on rows, and on others of the kind ("others"); its score: whether it is right."""
    data, others = (
        sequences.prompts(rows, seed=at, **prompted).make(tokenizer) for at in (seed, seed + 1)
    )
    return on_rows(model, data, {"others": others}, likeliest("next"))


def with_others(one: Asked, heads: Sequence[Place] = (), mlps: Sequence[int] = ()) -> Record:
    """The rows, with what these heads and MLPs say on the others."""
    return one.told("others", heads, mlps, at=None)


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
        *table(["rows", *KINDS], _right(every)),
        "Least attention over rows and both heads, from a place to members:",
        "",
        *table(["heads", "from", "to", *DATA], _looked(model, every)),
        "How often it still is, where parts say what they say on other rows of the kind (all):",
        "",
        *table(["parts", *KINDS], _replaced(model, every)),
    ]
    return "\n".join(lines)


Every = Mapping[tuple[str, str], Asked]


def _right(every: Every) -> Iterator[list[str]]:
    for name in DATA:
        yield [name, *(f"{one.mean(one.own):.1%}" for one in (every[kind, name] for kind in KINDS))]


def _looked(model: Wired, every: Every) -> Iterator[list[str]]:
    for role, heads in model.roles.items():
        at, to = LOOKS[role.removesuffix(" of words")]
        kind = "words" if role.endswith(" of words") else "digits"
        shares = (every[kind, name].looks(heads, at, *to) for name in DATA)
        members = "members" if len(to) > 1 else to[0]
        yield [f"{role}, on {kind}", at, members, *(f"{share:.3f}" for share in shares)]


def _replaced(model: Wired, every: Every) -> Iterator[list[str]]:
    groups: dict[str, tuple[Sequence[Place], Sequence[int]]] = {
        f"{role}: {listed(heads)}": (heads, ()) for role, heads in model.roles.items()
    }
    groups |= {f"MLP {layer}": ((), (layer,)) for layer in range(model.layers)}
    if rest := without_role(model):
        groups["heads without a role"] = (rest, ())
    for name, parts in groups.items():
        asked_all = (every[kind, "all"] for kind in KINDS)
        yield [name, *(f"{one.mean(with_others(one, *parts)):.1%}" for one in asked_all)]
