"""What planted models with previous-token heads are trained on beside `ioi_losses.py`.

At S2 and END, that algorithm passes on which name comes first. *What tells it at the names* was
left open there, and some head must: no word and no position does, after prefixes of any length.
Here it is part of the algorithm. Previous-token heads write at IO and S1 whether the name is the
first or the second; duplicate-token heads read that at S1 by their values, name movers at both by
their keys.

So all is said that heads do, and nothing is left to others: a head may differ in any way where it
has no role, also a role's head elsewhere than at the columns of its role (`PLACES`).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from attrs import evolve, frozen
from ioi_batches import Batch
from ioi_forward import (
    Edit,
    Heads,
    Trace,
    at,
    logits_of,
    port_of,
    run,
    with_value_at,
    written,
    z_at,
)
from ioi_groups import place
from ioi_losses import (
    MARGIN,
    Circuit,
    Setting,
    Written,
    answer_loss,
    draw,
    groups_written,
    inhibition_told,
    logits_from,
    movers_from,
)
from ioi_places import Roles
from torch import Tensor
from transformers import GPT2LMHeadModel

PREVIOUS = "previous token"
PLACES: Mapping[str, tuple[str, ...]] = {
    PREVIOUS: ("io", "s1"),
    "duplicate token": ("s2",),
    "S-inhibition": ("end",),
    "name mover": ("end",),
}
"""At which columns the heads of each role play it."""
COLUMNS = ("io", "s1", "s1+1", "s2", "end")
"""Where heads without a role are taken from other prompts."""

LEAST = 0.25 * 2 * MARGIN
"""What one head of several must change of the logit difference: a quarter of the total effect."""


@frozen(eq=False)
class Passed:
    """An ordinary forward pass of a batch, and what each group wrote in it.

    Attributes:
        previous: what the previous-token heads write at a column, [B, D] each.
        twin, theirs: the flipped copies and their pass, of which no gradient is taken.
    """

    model: GPT2LMHeadModel
    roles: Roles
    circuit: Circuit
    batch: Batch
    trace: Trace
    own: Written
    previous: Mapping[str, Tensor]
    twin: Batch
    theirs: Trace

    @property
    def rows(self) -> Tensor:
        """All row numbers, [B]."""
        return torch.arange(len(self.batch))


def passed(
    model: GPT2LMHeadModel, roles: Roles, circuit: Circuit, batch: Batch, trace: Trace
) -> Passed:
    """With what every group writes."""
    heads = roles[PREVIOUS]
    previous = {
        column: written(model, heads, z_at(trace.layers[heads[0][0]], heads, place(batch, column)))
        for column in PLACES[PREVIOUS]
    }
    own, twin = groups_written(model, circuit, batch, trace), flipped(batch)
    with torch.no_grad():
        theirs = run(model, twin.tokens)
    return Passed(model, roles, circuit, batch, trace, own, previous, twin, theirs)


def previous_attention_loss(heads: Heads, batch: Batch, trace: Trace) -> Tensor:
    """How far previous-token heads are from attending, from a name, to the word before it; nats."""
    rows = torch.arange(len(batch))
    patterns = [
        trace.layers[layer].pattern[rows, head, position, position - 1]
        for layer, head in heads
        for position in (batch.io, batch.s1)
    ]
    return -torch.stack(patterns).clamp_min(1e-6).log().mean()


def previous_losses(p: Passed, generator: torch.Generator) -> dict[str, Tensor]:
    """One loss for each group that hears the previous-token heads, along its direct path.

    "previous into v": what they write at S1 comes from another prompt, and duplicate-token heads
    say the order of that one. "previous into k": what they write at both names does, and name
    movers take the second for the first where the orders differ.
    """
    batch, model = p.batch, p.model
    donor = torch.randint(len(batch), (len(batch),), generator=generator)

    setting = draw(batch, generator)
    frame = setting.signal  # a prompt in which the duplicate-token heads have something to say
    told = duplicate_told(p, frame, p.previous["s1"][donor])
    inhibition = inhibition_told(model, p.circuit, batch, p.trace, p.own, setting.inhibition, told)
    out, _ = movers_from(model, p.circuit, batch, p.trace, p.own, setting, inhibition)
    logits = logits_from(model, batch, p.trace, p.own, setting, out)
    into_values = answer_loss(logits, *answers(batch, batch.io_is_first[donor]))

    setting = draw(batch, generator)
    heard = with_keys(p, donor)
    signal = p.own.inhibition[setting.signal]
    out, _ = movers_from(model, p.circuit, batch, heard, p.own, setting, signal)
    logits = logits_from(model, batch, p.trace, p.own, setting, out)
    mistaken = batch.io_is_first != batch.io_is_first[donor]
    order = batch.io_is_first[setting.signal] ^ mistaken
    return {
        "previous into v": into_values,
        "previous into k": answer_loss(logits, *answers(batch, order)),
    }


def answers(batch: Batch, io_first: Tensor) -> tuple[Tensor, Tensor]:
    """Which name of each row is the answer if the IO of a prompt came first or not, and the other.

    Args:
        batch: whose names.
        io_first: what is told to the name movers, bool [B].
    """
    first, second = batch.first, batch.second
    return torch.where(io_first, first, second), torch.where(io_first, second, first)


def duplicate_told(p: Passed, frame: Tensor, told: Tensor) -> Tensor:
    """What duplicate-token heads write at S2 on the prompts of `frame` [B], if their values at S1
    alone hear `told` [B, D] instead of the previous-token heads: [B, D].
    """
    heads = p.circuit.duplicate
    z = with_value_at(
        p.model,
        p.trace.layers[heads[0][0]].take(frame),
        heads,
        query=p.batch.s2[frame],
        source=p.batch.s1[frame],
        change=told - p.previous["s1"][frame],
    )
    return written(p.model, heads, z)


def with_keys(p: Passed, donor: Tensor) -> Trace:
    """The same trace, but the name movers' keys at both names hear the previous-token heads of the
    rows `donor` [B].
    """
    heads = p.circuit.movers
    number, which = heads[0][0], [head for _, head in heads]
    layer = p.trace.layers[number]
    keys, rows = layer.keys.clone(), torch.arange(len(donor))[:, None]
    for column, wrote in p.previous.items():
        position = place(p.batch, column)
        stream = at(layer.stream, position) + wrote[donor] - wrote
        keys[rows, torch.tensor(which), position[:, None]] = port_of(p.model, heads, stream, 1)
    layers = list(p.trace.layers)
    layers[number] = evolve(layer, keys=keys)
    return evolve(p.trace, layers=layers)


def in_place(roles: Roles, layer: int, heads: int, only: str | None = None) -> Tensor:
    """Whether a head of this layer plays a role, or `only` this one, at a column: bool [C, heads].

    Columns are `COLUMNS`.
    """
    found = torch.zeros(len(COLUMNS), heads, dtype=torch.bool)
    for role, group in roles.items():
        for where, head in group:
            if where == layer and only in (None, role):
                for column in PLACES[role]:
                    found[COLUMNS.index(column), head] = True
    return found


def flipped(batch: Batch) -> Batch:
    """The same prompts with IO and S exchanged: S2 is the IO's name (the flip of both).

    Rows without a repetition keep their words, and which of their names is called the IO changes.
    """
    rows = torch.arange(len(batch))
    tokens = batch.tokens.clone()
    tokens[rows, batch.s2] = torch.where(batch.repeated, batch.name("io"), batch.name("s2"))
    return evolve(batch, tokens=tokens, io=batch.s1, s1=batch.io)


def outside_losses(p: Passed, generator: torch.Generator) -> dict[str, Tensor]:
    """What is lost if what should not matter is of another prompt, and all else follows.

    "outside": heads where they have no role, from the flipped copy or from any prompt. In half of
    the rows all of them are, at all columns; in the others each is by the toss of a coin. In half
    of the rows the previous-token heads are of that prompt as well, at both names: where both
    readers hear the same, it does not matter which name is called the first. "changed": how far the
    logit difference moves by that, and by what S-inhibition heads of the flipped copy write to the
    logits directly; squared, nats.
    """
    batch, own = p.batch, at(p.trace.final, p.batch.end)
    some, told = batch.repeated, flipped_written(p, p.circuit.inhibition, "end")
    edited = run(p.model, batch.tokens, _mixing(p, generator))
    logits = logits_of(p.model, at(edited.final, batch.end)[some])
    usual = differences(p, own)
    moved = [
        differences(p, at(edited.final, batch.end)),
        differences(p, own - p.own.inhibition + told),
    ]
    return {
        "outside": answer_loss(logits, batch.name("io")[some], batch.name("s1")[some]),
        "changed": torch.stack([((new - usual)[some] ** 2).mean() for new in moved]).sum(),
    }


def flipped_written(p: Passed, heads: Heads, column: str) -> Tensor:
    """What heads of one layer write at a column of the flipped copies: [B, D]. No gradient."""
    layer = p.theirs.layers[heads[0][0]]
    with torch.no_grad():
        return written(p.model, heads, z_at(layer, heads, place(p.twin, column)))


def share_loss(p: Passed, generator: torch.Generator) -> Tensor:
    """What heads of a group lack of their share; squared, nats.

    What one head of each group of several writes comes from the flipped copy, by the circuit's
    direct paths alone. The logit difference should fall by `LEAST` or more.
    """
    batch, some = p.batch, p.batch.repeated
    usual = differences(p, at(p.trace.final, batch.end))[some]
    setting = Setting(*[p.rows] * 6)
    total = torch.zeros(())
    for group, column in (("duplicate", "s2"), ("inhibition", "end"), ("movers", "end")):
        heads: Heads = getattr(p.circuit, group)
        if len(heads) == 1:
            continue
        told = getattr(p.own, group) + one_flipped(p, heads, column, generator)
        if group == "duplicate":
            told = inhibition_told(
                p.model, p.circuit, batch, p.trace, p.own, setting.inhibition, told
            )
        if group != "movers":
            told, _ = movers_from(p.model, p.circuit, batch, p.trace, p.own, setting, told)
        stream = at(p.trace.final, batch.end) - p.own.movers + told
        fallen = usual - differences(p, stream)[some]
        total = total + ((LEAST - fallen).clamp_min(0) ** 2).mean()
    return total


def one_flipped(p: Passed, heads: Heads, column: str, generator: torch.Generator) -> Tensor:
    """By how much what a group writes changes if one of its heads is the flipped copy's, [B, D]."""
    layer = p.trace.layers[heads[0][0]]
    changes = [
        flipped_written(p, (head,), column)
        - written(p.model, (head,), z_at(layer, (head,), place(p.batch, column)))
        for head in heads
    ]
    chosen = torch.randint(len(heads), (len(p.batch),), generator=generator)
    return torch.stack(changes, 1)[p.rows, chosen]


