"""The picture of a claim's tree: every node in one box, boxes apart, and the words in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from xml.etree import ElementTree

from attrs import evolve
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyBboxPatch

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import (
    Sites,
    heads,
    input_stream,
    output,
)
from scrub.hypothesis.tree import Tree, treeify
from scrub.model.registry import describe
from scrub.report.tree_boxes import Box, boxes
from scrub.report.tree_svg import (
    draw,
    svg,
)
from scrub.samplers import Agree, Uncond
from support.balancer import CLAIMS
from support.command import IOI, inside
from support.paren_models import random_balancer

laws = settings(max_examples=60, deadline=None, database=None)
pictures = settings(max_examples=8, deadline=None, database=None)
HEADING = "claim: what is believed"
FINE = 600
"""Dots per inch at which letters are as wide as they are in SVG: they are not fitted to pixels."""


@st.composite
def correspondences(draw: st.DrawFn) -> Correspondence:
    """Trees of up to 20 nodes, in which many siblings differ in nothing but their index."""
    root = InterpNode("logits", Uncond())
    sites: dict[InterpNode, Sites] = {root: output(at=0)}
    parents = [root]
    for number in range(draw(st.integers(0, 4))):
        parent = draw(st.sampled_from(parents))
        shape = draw(st.sampled_from(["inner", "alike", "everywhere"]))
        prefix = "abcdefg"[number]
        if shape == "alike":
            ports = draw(st.sampled_from([("k",), ("k", "v")]))
            for i in draw(st.sets(st.integers(0, 41), min_size=1, max_size=5)):
                feature = draw(st.sampled_from([f"h_{i}", f"h_{i}", f"h_{i}", "same"]))
                leaf = parent.child(f"{prefix} at {i}", Agree(feature))
                sites[leaf] = input_stream(heads([(2, 1)]), by=ports, at=i)
        else:
            node = parent.child(prefix, Agree("feature"))
            sites[node] = heads([(1, 0)], at=number if shape == "inner" else "all")
            if shape == "inner":
                parents.append(node)
    return Correspondence(sites)


def exp_3a(folder: Path) -> Tree:
    return treeify(CLAIMS["exp_3a"].build(describe(random_balancer(folder))))


# Which node is in which box


def shown(box: Box) -> Iterator[str]:
    """The name of every node that a box and those below it stand for."""
    group = re.fullmatch(r"(.*) \((\d+) nodes: i = (.*)\)", box.title)
    if group is None:
        yield box.title
    else:
        runs = [run.split("…") for run in group[3].split(", ")]
        numbers = [i for run in runs for i in range(int(run[0]), int(run[-1]) + 1)]
        assert len(numbers) == int(group[2])
        yield from (re.sub(r"\bi\b", str(i), group[1]) for i in numbers)
    for child in box.children:
        yield from shown(child)


def names(tree: Tree) -> Counter[str]:
    return Counter(node.node.name for node in tree.walk())


@laws
@given(correspondences())
def test_every_node_is_in_exactly_one_box(correspondence: Correspondence) -> None:
    tree = treeify(correspondence)
    assert Counter(shown(boxes(tree))) == names(tree)


@laws
@given(correspondences())
def test_what_one_box_shows_of_several_leaves_is_true_of_each(
    correspondence: Correspondence,
) -> None:
    """Leaves of one box differ in their index alone; a lone leaf's box is its own."""
    tree = treeify(correspondence)
    said = {name: set(box.lines[1:]) for box in _walk(boxes(tree)) for name in shown(_alone(box))}
    for node in tree.walk():
        (sampler,) = [line for line in said[node.node.name] if line.startswith(("Agree", "Uncond"))]
        features = ", ".join(getattr(node.node.sampler, "features", ()))
        index = re.search(r"\d+", node.node.name)
        expected = f"Agree({features})" if features else "Uncond"
        general = expected.replace(f"_{index[0]}", "_i") if index else expected
        assert sampler in (expected, general)


def _walk(box: Box) -> Iterator[Box]:
    yield box
    for child in box.children:
        yield from _walk(child)


def _alone(box: Box) -> Box:
    return evolve(box, children=())


def test_a_box_that_is_left_out_or_shown_twice_is_noticed(tmp_path: Path) -> None:
    tree = exp_3a(tmp_path)
    root = boxes(tree)
    for children in (root.children[1:], (root.children[0], *root.children)):
        assert Counter(shown(evolve(root, children=children))) != names(tree)


