"""Draw the picture in docs/engine.md: what a plan computes of a small model, and what it looks up.

    python benchmarks/draw_engine.py

The colours are read from the plan of the claim, not drawn by hand.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen
from timing.setting import Shape, random_bridge

from scrub import Correspondence, Exact, InterpNode, Uncond, anything, heads, output
from scrub.data.dataset import Dataset, Rows
from scrub.engine.plan import plan
from scrub.engine.ranges import Range, bounds
from scrub.engine.steps import Plan, SiteStep
from scrub.hypothesis.sites import ALL
from scrub.hypothesis.tree import treeify
from scrub.model.bridge import graph_of
from scrub.names import EMBED, LOGITS, attention_site, mlp

FILE = Path(__file__).resolve().parents[1] / "docs" / "figures" / "engine.svg"
PROMPT = ("Then", "Ann", "and", "Bob", "met;", "Bob", "gave", "to")
PLACES = {"s2": 5, "end": 7}
SHAPE = Shape(layers=3, heads=2, d_model=8, vocabulary=50, width=len(PROMPT))
PLAIN, CHILD, COMPUTED = "#e9e9e9", "#7fb2e5", "#f5a35c"
MOVER = (2, 1)


@frozen
class Drawn:
    """One row of cells: a label, the site, and its head."""

    label: str
    site: str
    head: int | None = None


def claim() -> Correspondence:
    """A name mover is told by head 0.1 at S2, through anything, what to look for."""
    logits = InterpNode("logits", Exact(), other=Exact())
    mover = logits.child("name mover", Exact())
    told = mover.child("S2 is a repeat", Uncond())
    return Correspondence(
        {
            logits: output(at="end"),
            mover: heads([MOVER], at="end"),
            told: heads([(0, 1)], at="s2", into="q", through=anything),
        }
    )


def rows() -> Rows:
    """The prompt, as far as its positions go."""
    width = len(PROMPT)
    data = Dataset(
        "prompt",
        {"tokens": np.arange(width)[None]},
        np.array([width]),
        positions={name: np.array([place]) for name, place in PLACES.items()},
    )
    return Rows(data, np.array([0]))


def computed(planned: Plan, node: tuple[str, ...], drawn: Drawn) -> set[int]:
    """The positions at which steps of a node compute a site."""
    found: set[int] = set()
    for step in planned.steps:
        if not isinstance(step, SiteStep) or (step.node, step.site) != (node, drawn.site):
            continue
        if drawn.head in step.heads or None in step.heads:
            if step.at == ALL:
                found |= set(range(len(PROMPT)))
            elif isinstance(step.at, Range):
                ((first, last),) = bounds(step.at, rows(), len(PROMPT)).tolist()
                found |= set(range(first, last + 1))
            else:
                found |= {PLACES.get(str(spec), -1) for spec in step.at}
    return found


def panels() -> list[tuple[str, tuple[str, ...], list[Drawn], dict[str, int]]]:
    """Title, node, rows from the bottom up, and where a child's value stands."""
    below = [Drawn("embeddings", EMBED)]
    for layer in range(SHAPE.layers - 1):
        z = attention_site(layer, "z")
        below += [Drawn(f"head {layer}.{h}", z, h) for h in range(SHAPE.heads)]
        below.append(Drawn(f"MLP {layer}", mlp(layer)))
    layer, head = MOVER
    ports = [Drawn(f"2.1: {part}", attention_site(layer, part), head) for part in "kvqz"]
    top = [Drawn(f"head 2.{h}", attention_site(layer, "z"), h) for h in range(SHAPE.heads)]
    top += [Drawn("MLP 2", mlp(2)), Drawn("logits", LOGITS)]
    return [
        ("inside the name mover, on its other input", ("logits", "name mover"), below + ports,
         {"head 0.1": PLACES["s2"]}),
        ("inside the logits, on their other input", ("logits",), below + top,
         {"head 2.1": PLACES["end"]}),
    ]  # fmt: skip


def panel(axes: Any, title: str, cells: list[tuple[Drawn, set[int], int | None]]) -> None:
    """One grid: sites upwards, positions to the right."""
    from matplotlib.patches import Rectangle

    for height, (drawn, here, child) in enumerate(cells):
        for place in range(len(PROMPT)):
            colour = COMPUTED if place in here else CHILD if place == child else PLAIN
            axes.add_patch(Rectangle((place + 0.06, height + 0.12), 0.88, 0.76, color=colour))
        axes.text(-0.2, height + 0.5, drawn.label, ha="right", va="center", fontsize=9)
    for place, word in enumerate(PROMPT):
        named = next((n.upper() for n, p in PLACES.items() if p == place), "")
        axes.text(place + 0.5, -0.45, f"{word}\n{named}", ha="center", va="top", fontsize=8)
    axes.set(xlim=(-2.2, len(PROMPT)), ylim=(-1.6, len(cells) + 0.2))
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()


def main() -> None:
    """Write the picture."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    planned = plan(treeify(claim()), graph_of(random_bridge(SHAPE)))
    figure = Figure(figsize=(10, 5), layout="constrained")
    for axes, (title, node, drawn, children) in zip(figure.subplots(1, 2), panels(), strict=True):
        panel(
            axes, title, [(d, computed(planned, node, d), children.get(d.label)) for d in drawn]
        )  # fmt: skip
    figure.legend(
        handles=[
            Patch(color=PLAIN, label="plain: no route is open; computed once per row and kept"),
            Patch(color=CHILD, label="a child's value: a leaf's is plain on its own input"),
            Patch(color=COMPUTED, label="a route is open and somebody reads it: computed"),
        ],
        loc="outside lower center", ncols=1, fontsize=9, frameon=False,
    )  # fmt: skip
    FILE.parent.mkdir(exist_ok=True)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "scrub"}):
        figure.savefig(FILE, metadata={"Date": None})


if __name__ == "__main__":
    main()
