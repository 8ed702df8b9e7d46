"""First-order effects: autograd through hooks on the bridge, and where they are exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import scrub
from scrub import Behaviour, Fixed, heads, output
from scrub.analysis.attribution import Paths, first_order
from scrub.data.dataset import Dataset, Rows, pad
from scrub.hypothesis.sites import Route, Through, anything, mlps, none
from scrub.metrics import custom
from scrub.model.bridge import graph_of
from scrub.names import LOGITS, Cell
from scrub.sweeps.first_order import FIRST_ORDER
from support import native_models
from support.tiny_models import bridge

NAME = "2x2"
ROWS = [[1, 2, 3, 4, 5, 6], [7, 8, 9], [10, 3, 0, 2], [4, 4, 1, 5, 9, 8, 2]]
DONORS = [2, 3, 0, 1]
DATA = Dataset(
    "by hand",
    inputs={"tokens": pad(ROWS, 0)},
    lengths=[len(row) for row in ROWS],
    positions={"end": [len(row) - 1 for row in ROWS], "second": [1, 1, 1, 1]},
)
END = torch.tensor(DATA.positions["end"])
EVERY = torch.arange(len(ROWS))
ROOT = Route((Cell(LOGITS),), at=("end",))
Hooks = dict[str, Callable[[Tensor], Tensor]]


def two_logits(logits: Tensor, references: Any = None) -> Tensor:
    return logits[..., 2] - 2 * logits[..., 5]


def measure(root: Tensor) -> Tensor:
    return two_logits(root[:, 0, 0])


def tokens(index: list[int]) -> Tensor:
    return torch.tensor(DATA.inputs["tokens"][index])


def hooked(index: list[int], hooks: Hooks) -> Tensor:
    """The bridge's logits, with values at hooks changed."""
    real = (torch.arange(DATA.width) < torch.tensor(DATA.lengths[index])[:, None]).long()
    listed = [(n, lambda value, hook, change=c: change(value)) for n, c in hooks.items()]
    return bridge(NAME).run_with_hooks(tokens(index), attention_mask=real, fwd_hooks=listed)


def values(index: list[int], *names: str) -> dict[str, Tensor]:
    seen: dict[str, Tensor] = {}

    def see(name: str) -> Callable[[Tensor], Tensor]:
        def change(value: Tensor) -> Tensor:
            seen[name] = value.detach()
            return value

        return change

    with torch.no_grad():
        hooked(index, {name: see(name) for name in names})
    return seen


Z = [f"blocks.{layer}.attn.hook_z" for layer in range(2)]
MLP = [f"blocks.{layer}.hook_mlp_out" for layer in range(2)]
EMBED = ["hook_embed", "hook_pos_embed"]


def by_autograd(
    index: list[int],
    through: Through,
    scalar: Callable[[Tensor, dict[str, Tensor]], Tensor],
    more: Hooks,
    see: str = "",
) -> dict[str, Tensor]:
    """The gradient of a scalar at every head's z, where paths may pass what `through` says."""
    leaves: dict[str, Tensor] = {}
    seen: dict[str, Tensor] = {}

    def cut(name: str, passes: bool) -> Callable[[Tensor], Tensor]:
        def change(value: Tensor) -> Tensor:
            leaves[name] = torch.zeros_like(value, requires_grad=True)
            return (value if passes else value.detach()) + leaves[name]

        return change

    def look(value: Tensor) -> Tensor:
        seen[see] = value
        return value

    hooks = dict(more)
    hooks |= {name: cut(name, through == anything) for name in Z}
    hooks |= {name: cut(name, through != none) for name in MLP}
    hooks |= {see: look} if see else {}
    logits = hooked(index, hooks)
    total = scalar(logits, seen)
    wanted = [leaves[name] for name in Z]
    found = torch.autograd.grad(total, wanted, allow_unused=True)
    pairs = zip(Z, wanted, found, strict=True)
    return {name: torch.zeros_like(leaf) if g is None else g for name, leaf, g in pairs}


def at_end(logits: Tensor, seen: Any = None) -> Tensor:
    return two_logits(logits[EVERY, END]).sum()


