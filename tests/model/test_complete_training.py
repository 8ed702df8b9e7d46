"""What planted models with previous-token heads are trained on is what it is said to be.

Held against hooks on transformers' own model (`benchmarks/evidence_hooks.py`), with untrained
weights: whatever the heads do, a group that hears something else is the same in both.
"""

from __future__ import annotations

from functools import cache

import ioi_order as order
import numpy as np
import pytest
import torch
from attrs import evolve
from evidence_hooks import Output, Read, forward, pick, written, z_of
from ioi_batches import Batch
from ioi_forward import run
from ioi_groups import place
from ioi_losses import Circuit, clean_loss
from ioi_training import new_model
from torch import Tensor
from train_ioi_complete import ROLES, planting

from support.random_prompts import ROWS, WORDS, prompts


def passed_of(batch: Batch) -> order.Passed:
    model = new_model(WORDS, 0, 5).eval()
    model.set_attn_implementation("eager")  # for the hooks, which want patterns
    circuit = Circuit(*(ROLES[role] for role in list(ROLES)[1:]))
    with torch.no_grad():
        return order.passed(model, ROLES, circuit, batch, run(model, batch.tokens))


@cache
def ordinary() -> order.Passed:
    return passed_of(prompts(np.random.default_rng(0)))


def without_flip(p: order.Passed) -> order.Passed:
    return evolve(p, twin=p.batch, theirs=p.trace)


def donors() -> Tensor:
    return torch.randperm(ROWS, generator=torch.Generator().manual_seed(1))


def test_an_edited_pass_is_what_hooks_make_of_it() -> None:
    p, other = ordinary(), donors()
    record = forward(p.model, p.batch.tokens)
    heads, at = ((1, 3),), p.batch.s2
    z = z_of(record, heads, at)[other]

    def edit(layer: int, found: Tensor) -> Tensor:
        new = found.clone()
        if layer == 1:
            new[torch.arange(ROWS), 3, at] = z[:, 0]
        return new

    with torch.no_grad():
        ours = run(p.model, p.batch.tokens, edit).final
    theirs = forward(p.model, p.batch.tokens, [Output(heads, at, z)]).stream[-1]
    assert (ours - theirs).abs().max() < 1e-4
    assert (theirs - record.stream[-1]).abs().max() > 1e-3


def test_duplicate_token_heads_hear_previous_token_heads_as_with_hooks() -> None:
    p, other = ordinary(), donors()
    heads, rows = p.circuit.duplicate, torch.arange(ROWS)
    told = 3 * p.previous["s1"][other]
    with torch.no_grad():
        ours = order.duplicate_told(p, rows, told)
    read = Read(heads, "v", p.batch.s1, told - p.previous["s1"])
    record = forward(p.model, p.batch.tokens, [read])
    assert (ours - written(p.model, heads, z_of(record, heads, p.batch.s2))).abs().max() < 1e-4
    assert (ours - p.own.duplicate).abs().max() > 1e-3


def test_name_movers_keys_hear_previous_token_heads_as_with_hooks() -> None:
    p, other = ordinary(), donors()
    heads = p.circuit.movers
    reads = [
        Read(heads, "k", place(p.batch, column), wrote[other] - wrote)
        for column, wrote in p.previous.items()
    ]
    expected = written(
        p.model, heads, z_of(forward(p.model, p.batch.tokens, reads), heads, p.batch.end)
    )
    number = heads[0][0]
    block = p.model.transformer.h[number]
    with torch.no_grad():
        layer = order.with_keys(p, other).layers[number]
        queries, _, _ = block.attn.c_attn(block.ln_1(layer.stream)).chunk(3, dim=-1)
        asked = pick(queries.unflatten(-1, (4, -1)), p.batch.end)
        scores = torch.einsum("bhe,bhte->bht", asked, layer.keys) / layer.keys.shape[-1] ** 0.5
        later = torch.arange(scores.shape[-1]) > p.batch.end[:, None]
        pattern = scores.masked_fill(later[:, None], -torch.inf).softmax(-1)
        z = torch.einsum("bht,bhte->bhe", pattern, layer.values)[:, [head for _, head in heads]]
        ours = written(p.model, heads, z)
    assert (ours - expected).abs().max() < 1e-4
    assert (ours - p.own.movers).abs().max() > 1e-3


