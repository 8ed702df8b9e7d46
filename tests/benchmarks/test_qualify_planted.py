"""Whether planted models are what their roles say: the figures, and that they can fail."""

from __future__ import annotations

from functools import cache

import pytest
import qualify_planted as qualify
from attrs import evolve
from evidence_hooks import Heads
from search_planted import planted_edges

from scrub.model.registry import EMBEDDED

MOVERS, INHIBITION = "name mover", "S-inhibition"


@cache
def planted() -> qualify.Subject:
    return qualify.subject(EMBEDDED / "ioi-planted", 30, 7)


def figures(findings: list[qualify.Finding]) -> dict[str, float]:
    return {one.what: one.figure for one in findings}


def test_the_heads_of_planted_do_what_their_roles_say() -> None:
    for criterion in (qualify.behaves, qualify.attends, qualify.roles_matter):
        findings = list(criterion(planted()))
        assert findings
        assert all(one.holds for one in findings), findings


def test_shares_of_heads_in_their_role_are_by_hand() -> None:
    """Both name movers at once hand over the whole effect, and each a part of it."""
    s = planted()
    both = [s.swap(s.roles[MOVERS], "end")]
    whole = (s.original - s.after(both)) / s.total
    assert whole == pytest.approx(1, abs=0.1)
    each = figures(list(qualify.roles_matter(s)))
    parts = [each[f"3.{head} at end, {MOVERS}"] for head in (0, 1)]
    assert sum(parts) == pytest.approx(1, abs=0.15)


def test_to_swap_nothing_changes_nothing() -> None:
    s = planted()
    assert s.after([]) == pytest.approx(s.original, abs=1e-4)
    alike = evolve(s, flipped=s.own)
    (*_, together) = qualify.others_do_nothing(alike)
    assert together.figure == pytest.approx(0, abs=1e-5)


def test_other_heads_in_their_place_do_not_qualify() -> None:
    """The mutant: the S-inhibition heads are said to be two others of their layer."""
    s = planted()
    elsewhere: dict[str, Heads] = {**s.roles, INHIBITION: ((2, 2), (2, 3))}
    mutant = evolve(s, roles=elsewhere)
    missed = {one.what for one in qualify.roles_matter(mutant) if not one.holds}
    assert {"2.2 at end, S-inhibition", "2.3 at end, S-inhibition"} <= missed
    beside = {one.what for one in qualify.others_do_nothing(mutant) if not one.holds}
    assert {"2.0", "2.1"} <= beside
    lost = {one.what for one in qualify.paths(mutant) if not one.holds}
    assert "2.2 at end → name mover q" in lost
    assert "does not qualify" in qualify.report("mutant", list(qualify.roles_matter(mutant)))


def test_heads_are_outside_where_they_play_no_role() -> None:
    found = qualify.outside(planted())
    assert len(found) == 16
    assert found[3, 0] == ("start", "io", "s1", "s1+1", "s2")
    assert found[1, 1] == ("start", "io", "s1", "s1+1", "end")
    assert found[0, 0] == ("start", "io", "s1", "s1+1", "s2", "end")


def test_the_algorithm_is_the_one_that_searches_are_scored_by() -> None:
    roles: dict[str, Heads] = {
        "previous token": ((0, 1),),
        "duplicate token": ((1, 2),),
        INHIBITION: ((2, 0),),
        MOVERS: ((3, 3),),
    }
    said = {
        (heads[0], column, "output" if to == qualify.OUTPUT else roles[to][0], port)
        for role, heads in roles.items()
        for column, to, port in qualify.ALGORITHM[role][1]
    }
    assert said == planted_edges(roles)
    assert len(said) == 6
