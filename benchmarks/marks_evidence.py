"""What the heads of `marks-shared` and `marks-separate` do, by replacing their values in a forward.

Nothing of scrub's engine is used: the forward pass is written here, straight from the tensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from attrs import frozen
from marks_wiring import HEADS, LAYERS, PLANS, Finder, Wired, marks
from torch import Tensor

from scrub.data.dataset import Dataset, Tokenizer
from scrub.hypothesis.sites import Head

END = marks.WIDTH - 1


@frozen(eq=False)
class Record:
    """What a forward pass computes at END.

    Attributes:
        logits: [rows, words].
        z: what each head reads, before its output matrix: [rows, layers, heads, d_head].
        attention: [rows, layers, heads, positions].
    """

    logits: Tensor
    z: Tensor
    attention: Tensor


def run(
    state: Mapping[str, Tensor], tokens: Tensor, given: Mapping[Head, Tensor] | None = None
) -> Record:
    """A forward pass, in which the z of some heads at END are given: [rows, d_head] each.

    Args:
        tokens: int64 [rows, positions].
    """
    stream = state["embed.W_E"][tokens] + state["pos_embed.W_pos"]
    later = torch.ones(marks.WIDTH, marks.WIDTH, dtype=torch.bool).triu(1)
    read, looked = [], []
    for layer in range(LAYERS):
        own = {
            name.removeprefix(f"blocks.{layer}."): value
            for name, value in state.items()
            if name.startswith(f"blocks.{layer}.")
        }
        q, k, v = (
            torch.einsum("bsd,hde->bhse", stream, own[f"attn.W_{letter}"])
            + own[f"attn.b_{letter}"][:, None]
            for letter in "QKV"
        )
        pattern = (q @ k.mT).masked_fill(later, -torch.inf).softmax(-1)
        z = pattern @ v
        for (at, head), value in (given or {}).items():
            if at == layer:
                z[:, head, END] = value
        stream = stream + torch.einsum("bhse,hed->bsd", z, own["attn.W_O"]) + own["attn.b_O"]
        hidden = (stream @ own["mlp.W_in"] + own["mlp.b_in"]).relu()
        stream = stream + hidden @ own["mlp.W_out"] + own["mlp.b_out"]
        read.append(z[:, :, END])
        looked.append(pattern[:, :, END])
    logits = stream[:, END] @ state["unembed.W_U"] + state["unembed.b_U"]
    return Record(logits, torch.stack(read, 1), torch.stack(looked, 1))


@frozen(eq=False)
class Asked:
    """A model on rows of one task, and on their copies with the marks elsewhere."""

    model: Wired
    task: str
    data: Dataset
    own: Record
    copies: Record

    def difference(self, record: Record) -> Tensor:
        """Logit of the answer less that of the copy's answer: [rows]."""
        answer, other = (_tensor(self.data.labels[name]) for name in ("answer", "if marks"))
        return (record.logits.gather(1, torch.stack([answer, other], 1)) * _SIGNS).sum(1)

    def right(self) -> float:
        """How often the answer is the likeliest word."""
        said = self.own.logits.argmax(1) == _tensor(self.data.labels["answer"])
        return said.double().mean().item()

    def kept(self, heads: Sequence[Head]) -> float:
        """Mean logit difference over the original, with the copies' z of these heads at END."""
        given = {(layer, head): self.copies.z[:, layer, head] for layer, head in heads}
        after = run(self.model.state, _tensor(self.data.inputs["tokens"]), given)
        return (self.difference(after).mean() / self.difference(self.own).mean()).item()

    def looks(self, heads: Sequence[Head], at: Tensor) -> Tensor:
        """The least attention that END pays to a position, over rows: [heads]."""
        where = at[:, None].expand(-1, len(heads))
        pattern = torch.stack([self.own.attention[:, layer, head] for layer, head in heads], 1)
        return pattern.gather(2, where[..., None])[..., 0].amin(0)


_SIGNS = torch.tensor([1.0, -1.0])


def _tensor(values: object) -> Tensor:
    return torch.tensor(values)


def asked(model: Wired, tokenizer: Tokenizer, task: str, rows: int, seed: int) -> Asked:
    """A model on held-out rows (all are: nothing was trained)."""
    recipe = marks.rows(rows, task, seed=seed)
    data = recipe.make(tokenizer)
    copies = marks.changed(recipe, "marks").make(tokenizer)
    own, other = (run(model.state, _tensor(which.inputs["tokens"])) for which in (data, copies))
    return Asked(model, task, data, own, other)


def evidence(model: Wired, tokenizer: Tokenizer, rows: int, seed: int) -> str:
    """All of it, as Markdown."""
    every = [asked(model, tokenizer, task, rows, seed) for task in marks.TASKS]
    lines = [
        f"Printed by `python benchmarks/marks_models.py --rows {rows} --seed {seed}`: "
        f"{rows} rows a",
        "task. The logit difference is the answer's logit less that of the answer in the row's",
        "copy with the marks elsewhere.",
        "",
        "| task | the answer is the likeliest word | logit difference |",
        "| --- | --- | --- |",
        *(
            f"| `{one.task}` | {one.right():.1%} | {one.difference(one.own).mean():.2f} |"
            for one in every
        ),
        "",
        "Least attention that END pays, over rows and both heads: in tasks that a role has a part",
        "in to what it looks for, in the others to `start`.",
        "",
        "| role | heads | looks for | there | to `start` |",
        "| --- | --- | --- | --- | --- |",
        *_attention(model, every),
        "",
        "Logit difference that is kept (1: all, −1: it is that of the copy) where heads at END say",
        "what they say in the copy with the marks elsewhere:",
        "",
        "| heads | a | b | c |",
        "| --- | --- | --- | --- |",
        *_kept(model, every),
    ]
    return "\n".join(lines) + "\n"


def _attention(model: Wired, every: Sequence[Asked]) -> Iterator[str]:
    for role, heads in model.roles.items():
        does = PLANS[model.name][role]
        if isinstance(does, Finder):
            target = "star" if does.mark == marks.STAR else "hash"
            names = dict.fromkeys(does.tasks, target)
        else:
            names = dict.fromkeys(does.tasks, "answer")
            target = "what the task asks for"
        there = [
            one.looks(heads, _tensor(one.data.positions[names[one.task]])).amin()
            for one in every
            if one.task in does.tasks
        ]
        rests = [
            one.looks(heads, torch.zeros(len(one.data), dtype=torch.int64)).amin()
            for one in every
            if one.task not in does.tasks
        ]
        yield (f"| {role} | {_listed(heads)} | {target} | {min(there):.3f} | {min(rests):.3f} |")


def _kept(model: Wired, every: Sequence[Asked]) -> Iterator[str]:
    named = {head for heads in model.roles.values() for head in heads}
    rest = [(i, j) for i in range(LAYERS) for j in range(HEADS) if (i, j) not in named]
    groups: dict[str, Sequence[Head]] = {
        f"both of {role}": model.roles[role] for role in model.roles
    }
    groups |= {
        f"{_listed(heads[:1])}, one of {role}": heads[:1] for role, heads in model.roles.items()
    }
    groups["all without a role"] = rest
    for name, heads in groups.items():
        yield f"| {name} | {' | '.join(f'{one.kept(heads):.2f}' for one in every)} |"


def _listed(heads: Sequence[Head]) -> str:
    return ", ".join(f"{layer}.{head}" for layer, head in heads)
