"""Whole attention patterns of a row: shares that add up, and the picture of CircuitsVis."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from attrs import evolve

from scrub import UserError, observe
from scrub.datasets import ioi
from scrub.observations.attention_view import Patterns, View
from scrub.observations.observation import Observation
from scrub.runner.session import Session

ROW = 3
VIEWS = pytest.mark.skipif(find_spec("circuitsvis") is None, reason="the extra is not installed")


@pytest.fixture(scope="module")
def behaviour() -> Any:
    return ioi.behaviour(8, model="ioi-planted")


@pytest.fixture(scope="module")
def seen(behaviour: Any) -> Observation:
    return observe.patterns(behaviour, row=ROW)


def test_shares_add_up(seen: Observation) -> None:
    assert seen.patterns is not None
    np.testing.assert_allclose(seen.patterns.weights.sum(-1), 1.0, atol=1e-6)
    heads, tokens, _ = seen.patterns.weights.shape
    assert len(seen.frame) == heads * tokens**2
    assert len(seen.patterns.tokens) == tokens


def test_they_are_what_attention_says(behaviour: Any) -> None:
    """Law: their mean over rows, from END to a column's position, is what `attention` says."""
    attended = observe.attention(behaviour, to=["io"]).frame
    session = Session()
    ios = session.data(behaviour.data, session.describe("ioi-planted")).position("io")
    total = np.zeros(len(attended))
    for row, io in enumerate(ios):
        seen = observe.patterns(behaviour, row=row, session=session).patterns
        assert seen is not None
        total += seen.weights[:, -1, io]
    np.testing.assert_allclose(total / len(ios), attended["attention"], atol=1e-6)


def test_what_is_not_there_is_refused(behaviour: Any) -> None:
    for row in (8, -1, "3"):
        with pytest.raises(UserError, match="has the rows 0 to 7"):
            observe.patterns(behaviour, row=row)
    with pytest.raises(UserError, match=r"observe\.patterns"):
        observe.attention(behaviour).view()


@VIEWS
def test_the_view_needs_no_network(seen: Observation) -> None:
    view = seen.view()
    assert isinstance(view, View)
    assert "unpkg.com" not in view.html
    assert "CircuitsVis.render" in view.html
    again = seen.view()
    assert isinstance(again, View)
    assert again.html == view.html


@VIEWS
def test_tokens_are_text() -> None:
    hostile = Patterns(("head 0.0",), ("</script><b>",), np.ones((1, 1, 1)))
    view = hostile.view()
    assert view is not None
    assert view.html.count("</script>") == 1
    other = evolve(hostile, tokens=("x",)).view()
    assert other is not None
    assert other.html.rpartition("CircuitsVis.")[0] != view.html.rpartition("CircuitsVis.")[0]


def test_without_circuitsvis_it_is_the_plot(
    behaviour: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.figure import Figure

    monkeypatch.setitem(sys.modules, "circuitsvis.attention", None)
    figure = observe.patterns(behaviour, of="3.0,3.1").view()
    assert isinstance(figure, Figure)
    assert [axes.get_title() for axes in figure.axes] == ["head 3.0", "head 3.1"]
