"""Support is earned: a claim that any other input would meet as well is vacuous, not supported."""

from __future__ import annotations

import itertools
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from attrs import evolve

import scrub
from hypothesis import given, settings
from hypothesis import strategies as st
from scrub import (
    Agree,
    Correspondence,
    Differ,
    Exact,
    Fixed,
    InterpNode,
    Uncond,
    claim,
    heads,
    output,
    refuted,
    site,
    supported,
    vacuous,
)
from scrub.analysis import support as earned_module
from scrub.analysis.loosening import (
    coarser,
    coarser_columns,
    in_words,
    loosened,
    stated,
)
from scrub.data.dataset import Dataset
from scrub.draw import draw
from scrub.hypothesis.collect import load
from scrub.hypothesis.tree import treeify
from scrub.metrics import logit_diff
from scrub.results.doubts import doubts
from scrub.samplers import Sampler
from support.bits import BITS, ERROR, HALF, MODEL, X, below_out, run
from support.paths import ROOT

# Which samplers state a feature


@pytest.mark.parametrize(
    ("sampler", "states"),
    [
        (Exact(), False),
        (Uncond(), False),
        (Differ("x"), False),
        (Agree("x"), True),
        (Agree("x", differ="w"), True),
        (Fixed(np.arange(12)), True),
    ],
)
def test_what_states_a_feature(sampler: Sampler, states: bool) -> None:
    found = run(None, samples=20, product=sampler).support
    assert found.states == (("product",) if states else ())
    assert (found.with_any_input is not None) == (states and not isinstance(sampler, Fixed))


def test_loosening_changes_nothing_but_the_samplers() -> None:
    tree = treeify(below_out(product=Agree("x and y"), w=Uncond(), dead=Agree("odd")))
    names = [one.name for one in stated(tree)]
    assert names == ["dead", "product"]
    every, alone = loosened(tree, stated(tree)), loosened(tree, stated(tree)[:1])
    kinds = [type(n.node.sampler).__name__ for n in every.walk()]
    assert kinds == ["Exact", "Uncond", "Uncond", "Uncond"]
    kinds = [type(n.node.sampler).__name__ for n in alone.walk()]
    assert kinds == ["Exact", "Uncond", "Agree", "Uncond"]
    for tree_of, which in ((every, {"dead", "product"}), (alone, {"dead"})):
        assert [n.routes for n in tree_of.walk()] == [n.routes for n in tree.walk()]
        was, now = (draw(t, BITS, samples=200, seed=3).nodes for t in (tree, tree_of))
        for path in was:
            same = np.array_equal(was[path].own.index, now[path].own.index)
            assert same == (path[-1] not in which)


def test_a_node_with_two_parents_is_loosened_at_both() -> None:
    out = InterpNode("out", Exact(), other=Exact())
    one, two = out.child("one", Exact(), other=Exact()), out.child("two", Exact(), other=Exact())
    both = InterpNode("x", Agree("x"), parents=(one, two))
    again = InterpNode("x", Agree("y"), parents=(out,))
    sites = {out: site("out"), one: site("product"), two: site("dead"), again: site("w")}
    tree = treeify(Correspondence(sites | {both: site("x")}))
    names = {one.name: len(one.paths) for one in stated(tree)}
    assert names == {"out / one / x": 2, "out / x": 1}


# The verdict


def test_support_that_any_input_would_earn_is_vacuous() -> None:
    found = run(HALF, dead=Agree("odd"))
    assert found.judgement.verdict == "vacuous"
    assert found.recovered.mean == found.with_any_input.mean == 1  # type: ignore[union-attr]
    assert found.judgement.vacuous == (
        "with any input in place of those that agree on odd, 1.000 is recovered as well"
    )
    assert not found.passed
    assert run(vacuous(), dead=Agree("odd")).passed
    assert run(vacuous(above=0.5), dead=Agree("odd")).passed
    assert not run(vacuous(above=0.5), product=Agree("x and y")).passed


def test_support_that_is_earned() -> None:
    found = run(HALF, product=Agree("x and y"))
    assert found.judgement.verdict == "supported"
    loosened = found.with_any_input
    assert loosened is not None
    assert loosened.low < 0.1 < loosened.high < 0.2  # any product recovers nothing: it is all
    assert not doubts(found)