def test_each_role_has_its_place_and_no_other_head_has_one() -> None:
    plays = {
        (layer, head, column)
        for layer in range(5)
        for at, column in enumerate(order.COLUMNS)
        for head in range(4)
        if order.in_place(ROLES, layer, 4)[at, head]
    }
    assert plays == {
        (0, 2, "io"), (0, 2, "s1"), (2, 1, "s2"), (2, 3, "s2"), (3, 2, "end"), (4, 0, "end"),
        (4, 3, "end"),
    }  # fmt: skip
    assert order.in_place(ROLES, 2, 4, order.PREVIOUS).sum() == 0
    assert order.in_place(ROLES, 0, 4, order.PREVIOUS).sum() == 2


def test_heads_of_another_prompt_cost_nothing_where_prompts_are_alike() -> None:
    batch = prompts(np.random.default_rng(2))
    (repeated, *_) = torch.nonzero(batch.repeated)[:, 0]
    generator = torch.Generator()
    alike = without_flip(passed_of(batch.take(torch.full((ROWS,), int(repeated)))))
    with torch.no_grad():
        clean = clean_loss(alike.model, alike.batch, alike.trace)
        losses = order.outside_losses(alike, generator)
        assert losses["outside"].item() == pytest.approx(clean.item(), rel=1e-5)
        assert losses["changed"].item() == pytest.approx(0, abs=1e-8)
        mixed = without_flip(passed_of(batch))
        clean = clean_loss(mixed.model, mixed.batch, mixed.trace)
        losses = order.outside_losses(mixed, generator)
        assert abs(losses["outside"] - clean) > 1e-3
        assert losses["changed"] > 1e-3


def test_heads_in_their_role_are_the_prompts_own() -> None:
    """If every head plays a role at every column, nothing comes from elsewhere."""
    p = ordinary()
    every = {"name mover": tuple((layer, head) for layer in range(5) for head in range(4))}
    places = {"name mover": order.COLUMNS}
    with torch.no_grad(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "PLACES", places)
        loss = order.outside_losses(evolve(p, roles=every), torch.Generator())["outside"]
        clean = clean_loss(p.model, p.batch, p.trace)
    assert loss.item() == pytest.approx(clean.item(), rel=1e-5)


def test_heads_that_change_nothing_lack_their_whole_share() -> None:
    """Of the groups of `ROLES` two have two heads each."""
    p = ordinary()
    with torch.no_grad():
        alike = order.share_loss(without_flip(p), torch.Generator())
        assert alike.item() == pytest.approx(2 * order.LEAST**2, rel=1e-4)
        assert order.share_loss(p, torch.Generator()) != pytest.approx(alike.item(), rel=1e-4)


def test_one_head_of_a_group_is_the_flipped_copys() -> None:
    p, heads = ordinary(), ROLES["duplicate token"]
    with torch.no_grad():
        changed = order.one_flipped(p, heads, "s2", torch.Generator())
        each = torch.stack([
            order.flipped_written(p, (head,), "s2")
            - written(p.model, (head,), p.trace.layers[2].z[p.rows, head[1], p.batch.s2][:, None])
            for head in heads
        ])  # fmt: skip
    near = (changed - each).abs().amax(-1) < 1e-5
    assert near.any(0).all()
    assert near.any(1).all()


def test_a_flipped_copy_is_right_about_the_other_name() -> None:
    batch = ordinary().batch
    twin, some = order.flipped(batch), batch.repeated
    assert torch.equal(twin.name("io"), batch.name("s1"))
    assert torch.equal(twin.name("s2")[some], batch.name("io")[some])
    assert torch.equal(twin.name("s2")[some], twin.name("s1")[some])
    assert torch.equal(twin.io_is_first, ~batch.io_is_first)
    changed = (twin.tokens != batch.tokens).nonzero()
    assert torch.equal(changed[:, 1], batch.s2[some])
    assert torch.equal(order.flipped(twin).tokens, batch.tokens)


def test_who_is_told_a_prompts_own_order_answers_right() -> None:
    batch = ordinary().batch
    io, s1 = batch.name("io"), batch.name("s1")
    right, wrong = order.answers(batch, batch.io_is_first)
    assert torch.equal(right, io)
    assert torch.equal(wrong, s1)
    right, wrong = order.answers(batch, ~batch.io_is_first)
    assert torch.equal(right, s1)
    assert torch.equal(wrong, io)


def test_previous_token_heads_may_lie_in_layer_0() -> None:
    assert planting([]).roles == ROLES
    given = planting(["--previous", "1.0,1.1", "--duplicate", "2.0"])
    assert given.roles[order.PREVIOUS] == ((1, 0), (1, 1))


def test_they_lie_below_those_that_hear_them(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        planting(["--previous", "2.0"])
    said = capsys.readouterr().err
    assert "duplicate token (2.1,2.3) reads what previous token (2.0) writes" in said
