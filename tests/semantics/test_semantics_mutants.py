"""The numbers that are worked out by hand are those of the right engine, and of no mutant."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from torch import Tensor

from oracle import by_hand
from oracle.engines import MUTANTS, mutated
from oracle.hand_computed import CASES
from scrub.draw import Draws
from scrub.hypothesis.correspondence import Correspondence
from scrub.hypothesis.tree import treeify
from scrub.model.graph import Graph

UNSEEN = {
    "a child's value is added to what it replaces",
    "samples of one length come before longer ones",
    "keys and values change only onwards, though every position sees them",
}
"""Mutants that no case worked out by hand shows; `test_engine.py` catches them."""


def fails() -> Iterator[str]:
    """The names of the hand-computed cases that come out wrong."""
    for name, case in CASES.items():
        try:
            case()
        except AssertionError:
            yield name


def test_the_engine_fails_none() -> None:
    assert list(fails()) == []


@pytest.mark.parametrize("name", sorted(MUTANTS.keys() - UNSEEN))
def test_every_mutant_fails_some(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the reference evaluator had the same bug."""
    mutant = mutated(name)

    def same_bug(correspondence: Correspondence, draws: Draws, graph: Graph) -> Tensor:
        (outputs,) = mutant.outputs(treeify(correspondence), draws, graph)
        return outputs.scrubbed

    monkeypatch.setattr(by_hand, "ENGINE", mutant)
    monkeypatch.setattr(by_hand, "evaluate_graph", same_bug)
    assert list(fails())
