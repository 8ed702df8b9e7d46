"""Slips in the words of a path: each is one sentence, exit code 2, and never Python's own error."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent
from typing import Any

import numpy as np
import pytest
import torch

import scrub
from scrub import (
    Correspondence,
    Exact,
    InterpNode,
    Uncond,
    UserError,
    claim,
    embeddings,
    heads,
    input_stream,
    mlp,
    output,
    supported,
)
from scrub.checks.structure import check
from scrub.datasets import ioi
from scrub.hypothesis.sites import (
    Through,
    anything,
    mlps,
    none,
    summand,
)
from scrub.hypothesis.splits import neurons, source_positions
from scrub.metrics import logit_diff
from scrub.model.bridge import graph_of
from support import tiny_models
from support.bad_input import DATA, HEADER, refused
from support.random_data import random_dataset

PLACE = (
    "Give the name of a position column, a whole number counted from the first token, several of "
    'these, or "all".'
)
SITES = "Give sites: heads(…), mlp(…), embeddings(…), output(…)."

SLIPS = {
    'heads([(3, 0)], through="mlp")': (
        ": through='mlp': The nearest is \"mlps\"; there are: none, mlps, anything."
    ),
    "heads([(3, 0)], through=mlp(1))": (
        ": through= is of type Sites. Give none, mlps or anything, such as "
        "anything.excluding(heads([(0, 0)]))."
    ),
    "heads([(3, 0)], through=anything.excluding((3, 0)))": (
        f": excluding(…) takes sites, and was given a tuple. {SITES}"
    ),
    "heads([(3, 0)], at=1.5)": f": at=1.5: 1.5 is no position. {PLACE}",
    "heads([(3, 0)], at=None)": f": at=None: None is no position. {PLACE}",
    "heads([(3, 0)], at=True)": f": at=True: True is no position. {PLACE}",
    "heads([(3, 0)], at=[1.5, 2])": f": at=[1.5, 2]: 1.5 is no position. {PLACE}",
    "heads([(3, 0)], at=[[1]])": f": at=[[1]]: [1] is no position. {PLACE}",
    'heads([(3, 0)], at=["all"])': ': at=[\'all\']: "all" stands by itself. Write at="all".',
    "heads([(3, 0)], at=-1)": (
        f' · node "movers": Position -1 is outside dataset {DATA}: its rows have positions 0 to '
        "22. The nearest is 0."
    ),
    'heads([(3, 0)], att="end")': (
        ': A path has no argument "att". The nearest is "at"; there are: at, into, through.'
    ),
    "heads((1, 0))": (
        ": heads((1, 0)): heads are given as a list of pairs. Write heads([(1, 0)])."
    ),
    "heads([(1.0, 0)])": (
        ": heads([(1.0, 0)]): layer and head are whole numbers, and (1.0, 0) are not. "
        "Write heads([(1, 0)])."
    ),
    "heads([(1, 0.5)])": (
        ": heads([(1, 0.5)]): layer and head are whole numbers, and (1, 0.5) are not. "
        "Write heads([(1, 0)]), for example."
    ),
    "heads([(1, True)])": (
        ": heads([(1, True)]): layer and head are whole numbers, and (1, True) are not. "
        "Write heads([(1, 0)]), for example."
    ),
    'heads("ab")': (
        ": heads('ab'): 'ab' is no head. Give a list of pairs (layer, head), such as "
        'heads([(1, 0)]) or heads(["1.0"]).'
    ),
    "heads([(1, 2, 3)])": (
        ": heads([(1, 2, 3)]): (1, 2, 3) is no head. Give a list of pairs (layer, head), such as "
        "heads([(1, 0)])."
    ),
    "heads([(3, 0)], part=3)": ": heads: part=3 is no name. Give a text.",
    'heads([(3, 0)], into="queue")': (
        ' · node "movers": "logits" has no port "queue". There are: logits_in.'
    ),
    "heads([(3, 0)], into=[3])": (
        ': into=[3]: 3 is no port. Give the name of one, such as "q", or several.'
    ),
    "heads([(3, 0)], into=[])": (
        ": into= names no port. Give one or several, or leave it out for any."
    ),
    "heads([(3, 0)]) | [(1, 0)]": f": sites | … takes sites, and was given a list. {SITES}",
    "mlp([1, 2])": ": mlp: [1, 2] is no layer. Write mlp(1, 2).",
    "mlp(1.5)": ": mlp: 1.5 is no layer. Give whole numbers, such as mlp(1, 2).",
    'input_stream(heads([(3, 0)]), by="queue")': (
        ": input_stream: by='queue': 'queue' names no input stream of a head. "
        "There are: q, k, v, pattern."
    ),
    "input_stream([(3, 0)])": f": input_stream takes sites, and was given a list. {SITES}",
    "site(3)": ": site: name=3 is no name. Give a text.",
    'summand(heads([(3, 0)], at="end"), source_positions(), "99")': (
        f' · node "movers": Source position 99 is outside dataset {DATA}: its rows have positions '
        "0 to 22. The nearest is 22."
    ),
    "summand(heads([(3, 0)]), source_positions(), -1)": (
        ': source positions has no summand -1. The nearest is "1"; there are: 0, 1, 2, …, rest.'
    ),
    "summand(heads([(3, 0)]), source_positions(), True)": (
        ": source positions has no summand True. There are: 0, 1, 2, …, rest."
    ),
    'summand(heads([(3, 0)]), "sources", "1")': (
        ": summand: the split is of type str. Give projection(…), neurons(…), estimate(…) or "
        "source_positions()."
    ),
    "summand(mlp(1), neurons(a=[-1]), 'a')": (
        ": neurons: a names -1. Neurons are whole numbers, 0 or more."
    ),
    "summand(mlp(1), neurons(a=[1.5]), 'a')": (
        ": neurons: a names 1.5. Neurons are whole numbers, 0 or more."
    ),
    "summand(mlp(1), neurons(a=3), 'a')": ": neurons: a=3 is no list. Write a=[7, 12].",
    "summand(mlp(1), projection(a='x'), 'a')": ": projection: \"a\" is 'x'. Give numbers.",
    "summand(mlp(1), estimate(3), 'phi')": (
        ": estimate: 3 is no function. Give one of rows that returns the estimates, "
        "[rows, size] or [rows, positions, size]."
    ),
}
FILE = """
from scrub.hypothesis.sites import *
from scrub.hypothesis.splits import *
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What `scrub check` says of a file of slips, a claim each."""
    text = HEADER + FILE
    for number, written in enumerate(SLIPS):
        body = f"logits, movers = tree()\nsites = {written}\n"
        body += 'return Correspondence({logits: output(at="end"), movers: sites})\n'
        text += f"\n@ioi_claim\ndef slip_{number}(model):\n{indent(body, '    ')}"
    folder = tmp_path_factory.mktemp("slips")
    (folder / "slips.py").write_text(text)
    return refused(folder, "check", "slips.py").splitlines()


def test_every_slip_is_said_once(said: list[str]) -> None:
    assert len(said) == len(SLIPS)


@pytest.mark.parametrize("number", range(len(SLIPS)), ids=SLIPS)
def test_a_slip_is_one_sentence(number: int, said: list[str]) -> None:
    assert said[number] == f"error: slips.py::slip_{number}{[*SLIPS.values()][number]}"


def test_a_correspondence_of_a_list(tmp_path: Path) -> None:
    text = "\n@ioi_claim\ndef a(model):\n    return Correspondence([1, 2])\n"
    (tmp_path / "a.py").write_text(HEADER + text)
    assert refused(tmp_path, "check", "a.py") == (
        "error: a.py::a: A Correspondence is of nodes and their sites, not of type list. "
        "Write Correspondence({node: sites}), with node = InterpNode(…) or parent.child(…).\n"
    )


@pytest.mark.parametrize("through", [none, mlps, anything])
def test_the_names_of_what_a_path_passes_are_as_good_as_the_values(through: Through) -> None:
    named = heads([(3, 0)], through=str(through))
    assert named == heads([(3, 0)], through=through)


def test_what_can_be_meant_in_one_way_only_is_taken() -> None:
    assert heads(np.array([[3, 0]]), at=np.int64(2)) == heads([(3, 0)], at=2)
    head = heads([(3, 0)])
    assert input_stream(head, by="pattern") == input_stream(head, by=("q", "k"))
    split = source_positions()
    assert summand(head, split, 3) == summand(head, split, "3")
    assert neurons(a=np.array([1, 2])).sets == {"a": (1, 2)}
    assert mlp(*np.array([1])) == mlp(1)


def test_a_mask_that_is_swapped_is_compared_as_numbers() -> None:
    def build(model: object) -> Correspondence:
        logits = InterpNode("logits", Exact(), other=Exact())
        movers = logits.child("movers", Exact(), other=Exact())
        mask = movers.child("mask", Uncond())
        return Correspondence(
            {
                logits: output(at="end"),
                movers: heads([(3, 0)], at="end"),
                mask: heads([(3, 0)], part="mask"),
            }
        )

    made = claim(
        data=ioi.prompts(40), metric=logit_diff("io", "s"), model="ioi-planted",
        expect=supported(above=0.5),
    )(build)  # fmt: skip
    assert len(scrub.run(made, samples=20).nodes) == 3


def _run(**options: Any) -> str:
    def build(model: Any) -> Any:
        return model

    made = claim(data=1, metric=logit_diff("io", "s"))(build)
    with pytest.raises(UserError) as error:
        scrub.run(made, **options)
    return str(error.value)


def test_options_of_the_wrong_kind() -> None:
    assert _run(dtype="banana") == "dtype is 'banana'. There are: float32, float64, bfloat16."
    assert _run(dtype=torch.int32) == "dtype is torch.int32. Give float32, float64 or bfloat16."
    assert _run(precision=float("inf")) == "precision is inf. Give a number above 0, such as 0.05."
    assert _run(model=object()).startswith("model= is of type object, which is no model. Give ")


def test_an_expectation_in_words() -> None:
    with pytest.raises(UserError, match="expect= is of type str"):
        claim(data=1, metric=1, expect="supported")(lambda model: model)  # type: ignore[arg-type]


def test_embeddings_of_a_model_that_rotates_positions() -> None:
    data = random_dataset(np.random.default_rng(0), "data")
    root = InterpNode("logits", Exact())
    tree = Correspondence({root: output(at="end"), root.child("words", Exact()): embeddings()})
    (problem,) = check(tree, graph_of(tiny_models.bridge("neox")), data)
    assert str(problem) == (
        'node "words": The model has no learned position embedding, which embeddings() stands for '
        "as well. Claim token_embedding()."
    )
