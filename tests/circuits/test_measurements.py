"""What circuits do: as claims have it, in whatever order it is asked for, and kept when stopped."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import evolve

import scrub
from hypothesis import given, settings
from hypothesis import strategies as st
from scrub import Correspondence, Exact, InterpNode, UserError, claim, embeddings, heads, mlp
from scrub.api import collected_behaviour
from scrub.circuits.conventions import Convention, conventions_of, features_alike
from scrub.circuits.edges import all_edges
from scrub.circuits.kept import WHOLE, Kept, digest, keeping, removing
from scrub.circuits.measurements import INPUTS, ROOT, Measurements
from scrub.circuits.subject import Subject, halves_of, subject_of
from scrub.datasets import ioi
from scrub.hypothesis.circuit import Circuit, Edge, Placed
from scrub.hypothesis.sites import Through, none
from scrub.model.registry import describe
from scrub.names import Cell
from scrub.runner.context import Context
from scrub.runner.options import Options
from scrub.runner.outputs import Outputs
from scrub.runner.session import Session
from scrub.samplers import Mean

BEHAVIOUR = ioi.behaviour(60)
SAMPLES = 24
OPTIONS = Options(model="ioi-planted", samples=SAMPLES)


@functools.cache
def session() -> Session:
    return Session()


@functools.cache
def subject() -> Subject:
    return subject_of(collected_behaviour(BEHAVIOUR), session(), OPTIONS)


@functools.cache
def conventions() -> tuple[Convention, ...]:
    return conventions_of(subject(), ["s2", "end"])


def measured(number: int = 0, outputs: Outputs | None = None) -> Measurements:
    return Measurements.of(subject(), conventions()[number], Context(session(), OPTIONS), outputs)


@functools.cache
def edges() -> tuple[Edge, ...]:
    return all_edges(subject().graph)


def some_edges(share: float, seed: int = 0) -> Kept:
    kept = np.random.default_rng(seed).random(len(edges())) < share
    chosen = [edge for edge, here in zip(edges(), kept, strict=True) if here]
    return keeping(Circuit(edges=tuple(chosen)), subject().model)


def roles(*, at: bool = False) -> Circuit:
    model = describe("ioi-planted")
    places = {"name mover": "end", "S-inhibition": "end", "duplicate token": "s2"}
    sites = [heads(model.role(r), at=place if at else "all") for r, place in places.items()]
    return Circuit.of(mlp(0, 1, 2, 3), *sites)


def kinds_of_kept() -> list[Kept]:
    model = subject().model
    return [
        keeping(roles(), model),
        keeping(roles(at=True), model),
        some_edges(0.9),
        WHOLE,
        none,
        removing([Cell("blocks.3.attn.z", 0)]),
        removing([Placed(Cell("blocks.2.attn.z", 1), ("end",))]),
    ]


def as_claim(kept: Through, convention: Convention) -> Any:
    @claim(data=BEHAVIOUR.data, metric=BEHAVIOUR.metric, name="circuit alone")
    def alone(model: Any) -> Correspondence:
        root = InterpNode(ROOT, Exact(), other=convention.other)
        inside = root.child(INPUTS, Exact())
        return Correspondence(
            {root: BEHAVIOUR.build(model), inside: embeddings(through=kept)}  # type: ignore[dict-item]
        )

    return alone


@pytest.mark.parametrize("number", range(5))
def test_a_circuit_recovers_what_its_claim_does(number: int) -> None:
    found, convention = measured(number), conventions()[number]
    assert not convention.problem
    for kept in kinds_of_kept():
        assert kept is not None
        result = scrub.run(
            as_claim(kept, convention), session=session(), model="ioi-planted", samples=SAMPLES
        )
        here = found.recovered(kept)
        assert (here.mean, here.low, here.high) == pytest.approx(
            (result.recovered.mean, result.recovered.low, result.recovered.high), abs=1e-5
        )


def test_all_edges_and_all_sites_are_the_whole_model() -> None:
    found = measured()
    every = keeping(Circuit(edges=edges()), subject().model)
    for kept in (every, WHOLE):
        assert np.allclose(found.numbers([kept])[0, 0], found.original[0], atol=1e-4)
    assert len(edges()) == len(set(edges()))


def test_nothing_kept_is_the_corrupted_model() -> None:
    """Of inputs that stand in the knocked-out model is the model on them."""
    found = measured()
    empty = found.numbers([None, keeping(Circuit(), subject().model)])
    assert np.array_equal(empty[:, 0], found.nothing)
    corrupted = scrub.patch(
        BEHAVIOUR, session=session(), model="ioi-planted", samples=SAMPLES, senders=[(3, 0)]
    )
    assert (found.original - found.nothing).mean() == pytest.approx(
        corrupted.totals[0].mean, abs=1e-4
    )
    assert found.of_ablated(None).mean == 0
    assert found.of_ablated(WHOLE).mean == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("number", range(5))
def test_what_no_path_passes_recovers_nothing(number: int) -> None:
    """An edge that leads nowhere, and one from where nothing comes, are as good as none."""
    found = measured(number)
    mover = Cell("blocks.3.attn.z", 0)
    for edge in (Edge(Cell("embed"), mover, "v"), Edge(mover, Cell("logits"))):
        (values,) = found.numbers([keeping(Circuit(edges=(edge,)), subject().model)])[0]
        assert np.allclose(values, found.nothing[0], atol=1e-5)
    nowhere = keeping(Circuit.of(heads([(3, 0)], at="s2")), subject().model)
    direct, alone = found.numbers([none, nowhere])[0]
    assert np.allclose(direct, alone, atol=1e-5)


def test_a_mean_that_is_kept_of_nothing_is_computed_from_means_of_what_is_written() -> None:
    """F(∅) is the logits of the mean stream, not the mean of logits: the root reads it anew."""
    found = measured(1)
    assert np.isfinite(found.nothing).all()
    assert abs(found.nothing.mean()) < abs(found.original.mean()) / 2
    assert found.nothing.mean() != pytest.approx(found.baseline.mean(), abs=1e-6)


@functools.cache
def five() -> tuple[list[Kept], np.ndarray]:
    """Circuits, and what is measured of them all at once."""
    kept = [some_edges(0.8, seed) for seed in range(5)]
    return kept, measured().numbers(kept)


@settings(max_examples=8, deadline=None)
@given(st.permutations(range(5)), st.integers(1, 5))
def test_order_and_batches_change_nothing(order: list[int], together: int) -> None:
    kept, one = five()
    other = measured()
    for first in range(0, 5, together):
        other.numbers([kept[n] for n in order[first : first + together]])
    assert np.allclose(one, other.numbers(kept), atol=1e-4)


def test_what_is_equal_has_one_name() -> None:
    one, two = Cell("blocks.1.attn.z", 0), Cell("blocks.2.attn.z", 1)
    assert digest(removing([one, two])) == digest(removing([two, one]))
    assert digest(removing([one])) != digest(removing([two]))
    assert digest(removing([Placed(one, ("end",))])) != digest(removing([one]))
    model = subject().model
    few = Circuit(edges=edges()[:3])
    assert digest(keeping(few, model)) == digest(keeping(Circuit(edges=edges()[2::-1]), model))
    assert len({digest(kept) for kept in (None, none, WHOLE, keeping(few, model))}) == 4


def test_stopped_it_goes_on_from_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = Outputs(tmp_path)
    kept = [some_edges(0.8, seed) for seed in range(4)]
    first = measured(0, outputs)
    before = first.numbers(kept[:3])
    calls: list[int] = []
    compute = Measurements._measured

    def stopping(self: Measurements, plan: Any, *others: Any, **told: Any) -> Any:
        calls.append(len(plan.members))
        if len(calls) == 1:
            raise KeyboardInterrupt
        return compute(self, plan, *others, **told)

    monkeypatch.setattr(Measurements, "_measured", stopping)
    with pytest.raises(KeyboardInterrupt, match=r"4 circuits were measured; they are in \.scrub/"):
        first.numbers(kept)
    again = measured(0, outputs)
    calls.clear()
    calls.append(0)
    assert np.array_equal(again.numbers(kept[:3]), before)
    assert calls == [0]  # nothing is measured twice
    again.numbers(kept)
    assert calls == [0, 1]


def test_a_damaged_file_or_another_seed_is_not_used(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path)
    first = measured(0, outputs)
    first.numbers([some_edges(0.8)])
    first.keep()
    (file,) = (tmp_path / ".scrub").glob("*.npz")
    whole = file.read_bytes()
    assert len(measured(0, outputs)._known) == 2
    file.write_bytes(whole[: len(whole) // 2])
    assert len(measured(0, outputs)._known) == 1
    file.write_bytes(whole)
    others = evolve(OPTIONS, seed=1)
    found = Measurements.of(subject(), conventions()[0], Context(session(), others), outputs)
    assert len(found._known) == 1


def test_what_the_model_lacks_is_refused_all_at_once() -> None:
    wrong = removing([Cell("blocks.9.attn.z", 0), Cell("blocks.1.attn.z", 77)])
    with pytest.raises(UserError) as refused:
        measured().numbers([wrong, removing([Placed(Cell("blocks.1.attn.z", 0), ("nowhere",))])])
    said = str(refused.value)
    assert len(refused.value.problems) == 4  # the position in both datasets
    assert "blocks.9" in said or "9.0" in said
    assert "nowhere" in said
    assert "ioi" in said


def test_halves_share_no_row() -> None:
    seen, unseen = halves_of(collected_behaviour(BEHAVIOUR), session(), OPTIONS)
    one, two = ({tuple(row) for row in half.data.inputs["tokens"]} for half in (seen, unseen))
    assert len(seen.data) + len(unseen.data) == 60
    assert len(one & two) <= 1  # a prompt may be there twice


def test_means_are_of_rows_that_are_alike() -> None:
    data = subject().data
    features, problem = features_alike(data, ["end", "s2"])
    assert features
    assert not problem
    other = measured(1).draws.nodes[ROOT,].other
    assert other is not None
    for name in ("end", "s2"):
        assert np.array_equal(other.data.position(name)[other.index], _at(name))
    alone = data.with_columns(row=np.arange(len(data)), at=np.arange(len(data)))
    assert "their own mean" in features_alike(alone.take([0, 1, 2]), ["io", "s1", "s2"])[1]


def _at(name: str) -> np.ndarray:
    references = measured(1).references
    return references.data.position(name)[references.index]


def test_a_mean_of_other_rows() -> None:
    """Of the data itself it is the mean; of others it is their mean, by what they agree on."""
    data, model = subject().data, subject().model
    other = session().data(ioi.prompts(60, seed=9), model)
    names = conventions()[1].other.features
    numbers = {}
    for of in (None, data, other):
        convention = Convention("mean", Mean(*names, of=of))
        made = Measurements.of(subject(), convention, Context(session(), OPTIONS))
        numbers[of] = made.numbers([keeping(roles(), model)])
    assert np.array_equal(numbers[None], numbers[data])
    assert not np.allclose(numbers[None], numbers[other], atol=1e-2)
    with pytest.raises(UserError, match="no row of dataset"):
        Measurements.of(
            subject(),
            Convention("mean", Mean("object", "place", "template", of=other.take([0]))),
            Context(session(), OPTIONS),
        )
