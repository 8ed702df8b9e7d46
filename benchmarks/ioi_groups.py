"""A circuit as a table of groups of heads, and a group recomputed with some of its inputs changed.

Each row of the table says where a group stands, what it attends to, and which groups it hears by
which port. Groups may lie in several layers. `own` is what they write in an ordinary forward pass;
`heard` recomputes one of them where what it hears comes from elsewhere, by the direct path alone.

Shapes: B rows, T positions, D the width of the stream. "(role, column)" names what a role's heads
write at a column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from attrs import frozen
from ioi_batches import Batch
from ioi_forward import Heads, Trace, at, port_of, written, z_at
from torch import Tensor
from transformers import GPT2LMHeadModel

Signals = Mapping[tuple[str, str], Tensor]
"""What is written, [B, D], by (role, column)."""


@frozen
class Edge:
    """By `port`, at each of `columns`, a group hears what `roles` write there."""

    port: str
    columns: tuple[str, ...]
    roles: tuple[str, ...]


@frozen
class Group:
    """Heads that play one role.

    Attributes:
        role: its name.
        heads: (layer, head) pairs.
        columns: where they write what the next group hears.
        target: the column that they attend to from the first of `columns`.
        hears: which groups feed it.
        shares: how much of the logit difference each head says directly, nats; () for none.
        says_order: whether what it writes says which name comes first.
    """

    role: str
    heads: Heads
    columns: tuple[str, ...]
    target: str
    hears: tuple[Edge, ...] = ()
    shares: tuple[float, ...] = ()
    says_order: bool = False


Table = Mapping[str, Group]


@frozen(eq=False)
class Read:
    """By some ports, at one position a row, heads read what stands elsewhere, and a change of it.

    Attributes:
        ports: of "qkv".
        at: the position that is read anew, [B].
        row: from which row of the batch it is read, [B].
        source: from which position there, [B].
        change: what is added to the stream, [B, D].
    """

    ports: str
    at: Tensor
    row: Tensor
    source: Tensor
    change: Tensor | None = None


def place(batch: Batch, column: str) -> Tensor:
    """Position of a column, [B]; "s1+1" is the position after S1."""
    name, plus, further = column.partition("+")
    position: Tensor = getattr(batch, name)
    return position + int(further) if plus else position


def by_layer(heads: Heads) -> list[Heads]:
    """The group's heads, layer by layer."""
    layers = dict.fromkeys(layer for layer, _ in heads)
    return [tuple(head for head in heads if head[0] == layer) for layer in layers]


def written_at(model: GPT2LMHeadModel, heads: Heads, trace: Trace, position: Tensor) -> Tensor:
    """What heads add to the stream at one position a row in an ordinary forward pass, [B, D]."""
    parts = [
        written(model, some, z_at(trace.layers[some[0][0]], some, position))
        for some in by_layer(heads)
    ]
    return torch.stack(parts).sum(0)


def own(
    model: GPT2LMHeadModel, table: Table, batch: Batch, trace: Trace
) -> dict[tuple[str, str], Tensor]:
    """What every group writes where it is heard, in an ordinary forward pass."""
    return {
        (group.role, column): written_at(model, group.heads, trace, place(batch, column))
        for group in table.values()
        for column in group.columns
    }


def heard(
    model: GPT2LMHeadModel,
    group: Group,
    batch: Batch,
    trace: Trace,
    usual: Signals,
    signals: Signals,
    frame: Tensor,
    *,
    asked: Tensor | None = None,
    further: Sequence[Read] = (),
) -> tuple[Tensor, Tensor]:
    """What a group writes, at the first of its columns, if it hears `signals`.

    Args:
        model: GPT-2.
        group: whose heads are recomputed.
        batch: prompts.
        trace: of the batch.
        usual: what `own` gives for the batch.
        signals: what the group hears instead, by (role, column); every edge of the group.
        frame: the row of the batch in whose prompt the group is computed, [B].
        asked: the row whose stream the query reads, [B]; default: `frame`.
        further: what else is read from elsewhere. Reads by the same port are of other positions.

    Returns:
        [B, D], and each head's attention [B, heads, T].
    """
    query = place(batch, group.columns[0])
    asked = frame if asked is None else asked
    reads = [Read("q", query[frame], asked, query[asked]), *further]
    for edge in group.hears:
        row = asked if edge.port == "q" else frame
        for column in edge.columns:
            where = place(batch, column)
            changes = [signals[role, column] - usual[role, column][row] for role in edge.roles]
            change = torch.stack(changes).sum(0)
            # The last read of a query counts.
            reads.append(Read(edge.port, where[frame], row, where[row], change))
    parts = [
        _layer(model, some, trace, reads, query[frame], frame) for some in by_layer(group.heads)
    ]
    return torch.stack([out for out, _ in parts]).sum(0), torch.cat([p for _, p in parts], 1)


def _layer(
    model: GPT2LMHeadModel,
    heads: Heads,
    trace: Trace,
    reads: Sequence[Read],
    query: Tensor,
    frame: Tensor,
) -> tuple[Tensor, Tensor]:
    """What heads of one layer write at `query` under these reads, and their attention."""
    layer = trace.layers[heads[0][0]]
    which = [head for _, head in heads]
    position = torch.arange(layer.stream.shape[1])
    ports = {"k": layer.keys[:, which][frame], "v": layer.values[:, which][frame]}
    for read in reads:
        stream = layer.stream[read.row, read.source]
        stream = stream if read.change is None else stream + read.change
        onto = (position == read.at[:, None])[:, None, :, None]
        for name in read.ports:
            new = port_of(model, heads, stream, "qkv".index(name))
            ports[name] = new if name == "q" else torch.where(onto, new[:, :, None], ports[name])
    scores = torch.einsum("bhe,bhte->bht", ports["q"], ports["k"]) * ports["q"].shape[-1] ** -0.5
    later = (position > query[:, None])[:, None]
    pattern = scores.masked_fill(later, -torch.inf).softmax(-1)
    z = torch.einsum("bht,bhte->bhe", pattern, ports["v"])
    return written(model, heads, z), pattern


def final_stream(trace: Trace, batch: Batch) -> Tensor:
    """What the final norm reads at END, [B, D]."""
    return at(trace.final, batch.end)
