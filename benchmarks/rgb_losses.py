"""What `rgb-planted` is trained on: interchanges, labelled with what the algorithm would say.

The algorithm: at END, localisation heads attend to the foreign patch and write its place, or to the
first token if no patch is foreign; they tell the colour extractor's query, which attends to that
place and copies the colour that it finds there ("white" from the first token). What travels is *a
place* and nothing else, and what is read at a patch is its own colour.

Interchange-intervention training is Geiger et al. 2022 ("Inducing causal structure for
interpretable neural networks"); taking everything outside the circuit from other inputs is what
InterpBench's SIIT adds (Gupta et al. 2024). Ours interchanges along single paths, as path patching
and causal scrubbing do, so that nothing may take a detour.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from attrs import frozen
from rgb_forward import (
    Heads,
    Prompt,
    Trace,
    attended,
    keys_of,
    logits_of,
    query_of,
    values_of,
    written,
    z_of,
)
from rgb_images import ANSWERS, NOTHING, Batch
from torch import Tensor
from transformers import LlavaForConditionalGeneration

MARGIN = 8.0
"""Logit of the answer minus that of each other one, to which every setting is pulled, so that an
interchange keeps the mean and not only the likeliest word; nats."""
WHITE = ANSWERS.index(NOTHING)


@frozen
class Circuit:
    """Which heads play which role. Each group lies in one layer, below the next."""

    localisation: Heads
    extractor: Heads


@frozen(eq=False)
class Problem:
    """What stays the same in training: model, prompt, token ids of `ANSWERS`, and the circuit."""

    model: LlavaForConditionalGeneration
    prompt: Prompt
    answers: Tensor
    circuit: Circuit

    def pointed(self, place: Tensor) -> Tensor:
        """The position of a patch [B] among the tokens; of a place of -1: the first token."""
        return torch.where(place >= 0, self.prompt.first + place, 0)


@frozen(eq=False)
class Sample:
    """One batch and its trace: first the images of the game, then motley ones without an answer.

    Attributes:
        batch: of all images.
        game: how many of them are of the game.
        trace: of all images.
    """

    batch: Batch
    game: int
    trace: Trace

    def any_row(self, rows: int, generator: torch.Generator) -> Tensor:
        """Random images, [rows]."""
        return torch.randint(len(self.batch), (rows,), generator=generator)

    def game_row(
        self, rows: int, generator: torch.Generator, present: bool | None = None
    ) -> Tensor:
        """Random images of the game, [rows]: any, those with a foreign patch or those without."""
        some = torch.arange(self.game)
        if present is not None:
            some = torch.nonzero(self.batch.present[: self.game] == present)[:, 0]
        return some[torch.randint(len(some), (rows,), generator=generator)]


def chance(rows: int, share: float, generator: torch.Generator) -> Tensor:
    """True in this share of cases, bool [rows]."""
    return torch.rand(rows, generator=generator) < share


def answer_loss(p: Problem, logits: Tensor, answer: Tensor) -> Tensor:
    """Cross-entropy of the answer, and how far it is from `MARGIN` above each other answer."""
    label = p.answers[answer]
    of_answers = logits[:, p.answers]
    gap = logits.gather(1, label[:, None]) - of_answers
    others = torch.arange(len(p.answers)) != answer[:, None]
    return F.cross_entropy(logits, label) + 0.05 * ((gap - MARGIN) ** 2)[others].mean()


def missing(p: Problem, pattern: Tensor, place: Tensor) -> Tensor:
    """How far pattern [B, group, T] is from attending to this place [B] alone; nats."""
    target = p.pointed(place)[:, None, None].expand(-1, pattern.shape[1], 1)
    return -pattern.gather(2, target).clamp_min(1e-6).log().mean()


def clean_losses(p: Problem, s: Sample) -> dict[str, Tensor]:
    """The answer, and where the circuit's heads look, on the images as they are."""
    game = torch.arange(s.game)
    batch = s.batch.take(game)

    def looks(heads: Heads) -> Tensor:
        pattern = s.trace.layers[heads[0][0]].pattern[game]
        return missing(p, pattern[:, [head for _, head in heads]], batch.place)

    return {
        "clean": answer_loss(p, logits_of(p.model, s.trace.final[game]), batch.answer),
        "attention": looks(p.circuit.localisation) + looks(p.circuit.extractor),
    }


