"""What scrubbing costs as one thing grows: tree, references, rows, row length, layers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from attrs import evolve, frozen

import scrub
from scrub.model.bridge import graph_of
from scrub.model.graph import Graph
from timing.ours import Work, counted, timed
from timing.setting import METRIC, Size, random_bridge, random_rows
from timing.trees import KINDS, Kind, binary_tree


@frozen
class Point:
    """One run: what was varied, operations with and without those of plain values, and seconds."""

    what: str
    kind: Kind
    size: int
    cold_flops: int
    flops: int
    seconds: float


@frozen
class Setting:
    """What a run is about."""

    layers: int
    nodes: int
    references: int
    rows: int
    width: int


def points(size: Size) -> list[Point]:
    """One run for each value of each thing, by kind of path; all else as in the middle."""
    middle = Setting(size.curves.layers, size.nodes, size.references // 5, size.rows // 5, 16)
    ladder = [factor for factor in (1, 2, 4, 8, 16, 32, 64) if factor <= size.longest]
    varied = {
        "nodes": [evolve(middle, nodes=n) for n in ladder],
        "references": [evolve(middle, references=n) for n in _up_to(size, 100, 10_000)],
        "references (few rows)": [
            evolve(middle, references=n, rows=20) for n in _up_to(size, 100, 10_000)
        ],
        "rows": [evolve(middle, rows=n) for n in _up_to(size, 25, 1_600)],
        "width": [evolve(middle, width=n) for n in (8, 16, 32, 64, 128) if n <= 8 * size.longest],
        "layers": [evolve(middle, layers=n) for n in (3, 6, 12, 24) if n <= 3 * size.longest],
    }
    graphs = {
        layers: graph_of(random_bridge(evolve(size.curves, layers=layers)))
        for layers in {setting.layers for settings in varied.values() for setting in settings}
    }
    return [
        _point(size, graphs[setting.layers], what, setting, kind)
        for what, settings in varied.items()
        for setting in settings
        for kind in KINDS
    ]


def _up_to(size: Size, first: int, last: int) -> Iterable[int]:
    """From the first to the last (to less in a small size), each about twice the one before."""
    end = min(last, first * size.longest)
    steps = round(np.log2(end / first)) + 1
    return np.geomspace(first, end, steps).round().astype(int).tolist()


def _point(size: Size, graph: Graph, what: str, setting: Setting, kind: Kind) -> Point:
    shape = evolve(size.curves, layers=setting.layers)
    data = random_rows(setting.rows, setting.width, shape.vocabulary)
    tree = binary_tree(shape, kind, nodes=setting.nodes, seed=0)
    work = Work(graph, shape, data, METRIC, setting.references, (tree,))
    session = scrub.Session()
    everything, _ = counted(lambda: work.scrub(session))
    again, _ = counted(lambda: work.scrub(session))
    seconds, _ = timed(lambda: work.scrub(session), size.repeats)
    varied = getattr(setting, what.split(" ")[0])
    return Point(what, kind, varied, everything, again, seconds)


def exponents(found: list[Point]) -> pd.DataFrame:
    """The slope of log cost over log size, per thing that was varied and kind of path.

    1 is linear. FLOPs are those of scrubbing, "cold" with the plain values. A tree of one node is
    left out: nothing is scrubbed in it.
    """
    frame = pd.DataFrame([_row(p) for p in found if (p.what, p.size) != ("nodes", 1)])

    def slopes(group: pd.DataFrame) -> pd.Series:
        size = np.log(group["size"])
        costs = ("FLOPs", "cold FLOPs", "seconds")
        return pd.Series({cost: np.polyfit(size, np.log(group[cost]), 1)[0] for cost in costs})

    keys = ["what", "paths"]
    return frame.groupby(keys, sort=False)[list(frame)[2:]].apply(slopes).reset_index()


def _row(point: Point) -> dict[str, object]:
    return {
        "what": point.what, "paths": point.kind, "size": point.size, "FLOPs": point.flops,
        "cold FLOPs": point.cold_flops, "seconds": point.seconds,
    }  # fmt: skip


def plot(found: list[Point], folder: Path) -> list[Path]:
    """One figure for each thing that was varied: FLOPs and seconds, on logarithmic axes."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import seaborn

    folder.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame([_row(point) for point in found])
    paths = []
    for what, group in frame.groupby("what", sort=False):
        figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
        for axis, cost in zip(axes, ("FLOPs", "seconds"), strict=True):
            seaborn.lineplot(
                group, x="size", y=cost, hue="paths", marker="o", ax=axis,
                legend=axis is axes[0],
            )  # fmt: skip
            axis.set(xscale="log", yscale="log", xlabel=str(what))
            seaborn.despine(ax=axis)
        seaborn.lineplot(
            group, x="size", y="cold FLOPs", hue="paths", linestyle=":", ax=axes[0], legend=False
        )
        axes[0].set(ylabel="FLOPs (dotted: with plain values)")
        name = str(what).replace(" (", "_").replace(" ", "_").rstrip(")")
        paths.append(folder / f"cost_{name}.svg")
        figure.savefig(paths[-1], metadata={"Date": None})
        plt.close(figure)
    return paths
