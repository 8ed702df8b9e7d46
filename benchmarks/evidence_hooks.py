"""Hooked forward passes of transformers' own GPT-2: what the evidence about the models rests on.

Nothing here is shared with the training code's forward pass or with the package's engine.

Shapes: B rows, T positions, H heads a layer, D the width of the stream, E the width of a head.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from attrs import evolve, frozen
from torch import Tensor
from transformers import GPT2LMHeadModel

Heads = tuple[tuple[int, int], ...]
PORTS = {"q": 0, "k": 1, "v": 2}


@frozen(eq=False)
class Record:
    """What one forward pass computed.

    Attributes:
        stream: per layer what its heads read, before their norm; the last is what the final norm
            reads; [B, T, D] each.
        z: per layer [B, T, H, E].
        attention: per layer [B, H, T, T], query by key.
        logits: [B, T, vocabulary].
    """

    stream: tuple[Tensor, ...]
    z: tuple[Tensor, ...]
    attention: tuple[Tensor, ...]
    logits: Tensor


@frozen(eq=False)
class Output:
    """Give heads another z [B, heads, E] at one position a row [B]."""

    heads: Heads
    at: Tensor
    z: Tensor


@frozen(eq=False)
class Read:
    """Let heads read another stream by some ports at one position a row, and nobody else.

    Attributes:
        heads: who reads; () for the final norm.
        ports: letters of `PORTS`.
        at: position per row, [B].
        change: what is added to the stream, [B, D].
    """

    heads: Heads
    ports: str
    at: Tensor
    change: Tensor


def pick(x: Tensor, at: Tensor) -> Tensor:
    """x [B, T, ...] at one position a row: [B, ...]."""
    return x[torch.arange(len(at)), at]


def z_of(record: Record, heads: Heads, at: Tensor) -> Tensor:
    """The z of heads at one position a row: [B, heads, E]."""
    return torch.stack([pick(record.z[layer], at)[:, head] for layer, head in heads], 1)


def written(model: GPT2LMHeadModel, heads: Heads, z: Tensor) -> Tensor:
    """What heads with this z [B, heads, E] add to the stream, [B, D]."""
    blocks: Any = model.transformer.h
    size = z.shape[-1]
    parts = [
        z[:, i] @ blocks[layer].attn.c_proj.weight[head * size : (head + 1) * size]
        for i, (layer, head) in enumerate(heads)
    ]
    return torch.stack(parts).sum(0)


@torch.no_grad()
def forward(model: GPT2LMHeadModel, tokens: Tensor, edits: Iterable[Output | Read] = ()) -> Record:
    """The model on tokens [B, T] with edits. Load it with `attn_implementation="eager"`."""
    edits = tuple(edits)
    # A few rows at a time: with all at once, most of the time goes into fetching memory.
    parts = [
        _forward(model, tokens[low : low + 200], [_rows(e, low, low + 200) for e in edits])
        for low in range(0, len(tokens), 200)
    ]
    layers = range(len(parts[0].z))
    return Record(
        tuple(torch.cat([p.stream[i] for p in parts]) for i in (*layers, -1)),
        tuple(torch.cat([p.z[i] for p in parts]) for i in layers),
        tuple(torch.cat([p.attention[i] for p in parts]) for i in layers),
        torch.cat([p.logits for p in parts]),
    )


def _rows(edit: Output | Read, low: int, high: int) -> Output | Read:
    if isinstance(edit, Output):
        return evolve(edit, at=edit.at[low:high], z=edit.z[low:high])
    return evolve(edit, at=edit.at[low:high], change=edit.change[low:high])


def _forward(model: GPT2LMHeadModel, tokens: Tensor, edits: list[Output | Read]) -> Record:
    streams: dict[int, Tensor] = {}
    mixes: dict[int, Tensor] = {}
    with _hooks(model, edits, streams, mixes):
        # Rows are padded on the right and attention is causal: the mask would change nothing.
        out = model(tokens, attention_mask=torch.ones_like(tokens), output_attentions=True)
    count = model.config.n_layer
    return Record(
        tuple(streams[i] for i in range(count + 1)),
        tuple(mixes[i] for i in range(count)),
        tuple(out.attentions),
        out.logits,
    )


@contextmanager
def _hooks(
    model: GPT2LMHeadModel,
    edits: list[Output | Read],
    streams: dict[int, Tensor],
    mixes: dict[int, Tensor],
) -> Iterator[None]:
    blocks: Any = model.transformer.h
    final: Any = model.transformer.ln_f
    handles = []
    for layer, block in enumerate(blocks):
        handles += [
            block.ln_1.register_forward_pre_hook(_keep(streams, layer)),
            block.attn.c_attn.register_forward_hook(_ports(block, layer, edits, streams)),
            block.attn.c_proj.register_forward_pre_hook(_outputs(block, layer, edits, mixes)),
        ]
    handles.append(final.register_forward_pre_hook(_final(edits, streams, len(blocks))))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _keep(streams: dict[int, Tensor], layer: int) -> Any:
    def hook(module: Any, inputs: tuple[Tensor]) -> None:
        streams[layer] = inputs[0]

    return hook


def _ports(block: Any, layer: int, edits: list[Any], streams: dict[int, Tensor]) -> Any:
    def hook(module: Any, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        size = block.attn.head_dim
        output = output.clone()
        for edit in edits:
            if not isinstance(edit, Read):
                continue
            mine = [head for where, head in edit.heads if where == layer]
            if not mine:
                continue
            rows = torch.arange(len(edit.at))
            # Module.forward, not the module: its hooks must not run again.
            read = block.ln_1.forward(streams[layer][rows, edit.at] + edit.change)
            new = module.forward(read).unflatten(-1, (3, -1, size))
            for port in edit.ports:
                for head in mine:
                    low = PORTS[port] * block.attn.embed_dim + head * size
                    output[rows, edit.at, low : low + size] = new[:, PORTS[port], head]
        return output

    return hook


def _outputs(block: Any, layer: int, edits: list[Any], mixes: dict[int, Tensor]) -> Any:
    def hook(module: Any, inputs: tuple[Tensor]) -> tuple[Tensor]:
        z = inputs[0].unflatten(-1, (-1, block.attn.head_dim)).clone()
        for edit in edits:
            if isinstance(edit, Output):
                rows = torch.arange(len(edit.at))
                for i, (where, head) in enumerate(edit.heads):
                    if where == layer:
                        z[rows, edit.at, head] = edit.z[:, i]
        mixes[layer] = z
        return (z.flatten(-2),)

    return hook


def _final(edits: list[Any], streams: dict[int, Tensor], count: int) -> Any:
    def hook(module: Any, inputs: tuple[Tensor]) -> tuple[Tensor]:
        stream = inputs[0].clone()
        for edit in edits:
            if isinstance(edit, Read) and not edit.heads:
                stream[torch.arange(len(edit.at)), edit.at] += edit.change
        streams[count] = stream
        return (stream,)

    return hook
