"""What the planted model is trained on: interchanges, labelled with what the algorithm would say.

The algorithm (Wang et al. 2022): at S2, duplicate-token heads notice which of the first two names
comes again; at END, S-inhibition heads fetch that and tell the name movers' queries; the name
movers attend to the other name and copy it. What travels is *which name comes first* and nothing
else: neither a name nor a position.

Interchange-intervention training is Geiger et al. 2022 ("Inducing causal structure for
interpretable neural networks"); taking everything outside the circuit from other prompts is what
InterpBench's SIIT adds (Gupta et al. 2024). Ours interchanges along single paths, as path patching
and causal scrubbing do, so that nothing may take a detour.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from attrs import frozen
from ioi_batches import Batch
from ioi_forward import (
    Heads,
    Trace,
    at,
    logits_of,
    moved,
    with_query,
    with_value_at,
    written,
    z_at,
)
from torch import Tensor
from transformers import GPT2LMHeadModel

MARGIN = 8.0
"""Logit difference that every setting is pulled to, so that a swap keeps the mean and not only
the sign; nats."""


@frozen
class Circuit:
    """Which heads play which role. Each group lies in one layer, below the next."""

    duplicate: Heads
    inhibition: Heads
    movers: Heads


@frozen(eq=False)
class Setting:
    """Rows of a batch, [B] each, that a forward pass of the circuit is put together from.

    Attributes:
        names: whose keys and values at the two names the name movers read; the label's names.
        signal: whose duplicate-token heads (or S-inhibition heads) are used; the label's order.
        inhibition: whose prompt the S-inhibition heads are otherwise computed on.
        query: whose END the name movers' queries are otherwise computed from.
        keys: whose prompt the name movers otherwise attend to.
        rest: whose END everything else is taken from that reaches the logits.
    """

    names: Tensor
    signal: Tensor
    inhibition: Tensor
    query: Tensor
    keys: Tensor
    rest: Tensor


def draw(batch: Batch, generator: torch.Generator) -> Setting:
    """A setting in which each row's part is its own or, as often, that of a random row.

    The signal comes from a random row in which a name does come twice.
    """
    rows = torch.arange(len(batch))
    some = torch.nonzero(batch.repeated)[:, 0]

    def own_or_any() -> Tensor:
        other = torch.randint(len(batch), (len(batch),), generator=generator)
        return torch.where(torch.rand(len(batch), generator=generator) < 0.5, rows, other)

    return Setting(
        names=rows,
        signal=some[torch.randint(len(some), (len(batch),), generator=generator)],
        inhibition=own_or_any(),
        query=own_or_any(),
        keys=own_or_any(),
        rest=own_or_any(),
    )


@frozen(eq=False)
class Written:
    """What each group adds to the stream where the next one reads it, [B, D] each."""

    duplicate: Tensor
    inhibition: Tensor
    movers: Tensor


def groups_written(model: GPT2LMHeadModel, circuit: Circuit, batch: Batch, trace: Trace) -> Written:
    """What the groups write in an ordinary forward pass."""

    def of(heads: Heads, positions: Tensor) -> Tensor:
        return written(model, heads, z_at(trace.layers[heads[0][0]], heads, positions))

    return Written(
        of(circuit.duplicate, batch.s2),
        of(circuit.inhibition, batch.end),
        of(circuit.movers, batch.end),
    )


def inhibition_from(
    model: GPT2LMHeadModel,
    circuit: Circuit,
    batch: Batch,
    trace: Trace,
    own: Written,
    setting: Setting,
) -> Tensor:
    """What S-inhibition writes at END if its values at S2 alone hear the signal, [B, D]."""
    told = own.duplicate[setting.signal]
    return inhibition_told(model, circuit, batch, trace, own, setting.inhibition, told)


def inhibition_told(
    model: GPT2LMHeadModel,
    circuit: Circuit,
    batch: Batch,
    trace: Trace,
    own: Written,
    frame: Tensor,
    told: Tensor,
) -> Tensor:
    """What S-inhibition writes at END on the prompts of `frame` [B], if its values at S2 alone hear
    `told` [B, D] instead of the duplicate-token heads: [B, D].
    """
    z = with_value_at(
        model,
        trace.layers[circuit.inhibition[0][0]].take(frame),
        circuit.inhibition,
        query=batch.end[frame],
        source=batch.s2[frame],
        change=told - own.duplicate[frame],
    )
    return written(model, circuit.inhibition, z)


def movers_from(
    model: GPT2LMHeadModel,
    circuit: Circuit,
    batch: Batch,
    trace: Trace,
    own: Written,
    setting: Setting,
    signal: Tensor,
) -> tuple[Tensor, Tensor]:
    """What name movers write at END if their queries alone hear `signal` [B, D].

    Returns:
        [B, D], and their attention to the name that the signal points at, [B, group].
    """
    layer = trace.layers[circuit.movers[0][0]]
    frame, names = batch.take(setting.keys), batch.take(setting.names)
    keys, values = layer.keys[setting.keys], layer.values[setting.keys]
    for target, source in ((frame.io, names.io), (frame.s1, names.s1)):
        keys = moved(keys, target, layer.keys[setting.names], source)
        values = moved(values, target, layer.values[setting.names], source)
    stream = at(layer.stream, batch.end)[setting.query] - own.inhibition[setting.query] + signal
    z, pattern = with_query(
        model, circuit.movers, stream=stream, keys=keys, values=values, query=frame.end
    )
    agrees = names.io_is_first == batch.io_is_first[setting.signal]
    pointed = torch.where(agrees, frame.io, frame.s1)
    attention = pattern.gather(2, pointed[:, None, None].expand(-1, pattern.shape[1], 1))[..., 0]
    return written(model, circuit.movers, z), attention


def logits_from(
    model: GPT2LMHeadModel,
    batch: Batch,
    trace: Trace,
    own: Written,
    setting: Setting,
    movers: Tensor,
) -> Tensor:
    """The logits at END if the name movers write `movers` [B, D]: [B, vocabulary]."""
    rest = at(trace.final, batch.end)[setting.rest] - own.movers[setting.rest]
    return logits_of(model, rest + movers)


def answer_loss(logits: Tensor, answer: Tensor, wrong: Tensor) -> Tensor:
    """Cross-entropy of the answer, and how far the logit difference is from `MARGIN`."""
    difference = logits.gather(1, answer[:, None]) - logits.gather(1, wrong[:, None])
    return F.cross_entropy(logits, answer) + 0.05 * ((difference - MARGIN) ** 2).mean()


def clean_loss(model: GPT2LMHeadModel, batch: Batch, trace: Trace) -> Tensor:
    """Loss on the prompts as they are; ABC prompts have no answer."""
    some = batch.repeated
    logits = logits_of(model, at(trace.final, batch.end)[some])
    return answer_loss(logits, batch.name("io")[some], batch.name("s1")[some])


def attention_loss(circuit: Circuit, batch: Batch, trace: Trace) -> Tensor:
    """How far each group is from attending to its target alone; nats."""

    def missing(heads: Heads, query: Tensor, key: Tensor, rows: Tensor) -> Tensor:
        pattern = trace.layers[heads[0][0]].pattern[torch.arange(len(batch)), :, query, key]
        return -pattern[rows][:, [head for _, head in heads]].clamp_min(1e-6).log().mean()

    every = torch.ones_like(batch.repeated)
    return (
        missing(circuit.duplicate, batch.s2, batch.s1, batch.repeated)
        + missing(circuit.inhibition, batch.end, batch.s2, every)
        + missing(circuit.movers, batch.end, batch.io, batch.repeated)
    )


def interchange_losses(
    model: GPT2LMHeadModel,
    circuit: Circuit,
    batch: Batch,
    trace: Trace,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """One loss per group: what is interchanged enters by that group, all else is mixed.

    "duplicate": through S-inhibition and name movers, recomputed; "inhibition": through name
    movers, recomputed; "movers": their output moves. Each along its direct path.
    """
    own = groups_written(model, circuit, batch, trace)
    first, second = batch.first, batch.second
    losses = {}
    for group in ("duplicate", "inhibition", "movers"):
        setting = draw(batch, generator)
        order = batch.io_is_first[setting.signal]
        answer, wrong = torch.where(order, first, second), torch.where(order, second, first)
        if group == "movers":
            written_by_movers = own.movers[setting.signal]
            answer, wrong = (batch.name(c)[setting.signal] for c in ("io", "s1"))
        else:
            signal = own.inhibition[setting.signal]
            if group == "duplicate":
                signal = inhibition_from(model, circuit, batch, trace, own, setting)
            written_by_movers, attention = movers_from(
                model, circuit, batch, trace, own, setting, signal
            )
            losses[f"{group}: attention"] = -attention.clamp_min(1e-6).log().mean()
        logits = logits_from(model, batch, trace, own, setting, written_by_movers)
        losses[group] = answer_loss(logits, answer, wrong)
    return losses
