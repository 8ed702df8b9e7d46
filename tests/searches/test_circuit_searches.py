"""Pruning and ACDC: what they decide, against the plainest form of both; and what they find."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import evolve

import scrub
from scrub import UserError
from scrub.circuits.kept import keeping
from scrub.circuits.measurements import Measurements
from scrub.datasets import ioi
from scrub.hypothesis.circuit import Circuit, Edge, Placed
from scrub.metrics import attention
from scrub.model.registry import describe
from scrub.names import LOGITS
from scrub.runner.outputs import Outputs
from scrub.searches import acdc, pruning
from scrub.searches.acdc import AcdcSettings
from scrub.searches.circuit_found import CircuitFound, Tried, importance_of, thinned
from scrub.searches.circuit_result import CircuitResult
from scrub.searches.circuit_score import score_lines
from scrub.searches.circuit_search import refuse_trivial
from scrub.searches.path_search import NothingFoundError
from scrub.searches.pruned_parts import Anatomy, kept_of, trimmed
from scrub.searches.pruning import PruningSettings, frequencies
from support import tiny_behaviours as tiny

IOI = ioi.behaviour(120)


def silent(line: str) -> None:
    return


@functools.cache
def measured(*, by_kl: bool = False) -> Measurements:
    return tiny.measurements(by_kl=by_kl)


def pruned(**settings: Any) -> CircuitFound:
    return pruning.search(tiny.subject(), measured(), PruningSettings(**settings), silent)


def by_acdc(**settings: Any) -> CircuitFound:
    found = measured(by_kl=True)
    return acdc.search(tiny.subject(by_kl=True), found, AcdcSettings(**settings), silent)


@functools.cache
def anatomy() -> Anatomy:
    return Anatomy.of(tiny.subject().root, tiny.subject().model)


def plain_acdc(threshold: float, *, sequential: bool = True) -> set[Edge]:
    """Edge by edge, every one of them measured by itself; the mutant decides on the whole model."""
    edges = list(anatomy().edges)
    order = {"logits": 9.0} | {f"blocks.{n}.mlp": n + 0.5 for n in (0, 1)}
    order |= {f"blocks.{n}.attn.z": n for n in (0, 1)}
    place = {edge: n for n, edge in enumerate(edges)}

    def last_first(edge: Edge) -> tuple[float, int, int]:
        return (-order[edge.reader.site], -(edge.reader.head or 0), -place[edge])

    def divergence(left: list[Edge]) -> float:
        kept = keeping(Circuit(edges=tuple(left)), anatomy().model) if left else None
        return float(measured(by_kl=True).numbers([kept])[0, 0].mean())

    left, whole = list(edges), divergence(edges)
    for edge in sorted(edges, key=last_first):
        base = left if sequential else edges
        before = divergence(base) if sequential else whole
        if divergence([one for one in base if one != edge]) - before < threshold:
            left.remove(edge)
    return set(trimmed(Circuit(edges=tuple(left)), anatomy()).edges)


@pytest.mark.parametrize("threshold", [0.002, 0.005])
def test_acdc_is_one_edge_after_the_other(threshold: float) -> None:
    found = by_acdc(threshold=threshold)
    assert set(found.circuit.edges) == plain_acdc(threshold)
    assert not found.nothing
    assert not found.everything


def test_a_mutant_that_decides_each_edge_apart_is_caught() -> None:
    found = by_acdc(threshold=0.002)
    assert set(found.circuit.edges) != plain_acdc(0.002, sequential=False)


def plain_pruning(costs: float, keeps: float) -> set[Placed]:
    """Nodes taken out one at a time, layer by layer, backward and forward, until nothing goes."""
    left = [*anatomy().nodes("heads")], [*anatomy().nodes("mlps")]
    found = measured()
    original, baseline = found.original[0].mean(), found.baseline[0].mean()

    def share(heads: Any, mlps: Any) -> float:
        kept = keeping(Circuit(cells=tuple(map(Placed, [*heads, *mlps]))), anatomy().model)
        return float((found.numbers([kept])[0, 0].mean() - baseline) / (original - baseline))

    def swept(kind: int) -> None:
        backward = True
        while True:
            gone = False
            for cell in sorted(left[kind], reverse=backward):
                less = [[one for one in of if one != cell] for of in left]
                now = share(*less)
                if share(*left) - now <= costs and now >= keeps:
                    left[kind].remove(cell)
                    gone = True
            if not gone:
                return
            backward = not backward

    while True:
        before = [list(of) for of in left]
        swept(0)
        swept(1)
        if [list(of) for of in left] == before:
            return {Placed(cell) for of in left for cell in of}


@pytest.mark.parametrize(("costs", "keeps"), [(0.2, 0.5), (0.8, -2.0), (9.0, 0.3), (9.0, -1.0)])
def test_pruning_is_one_node_after_the_other(costs: float, keeps: float) -> None:
    found = pruned(costs=costs, keeps=keeps, level="nodes")
    assert set(found.circuit.cells) == plain_pruning(costs, keeps)
    assert pruning.share(found_values(found), measured()) >= min(keeps, 1)


def found_values(found: CircuitFound) -> np.ndarray:
    return measured().numbers([keeping(found.circuit, anatomy().model)])[0, 0]


@pytest.mark.parametrize("order", pruning.ORDERS)
def test_of_any_order_nothing_more_may_go(order: str) -> None:
    """What is left is as far as the rule lets it be pruned, node by node."""
    found = pruned(order=order, level="nodes", costs=0.2, keeps=0.5)
    whole = pruning.share(found_values(found), measured())
    for one in found.circuit.cells:
        less = found.circuit.without([one])
        values = measured().numbers([keeping(less, anatomy().model)])[0, 0]
        left = pruning.share(values, measured())
        assert whole - left > 0.2 or left < 0.5
    assert found.log[0] == "what costs 20% or less is taken out, as long as 50% is left"


def test_positions_and_edges_keep_what_is_asked() -> None:
    found = pruned(costs=0.3, keeps=0.4)
    assert found.circuit.edges
    ((values,),) = measured().numbers([kept_of(found.circuit, anatomy())])
    assert pruning.share(values, measured()) >= 0.4
    assert {one.stage for one in found.tried} == {"heads", "mlps", "positions", "ports", "edges"}
    assert found.importance == importance_of(found.tried)
    assert len(found.frame) == len(found.tried)


def test_orders_say_how_often_each_part_stays() -> None:
    found = pruned(orders=3, level="nodes", costs=0.2, keeps=0.5)
    assert found.circuit == pruned(level="nodes", costs=0.2, keeps=0.5).circuit
    assert {round(3 * share) for share in found.frequency.values()} <= {1, 2, 3}
    for one in found.circuit.cells:
        assert found.frequency[str(one.cell)] > 0
    assert any(line.startswith("stays in how many of 3 orders") for line in found.log)
    assert found.log[1] == "order 1 of 3: backward"
    assert frequencies([found.circuit] * 2) == {str(one.cell): 1.0 for one in found.circuit.cells}


def test_what_is_measured_ahead_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    together = pruned(costs=0.3, keeps=0.4)
    monkeypatch.setattr("scrub.searches.pruning.sweep", _one_at_a_time())
    alone = pruned(costs=0.3, keeps=0.4)
    assert alone.circuit == together.circuit
    assert [(one.part, one.removed) for one in alone.tried] == [
        (one.part, one.removed) for one in together.tried
    ]


def _one_at_a_time() -> Callable[..., Any]:
    return functools.partial(pruning.sweep, at_once=1)


def test_mlps_that_are_not_searched_are_free() -> None:
    found = pruned(senders=("heads",), costs=0.2, keeps=0.5, level="nodes")
    assert found.circuit.free == ("mlps",)
    edges = by_acdc(senders=("heads", "embeddings"), threshold=0.002)
    assert edges.circuit.free == ("mlps",)
    for one in edges.circuit.edges:
        assert one.writer.head is not None or "embed" in one.writer.site
        assert one.reader.head is not None or one.reader.site == LOGITS


def test_a_threshold_of_nothing_keeps_all_that_costs_anything() -> None:
    found = by_acdc(threshold=0.0)
    assert [one.removed for one in found.tried] == [one.cost < 0 for one in found.tried]
    ((left,), _) = measured(by_kl=True).numbers([kept_of(found.circuit, anatomy())])
    assert left.mean() < 1e-4


@pytest.mark.parametrize(
    ("found", "method", "says"),
    [
        (lambda: by_acdc(threshold=1e9), acdc.METHOD, "Nothing is kept: every part was taken out"),
        (
            lambda: pruned(costs=1e9, keeps=-1e9),
            pruning.METHOD,
            "A stricter costs= (--costs) or keeps= (--keeps) may keep some.",
        ),
        (
            lambda: pruned(costs=-1e9, level="nodes"),
            pruning.METHOD,
            "A circuit of everything says nothing",
        ),
    ],
)
def test_a_threshold_that_keeps_nothing_or_everything_says_so(
    found: Callable[[], CircuitFound], method: Any, says: str
) -> None:
    with pytest.raises(NothingFoundError) as error:
        refuse_trivial(found(), method)
    assert says in str(error.value)
    refuse_trivial(by_acdc(threshold=0.002), acdc.METHOD)


class Stopped(KeyboardInterrupt):
    """A user who stops a search."""


@pytest.mark.parametrize("lines", [1, 6])
def test_a_search_that_is_stopped_resumes_and_measures_nothing_twice(
    tmp_path: Path, lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[str] = []
    plain = Measurements._compute

    def counted(self: Measurements, new: dict[str, Any]) -> None:
        computed.extend(new)
        plain(self, new)

    monkeypatch.setattr(Measurements, "_compute", counted)
    settings = PruningSettings(costs=0.3, keeps=0.4)
    whole = pruning.search(tiny.subject(), tiny.measurements(), settings, silent)
    once, heard = set(computed), []
    computed.clear()

    def stops(line: str) -> None:
        heard.append(line)
        if len(heard) == lines:
            raise Stopped

    outputs = Outputs(tmp_path)
    first = tiny.measurements(outputs=outputs)
    with pytest.raises(Stopped):
        pruning.search(tiny.subject(), first, settings, stops)
    first.keep()
    again = tiny.measurements(outputs=outputs)
    resumed = pruning.search(tiny.subject(), again, settings, silent)
    assert resumed.circuit == whole.circuit
    assert resumed.log == whole.log
    assert heard == list(whole.log[:lines])
    assert len(computed) == len(set(computed))
    assert set(computed) == once


def test_importance_is_of_what_stayed_first() -> None:
    rows = [("a", 0.5, True), ("b", 0.1, False), ("a", 0.7, False), ("c", 0.3, True)]
    tried = [Tried("edges", 1, part, 1.0, 1.0, cost, gone) for part, cost, gone in rows]
    assert importance_of(tried) == {"c": 0.0, "b": 1.0, "a": 2.0}


def test_curves_are_thinned_evenly() -> None:
    circuits = [Circuit(name=str(n)) for n in range(30)]
    assert [one.name for one in thinned(circuits, 4)] == ["0", "10", "19", "29"]
    assert len(thinned(circuits[:3], 4)) == 3


@pytest.mark.parametrize(
    ("settings", "problems"),
    [
        (PruningSettings(keeps="a", order="bakward", senders=("head",), orders=0), 4),  # type: ignore[arg-type]
        (PruningSettings(senders=(), level="positons", costs=True), 3),
        (AcdcSettings(threshold=-1.0, order="least", metric="loss"), 3),
        (AcdcSettings(senders=("embeddings",)), 1),
        (AcdcSettings(senders=("heads",), threshold="a"), 2),  # type: ignore[arg-type]
    ],
)
def test_settings_that_make_no_sense(settings: Any, problems: int) -> None:
    module = pruning if isinstance(settings, PruningSettings) else acdc
    assert len(module.problems(settings)) == problems
    assert module.problems(type(settings)()) == []


@functools.cache
def on_ioi(by: str, **settings: Any) -> CircuitResult:
    found = scrub.find(
        IOI, by=by, model="ioi-planted", samples=40, session=tiny.session(), **settings
    )
    assert isinstance(found, CircuitResult)
    return found


SENDERS = {"pruning": "heads,mlps", "acdc": "heads,mlps,embeddings"}


@pytest.mark.parametrize("by", ["pruning", "acdc"])
def test_the_planted_heads_are_found(by: str) -> None:
    roles = describe("ioi-planted").roles
    found = on_ioi(by, senders=SENDERS[by])
    assert set(found.circuit.heads) == {head for members in roles.values() for head in members}
    assert {role: len(cells) for role, cells in found.circuit.roles.items()} == {
        role: len(heads) for role, heads in roles.items()
    }
    assert found.score.recovered.low > 0.85
    assert "S-inhibition" in found.circuit.roles
    assert found.circuit.model == "ioi-planted"
    assert by in found.circuit.source
    assert found.log.endswith(f"{score_lines(found.score)[-1]}\n")
    edges = {(one.writer, one.reader, one.into) for one in found.circuit.edges}
    movers = found.circuit.roles["name mover"]
    inhibition = found.circuit.roles["S-inhibition"]
    assert {(w, r, "q") for w in inhibition for r in movers} <= edges


def test_pruning_finds_where_the_planted_heads_stand() -> None:
    places = {
        str(one.cell): one.at for one in on_ioi("pruning", senders="heads,mlps").circuit.cells
    }
    assert places["head 3.0"] == places["head 2.1"] == ("end",)
    assert places["head 1.0"] == ("s2",)


def test_what_the_method_does_not_take_is_refused() -> None:
    with pytest.raises(UserError) as error:
        scrub.find(IOI, by="acdc", keep="9.9", order="least", keeps=0.5)
    said = str(error.value)
    assert "by=\"acdc\" takes no keep=: it is of by='paths'." in said
    assert "by=\"acdc\" takes no keeps=: it is of by='pruning'" in said
    with pytest.raises(UserError, match="by=\"paths\" takes no orders=: it is of by='pruning'"):
        scrub.find(IOI, orders=3)  # type: ignore[call-overload]
    with pytest.raises(UserError, match='The nearest is "pruning"'):
        scrub.find(IOI, by="prunning")
    with pytest.raises(UserError, match="order='lest'"):
        scrub.find(IOI, by="pruning", order="lest", model="ioi-planted")
    with pytest.raises(UserError, match="ablate='men'"):
        scrub.find(IOI, by="pruning", ablate="men", model="ioi-planted")


def test_a_behaviour_that_the_corruption_leaves_alone_is_refused() -> None:
    same = evolve(IOI, corrupt=scrub.Exact())
    with pytest.raises(UserError, match="are not told apart"):
        scrub.find(same, by="acdc", model="ioi-planted", samples=8)


def test_what_makes_matters_better_stays_where_it_is_asked() -> None:
    signed = pruned(level="nodes", costs=0.2, keeps=0.5)
    absolute = pruned(level="nodes", costs=0.2, keeps=0.5, absolute=True)
    better = {one.part for one in signed.tried if one.removed and one.cost < -0.2}
    assert better
    assert not better & {one.part for one in absolute.tried if one.removed}
    assert all(one.cost >= 0 for one in absolute.tried)
    assert absolute.log[0].startswith("what changes it by 20% or less")
    edges = by_acdc(threshold=0.002, absolute=True)
    assert all(one.cost >= 0 for one in edges.tried)
    assert edges.log[0].startswith("an edge goes where KL from the original changes by less than")


def test_a_circuit_may_end_at_a_head_that_a_metric_reads() -> None:
    @scrub.behaviour(data=IOI.data, metric=attention(to="io"), corrupt=IOI.corrupt)
    def looks(model: Any) -> Any:
        """Head 3.0 looks at the IO."""
        return scrub.heads([(3, 0)], part="pattern", at="end")

    found = scrub.find(
        looks, by="pruning", model="ioi-planted", samples=24, level="nodes", session=tiny.session()
    )
    assert found.circuit.heads == ((1, 0), (1, 1), (2, 0), (2, 1))
    assert not acdc.one_distribution(found.search.seen.root)
    assert acdc.one_distribution(tiny.subject().root)
