"""The reference evaluator on cases picked by hand, against answers from ordinary forwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from oracle import hooked
from scrub.data.dataset import (
    Dataset,
    Rows,
    pad,
    padded_tokens,
)
from scrub.draw import Draws, NodeDraw
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import (
    anything,
    embeddings,
    heads,
    mlp,
    none,
    output,
    site,
    token_embedding,
)
from scrub.reference import evaluate
from scrub.samplers import Exact, Uncond
from support.tiny_models import bridge, hugging_face_model

NAME = "2x2"
ROWS = [[1, 2, 3, 4, 5, 6], [7, 8, 9], [10, 3, 0, 2], [4, 4, 1, 5, 9, 8, 2], [6, 1, 7], [5, 0]]
DATA = Dataset(
    "by hand",
    inputs={"tokens": pad(ROWS, 0)},
    lengths=[len(row) for row in ROWS],
    positions={"end": [len(row) - 1 for row in ROWS], "a": [1, 0, 2, 3, 1, 0]},
)
PARENT = [0, 1, 2, 3]
DONOR = [3, 4, 0, 5]


def rows(index: list[int]) -> Rows:
    return Rows(DATA, np.array(index))


def tokens(index: list[int]) -> Tensor:
    return torch.tensor(DATA.inputs["tokens"][index])


def real(index: list[int]) -> Tensor:
    return (torch.arange(DATA.width) < torch.tensor(DATA.lengths[index])[:, None]).long()


def at(column: str, index: list[int]) -> tuple[Tensor, Tensor]:
    """Sample numbers and the column's positions, to index [samples, width, …] with."""
    return torch.arange(len(index)), torch.tensor(DATA.positions[column][index])


def plain_logits(index: list[int], **changed: Any) -> Tensor:
    """Logits of the Hugging Face model, [samples, width, vocabulary]."""
    inputs = {"input_ids": tokens(index), "attention_mask": real(index)} | changed
    with torch.no_grad():
        return hugging_face_model(NAME)(**inputs).logits


def scrubbed(root_at: Any, *children: Any, grandchildren: Any = ()) -> Tensor:
    """Logits on PARENT with children on DONOR, and grandchildren below the first on DONOR's."""
    root = InterpNode("root", Exact())
    nodes = {root: output(at=root_at)}
    drawn = {("root",): NodeDraw(rows(PARENT), rows(PARENT))}
    for i, sites in enumerate(children):
        child = root.child(f"child {i}", Uncond())
        nodes[child] = sites
        below = grandchildren if i == 0 else ()
        other = rows(PARENT) if below else None
        drawn["root", child.name] = NodeDraw(rows(DONOR), other)
        for j, inner in enumerate(below):
            nodes[child.child(f"inner {j}", Uncond())] = inner
            drawn["root", child.name, f"inner {j}"] = NodeDraw(rows(DONOR))
    draws = Draws(rows(PARENT), rows(PARENT), drawn)
    return evaluate(Correspondence(nodes), draws, bridge(NAME))


def hook(name: str, change: Callable[[Tensor], Tensor], index: list[int], see: str) -> Tensor:
    """What the bridge has at `see` when the value at a hook is changed."""
    seen: dict[str, Tensor] = {}
    hooks = [(name, lambda value, hook: change(value)), (see, lambda v, hook: seen.update(v=v))]
    with torch.no_grad():
        bridge(NAME).run_with_hooks(tokens(index), attention_mask=real(index), fwd_hooks=hooks)
    return seen["v"]


def shown(name: str, index: list[int]) -> Tensor:
    return hook(name, lambda value: value, index, name)


def check(found: Tensor, expected: Tensor) -> None:
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= 1e-9 * expected.abs().max()


# Cases with exact answers


def test_a_head_direct_to_the_logits() -> None:
    end, theirs = at("end", PARENT), at("end", DONOR)
    z = shown("blocks.0.attn.hook_z", PARENT)[end][:, 1]
    donor = shown("blocks.0.attn.hook_z", DONOR)[theirs][:, 1]
    difference = (donor - z) @ bridge(NAME).blocks[0].attn.W_O[1]

    def change(stream: Tensor) -> Tensor:
        return stream.index_put(end, difference, accumulate=True)

    logits = hook("ln_final.hook_in", change, PARENT, "unembed.hook_out")
    check(scrubbed("end", heads([(0, 1)], at="end")), logits[end][:, None, None])


def test_through_anything_is_activation_patching() -> None:
    theirs, mine = at("a", DONOR), at("a", PARENT)
    donor = shown("blocks.0.attn.hook_z", DONOR)[theirs][:, 0]

    def change(z: Tensor) -> Tensor:
        z = z.clone()
        z[(*mine, 0)] = donor
        return z

    logits = hook("blocks.0.attn.hook_z", change, PARENT, "unembed.hook_out")
    found = scrubbed("end", heads([(0, 0)], at="a", through=anything))
    check(found, logits[at("end", PARENT)][:, None, None])


