"""Scores of the planted circuit: each is what the claim says that it stands for."""

from __future__ import annotations

import functools
import io
from typing import Any

import numpy as np
import pytest
from attrs import evolve
from rich.console import Console

import scrub
import scrub.api
from scrub import (
    Behaviour,
    Circuit,
    CircuitScores,
    Correspondence,
    Exact,
    InterpNode,
    SetsOf,
    UserError,
    claim,
    embeddings,
    heads,
    held_out,
    mlp,
    output,
)
from scrub.circuits.ablations import ablations
from scrub.circuits.conventions import conventions_of
from scrub.circuits.edges import all_edges
from scrub.circuits.faithfulness import forms_of, size_of
from scrub.circuits.groups import positions_of, removable, roles_of
from scrub.circuits.kept import WHOLE, Kept, keeping, removing
from scrub.circuits.measurements import INPUTS, ROOT, Measurements
from scrub.circuits.random_circuits import random_circuits
from scrub.circuits.subject import subject_of
from scrub.datasets import ioi
from scrub.hypothesis.circuit import Placed
from scrub.metrics import logit_diff, top_1
from scrub.model.registry import describe
from scrub.report.circuit_scores import show_scores
from scrub.runner.context import Context
from scrub.runner.options import Options
from scrub.runner.session import Session
from support import paths

MODEL, SAMPLES = "ioi-planted", 40
BEHAVIOUR = ioi.behaviour(80)
OPTIONS: dict[str, Any] = {"model": MODEL, "samples": SAMPLES}
FEW = SetsOf(random=1, steps=2, runs=1, run_steps=2, run_tried=2, node_steps=1)


@functools.cache
def session() -> Session:
    return Session()


@functools.cache
def planted() -> Circuit:
    roles = describe(MODEL).roles
    places = {"duplicate token": "s2", "S-inhibition": "end", "name mover": "end"}
    sites = {role: heads(roles[role], at=at) for role, at in places.items()}
    cells = {role: group.routes[0].cells for role, group in sites.items()}
    return evolve(Circuit.of(*sites.values()), free=("mlps",), name="planted", roles=cells)


def scored(behaviour: Behaviour = BEHAVIOUR, circuit: Circuit | None = None, **asked: Any) -> Any:
    chosen: dict[str, Any] = {"sets": FEW, "random": 2, **OPTIONS, **asked}
    one = planted() if circuit is None else circuit
    return scrub.circuit_scores(behaviour, one, session=session(), **chosen)


@functools.cache
def scores() -> CircuitScores:
    return scored(by="order", orders=2)


def run(kept: Kept, other: Any, behaviour: Behaviour = BEHAVIOUR) -> Any:
    """What the claim recovers by which a circuit is measured."""
    through = WHOLE if kept is None else kept

    @claim(data=behaviour.data, metric=behaviour.metric, name="alone")
    def alone(model: Any) -> Correspondence:
        root = InterpNode(ROOT, Exact(), other=other)
        inside = root.child(INPUTS, other if kept is None else Exact())
        return Correspondence({root: output(at="end"), inside: embeddings(through=through)})

    return scrub.run(alone, session=session(), diagnose=False, **OPTIONS)


def ends(found: Any) -> Any:
    return pytest.approx((found.mean, found.low, found.high), abs=2e-5)


def model() -> Any:
    return describe(MODEL)


# Each number is that of a claim


def test_faithfulness_is_what_the_claim_recovers() -> None:
    found = scores()
    subject = subject_of(scrub.api.collected_behaviour(BEHAVIOUR), session(), Options(**OPTIONS))
    others = {one.name: one.other for one in conventions_of(subject, ("s2", "end"))}
    forms = forms_of(planted(), model())
    assert list(forms) == ["nodes, MLPs free", "nodes, MLPs out"]
    assert [one.form for one in found.faithfulness[:2]] == list(forms)
    assert len(found.faithfulness) + len(found.left_out) == len(others) * len(forms)
    assert found.faithfulness[0].convention.startswith("resample: Paired(")
    for one in found.faithfulness:
        kept = keeping(forms[one.form], model())
        result = run(kept, others[one.convention])
        recovered = result.recovered
        assert (one.recovered.mean, one.recovered.low, one.recovered.high) == ends(recovered)
        assert one.value == pytest.approx(result.scores.means["scrubbed"], abs=1e-4)
    values = [one.value for one in found.faithfulness]
    assert np.diff(sorted(values)).min() > 1e-3, "no number is that of another convention"


