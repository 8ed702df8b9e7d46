"""What a path may pass, said wrongly: each with its message; and what is legal by its positions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from scrub.checks.structure import check
from scrub.data.dataset import Dataset
from scrub.errors import UserError
from scrub.hypothesis.circuit import Circuit, edge
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import (
    Sites,
    Through,
    anything,
    embeddings,
    heads,
    mlp,
    none,
    output,
    site,
    summand,
)
from scrub.hypothesis.splits import neurons
from scrub.model import arithmetic
from scrub.model.bridge import graph_of
from scrub.model.graph import Graph
from scrub.samplers import Exact
from support import tiny_models

DATA = Dataset(
    "words",
    inputs={"tokens": np.arange(20).reshape(4, 5) % tiny_models.VOCABULARY},
    lengths=np.full(4, 5),
    positions={"end": np.full(4, 4), "s2": np.array([2, 3, 2, 3]), "io": np.array([1, 2, 1, 1])},
)
MODEL = "3x2"

# As it is written


WRITTEN: dict[str, tuple[Callable[[], object], str]] = {
    "no sites": (
        lambda: Circuit.of(),
        "Circuit.of() names no site. Give some: Circuit.of(heads(…), mlp(…)); where a path may "
        "pass nothing, write through=none.",
    ),
    "no edges": (
        lambda: Circuit.of_edges(),
        "Circuit.of_edges() names no edge. Give some: Circuit.of_edges(edge(mlp(0), "
        "heads([(1, 0)])), …).",
    ),
    "an empty value": (
        lambda: embeddings(through=Circuit()),
        "through=Circuit(): the circuit is empty. Where a path may pass nothing, write "
        "through=none.",
    ),
    "a head as a pair": (
        lambda: Circuit.of((3, 0)),  # type: ignore[arg-type]  # that is the mistake
        "Circuit.of(…) takes sites, and was given a tuple. Give sites: heads(…), mlp(…), "
        "embeddings(…), output(…).",
    ),
    "sites for edges": (
        lambda: Circuit.of_edges(mlp(0)),  # type: ignore[arg-type]  # that is the mistake
        "Circuit.of_edges(…) takes edges, and was given a Sites. Write edge(writer, reader).",
    ),
    "a path to a site": (
        lambda: Circuit.of(heads([(1, 0)], into="q")),
        "Circuit.of(…) takes sites, and neither paths to them nor summands. Leave out into=, "
        "through= and summand(…).",
    ),
    "a summand": (
        lambda: edge(summand(mlp(0), neurons(one=[1]), "one"), output()),
        "edge(…) takes sites, and neither paths to them nor summands. Leave out into=, "
        "through= and summand(…).",
    ),
    "an end with positions": (
        lambda: edge(mlp(0, at="end"), output()),
        "edge(…): an edge has its positions by itself. Write edge(writer, reader, at=…).",
    ),
    "a number as a port": (
        lambda: edge(mlp(0), heads([(1, 0)]), into=3),  # type: ignore[arg-type]
        'edge: into=3: 3 is no port. Give the name of one, such as "q", or several.',
    ),
    "no port": (
        lambda: edge(mlp(0), heads([(1, 0)]), into=()),
        "edge: into= names no port. Give one or several, or leave it out for any.",
    ),
    "no position": (
        lambda: edge(mlp(0), output(), at=()),
        'at=() names no position. Give a column, an index, several, or "all".',
    ),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_no_circuit(name: str) -> None:
    made, message = WRITTEN[name]
    with pytest.raises(UserError) as refused:
        made()
    assert str(refused.value) == message


# Against model and data


def said(*children: Sites, parent: Sites | None = None, graph: Graph | None = None) -> list[str]:
    """What is said of children of the logits, each by its letter."""
    logits = InterpNode("logits", Exact())
    sites = {logits: output(at="end") if parent is None else parent}
    for name, child in zip("abc", children, strict=False):
        sites[logits.child(name, Exact())] = child
    model = graph_of(tiny_models.bridge(MODEL)) if graph is None else graph
    problems = check(Correspondence(sites), model, DATA)
    return [f"{p.node}: {p.what} {p.fix}".strip() for p in problems]


def kept(*edges: object) -> Sites:
    """The embeddings along some edges, and the direct one, so that there is a path."""
    direct = edge(embeddings(), output())
    return embeddings(through=Circuit.of_edges(direct, *edges))  # type: ignore[arg-type]


AGAINST: dict[str, tuple[Sites, list[str]]] = {
    "a head that the model lacks": (
        embeddings(through=none.including(heads([(0, 7)], at="end"), mlp(0))),
        [
            "a: There is no head 0.7: the model has layers 0 to 2 with heads 0 to 1 each. "
            "The nearest is head 0.1."
        ],
    ),
    "an end that the model lacks": (
        kept(edge(heads([(5, 0)]), output())),
        [
            "a: There is no head 5.0: the model has layers 0 to 2 with heads 0 to 1 each. "
            "The nearest is head 2.0."
        ],
    ),
    "a column that the data lack": (
        embeddings(through=anything.excluding(mlp(0, at="edn"))),
        [
            'a: Dataset "words" has no position column "edn". The nearest is "end"; there are: '
            "end, s2, io."
        ],
    ),
    "a position that rows lack": (
        kept(edge(embeddings(), mlp(1), at=9)),
        [
            'a: Position 9 is outside dataset "words": its rows have positions 0 to 4. '
            "The nearest is 4."
        ],
    ),
    "keys at a position": (
        embeddings(through=anything.excluding(heads([(1, 0)], "k", at="s2"))),
        [
            "a: A path passes head 1.0 at the positions at which it writes, and k of head 1.0 is "
            "not what it writes. Name it whole; where a head's keys are read from the stream is "
            "said by a circuit of edges: "
            'Circuit.of_edges(edge(writer, reader, into="k", at=…), …).'
        ],
    ),
    "embeddings at a position": (
        heads([(0, 0)], at="end", through=Circuit.of(embeddings(at="s2"), mlp(0))),
        [
            f"a: No path passes {one}, which reads nothing: paths end there. "
            "Say where by the at= of the node that claims it."
            for one in ("embed", "pos_embed")
        ],
    ),
    "logits at a position": (
        embeddings(through=anything.excluding(output(at="end"))),
        ["a: No path passes logits: nothing reads what it computes. Leave it out."],
    ),
    "a writer after its reader": (
        kept(edge(heads([(2, 1)]), heads([(1, 0)]), into="q", at="end")),
        [
            "a: head 2.1 → head 1.0: the model has no such edge; head 2.1 comes after it. "
            "Is it edge(heads([(1, 0)]), heads([(2, 1)]))?"
        ],
    ),
    "heads of one layer": (
        kept(edge(heads([(1, 1)]), heads([(1, 0)]))),
        [
            "a: head 1.1 → head 1.0: the model has no such edge; head 1.0 does not read it. "
            "Name a writer that it reads."
        ],
    ),
    "a port that the reader lacks": (
        kept(edge(mlp(0), heads([(1, 0)]), into="queue")),
        [
            'a: MLP 0 → head 1.0: head 1.0 has no port "queue" by which it reads. '
            "There are: k, q, v."
        ],
    ),
    "a mask along an edge": (
        kept(edge(mlp(0), heads([(1, 0)]), into="mask")),
        ['a: MLP 0 → head 1.0: head 1.0 has no port "mask" by which it reads. There are: k, q, v.'],
    ),
    "a reader that reads nothing": (
        kept(edge(mlp(0), embeddings())),
        [
            f"a: MLP 0 → {one}: {one} reads nothing. Give a head, an MLP or the logits."
            for one in ("embed", "pos_embed")
        ],
    ),
    "a writer that nothing reads": (
        kept(edge(output(), mlp(2))),
        ["a: logits → MLP 2: nothing reads what logits computes. Give a head or an MLP."],
    ),
    "many edges that there are not": (
        kept(edge(heads([(2, 0), (2, 1)]), heads([(0, 0), (0, 1), (1, 0), (1, 1)]))),
        [
            *(
                f"a: head 2.{w} → head {r}: the model has no such edge; head 2.{w} comes after it. "
                f"Is it edge(heads([({r.replace('.', ', ')})]), heads([(2, {w})]))?"
                for r, w in (("0.0", 0), ("0.0", 1), ("0.1", 0), ("0.1", 1), ("1.0", 0), ("1.0", 1))
            ),
            "a: 2 more edges of its circuit are none of the model's.",
        ],
    ),
    "edges that do not come to the parent": (
        mlp(0, through=Circuit.of_edges(edge(mlp(0), heads([(1, 0)])))),
        [
            'a: No path through Circuit(MLP 0 → head 1.0) leads from "logits" to MLP 0. '
            "The circuit has edges into head 1.0 only."
        ],
    ),
    "edges at positions that do not meet": (
        mlp(
            0,
            through=Circuit.of_edges(
                edge(mlp(0), mlp(1), at="s2"), edge(mlp(1), output(), at="end")
            ),
        ),
        [
            "a: No path through Circuit(MLP 0 → MLP 1 at s2, MLP 1 → logits at end) leads from "
            '"logits" to MLP 0. There is one with through=anything.'
        ],
    ),
}


@pytest.mark.parametrize("name", AGAINST)
def test_what_the_model_or_the_data_lack(name: str) -> None:
    child, messages = AGAINST[name]
    assert said(child) == messages


def test_a_circuit_that_no_path_can_use() -> None:
    later = Circuit.of(heads([(2, 0)], at="end"), mlp(2))
    above = heads([(1, 1)], at="end")
    assert said(embeddings(through=later), parent=above) == [
        'a: No path from "logits" passes anything of Circuit(head 2.0 at end, MLP 2). Name what '
        "lies between a node and its parent; a path that passes nothing is through=none."
    ]
    assert said(embeddings(through=Circuit.of(mlp(0, 2))), parent=above) == []


def test_a_site_without_positions() -> None:
    graph = arithmetic.graph(
        arithmetic.source("x"),
        arithmetic.node("a", lambda x: 2 * x, x="x"),
        arithmetic.node("out", lambda s: s, s=["x", "a"]),
    )
    logits = InterpNode("out", Exact())
    child = logits.child("x", Exact())
    data = Dataset("numbers", inputs={"x": np.ones(3)}, lengths=np.ones(3, dtype=np.int64))

    def problems(through: Through | Circuit) -> list[str]:
        sites = {logits: site("out"), child: site("x", through=through)}
        return [f"{p.what} {p.fix}" for p in check(Correspondence(sites), graph, data)]

    assert problems(none.including(site("a", at=0))) == ["a has no positions. Leave out at=."]
    along = Circuit.of_edges(edge(site("x"), site("out")), edge(site("x"), site("a"), at=0))
    assert problems(along) == ["x → a: x has no positions. Leave out at=."]


# Siblings


def test_siblings_overlap_where_their_positions_meet() -> None:
    claimed = heads([(2, 0)], at="end")
    crossing = 'b: Its path runs through head 2.0 at end, which "a" claims. '
    assert said(claimed, embeddings(through=anything)) == [
        f'{crossing}Write through=anything.excluding(heads([(2, 0)], at="end")).'
    ]
    narrowed = anything.excluding(heads([(2, 0)], at="end"))
    assert said(claimed, embeddings(through=narrowed)) == []
    elsewhere = anything.excluding(heads([(2, 0)], at="s2"), mlp(0, at=("io", 3)))
    assert said(claimed, embeddings(through=elsewhere)) == [
        f'{crossing}Write through=anything.excluding(heads([(2, 0)], at="s2"), '
        'mlp(0, at=("io", 3)), heads([(2, 0)], at="end")).'
    ]
    # Position 4 is the end in every row.
    assert said(claimed, embeddings(through=anything.excluding(heads([(2, 0)], at=4)))) == []


def test_siblings_beside_circuits() -> None:
    claimed = heads([(2, 0)], at="end")
    crossing = 'b: Its path runs through head 2.0 at end, which "a" claims. '
    sites = Circuit.of(heads([(2, 0)], at=("s2", "end")), mlp(0))
    assert said(claimed, embeddings(through=sites)) == [
        f"{crossing}Leave head 2.0 at end out of the circuit."
    ]
    assert said(claimed, embeddings(through=Circuit.of(heads([(2, 0)], at="s2"), mlp(0)))) == []
    ways = edge(embeddings(), heads([(2, 0)])), edge(heads([(2, 0)]), output(), at="end")
    assert said(claimed, kept(*ways)) == [
        f"{crossing}Leave the edges from head 2.0 out of the circuit."
    ]
    away = edge(embeddings(), heads([(2, 0)])), edge(heads([(2, 0)]), output(), at="s2")
    assert said(claimed, kept(*away)) == []


def test_siblings_overlap_where_positions_of_other_names_meet() -> None:
    """Position 2 is S2 in some rows."""
    root = output(at=(2, "end"))
    claimed = heads([(2, 0)], at=2)
    passed = embeddings(through=none.including(heads([(2, 0)], at="s2")))
    assert said(claimed, passed, parent=root) == [
        'b: Its path runs through head 2.0 at 2, which "a" claims. Write '
        "through=none.including(head 2.0 at s2).excluding(heads([(2, 0)], at=2))."
    ]
    narrowed = embeddings(through=none.including(mlp(1), heads([(2, 0)], at="end")))
    assert said(claimed, narrowed, parent=root) == []
