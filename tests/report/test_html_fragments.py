"""Fragments of HTML: well formed, as they were, and whatever is named in them is text."""

from __future__ import annotations

import math
import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from attrs import evolve
from markupsafe import Markup

import scrub
from hypothesis import given
from hypothesis import strategies as st
from scrub import Agree, Correspondence, Exact, InterpNode, Uncond, claim, not_applicable, site
from scrub.analysis.blame import Blame, Lost, Swap, blame
from scrub.analysis.unclaimed import LostBy, Unclaimed
from scrub.hypothesis.collect import load
from scrub.hypothesis.tree import treeify
from scrub.printing import printable
from scrub.report.html import frame_html, result_html, tree_html
from scrub.report.html.blames import WIDTH, scrubs_of, waterfall_part
from scrub.report.html.rendering import fragment, render
from scrub.report.html.results import result_part
from scrub.report.html.scales import LEAST, MOST, common_scales, figure_picture
from scrub.report.html.trees import tree_part
from scrub.report.html.worst import MANY, in_runs
from scrub.report.inputs import Marked
from scrub.results.result import Result
from scrub.results.verdict_words import verdict_in_words
from scrub.stats.intervals import Interval
from support.command import SUMS
from support.paths import ROOT
from support.web_page import read

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "<img src=x onerror=alert(1)>&amp;\"'{{ 7 * 7 }}</p></details>"


@pytest.fixture(scope="module")
def sums() -> Any:
    return load(ROOT / SUMS)


@pytest.fixture(scope="module")
def results(sums: Any) -> dict[str, Result]:
    names = ("conjunction", "anything_goes", "only_x", "undefined", "by_hand")
    claims = [getattr(sums, name) for name in names]
    return dict(zip(names, scrub.run(claims, model=sums.MODEL, samples=200), strict=True))


@pytest.fixture(scope="module")
def explained(sums: Any) -> Result:
    return scrub.explain(sums.by_hand, model=sums.MODEL, samples=50).result


def assert_golden(name: str, text: str) -> None:
    text = re.sub(r"(?<=<td>seconds</td>)\s*<td>[\d.]+", "\n<td>x.x", text)
    text = re.sub(r"[\d,]+ MB|nothing here", "… MB", text)
    path = GOLDEN / f"{name}.html"
    if os.environ.get("SCRUB_UPDATE_GOLDEN"):
        path.write_text(text + "\n", encoding="utf-8")
    assert text + "\n" == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["conjunction", "only_x", "by_hand"])
def test_results_as_they_were(results: dict[str, Result], name: str) -> None:
    assert_golden(name, result_part(results[name]))


def test_what_loses_as_it_was(explained: Result) -> None:
    assert_golden("explained", result_part(explained))


def test_every_fragment_is_well_formed_and_stands_by_itself(
    results: dict[str, Result], explained: Result
) -> None:
    made = [*map(result_html, [*results.values(), explained])]
    made += [tree_html(explained.tree, explained.nodes), frame_html(explained.frame)]
    for text in made:
        assert type(text) is str  # `Markup` would be taken apart by who joins it with text
        page = read(text)
        assert page.problems == []
        assert list(page.loaded) == []
        assert not page.all("script")
        (style,) = page.all("style")
        assert "prefers-color-scheme: dark" in style.text
        assert "@import" not in style.text
        assert "url(" not in style.text
        assert all(rule.lstrip().startswith((".scrub", "@media", "[data-", ".vscode"))
                   for rule in _selectors(style.text))  # fmt: skip


def _selectors(style: str) -> list[str]:
    """Of every rule of a style, each selector."""
    found = re.findall(r"([^{}]+)\{", style)
    return [part for rule in found for part in rule.split(",") if part.strip() != "@media print"]


def test_the_verdict_comes_first_in_plain_words(results: dict[str, Result]) -> None:
    for result in results.values():
        page = read(result_html(result))
        before = page.text.split("Tree")[0]
        assert verdict_in_words(result) in before
        (badge,) = page.all("span", "badge")
        assert badge.text == (result.judgement.verdict or "no verdict")
    said = {name: verdict_in_words(result) for name, result in results.items()}
    assert said["conjunction"].endswith(
        "of the model's performance is recovered. The claim says at least 0.9 and at most 1.1: "
        "this agrees with the claim."
    )
    assert said["anything_goes"].endswith("at least 0.9: this contradicts the claim.")
    assert said["only_x"].endswith("at least 0.6: the interval does not decide.")
    assert said["undefined"].startswith("The share recovered is undefined. The claim says")
    assert said["by_hand"].endswith("recovered. The file gives no bound to judge that by.")
    kinds = {n: read(result_html(r)).all("span", "badge")[0].classes[1] for n, r in results.items()}
    assert [kinds[n] for n in ("conjunction", "only_x", "by_hand")] == ["good", "bad", "dim"]


def test_a_claim_that_is_not_applicable(sums: Any) -> None:
    @claim(data=sums.DATA, metric=sums.ERROR, model=sums.MODEL)
    def absent(model: Any) -> Any:
        return not_applicable("there are <b>no</b> heads")

    page = read(result_html(scrub.run(absent)))
    assert page.problems == []
    assert "Not applicable to graph: there are <b>no</b> heads. Nothing was run." in page.text
    assert not page.all("details")


