"""The interchanges that `ioi-planted-2` is trained on are what they are said to be.

Held against hooks on transformers' own model (`benchmarks/evidence_hooks.py`), with untrained
weights: whatever the heads do, a group that hears something else is the same in both.
"""

from __future__ import annotations

from functools import cache

import ioi_votes as votes
import numpy as np
import pytest
import torch
from attrs import evolve
from evidence_hooks import Read, forward, written, z_of
from ioi_forward import run
from ioi_groups import heard, place
from ioi_losses import answer_loss
from ioi_training import new_model, rows_of_like_length
from torch import Tensor

from support.random_prompts import ROWS, WORDS, prompts


@cache
def ordinary() -> votes.Passed:
    model = new_model(WORDS, 0, 6).eval()
    model.set_attn_implementation("eager")  # for the hooks, which want patterns
    batch = prompts(np.random.default_rng(0))
    with torch.no_grad():
        return votes.passed(model, batch, run(model, batch.tokens))


@pytest.mark.parametrize("role", votes.TABLE)
def test_to_hear_what_is_written_anyway_changes_nothing(role: str) -> None:
    p = ordinary()
    group = votes.TABLE[role]
    frame = torch.randperm(ROWS, generator=torch.Generator().manual_seed(1))
    usual = {key: value[frame] for key, value in p.usual.items()}
    with torch.no_grad():
        out, pattern = heard(p.model, group, p.batch, p.trace, p.usual, usual, frame)
    assert (out - usual[role, group.columns[0]]).abs().max() < 1e-5
    assert pattern.sum(-1) == pytest.approx(torch.ones(ROWS, len(group.heads)), abs=1e-5)


def by_hooks(role: str, signals: dict[tuple[str, str], Tensor]) -> Tensor:
    """What a role writes if it hears these signals, by hooks: each layer's heads alone."""
    p = ordinary()
    group = votes.TABLE[role]
    total = torch.zeros_like(p.usual[role, group.columns[0]])
    for layer in dict.fromkeys(layer for layer, _ in group.heads):
        mine = tuple(head for head in group.heads if head[0] == layer)
        reads = [
            Read(
                mine,
                edge.port,
                place(p.batch, column),
                sum(
                    (signals[speaker, column] - p.usual[speaker, column] for speaker in edge.roles),
                    start=torch.zeros_like(total),
                ),
            )
            for edge in group.hears
            for column in edge.columns
        ]
        record = forward(p.model, p.batch.tokens, reads)
        at = place(p.batch, group.columns[0])
        total += written(p.model, mine, z_of(record, mine, at))
    return total


@pytest.mark.parametrize("role", [role for role, group in votes.TABLE.items() if group.hears])
def test_what_a_group_hears_is_what_hooks_let_it_hear(role: str) -> None:
    p = ordinary()
    donors = torch.randperm(ROWS, generator=torch.Generator().manual_seed(2))
    signals = {key: 3 * value[donors] for key, value in p.usual.items()}
    with torch.no_grad():
        out, _ = heard(p.model, votes.TABLE[role], p.batch, p.trace, p.usual, signals, p.rows)
    assert (out - by_hooks(role, signals)).abs().max() < 1e-4
    assert (out - by_hooks(role, dict(p.usual))).abs().max() > 1e-3


def test_previous_token_heads_are_heard_after_the_same_name() -> None:
    """Each row's own writing tells whose name stood before it: read off which row was chosen."""
    p = ordinary()
    numbered = dict(p.by_head)
    (head,) = votes.TABLE["previous token"].heads
    for column, name in (("io+1", "io"), ("s1+1", "s1")):
        numbered[head, column] = p.batch.name(name)[:, None].float()
    frame = votes.some_rows(p.batch, torch.Generator().manual_seed(3))
    signals, kept = votes.previous_signals(
        evolve(p, by_head=numbered), frame, torch.Generator().manual_seed(4)
    )
    io, s1 = (p.batch.name(name)[frame] for name in ("io", "s1"))
    at_io, at_s1 = (signals["previous token", c][:, 0].long() for c in ("io+1", "s1+1"))
    assert torch.equal(at_io, torch.where(kept == 1, io, s1))
    assert torch.equal(at_s1, torch.where(kept == 1, s1, io))
    assert set(kept.tolist()) == {0.0, 1.0}


def test_votes_are_counted_head_by_head() -> None:
    """Each row's writing tells whether it says that the IO comes first."""
    p = ordinary()
    says = {key: p.batch.io_is_first[:, None].float() for key in p.by_head}
    signals, share = votes.group_signal(
        evolve(p, by_head=says), votes.VOTERS, torch.Generator().manual_seed(6)
    )
    counted = sum((signals[role][:, 0] for role in votes.VOTERS), start=torch.zeros(ROWS))
    assert torch.equal(counted / 4, share)
    assert {0.0, 1.0} < set(share.tolist())


def test_graded_loss_of_a_unanimous_vote_is_the_answers() -> None:
    logits = torch.randn(ROWS, WORDS, generator=torch.Generator().manual_seed(5))
    batch = ordinary().batch
    first, second = batch.first, batch.second
    ours = votes.graded_loss(logits, first, second, torch.ones(ROWS))
    assert ours.item() == pytest.approx(answer_loss(logits, first, second).item(), rel=1e-5)
    against = votes.graded_loss(logits, first, second, torch.zeros(ROWS))
    assert against.item() == pytest.approx(answer_loss(logits, second, first).item(), rel=1e-5)


def test_graded_loss_of_a_split_vote_is_least_at_no_difference() -> None:
    first, second = torch.tensor([0]), torch.tensor([1])

    def loss(difference: float) -> float:
        logits = torch.tensor([[5 + difference / 2, 5 - difference / 2, -20.0]])
        return votes.graded_loss(logits, first, second, torch.tensor([0.5])).item()

    assert loss(0.0) == pytest.approx(np.log(2), abs=1e-4)
    assert loss(0.0) < min(loss(1.0), loss(-1.0)) < min(loss(4.0), loss(-4.0))


def test_shares_add_up_to_the_whole_difference() -> None:
    shares = [share for group in votes.TABLE.values() for share in group.shares]
    assert sum(shares) == votes.MARGIN
    heads = [head for group in votes.TABLE.values() for head in group.heads]
    assert len(heads) == len(set(heads))


def test_batches_of_like_length_hold_every_row_and_cut_no_word() -> None:
    batch = prompts(np.random.default_rng(6))
    rng = np.random.default_rng(7)
    seen = set()
    for _ in range(60):
        some = rows_of_like_length(batch, rng, 8)
        assert some.tokens.shape[1] == int(some.end.max()) + 1
        assert int(some.end.max()) - int(some.end.min()) <= 2
        seen |= {tuple(row[:12].tolist()) for row in some.tokens}
    assert seen == {tuple(row[:12].tolist()) for row in batch.tokens}