def test_the_43_leaves_of_3a_are_three_boxes(tmp_path: Path) -> None:
    """Position 0 is read by q as well; the mask is no position."""
    tree = exp_3a(tmp_path)
    assert len(tree.walk()) == 1 + 3 + 43
    assert [box.title for box in _walk(boxes(tree))] == [
        "logits", "1.0", "2.0", "2.1", "at 0", "at i (41 nodes: i = 1…41)", "mask",
    ]  # fmt: skip
    (many,) = (box for box in _walk(boxes(tree)) if "41 nodes" in box.title)
    assert many.swaps == ("Agree(h_i)",)
    assert many.sites.endswith("at i")


def test_two_leaves_alike_are_two_boxes_and_gaps_are_said() -> None:
    root = InterpNode("logits", Uncond())

    def leaves(*indices: int) -> Tree:
        below = {root.child(f"at {i}", Agree(f"h_{i}")): heads([(0, 0)], at=i) for i in indices}
        return treeify(Correspondence({root: output(at=0), **below}))

    assert [box.title for box in boxes(leaves(3, 7)).children] == ["at 3", "at 7"]
    (box,) = boxes(leaves(7, 3, 12, 4, 5)).children
    assert box.title == "at i (5 nodes: i = 3…5, 7, 12)"


# The picture


@pictures
@given(correspondences())
def test_boxes_lie_apart_and_hold_their_text(correspondence: Correspondence) -> None:
    tree = treeify(correspondence)
    figure = draw(tree, HEADING)
    figure.set_dpi(FINE)
    renderer = FigureCanvasAgg(figure).get_renderer()
    patches = [p for p in figure.axes[0].patches if isinstance(p, FancyBboxPatch)]
    assert len(patches) == len(list(_walk(boxes(tree))))
    extents = [patch.get_window_extent(renderer) for patch in patches]
    for number, one in enumerate(extents):
        assert figure.bbox.fully_containsx(one.x0)
        assert figure.bbox.fully_containsx(one.x1)
        assert figure.bbox.fully_containsy(one.y0)
        assert figure.bbox.fully_containsy(one.y1)
        assert not any(one.fully_overlaps(other) for other in extents[number + 1 :])
    heading, *texts = (text.get_window_extent(renderer) for text in figure.axes[0].texts)
    assert not any(box.fully_overlaps(heading) for box in extents)
    for text in texts:
        holders = [box for box in extents if box.fully_contains(text.x0, text.y0)]
        assert len(holders) == 1
        assert holders[0].fully_contains(text.x1, text.y1)


@pictures
@given(correspondences(), st.randoms(use_true_random=False))
def test_one_tree_gives_one_text_in_whatever_order_it_was_written(
    correspondence: Correspondence, random: Random
) -> None:
    written = list(correspondence.sites.items())
    random.shuffle(written)
    first = svg(treeify(correspondence), HEADING)
    assert svg(treeify(Correspondence(dict(written))), HEADING) == first


def test_another_tree_gives_another_text(tmp_path: Path) -> None:
    tree = exp_3a(tmp_path)
    assert svg(evolve(tree, children=tree.children[1:]), HEADING) != svg(tree, HEADING)


def test_special_characters_are_written_as_they_are() -> None:
    """Markup of SVG, of formulas and of the terminal."""
    odd = ["a < b & c > d", '"quoted"', "$x_1^2$", "[bold]p[/]", "p ≤ ½ …", "\\frac"]
    root = InterpNode("<root>", Uncond())
    below = {root.child(name, Agree(f"{name}?")): heads([(0, 0)], at=0) for name in odd}
    tree = treeify(Correspondence({root: output(at=0), **below}))
    drawn = ElementTree.fromstring(svg(tree, "<&> $heading$"))
    written = {text for element in drawn.iter() for text in [element.text] if text}
    assert {"<&> $heading$", "<root>", *odd, *(f"Agree({name}?)" for name in odd)} <= written


# From the command line


def test_plan_draws_one_claim(tmp_path: Path) -> None:
    file = tmp_path / "tree.svg"
    done = inside("plan", f"{IOI}::by_position", "--svg", file)
    assert (done.code, done.err) == (0, "")
    words = [element.text for element in ElementTree.parse(file).iter()]
    assert {"logits", "name movers", "S-inhibition", "Agree(io_is_first)"} <= set(words)
    assert any(word and word.startswith("by_position: ") for word in words)


def test_a_picture_of_several_claims_is_refused(tmp_path: Path) -> None:
    done = inside("plan", IOI, "--svg", tmp_path / "tree.svg")
    assert (done.code, done.out) == (2, "")
    assert "--svg draws one claim, and there are 5. Name one, as in " in done.err
    assert f"{IOI}::by_value; there are: by_value, by_position, " in done.err
    assert not list(tmp_path.iterdir())