# Whatever is named is text


def hostile(sums: Any) -> Any:
    def built(model: Any) -> Correspondence:
        out = InterpNode(f"out {HOSTILE}", Exact(), other=Exact())
        product = out.child(f"product {HOSTILE}", Agree("x"))
        return Correspondence({out: site("out"), product: site("product")})

    built.__doc__ = f"It says {HOSTILE}"
    name = HOSTILE.replace("/", "|")
    return claim(data=sums.DATA, metric=sums.ERROR, name=name, model=sums.MODEL)(built)


def test_names_are_text(sums: Any) -> None:
    made = hostile(sums)
    result = scrub.explain(made, samples=30).result
    page = read(result_html(result))
    assert page.problems == []
    assert not page.all("img")
    assert page.all("h2")[0].text == made.name
    for words in (f"It says {HOSTILE}", f"out {HOSTILE}", f"product {HOSTILE}"):
        assert words in page.text
    assert HOSTILE in read(frame_html(pd.DataFrame({HOSTILE: [HOSTILE]}))).text


def test_the_reader_sees_what_is_not_escaped() -> None:
    """The mutant: a template that takes a name for markup."""
    page = read(render("lines.html", lines=[Markup(HOSTILE)]))
    assert page.all("img")
    assert page.problems


@given(st.text(st.sampled_from("<>&\"'{}%#/-!a \n\t\x1b\r\u202e\udc80é🧠")))
def test_any_text_is_read_as_it_is_printed(text: str) -> None:
    page = read(render("log.html", lines=[text]))
    assert page.problems == []
    assert "".join(page.elements[0].parts).rstrip("\n") == printable(text).rstrip("\n")


# Trees and figures


def test_a_tree_says_what_each_node_drew(explained: Result) -> None:
    page = read(tree_html(explained.tree, explained.nodes))
    names = [one.text for one in page.all("span", "name")]
    assert names == ["out", "product", "x"]
    drawn = [one.text for one in page.all("div", "drawn")]
    assert drawn[0].startswith("own Exact other Exact swapped in 0%")
    assert drawn[2] == "own Fixed swapped in 62% 8 distinct inputs"
    assert "swapped in" not in read(tree_html(explained.tree)).text


def test_a_large_tree_is_folded() -> None:
    root = InterpNode("root", Exact(), other=Uncond())
    middle = root.child("middle", Exact(), other=Uncond())
    leaves = [middle.child(f"leaf {n}", Uncond()) for n in range(80)]
    sites = {root: site("out"), middle: site("product"), **{n: site("x") for n in leaves}}
    page = read(tree_part(treeify(Correspondence(sites))))
    assert ["open" in one.attributes for one in page.all("details")] == [True, False]


def test_intervals_of_one_scale_can_be_compared(results: dict[str, Result]) -> None:
    several = [results[name] for name in ("conjunction", "anything_goes", "only_x")]
    scale = common_scales(several)["recovered"]
    assert LEAST <= scale.low <= 0
    assert 1 <= scale.high <= MOST
    assert scale.at(1e9) == scale.at(scale.high) > scale.at(0.5) > scale.at(-1e9)
    ones = {re.search(r'x="([\d.]+)" y="26"[^>]*>1<', figure_picture(r, scale))[1] for r in several}  # type: ignore[index]
    assert len(ones) == 1
    assert figure_picture(results["undefined"]) == ""


def interval(mean: float) -> Interval:
    return Interval(mean, mean - 0.1, mean + 0.1)


@given(st.lists(st.floats(-0.8, 0.8), min_size=1, max_size=5))
def test_what_is_lost_in_order_leads_from_the_model_to_the_claim(
    explained: Result, steps: list[float]
) -> None:
    """Each bar begins where the one before it ended; the last is what is left."""
    swaps = tuple(
        Lost(Swap(("out",), "own"), interval(step), interval(step), interval(step))
        for step in steps
    )
    found = Blame(interval(sum(steps)), swaps, ())
    text = waterfall_part(explained, found)
    rectangles = re.findall(r'class="(whole|loses|wins)" x="([\d.]+)" y="1" width="([\d.]+)"', text)
    values = [1.0, *(1 - np.cumsum(steps))]
    low, high = min(0.0, *values), max(1.0, *values)
    places = [WIDTH * (value - low) / (high - low) for value in values]
    assert len(rectangles) == len(steps) + 2
    for number, (kind, left, width) in enumerate(rectangles[1:-1]):
        ends = sorted((places[number], places[number + 1]))
        assert float(left) == pytest.approx(ends[0], abs=0.06)
        assert float(width) == pytest.approx(max(ends[1] - ends[0], 0.5), abs=0.11)
        assert kind == ("loses" if steps[number] > 0 else "wins")
    assert f'aria-label="{values[-1]:.3f}"'.replace('"-0.000"', '"0.000"') in text


