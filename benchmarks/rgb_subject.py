"""A model of the RGB game on images, and what is measured of it: for the evidence and its tests.

Shapes: B images, T positions, D the width of the stream. All images stand in one prompt.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import torch
from attrs import frozen
from rgb_hooks import Change, Record, at_end, embedded, load, run, sizes
from rgb_images import ANSWERS, COLOURS, NOTHING, Batch, draw, painted
from rgb_training import Setup, setup
from torch import Tensor
from transformers import LlavaForConditionalGeneration

WHITE = ANSWERS.index(NOTHING)


@frozen(eq=False)
class Subject:
    """A model, its roles, and what it does on some images.

    Attributes:
        model: by transformers.
        roles: (layer, head) by role.
        frame: prompt and processor, as in training.
        batch: the images.
        start: what the language model starts from, [B, T, D].
        record: of the plain run.
    """

    model: LlavaForConditionalGeneration
    roles: dict[str, tuple[tuple[int, int], ...]]
    frame: Setup
    batch: Batch
    start: Tensor
    record: Record

    @property
    def every_head(self) -> list[tuple[int, int]]:
        """All heads of the language model."""
        layers, heads = sizes(self.model)
        return [(layer, head) for layer in range(layers) for head in range(heads)]

    @property
    def outside(self) -> list[tuple[int, int]]:
        """All heads that play no role."""
        inside = {head for heads in self.roles.values() for head in heads}
        return [head for head in self.every_head if head not in inside]

    def on(self, batch: Batch) -> Subject:
        """The same model on other images."""
        start = embedded(self.model, self.frame.prompt.tokens, self.frame.values(batch.cells))
        record = run(self.model, start)
        return Subject(self.model, self.roles, self.frame, batch, start, record)

    def logits(self, changes: list[Change]) -> Tensor:
        """Of `ANSWERS` at END when something changes, [B, answers]."""
        return run(self.model, self.start, changes).logits[:, self.frame.answers]

    def answers(self) -> Tensor:
        """Logits of `ANSWERS` at END in the plain run, [B, answers]."""
        return self.record.logits[:, self.frame.answers]

    def pointed(self, place: Tensor) -> Tensor:
        """The position of a patch [B]; of a place of -1: the first token."""
        return torch.where(place >= 0, self.frame.prompt.first + place, 0)


def subject(directory: Path, rows: int, seed: int) -> Subject:
    """The model on held-out images."""
    model, frame = load(directory), setup(0)
    listed = tomllib.loads((directory / "roles.toml").read_text(encoding="utf-8"))["roles"]
    roles = {role: tuple((layer, head) for layer, head in heads) for role, heads in listed.items()}
    batch = draw(np.random.default_rng(seed), rows, keep=True)
    start = embedded(model, frame.prompt.tokens, frame.values(batch.cells))
    return Subject(model, roles, frame, batch, start, run(model, start))


def different(s: Subject, rng: np.random.Generator) -> Tensor:
    """For each image one that differs in place, answer and background; never a plain one, [B]."""
    batch = s.batch
    donors = []
    for place, answer, background in zip(batch.place, batch.answer, batch.background, strict=True):
        fits = batch.present & (batch.place != place) & (batch.answer != answer)
        fits &= (batch.background != background) & (batch.answer != background)
        donors.append(rng.choice(torch.nonzero(fits)[:, 0].numpy()))
    return torch.tensor(np.array(donors))


def repainted(s: Subject, rng: np.random.Generator) -> Subject:
    """Each image with foreign colour and background drawn anew: place alone is the same."""
    batch, count = s.batch, len(COLOURS)
    foreign = (batch.answer.numpy() + rng.integers(1, count, len(batch))) % count
    background = (foreign + rng.integers(1, count, len(batch))) % count
    return s.on(painted(foreign, background, batch.place.numpy()))


def pattern_of(before: Subject, after: Subject, heads: tuple[tuple[int, int], ...]) -> list[Change]:
    """The heads' z at END with `before`'s pattern and `after`'s values."""
    made = []
    for layer, head in heads:
        pattern = before.record.attention[layer][:, head, -1]
        values = after.record.parts["v", layer]
        given = torch.zeros_like(values)
        given[:, -1, head] = torch.einsum("bt,bte->be", pattern, values[:, :, head])
        made.append(Change("z", layer, (head,), at_end(after.start), given))
    return made
