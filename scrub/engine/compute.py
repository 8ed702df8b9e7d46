"""Compute a step: `compute_site` recomputes a site from inputs that other steps changed;
`compute_stream` sums by how much a stream differs from the plain one.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from scrub.engine.alignment import Samples, group_by_length, scatter, scatter_add
from scrub.engine.lookup import Chunk, lookup_difference, lookup_plain, lookup_site
from scrub.engine.passing import Specs
from scrub.engine.ranges import Positions, Range
from scrub.engine.steps import Patch, SiteRead, SiteStep, Step, StreamRead, StreamStep
from scrub.engine.writes import difference_of, write_each, written_apart
from scrub.hypothesis.sites import ALL
from scrub.model.forward import head_indices
from scrub.model.graph import Where


def compute_step(chunk: Chunk, step: Step, min_batch: int) -> Tensor:
    """A step's value for each combination: [combinations, positions, heads, …].

    Ranges of different lengths are computed apart, so that no sample pays for another's length.

    Args:
        min_batch: samples that are computed at once even where their lengths differ.
    """
    samples = chunk.combinations.of(step.needs).first
    if not isinstance(step.at, Range):
        return _compute(chunk, step, samples)
    name = step.site if isinstance(step, SiteStep) else step.stream
    lengths = chunk.frames.lengths(step.frame, name, step.at)[samples]
    parts = group_by_length(lengths, min_batch)
    if len(parts) == 1:
        return _compute(chunk, step, samples)
    whole = None
    for part in parts:
        value = _compute(chunk, step, samples[part])
        if whole is None:
            whole = value.new_empty(len(samples), lengths.max(), *value.shape[2:])
        rows, length = torch.tensor(part, device=value.device), value.shape[1]
        whole[rows, :length] = value
        whole[rows, length:] = value[:, -1:]  # an index past the end is that of the end
    assert whole is not None
    return whole


def _compute(chunk: Chunk, step: Step, samples: Samples) -> Tensor:
    if isinstance(step, StreamStep):
        return compute_stream(chunk, step, samples)
    return compute_site(chunk, step, samples)


def compute_site(chunk: Chunk, step: SiteStep, samples: Samples) -> Tensor:
    """A site recomputed for some heads, at the step's positions: [n, positions, heads, …]."""
    graph = chunk.plan.graph
    inputs = {
        read.port: (
            _read_stream(chunk, read, step, samples)
            if isinstance(read, StreamRead)
            else _read_site(chunk, read, step, samples)
        )
        for read in step.reads
    }
    index = chunk.frames.index(step.frame, step.site, step.at, samples)
    return graph.sites[step.site].apply(inputs, Where(head_indices(step.heads, graph), index))


def compute_stream(chunk: Chunk, step: StreamStep, samples: Samples) -> Tensor:
    """By how much a stream differs from the plain one: [n, positions, 1 or members, …].

    That is the difference of the stream that it continues, and what each patch adds.
    """
    total = None
    if step.base is not None:
        total = lookup_difference(chunk, step.base, step.at, samples)
    target = chunk.frames.index(step.frame, step.stream, step.at, samples)
    for patch in step.patches:
        change, landing = _change(chunk, patch, step, samples, target)
        shape = (*target.shape, *change.shape[2:])
        if landing is None or patch.at == step.at:
            total = change.expand(shape) if total is None else total + change
        else:
            base = change.new_zeros(shape) if total is None else total
            total = scatter_add(base, target, change, landing)
    assert total is not None
    return total


def _read_stream(chunk: Chunk, read: StreamRead, step: SiteStep, samples: Samples) -> Tensor:
    """A port's stream: the plain one, and the difference that a step computed."""
    index = None
    if step.at != ALL:
        index = chunk.frames.index(step.frame, step.site, step.at, samples)
    plain = lookup_plain(chunk, step.frame, read.stream, (), index, samples)
    if read.difference is None:
        return plain
    difference = lookup_difference(chunk, read.difference, step.at, samples)
    if step.stacked > 1:  # a large value, which no other step reads
        return difference.add_(plain)
    return plain + difference