def test_the_cost_of_blame_is_what_it_took(sums: Any, results: dict[str, Result]) -> None:
    result = results["by_hand"]
    out = InterpNode("out", Exact(), other=Uncond())
    product = out.child("product", Agree("x"), other=Uncond())
    leaf = product.child("inputs", Agree("x"))
    sites = {out: site("out"), product: site("product"), leaf: site("x") | site("y")}
    for nodes, cost in ((3, None), (1, 0)):
        asked: list[Any] = []

        def scrubbed(trees: Any, asked: list[Any] = asked) -> Any:
            asked += trees
            return [result.scores.scrubbed for _ in trees]

        chosen = sites if nodes == 3 else {out: site("out")}
        found = blame(
            treeify(Correspondence(chosen)), result.scores, result.draws.references.index,
            scrubbed, graph=sums.MODEL, data=sums.DATA, most=1,
        )  # fmt: skip
        assert scrubs_of(found) == len(asked) == (len(asked) if cost is None else cost)
        assert (len(asked) > 6) == (nodes == 3)


def test_what_no_child_claims_stands_below_its_swap(explained: Result) -> None:
    half = interval(0.5)
    heads = (LostBy("head 1.0", "k", half, half), LostBy("head 1.1", "k", half, half))
    parts = (LostBy("heads of layer 1", "k", half, half, heads), LostBy("MLP 0", "q", half, half))
    unclaimed = Unclaimed(parts, LostBy("the rest", "", interval(0.0), interval(0.0)))
    swap = Swap(("out",), "other")
    found = Blame(half, (Lost(swap, half, half, half, unclaimed=unclaimed),), ())
    page = read(waterfall_part(explained, found))
    assert page.problems == []
    assert [one.text for one in page.all("td", "path")] == [
        "heads of layer 1, into k", "head 1.0, into k", "head 1.1, into k", "MLP 0, into q",
        "the rest",
    ]  # fmt: skip
    assert "It took up to 10 more scrubs of the claim. Below an other: what no child" in page.text


# Texts and tables


@given(
    st.lists(
        st.builds(
            Marked, st.text(" abc", max_size=4), changed=st.booleans(), underlined=st.booleans()
        ),
        max_size=MANY - 1,
    )
)
def test_runs_of_words_are_the_text(pieces: list[Marked]) -> None:
    runs = in_runs(pieces)
    text = "".join(piece.text for piece in pieces)
    assert "".join(run.blank + run.words for run in runs).lstrip() == text.lstrip()
    kinds = [(run.changed, run.underlined) for run in runs]
    assert all(one != other for one, other in pairwise(kinds))


def test_tokens_of_an_image_are_one_word_with_their_number() -> None:
    pieces = [Marked("see", False), *[Marked(" <image>", True)] * MANY, Marked(" now", False)]
    assert [run.words for run in in_runs(pieces)] == ["see", f"<image>×{MANY}", "now"]
    few = in_runs(pieces[:MANY])
    assert few[1].words == " ".join(["<image>"] * (MANY - 1))


def test_what_was_swapped_is_marked() -> None:
    pieces = [
        Marked("When", False),
        Marked(" Tom", True),
        Marked(" said", True),
        Marked(" to", False, True),
    ]
    text = render("worst.html", samples=[Shown("sample", in_runs(pieces))])
    page = read(text)
    assert [one.text for one in page.all("mark")][1:] == ["Tom said"]
    assert [one.text for one in page.all("u")][1:] == ["to"]
    assert page.all("span", "tokens")[0].text == "When Tom said to"


class Shown:
    """A sample of which only the reference is shown."""

    def __init__(self, title: str, reference: Any) -> None:
        self.title, self.reference, self.nodes = title, reference, ()


def test_frames_are_rounded_and_cut() -> None:
    frame = pd.DataFrame(
        {"name": ["a", None, "c"], "value": [0.12345, math.nan, -1e-9], "n": [1, 2, 3]}
    )
    frame["layer"] = pd.array([1, None, 3], dtype="Int64")
    page = read(frame_html(frame, most=2))
    cells = [one.text for one in page.all("td")]
    assert cells == ["a", "0.123", "1", "1", "–", "–", "2", "–"]
    assert ["right" in one.classes for one in page.all("th")] == [False, True, True, True]
    assert "… 1 more rows" in page.text
    assert [one.text for one in read(frame_html(frame)).all("td")][9] == "0.000"


def test_a_fragment_has_its_style_once() -> None:
    parts = [render("lines.html", lines=["one"]), render("lines.html", lines=["two"])]
    page = read(fragment(*parts))
    assert len(page.all("style")) == 1
    assert [one.text for one in page.all("p")] == ["one", "two"]
    assert page.all("div")[0].classes == ["scrub"]


def test_the_figure_is_that_of_the_belief(results: dict[str, Result]) -> None:
    """The mutant of the words: another figure is another sentence."""
    result = results["conjunction"]
    other = evolve(result, figure=Interval(0.5, 0.4, 0.6))
    assert "0.500 [0.400, 0.600]" in verdict_in_words(other)
    assert verdict_in_words(other) != verdict_in_words(result)
