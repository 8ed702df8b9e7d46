"""The tree of a claim as text (`scrub plan`)."""

from __future__ import annotations

from rich.text import Text
from rich.tree import Tree as Picture

from scrub.hypothesis.tree import Tree
from scrub.report.console import titled
from scrub.report.tree_boxes import Box, boxes


def tree_picture(tree: Tree) -> Picture:
    """The tree of a hypothesis: nodes, samplers, sites and paths."""

    def label(box: Box) -> Text:
        return titled(box.title, f": {box.sites}\n{', '.join(box.swaps)}")

    def grow(box: Box, picture: Picture) -> Picture:
        for child in box.children:
            grow(child, picture.add(label(child)))
        return picture

    root = boxes(tree)
    return grow(root, Picture(label(root)))


def samplers_in_words(tree: Tree) -> Text:
    """What the samplers below each node of the picture draw."""
    if tree.is_leaf:
        return Text("Below the node: the sampler of its input.", style="dim")
    return Text(
        "Below each node: the sampler of its own input; other inputs are those of all that none of "
        "its children claims.",
        style="dim",
    )
