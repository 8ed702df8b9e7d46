"""How much of the logit difference survives swaps: `evidence.py`'s numbers, with plain hooks.

Donors are rows of the same prompts. Every figure is a mean over all rows. Loss recovered is
(baseline − scrubbed) / (baseline − original) of the mean logit difference IO − S at END; the
baseline scores a random row's logits against the reference's names.
"""

from __future__ import annotations

import numpy as np
import torch
from attrs import frozen
from evidence_hooks import Heads, Output, Read, Record, forward, pick, written, z_of
from ioi_batches import Batch
from torch import Tensor
from transformers import GPT2LMHeadModel


@frozen(eq=False)
class Subject:
    """A model, its table of roles, prompts, and the plain forward pass on them."""

    model: GPT2LMHeadModel
    roles: dict[str, Heads]
    batch: Batch
    record: Record

    def logits(self, record: Record) -> Tensor:
        """Logits at END, [B, vocabulary]."""
        return pick(record.logits, self.batch.end)

    def take(self, rows: Tensor) -> Subject:
        """The same model on these rows."""
        record = Record(
            tuple(x[rows] for x in self.record.stream),
            tuple(x[rows] for x in self.record.z),
            tuple(x[rows] for x in self.record.attention),
            self.record.logits[rows],
        )
        return Subject(self.model, self.roles, self.batch.take(rows), record)

    def written(self, role: str, column: str) -> Tensor:
        """What the role's heads add to the stream at a position column, [B, D]."""
        heads = self.roles[role]
        return written(self.model, heads, z_of(self.record, heads, getattr(self.batch, column)))


def subject(model: GPT2LMHeadModel, roles: dict[str, Heads], batch: Batch) -> Subject:
    """Run the model on the prompts."""
    return Subject(model, roles, batch, forward(model, batch.tokens))


def difference(logits: Tensor, batch: Batch) -> Tensor:
    """Logit of the IO minus logit of S, [B]."""
    return (
        logits.gather(1, batch.name("io")[:, None]) - logits.gather(1, batch.name("s1")[:, None])
    )[:, 0]


def right(logits: Tensor, answer: Tensor) -> float:
    """Share of rows in which the answer is the likeliest of all words."""
    return (logits.argmax(-1) == answer).float().mean().item()


def uncond(rows: int, rng: np.random.Generator) -> Tensor:
    """Any row, for each row."""
    return torch.tensor(rng.integers(rows, size=rows))


def agree(feature: Tensor, rng: np.random.Generator) -> Tensor:
    """For each row a row with the same value of the feature, uniformly, itself included."""
    same = feature[:, None] == feature[None]
    noise = torch.tensor(rng.random(same.shape))
    return torch.where(same, noise, -1.0).argmax(1)


def opposite(order: Tensor, rng: np.random.Generator) -> Tensor:
    """For each row a row with the other order, uniformly."""
    noise = torch.tensor(rng.random((len(order), len(order))))
    return torch.where(order[:, None] != order[None], noise, -1.0).argmax(1)


def recovered(s: Subject, logits: Tensor, rng: np.random.Generator) -> float:
    """Loss recovered by these logits at END."""
    original = difference(s.logits(s.record), s.batch).mean()
    anyone = uncond(len(s.batch), rng)
    baseline = difference(s.logits(s.record)[anyone], s.batch).mean()
    scrubbed = difference(logits, s.batch).mean()
    return ((baseline - scrubbed) / (baseline - original)).item()


def swapped(s: Subject, heads: Heads, column: str, donors: Tensor) -> Tensor:
    """Logits at END when heads' z at a column come from donors, and all below follows."""
    at: Tensor = getattr(s.batch, column)
    z = z_of(s.record, heads, at)[donors]
    return s.logits(forward(s.model, s.batch.tokens, [Output(heads, at, z)]))


def query_swapped(s: Subject, donors: Tensor) -> Tensor:
    """Logits at END when name movers' queries read the donors' S-inhibition heads, directly.

    All else is the reference's own, and reaches the logits as it was.
    """
    own = s.written("S-inhibition", "end")
    read = Read(s.roles["name mover"], "q", s.batch.end, own[donors] - own)
    return _into_logits(s, _movers(s, [read]), s)


@frozen(eq=False)
class Parts:
    """Rows that `circuit_alone` is put together from, [B] each.

    Attributes:
        signal: whose duplicate-token heads are used.
        inhibition: on whose prompt S-inhibition heads are otherwise computed.
        query: from whose END the name movers' queries are otherwise computed.
        keys: in whose prompt the name movers attend.
        rest: from whose END all else comes that reaches the logits.
    """

    signal: Tensor
    inhibition: Tensor
    query: Tensor
    keys: Tensor
    rest: Tensor


def parts(s: Subject, rng: np.random.Generator, *, own_prompt: bool) -> Parts:
    """A row that agrees on the order for the signal, any row for the others.

    Args:
        s: the model on prompts.
        rng: randomness.
        own_prompt: whether name movers attend in the reference's own prompt, or in a random one.
    """
    rows = len(s.batch)
    signal, inhibition = agree(s.batch.io_is_first, rng), uncond(rows, rng)
    query = uncond(rows, rng)
    return Parts(
        signal, inhibition, query, torch.arange(rows) if own_prompt else query, uncond(rows, rng)
    )


def circuit_alone(s: Subject, which: Parts) -> Tensor:
    """Logits at END when only the circuit works and everything else is from other prompts.

    Duplicate-token heads' output at S2 reaches the S-inhibition heads' values directly; that
    reaches the name movers' queries directly; their output reaches the logits directly. Name movers
    read the reference's names, at the places that names have in the prompt where they attend.
    """
    donor, frame = s.take(which.signal), s.take(which.inhibition)
    change = donor.written("duplicate token", "s2") - frame.written("duplicate token", "s2")
    read = Read(s.roles["S-inhibition"], "v", frame.batch.s2, change)
    after = forward(s.model, frame.batch.tokens, [read])
    heads = s.roles["S-inhibition"]
    signal = written(s.model, heads, z_of(after, heads, frame.batch.end))

    layer = s.roles["name mover"][0][0]
    asking, prompt = s.take(which.query), s.take(which.keys)

    def stream(of: Subject, column: str) -> Tensor:
        return pick(of.record.stream[layer], getattr(of.batch, column))

    query = stream(asking, "end") - asking.written("S-inhibition", "end") + signal
    movers = s.roles["name mover"]
    reads = [Read(movers, "q", prompt.batch.end, query - stream(prompt, "end"))]
    for column in ("io", "s1"):
        swap = stream(s, column) - stream(prompt, column)
        reads.append(Read(movers, "kv", getattr(prompt.batch, column), swap))
    return _into_logits(s, _movers(prompt, reads), s.take(which.rest))


def _movers(s: Subject, reads: list[Read]) -> Tensor:
    """What the name movers write at END under these edits, [B, D]."""
    heads = s.roles["name mover"]
    after = forward(s.model, s.batch.tokens, reads)
    return written(s.model, heads, z_of(after, heads, s.batch.end))


def _into_logits(s: Subject, movers: Tensor, rest: Subject) -> Tensor:
    """Logits at END of `rest`, with what its name movers write there replaced by `movers`."""
    change = movers - rest.written("name mover", "end")
    read = Read((), "", rest.batch.end, change)
    return rest.logits(forward(s.model, rest.batch.tokens, [read]))