def test_random_circuits_recover_what_their_claims_do() -> None:
    found = scores().nulls[0]
    drawn = random_circuits(planted(), model(), 2, seed=0)
    assert len(found.recovered) == 2
    for recovered, one in zip(found.recovered, drawn, strict=True):
        result = run(keeping(one, model()), BEHAVIOUR.corrupt)
        assert recovered == pytest.approx(result.recovered.mean, abs=2e-5)
    assert found.circuit == scores().faithfulness[0].recovered.mean
    assert found.circuit not in found.recovered


def test_incomplete_circuits_are_what_their_claims_recover() -> None:
    found, other = scores(), BEHAVIOUR.corrupt
    whole = run(keeping(planted(), model()), other).recovered.mean
    nodes = removable(planted())
    groups = {role: [nodes[n] for n in s] for role, s in roles_of(planted(), nodes).items()}
    groups |= positions_of(nodes)
    assert [part.name for part in found.parts] == [
        "duplicate token", "S-inhibition", "name mover", "s2", "end",
    ]  # fmt: skip
    for part in found.parts:
        left = run(keeping(planted().without(groups[part.name]), model()), other).recovered
        assert (part.recovered.mean, part.recovered.low, part.recovered.high) == ends(left)
        assert part.lost.mean == pytest.approx(whole - left.mean, abs=2e-5)


def named(nodes: tuple[str, ...]) -> list[Placed]:
    by_name = {str(node): node for node in removable(planted())}
    return [by_name[name] for name in nodes]


def test_sets_nodes_and_points_are_what_claims_on_the_held_out_rows_recover() -> None:
    found, held = scores(), held_out(BEHAVIOUR)
    other = held.corrupt

    def circuit_without(nodes: tuple[str, ...]) -> float:
        return run(keeping(planted().without(named(nodes)), model()), other, held).recovered.mean

    assert found.completeness is not None
    for one in found.completeness.sets:
        alone = circuit_without(one.nodes)
        rest = run(removing(named(one.nodes)), other, held).recovered.mean
        assert one.circuit.mean == pytest.approx(alone, abs=2e-5)
        assert one.model.mean == pytest.approx(rest, abs=2e-5)
        assert one.difference.mean == pytest.approx(alone - rest, abs=4e-5)
        assert one.distance.mean == pytest.approx(abs(alone - rest), abs=4e-5)
    assert found.minimality is not None
    for node in found.minimality[::2]:
        with_it, without = circuit_without(node.under), circuit_without((*node.under, node.node))
        assert node.effect.mean == pytest.approx(with_it - without, abs=4e-5)
    assert found.curve is not None
    every = found.curve.points[0][0].kept
    for point in found.curve.points[1]:
        gone = tuple(head for head in every if head not in point.kept)
        assert point.recovered.mean == pytest.approx(circuit_without(gone), abs=2e-5)


def test_a_mutant_that_reports_on_the_rows_that_chose_is_caught() -> None:
    """The law above would not hold of the half by which sets were chosen."""
    found = scores()
    assert found.curve is not None
    for point in found.curve.points[0][1:3]:
        assert point.chosen_by != pytest.approx(point.recovered.mean, abs=2e-5)


def test_by_column_is_of_its_references_alone() -> None:
    result = run(keeping(planted(), model()), BEHAVIOUR.corrupt)
    orders = np.array(result.draws.references.feature("order"))
    assert [one.value for one in scores().by] == ["ABBA", "BABA"]
    for one in scores().by:
        part = result.scores.where(orders == one.value)
        assert one.references == (orders == one.value).sum()
        mine = one.recovered
        assert (mine.mean, mine.low, mine.high) == ends(part.recovered())


# Sanity