def ours(
    through: Through, steps: int = 0, receiver: tuple[Route, ...] = (), at: Any = "all"
) -> Any:
    paths = Paths(graph_of(bridge(NAME)), ROOT, receiver, through)
    old, new = Rows(DATA, np.arange(4)), Rows(DATA, np.array(DONORS))
    sites = [f"blocks.{layer}.attn.z" for layer in range(2)]
    found = first_order(paths, sites, [at], old, new, measure, steps=steps)
    return [torch.tensor(found[site, at]) for site in sites]


def check(found: list[Tensor], slope: dict[str, Tensor]) -> None:
    before, after = values([0, 1, 2, 3], *Z), values(DONORS, *Z)
    for mine, name in zip(found, Z, strict=True):
        expected = ((after[name] - before[name]) * slope[name]).sum((1, 3))
        limit = 1e-5 * expected.abs().max().item() + 1e-9
        assert torch.allclose(mine, expected, rtol=0, atol=limit)


@pytest.mark.parametrize("through", [none, mlps, anything])
def test_it_is_what_autograd_gives_through_hooks(through: Through) -> None:
    check(ours(through), by_autograd([0, 1, 2, 3], through, at_end, {}))


@pytest.mark.parametrize("through", [none, mlps])
def test_paths_that_may_pass_less_have_other_gradients(through: Through) -> None:
    """The check above can fail: gradients along all paths are not those along these."""
    with pytest.raises(AssertionError):
        check(ours(through), by_autograd([0, 1, 2, 3], anything, at_end, {}))


@pytest.mark.parametrize("through", [none, anything])
def test_by_way_of_a_receiver_it_is_the_chain_rule(through: Through) -> None:
    """The gradient at a query of layer 1, at END, then from there on to the heads before it."""
    q = "blocks.1.attn.hook_q"
    leaf: dict[str, Tensor] = {}

    def add(value: Tensor) -> Tensor:
        leaf[q] = torch.zeros_like(value, requires_grad=True)
        return value + leaf[q]

    (slope,) = torch.autograd.grad(at_end(hooked([0, 1, 2, 3], {q: add})), [leaf[q]])
    only = torch.zeros_like(slope)
    only[EVERY, END, 1] = slope[EVERY, END, 1]

    def weighted(logits: Tensor, seen: dict[str, Tensor]) -> Tensor:
        return (only * seen[q]).sum()

    route = Route((Cell("blocks.1.attn.q", 1),), at=("end",), through=anything)
    found = ours(through, receiver=(route,))
    check(found, by_autograd([0, 1, 2, 3], through, weighted, {}, see=q))
    assert found[0].abs().max() > 0
    assert (found[1] == 0).all(), "heads of the receiver's own layer come after its query"


def test_integrated_gradients_are_a_mean_over_the_way_between_the_embeddings() -> None:
    before, after = values([0, 1, 2, 3], *EMBED), values(DONORS, *EMBED)
    slope = {name: torch.zeros(()) for name in Z}
    for step in range(1, 6):
        moved: Hooks = {}
        for name in EMBED:
            by = (after[name] - before[name]) * (step / 5)
            moved[name] = lambda value, by=by: value + by
        for name, gradient in by_autograd([0, 1, 2, 3], anything, at_end, moved).items():
            slope[name] = slope[name] + gradient / 5
    check(ours(anything, steps=5), slope)
    with pytest.raises(AssertionError):
        check(ours(anything), slope)


def test_positions_add_up() -> None:
    """Values at all positions, one at a time, of rows of one length."""
    paths = Paths(graph_of(bridge(NAME)), Route((Cell(LOGITS),), at=(3,)), (), anything)
    old, new = Rows(DATA, np.array([0, 3])), Rows(DATA, np.array([3, 0]))
    site = "blocks.0.attn.z"
    ats = ["all", *((index,) for index in range(DATA.width))]
    found = first_order(paths, [site], ats, old, new, measure)  # type: ignore[arg-type]
    each = sum(found[site, at] for at in ats[1:])  # type: ignore[index]
    assert np.allclose(found[site, "all"], each, rtol=0, atol=1e-9)