def _read_site(chunk: Chunk, read: SiteRead, step: SiteStep, samples: Samples) -> Tensor:
    """A port's site: each head from its piece, then the patches."""
    at: Positions = ALL if read.everywhere else step.at
    pieces = [
        lookup_site(chunk, piece.source, read.site, piece.heads, at, step.frame, samples)
        for piece in read.pieces
    ]
    if len(pieces) == 1:
        value = pieces[0]
    else:
        heads = [head for piece in read.pieces for head in piece.heads]
        sizes = [len(piece.heads) for piece in read.pieces]
        pieces = [_one_per_head(value, size) for value, size in zip(pieces, sizes, strict=True)]
        value = torch.cat(pieces, dim=2)[:, :, [heads.index(head) for head in step.heads]]
    for patch in read.patches:
        value = _patched(chunk, value, patch, at, step, samples)
    return value


def _patched(
    chunk: Chunk, value: Tensor, patch: Patch, at: Positions, step: SiteStep, samples: Samples
) -> Tensor:
    """A value at positions of the step's frame, with a patch's values at the named ones."""
    assert patch.at != ALL, "a whole site is a piece, not a patch"
    site, frame = patch.site, patch.source.frame
    new = lookup_site(chunk, patch.source, site, patch.heads, patch.at, frame, samples)
    target = chunk.frames.index(step.frame, site, at, samples)
    landing = chunk.frames.index(step.frame, site, patch.at, samples)
    if patch.heads == step.heads:
        return scatter(_one_per_head(value, new.shape[2]), target, new, landing)
    which = [step.heads.index(head) for head in patch.heads]
    value = _one_per_head(value, len(step.heads)).clone()
    value[:, :, which] = scatter(value[:, :, which], target, new, landing)
    return value


def _change(
    chunk: Chunk,
    patch: Patch,
    step: StreamStep,
    samples: Samples,
    target: Int[Tensor, "n positions"],
) -> tuple[Tensor, Int[Tensor, "n positions"] | None]:
    """What a patch adds to a stream, and at which indices; None: at the step's own."""
    site, heads = patch.site, patch.heads
    if patch.at == ALL:
        at, landing, frame = step.at, None, step.frame
    else:
        at, frame = patch.at, patch.source.frame
        landing = chunk.frames.index(step.frame, step.stream, at, samples)
    graph = chunk.plan.graph
    write, which = graph.sites[site].write, head_indices(heads, graph)
    apart = written_apart(graph, chunk.frames, patch, step, samples)
    if apart is not None:
        assert write is not None
        value = chunk.cache.get(site, apart.rows, chunk.frames.width, apart.at, heads)
        if step.stacked > 1:
            written = write_each(graph, patch, value, apart.at)
        else:
            written = write(value, which)
        change = difference_of(written, apart.entry)
    else:
        new = lookup_site(chunk, patch.source, site, heads, at, frame, samples)
        old = lookup_site(chunk, patch.over, site, heads, at, step.frame, samples)
        if not (new.is_floating_point() or new.is_complex()):  # 0 − 1 is 255 in some types
            new, old = new.long(), old.long()
        if step.stacked > 1:
            change = write_each(graph, patch, new - old, target if landing is None else landing)
        else:
            change = new - old if write is None else write(new - old, which)
    if patch.within or patch.without:
        at = target if landing is None else landing
        inside = _inside(chunk, patch, step, at, samples)
        change.masked_fill_(~inside.reshape(*at.shape, *[1] * (change.dim() - 2)), 0)
    return change, landing


def _inside(
    chunk: Chunk,
    patch: Patch,
    step: StreamStep,
    at: Int[Tensor, "n positions"],
    samples: Samples,
) -> Bool[Tensor, "n positions"]:
    """Whether a patch is put at each of these indices of the step's frame."""

    def among(specs: Specs) -> Bool[Tensor, "n positions"]:
        named = chunk.frames.index(step.frame, step.stream, specs, samples)
        return (at[:, :, None] == named[:, None]).any(dim=-1)

    inside = torch.ones_like(at, dtype=torch.bool)
    for specs in patch.within:
        inside &= among(specs)
    for specs in patch.without:
        inside &= ~among(specs)
    return inside


def _one_per_head(value: Tensor, heads: int) -> Tensor:
    """The value with one entry a head, where all heads share one."""
    return value.expand(-1, -1, heads, *value.shape[3:]) if value.shape[2] == 1 else value
