"""Completeness, minimality and the curve of a circuit on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from scrub.circuits.ablations import certain
from scrub.circuits.curve import Curve, Level
from scrub.circuits.scores import CircuitScores
from scrub.report.columns import Column, table
from scrub.stats.rounding import interval, number, percent

SIZES = 8
"""Sizes at which it is shown how often each head is kept, at most."""


def show_completeness(scores: CircuitScores, console: Console, width: int, top: int) -> None:
    """The sets under which circuit and model part most."""
    found = scores.completeness
    if found is None:
        return
    ordered = sorted(found.sets, key=lambda one: -one.distance.mean)
    level = percent(ordered[0].difference.confidence)
    console.print()
    console.print(
        Text(
            f"Completeness: |F(C∖K) − F(M∖K)| is {interval(found.worst)} of the performance at "
            f"most, over {len(ordered)} sets K"
        ),
        width=width,
    )
    shown = ordered[:top]
    columns = [
        Column("K", [one.name for one in shown], fold=True),
        Column("nodes", [f"{len(one.nodes):,}" for one in shown], right=True, drop=1),
        Column("C∖K", [number(one.circuit.mean) for one in shown], right=True),
        Column("M∖K", [number(one.model.mean) for one in shown], right=True),
        Column(f"difference [{level}]", [_dimmed(one.difference) for one in shown]),
    ]
    console.print(table(columns, width), highlight=False)
    if len(ordered) > top:
        console.print(Text(f"the {top} largest of {len(ordered)} sets"), width=width)
    worst = found.worst_set
    if worst.nodes and worst.kind != "role":
        console.print(Text(f"{worst.name}: {', '.join(worst.nodes)}"), width=width)


def show_minimality(scores: CircuitScores, console: Console, width: int) -> None:
    """What each node matters, and the nodes that matter under no set."""
    found = scores.minimality
    if not found:
        return
    level = percent(found[0].effect.confidence)
    console.print()
    console.print(
        Text(
            "Minimality: what is lost with each node, alone and where it matters most, others "
            "being out"
        ),
        width=width,
    )
    columns = [
        Column("node", [one.node for one in found], fold=True),
        Column("alone", [number(one.alone.mean) for one in found], right=True),
        Column(f"at most [{level}]", [_dimmed(one.effect) for one in found]),
        Column("where these are out", [_under(one.under) for one in found], fold=True),
    ]
    console.print(table(columns, width), highlight=False)
    if scores.no_matter:
        line = f"matters under no set that was tried: {', '.join(scores.no_matter)}"
    else:
        line = "every node matters under some set that was tried"
    console.print(Text(line), width=width)


def show_curve(scores: CircuitScores, console: Console, width: int) -> None:
    """Performance by size, the levels, and how often heads are kept."""
    found = scores.curve
    if found is None:
        return
    points = found.points[0]
    level = percent(points[0].recovered.confidence)
    console.print()
    console.print(
        Text(f"Curve: {scores.removed} removed one by one ({found.orders[0]})"), width=width
    )
    columns = [
        Column(f"{scores.removed} kept", [f"{point.size:,}" for point in points], right=True),
        Column(f"recovered [{level}]", [interval(point.recovered) for point in points]),
        Column("removed last", [point.removed for point in points], fold=True),
    ]
    console.print(table(columns, width), highlight=False)
    for one in found.levels:
        console.print(Text(level_in_words(one, scores.removed)), width=width)
    if len(found.orders) > 1:
        _frequency(found, console, width)


def level_in_words(level: Level, removed: str = "heads") -> str:
    """ "75% with 10 heads (0.771 [0.742, 0.800]); lost: head 9.9 at end"."""
    share = percent(level.share)
    if level.point is None:
        return f"{share}: no circuit of this order keeps it"
    count = level.point.size
    heads = f"{count:,} {removed.removesuffix('s') if count == 1 else removed}"
    lost = f"; without {', '.join(level.lost)}" if level.lost else ""
    return f"{share} with {heads}: {interval(level.point.recovered)}{lost}"


def _frequency(found: Curve, console: Console, width: int) -> None:
    often = found.frequency()
    sizes = list(next(iter(often.values())))
    step = -(-len(sizes) // SIZES)
    shown = [size for size in sizes[1:-1:step] if 0 < size < sizes[0]]
    console.print()
    console.print(
        Text(f"Of {len(found.orders)} orders ({', '.join(map(str, found.orders))}) so many keep a "
             "head, by how many are kept"),
        width=width,
    )  # fmt: skip
    columns = [Column("head", list(often), fold=True)]
    for size in shown:
        cells = [percent(round(sizes_[size], 2)) for sizes_ in often.values()]
        columns.append(Column(f"{size:,}", cells, right=True))
    console.print(table(columns, width), highlight=False)


def _dimmed(found: object) -> Text:
    from scrub.stats.intervals import Interval

    assert isinstance(found, Interval)
    return Text(interval(found, (0.0,)), style="" if certain(found) else "dim")


def _under(nodes: tuple[str, ...]) -> str:
    return ", ".join(nodes) if nodes else "–"
