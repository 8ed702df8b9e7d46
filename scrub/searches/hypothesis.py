"""What a search has found as a hypothesis file, as a person would write it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from attrs import evolve, field, frozen

from scrub.errors import UserError
from scrub.hypothesis.arguments import Head
from scrub.hypothesis.sites import Route
from scrub.runner.context import Context
from scrub.samplers import is_virtual
from scrub.searches.found import ROOT, Link
from scrub.searches.group_names import group_name, placed_name
from scrub.searches.measured import Effect, Receiver
from scrub.searches.path_search import PathSearch
from scrub.stats.rounding import number
from scrub.sweeps.code import LINE, Call, lines, sites_in_code, variable_name
from scrub.sweeps.hypothesis_file import OFFERED, check_importable, imports, shared_corruption
from scrub.sweeps.run import origin_of
from scrub.sweeps.save import save_checked
from scrub.sweeps.sweep import Origin

NAMES = (*OFFERED, "held_out", "model")
HALF = "HELD_OUT"
BOUND = 0.5
"""What the file believes is recovered, at least or at most: most of it. Written down before any of
the rows that are held out was looked at."""


@frozen
class Node:
    """A group at one place of the file's tree.

    Attributes:
        name: unique among its siblings.
        variable: unique in the file.
        links: to its parent, one for each port.
    """

    name: str
    variable: str
    links: tuple[Link, ...]
    children: tuple[Node, ...] = field(default=())

    @property
    def sender(self) -> Receiver:
        return self.links[0].sender

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            yield from child.walk()


def nodes_of(search: PathSearch) -> tuple[Node, ...]:
    """The tree below the root: a group that sends to two is there twice.

    Raises:
        NothingFoundError: there is none.
    """
    search.links()
    taken: set[str] = {*NAMES, "root", "enough", "needed", "own", "other", "paths"}
    return _below(ROOT, search.found.links, search.model.roles, taken)


def _below(
    receiver: Receiver,
    links: Mapping[Receiver, tuple[Link, ...]],
    roles: Mapping[str, Sequence[Head]],
    taken: set[str],
) -> tuple[Node, ...]:
    by_sender: dict[Receiver, list[Link]] = {}
    for link in links.get(receiver, ()):
        by_sender.setdefault(link.sender, []).append(link)
    names = [group_name(sender.components, roles) for sender in by_sender]
    found = []
    for name, (sender, several) in zip(names, by_sender.items(), strict=True):
        placed = placed_name(sender, roles) if names.count(name) > 1 else name
        variable = variable_name(placed, taken, NAMES)
        below = _below(sender, links, roles, taken)
        found.append(Node(placed, variable, tuple(several), below))
    return tuple(found)


def hypothesis_text(search: PathSearch) -> str:
    """The text of a file with two claims about what was found, on the rows that are held out.

    That these paths are enough: with all else corrupted the model does most of what it did. And
    that they are needed: with these corrupted, and nothing else, it does not.

    Raises:
        NothingFoundError: nothing was found.
        UserError: the behaviour is held by no variable of a file that another could import; or its
            corrupted inputs are drawn at random in a way that several nodes cannot share.
    """
    nodes, origin = nodes_of(search), origin_of(search.item, search.context)
    check_importable(origin, search.item.behaviour.name, "scrub find")
    body = "\n\n\n".join((_paths(search, nodes), _enough(search, nodes, origin), _needed(origin)))
    used = {node.id for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name)}
    used |= {"held_out"}
    offered = sorted((*OFFERED, "held_out"), key=lambda name: (name.islower(), name))
    more = () if origin.model else ("MODEL",)
    seed = search.context.options.seed
    return (
        f'"""{search.item.behaviour.name}: the paths that carry it, as a search found them."""\n\n'
        f"{imports('scrub', [name for name in offered if name in used])}\n\n"
        f"{imports(origin.module, sorted({origin.variable, *more}))}\n\n"
        f"{HALF} = held_out({origin.variable}, seed={seed})"
        "  # the rows that were not searched\n\n\n"
        f"{body}\n"
    )


def _paths(search: PathSearch, nodes: Sequence[Node]) -> str:
    """The function that makes the tree, which both claims share."""
    said = ['    root = InterpNode("root", Exact(), other=other)']
    entries = [f"            root: {HALF}.build(model),"]
    waiting = [("root", node) for node in nodes]
    while waiting:
        parent, node = waiting.pop(0)
        sampler = "Exact(), other=other" if node.children else "own"
        said.append(f'    {node.variable} = {parent}.child("{node.name}", {sampler})')
        (made,) = sites_in_code(_routes(node, search), search.model.roles)
        entries.append(lines(made, 12, before=f"{node.variable}: ", after=","))
        waiting += [(node.variable, child) for child in node.children]
    tree = ["    return Correspondence(", "        {", *entries, "        }", "    )"]
    return "\n".join(
        [
            "def paths(model, own, other):",
            '    """The paths: where they begin is computed on `own`, all else on `other`.',
            "",
            *_what_was_found(search, nodes),
            '    """',
            *said,
            *tree,
        ]
    )