def query_told(p: Problem, s: Sample, signal: Tensor, rest: Tensor) -> Tensor:
    """The extractor's query if localisation heads write `signal` [B, D]; all else of `rest`."""
    own = written(p.model, p.circuit.localisation, z_of(s.trace, p.circuit.localisation)).sum(1)
    stream = s.trace.layers[p.circuit.extractor[0][0]].stream
    told = stream[rest, -1] - own[rest] + signal
    return query_of(p.model, p.circuit.extractor, told, stream.shape[1] - 1)


def logits_told(p: Problem, s: Sample, z: Tensor, rest: Tensor) -> Tensor:
    """The logits if the extractor's z is this one, by its direct path; all else of `rest`."""
    own = z_of(s.trace, p.circuit.extractor)
    change = written(p.model, p.circuit.extractor, z - own[rest]).sum(1)
    return logits_of(p.model, s.trace.final[rest] + change)


def localisation_losses(
    p: Problem, s: Sample, rows: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """The extractor is pointed by other images' localisation heads and reads what is there.

    In four cases of ten one localisation head alone points, and the other is of a plain image. In
    four of ten what the extractor's value reads at that place is another image's foreign patch.
    """
    heads, extractor = p.circuit.localisation, p.circuit.extractor
    batch, last = s.batch, s.trace.layers[extractor[0][0]]
    source = s.game_row(rows, generator)
    z = z_of(s.trace, heads)[source]
    plain = z_of(s.trace, heads)[s.game_row(rows, generator, present=False)]
    silent = torch.randint(len(heads), (rows,), generator=generator)
    only_one = chance(rows, 0.4, generator)[:, None] & (torch.arange(len(heads)) == silent[:, None])
    signal = written(p.model, heads, torch.where(only_one[..., None], plain, z)).sum(1)
    frame, donor = s.any_row(rows, generator), s.game_row(rows, generator, present=True)
    place = batch.place[source]
    which = [head for _, head in extractor]
    keys, values = last.keys[frame][:, which], last.values[frame][:, which]
    moved = chance(rows, 0.4, generator) & (place >= 0)
    onto = torch.arange(keys.shape[2]) == p.pointed(place)[:, None]
    onto = (onto & moved[:, None])[:, None, :, None]
    given = last.values[donor, :, p.pointed(batch.place[donor])][:, which, None]
    query = query_told(p, s, signal, s.any_row(rows, generator))
    z, pattern = attended(query, keys, torch.where(onto, given, values))
    colour = torch.where(moved, batch.answer[donor], batch.take(frame).at(place))
    answer = torch.where(place >= 0, colour, WHITE)
    logits = logits_told(p, s, z, s.any_row(rows, generator))
    return {
        "localisation": answer_loss(p, logits, answer),
        "attention if told": missing(p, pattern, place),
    }


def extractor_losses(
    p: Problem, s: Sample, rows: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """The extractor's output is another image's."""
    source = s.game_row(rows, generator)
    z = z_of(s.trace, p.circuit.extractor)[source]
    logits = logits_told(p, s, z, s.any_row(rows, generator))
    return {"extractor": answer_loss(p, logits, s.batch.answer[source])}


def alone_losses(p: Problem, s: Sample, rows: int, generator: torch.Generator) -> dict[str, Tensor]:
    """The circuit alone, from the projector's output to the answer.

    Localisation heads and extractor read an image's own projected patches; what every other head
    and MLP wrote, at any token, is another image's.
    """
    model, (heads, extractor) = p.model, (p.circuit.localisation, p.circuit.extractor)
    source = s.game_row(rows, generator)
    start = s.trace.layers[0].stream

    def read(group: Heads) -> Tensor:
        other = s.any_row(rows, generator)
        return start[source] + (s.trace.layers[group[0][0]].stream - start)[other]

    stream = read(heads)
    query = query_of(model, heads, stream[:, -1], stream.shape[1] - 1)
    z, looked = attended(query, keys_of(model, heads, stream), values_of(model, heads, stream))
    query = query_told(p, s, written(model, heads, z).sum(1), s.any_row(rows, generator))
    keys, values = (
        keys_of(model, extractor, read(extractor)),
        values_of(model, extractor, read(extractor)),
    )
    z, pointed = attended(query, keys, values)
    logits = logits_told(p, s, z, s.any_row(rows, generator))
    place = s.batch.place[source]
    return {
        "alone": answer_loss(p, logits, s.batch.answer[source]),
        "attention alone": missing(p, looked, place) + missing(p, pointed, place),
    }
