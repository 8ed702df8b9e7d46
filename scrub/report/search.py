"""A search on the terminal: its tree, with what each group carries of the total effect."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text
from rich.tree import Tree as Picture

from scrub.report.console import claim_line, titled
from scrub.searches.group_names import attended
from scrub.searches.hypothesis import Node, nodes_of
from scrub.searches.measured import Component, in_words
from scrub.searches.path_search import PathSearch
from scrub.stats.rounding import number


def show_found(search: PathSearch, console: Console) -> None:
    """Print the tree that was found.

    Raises:
        NothingFoundError: nothing was.
    """
    behaviour = search.item.behaviour
    console.print(claim_line(behaviour.name, behaviour.says))
    picture = Picture(titled("the output", f": {search.metric.name}"))
    _grow(nodes_of(search), picture, search)
    console.print(picture)


def _grow(nodes: Sequence[Node], picture: Picture, search: PathSearch) -> None:
    for node in nodes:
        _grow(node.children, picture.add(Text.assemble(*_label(node, search))), search)


def _label(node: Node, search: PathSearch) -> tuple[tuple[str, str] | str, ...]:
    """ "S-inhibition at end, attending to s2", and below it a line for each port."""
    return ((node.name, "bold"), f"{place(node, search)}\n{shares(node)}")


def place(node: Node, search: PathSearch) -> str:
    """Where a group stands and looks: " at end, attending to s2"."""
    at = node.sender.at
    said = "" if at == "all" or node.name.endswith(f" at {at}") else f" at {at}"
    if node.links[0].kind != "heads":
        return said
    to = attended(node.sender, search.attends)
    return f"{said}, attending to {to}" if to else said


def shares(node: Node) -> str:
    """What each component carries by each port: "into q: 2.0 27.0%, 2.1 75.2%"."""
    found = []
    for link in node.links:
        each = [f"{_number(one.sender)}{number(100 * one.share, 1)}%" for one in link.effects]
        into = f"into {link.port}: " if link.port else ""
        found.append(f"{into}{', '.join(each)}")
    return "\n".join(found)


def _number(one: Component) -> str:
    """A head's or MLP's number; the embeddings have none."""
    return "" if one.kind == "embeddings" else f"{in_words((one,)).split()[-1]} "