def _enough(search: PathSearch, nodes: Sequence[Node], origin: Origin) -> str:
    heads = ", ".join(dict.fromkeys(node.name for top in nodes for node in top.walk()))
    says = f"The paths by {heads} are enough: all else may come from the corrupted run."
    if len(says) > 88:
        says = "The paths that were found are enough: all else may come from the corrupted run."
    return (
        f"{_decorator(origin, 'above')}\ndef enough(model):\n"
        f'    """{says}"""\n    return paths(model, own=Exact(), other={_corrupt(search)})'
    )


def _needed(origin: Origin) -> str:
    return (
        f"{_decorator(origin, 'below')}\ndef needed(model):\n"
        '    """These paths are needed: with them corrupted, and nothing else, it fails."""\n'
        f"    return paths(model, own={HALF}.corrupt, other=Exact())"
    )


def _routes(node: Node, search: PathSearch) -> list[Route]:
    ports = [link.port for link in node.links if link.port]
    return [
        evolve(route, at=_at(node.sender), into=ports or None, through=search.settings.through)
        for route in _whole(node.sender, search)
    ]


def _whole(sender: Receiver, search: PathSearch) -> list[Route]:
    graph = search.model.graph
    return [route for one in sender.components for route in one.routes(graph)]


def _at(sender: Receiver) -> object:
    return sender.at if sender.at == "all" else (sender.at,)


def _decorator(origin: Origin, side: str) -> str:
    arguments = [f"data={HALF}.data", f"metric={HALF}.metric", f"expect=supported({side}={BOUND})"]
    if origin.model:
        arguments.append(f"model={origin.model}")
    return lines(Call("@claim(", tuple(arguments)))


def _what_was_found(search: PathSearch, nodes: Sequence[Node]) -> Iterator[str]:
    """The docstring's list: what each group carries, on the rows that were searched."""
    options = search.context.options
    yield f"    Of the total effect on {search.metric.name}, each alone, on the half that was"
    yield f"    searched ({options.samples:,} references, seed {options.seed}):"
    yield ""
    for node in (one for top in nodes for one in top.walk()):
        for link in node.links:
            yield from _found(link, search)


def _found(link: Link, search: PathSearch) -> Iterator[str]:
    """One group in the docstring: "- S-inhibition at end into q of name mover: 2.1 75.2%"."""
    roles = search.model.roles
    receiver = "the output" if link.receiver.is_root else placed_name(link.receiver, roles)
    way = f"into {link.port} of {receiver}" if link.port else f"to {receiver}"
    head = f"    - {placed_name(link.sender, roles)}, {way}:"
    shares = [f"{_named(one)}{number(100 * one.share, 1)}%" for one in link.effects]
    whole = f"{head} {', '.join(shares)}"
    yield from [whole] if len(whole) <= LINE else [head, *(f"      {share}" for share in shares)]


def _named(one: Effect) -> str:
    return "" if one.sender.kind == "embeddings" else f"{one.sender} "


def _corrupt(search: PathSearch) -> str:
    """The sampler in code: all nodes are computed on one corrupted input, however it is drawn."""
    corrupt = search.seen.behaviour.corrupt
    own = f"{HALF}.corrupt"
    if found := shared_corruption(corrupt, own):
        return found
    if is_virtual(corrupt):
        return own
    raise UserError(
        "All nodes of the hypothesis are computed on one corrupted input, and "
        f"{type(corrupt).__name__} would draw one for each. Take Paired(…), Uncond() or Agree(…) "
        "as corrupt=."
    )


def save_hypothesis(search: PathSearch, file: Path, context: Context) -> None:
    """Write the file once its claims have passed their check. None of them is run.

    Raises:
        NothingFoundError: nothing was found; nothing is written.
        UserError: no hypothesis can be made of the search, or it is illegal.
        OSError: the file cannot be written.
    """
    save_checked(hypothesis_text(search), file, context)
