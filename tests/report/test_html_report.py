"""The page of `--html`: whole at any time, with what was finished, and how to make it again."""

from __future__ import annotations

import base64
import json
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from rich.text import Text
from rich.tree import Tree

from scrub.report.columns import Column, table
from scrub.report.html.documents import Made, document
from scrub.report.html.pages import Page, page_html
from scrub.report.html.pictures import LARGE, figure_part
from scrub.report.html.printed import printed_part
from scrub.runner.diagnoses import SWAPS, Diagnoses, lays_blame
from support.command import SUMS, inside
from support.paths import ROOT
from support.stoppable import made as stoppable
from support.web_page import Page as Read
from support.web_page import page_in, read

FILE = str(ROOT / SUMS)
MADE = Made("scrub test 'a b.py'", "2026-11-30 08:00 UTC", (("Python", "3.11"), ("torch", "2.13")))


def page_of(folder: Path, name: str = "r.html") -> Read:
    return page_in(folder / name)


def sections(page: Read) -> dict[str, list[str]]:
    """By claim the parts of its section."""
    found: dict[str, list[str]] = {}
    for element in page.elements:
        if element.tag == "h2":
            found[element.text] = parts = []
        if element.tag == "summary" and len(found):
            parts.append(element.text)
    return found


def test_one_page_on_all_claims(tmp_path: Path) -> None:
    options = ("--samples", "60", "--json", "r.json")
    assert inside("test", FILE, *options, "--html", "r.html", cwd=tmp_path).code == 1
    page = page_of(tmp_path)
    found = json.loads((tmp_path / "r.json").read_text())["results"]
    claims = [one["claim"] for one in found]
    parts = sections(page)
    assert list(parts) == [*claims, "How to make it again"]
    links = [one for one in page.all("a") if one.attributes["href"].startswith("#claim-")]  # type: ignore[union-attr]
    assert [one.text for one in links][-len(claims) :] == claims
    for one in found:
        loses = one["verdict"] == "refuted"
        assert ("Where it loses" in parts[one["claim"]]) is loses
        assert ("blame" in one) is loses
        assert one["data"]["sha256"] in page.text
        for note in one["notes"]:
            assert note[1:] in page.text
    (command,) = page.all("pre")
    given = f"test {FILE} {' '.join(options)} --html r.html"
    assert command.text == f"scrub {given}"
    for package in ("torch", "numpy", "transformers", "transformer_lens", "Python"):
        assert re.search(rf"{package} \d", page.text), package
    assert inside("test", FILE, *options[:2], "--json", "plain.json", cwd=tmp_path).code == 1
    plain = json.loads((tmp_path / "plain.json").read_text())["results"]
    for one, other in zip(found, plain, strict=True):  # blame changes no other number
        assert _without(one, "blame", "seconds") == _without(other, "seconds")


def _without(result: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name not in names}


def test_with_v_every_claim_says_where_it_loses(tmp_path: Path) -> None:
    inside("test", f"{FILE}::conjunction", "-v", "--samples", "9", "--html", "v.html", cwd=tmp_path)
    assert "Where it loses" in sections(page_of(tmp_path, "v.html"))["conjunction"]


def test_heads_that_a_claim_names_are_looked_at(tmp_path: Path) -> None:
    claim = ROOT / "hypotheses" / "ioi_claim3.py::by_value"
    done = inside("test", claim, "--samples", "30", "--html", "r.html", "-q", cwd=tmp_path)
    assert done.code in (0, 1), done.err
    page = page_of(tmp_path)
    assert sections(page)["by_value"] == [
        "Tree", "logits logits at end", "name movers head 3.0, head 3.1 at end",
        "Figures", "Where it loses", "References that lose most", "Where its heads look",
        "What it rests on",
    ]  # fmt: skip
    assert [one.text for one in page.all("h3")][-4:] == [
        "head 2.0 (S-inhibition) from end", "head 2.1 (S-inhibition) from end",
        "head 3.0 (name mover) from end", "head 3.1 (name mover) from end",
    ]  # fmt: skip
    heats = [
        float(re.sub("[^0-9.]", "", h.attributes["style"] or "")) for h in page.all("span", "heat")
    ]
    assert heats
    assert all(0 < heat <= 0.75 for heat in heats)
    assert len(page.all("mark")) > 1  # one is the legend's
    assert "probability" in page.text


def test_a_run_that_is_stopped_has_its_page(tmp_path: Path) -> None:
    place = stoppable(tmp_path)
    arguments = ("-k", "not ioi", "--samples", "60", "--no-diagnose", "--html", "r.html")
    running = place.start(*arguments, "--junit", "r.xml", WAIT_AT="second 1")
    while not (tmp_path / "log.waiting").exists():
        assert running.poll() is None
        time.sleep(0.02)
    page = page_of(tmp_path)
    assert "1 of 2 claims finished: the run goes on, or was killed." in page.text
    assert list(sections(page)) == ["slow", "How to make it again"]
    assert place.stop(running, signal.SIGINT).code == 130
    assert "1 of 2 claims finished: the run was stopped." in page_of(tmp_path).text
    assert 'message="No result: the run was stopped before it."' in (tmp_path / "r.xml").read_text()
    assert not list(tmp_path.glob(".scrub.*.html"))


