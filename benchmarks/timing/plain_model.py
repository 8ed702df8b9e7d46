"""A transformer in plain PyTorch whose edges can be hooked: each head reads a stream of its own.

Submodules stand where a value may be changed or seen, and do nothing: what heads and MLPs read, and
what they write. Others' ways to run circuits are hooks on them (`timing.mask_forwards`,
`timing.edge_hooks`), without the cost of a bridge. Logits are of one position a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from attrs import frozen
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from scrub import names
from scrub.hypothesis.circuit import Edge
from scrub.model.weights import ACTIVATIONS, MLP, Attention, Weights
from scrub.names import Cell

PORTS = ("q", "k", "v")


@frozen
class Reader:
    """A point at which components read the stream.

    Attributes:
        layer: of the components; the number of layers for the logits.
        sources: how many sources are written before.
        cells: the components that read there, in the order of the axis of heads.
        port: q, k or v; None of an MLP and of the logits.
    """

    point: str
    layer: int
    sources: int
    cells: tuple[Cell, ...]
    port: str | None = None

    @property
    def of_heads(self) -> bool:
        return self.port is not None


@frozen
class Writer:
    """A point at which components write: what it shows is one source, or one a head.

    Attributes:
        first: number of its first source.
    """

    point: str
    first: int
    cells: tuple[Cell, ...]

    @property
    def of_heads(self) -> bool:
        return self.cells[0].head is not None


class PlainModel(nn.Module):
    """The model of these weights; sequential blocks, learned positions, causal."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        assert weights.causal
        assert not weights.parallel
        assert weights.position_embedding is not None
        self.weights = weights
        self.heads = len(weights.blocks[0].attention.output)
        self.layers = len(weights.blocks)
        every = [one.point for one in (*self.writers(), *self.readers())]
        self.points = nn.ModuleDict({name: nn.Identity() for name in every})

    @property
    def sources(self) -> int:
        """The embeddings, and the heads and the MLP of every layer."""
        return 1 + self.layers * (self.heads + 1)

    def writers(self) -> Iterator[Writer]:
        """In the model's order. Token and position embeddings are one source."""
        yield Writer("embeddings", 0, (Cell(names.EMBED),))
        for layer in range(self.layers):
            first = 1 + layer * (self.heads + 1)
            yield Writer(f"result {layer}", first, self._heads(layer))
            yield Writer(f"mlp {layer}", first + self.heads, (Cell(names.mlp(layer)),))

    def readers(self) -> Iterator[Reader]:
        """In the model's order."""
        for layer in range(self.layers):
            before = 1 + layer * (self.heads + 1)
            for port in PORTS:
                yield Reader(f"{port} {layer}", layer, before, self._heads(layer), port)
            into = (Cell(names.mlp(layer)),)
            yield Reader(f"into mlp {layer}", layer, before + self.heads, into)
        yield Reader("into logits", self.layers, self.sources, (Cell(names.LOGITS),))

    def number(self, cell: Cell) -> int:
        """The number of the source that a component writes."""
        if cell.site == names.EMBED:
            return 0
        layer = cell.name.layer
        assert layer is not None
        return 1 + layer * (self.heads + 1) + (self.heads if cell.head is None else cell.head)

    def hooked(
        self,
        read: Callable[[Reader, Tensor], Tensor | None],
        write: Callable[[Writer, Tensor], None],
    ) -> list[RemovableHandle]:
        """Register hooks at all readers, which may give another value, and at all writers."""
        handles = [
            self.points[one.point].register_forward_hook(_hook(partial(read, one)))
            for one in self.readers()
        ]
        handles += [
            self.points[one.point].register_forward_hook(_hook(partial(write, one)))
            for one in self.writers()
        ]
        return handles

    def embedded(self, tokens: Tensor) -> Tensor:
        """The stream before the first layer, [rows, width, d_model]."""
        positions = self.weights.position_embedding
        assert positions is not None
        x = self.weights.embedding[tokens] + positions[: tokens.shape[1]]
        return self.points["embeddings"](x)

    def forward(self, tokens: Tensor, ends: Tensor) -> Tensor:
        """Logits at one position a row, [rows, outputs].

        Args:
            tokens: int64 [rows, width].
            ends: int64 [rows].
        """
        return self.onward(self.embedded(tokens), ends, 0)

    def onward(self, x: Tensor, ends: Tensor, layer: int) -> Tensor:
        """The same from the stream before a layer on."""
        for number in range(layer, self.layers):
            x = self.block(x, number)
        x = self.points["into logits"](x)
        x = x[torch.arange(len(x)), ends]
        return self.weights.unembedding(self.weights.norm_final(x))

    def block(self, x: Tensor, layer: int) -> Tensor:
        """The stream after a layer."""
        block = self.weights.blocks[layer]
        x = x + self._attention(x, layer, block.attention)
        if block.mlp is not None:
            x = x + self.points[f"mlp {layer}"](self._mlp(x, layer, block.mlp))
        return x

    def _heads(self, layer: int) -> tuple[Cell, ...]:
        return tuple(Cell(names.attention_site(layer, "z"), head) for head in range(self.heads))

    def _attention(self, x: Tensor, layer: int, weights: Attention) -> Tensor:
        every = torch.arange(self.heads)
        split = x[:, :, None].expand(-1, -1, self.heads, -1)
        q, k, v = (
            projection(weights.norm(self.points[f"{port} {layer}"](split)), every)
            for port, projection in zip(
                PORTS, (weights.query, weights.key, weights.value), strict=True
            )
        )
        scores = torch.einsum("nqhe,nkhe->nhqk", q, k) * weights.scale
        width = x.shape[1]
        unseen = torch.ones(width, width, dtype=torch.bool).triu(1)
        pattern = scores.masked_fill(unseen, float("-inf")).softmax(-1)
        z = torch.einsum("nhqk,nkhe->nqhe", pattern, v)
        result = self.points[f"result {layer}"](torch.einsum("nqhe,hed->nqhd", z, weights.output))
        summed = result.sum(dim=2)
        return summed if weights.output_bias is None else summed + weights.output_bias

    def _mlp(self, x: Tensor, layer: int, weights: MLP) -> Tensor:
        read = weights.norm(self.points[f"into mlp {layer}"](x))
        return weights.post(ACTIVATIONS[weights.activation](weights.pre(read)))


def _hook(change: Callable[[Tensor], Tensor | None]) -> Callable[..., Tensor | None]:
    return lambda module, given, value: change(value)


def edge_order(model: PlainModel) -> list[Edge]:
    """All edges of the model between sources and readers, in the order of readers."""
    cells = [cell for writer in model.writers() for cell in writer.cells]
    return [
        Edge(cells[source], to, reader.port)
        for reader in model.readers()
        for to in reader.cells
        for source in range(reader.sources)
    ]


def sources_of(model: PlainModel, circuit: Sequence[Edge]) -> dict[tuple[str, int], list[int]]:
    """Per reader's point and head (0 where it has none) the sources of which edges are kept."""
    place = {
        (cell, reader.port): (reader.point, number)
        for reader in model.readers()
        for number, cell in enumerate(reader.cells)
    }
    found: dict[tuple[str, int], list[int]] = {key: [] for key in place.values()}
    for edge in circuit:
        found[place[edge.reader, edge.into]].append(model.number(edge.writer))
    return found
