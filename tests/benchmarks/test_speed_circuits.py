"""The timing of circuits: all ways give the same numbers, and a wrong circuit is seen."""

from __future__ import annotations

import functools

import pytest
import speed_circuits
import torch
from timing import compare_circuits
from timing.compare_circuits import Bench, Circuits, Timed, candidates, nested
from timing.edge_hooks import corrupted_inputs
from timing.edge_hooks import logits as edge_by_edge
from timing.mask_forwards import Patched, masks_of
from timing.plain_model import PlainModel, edge_order
from timing.setting import QUICK, random_bridge, random_rows

from scrub.model.bridge import graph_of
from scrub.model.graph import Graph
from scrub.model.verify import plain_logits

SINGLE = 1e-4


@functools.cache
def graph() -> Graph:
    return graph_of(random_bridge(QUICK.shape))


@functools.cache
def model() -> PlainModel:
    weights = graph().weights
    assert weights is not None
    return PlainModel(weights)


@functools.cache
def run() -> tuple[Patched, dict[str, torch.Tensor]]:
    data = random_rows(QUICK.rows, QUICK.width, QUICK.shape.vocabulary)
    tokens = torch.tensor(data.inputs["tokens"])
    ends = torch.tensor(data.position("end"))
    found = Patched.of(model(), tokens[:6], tokens[6:12], ends[:6])
    return found, corrupted_inputs(found, tokens[6:12])


def far(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


def by_both(circuit: list) -> tuple[torch.Tensor, torch.Tensor]:
    patched, inputs = run()
    return patched.logits(masks_of(model(), circuit)), edge_by_edge(patched, inputs, circuit)


def test_the_plain_model_is_the_model() -> None:
    patched, _ = run()
    expected = plain_logits(graph(), patched.tokens)[torch.arange(6), patched.ends]
    assert far(model()(patched.tokens, patched.ends), expected) < SINGLE


def test_all_edges_are_the_clean_run_and_none_the_corrupted_one() -> None:
    patched, _ = run()
    every = edge_order(model())
    clean = model()(patched.tokens, patched.ends)
    for found in by_both(every):
        assert far(found, clean) < SINGLE
    masks, hooks = by_both([])
    assert far(masks, hooks) < SINGLE < far(masks, clean)


def test_a_forward_from_the_layer_on_is_the_whole_forward() -> None:
    work = candidates(model(), 5)
    patched, _ = run()
    for circuit in work.circuits:
        masks = masks_of(model(), circuit)
        assert far(patched.logits(masks, work.layer), patched.logits(masks)) < SINGLE


def compared(work: Circuits) -> Timed:
    data = random_rows(QUICK.rows, QUICK.width, QUICK.shape.vocabulary)
    return compare_circuits.compare(work, model(), Bench(graph(), QUICK.shape, data, 6, 1.0, 1, 1))


def test_a_circuit_with_another_edge_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: masks of a circuit that lacks one edge of ours."""
    work = nested(model())
    assert compared(work).off < SINGLE
    monkeypatch.setattr(
        compare_circuits, "masks_of", lambda model, circuit: masks_of(model, circuit[1:])
    )
    with pytest.raises(AssertionError, match="ways differ"):
        compared(work)


def test_the_whole_command(capsys: pytest.CaptureFixture[str]) -> None:
    speed_circuits.main(["--quick"])
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 2 + 2 + 3
    assert {line.count("|") for line in printed} == {12}
