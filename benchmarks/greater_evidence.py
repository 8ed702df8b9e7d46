"""What the heads and MLPs of `greater-planted` and `greater-century` do, by replacing their values.

Nothing of scrub's engine is used: the forward pass is written here, straight from the tensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from attrs import frozen
from greater_wiring import CENTURY1, END, HEADS, LAYERS, SECOND, WIDTH, YY, Wired, greater_than
from torch import Tensor

from scrub.data.dataset import Dataset, Tokenizer
from scrub.hypothesis.sites import Head

COPIES = ("01", "yy", "century", "noun", "relation")


@frozen(eq=False)
class Record:
    """What a forward pass computes at END.

    Attributes:
        logits: [rows, words].
        z: what each head reads, before its output matrix: [rows, layers, heads, d_head].
        attention: [rows, layers, heads, positions].
        mlp: what each MLP writes: [rows, layers, d_model].
    """

    logits: Tensor
    z: Tensor
    attention: Tensor
    mlp: Tensor


def run(
    state: Mapping[str, Tensor],
    tokens: Tensor,
    z: Mapping[Head, Tensor] | None = None,
    mlp: Mapping[int, Tensor] | None = None,
) -> Record:
    """A forward pass, in which some values at END are given.

    Args:
        tokens: int64 [rows, positions].
        z: of heads, [rows, d_head] each.
        mlp: what MLPs of layers write, [rows, d_model] each.
    """
    stream = state["embed.W_E"][tokens] + state["pos_embed.W_pos"]
    later = torch.ones(WIDTH, WIDTH, dtype=torch.bool).triu(1)
    read, looked, wrote = [], [], []
    for layer in range(LAYERS):
        start = f"blocks.{layer}."
        own = {k.removeprefix(start): value for k, value in state.items() if k.startswith(start)}
        q, k, v = (
            torch.einsum("bsd,hde->bhse", stream, own[f"attn.W_{letter}"])
            + own[f"attn.b_{letter}"][:, None]
            for letter in "QKV"
        )
        pattern = (q @ k.mT).masked_fill(later, -torch.inf).softmax(-1)
        mixed = pattern @ v
        for (at, head), value in (z or {}).items():
            if at == layer:
                mixed[:, head, END] = value
        stream = stream + torch.einsum("bhse,hed->bsd", mixed, own["attn.W_O"]) + own["attn.b_O"]
        hidden = (stream @ own["mlp.W_in"] + own["mlp.b_in"]).relu()
        written = hidden @ own["mlp.W_out"] + own["mlp.b_out"]
        if mlp is not None and layer in mlp:
            written[:, END] = mlp[layer]
        stream = stream + written
        read.append(mixed[:, :, END])
        looked.append(pattern[:, :, END])
        wrote.append(written[:, END])
    logits = stream[:, END] @ state["unembed.W_U"] + state["unembed.b_U"]
    return Record(logits, torch.stack(read, 1), torch.stack(looked, 1), torch.stack(wrote, 1))


@frozen(eq=False)
class Asked:
    """A model on prompts, and on their changed copies."""

    model: Wired
    data: Dataset
    own: Record
    copies: Mapping[str, Record]

    def difference(self, record: Record) -> Tensor:
        """P(right years) − P(wrong years), by the prompts' own YY: [rows]."""
        probabilities = record.logits.softmax(-1)
        right, wrong = (
            torch.zeros_like(probabilities).scatter(1, self.tokens(side), 1)
            for side in ("right", "wrong")
        )
        return (probabilities * (right - wrong)).sum(1)

    def tokens(self, side: str) -> Tensor:
        """Tokens of the right or wrong years, int64 [rows, 99], some repeated."""
        return torch.stack([_tensor(self.data.labels[f"{side}_{i}"]) for i in range(99)], 1)

    def right(self) -> float:
        """How often the likeliest token is a right year."""
        said = self.own.logits.argmax(1)[:, None]
        return (said == self.tokens("right")).any(1).double().mean().item()

    def with_heads(self, heads: Sequence[Head], copy: str) -> float:
        """Mean difference where these heads say at END what they say in a copy."""
        given = {(layer, head): self.copies[copy].z[:, layer, head] for layer, head in heads}
        return self.difference(self._again(z=given)).mean().item()

    def with_mlps(self, layers: Sequence[int], copy: str) -> float:
        """The same of MLPs."""
        given = {layer: self.copies[copy].mlp[:, layer] for layer in layers}
        return self.difference(self._again(mlp=given)).mean().item()

    def looks(self, heads: Sequence[Head], at: int) -> float:
        """The least attention that END pays to a position, over rows and heads."""
        return min(self.own.attention[:, i, j, at].min().item() for i, j in heads)

    def _again(self, **given: Mapping) -> Record:
        return run(self.model.state, _tensor(self.data.inputs["tokens"]), **given)


def _tensor(values: object) -> Tensor:
    return torch.tensor(values)


def asked(
    model: Wired,
    tokenizer: Tokenizer,
    rows: int,
    seed: int,
    *,
    relation: str = "greater",
    tied: bool = True,
) -> Asked:
    """A model on held-out prompts (all are: nothing was trained)."""
    recipe = greater_than.prompts(rows, relation=relation, tied=tied, seed=seed)  # type: ignore
    data = recipe.make(tokenizer)
    copies = {
        what: run(
            model.state,
            _tensor(greater_than.changed(recipe, what).make(tokenizer).inputs["tokens"]),  # type: ignore
        )
        for what in COPIES
    }
    return Asked(model, data, run(model.state, _tensor(data.inputs["tokens"])), copies)


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
        "| prompts | the likeliest token is a right year | difference |",
        "| --- | --- | --- |",
        *(
            f"| {relation} than, {'century and YY tied' if tied else 'any YY'} "
            f"| {found.right():.1%} | {found.difference(found.own).mean():.3f} |"
            for (relation, tied), found in every.items()
        ),
        "",
        "Least attention from END, over greater-than prompts and both heads:",
        "",
        '| role | heads | to the first century | to YY | to "to" |',
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {role} | {_listed(heads)} | "
            + " | ".join(f"{one.looks(heads, at):.3f}" for at in (CENTURY1, YY, SECOND))
            + " |"
            for role, heads in model.roles.items()
        ),
        "",
        "Difference in tied greater-than prompts where some parts say at END what they say in a",
        "copy of the prompt in which one thing is changed:",
        "",
        f"| parts | {' | '.join(COPIES)} |",
        f"| --- |{' --- |' * len(COPIES)}",
        *_changed(one),
    ]
    return "\n".join(lines) + "\n"


def _changed(one: Asked) -> Iterator[str]:
    named = [head for heads in one.model.roles.values() for head in heads]
    rest = [(i, j) for i in range(LAYERS) for j in range(HEADS) if (i, j) not in named]
    groups = {f"both {role} heads": heads for role, heads in one.model.roles.items()}
    groups |= {"all heads without a role": rest}
    for name, heads in groups.items():
        yield _row(name, [one.with_heads(heads, copy) for copy in COPIES])
    for layers in ([0], [1], [2], [1, 2]):
        name = f"MLP {' and '.join(map(str, layers))}"
        yield _row(name, [one.with_mlps(layers, copy) for copy in COPIES])


def _row(name: str, numbers: Sequence[float]) -> str:
    return f"| {name} | {' | '.join(f'{number:.3f}' for number in numbers)} |"


def _listed(heads: Sequence[Head]) -> str:
    return ", ".join(f"{layer}.{head}" for layer, head in heads)