def test_the_planted_circuit_is_faithful_and_random_ones_are_not() -> None:
    shipped = scrub.read_circuit(paths.ROOT / "circuits" / "ioi-planted.json")
    found = scored(circuit=shipped, only="nulls", random=10)
    edges, nodes, *out = found.faithfulness[:4]
    assert min(edges.recovered.mean, edges.of_ablated.mean) > 0.7
    assert min(nodes.recovered.mean, nodes.of_ablated.mean) > 0.9
    assert max(one.of_ablated.mean for one in out) < 0.1, "they need the MLPs"
    own = [one for one in found.nulls if one.convention == edges.convention]
    assert [one.kind for one in own] == ["random", "connected"]
    for nulls in own:
        assert nulls.among.mean < 0.3
        assert (nulls.among.as_much, nulls.among.p) == (0, pytest.approx(1 / 11))
        assert nulls.among.range[0] <= nulls.among.mean <= nulls.among.range[1]


def test_every_node_of_it_matters() -> None:
    assert scores().no_matter == ()
    assert scores().size == size_of(planted(), model())
    assert (scores().size.nodes, scores().size.of_heads) == (6, 16)


def test_a_head_that_does_nothing_is_named() -> None:
    idle = Circuit.of(heads([(0, 3)], at="s1"))
    more = evolve(planted() | evolve(idle, free=("mlps",)), roles=planted().roles)
    found = scored(circuit=more, only=("minimality",))
    assert found.no_matter == ("head 0.3 at s1",)
    assert found.minimality is not None
    assert next(one.role for one in found.minimality if not one.matters) == "no role"


def measured() -> tuple[Measurements, Any]:
    item = scrub.api.collected_behaviour(BEHAVIOUR)
    subject = subject_of(item, session(), Options(**OPTIONS))
    context = Context(session(), Options(**OPTIONS))
    return Measurements.of(subject, conventions_of(subject)[0], context), subject.model


def test_without_nothing_a_circuit_is_itself_and_the_model_too() -> None:
    found, about = measured()
    half = ablations(found, planted(), about, removable(planted()))
    none = frozenset[int]()
    (alone,) = half.of_circuit([none])
    assert np.array_equal(alone, found.numbers([keeping(planted(), about)])[0, 0])
    assert np.allclose(half.of_model([none])[0], found.original[0], atol=1e-4)


def test_the_whole_models_circuit_is_complete() -> None:
    """Whatever is taken out of both, they are the same."""
    found, about = measured()
    every = Circuit(edges=all_edges(about.graph))
    nodes = removable(every)
    half = ablations(found, every, about, nodes)
    random = np.random.default_rng(0)
    sets = [frozenset(random.choice(len(nodes), n, replace=False).tolist()) for n in (0, 1, 3, 8)]
    distance = np.abs(half.of_circuit(sets) - half.of_model(sets))
    assert distance.max() < 1e-4
    less = ablations(found, Circuit(edges=every.edges[:-3]), about, nodes)
    assert np.abs(less.of_circuit(sets) - half.of_model(sets)).max() > 1e-2, "a mutant is caught"


def test_a_circuit_of_edges_without_its_nodes_keeps_nothing() -> None:
    found, about = measured()
    edges = tuple(edge for edge in all_edges(about.graph) if edge.reader.head is not None)
    circuit = Circuit(edges=edges)
    nodes = removable(circuit)
    half = ablations(found, circuit, about, nodes)
    (nothing,) = half.of_circuit([frozenset(range(len(nodes)))])
    assert np.array_equal(nothing, found.nothing[0])


def test_forms_of_edges_are_edges_and_nodes_with_and_without_mlps() -> None:
    about = model()
    some = tuple(edge for edge in all_edges(about.graph, ("heads", "embeddings")))
    forms = forms_of(Circuit(edges=some, free=("mlps",)), about)
    assert list(forms) == [
        "edges, MLPs free", "nodes, MLPs free", "edges, MLPs out", "nodes, MLPs out",
    ]  # fmt: skip
    assert list(forms_of(Circuit(edges=some), about)) == ["edges", "nodes"]
    size = size_of(Circuit(edges=some[:7]), about)
    assert (size.edges, size.of_edges) == (7, len(all_edges(about.graph)))


# Several metrics, frames, and what is refused


