"""What `ioi-planted-2` is trained on: interchanges, labelled with what each group says.

The algorithm is that of Wang et al. (2022). At S2, *duplicate-token* heads attend to S1, and
*induction* heads to the word after S1, which they find because *previous-token* heads wrote there
which name stands before. Each of both says which of the two names came again: a vote for the other
name. S-inhibition heads fetch the sum and tell the queries of the *name movers* (in two layers) and
of a *negative* one; all attend to that name, the movers raise its logit and the negative one lowers
it.

Two decisions. *The votes are added*, half of the signal from each group and as much from each of
its heads: where they disagree the target lies between, at even odds and no logit difference if as
many say one as the other. (If either group sufficed, each would be backed up by the other and
nothing would be lost without it.) *What the final heads say is added*: each has a
share of the logit difference, and the label of a mix of two prompts is the sum of the shares from
each.

Compare `ioi_losses.py`, whose interchanges these generalise, and its sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from attrs import frozen
from ioi_batches import Batch
from ioi_forward import Trace, logits_of, run
from ioi_groups import (
    Edge,
    Group,
    Read,
    Signals,
    Table,
    final_stream,
    heard,
    own,
    place,
    written_at,
)
from ioi_losses import MARGIN
from torch import Tensor
from transformers import GPT2LMHeadModel

STRICT = 0.2
"""Weight of the squared distance from the final heads' shares; at 0.05 the negative one raised the
answer still after 1,500 steps."""
AFTER = ("io+1", "s1+1")
"""Where previous-token heads write what induction heads hear."""
VOTERS = ("duplicate token", "induction")

Head = tuple[int, int]

TABLE: Table = {
    group.role: group
    for group in (
        Group("previous token", ((1, 0),), ("s1+1", "io+1"), "s1"),
        Group("duplicate token", ((1, 1), (2, 3)), ("s2",), "s1", says_order=True),
        Group(
            "induction",
            ((2, 0), (2, 2)),
            ("s2",),
            "s1+1",
            (Edge("kv", AFTER, ("previous token",)),),
            says_order=True,
        ),
        Group(
            "S-inhibition",
            ((3, 1), (3, 3)),
            ("end",),
            "s2",
            (Edge("v", ("s2",), VOTERS),),
            says_order=True,
        ),
        Group(
            "name mover",
            ((4, 0), (5, 2)),
            ("end",),
            "io",
            (Edge("q", ("end",), ("S-inhibition",)),),
            shares=(5.0, 5.0),
        ),
        Group(
            "negative name mover",
            ((5, 1),),
            ("end",),
            "io",
            (Edge("q", ("end",), ("S-inhibition",)),),
            shares=(-2.0,),
        ),
    )
}
"""The circuit; shares of the logit difference add up to `MARGIN`."""

SPEAKERS = tuple(group for group in TABLE.values() if group.shares)
"""Groups that write to the logits."""


@frozen(eq=False)
class Passed:
    """An ordinary forward pass of a batch, and what each group wrote in it."""

    model: GPT2LMHeadModel
    batch: Batch
    trace: Trace
    usual: Signals
    by_head: Mapping[tuple[Head, str], Tensor]

    @property
    def rows(self) -> Tensor:
        """All row numbers, [B]."""
        return torch.arange(len(self.batch))


def passed(model: GPT2LMHeadModel, batch: Batch, trace: Trace) -> Passed:
    """With what every group of the table writes."""
    by_head = {
        (head, column): written_at(model, (head,), trace, place(batch, column))
        for group in TABLE.values()
        for head in group.heads
        for column in group.columns
    }
    return Passed(model, batch, trace, own(model, TABLE, batch, trace), by_head)


def some_rows(batch: Batch, generator: torch.Generator) -> Tensor:
    """For each row a random one in which a name does come twice, [B]."""
    some = torch.nonzero(batch.repeated)[:, 0]
    return some[torch.randint(len(some), (len(batch),), generator=generator)]


def own_or_any(batch: Batch, generator: torch.Generator) -> Tensor:
    """Each row itself or, as often, any row, [B]."""
    other = torch.randint(len(batch), (len(batch),), generator=generator)
    return torch.where(coins(batch, generator), torch.arange(len(batch)), other)


def coins(batch: Batch, generator: torch.Generator) -> Tensor:
    """A coin for each row, bool [B]."""
    return torch.rand(len(batch), generator=generator) < 0.5


def graded_loss(logits: Tensor, first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    """How far the logits [B, vocabulary] are from odds `share` [B] for `first` over `second`.

    Cross-entropy with these odds, and how far the logit difference is from `MARGIN` times
    2 share − 1. Of share 1 this is `answer_loss` of `ioi_losses.py`.
    """
    chosen = logits.gather(1, torch.stack([first, second], 1))
    odds = torch.stack([share, 1 - share], 1)
    entropy = -(odds * (chosen - logits.logsumexp(1, keepdim=True))).sum(1)
    difference = chosen[:, 0] - chosen[:, 1]
    return (entropy + 0.05 * (difference - MARGIN * (2 * share - 1)) ** 2).mean()


def clean_loss(p: Passed) -> Tensor:
    """Loss on the prompts as they are; ABC prompts have no answer."""
    some = p.batch.take(torch.nonzero(p.batch.repeated)[:, 0])
    logits = logits_of(p.model, final_stream(p.trace, p.batch)[p.batch.repeated])
    return graded_loss(logits, some.name("io"), some.name("s1"), torch.ones(len(some)))


def attention_loss(p: Passed) -> Tensor:
    """How far each group is from attending to its target alone; nats, summed over groups.

    Previous-token heads do so from every word.
    """
    losses = []
    for group in TABLE.values():
        # Also without a repetition: END attends to S2.
        rows = p.rows if group.target == "s2" else torch.nonzero(p.batch.repeated)[:, 0]
        query, key = place(p.batch, group.columns[0]), place(p.batch, group.target)
        for layer, head in group.heads:
            pattern = p.trace.layers[layer].pattern[:, head]
            if group.role == "previous token":
                words = torch.arange(1, pattern.shape[1]) <= p.batch.end[:, None]
                right = pattern.diagonal(-1, 1, 2)[words]
            else:
                right = pattern[rows, query[rows], key[rows]]
            losses.append(-right.clamp_min(1e-6).log().mean() / len(group.heads))
    return torch.stack(losses).sum()


def repetition_loss(
    model: GPT2LMHeadModel, words: int, generator: torch.Generator, rows: int = 24, length: int = 14
) -> Tensor:
    """The same where random words come twice in the same order: duplicate-token heads attend to
    the same word before, induction heads to the one after it; nats.
    """
    once = torch.rand(rows, words - 2, generator=generator).argsort(1)[:, :length] + 2
    layers = run(model, torch.cat([once, once], 1)).layers
    losses = []
    for role, distance in (("duplicate token", length), ("induction", length - 1)):
        for layer, head in TABLE[role].heads:
            right = layers[layer].pattern[:, head].diagonal(-distance, 1, 2)[:, -length:]
            losses.append(-right.clamp_min(1e-6).log().mean() / len(TABLE[role].heads))
    return torch.stack(losses).sum()


def previous_signals(
    p: Passed, frame: Tensor, generator: torch.Generator
) -> tuple[Signals, Tensor]:
    """What previous-token heads write after the two names of `frame`, taken from other places.

    Each is taken from after the same name elsewhere in the batch, in whatever prompt and order; and
    in half of the rows a head's two are exchanged, so that after S1 it says that the IO stands
    before. Keys and values both hear it: which name came first must be told by something else.

    Returns:
        The signals, and which share of the heads was not exchanged, [B].
    """
    group = TABLE["previous token"]
    names = torch.cat([p.batch.name("io"), p.batch.name("s1")])
    wanted = {"io+1": p.batch.name("io")[frame], "s1+1": p.batch.name("s1")[frame]}
    signals = {("previous token", column): torch.zeros(()) for column in AFTER}
    together, all_exchanged = coins(p.batch, generator), coins(p.batch, generator)
    kept = torch.zeros(len(frame))
    for head in group.heads:
        exchanged = torch.where(together, all_exchanged, coins(p.batch, generator))
        written = torch.cat([p.by_head[head, column] for column in AFTER])
        for column, other in (AFTER, AFTER[::-1]):
            name = torch.where(exchanged, wanted[other], wanted[column])
            noise = torch.rand(len(name), len(names), generator=generator)
            chosen = torch.where(names == name[:, None], noise, -1.0).argmax(1)
            signals["previous token", column] = signals["previous token", column] + written[chosen]
        kept = kept + ~exchanged / len(group.heads)
    return signals, kept


def group_signal(
    p: Passed, roles: Sequence[str], generator: torch.Generator
) -> tuple[dict[str, Tensor], Tensor]:
    """What the heads of some groups write, each from one of two prompts; in half of the rows, one.

    Returns:
        By role what its heads write together, [B, D], and the share of the heads, weighted alike in
        each group, that say that the IO comes first, [B].
    """
    first = p.batch.io_is_first.float()
    one, other = some_rows(p.batch, generator), some_rows(p.batch, generator)
    together = coins(p.batch, generator)
    signals, share = {}, torch.zeros(len(p.batch))
    for role in roles:
        group, parts = TABLE[role], []
        for head in group.heads:
            row = torch.where(together | coins(p.batch, generator), one, other)
            parts.append(p.by_head[head, group.columns[0]][row])
            share = share + first[row] / (len(group.heads) * len(roles))
        signals[role] = torch.stack(parts).sum(0)
    return signals, share


def movers_hear(
    p: Passed, signal: Tensor, generator: torch.Generator
) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """What all speakers write at END if their queries alone hear `signal` [B, D].

    They read the names of their own row, at the places that names have in their own or any prompt;
    the rest of their query is from any row.

    Returns:
        [B, D], and for each group its attention [B, heads] to the IO and to S1 of the row.
    """
    batch, rows = p.batch, p.rows
    frame, asked = own_or_any(batch, generator), own_or_any(batch, generator)
    names = [
        Read("kv", place(batch, column)[frame], rows, place(batch, column))
        for column in ("io", "s1")
    ]
    total, seen = [], []
    for group in SPEAKERS:
        out, pattern = heard(
            p.model,
            group,
            batch,
            p.trace,
            p.usual,
            {("S-inhibition", "end"): signal},
            frame,
            asked=asked,
            further=names,
        )
        total.append(out)
        io, s1 = (
            pattern.gather(2, read.at[:, None, None].expand(-1, pattern.shape[1], 1))[..., 0]
            for read in names
        )
        seen.append((io, s1))
    return torch.stack(total).sum(0), seen


def spoken(p: Passed) -> Tensor:
    """What all speakers write at END in an ordinary forward pass, [B, D]."""
    return torch.stack([p.usual[group.role, "end"] for group in SPEAKERS]).sum(0)


def order_loss(
    p: Passed, signal: Tensor, share: Tensor, generator: torch.Generator
) -> dict[str, Tensor]:
    """Loss of the answer, and of the attention, if speakers hear `signal` [B, D].

    Args:
        p: the pass.
        signal: what S-inhibition writes.
        share: of what it heard, how much says that the IO comes first, from 0 to 1, [B].
        generator: randomness.
    """
    out, seen = movers_hear(p, signal, generator)
    rest = own_or_any(p.batch, generator)
    logits = logits_of(p.model, final_stream(p.trace, p.batch)[rest] - spoken(p)[rest] + out)
    agreed = torch.nonzero((share < 0.01) | (share > 0.99))[:, 0]
    to_io = ((share > 0.5) == p.batch.io_is_first)[:, None]
    attention = torch.cat([torch.where(to_io, io, s1) for io, s1 in seen], 1)[agreed]
    return {
        "answer": graded_loss(logits, p.batch.first, p.batch.second, share),
        "attention": -attention.clamp_min(1e-6).log().mean(),
    }


def inhibition_hears(p: Passed, votes: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
    """What S-inhibition writes at END if its values at S2 alone hear the voters, [B, D]."""
    signals = {(role, "s2"): vote for role, vote in votes.items()}
    frame = own_or_any(p.batch, generator)
    out, _ = heard(p.model, TABLE["S-inhibition"], p.batch, p.trace, p.usual, signals, frame)
    return out


def interchange_losses(p: Passed, generator: torch.Generator) -> dict[str, Tensor]:
    """One loss for what each group says, of which the rest is mixed from other prompts.

    "inhibition": its output enters speakers' queries. "voters": both groups' outputs enter
    S-inhibition's values. Both are, in half of the rows, of two prompts, head by head. "previous":
    their outputs enter the induction heads, which vote beside duplicate-token heads of any prompt.
    "speakers": each final head's output is of one prompt or another.
    """
    batch, terms = p.batch, {}
    said, share = group_signal(p, ("S-inhibition",), generator)
    terms["inhibition"] = order_loss(p, said["S-inhibition"], share, generator)

    votes, share = group_signal(p, VOTERS, generator)
    terms["voters"] = order_loss(p, inhibition_hears(p, votes, generator), share, generator)

    frame, beside = some_rows(batch, generator), some_rows(batch, generator)
    signals, kept = previous_signals(p, frame, generator)
    induced, _ = heard(p.model, TABLE["induction"], batch, p.trace, p.usual, signals, frame)
    votes = {"duplicate token": p.usual["duplicate token", "s2"][beside], "induction": induced}
    induction_says = torch.where(batch.io_is_first[frame], kept, 1 - kept)
    share = (induction_says + batch.io_is_first[beside].float()) / 2
    terms["previous"] = order_loss(p, inhibition_hears(p, votes, generator), share, generator)

    flat = {name: term["answer"] for name, term in terms.items()}
    flat |= {f"{name}: attention": term["attention"] for name, term in terms.items()}
    return flat | {"speakers": speakers_loss(p, generator)}


def speakers_loss(p: Passed, generator: torch.Generator) -> Tensor:
    """How far each final head is from saying its share of the logit difference; nats.

    Each of them is of the row itself or of another; the logit difference of either row's names
    should be the shares of its own heads. Where all are of the other row, so is the answer.
    """
    batch = p.batch
    donor, rest = some_rows(batch, generator), own_or_any(batch, generator)
    heads = [
        (head, share)
        for group in SPEAKERS
        for head, share in zip(group.heads, group.shares, strict=True)
    ]
    together = coins(batch, generator) & coins(batch, generator)
    all_moved = coins(batch, generator)
    stream = final_stream(p.trace, batch)[rest] - spoken(p)[rest]
    kept, given = torch.zeros(len(batch)), torch.zeros(len(batch))
    for head, share in heads:
        out = p.by_head[head, "end"]
        moved = torch.where(together, all_moved, coins(batch, generator))
        stream = stream + torch.where(moved[:, None], out[donor], out)
        kept, given = kept + share * ~moved, given + share * moved
    logits = logits_of(p.model, stream)
    io, s1 = batch.name("io"), batch.name("s1")

    def difference(answer: Tensor, wrong: Tensor) -> Tensor:
        return logits.gather(1, answer[:, None])[:, 0] - logits.gather(1, wrong[:, None])[:, 0]

    theirs = [name[donor] for name in (io, s1)]
    apart = torch.stack([mine != name for mine in (io, s1) for name in theirs]).all(0)
    fair = apart & batch.repeated
    missed = (difference(io, s1) - kept) ** 2 + (difference(theirs[0], theirs[1]) - given) ** 2
    wholly = fair & together
    answer = torch.where(all_moved, theirs[0], io)
    entropy = F.cross_entropy(logits[wholly], answer[wholly])
    return entropy + STRICT * missed[fair].mean()