def test_embeddings_through_anything_are_the_donor_under_the_frames_mask() -> None:
    logits = plain_logits(DONOR, attention_mask=real(PARENT))
    check(scrubbed("all", embeddings(through=anything)), logits[:, :, None])


def test_masks_through_anything_are_the_parent_under_the_donors_mask() -> None:
    every = [(layer, head) for layer in range(2) for head in range(2)]
    logits = plain_logits(PARENT, attention_mask=real(DONOR))
    masks = heads(every, part="mask", through=anything)
    check(scrubbed("all", masks), logits[:, :, None])
    assert (logits - plain_logits(PARENT)).abs().max() > 1e-3


def test_a_token_lands_at_its_column() -> None:
    patched = tokens(PARENT).clone()
    patched[at("a", PARENT)] = tokens(DONOR)[at("a", DONOR)]
    logits = plain_logits(PARENT, input_ids=patched)
    check(scrubbed("all", token_embedding(at="a", through=anything)), logits[:, :, None])


def test_an_index_past_the_end_is_a_pad_like_any_token() -> None:
    patched = tokens(PARENT).clone()
    patched[:, 5] = tokens(DONOR)[:, 5]
    logits = plain_logits(PARENT, input_ids=patched)
    check(scrubbed("all", token_embedding(at=5, through=anything)), logits[:, :, None])


def test_query_of_a_query() -> None:
    """Logits ← head 1.1 at the end, by its query ← head 0.0 at the end, both directly."""
    end, theirs = at("end", PARENT), at("end", DONOR)
    z = "blocks.0.attn.hook_z"
    inner = shown(z, DONOR)[theirs][:, 0] - shown(z, PARENT)[end][:, 0]
    inner = inner @ bridge(NAME).blocks[0].attn.W_O[0]

    def query(q_input: Tensor) -> Tensor:
        q_input = q_input.clone()
        q_input[(*end, 1)] += inner
        return q_input

    with hooked.split_inputs(bridge(NAME)):
        head = hook("blocks.1.attn.hook_q_input", query, PARENT, "blocks.1.attn.hook_z")[end][:, 1]
    difference = head - shown("blocks.1.attn.hook_z", PARENT)[end][:, 1]
    difference = difference @ bridge(NAME).blocks[1].attn.W_O[1]

    def change(stream: Tensor) -> Tensor:
        return stream.index_put(end, difference, accumulate=True)

    logits = hook("ln_final.hook_in", change, PARENT, "unembed.hook_out")
    movers, inhibition = heads([(1, 1)], at="end"), heads([(0, 0)], at="end", into="q")
    found = scrubbed("end", movers, grandchildren=[inhibition])
    check(found, logits[end][:, None, None])


def test_one_site_has_two_values_where_query_and_key_have_different_children() -> None:
    """Head 1.0 reads a donor's MLP 0 by its query and the parent's by its key and value."""
    donor = shown("blocks.0.mlp.hook_out", DONOR)

    def with_donor(name: str) -> Tensor:
        return hook("blocks.0.mlp.hook_out", lambda value: donor, PARENT, name)

    q = with_donor("blocks.1.attn.hook_q")[:, :, 0]

    def query(value: Tensor) -> Tensor:
        return torch.cat([q[:, :, None], value[:, :, 1:]], dim=2)

    head = hook("blocks.1.attn.q.hook_out", query, PARENT, "blocks.1.attn.hook_z")

    def change(z: Tensor) -> Tensor:
        return torch.cat([head[:, :, :1], z[:, :, 1:]], dim=2)

    frozen = shown("blocks.1.mlp.hook_out", PARENT)
    with torch.no_grad():
        logits = bridge(NAME).run_with_hooks(
            tokens(PARENT),
            attention_mask=real(PARENT),
            fwd_hooks=[
                ("blocks.1.attn.o.hook_in", lambda z, hook: change(z)),
                ("blocks.1.mlp.hook_out", lambda value, hook: frozen),
            ],
        )
    found = scrubbed("all", heads([(1, 0)]), grandchildren=[mlp(0, into="q")])
    check(found, logits[:, :, None])


