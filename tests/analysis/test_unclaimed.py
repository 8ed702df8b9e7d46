"""Other inputs by component: sums known by hand, laws, and the reference evaluator."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from attrs import evolve

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub import Correspondence, Dataset, Exact, InterpNode, claim, site
from scrub.analysis import blame_unclaimed, unclaimed
from scrub.analysis.blame import Lost, keeping
from scrub.analysis.legality import problems
from scrub.analysis.unclaimed import Piece, Unclaimed, exact, pieces
from scrub.draw import NodeDraw, draw
from scrub.engine.activations import ActivationCache
from scrub.engine.budget import fit
from scrub.engine.execute import execute
from scrub.engine.plan import plan
from scrub.hypothesis.sites import Sites
from scrub.hypothesis.tree import Tree, treeify
from scrub.metrics import custom
from scrub.model.arithmetic import graph, node, source
from scrub.model.bridge import graph_of
from scrub.reference import evaluate
from scrub.report.explanation import Explanation
from scrub.results.result import Result
from scrub.runner.diagnoses import Diagnoses, component_scrubs
from scrub.samplers import Fixed
from support.diagnosed import diagnosed
from support.generator import Case, numbered_case

VALUES = {
    "a": np.append(np.arange(1.0, 9), 0),
    "b": np.array([3.0, 1, 4, 1, 5, 9, 2, 6, 0]),
    "c": np.array([2.0, 7, 1, 8, 2, 8, 1, 8, 0]),
}
TO_ZERO = Fixed([8] * 9)
ROOT = ("out",)


def run(out: Callable[..., Any], *, claimed: str = "a", wires: str = "abc") -> Result:
    """out(a, b, c) by three ports, of which a child claims one; the others' input is zeros."""
    made = graph(
        *map(source, VALUES),
        *(node(f"of {name}", lambda value: value, value=name) for name in VALUES),
        node(
            "out", out, **dict(zip(("x", "y", "z"), (f"of {name}" for name in wires), strict=True))
        ),
    )
    data = Dataset(
        "numbers",
        inputs=VALUES,
        lengths=np.ones(9, dtype=int),
        columns={"out": out(*(VALUES[name] for name in wires))},
    )

    def distance(value: Any, references: Any) -> Any:
        return np.abs(value.numpy() - references.feature("out"))

    def build(model: Any) -> Correspondence:
        top = InterpNode("out", Exact(), other=TO_ZERO)
        child = top.child("child", Exact())
        return Correspondence({top: site("out"), child: site(f"of {claimed}")})

    one = claim(data=data, metric=custom(distance, higher_is_better=False))(build)
    return diagnosed(one, made, Diagnoses(blame=True), samples=100)


def broken_down(result: Result) -> tuple[Lost, Unclaimed]:
    assert result.diagnosis is not None
    assert result.diagnosis.blame is not None
    (loss,) = result.diagnosis.blame.swaps
    assert loss.unclaimed is not None
    return loss, loss.unclaimed


def share_of(result: Result, lost: np.ndarray) -> float:
    """By hand: what is lost of each row over the mean of baseline − original, which is 0."""
    return float(lost[result.draws.references.index].mean() / result.scores.baseline.mean())


# By hand


def weighted_by_hand() -> None:
    """a + b + 3c: b loses b and c loses 3c, alone and last."""
    result = run(lambda x, y, z: x + y + 3 * z)
    loss, found = broken_down(result)
    assert [(by.component, by.port) for by in found.components] == [("of b", "y"), ("of c", "z")]
    b, c = share_of(result, VALUES["b"]), share_of(result, 3 * VALUES["c"])
    for by, expected in zip(found.components, (b, c), strict=True):
        assert by.alone.mean == pytest.approx(expected, abs=1e-12)
        assert by.last.mean == pytest.approx(expected, abs=1e-12)
    assert loss.alone.mean == pytest.approx(b + c, abs=1e-12)
    assert (found.rest.alone.mean, found.rest.last.mean) == (0, 0)


def backed_up_by_hand() -> None:
    """a + max(b, b'): alone neither loses anything, and last each loses all of b."""
    result = run(lambda x, y, z: x + (y + z + abs(y - z)) / 2, wires="abb")
    _, found = broken_down(result)
    assert [(by.component, by.port) for by in found.components] == [("of b", "y"), ("of b", "z")]
    b = share_of(result, VALUES["b"])
    for by in found.components:
        assert by.alone.mean == pytest.approx(0, abs=1e-12)
        assert by.last.mean == pytest.approx(b, abs=1e-12)


def test_known_by_hand() -> None:
    weighted_by_hand()
    backed_up_by_hand()


def test_one_component_is_the_whole() -> None:
    """a + b, where a is claimed by both of its ports: b is all that is left."""
    loss, found = broken_down(run(lambda x, y, z: x + y + z, wires="aab"))
    (only,) = found.components
    assert (only.component, only.alone, only.last) == ("of b", loss.alone, loss.last)
    assert found.rest.alone.mean == found.rest.last.mean == 0


def test_what_loses_nothing_is_not_taken_apart() -> None:
    result = run(lambda x, y, z: x + 0 * y + 0 * z)
    assert result.diagnosis is not None
    assert result.diagnosis.blame is not None
    (loss,) = result.diagnosis.blame.swaps
    assert loss.unclaimed is None
    assert list(Explanation(result).other_frame) == list(
        Explanation(run(lambda x, y, z: x + y + z)).other_frame
    )