def behaviour() -> Behaviour:
    return Behaviour(
        "two logits", lambda model: output(at="end"), DATA, custom(two_logits), Fixed(DONORS)
    )


@pytest.mark.parametrize("approximate", [True, "integrated"])
def test_without_a_norm_direct_effects_on_a_linear_metric_are_exact(approximate: Any) -> None:
    found = scrub.patch(
        behaviour(), model=native_models.graph("bare, no biases"), approximate=approximate,
        samples=20, dtype="float64", at="end",
    )  # fmt: skip
    exact = scrub.patch(
        behaviour(), model=native_models.graph("bare, no biases"), samples=20, dtype="float64",
        at="end",
    )  # fmt: skip
    for mine, theirs in zip(found.effects[0], exact.effects[0], strict=True):
        assert mine.mean == pytest.approx(theirs.mean, abs=1e-9)
    assert found.approximation is not None
    assert found.approximation.errors[0] < 1e-9
    assert found.approximation.correlations[0] == pytest.approx(1)
    assert not found.exact
    assert exact.exact


def test_through_attention_they_are_not_and_the_error_says_so() -> None:
    options = {"through": anything, "model": native_models.graph("no norms"), "samples": 20}
    exact = scrub.patch(behaviour(), **options)
    found = scrub.patch(behaviour(), approximate=True, **options)
    assert found.approximation is not None
    assert found.approximation.kind == FIRST_ORDER
    number, (known,) = next(iter(found.approximation.exact.items()))
    assert known == pytest.approx(exact.effects[0][number].mean, abs=1e-6)
    frame = found.frame
    assert frame["exact"].notna().sum() == 2
    error = (frame["effect"] - frame["exact"]).abs().max()
    assert found.approximation.errors[0] == pytest.approx(error)
    assert error > 1e-3


def test_a_saturated_head_has_no_gradient_and_an_effect_all_the_same() -> None:
    """On ioi-planted the name movers read the S-inhibition heads by queries that are saturated."""
    from scrub.datasets import ioi

    planted = ioi.behaviour(24, seed=3)
    options = {"model": "ioi-planted", "samples": 24, "through": anything, "senders": "2.0,2.1"}
    exact = scrub.patch(planted, **options)
    first = scrub.patch(planted, approximate=True, **options)
    both = zip(first.effects[0], exact.effects[0], strict=True)
    assert any(abs(found.mean) < 0.2 * abs(true.mean) for found, true in both)


def test_neurons_are_ranked_by_gradients_and_measured_exactly() -> None:
    graph = native_models.graph("no norms")
    found = scrub.patch(behaviour(), senders="neurons:1", at="end", model=graph, samples=20, top=5)
    assert len(found.senders) == 5
    assert found.exact
    frame = found.frame
    assert np.allclose(frame["first_order"], frame["effect"], atol=1e-5), "no norm: exact"
    assert frame["exact"].tolist() == pytest.approx(frame["effect"].tolist())
    every = scrub.patch(
        behaviour(), senders="neurons:1", at="end", model=graph, samples=20, approximate=True
    )
    assert len(every.senders) == native_models.D_MLP
    largest = every.frame["effect"].abs().head(5).tolist()
    assert frame["effect"].abs().tolist() == pytest.approx(largest, abs=1e-5)


def test_senders_that_are_several_are_not_approximated() -> None:
    with pytest.raises(scrub.UserError, match="layer 0 is no single head"):
        scrub.patch(behaviour(), senders="layers", approximate=True,
                    model=native_models.graph("no norms"), samples=5)  # fmt: skip


def test_a_metric_that_counts_has_no_gradient() -> None:
    def largest(logits: Tensor, references: Any) -> Tensor:
        return (logits.argmax(-1) == 2).double()

    with pytest.raises(scrub.UserError, match=r'Metric "largest" has no gradient'):
        scrub.patch(behaviour(), metric=custom(largest), approximate=True, senders=heads([(0, 0)]),
                    model=native_models.graph("bare"), samples=5)  # fmt: skip
