"""The measurement of conventions: claims of one chain, what is counted, and what follows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from attrs import evolve
from conventions import AT_LEAST, NEARLY_EVERY, Shown, chain, counted, page, put, says
from validating.claims import Part

from scrub import Agree, Exact, Uncond, site
from scrub.analysis.conventions import IN_WORDS, USUAL, Convention
from scrub.stats.intervals import Interval
from support.paths import ROOT

ANY = "other inputs: any"
LEAF = Part("leaf", Agree("x"), site("leaf"))
TREE = Part(
    "root",
    Exact(),
    site("root"),
    (Part("left", Agree("x"), site("left"), (LEAF,)), Part("right", Agree("y"), site("right"))),
)


def test_a_chain_is_one_line_of_nodes_and_the_rest_is_exact() -> None:
    assert TREE.other == Uncond()
    found = {chain(TREE, np.random.default_rng(seed)) for seed in range(40)}
    right = evolve(TREE, other=Exact(), children=(TREE.children[1],))
    short = evolve(right, children=(evolve(TREE.children[0], children=()),))
    long = evolve(
        right,
        children=(evolve(TREE.children[0], sampler=Exact(), other=Exact(), children=(LEAF,)),),
    )
    assert found == {right, short, long}


def one(verdict: str, name: str, *, turns: bool, comparable: bool = True) -> Shown:
    recovered = Interval(0.5, 0.4, 0.6) if comparable else None
    return Shown("true: some", "c", verdict, (Convention(name, recovered, None, turns=turns),))


def test_only_supported_claims_that_are_comparable_count() -> None:
    found = [
        *[one("supported", ANY, turns=True)] * 3,
        *[one("supported", ANY, turns=False)] * 2,
        one("supported", ANY, turns=False, comparable=False),
        one("refuted", ANY, turns=True),
        one("supported", "nodes at all positions", turns=True),
    ]
    assert counted(found)[ANY]["true: some"] == (3, 5, 1)
    assert "| **3 / 5 (1)** |" in page(found)


@pytest.mark.parametrize(
    ("turned", "comparable", "told"),
    [
        (AT_LEAST - 1, AT_LEAST - 1, "yes: too few to tell"),
        (16, 20, "no"),
        (15, 20, "yes"),
        (0, 20, "yes"),
    ],
)
def test_the_rule(turned: int, comparable: int, told: str) -> None:
    assert NEARLY_EVERY == 0.8
    assert says(turned, comparable) == told


def test_the_page_says_what_the_code_does() -> None:
    """Which conventions raise a doubt is what the measured table says."""
    text = (ROOT / "docs" / "diagnostics.md").read_text(encoding="utf-8")
    table = text.partition("<!-- conventions -->\n")[2].partition("<!-- end -->")[0]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    (heading, _, *_), (last,) = lines, [line for line in lines if line[0] == "a doubt"]
    told = dict(zip(heading[2:], last[2:], strict=True))
    assert list(told) == list(IN_WORDS)
    assert {name for name, said in told.items() if said.startswith("yes")} == USUAL


def test_the_table_goes_between_its_markers(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("a\n<!-- conventions -->\nold\n<!-- end -->\nb\n", encoding="utf-8")
    put("new\n", file)
    expected = "a\n<!-- conventions -->\nnew\n<!-- end -->\nb\n"
    assert file.read_text(encoding="utf-8") == expected
