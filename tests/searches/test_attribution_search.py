"""The search by attribution: it finds the planted circuit, and says how far its ranking goes."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest
import torch

from scrub import Behaviour, Fixed, Uncond, UserError, output
from scrub.api import collected_behaviour
from scrub.circuits.conventions import conventions_of
from scrub.circuits.kept import WHOLE, keeping
from scrub.circuits.measurements import Measurements
from scrub.circuits.subject import subject_of
from scrub.data.dataset import Dataset
from scrub.datasets import ioi
from scrub.hypothesis.circuit import Circuit
from scrub.metrics import custom, kl
from scrub.model.registry import describe
from scrub.runner.context import Context
from scrub.runner.options import Options
from scrub.runner.session import Session
from scrub.searches.attribution import METHOD
from scrub.searches.attribution_log import MISSED, SHOWS
from scrub.searches.attribution_settings import AttributionSettings
from scrub.searches.circuit_found import CircuitFound
from scrub.searches.edge_scores import first_order_effects
from scrub.searches.pruned_parts import whole
from scrub.searches.ranking import Beside, beside
from support import native_models
from support.random_data import random_dataset

SAMPLES = 24
PLANTED = {head for role in describe("ioi-planted").roles.values() for head in role}


@functools.cache
def session() -> Session:
    return Session()


@functools.cache
def measured(convention: int = 0, *metrics: Any) -> Measurements:
    options = Options(model="ioi-planted", samples=SAMPLES)
    item = collected_behaviour(ioi.behaviour(60, seed=3))
    subject = subject_of(item, session(), options, list(metrics) or None)
    return Measurements.of(
        subject, conventions_of(subject)[convention], Context(session(), options)
    )


def search(measures: Measurements | None = None, **settings: Any) -> CircuitFound:
    on = measured() if measures is None else measures
    said: list[str] = []
    found = METHOD.search(on.subject, on, AttributionSettings(**settings), said.append)
    assert tuple(said) == found.log
    assert found.approximate
    return found


@functools.cache
def as_it_comes() -> CircuitFound:
    """The search with the settings that it has by itself."""
    return search()


def recovered(circuit: Circuit) -> float:
    return measured().recovered(keeping(circuit, measured().model)).mean


def test_integrated_gradients_find_the_planted_circuit() -> None:
    found = as_it_comes()
    assert set(found.circuit.heads) == PLANTED
    assert recovered(found.circuit) >= 0.8
    assert len(found.circuit.edges) < 30
    assert found.curve[-1] == found.circuit
    for larger, smaller in zip(found.curve, found.curve[1:], strict=False):
        assert set(smaller.edges) <= set(larger.edges)
    assert not found.everything
    assert not found.nothing


def test_by_positions_it_finds_where() -> None:
    found = search(at="each", steps=10, checked=0)
    assert set(found.circuit.heads) == PLANTED
    places = {str(one) for one in found.circuit.edges if one.reader.head is not None}
    assert any(one.startswith("head 2.1 → head 3.0 into q at end") for one in places)
    assert any(one.endswith("into q at s2") for one in places)
    assert recovered(found.circuit) >= 0.8


def test_a_saturated_head_is_missed_and_the_log_warns() -> None:
    """By gradients on the references S-inhibition hardly shows, though all hangs on it."""
    found = search(steps=0, level="nodes")
    assert found.ranking is not None
    row = found.frame.set_index("part").loc["head 2.1"]
    assert row["exact"] < -5
    assert abs(row["first_order"]) < SHOWS * abs(row["exact"])
    (warning,) = [line for line in found.log if line.startswith("WARNING") and "head 2.1:" in line]
    assert "first order misses" in warning
    assert not any("head 3.0" in line for line in found.log if line.startswith("WARNING"))


def test_every_tenth_edge_and_all_components_stand_beside_exact_effects() -> None:
    found = as_it_comes()
    assert found.ranking is not None
    edges = whole(measured().subject.root, measured().subject.graph)
    exact = {name: value for name, value in found.ranking.exact.items() if "→" in name}
    assert len(exact) == math.ceil(len(edges) / 10)
    for edge in (one for one in edges if str(one) in list(exact)[:3]):
        left = Circuit(edges=tuple(one for one in edges if one != edge))
        (numbers,) = measured().numbers([keeping(left, measured().model)])[0]
        change = float((numbers - measured().original[0]).mean())
        assert exact[str(edge)] == pytest.approx(change, abs=1e-9)
    assert len(found.ranking.exact) == len(exact) + 16 + 4
    frame = found.frame
    assert frame["exact"].notna().sum() == len(exact)
    assert set(frame.loc[frame["kept"], "part"]) == {str(one) for one in found.circuit.edges}
    assert frame["first_order"].abs().is_monotonic_decreasing
    assert sum("exact beside it" in line for line in found.log) == 2
    assert found.importance == pytest.approx(
        dict(zip(frame["part"], frame["first_order"].abs(), strict=True))
    )


def test_without_norms_edges_that_nothing_bends_have_their_exact_effects() -> None:
    """Into the output, and into values of the last layer, on a metric that is linear."""

    def two_logits(logits: Any, references: Any) -> Any:
        return logits[..., 2] - 2 * logits[..., 1]

    tokens = np.random.default_rng(0).integers(0, native_models.VOCABULARY, (12, 6))
    data = Dataset("alike", {"tokens": tokens}, np.full(12, 6), positions={"end": np.full(12, 5)})
    behaviour = Behaviour(
        "two", lambda model: output(at="end"), data, custom(two_logits), Fixed([*range(1, 12), 0])
    )
    model = native_models.graph("bare, no biases")
    options = Options(model=model, samples=10, dtype=torch.float64)
    subject = subject_of(collected_behaviour(behaviour), session(), options)
    on = Measurements.of(subject, conventions_of(subject)[0], Context(session(), options))
    found = search(on, steps=0, checked=1_000, size=5)
    frame = found.frame.set_index("part")
    straight = [name for name in frame.index if name.endswith(("→ logits", "into v"))]
    straight = [name for name in straight if "→ head 0." not in name]
    assert len(straight) == 2 + 6 + 3 * (2 + 3)
    exact, first = (frame.loc[straight, name] for name in ("exact", "first_order"))
    assert np.allclose(exact, first, rtol=0, atol=1e-9)
    bent = frame.drop(straight)
    assert (bent["exact"] - bent["first_order"]).abs().max() > 1e-3


def test_gradients_are_taken_of_the_model_that_circuits_are_measured_in() -> None:
    """Rows of any lengths: it is run on the references, where the other inputs stand."""
    seen: list[torch.Tensor] = []

    def noted(logits: Any, references: Any) -> Any:
        found = logits[..., 2] - logits[..., 5]
        seen.append(found)
        return found

    data = random_dataset(np.random.default_rng(3), "ragged")
    behaviour = Behaviour("two", lambda model: output(at="end"), data, custom(noted), Uncond())
    options = Options(model=native_models.graph("no norms"), samples=8, dtype=torch.float64)
    subject = subject_of(collected_behaviour(behaviour), session(), options)
    on = Measurements.of(subject, conventions_of(subject)[0], Context(session(), options))
    (whole_model,) = on.numbers([WHOLE])[0]
    assert not np.allclose(whole_model, on.original[0]), "another length is another frame"
    seen.clear()
    first_order_effects(on, whole(subject.root, subject.graph), 0)
    (found,) = seen
    assert found.requires_grad
    assert np.allclose(found.detach().numpy(), whole_model, rtol=0, atol=1e-9)


def test_what_was_measured_is_not_measured_again() -> None:
    first = search(steps=1)
    known = measured().known
    again = search(steps=1)
    assert measured().known == known
    assert (again.circuit, again.log) == (first.circuit, first.log)


def test_sizes_and_thresholds_are_kept_to() -> None:
    whole_head = {"level": "nodes", "steps": 0}
    assert search(size=2, **whole_head).circuit.heads == ((3, 0), (3, 1))
    few = search(threshold=3.0, senders=("heads",), **whole_head)
    assert few.circuit.heads == ((3, 0), (3, 1))
    assert few.circuit.free == ("mlps",)
    assert search(threshold=1e9, steps=0, checked=0).nothing
    assert search(threshold=0.0, steps=0, checked=0).everything
    assert search(size=10_000, steps=0, checked=0).everything


@pytest.mark.parametrize("convention", [1, 4])
def test_means_and_zeros_are_put_in_as_they_are_given(convention: int) -> None:
    on = measured(convention)
    found = search(on, steps=5, checked=0, keeps=0.7)
    assert on.recovered(keeping(found.circuit, on.model)).mean >= 0.7


def test_few_inputs_on_the_way_may_miss_where_attention_turns() -> None:
    """These rows are an example of it; the log of the search by few says that heads are missed."""
    few, many = search(steps=5), as_it_comes()
    assert len(few.circuit.edges) > 3 * len(many.circuit.edges)
    warned = [sum(line.startswith("WARNING") for line in one.log) for one in (few, many)]
    assert warned[0] > warned[1]


def test_kl_is_ranked_by_integrated_gradients() -> None:
    (metric,) = METHOD.metrics((kl(),), measured().subject.root, AttributionSettings(metric="kl"))
    on = measured(0, metric)
    found = search(on, steps=10, checked=0, metric="kl", keeps=0.5)
    assert "head 3.0 → logits" in sorted(found.importance, key=found.importance.__getitem__)[-8:]
    with pytest.raises(UserError, match=r"All first-order effects on KL .* are zero"):
        search(on, checked=0, steps=0)


def test_a_metric_that_counts_has_no_gradient() -> None:
    def largest(logits: Any, references: Any) -> Any:
        return (logits.argmax(-1) == 2).to(torch.float64)

    with pytest.raises(UserError, match=r'Metric "largest" has no gradient'):
        search(measured(0, custom(largest)))


def test_settings_that_make_no_sense_are_all_told() -> None:
    said = METHOD.problems(
        AttributionSettings(
            senders=("heads", "mlp"), level="edge", steps=-1, choose="best", keeps="much",  # type: ignore[arg-type]
            size=0, threshold=-1.0, metric="kl", checked=True,
        )
    )  # fmt: skip
    for part in (
        "mlps",
        "edges",
        "steps=-1",
        "greedy",
        "keeps=",
        "size=0",
        "threshold=",
        "checked=",
    ):
        assert any(part in one for one in said), part
    assert any("Leave out one" in one for one in said)
    assert METHOD.problems(AttributionSettings()) == []
    (one,) = METHOD.problems(AttributionSettings(metric="kl", steps=0))
    assert "no slope" in one
    (one,) = METHOD.problems(AttributionSettings(at="each", senders=("heads", "embeddings")))
    assert "MLPs" in one


def test_positions_that_lead_nowhere_are_refused() -> None:
    with pytest.raises(UserError, match="no path leads from the embeddings"):
        search(at=("s2",), steps=0, checked=0)


def test_the_announced_cost_is_no_less_than_what_is_measured() -> None:
    fresh = Measurements.of(measured().subject, measured().convention, measured().context)
    before = fresh.known
    search(fresh, level="nodes", steps=0)
    count, _ = METHOD.cost(AttributionSettings(level="nodes"), fresh.subject.graph)
    assert 0 < fresh.known - before <= count


def by_hand(first: list[float], exact: list[float]) -> Beside:
    names = [f"part {number}" for number in range(len(first))]
    original, nothing = np.array([10.0, 12.0]), np.array([0.0, 2.0])
    measured = np.array([original + one for one in exact])
    return beside(names, np.array(first), measured, original, nothing)


def test_what_is_missed_by_hand() -> None:
    found = by_hand([-0.1, -0.5, 0.5, -2.0, 0.0], [-5.0, -2.0, -1.5, -2.1, -0.9])
    assert found.total == -10
    assert found.missed(MISSED, SHOWS) == [0, 2], "of the last the exact effect is too small"
    assert found.furthest == 0
    assert dict(found.pairs)["part 3"] == pytest.approx(-2.1)
    ranks = np.corrcoef([2, 3.5, 3.5, 5, 1], [5, 3, 2, 4, 1])[0, 1]
    assert found.correlation == pytest.approx(ranks)
    assert math.isnan(by_hand([1.0], [1.0]).correlation)
    assert math.isnan(by_hand([1.0, 1.0], [1.0, 2.0]).correlation)