def test_the_frame_has_a_row_a_component() -> None:
    result = run(lambda x, y, z: x + y + 3 * z)
    _, found = broken_down(result)
    frame = Explanation(result).other_frame
    assert frame["component"].tolist() == ["of b", "of c", "the rest"]
    assert frame["port"].tolist() == ["y", "z", ""]
    assert frame["lost_last"].tolist() == [*(by.last.mean for by in found.components), 0]


def test_the_cost_is_announced() -> None:
    """Two scrubs a component, a claimed one too, and two for the rest."""
    result = run(lambda x, y, z: x + y + z)
    made = graph(*map(source, "ab"), node("out", lambda x, y: x + y, x="a", y="b"))
    root = evolve(result.tree, routes=site("out").routes)
    assert component_scrubs(root, made) == 2 * 2 + 2
    assert component_scrubs(keeping(root, ()), made) == 0


# Random trees, against the reference evaluator


@functools.cache
def taken_apart(number: int) -> tuple[Case, Any, Tree, Tree, list[Piece]]:
    """A case of this number or above, its graph and tree, a node of it and its components."""
    case = numbered_case(number)
    tree, made = treeify(case.correspondence), graph_of(case.bridge)
    draws = draw(tree, case.data, samples=case.samples, seed=case.seed)
    inner = [one for one in tree.walk() if not one.is_leaf]
    for chosen in inner[number % len(inner) :] if inner else []:
        found, _ = pieces(tree, chosen.path, made, case.data, draws)
        if found:
            return case, made, tree, chosen, list(found)
    return taken_apart(number + NUMBERS)


NUMBERS = 6
"""Cases that the tests go through."""
numbers = st.integers(0, NUMBERS - 1)


def as_correspondence(tree: Tree) -> Correspondence:
    """A tree as the correspondence that it is of."""
    found: dict[InterpNode, Sites] = {}

    def grow(here: Tree, above: tuple[InterpNode, ...]) -> None:
        made = evolve(here.node, parents=above)
        found[made] = Sites(here.routes)
        for child in here.children:
            grow(child, (made,))

    grow(tree, ())
    return Correspondence(found)


def engine_value(case: Case, made: Any, tree: Tree) -> torch.Tensor:
    draws = draw(tree, case.data, samples=case.samples, seed=case.seed)
    planned = plan(tree, made)
    cache = ActivationCache(planned.graph)
    outputs = execute(planned, draws, cache, fit(planned, draws, cache, 10**9))
    return torch.cat([one.scrubbed for one in outputs])


def disagreement(number: int) -> float:
    """Of one component alone and last: engine on the variants, reference on draws by hand."""
    case, made, tree, inner, found = taken_apart(number)
    path, piece = inner.path, found[case.seed % len(found)]
    draws = draw(tree, case.data, samples=case.samples, seed=case.seed)
    here = draws.nodes[path]
    assert here.other is not None
    name = (*path, "by hand")
    leaf = Tree(name, InterpNode("by hand", Exact()), (piece.route,), ())

    def grown(one: Tree) -> Tree:
        more = (leaf,) if one.path == path else ()
        return evolve(one, children=(*map(grown, one.children), *more))

    by_hand = as_correspondence(grown(tree))
    worst = 0.0
    for variant, drawn in (
        (blame_unclaimed.exact(tree, path, [piece]), {name: NodeDraw(here.own)}),
        (
            blame_unclaimed.other_alone(tree, path, [piece], here.other),
            {name: NodeDraw(here.other), path: NodeDraw(here.own, here.own)},
        ),
    ):
        expected = evaluate(by_hand, evolve(draws, nodes={**draws.nodes, **drawn}), case.bridge)
        value = engine_value(case, made, variant)
        scale = float(expected.abs().max()) or 1.0
        worst = max(worst, float((value.double() - expected.double()).abs().max()) / scale)
    return worst


@given(numbers)
@settings(deadline=None, max_examples=4)
def test_components_are_as_the_reference_says(number: int) -> None:
    assert disagreement(number) <= 1e-9


@given(numbers)
@settings(deadline=None, max_examples=4)
def test_any_components_are_legal_beside_the_children(number: int) -> None:
    """Law: also some of them, and single heads; and all draws stay the claim's."""
    case, made, tree, inner, found = taken_apart(number)
    draws = draw(tree, case.data, samples=case.samples, seed=case.seed)
    for some in (found, found[::2], [head for piece in found for head in piece.heads]):
        variant = exact(tree, inner.path, some)
        assert problems(variant, made, case.data) == ()
        drawn = draw(variant, case.data, samples=case.samples, seed=case.seed)
        for path, one in draws.nodes.items():
            assert np.array_equal(drawn.nodes[path].own.index, one.own.index)


# Mutants of which the sums or the reference must hear


def _keeps_all(tree: Tree, path: Any, kept: Any) -> Tree:
    return tree


def _other_stays(tree: Tree, path: Any, swapped: Any, other: Any) -> Tree:
    return tree


@pytest.mark.parametrize(
    ("name", "mutant"),
    [("exact", _keeps_all), ("other_alone", _other_stays)],
)
def test_mutants_are_caught(name: str, mutant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blame_unclaimed, name, mutant)
    with pytest.raises(AssertionError):
        weighted_by_hand()
    assert max(map(disagreement, range(2))) > 1e-6


def test_a_claimed_component_that_is_taken_for_unclaimed_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unclaimed, "_wrong", lambda *given: set())
    with pytest.raises((AssertionError, ValueError)):
        weighted_by_hand()