def test_the_same_claim_is_earned_or_not_by_its_bound() -> None:
    """x alone recovers 1/3 where any input recovers 0: a test of "at least 0.2", not of "−0.5"."""
    assert run(supported(above=0.15), product=Agree("x")).judgement.verdict == "supported"
    assert run(supported(above=-0.5), product=Agree("x")).judgement.verdict == "vacuous"


def test_what_is_refuted_stays_refuted() -> None:
    assert run(refuted(below=0.9), product=Agree("x")).judgement.verdict == "refuted"
    assert run(refuted(below=-0.5), product=Agree("x")).judgement.verdict == "vacuous"


def test_an_upper_bound_alone_says_that_a_feature_is_not_enough() -> None:
    """Taking the feature away is no test of that: the claim could have failed by recovering."""
    found = run(supported(below=0.6), product=Agree("x"))
    assert found.judgement.verdict == "supported"
    assert found.idle == found.finer == ()


def test_what_cannot_be_loosened_says_so() -> None:
    """Below donors of another table, a column of that table alone is stated."""
    other = evolve(BITS, name="other", columns=dict(BITS.columns) | {"only here": X})

    @claim(data=BITS, metric=ERROR, expect=HALF, model=MODEL)
    def hypothesis(model: Any) -> Correspondence:
        out = InterpNode("out", Exact(), other=Exact())
        product = out.child("product", Fixed(other), other=Exact())
        x = product.child("x", Agree("only here"))
        return Correspondence({out: site("out"), product: site("product"), x: site("x", into="a")})

    found = scrub.run(hypothesis, samples=100, diagnose=False)
    assert found.with_any_input is not None  # all at once: nothing asks for the column any more
    (alone,) = [one for one in found.support.loosened if one.name == "product"]
    assert alone.recovered is None
    assert not alone.idle
    assert 'has no feature "only here"' in alone.problem


# Nodes that need not state what they state


def test_an_idle_node_is_named() -> None:
    found = run(HALF, product=Agree("x and y"), dead=Agree("odd"))
    assert found.judgement.verdict == "supported"
    assert found.idle == ("dead",)
    assert doubts(found) == [
        'node "dead" is idle: with any input in its place alone, 1.000 is recovered'
    ]


def test_a_feature_too_many_is_named() -> None:
    found = run(HALF, product=Agree(["x and y", "odd"]))
    assert found.finer == ('"product" without "odd"',)
    assert doubts(found) == [
        'node "product" is finer than needed: without "odd", 1.000 is recovered'
    ]
    assert run(HALF, product=Agree("x and y")).finer == ()


def test_a_coarser_column_that_is_enough_is_named() -> None:
    found = run(HALF, product=Agree(["x", "y"]))
    assert found.finer == ('"product" by "x and y" instead of "x" and "y"',)


def test_a_claim_that_is_not_supported_is_not_searched() -> None:
    assert run(HALF, product=Agree(["x", "odd"])).support.loosened == ()
    assert run(None, product=Agree(["x and y", "odd"])).finer == ()


def test_coarser_columns() -> None:
    """Those that the features determine; of columns that divide the rows alike only one."""
    assert coarser_columns(BITS, ("x", "y")) == ["x and y"]
    assert coarser_columns(BITS, ("w",)) == ["odd"]
    assert coarser_columns(BITS, ("x", "w")) == ["odd"]
    assert coarser_columns(BITS, ("x and y",)) == []


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_coarser_means_coarser(data: st.DataObject) -> None:
    """Law: agreement on the features implies agreement on what stands in their place."""
    columns = {
        name: data.draw(st.lists(st.integers(0, 2), min_size=10, max_size=10)) for name in "abcd"
    }
    table = Dataset("t", {"x": np.arange(10)}, np.ones(10, dtype=int), columns=columns)
    for name in coarser_columns(table, ("a", "b")):
        for i, j in itertools.combinations(range(10), 2):
            if all(columns[f][i] == columns[f][j] for f in "ab"):
                assert columns[name][i] == columns[name][j]
        assert name in "cd"


def test_coarser_claims_draw_from_larger_classes() -> None:
    tree = treeify(below_out(product=Agree(["x", "y"])))
    less = coarser(tree, draw(tree, BITS, samples=50, seed=0))
    said = {one.words: one.tree.children[0].node.sampler for one in less}
    assert said == {
        'without "x"': Agree("y"),
        'without "y"': Agree("x"),
        'by "x and y" instead of "x" and "y"': Agree("x and y"),
    }