def test_several_metrics_at_once() -> None:
    both = evolve(BEHAVIOUR, metric=[logit_diff("io", "s"), top_1("io")], name="both")
    found = scored(both, only="nulls", random=1)
    assert found.metrics == ("logit(io) − logit(s)", "top-1 is io")
    assert [one.metric for one in found.faithfulness[:4:2]] == list(found.metrics)
    assert {one.metric for one in found.nulls} == set(found.metrics)
    mine = scores().faithfulness[0].recovered
    assert (mine.mean, mine.low, mine.high) == ends(found.faithfulness[0].recovered)


def test_frames_have_every_figure() -> None:
    found = scores()
    frames = found.frames
    assert list(frames) == [
        "faithfulness", "nulls", "parts", "by", "completeness", "minimality", "curve", "frequency",
    ]  # fmt: skip
    assert len(frames["faithfulness"]) == len(found.faithfulness)
    assert len(frames["frequency"]) == 6 * 7
    tidy = found.frame
    assert set(tidy.section) == set(frames)
    row = tidy[(tidy.section == "parts") & (tidy.figure == "lost") & (tidy.name == "end")]
    part = next(one for one in found.parts if one.name == "end")
    assert row.iloc[0][["value", "low", "high"]].tolist() == [
        part.lost.mean, part.lost.low, part.lost.high,
    ]  # fmt: skip
    said = found.as_json()
    assert said["schema"] == "scrub.circuit-scores/1"
    assert said["faithfulness"][0]["recovered"] == found.faithfulness[0].recovered.mean
    assert "recovered" in found._repr_html_()
    assert found.plot().axes[0].lines


def test_data_that_cannot_be_halved_is_scored_without_choices() -> None:
    own = ioi.prompts(4).make(session().load(model(), Options().dtype, "cpu").tokenizer)
    within = own.with_columns(other=[0, 0, 1, 1])
    behaviour = evolve(BEHAVIOUR, data=within, corrupt=scrub.Paired("other"), name="within")
    found = scored(behaviour, only="curve", samples=20)
    assert found.curve is None
    assert "may lie in the half that is held out" in found.not_halved
    assert found.faithfulness


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"only": "curves"}, "curve"),
        ({"order": "lest"}, "least"),
        ({"random": -1}, "0 or more"),
        ({"by": "ordr"}, "order"),
        ({"metric": ["logit"]}, "logit"),
        ({"circuit": Circuit()}, "empty"),
        ({"circuit": Circuit.of(heads([(9, 9)], at="end"))}, "9.9"),
        ({"circuit": Circuit.of(heads([(3, 0)], at="s3"))}, "s3"),
        ({"behaviour": evolve(BEHAVIOUR, corrupt=None)}, "corrupt="),
        ({"behaviour": "ioi"}, "takes a behaviour"),
        ({"circuit": "c.json"}, "takes a circuit"),
    ],
)
def test_what_makes_no_sense_is_refused(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        scored(**asked)


def test_a_circuit_without_heads_or_roles_is_taken_apart_by_layers() -> None:
    some = Circuit.of(mlp(0, 3), embeddings())
    nodes = removable(some)
    assert [str(node) for node in nodes] == ["MLP 0", "MLP 3"]
    assert roles_of(some, nodes) == {"layer 0": {0}, "layer 3": {1}}
    found = scored(circuit=evolve(some, model="gpt2"), only="curve")
    assert found.curve is not None
    assert [point.size for point in found.curve.points[0]] == [2, 1, 0]
    printed = io.StringIO()
    show_scores(found, Console(width=80, file=printed))
    assert "\nits file says that it is a circuit of gpt2" in printed.getvalue()
    assert "\nnodes kept" in printed.getvalue()


def test_positions_are_taken_apart_one_by_one() -> None:
    cell = heads([(1, 0)]).routes[0].cells[0]
    both, everywhere = Placed(cell, ("s1", "s2")), Placed(cell)
    assert positions_of([both]) == {
        "s1": (Placed(cell, ("s1",)),), "s2": (Placed(cell, ("s2",)),),
    }  # fmt: skip
    assert positions_of([everywhere]) == {"all": (everywhere,)}
