"""Virtual rows where they mean nothing are refused before anything runs, in sentences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from scrub import (
    Agree,
    Circuit,
    Constant,
    Correspondence,
    Dataset,
    Exact,
    InterpNode,
    Mean,
    Rows,
    Steer,
    Uncond,
    Zero,
    embeddings,
    heads,
    mlp,
    output,
)
from scrub.checks.structure import check
from scrub.hypothesis.sites import Sites
from scrub.hypothesis.tree import treeify
from scrub.metrics import custom
from scrub.model.graph import Graph
from scrub.samplers import Randomness, Sampler
from support import tiny_models

METRIC = custom(lambda value, references: value.flatten(1).sum(dim=1))
DATA = Dataset(
    "data",
    {"tokens": np.zeros((4, 5), dtype=int)},
    [5, 5, 5, 5],
    columns={"word": list("xxyy"), "place": [0, 1, 0, 1]},
    positions={"end": [4, 4, 4, 4], "s": [0, 1, 0, 1]},
)


def graph() -> Graph:
    from scrub.model.bridge import graph_of

    return graph_of(tiny_models.bridge("2x2"))


def leaf(sampler: Sampler, sites: Sites) -> Correspondence:
    logits = InterpNode("logits", Exact(), other=Exact())
    return Correspondence({logits: output(at="end"), logits.child("leaf", sampler): sites})


def above(own: Sampler, other: Sampler, at: str = "end") -> Correspondence:
    logits = InterpNode("logits", Exact(), other=Exact())
    middle = logits.child("middle", own, other=other)
    return Correspondence(
        {
            logits: output(at="end"),
            middle: heads([(1, 0)], at="end"),
            middle.child("below", Agree("word")): heads([(0, 0)], at=at, into="v"),
        }
    )


Z = heads([(1, 0)], at="end")


class Mine:
    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        return Mean().draw(references, randomness)


REFUSED: dict[str, tuple[Callable[[], Correspondence], str]] = {
    "own input of a node with children": (
        lambda: above(Mean(), Exact()),
        "Its sampler is Mean, and it has children: their donors are drawn for its own input, and "
        "a virtual row is none. Give the children such samplers, or give it as other=.",
    ),
    "a constant as other inputs": (
        lambda: above(Exact(), Constant(1)),
        "Its sampler of other inputs is Constant(1), and other inputs are sites of many sizes. "
        "Give other=Mean(…) or other=Zero(), or a leaf that stands for the sites.",
    ),
    "steered other inputs": (
        lambda: above(Exact(), Steer([1.0], by=2)),
        "Its sampler of other inputs is Steer(1, by=2), and other inputs are sites of many sizes. "
        "Give other=Mean(…) or other=Zero(), or a leaf that stands for the sites.",
    ),
    "a mask that is zero": (
        lambda: leaf(Zero(), heads([(1, 0)], "mask", through="none")),
        "Zero of mask of head 1.0: a mask says which positions hold a token, and is no number. "
        "Give Mean(…), an input's mask, or zero the head's pattern.",
    ),
    "a constant of another size": (
        lambda: leaf(Constant([1, 2, 3]), Z),
        "Constant(3) of head 1.0: its last axis has 4 numbers, and 3 are given. Give 4.",
    ),
    "a direction of another size": (
        lambda: leaf(Steer(np.ones(5), by=1), mlp(1, at="end")),
        "Steer(5, by=1) of MLP 1: its last axis has 8 numbers, and 5 are given. Give 8.",
    ),
    "a constant of too few positions": (
        lambda: leaf(Constant(np.ones((4, 4))), Z),
        'Constant(4 x 4) of head 1.0: it has 4 positions, and rows of dataset "data" have up to '
        "5. Give so many.",
    ),
    "a constant along source positions": (
        lambda: leaf(Constant(np.ones(5)), heads([(1, 0)], "pattern", at="end")),
        "Constant(5) of pattern of head 1.0: its last axis is source positions, of which rows "
        "have different numbers. Give Mean(…), Zero() or one number.",
    ),
    "rows that are not alike in a position": (
        lambda: leaf(Mean("word"), heads([(1, 0)], "v", at="s")),
        "Mean(word): rows that agree on word are averaged index by index, and are not alike: in "
        'dataset "data" row 0 has "s" at 0, row 1 has "s" at 1. Add a column that tells them '
        'apart: Mean("word", "place").',
    ),
    "rows that are not alike where a child lands": (
        lambda: above(Exact(), Mean(), at="s"),
        "Mean: the rows of the data are averaged index by index, and are not alike: in dataset "
        '"data" row 0 has "s" at 0, row 1 has "s" at 1. Add a column that tells them apart: '
        'Mean("place").',
    ),
    "virtual rows of a sampler of the user's own": (
        lambda: leaf(Mine(), Z),
        "Sampler Mine draws virtual rows. Give Mean, Zero, Constant or Steer themselves.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_means_nothing_is_refused(name: str) -> None:
    made, message = REFUSED[name]
    problems = check(made(), graph(), DATA, METRIC)
    assert message in [f"{p.what} {p.fix}".strip() for p in problems]


def test_rows_must_be_alike_where_a_path_passes() -> None:
    def problems(stands_for: Sites, at: str) -> list[str]:
        root = InterpNode("root", Exact(), other=Mean("word"))
        below = embeddings(through=Circuit.of(heads([(1, 0)], at=at)))
        made = Correspondence({root: stands_for, root.child("below", Exact()): below})
        return [p.what for p in check(made, graph(), DATA, METRIC)]

    assert problems(output(at="end"), "end") == []
    (found,) = problems(output(), "s")
    assert 'row 0 has "s" at 0, row 1 has "s" at 1' in found


LEGAL: dict[str, Callable[[], Correspondence]] = {
    "the mean of a mask": lambda: leaf(Mean(), heads([(1, 0)], "mask")),
    "the mean of a pattern": lambda: leaf(Mean(), heads([(1, 0)], "pattern", at="end")),
    "a pattern that sees nothing": lambda: leaf(Zero(), heads([(1, 0)], "pattern", at="end")),
    "one number along source positions": lambda: leaf(
        Constant(0.2), heads([(1, 0)], "pattern", at="end")
    ),
    "a position in which no row must be alike": lambda: above(Exact(), Mean()),
    "zeros where positions differ": lambda: above(Exact(), Zero(), at="s"),
    "logits of a mean": lambda: Correspondence({InterpNode("logits", Mean()): output(at="end")}),
    "logits that are zero": lambda: Correspondence(
        {InterpNode("logits", Zero()): output(at="end")}
    ),
    "children of a node whose other input is virtual": lambda: above(Uncond(), Zero()),
}


@pytest.mark.parametrize("name", LEGAL)
def test_what_has_a_meaning_is_legal(name: str) -> None:
    correspondence = LEGAL[name]()
    treeify(correspondence)
    assert check(correspondence, graph(), DATA, METRIC) == ()
