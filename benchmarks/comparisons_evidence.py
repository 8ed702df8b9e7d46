"""What heads of `comparisons-planted` and `comparisons-value` do, by plain replacements in a pass.

Nothing of scrub's engine is used (`wiring_forward.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from attrs import frozen
from comparisons_wiring import HEADS, comparisons
from torch import Tensor
from wiring_forward import Record, run
from wiring_parts import Place, Wired

from scrub.data.dataset import Dataset, Tokenizer

LAYERS = 3


@frozen(eq=False)
class Asked:
    """A model on prompts of one kind, and on their copies with one thing changed.

    Attributes:
        data, own: the prompts, and a pass over them.
        copies: change → the copies, and a pass over those.
    """

    model: Wired
    data: Dataset
    own: Record
    copies: Mapping[str, tuple[Dataset, Record]]

    def difference(self, record: Record) -> Tensor:
        """Logit of the answer less that of the wrong one at END: [rows]."""
        end = record.logits[torch.arange(len(self.data)), at_end(self.data)]
        answer, wrong = (torch.tensor(self.data.labels[name]) for name in ("answer", "wrong"))
        return end.gather(1, answer[:, None])[:, 0] - end.gather(1, wrong[:, None])[:, 0]

    def right(self) -> float:
        """How often the answer is the likeliest word."""
        said = self.own.logits[torch.arange(len(self.data)), at_end(self.data)].argmax(1)
        return (said == torch.tensor(self.data.labels["answer"])).double().mean().item()

    def kept(self, heads: Sequence[Place], change: str, at: Sequence[str] = ("end",)) -> float:
        """Mean logit difference over the original, with what heads say at places in the copy."""
        donor = self.copies[change][1]
        rows = torch.arange(len(self.data))
        given = {}
        for layer, head in heads:
            z = self.own.z[:, layer, head].clone()
            for where in (torch.tensor(self.data.positions[name]) for name in at):
                z[rows, where] = donor.z[rows, layer, head, where]
            given[layer, head] = z
        return self._over(run(self.model.state, self._tokens, z=given))

    def kept_by_neurons(self, layer: int, change: str) -> float:
        """The same with the neurons of a layer at END."""
        donor = self.copies[change][1].neurons[:, layer]
        given = self.own.neurons[:, layer].clone()
        given[:, -1] = donor[:, -1]
        return self._over(run(self.model.state, self._tokens, neurons={layer: given}))

    def looks(self, heads: Sequence[Place], start: str, to: str) -> float:
        """The least attention from a position to another, over rows and heads."""
        rows = torch.arange(len(self.data))
        query, key = (torch.tensor(self.data.positions[name]) for name in (start, to))
        return min(
            self.own.attention[rows, layer, head, query, key].min().item() for layer, head in heads
        )

    @property
    def _tokens(self) -> Tensor:
        return torch.tensor(self.data.inputs["tokens"])

    def _over(self, record: Record) -> float:
        return (self.difference(record).mean() / self.difference(self.own).mean()).item()


def at_end(data: Dataset) -> Tensor:
    """Position of END: [rows]."""
    return torch.tensor(data.positions["end"])


def asked(model: Wired, tokenizer: Tokenizer, kind: str, rows: int, seed: int) -> Asked:
    """A model on prompts that it was not trained on: nothing was trained."""
    recipe = comparisons.prompts(rows, kind=kind, seed=seed)  # type: ignore[arg-type]
    changes = comparisons.CHANGES[kind]
    made = {
        what: comparisons.changed(recipe, what).make(tokenizer)  # type: ignore[arg-type]
        for what in changes
    }
    data = recipe.make(tokenizer)
    own, *others = (
        run(model.state, torch.tensor(one.inputs["tokens"])) for one in (data, *made.values())
    )
    return Asked(
        model, data, own, dict(zip(made, zip(made.values(), others, strict=True), strict=True))
    )


def evidence(model: Wired, tokenizer: Tokenizer, rows: int, seed: int) -> str:
    """All of it, as Markdown."""
    every = {kind: asked(model, tokenizer, kind, rows, seed) for kind in comparisons.CHANGES}
    lines = [
        f"Printed by `python benchmarks/comparisons_models.py --rows {rows} --seed {seed}`: "
        f"{rows} prompts",
        "of each kind. The logit difference is the answer's logit less that of the wrong word.",
        "",
        "| kind | the answer is the likeliest word | logit difference |",
        "| --- | --- | --- |",
        *(
            f"| {kind} | {one.right():.1%} | {one.difference(one.own).mean():.2f} |"
            for kind, one in every.items()
        ),
        "",
        "Least attention over prompts and both heads (in acts each name stands twice, so that a",
        "name mover that looks for the name finds it in both places):",
        "",
        "| role | from | to | adjectives | acts |",
        "| --- | --- | --- | --- | --- |",
        *_attention(model, every),
        "",
        "Logit difference that is kept (1: all, −1: the wrong word is as far above) where heads",
        "say at END (holders: at both adjectives or verbs) what they say in the copy in which one",
        "thing is changed:",
        "",
        "| heads | kind | " + " | ".join(_COLUMNS) + " |",
        "| --- | --- | " + " | ".join("---" for _ in _COLUMNS) + " |",
        *_kept(model, every),
        "",
        "With the neurons of MLP 1 at END from the copy with the other adjective, "
        f"{every['antonyms'].kept_by_neurons(1, 'adjectives'):.2f} is",
        f"kept of antonyms; from the copy with the other question, "
        f"{every['adjectives'].kept_by_neurons(1, 'question'):.2f} of adjectives.",
    ]
    return "\n".join(lines) + "\n"


_COLUMNS = ("names", "order", "question", "adjectives", "scale")


def _attention(model: Wired, every: Mapping[str, Asked]) -> Iterator[str]:
    for role, start, to in (
        ("holder", "asked", "answer"),
        ("question", "end", "question"),
        ("comparison", "end", "asked"),
        ("name mover", "end", "answer"),
    ):
        seen = (
            f"{every[kind].looks(model.roles[role], start, to):.3f}"
            for kind in ("adjectives", "acts")
        )
        yield f"| {role} | {start} | {to} | {' | '.join(seen)} |"


def groups(model: Wired) -> dict[str, Sequence[Place]]:
    """Both heads of each role, one of them, and all heads without a role."""
    named = {head for heads in model.roles.values() for head in heads}
    rest = [(i, j) for i in range(LAYERS) for j in range(HEADS) if (i, j) not in named]
    found: dict[str, Sequence[Place]] = {
        f"both of {role}": model.roles[role] for role in model.roles
    }
    found |= {
        f"{layer}.{head}, one of {role}": [(layer, head)]
        for role, ((layer, head), *_) in model.roles.items()
    }
    return found | {"all without a role": rest}


def _kept(model: Wired, every: Mapping[str, Asked]) -> Iterator[str]:
    for name, heads in groups(model).items():
        for kind, one in every.items():
            at = ["end"]
            if name.endswith("holder"):
                at = [where for where in ("word1", "word2") if where in one.data.positions]
            cells = (
                f"{one.kept(heads, what, at):.2f}" if what in one.copies else ""
                for what in _COLUMNS
            )
            yield f"| {name} | {kind} | {' | '.join(cells)} |"
