"""The tree that a search has found as a picture: groups as boxes, shares on the edges."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scrub.report.search import place, shares
from scrub.report.tree_boxes import Box
from scrub.report.tree_svg import draw_boxes
from scrub.searches.group_names import group_name
from scrub.searches.hypothesis import Node, nodes_of
from scrub.searches.path_search import PathSearch

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_search_tree(search: PathSearch, file: Path) -> None:
    """Write the picture: the same bytes for the same search. Raises an OSError if that fails."""
    import matplotlib

    drawn = io.BytesIO()
    kind = file.suffix.removeprefix(".").lower()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "scrub"}):
        dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
        search_tree(search).savefig(drawn, format=kind, metadata=dates.get(kind))
    file.write_bytes(drawn.getvalue())


def search_tree(search: PathSearch) -> Figure:
    """The tree from left to right: on each edge the port, and what each component carries alone.

    Raises:
        NothingFoundError: nothing was found.
    """
    behaviour = search.item.behaviour
    root = Box("the output", search.metric.name, (), _boxes(nodes_of(search), search))
    return draw_boxes(root, f"{behaviour.name} on {search.model.name}: {behaviour.says}")


def _boxes(nodes: Sequence[Node], search: PathSearch) -> tuple[Box, ...]:
    return tuple(
        Box(
            node.name,
            place(node, search).strip(" ,"),
            _heads(node),
            _boxes(node.children, search),
            edge=tuple(shares(node).split("\n")),
        )
        for node in nodes
    )


def _heads(node: Node) -> tuple[str, ...]:
    """The group's components, where its name does not say them."""
    named = group_name(node.sender.components, {})
    return () if node.name.startswith(named) else (named,)