def test_words() -> None:
    def words(**samplers: Sampler) -> str:
        return in_words(stated(treeify(below_out(**samplers))))

    assert words(product=Agree(["x", "y"])) == "those that agree on x, y"
    assert words(product=Agree("x"), dead=Agree("x")) == "those that agree on x"
    assert words(product=Agree("x"), dead=Agree("w")) == (
        "those that its nodes ask for, Agree(w), Agree(x)"
    )


# Each oracle has a mutant


def test_were_nothing_loosened_all_support_would_be_vacuous(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(earned_module, "loosened", lambda tree, nodes: tree)
    assert run(HALF, product=Agree("x and y")).judgement.verdict == "vacuous"


def test_were_every_loss_none_a_feature_that_is_needed_would_be_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(earned_module, "_nothing", lambda lost: True)
    found = run(HALF, product=Agree(["x and y", "odd"]))
    assert found.finer == ('"product" without "x and y"', '"product" without "odd"')


@pytest.mark.parametrize("samples", [400, 800])
def test_few_references_are_enough_where_they_decide(samples: int) -> None:
    found = run(HALF, samples=samples, product=Agree(["x and y", "odd"]), dead=Agree("w"))
    assert [(one.name, one.idle) for one in found.support.loosened] == [
        ("dead", True),
        ("product", False),
    ]
    assert found.finer == ('"product" without "odd"',)


# On models whose algorithm is known


@pytest.fixture(scope="module")
def ioi() -> ModuleType:
    return load(ROOT / "hypotheses" / "ioi_claim3.py")


@pytest.fixture(scope="module")
def session() -> scrub.Session:
    return scrub.Session()


def test_on_the_shortcut_no_claim_about_s_inhibition_is_supported(
    ioi: ModuleType, session: scrub.Session
) -> None:
    four = [ioi.by_value, ioi.by_position, ioi.by_absolute_position, ioi.by_distance_to_end]
    options = {"samples": 300, "session": session, "diagnose": False}
    for found in scrub.run(four, model="ioi-shortcut", **options):
        assert found.recovered.low > 0.9
        assert found.judgement.verdict == "vacuous"
    planted = [found.judgement.verdict for found in scrub.run(four, **options)]
    assert planted == ["refuted", "supported", "refuted", "refuted"]


@pytest.mark.parametrize(("port", "verdict"), [("q", "supported"), ("k", "vacuous")])
def test_s_inhibition_enters_by_the_queries(
    ioi: ModuleType, session: scrub.Session, port: str, verdict: str
) -> None:
    """Said to enter the name movers by k it recovers everything, and says nothing."""

    @claim(data=ioi.PROMPTS, metric=logit_diff("io", "s"), expect=HALF, model="ioi-planted")
    def enters(model: Any) -> Correspondence:
        logits = InterpNode("logits", Exact(), other=Exact())
        movers = logits.child("name movers", Exact(), other=Exact())
        inhibition = movers.child("S-inhibition", Agree("io_is_first"))
        return Correspondence(
            {
                logits: output(at="end"),
                movers: heads(model.role("name mover"), at="end"),
                inhibition: heads(model.role("S-inhibition"), at="end", into=port),
            }
        )

    found = scrub.run(enters, samples=200, session=session, diagnose=False)
    assert found.judgement.verdict == verdict


def test_the_same_verdicts_from_the_command_line_and_from_python(
    ioi: ModuleType, session: scrub.Session
) -> None:
    """Claims that are run together are corrected together; one by one each is judged alone."""
    several = [ioi.by_position, ioi.by_value]
    for found in scrub.run(several, samples=100, session=session, diagnose=False):
        assert found.family_size == 2
        assert found.corrected is not None
        assert found.corrected.confidence == 0.975
        assert found.correction.startswith("Bonferroni: one of 2 claims, judged by its 97.5%")
    alone = scrub.run(ioi.by_position, samples=100, session=session, diagnose=False)
    assert alone.corrected is None
    assert alone.correction == "none: judged alone, by its 95% interval"


def test_rows_of_data_that_agree_are_not_loosened_by_chance() -> None:
    """A reference that has only itself to agree with tests nothing: that is told before."""
    unique = BITS.with_columns(row=np.arange(12))

    @claim(data=unique, metric=ERROR, expect=HALF, model=MODEL)
    def hypothesis(model: Any) -> Correspondence:
        return below_out(product=Agree("row"))

    found = scrub.run(hypothesis, samples=50, diagnose=False)
    assert found.judgement.verdict == "vacuous"
    assert found.with_any_input is None
    assert found.support.states == ("product",)
