"""Trees for people: what a hypothesis swaps (`show`), and what it would run (`plan`)."""

from __future__ import annotations

import difflib

import numpy as np
from rich.table import Table
from rich.text import Text
from rich.tree import Tree as Picture

from scrub.budget import fit
from scrub.combinations import by_dataset
from scrub.data import Rows
from scrub.draw import Draws, draw
from scrub.model.plain import PlainCache
from scrub.options import Options
from scrub.picture import Box, boxes
from scrub.plan import plan
from scrub.prepare import Prepared
from scrub.results import describe_route
from scrub.samplers import describe_sampler
from scrub.sites import ALL, Route
from scrub.steps import Plan, SiteStep, Step
from scrub.terminal import titled
from scrub.tree import Occurrence, Tree
from scrub.work import work


def swaps(tree: Tree, draws: Draws, sample: int) -> Picture:
    """The tree with every node's inputs as text.

    Tokens that are not the reference's are in «guillemets»; positions that a node stands for are
    _underlined_.
    """
    reference = draws.references.at(draws.references.index[sample : sample + 1])
    picture = Picture(Text.assemble("reference: ", _text(reference, reference, ())))

    def grow(node: Occurrence, picture: Picture) -> None:
        drawn = draws.nodes[node.path]
        branch = picture.add(titled(node.node.name, f" ({_sites(node)})"))
        rows = drawn.own.at(drawn.own.index[sample : sample + 1])
        marked = node.routes if node.is_leaf else ()
        words = describe_sampler(node.node.sampler)
        branch.add(Text.assemble(f"own   {words}: ", _text(rows, reference, marked)))
        if drawn.other is not None:
            rows = drawn.other.at(drawn.other.index[sample : sample + 1])
            words = describe_sampler(node.node.other)
            branch.add(Text.assemble(f"other {words}: ", _text(rows, reference, node.routes)))
        for child in node.children:
            grow(child, branch)

    grow(tree, picture)
    return picture


def _sites(node: Occurrence) -> str:
    return " | ".join(describe_route(route) for route in node.routes)


def _text(rows: Rows, reference: Rows, routes: tuple[Route, ...]) -> Text:
    """One row as text, with what differs from the reference marked."""
    row = int(rows.index[0])
    if not rows.data.pieces:
        values = {name: np.asarray(v[row]).tolist() for name, v in rows.data.inputs.items()}
        return Text(f"row {row}: {values}")
    pieces = rows.data.pieces[row]
    known = reference.data.pieces[int(reference.index[0])]
    same = np.zeros(len(pieces), dtype=bool)
    matcher = difflib.SequenceMatcher(a=known, b=pieces, autojunk=False)
    for block in matcher.get_matching_blocks():
        same[block.b : block.b + block.size] = True
    at = {
        int(rows.data.position(spec)[row])
        for route in routes
        if route.at != ALL
        for spec in route.at
    }
    shown = Text()
    for i, piece in enumerate(pieces):
        piece = piece if shown.plain else piece.lstrip()
        shown += _marked(piece, changed=not same[i], underlined=i in at)
    shown.rstrip()
    return shown


def _marked(piece: str, *, changed: bool, underlined: bool) -> Text:
    word = piece.lstrip()
    space = piece[: len(piece) - len(word)]
    shown = Text(f"_{word}_", style="underline") if underlined else Text(word)
    if changed:
        shown = Text.assemble("«", shown, "»", style="yellow")
    return Text.assemble(space, shown)


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


def plan_table(claim: Prepared) -> Table:
    """The steps of a plan, in order."""
    shown = Table(box=None, pad_edge=False)
    for name in ("step", "value", "heads", "positions", "in", "depends on"):
        shown.add_column(name, justify="right" if name == "step" else "left")
    for number, step in enumerate(_plan(claim).steps):
        needs = ", ".join(f"{v.path[-1]}.{v.which}" for v in sorted(step.needs))
        shown.add_row(str(number), *map(Text, (*_step(step), step.node[-1], needs)))
    return shown


def _step(step: Step) -> tuple[str, str, str]:
    at = ", ".join(map(str, step.at)) if isinstance(step.at, tuple) else str(step.at)
    if isinstance(step, SiteStep):
        return step.site, ", ".join(str(h) for h in step.heads if h is not None), at
    return f"change of {step.stream}", "", at


def cost_line(claim: Prepared, options: Options) -> str:
    """What a run will take, drawn as it would be."""
    planned = _plan(claim)
    draws = draw(claim.tree, claim.data, samples=options.samples, seed=options.seed)
    within = fit(planned, draws, PlainCache(planned.graph), options.memory)
    found = work(planned, draws, within)
    rows = sum(len(rows) for rows in by_dataset(draws.rows()))
    return (
        f"{_si(found.flops + found.plain_flops)}FLOP and {_si(found.peak)}B for "
        f"{options.samples:,} references, which draw {rows:,} rows (plain model: "
        f"{_si(found.plain_flops)}FLOP of them, once per session)."
    )


def _plan(claim: Prepared) -> Plan:
    return plan(claim.tree, claim.model.graph, columns=claim.of_labels)


def _si(number: float) -> str:
    for prefix in ("", "k", "M", "G", "T"):
        if number < 1000:
            return f"{number:.3g} {prefix}"
        number /= 1000
    return f"{number:.3g} P"
