"""What circuits have in common, on the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd
from rich.console import Console
from rich.text import Text

from scrub.circuits.overlap import Common, Overlap
from scrub.report.circuit_shown import WIDTH, size_in_words
from scrub.report.columns import Column, table
from scrub.report.console import titled
from scrub.stats.rounding import number


def show_overlap(found: Overlap, console: Console, width: int | None = None) -> None:
    """Print what each two circuits have in common; of two also by role and layer."""
    width = min(console.width, WIDTH) if width is None else width
    for place, (name, circuit) in enumerate(zip(found.names, found.circuits, strict=True), 1):
        console.print(titled(f"{place} {name}", f": {size_in_words(circuit)}"), width=width)
    console.print()
    console.print(table(_columns(found), width), highlight=False)
    if len(found.circuits) == 2:
        _show_layers(found, console, width)
        _show_roles(found, console, width)
    console.print()
    for line in foot(found):
        console.print(Text(line), width=width)


def _columns(found: Overlap) -> list[Column]:
    """Of two or three digits, so that they fit; the frame has all of them."""
    rows = found.common
    columns = [Column("in common", [one.of.removeprefix("nodes ") for one in rows])]
    if len(found.circuits) > 2:
        place = {name: str(n) for n, name in enumerate(found.names, 1)}
        pairs = [f"{place[one.first]}, {place[one.second]}" for one in rows]
        columns.insert(0, Column("of", pairs))
    for name, which in (("1", 0), ("2", 1)):
        columns.append(Column(name, [f"{one.sizes[which]:,}" for one in rows], right=True))
    columns.append(Column("both", [f"{one.both:,}" for one in rows], right=True))
    columns.append(Column("Jaccard", [_known(one.jaccard) for one in rows], right=True))
    if found.draws:
        columns.append(Column("random [95%]", [_random(one) for one in rows]))
        columns.append(Column("p", [_p(one.p) for one in rows], right=True, drop=3))
    for name, which in (("1 in 2", 0), ("2 in 1", 1)):
        shares = [_known(one.contained[which]) for one in rows]
        columns.append(Column(name, shares, right=True, drop=2))
    return columns


def _random(one: Common) -> str:
    mean, low, high = one.jaccard_random
    shown = f"{number(mean, 2)} [{number(low, 2)}, {number(high, 2)}]"
    return "–" if math.isnan(mean) else shown


def _known(value: float) -> str:
    return "–" if math.isnan(value) else number(value, 2)


def _p(p: float) -> str:
    return "–" if math.isnan(p) else number(p)


def _show_layers(found: Overlap, console: Console, width: int) -> None:
    frame = found.by_layer
    if frame.empty:
        return
    sizes = {"1": "first_size", "2": "second_size", "both": "both"}
    columns = [Column("layer", [_layer(value) for value in frame["layer"]], right=True)]
    columns += [
        Column(name, [f"{count:,}" for count in frame[key]], right=True)
        for name, key in sizes.items()
    ]
    if found.draws:
        random = [_known(mean) for mean in frame["both_random"]]
        columns.append(Column("random", random, right=True))
    console.print()
    console.print(table(columns, width), highlight=False)


def _layer(value: object) -> str:
    return "–" if pd.isna(value) else str(int(value))  # type: ignore[call-overload,arg-type]


def _show_roles(found: Overlap, console: Console, width: int) -> None:
    frame = found.by_role
    if frame.empty:
        return
    places = {name: n + 1 for n, name in enumerate(found.names)}
    inside = [
        f"{inside} of {size}" for inside, size in zip(frame["in_other"], frame["size"], strict=True)
    ]
    same = ["–" if pd.isna(value) else str(int(value)) for value in frame["same_role"]]
    columns = [
        Column("role", list(frame["role"]), fold=True),
        Column("of", [str(places[name]) for name in frame["circuit"]], right=True),
        Column("in the other", inside, right=True),
        Column("in that role", same, right=True),
    ]
    if found.draws:
        random = [_known(mean) for mean in frame["in_other_random"]]
        columns.insert(3, Column("random", random, right=True))
    console.print()
    console.print(table(columns, width), highlight=False)


def foot(found: Overlap) -> Iterator[str]:
    """What the figures rest on, a line each."""
    if len(found.circuits) > 2:
        yield "1 and 2: the first and the second of each pair"
    if found.draws:
        yield (
            f"random: {found.draws:,} circuits like the second, of {found.model}: as many of each "
            f"kind per layer, at its positions; seed {found.seed}"
        )
        yield "p: the share of random circuits that have as much in common"
    if found.problem:
        yield f"no random circuits to compare with: {found.problem}"
    if not found.mlps:
        yield "MLPs are not compared: not every circuit says which are in it"
    if any(one.of == "edges" for one in found.common):
        yield "edges: by port, whatever their positions; both embeddings are one writer"
    elif any(circuit.edges for circuit in found.circuits):
        yield "edges are not compared: not every circuit says which are in it"
