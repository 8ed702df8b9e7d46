"""The benchmark of circuit searches: what is recorded, resumed and printed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import search_circuits
from attrs import evolve
from searching.methods import Outcome, at_random, by_circuit, edge_score, outcome_of
from searching.record import Parts, Record, Way, as_json, from_json, record, resumed
from searching.scoring import area, first
from searching.shuffled import known_wired
from searching.subject import Searched
from searching.table import by_group, by_way
from searching.truth import EMBEDDING, OUTPUT, head, mlp
from searching.ways import DEVELOPED, HELD_OUT, WAYS

from scrub.errors import UserError
from scrub.hypothesis.circuit import Circuit, Edge
from scrub.searches import acdc
from scrub.searches.circuit_found import CircuitFound

WAY = Way("random", "5%", at_random(0.05, 0), default=True)


def parts(found: int, right: int, true: int, area: float = 0.75) -> Parts:
    return Parts(found, right, true, area, right, ("a wrong one",), ())


ONE = Record("wired 0", "mixed", WAY.name, parts(4, 3, 6), parts(2, 2, 2), 0.9, 0.1, 10, 1.25)


def test_a_record_is_written_and_read() -> None:
    assert from_json(as_json(ONE)) == ONE
    odd = as_json(evolve(ONE, cpr=math.nan))
    assert as_json(from_json(odd)) == odd


def test_a_run_resumes(tmp_path: Path) -> None:
    searched = []

    def search(one: Searched) -> Outcome:
        searched.append(one)
        return at_random(0.1, 0)(one)

    way = Way("counted", "once", search)
    made, new = resumed(tmp_path, known_wired(0), way, 4, None)
    again, newer = resumed(tmp_path, known_wired(0), way, 4, None)
    assert (new, newer, len(searched)) == (True, False, 1)
    assert as_json(again) == as_json(made)
    resumed(tmp_path, known_wired(0), way, 5, None)
    assert len(searched) == 2  # other samples are another record


def test_the_tables_by_hand() -> None:
    other = evolve(ONE, model="wired 1", edges=parts(2, 2, 2, 1.0), cpr=math.nan, seconds=0.75)
    (_, _, line) = by_way([ONE, other], [WAY]).splitlines()
    # edges: (3 + 2) of (4 + 2) found are right, of (6 + 2) true; all are right in one model
    assert line == (
        "| random | **5%** | 3.0 | 0.83 | 0.62 | 0.875 | 0.62 | 1 of 2 | 2.0 | 1.00 | 1.00 | 0.750 "
        "| 0.90 | 0.10 | 10 | 1.0 |"
    )
    (_, _, line) = by_group([ONE, other], [WAY]).splitlines()
    assert line == "| random | 5% | mixed | 2 | 0.83 | 0.62 | 0.875 | 1 |"


def test_the_first_of_a_ranking_by_hand() -> None:
    every = set("abcde")
    scores = {"a": 3.0, "b": 2.0, "c": 1.0}
    assert first(scores, {"a", "c"}, every) == 1
    assert first(scores, {"a", "b", "c"}, every) == 3
    # four are asked for: three have scores, and one of two without would be next, half of it right
    assert first(scores, {"a", "b", "c", "d"}, every) == 3
    assert first({}, {"a"}, {"a"}) == 1


# What a circuit's search gives, as scores


def found(circuit: Circuit, importance: dict[str, float]) -> CircuitFound:
    return CircuitFound(circuit, "pruning", None, (), importance=importance)


KEPT = Edge(head((0, 1)), head((1, 0)), "v")
GONE = Edge(head((0, 1)), head((1, 0)), "k")


def test_an_edge_that_went_with_a_port_or_a_node_scores_as_that_did() -> None:
    importance = {
        "head 0.1": 8.0, "head 1.0": 9.0, "MLP 1": 1.0, "all into k of head 1.0": 2.0,
        "head 0.1 → head 1.0 into v": 7.0, "head 0.1 → head 1.0 into k": 6.0,
    }  # fmt: skip
    circuit = found(Circuit(edges=(KEPT,)), importance)
    kept = frozenset([KEPT])
    assert edge_score(KEPT, kept, circuit) == 7
    assert edge_score(GONE, kept, circuit) == 2
    assert edge_score(Edge(head((1, 0)), mlp(1)), kept, circuit) == 1
    assert edge_score(Edge(EMBEDDING, OUTPUT), kept, circuit) is None


def test_heads_have_their_own_number_or_that_of_their_best_edge() -> None:
    importance = {"head 0.1 → head 1.0 into v": 7.0, "head 0.1 → head 1.0 into k": 6.0}
    circuit = found(Circuit(edges=(KEPT,)), importance)
    outcome = outcome_of(circuit, [KEPT, GONE], 3)
    assert outcome.head_scores == {(0, 1): 7.0}
    assert (outcome.heads, outcome.edges, outcome.measured) == ({(0, 1)}, {KEPT}, 3)
    own = outcome_of(found(Circuit(edges=(KEPT,)), importance | {"head 0.1": 3.0}), [KEPT], 3)
    assert own.head_scores == {(0, 1): 3.0}


@pytest.mark.parametrize("name", ["acdc, 1.0% of all", "paths, 10%", "EAP-IG, keeps 80%"])
def test_searches_of_a_model_of_two_edges_find_them(name: str) -> None:
    (way,) = [one for one in WAYS if one.name == name]
    behaviour, truth = known_wired(2).make()
    assert len(truth.edges) == 2
    outcome = way.search(Searched.of(behaviour, truth, samples=20))
    assert outcome.edges & truth.every_edge == truth.edges
    assert area(outcome.edge_scores, truth.edges, truth.every_edge) == 1
    assert outcome.measured > 0


def test_a_search_that_gives_up_has_found_nothing() -> None:
    def gives_up(*arguments: object) -> CircuitFound:
        raise UserError("There is no gradient.")

    method = evolve(acdc.METHOD, search=gives_up)
    way = Way("acdc", "never", by_circuit(method, lambda most: acdc.AcdcSettings()))
    made = record(known_wired(2), way, 8, None)
    assert (made.edges.found, made.edges.area, made.heads.area) == (0, 0.5, 0.5)
    assert made.refused == "There is no gradient."


# The command


def test_no_model_that_is_held_out_is_one_that_settings_were_looked_at_on() -> None:
    assert not set(DEVELOPED) & set(HELD_OUT)
    assert len(HELD_OUT) >= 30
    assert len({way.name for way in WAYS}) == len(WAYS)


def test_the_whole_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--models", "1", "--samples", "8", "--only", "random"]
    search_circuits.main([*arguments, "--records", str(tmp_path)])
    printed = capsys.readouterr()
    assert "| random | **5% of edges** |" in printed.out
    assert "1/1 wired 0: random" in printed.err
    search_circuits.main([*arguments, "--records", str(tmp_path)])
    again = capsys.readouterr()
    assert (again.out, again.err) == (printed.out, "")