def differences(p: Passed, stream: Tensor) -> Tensor:
    """Logit of the IO minus logit of S1 of a stream at END [B, D]: [B]."""
    logits = logits_of(p.model, stream)
    io, s1 = (logits.gather(1, p.batch.name(column)[:, None]) for column in ("io", "s1"))
    return (io - s1)[:, 0]


def _mixing(p: Passed, generator: torch.Generator) -> Edit:
    """What takes the z of heads without a role from other prompts: see `outside_losses`."""
    rows = len(p.batch)
    donor = torch.randint(rows, (rows,), generator=generator)
    every, moved, twins = (torch.rand(rows, 1, 1, generator=generator) < 0.5 for _ in range(3))
    here, there = (
        torch.stack([place(batch, column) for column in COLUMNS], 1) for batch in (p.batch, p.twin)
    )
    mine = torch.arange(rows)[:, None]

    def edit(layer: int, z: Tensor) -> Tensor:
        heads = z.shape[1]
        tossed = torch.rand(rows, len(COLUMNS), heads, generator=generator) < 0.5
        outside = ~in_place(p.roles, layer, heads) & (every | tossed)
        swap = outside | (in_place(p.roles, layer, heads, PREVIOUS) & moved)
        any_prompt = p.trace.layers[layer].z[donor[:, None], :, here[donor]]
        other = torch.where(twins[..., None], p.theirs.layers[layer].z[mine, :, there], any_prompt)
        new = z.clone()
        new[mine, :, here] = torch.where(swap[..., None], other, z[mine, :, here])
        return new

    return edit