def test_anything_beside_excluding_gives_one_site_two_values() -> None:
    """Head 1.0 writes a donor's head 0.0 to the logits, and its plain value to MLP 1."""
    theirs = shown("blocks.0.mlp.hook_out", DONOR)
    donor = shown("blocks.0.attn.hook_z", DONOR)[:, :, 0]
    mine = {name: shown(name, PARENT) for name in ("blocks.0.mlp.hook_out", "blocks.1.attn.hook_z")}

    def forward(**values: Any) -> dict[str, Tensor]:
        """A forward in which MLPs (m0, m1) and heads (z00, z10, z11) have these values."""
        seen: dict[str, Tensor] = {}

        def visit(name: str, value: Tensor) -> Tensor:
            seen[name] = values.get(name, value)
            return seen[name]

        def layer(number: int) -> list[tuple[str, Callable[[Tensor, Any], Tensor]]]:
            def z(value: Tensor, hook: Any) -> Tensor:
                return torch.stack([visit(f"z{number}{h}", value[:, :, h]) for h in range(2)], 2)

            out = f"blocks.{number}.mlp.hook_out"
            at_z = (f"blocks.{number}.attn.o.hook_in", z)
            return [at_z, (out, lambda value, hook: visit(f"m{number}", value))]

        logits = ("unembed.hook_out", lambda value, hook: visit("logits", value))
        with torch.no_grad():
            bridge(NAME).run_with_hooks(
                tokens(PARENT),
                attention_mask=real(PARENT),
                fwd_hooks=[*layer(0), *layer(1), logits],
            )
        return seen

    by_mlp = forward(m0=theirs, z10=mine["blocks.1.attn.hook_z"][:, :, 0])
    by_head = forward(z00=donor, m0=mine["blocks.0.mlp.hook_out"])
    together = {"z10": by_head["z10"], "z11": by_mlp["z11"], "m1": by_mlp["m1"]}
    expected = forward(z00=donor, m0=theirs, **together)["logits"]
    found = scrubbed(
        "all",
        mlp(0, through=anything.excluding(heads([(1, 0)]))),
        heads([(0, 0)], through=none.including(heads([(1, 0)]))),
    )
    check(found, expected[:, :, None])


def test_who_claims_a_site_hides_what_lies_behind_it() -> None:
    """A path through anything that claims two heads, one behind the other."""
    both = heads([(0, 0), (1, 0)], through=none.including(heads([(1, 0)])))
    check(scrubbed("end", both), scrubbed("end", heads([(0, 0), (1, 0)])))


def test_a_path_may_end_in_a_component_that_it_may_not_pass() -> None:
    """Logits ← head 1.0 ← its query: no component is passed, and the query is the donor's."""
    end, theirs = at("end", PARENT), at("end", DONOR)
    donor = shown("blocks.1.attn.hook_q", DONOR)[theirs][:, 0]
    mlp_1 = shown("blocks.1.mlp.hook_out", PARENT)

    def query(q: Tensor) -> Tensor:
        q = q.clone()
        q[(*end, 0)] = donor
        return q

    with torch.no_grad():
        logits = bridge(NAME).run_with_hooks(
            tokens(PARENT),
            attention_mask=real(PARENT),
            fwd_hooks=[
                ("blocks.1.attn.q.hook_out", lambda q, hook: query(q)),
                ("blocks.1.mlp.hook_out", lambda value, hook: mlp_1),
            ],
        )
    found = scrubbed("end", heads([(1, 0)], part="q", at="end"))
    check(found, logits[end][:, None, None])
    assert (found - plain_logits(PARENT)[end][:, None, None]).abs().max() > 1e-3


@pytest.mark.parametrize("part", ["pattern", "z", "scores", "mask", "q_in", "k"])
def test_the_root_may_stand_for_any_site(part: str) -> None:
    root = InterpNode("root", Uncond())
    which = Correspondence({root: heads([(1, 1), (1, 0)], part=part, at=("end", "a"))})
    draws = Draws(rows(PARENT), rows(PARENT), {("root",): NodeDraw(rows(DONOR))})
    found = evaluate(which, draws, bridge(NAME))
    expected = hooked.evaluate(hooked.same_way, which, draws, NAME)
    assert found.shape[:3] == (len(PARENT), 2, 2)
    assert torch.allclose(found.double(), expected.double(), rtol=0, atol=1e-12)


def test_a_narrow_dataset_is_padded_with_its_own_pad() -> None:
    narrow = Dataset("narrow", inputs={"tokens": [[1, 2], [3, 9]]}, lengths=[2, 1])
    assert padded_tokens(narrow, 4).tolist() == [[1, 2, 9, 9], [3, 9, 9, 9]]
    full = Dataset("full", inputs={"tokens": [[1, 2]]}, lengths=[2])
    assert padded_tokens(full, 3).tolist() == [[1, 2, 0]]
    assert padded_tokens(full, 1).tolist() == [[1]]


def test_root_uncond_is_plain_on_its_donors() -> None:
    found = evaluate(
        Correspondence({InterpNode("root", Uncond()): site("logits", at="all")}),
        Draws(rows(PARENT), rows(PARENT), {("root",): NodeDraw(rows(DONOR))}),
        bridge(NAME),
    )
    check(found, plain_logits(DONOR)[:, :, None])
