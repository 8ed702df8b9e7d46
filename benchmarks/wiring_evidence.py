"""What parts of a wired model do: passes over rows, in which parts say what they say on others.

Nothing of scrub's engine is used (`wiring_forward.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import checkout  # noqa: F401  # so that scrub is found
import torch
from attrs import frozen
from cards import listed
from torch import Tensor
from wiring_forward import Record, run
from wiring_parts import Place, Wired, without_role

from scrub.data.dataset import Dataset

Score = Callable[[Tensor, Dataset], Tensor]
"""(logits at END [rows, tokens], the rows) to a number for each row."""
Where = str | int
"""A position by its name, or the same in all rows."""
END = "end"


def label(data: Dataset, name: str) -> Tensor:
    """Tokens of a label, int64 [rows]."""
    return torch.tensor(data.labels[name])


def difference(right: str, wrong: str) -> Score:
    """Logit of one label less that of another."""

    def score(logits: Tensor, data: Dataset) -> Tensor:
        of, against = (logits.gather(1, label(data, name)[:, None]) for name in (right, wrong))
        return (of - against)[:, 0]

    return score


def likeliest(name: str) -> Score:
    """1 where the likeliest token is this label, else 0."""
    return lambda logits, data: (logits.argmax(1) == label(data, name)).double()


@frozen(eq=False)
class Asked:
    """A model on rows, and on others whose tokens stand at the same places.

    Attributes:
        own: a pass over `data`.
        others: the rows that values are taken from by name, as many each, and passes over them.
        score: what is asked of the logits at END.
    """

    model: Wired
    data: Dataset
    own: Record
    others: Mapping[str, tuple[Dataset, Record]]
    score: Score

    def at_end(self, record: Record) -> Tensor:
        """Logits at END: [rows, tokens]."""
        return record.logits[torch.arange(len(self.data)), self.place(END)]

    def scores(self, record: Record) -> Tensor:
        """The score of each row: [rows]."""
        return self.score(self.at_end(record), self.data)

    def mean(self, record: Record) -> float:
        """The mean score."""
        return self.scores(record).mean().item()

    def kept(self, record: Record) -> float:
        """The mean score over that of the rows as they are."""
        return (self.scores(record).mean() / self.scores(self.own).mean()).item()

    def share(self, name: str) -> float:
        """In how many rows a label is the likeliest token."""
        return likeliest(name)(self.at_end(self.own), self.data).mean().item()

    def place(self, where: Where) -> Tensor:
        """A position in each row, int64 [rows]."""
        if isinstance(where, int):
            return torch.full((len(self.data),), where)
        return torch.tensor(self.data.positions[where])

    def again(
        self,
        z: Mapping[Place, Tensor] | None = None,
        neurons: Mapping[int, Tensor] | None = None,
        attention: Mapping[Place, Tensor] | None = None,
    ) -> Record:
        """The rows, with what is given, as `wiring_forward.run` takes it."""
        return run(self.model.state, tokens_of(self.data), z, neurons, attention)

    def told(
        self,
        other: str,
        heads: Sequence[Place] = (),
        mlps: Sequence[int] = (),
        at: Sequence[Where] | None = (END,),
    ) -> Record:
        """The rows, with what these heads and neurons of MLPs say on others.

        Args:
            other: which others.
            heads: (layer, head).
            mlps: layers.
            at: positions at which they do; None: at all.
        """
        theirs = self.others[other][1]
        z = {
            (layer, head): self._mixed(self.own.z[:, layer, head], theirs.z[:, layer, head], at)
            for layer, head in heads
        }
        neurons = {
            layer: self._mixed(self.own.neurons[:, layer], theirs.neurons[:, layer], at)
            for layer in mlps
        }
        return self.again(z, neurons)

    def looks(self, heads: Sequence[Place], start: Where, *to: Where) -> float:
        """The least attention that a position pays to some in all, over rows and heads."""
        rows, query = torch.arange(len(self.data)), self.place(start)
        keys = torch.stack([self.place(where) for where in to], 1)
        return min(
            self.own.attention[rows, layer, head, query].gather(1, keys).sum(1).min().item()
            for layer, head in heads
        )

    def _mixed(self, own: Tensor, theirs: Tensor, at: Sequence[Where] | None) -> Tensor:
        """Values of others at some positions: [rows, positions, size]."""
        if at is None:
            return theirs
        mixed, rows = own.clone(), torch.arange(len(self.data))
        for where in map(self.place, at):
            mixed[rows, where] = theirs[rows, where]
        return mixed


def tokens_of(data: Dataset) -> Tensor:
    """Tokens, int64 [rows, positions]."""
    return torch.tensor(data.inputs["tokens"])


def on_rows(model: Wired, data: Dataset, others: Mapping[str, Dataset], score: Score) -> Asked:
    """A model on rows (all are held out: nothing was trained), and on others."""
    own = run(model.state, tokens_of(data))
    passes = {name: (other, run(model.state, tokens_of(other))) for name, other in others.items()}
    return Asked(model, data, own, passes, score)


def groups(model: Wired) -> dict[str, Sequence[Place]]:
    """Both heads of each role, one of them, and all heads without a role."""
    both: dict[str, Sequence[Place]] = {
        f"both of {role}": heads for role, heads in model.roles.items()
    }
    one = {f"{listed(heads[:1])}, one of {role}": heads[:1] for role, heads in model.roles.items()}
    return both | one | {"all without a role": without_role(model)}
