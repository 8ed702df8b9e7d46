"""What is kept of what was measured, how it is grouped, and what comes next: a pure function."""

from __future__ import annotations

import random

import pytest
from attrs import evolve

from hypothesis import given
from hypothesis import strategies as st
from scrub import UserError
from scrub.searches.found import ROOT, found_of, largest_left_out
from scrub.searches.measured import (
    Attention,
    Component,
    Effect,
    Measured,
    Receiver,
    as_json,
    from_json,
)
from scrub.searches.settings import Settings
from scrub.stats.intervals import Interval

TOTAL = Interval(10.0, 9.0, 11.0)


def head(layer: int, number: int) -> Component:
    return Component("heads", layer, number)


def effect(
    sender: Component, share: float, at: str = "end", port: str = "", *, certain: bool = True
) -> Effect:
    """Corrupted: what carries the behaviour has a negative effect."""
    mean = -10 * share
    width = abs(mean) / 2 if certain else 2 * abs(mean)
    return Effect(sender, at, port, Interval(mean, mean - width, mean + width), share)


MOVERS = Receiver((head(3, 0), head(3, 1)), "end")
TO_ROOT = Measured(
    ROOT,
    (
        effect(head(3, 0), 0.5),
        effect(head(3, 1), 0.4),
        effect(head(3, 2), -0.3),
        effect(head(2, 0), 0.2),
        effect(head(2, 1), 0.05),
        effect(head(1, 0), 0.6, certain=False),
        effect(Component("embeddings"), 0.01),
    ),
    TOTAL,
)
TO_MOVERS = Measured(
    MOVERS,
    (
        effect(head(2, 0), 0.3, port="q"),
        effect(head(2, 1), 0.2, port="q"),
        effect(Component("embeddings"), 0.9, at="io", port="v"),
    ),
    TOTAL,
)
ATTENDS = {
    ((3, 0), "end"): Attention("io", 0.9),
    ((3, 1), "end"): Attention("io", 0.8),
    ((3, 2), "end"): Attention("io", 0.8),
    ((2, 0), "end"): Attention("s2", 0.9),
    ((2, 1), "end"): Attention("s2", 0.9),
}
SETTINGS = Settings(smallest=0.1)


def groups(settings: Settings = SETTINGS) -> list[str]:
    found = found_of([TO_ROOT], settings, ATTENDS)
    return [str(link.sender) for link in found.links[ROOT]]


def test_what_is_large_and_told_from_zero_is_kept_in_groups() -> None:
    """2.1 is too small, 1.0 is not told from zero; the sign tells 3.2 from the other two."""
    assert groups() == ["heads 3.0, 3.1 at end", "head 3.2 at end", "head 2.0 at end"]
    left = largest_left_out(TO_ROOT, SETTINGS)
    assert left is not None
    assert str(left) == "head 1.0 at end"


def test_what_it_attends_to_tells_groups_apart() -> None:
    other = {**ATTENDS, ((3, 1), "end"): Attention("s1", 0.9)}
    found = found_of([TO_ROOT], SETTINGS, other)
    assert str(found.links[ROOT][0].sender) == "head 3.0 at end"


def test_the_user_steers() -> None:
    assert "head 2.1 at end" in groups(SETTINGS.keeping([(2, 1)]).splitting([(2, 1)]))
    assert "heads 2.0, 2.1 at end" in groups(SETTINGS.keeping([(2, 1)]))
    assert groups(SETTINGS.keeping([(1, 0)])) == groups(), "kept only where told from zero"
    assert groups(SETTINGS.dropping([(3, 0)]))[0] == "head 3.1 at end"
    assert groups(SETTINGS.splitting(None))[:2] == ["head 3.0 at end", "head 3.1 at end"]
    assert groups(SETTINGS.merging(None)) == ["heads 2.0, 3.0, 3.1, 3.2 at end"]
    merged = SETTINGS.merging([(3, 2), (2, 0)])
    assert groups(merged) == ["heads 3.0, 3.1 at end", "heads 2.0, 3.2 at end"]
    assert groups(merged.splitting([(3, 2)])) == groups()


def test_keeping_takes_back_dropping() -> None:
    assert SETTINGS.dropping([(3, 0)]).keeping([(3, 0)]).drop == ()
    assert SETTINGS.keeping([(3, 0)]).dropping([(3, 0)]).keep == ()


def test_a_group_may_not_be_emptied() -> None:
    dropped = SETTINGS.dropping([(3, 0), (3, 1), (3, 2), (2, 0)])
    with pytest.raises(UserError, match="empties the group that sends to the output"):
        groups(dropped)


def test_groups_come_next_and_embeddings_end_a_path() -> None:
    found = found_of([TO_ROOT, TO_MOVERS], SETTINGS, ATTENDS)
    assert [str(one) for one in found.frontier] == [
        "head 3.2 at end", "head 2.0 at end", "heads 2.0, 2.1 at end",
    ]  # fmt: skip
    assert [link.port for link in found.links[MOVERS]] == ["v", "q"]
    assert found.heads == ((2, 0), (2, 1), (3, 0), (3, 1), (3, 2))


def test_what_no_link_leads_to_is_left_out() -> None:
    alone = found_of([TO_MOVERS], SETTINGS, ATTENDS)
    assert alone.frontier == (ROOT,)
    assert not alone.links


@given(st.randoms(use_true_random=False))
def test_the_order_of_measurements_changes_nothing(order: random.Random) -> None:
    every = [TO_ROOT, TO_MOVERS, Measured(Receiver((head(2, 0),), "end"), (), TOTAL)]
    shuffled = order.sample(every, len(every))
    assert found_of(shuffled, SETTINGS, ATTENDS) == found_of(every, SETTINGS, ATTENDS)


@given(st.floats(0, 0.99), st.floats(0, 0.99))
def test_a_higher_threshold_keeps_no_more(one: float, other: float) -> None:
    low, high = sorted((one, other))
    heads = [
        set(found_of([TO_ROOT], Settings(smallest=share), ATTENDS).heads) for share in (low, high)
    ]
    assert heads[1] <= heads[0]


SHARES = st.sampled_from([-1.5, -0.1, 0.0, 0.3, 1.0, float("nan")])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), SHARES), max_size=3))
def test_json_holds_all_that_decides(listed: list[tuple[int, int, float]]) -> None:
    effects = tuple(
        evolve(effect(head(layer, number), 0.5), share=share) for layer, number, share in listed
    )
    measured = Measured(MOVERS, effects, TOTAL, 3)
    again = from_json(as_json(measured))
    assert repr(again) == repr(measured)
