"""Where an input of a step is found: what another step computed, or the activation cache.

Values are looked up for samples, and stored once per combination of rows: a sample finds that of
its own combination. Where a step computed fewer positions than are asked for, the others are plain.
"""

from __future__ import annotations

import numpy as np
import torch
from attrs import define, field, frozen
from jaxtyping import Int
from torch import Tensor

from scrub.engine.activations import ActivationCache
from scrub.engine.alignment import Frames, Samples, gather, scatter, take_positions
from scrub.engine.ranges import Positions
from scrub.engine.sharing import Combinations
from scrub.engine.steps import Plan, SiteStep, Source, StreamStep, Variable
from scrub.hypothesis.sites import ALL
from scrub.model.forward import Heads


@define(eq=False)
class Recent:
    """The plain stream that was looked up last, for those that ask for the same in a row.

    Attributes:
        asked: frame, stream, and the very arrays of indices and samples.
    """

    asked: tuple[Variable, str, Tensor | None, Samples] | None = None
    value: Tensor | None = None

    def get(self, frame: Variable, name: str, at: Tensor | None, samples: Samples) -> Tensor | None:
        """The value, if it is this one; else it is let go."""
        known = self.asked
        if known and known[:2] == (frame, name) and known[2] is at and known[3] is samples:
            return self.value
        self.asked = self.value = None
        return None


@frozen(eq=False)
class Chunk:
    """The samples that are computed together, and the values known so far.

    Attributes:
        values: by step, its value for each combination: [combinations, positions, heads, …].
        recent: where the last plain stream is kept, if it is.
    """

    plan: Plan
    cache: ActivationCache
    frames: Frames
    combinations: Combinations
    values: dict[int, Tensor] = field(factory=dict)
    recent: Recent | None = None


def needs_of(plan: Plan, source: Source) -> frozenset[Variable]:
    """The drawn inputs on which a value depends."""
    if source.step is None:
        return frozenset({source.frame})
    return plan.steps[source.step].needs


def lookup_plain(
    chunk: Chunk,
    frame: Variable,
    name: str,
    heads: Heads,
    at: Int[Tensor, "n positions"] | None,
    samples: Samples,
) -> Tensor:
    """Plain values of a site or stream on the inputs of a frame: [n, positions, heads or 1, …].

    Args:
        at: index of each position; None: all, in order.
    """
    kept = chunk.recent if name in chunk.plan.graph.streams else None
    if kept is not None and (known := kept.get(frame, name, at, samples)) is not None:
        return known
    rows = chunk.frames.rows(frame, samples)
    found = chunk.cache.get(name, rows, chunk.frames.width, at, heads)
    if kept is not None:
        kept.asked, kept.value = (frame, name, at, samples), found
    return found


def lookup_site(
    chunk: Chunk,
    source: Source,
    site: str,
    heads: Heads,
    at: Positions,
    frame: Variable,
    samples: Samples,
) -> Tensor:
    """Values of a source at positions that are named in a frame: [n, positions, heads or 1, …].

    The frame's indices are looked up in the source as they are: where the frame is not the
    source's own, that is landing index to index.
    """
    index = None if at == ALL else chunk.frames.index(frame, site, at, samples)
    if source.step is None:
        return lookup_plain(chunk, source.frame, site, heads, index, samples)
    step = chunk.plan.steps[source.step]
    assert isinstance(step, SiteStep)
    known = None if step.at == ALL else chunk.frames.index(step.frame, site, step.at, samples)
    value = _of_step(chunk, source.step, samples, known)
    if len(step.heads) > 1 and value.shape[2] > 1:
        value = value[:, :, [step.heads.index(head) for head in heads]]
    if known is None:
        return value if index is None else take_positions(value, index)
    if step.at == at and frame == source.frame:
        return value
    target = chunk.frames.index(frame, site, at, samples)
    if source.frame in chunk.plan.virtual:  # there a step is computed wherever it is read
        return scatter(value.new_zeros(*target.shape, *value.shape[2:]), target, value, known)
    base = lookup_plain(chunk, source.frame, site, heads, index, samples)
    base = base.expand(-1, -1, value.shape[2], *base.shape[3:])
    return scatter(base, target, value, known)


def lookup_difference(chunk: Chunk, number: int, at: Positions, samples: Samples) -> Tensor:
    """What a stream step computed, at positions of its own frame; 0 where it computed nothing."""
    step = chunk.plan.steps[number]
    assert isinstance(step, StreamStep)
    known = chunk.frames.index(step.frame, step.stream, step.at, samples)
    value = _of_step(chunk, number, samples, known)
    if step.at == at:
        return value
    target = chunk.frames.index(step.frame, step.stream, at, samples)
    if step.at == ALL:
        return take_positions(value, target)
    return scatter(value.new_zeros(*target.shape, *value.shape[2:]), target, value, known)


def _of_step(chunk: Chunk, number: int, samples: Samples, known: Tensor | None) -> Tensor:
    """What a step computed, for these samples, at the indices where it did (None: all)."""
    value = chunk.values[number]
    if known is not None and known.shape[1] < value.shape[1]:
        value = value[:, : known.shape[1]]
    combinations = chunk.combinations.of(chunk.plan.steps[number].needs)
    if samples is combinations.first:  # each group, or each sample where they are ungrouped
        return value
    return per_sample(value, combinations.member[samples])


def per_sample(value: Tensor, member: Samples) -> Tensor:
    """A value of each combination, repeated for each sample that has that combination."""
    if np.array_equal(member, np.arange(len(value))):
        return value
    return gather(value, torch.tensor(member, device=value.device))