@pytest.mark.parametrize("swaps", [SWAPS, SWAPS + 1])
def test_blame_that_nobody_asked_for_is_laid_of_refuted_claims_with_few_swaps(swaps: int) -> None:
    from scrub import Correspondence, Exact, InterpNode, Uncond, site
    from scrub.hypothesis.tree import treeify

    root = InterpNode("root", Exact(), other=Exact())
    leaves = [root.child(f"leaf {number}", Uncond()) for number in range(swaps)]
    tree = treeify(Correspondence({root: site("out"), **{leaf: site("x") for leaf in leaves}}))
    unasked, asked, refused = (Diagnoses(blame=blame) for blame in (None, True, False))
    assert lays_blame(unasked, tree, "refuted", effect=False) is (swaps == SWAPS)
    assert not lays_blame(unasked, tree, "supported", effect=False)
    assert lays_blame(asked, tree, "supported", effect=False)
    assert not lays_blame(refused, tree, "refuted", effect=False)
    assert not any(lays_blame(one, tree, "refuted", effect=True) for one in (unasked, asked))


# Pages of what is no claim


def test_a_page_says_what_is_printed() -> None:
    def show(console: Any) -> None:
        console.print(Text.assemble(("name", "bold"), ": [red] <b>"))
        console.print()
        columns = [Column("a", ["x<y"]), Column("n", ["1"], right=True, drop=1)]
        console.print(table(columns, console.width), highlight=False)
        tree = Tree(Text("root"))
        tree.add(Text("leaf", style="dim")).add("below")
        console.print(tree)

    page = read(printed_part(show))
    assert page.problems == []
    assert (
        page.text.split() == "name : [red] <b> a n x<y 1 root leaf below".replace(" :", ":").split()
    )
    assert [one.text for one in page.all("span", "name")] == ["name"]
    assert [one.text for one in page.all("span", "dim")] == ["leaf"]
    assert [one.text for one in page.all("th", "right")] == ["n"]


def drawn(points: int) -> Figure:
    figure = Figure(figsize=(2, 2))
    figure.add_subplot().plot(range(points), [n % 7 for n in range(points)], "o-", linewidth=0.1)
    return figure


def test_figures_are_in_the_page(tmp_path: Path) -> None:
    small, again = (figure_part(drawn(5), "five <points>") for _ in range(2))
    assert small == again
    (image,) = read(small).all("img")
    assert image.attributes["alt"] == "five <points>"
    source = image.attributes["src"] or ""
    assert source.startswith("data:image/svg+xml;base64,")
    assert b"<svg" in base64.b64decode(source.partition(",")[2])
    (large,) = read(figure_part(drawn(9_000), "many")).all("img")
    assert (large.attributes["src"] or "").startswith("data:image/png;base64,")
    assert len(large.attributes["src"] or "") < LARGE


def test_a_page_stands_by_itself() -> None:
    import pandas as pd

    frame = pd.DataFrame({"a": [1, 2]})
    figures = [("f", drawn(2))]
    page = Page("<title>", lambda console: None, lambda: figures, [("All", frame)], ["a <line>"])
    text = page_html(page, MADE)
    found = read(text)
    assert found.problems == []
    assert list(found.loaded) == []
    assert found.all("title")[0].text == found.all("h1")[0].text == "<title>"
    assert "default-src 'none'" in text
    assert [one.text for one in found.all("pre")] == ["a <line>", "scrub test 'a b.py'"]
    assert len(found.all("th", "sorts")) == 1
    assert not re.search(
        r"https?://", text.replace(found.all("img")[0].attributes["src"] or "", "")
    )


def test_the_reader_sees_what_is_loaded() -> None:
    """The mutant: a page that asks the network."""
    from markupsafe import Markup

    bad = Markup('<img src="https://example.com/a.png"><a href="#nowhere">x</a>')
    found = read(document("t", bad, made=MADE))
    assert list(found.loaded) == ["https://example.com/a.png"]
    assert found.problems == ["#nowhere leads nowhere"]


def test_pages_of_circuits_and_sweeps(tmp_path: Path) -> None:
    circuit = ROOT / "circuits" / "ioi-planted.json"
    assert inside("circuit", circuit, "--html", "one.html", cwd=tmp_path).code == 0
    assert "S-inhibition" in page_of(tmp_path, "one.html").text
    other = ROOT / "circuits" / "ioi-planted-2.json"
    options = ("--random", "5", "--html", "two.html")
    assert inside("circuit", circuit, other, *options, cwd=tmp_path).code == 0
    assert len(page_of(tmp_path, "two.html").all("img")) == 1
    (tmp_path / "b.py").write_text(
        'from scrub.datasets import ioi\nMODEL = "ioi-planted"\nioi = ioi.behaviour(60)\n'
    )
    options = ("--samples", "20", "--from", "3.0,3.1,2.1", "--html", "patch.html")
    done = inside("patch", "b.py::ioi", *options, cwd=tmp_path)
    assert done.code == 0, done.err
    page = page_of(tmp_path, "patch.html")
    assert "head 3.0" in page.text
    assert "weights of ioi-planted, sha256" in page.text
    assert len(page.all("img")) == 1
