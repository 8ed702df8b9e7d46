"""Conventions that put index on index: compared where the rows that are drawn are alike."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from attrs import evolve

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub import (
    Agree,
    Correspondence,
    Dataset,
    Exact,
    InterpNode,
    Uncond,
    anything,
    embeddings,
    heads,
    input_stream,
    output,
)
from scrub.analysis.conventions import Convention, Variant, conventions
from scrub.datasets import ioi
from scrub.draw import Draws, draw
from scrub.hypothesis.claim import Claim
from scrub.hypothesis.collect import collect
from scrub.hypothesis.sites import ALL, Sites
from scrub.hypothesis.tree import Tree, treeify
from scrub.model.registry import describe
from scrub.results.result import Result
from scrub.runner.diagnoses import Diagnoses
from support.command import IOI
from support.diagnosed import diagnosed
from support.paths import ROOT

PLANTED = describe("ioi-planted")
WHOLE, APART = "nodes at all positions", "each position on its own draw"
ANY, OWN = "other inputs: any", "other inputs: the node's own"


def rows(lengths: list[int], s2: list[int], kind: list[int]) -> Dataset:
    """Prompts of these lengths; what they are of a kind is for samplers to agree on."""
    ends = np.array(lengths) - 1
    return Dataset(
        "rows",
        inputs={"tokens": np.zeros((len(lengths), 9), dtype=int)},
        lengths=np.array(lengths),
        columns={"kind": np.array(kind)},
        positions={"end": ends, "s2": np.array(s2), "unused": np.arange(len(lengths)) % 3},
    )


ALIKE = rows([7, 7, 7, 7], [3, 3, 3, 3], [0, 0, 1, 1])
TWO_KINDS = rows([7, 7, 8, 8], [3, 3, 4, 4], [0, 0, 1, 1])
"""Rows of one kind are alike, and no others."""
SHIFTED = rows([7, 7, 7, 7], [3, 4, 3, 4], [0, 0, 1, 1])
"""Alike in length, not in where S2 stands."""


def tree(own: Any, other: Any, *, late: Sites | None = None, early: Sites | None = None) -> Tree:
    logits = InterpNode("logits", Exact(), other=other)
    movers = logits.child("movers", own, other=other)
    below = movers.child("below", own)
    return treeify(
        Correspondence(
            {
                logits: output(at="end"),
                movers: late or heads([(3, 0)], at="end"),
                below: early or heads([(2, 0)], at="s2", into="k"),
            }
        )
    )


def named(made: Tree, data: Dataset) -> dict[str, Variant]:
    def drawn(some: Tree) -> Draws:
        return draw(some, data, samples=40, seed=0)

    return {one.name: one for one in conventions(made, PLANTED.graph, data, drawn)}


def said(made: Tree, data: Dataset, name: str) -> str:
    """Why a convention is not compared; "" if it is."""
    return named(made, data)[name].problem


# README's own claim


@pytest.fixture(scope="module")
def whole_circuit() -> Claim:
    (item,) = collect([str(ROOT / f"{IOI}::whole_circuit")])
    return item.claim


def at_all_positions(made: Claim) -> tuple[Result, Convention]:
    result = diagnosed(made, "ioi-planted", Diagnoses(conventions=True), samples=300)
    assert result.diagnosis is not None
    found = {one.name: one for one in result.diagnosis.conventions or ()}
    return result, found[WHOLE]


def test_readmes_claim_is_not_compared_at_all_positions(whole_circuit: Claim) -> None:
    result, found = at_all_positions(whole_circuit)
    assert result.judgement.verdict == "supported"
    assert (found.recovered, found.verdict, found.turns, found.doubt) == (None, None, False, False)
    assert found.problem.startswith("not comparable: rows differ and index is put on index (node")


def test_on_rows_alike_readmes_claim_recovers_as_much_at_all_positions(
    whole_circuit: Claim,
) -> None:
    """Prompts of one template: the names change places, of which keys and values come together."""
    alike = ioi.prompts(300, templates=(0,))
    result, found = at_all_positions(evolve(whole_circuit, data=alike))
    assert found.problem == ""
    assert found.recovered is not None
    assert (result.judgement.verdict, found.verdict) == ("supported", "supported")
    assert found.recovered.mean == pytest.approx(result.recovered.mean, abs=0.02)


# By hand: which rows are alike


def test_rows_alike_are_compared() -> None:
    assert said(tree(Uncond(), Uncond()), ALIKE, WHOLE) == ""


def test_rows_that_differ_in_length_are_not() -> None:
    why = said(tree(Uncond(), Uncond()), TWO_KINDS, WHOLE)
    assert why.startswith('not comparable: rows differ and index is put on index (node "')
    assert "tokens in row" in why


def test_rows_alike_in_length_that_differ_in_a_column_of_the_claim_are_not() -> None:
    assert ": s2 at " in said(tree(Uncond(), Uncond()), SHIFTED, WHOLE)
    early = heads([(2, 0)], at="end", into="k")
    assert said(tree(Uncond(), Uncond(), early=early), SHIFTED, WHOLE) == ""  # nothing is at s2


def test_the_rows_that_are_drawn_decide_and_not_the_dataset() -> None:
    kind = Agree("kind")
    assert said(tree(kind, kind), TWO_KINDS, WHOLE) == ""
    assert said(tree(kind, Uncond()), TWO_KINDS, WHOLE) != ""
    assert said(tree(Uncond(), kind), TWO_KINDS, WHOLE) != ""
    assert said(tree(Exact(), Exact()), TWO_KINDS, WHOLE) == ""


def test_other_inputs_from_any_row_bring_in_what_the_claim_kept_out() -> None:
    """At all positions, and along source positions, where only other inputs shift the rows."""
    kind = Agree("kind")
    everywhere = embeddings()
    by_column = tree(kind, Exact())
    whole = tree(kind, Exact(), early=everywhere_of(everywhere))
    sources = tree(kind, Exact(), early=heads([(3, 0)], part="pattern", at="end"))
    assert said(by_column, TWO_KINDS, ANY) == ""
    assert "not comparable" in said(whole, TWO_KINDS, ANY)
    assert "not comparable" in said(sources, TWO_KINDS, ANY)
    assert said(whole, ALIKE, ANY) == said(sources, ALIKE, ANY) == ""


def everywhere_of(sites: Sites) -> Sites:
    (route,) = sites.routes
    return Sites((evolve(route, at=ALL, into=frozenset({"v"}), through=anything),))


def test_what_the_claim_does_itself_is_compared() -> None:
    """At all positions under other inputs from any row: the claim puts index on index, too."""
    whole = tree(Uncond(), Uncond(), early=everywhere_of(embeddings()))
    assert said(whole, TWO_KINDS, OWN) == ""
    free = named(whole, TWO_KINDS)["paths pass through no MLP"]
    assert free.problem == "" or free.problem.startswith("illegal")
    assert "not comparable" in said(whole, TWO_KINDS, WHOLE)  # movers at END do not


def test_an_index_is_compared_where_both_rows_have_a_token() -> None:
    """Row 0 has 7 tokens and row 2 has 8: index 7 is padding in one, and 6 in none."""

    def early(index: int) -> Sites:
        return heads([(2, 0)], at=index, into="k")

    kind = Agree("kind")
    assert said(tree(kind, Exact(), early=early(6)), TWO_KINDS, ANY) == ""
    why = said(tree(kind, Exact(), early=early(7)), TWO_KINDS, ANY)
    assert why.endswith('(node "below": index 7 of row 0 is padding)') or why.endswith(
        '(node "below": index 7 of row 1 is padding)'
    )


def test_positions_on_their_own_draws_are_compared_at_columns() -> None:
    """Each lands at its column. At an index it does what the claim does."""
    columns = input_stream(heads([(3, 0)]), by=("k", "v"), at=("s2", "end"))
    assert said(tree(Uncond(), Uncond(), early=columns), TWO_KINDS, APART) == ""
    numbers = input_stream(heads([(3, 0)]), by=("k", "v"), at=(1, 7))
    assert said(tree(Uncond(), Uncond(), early=numbers), TWO_KINDS, APART) == ""


SWAPPED = evolve(
    ALIKE,
    positions=dict(ALIKE.positions) | {"io": np.array([1, 2, 1, 2]), "s1": np.array([2, 1, 2, 1])},
)
"""Two names, either of which comes first."""


def test_what_comes_to_a_head_as_keys_and_values_may_change_places() -> None:
    both = ("io", "s1")
    head = heads([(3, 0)])

    def compared(*sites: Sites) -> bool:
        whole = functools.reduce(operator.or_, sites)
        why = said(tree(Uncond(), Uncond(), early=whole), SWAPPED, WHOLE)
        assert "illegal" not in why
        return why == ""

    assert compared(input_stream(head, by=("k", "v"), at=both))
    assert not compared(input_stream(head, by="v", at=both))
    assert not compared(input_stream(head, by=("q", "k", "v"), at=both))
    assert not compared(input_stream(head, by="k", at=both), input_stream(head, by="v", at=both))
    assert compared(heads([(2, 0)], at=both, into=("k", "v")))
    assert not compared(heads([(2, 0)], at=both, into="v"))
    assert not compared(
        input_stream(head, by=("k", "v"), at=both),
        heads([(2, 1)], at="io", into="q", through=anything),  # one of the two by itself
    )


# By going through all pairs of rows


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    kinds = draw(st.lists(st.integers(0, 1), min_size=2, max_size=4))
    lengths = draw(st.lists(st.sampled_from([6, 7]), min_size=len(kinds), max_size=len(kinds)))
    s2 = draw(st.lists(st.sampled_from([2, 3]), min_size=len(kinds), max_size=len(kinds)))
    return rows(lengths, s2, kinds)


@given(
    data=datasets(),
    own=st.sampled_from([Exact(), Agree("kind"), Uncond()]),
    other=st.sampled_from([Exact(), Agree("kind"), Uncond()]),
)
@settings(deadline=None, max_examples=40)
def test_compared_if_all_pairs_that_may_be_drawn_are_alike(
    data: Dataset, own: Any, other: Any
) -> None:
    """A few rows and many samples: every pair that may be drawn is."""
    places = [(data.lengths[i], data.positions["s2"][i]) for i in range(len(data))]
    kinds = data.columns["kind"]

    def may(sampler: Any, row: int) -> set[int]:
        if sampler == Exact():
            return {row}
        return {i for i in range(len(data)) if sampler == Uncond() or kinds[i] == kinds[row]}

    alike = True
    for row in range(len(data)):
        for mine in may(own, row):  # what the movers draw as their own, below the root's own
            above, frames = may(other, row), may(other, mine)
            alike &= all(places[a] == places[b] for a in above for b in frames)
            leaves = may(own, mine)
            alike &= all(places[a] == places[b] for a in frames for b in leaves)

    def drawn(some: Tree) -> Draws:
        return draw(some, data, samples=600, seed=0)

    found = conventions(tree(own, other), PLANTED.graph, data, drawn)
    (whole,) = [one for one in found if one.name == WHOLE]
    assert (whole.tree is not None) == alike


def _by_length_alone(above: Any, below: Any, columns: Any) -> str:
    lengths = [rows.data.lengths[rows.index] for rows in (above, below)]
    return "" if (lengths[0] == lengths[1]).all() else "they differ"


def _all_alike(above: Any, below: Any, columns: Any) -> str:
    return ""


@pytest.mark.parametrize("mutant", [_by_length_alone, _all_alike])
def test_mutants_are_caught(mutant: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scrub.analysis.comparability._unlike", mutant)
    with pytest.raises(AssertionError):
        test_compared_if_all_pairs_that_may_be_drawn_are_alike()
