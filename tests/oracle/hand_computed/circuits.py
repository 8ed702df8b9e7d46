"""The semantics (docs/semantics.md, Paths) of paths that may pass sites at some positions, or keep
to the sites or edges of a circuit.
"""

from __future__ import annotations

import pytest

from oracle.hand_computed.arithmetic import CHAIN
from oracle.hand_computed.arithmetic import scrubbed as numbers
from oracle.hand_computed.two_heads import attended, root, scrubbed, two_heads
from scrub.hypothesis.circuit import Circuit, edge
from scrub.hypothesis.sites import (
    Sites,
    anything,
    heads,
    none,
    output,
    site,
    token_embedding,
)
from scrub.model.arithmetic import graph, node, source
from scrub.samplers import Exact

WORDS = [1, 2, 4]
PLAIN = [1, attended([1, 4], [1, 2]), attended([1, 2, 3], [1, 2, 4])]
"""What row 0 says at each position, and what head 0 of the first layer reads there."""
PASSED = [10, attended([4, 4], [10, 2]), attended([2, 2, 3], [10, 2, 4])]
"""The same, where the first word is row 1's."""


def late_head_reads(*words: Sites) -> float:
    """What head 1 of the second layer reads on row 0: the mean of words and of what head 0 read.

    The name stands at 0 in row 0, and at 1 in its own row 3 and in the words' rows 1 and 3.
    """
    top = root()
    late = top.child("late", Exact())
    claimed = {top: output(at="end"), late: heads([(1, 1)], at="end")}
    drawn = {("out",): ((0,), (0,)), ("out", "late"): ((3,), (0,))}
    for name, sites, row in zip("ab", words, (1, 3), strict=False):
        claimed[late.child(name, Exact())] = sites
        drawn["out", "late", name] = (row,)
    ((_, _, value),) = scrubbed(claimed, drawn, two_heads(layers=2))
    return value - attended([1, 1, 1], [1, 2, 4])  # what head 1 of the first layer reads


def mean(words: list[float], read: list[float]) -> object:
    both = [word + more for word, more in zip(words, read, strict=True)]
    return pytest.approx(attended([1, 1, 1], both), rel=1e-12)


def a_path_passes_a_head_at_the_positions_of_the_row_that_is_recomputed() -> None:
    """At the name, which is the first word there, though not in the words' row."""
    head = heads([(0, 0)], at="name")
    passed = token_embedding(at=0, into="v", through=none.including(head))
    assert late_head_reads(passed) == mean([10, 2, 4], [PASSED[0], *PLAIN[1:]])
    excluded = token_embedding(at=0, into="v", through=anything.excluding(head))
    assert late_head_reads(excluded) == mean([10, 2, 4], [PLAIN[0], *PASSED[1:]])


def what_is_excluded_at_a_position_is_not_passed_there_whatever_is_included() -> None:
    through = none.including(heads([(0, 0)], at=(0, "end"))).excluding(heads([(0, 0)], at="name"))
    both = token_embedding(at=0, into="v", through=through)
    assert late_head_reads(both) == mean([10, 2, 4], [*PLAIN[:2], PASSED[2]])


def a_circuit_of_sites_is_what_is_included() -> None:
    circuit = Circuit.of(heads([(0, 0)], at=(0, "end")), token_embedding())
    words = token_embedding(at=0, into="v", through=circuit)
    assert late_head_reads(words) == mean([10, 2, 4], [PASSED[0], PLAIN[1], PASSED[2]])


def two_children_pass_a_head_together_where_their_positions_meet() -> None:
    """At the end, which is position 2: the first word is row 1's there, and the second row 3's."""
    one = token_embedding(at=0, into="v", through=none.including(heads([(0, 0)], at="end")))
    two = token_embedding(at=1, into="v", through=none.including(heads([(0, 0)], at=2)))
    together = attended([2, 2, 3], [10, 2000, 4])
    assert late_head_reads(one, two) == mean([10, 2000, 4], [*PLAIN[:2], together])


def an_edge_is_at_positions_of_the_row_that_is_recomputed() -> None:
    direct = edge(token_embedding(), heads([(1, 1)]), into="v", at="name")
    words = token_embedding(into="v", through=Circuit.of_edges(direct))
    assert late_head_reads(words) == mean([10, 2, 4], PLAIN)


def an_edge_leads_into_one_port() -> None:
    """Head 0 attends at position 1 as row 0 says, to the words of row 1."""
    circuit = Circuit.of_edges(
        edge(heads([(0, 0)]), heads([(1, 1)]), into="v", at=1),
        edge(token_embedding(), heads([(0, 0)]), into="v"),
    )
    words = token_embedding(through=circuit)
    assert late_head_reads(words) == mean(WORDS, [1, attended([1, 4], [10, 20]), PLAIN[2]])


def edges_of_a_chain() -> None:
    """out = x + a + b with a = 2x, b = 3 (x + a); x is 10, and 100 along the edges."""
    top = root()
    child = top.child("x", Exact())
    drawn = {("out",): ((0,), (1,)), ("out", "x"): (2,)}
    x, a, b, out = (site(name) for name in ("x", "a", "b", "out"))

    def along(*edges: tuple[Sites, Sites]) -> list[float]:
        circuit = Circuit.of_edges(*(edge(*ends) for ends in edges))
        return numbers(CHAIN, {top: out, child: site("x", through=circuit)}, drawn)

    assert along((x, out)) == [100 + 20 + 3 * 30]
    assert along((x, b), (b, out)) == [10 + 20 + 3 * (100 + 20)]
    assert along((x, a), (a, b), (b, out), (x, out)) == [100 + 20 + 3 * (10 + 200)]
    every = [(x, a), (x, b), (a, b), (x, out), (a, out), (b, out)]
    assert along(*every) == [100 + 200 + 3 * 300]


def an_edge_into_one_argument() -> None:
    square = graph(source("x"), node("out", lambda p, q: p + 3 * q, p="x", q="x"))
    top = root()
    child = top.child("x", Exact())
    drawn = {("out",): ((0,), (1,)), ("out", "x"): (2,)}
    circuit = Circuit.of_edges(edge(site("x"), site("out"), into="p"))
    claimed = {top: site("out"), child: site("x", through=circuit)}
    assert numbers(square, claimed, drawn) == [100 + 3 * 10]
