"""Time the engine beside other ways to do the same work, and against the least that it takes.

    python benchmarks/speed.py [--quick] [--only NAME]... [--out FOLDER]

Prints a table and writes it to docs/benchmarks.md, with the curves in docs/figures. NAME is trees,
suites, paths, edges, attribution or curves. `--quick` does all of it on a tiny model in seconds,
and writes only where `--out` says. Let nothing else run meanwhile.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from timing import curves
from timing.compare_attribution import attribution
from timing.compare_paths import edge_patching, path_patching
from timing.compare_trees import Bench, one_tree, suites
from timing.ours import Machine, Work
from timing.setting import FULL, METRIC, QUICK, Size, random_bridge, random_rows
from timing.table import Row, markdown, show

from scrub.model.bridge import graph_of

DOCS = Path(__file__).resolve().parents[1] / "docs"
COMPARISONS: dict[str, Callable[[Bench], list[Row]]] = {
    "trees": one_tree,
    "suites": suites,
    "paths": path_patching,
    "edges": edge_patching,
    "attribution": attribution,
}
WORDS = """\
**ours**: wall time, the model is loaded. Of trees and suites: of `scrub.run`, from the hypothesis
to the verdict. Their nodes state features, so that each is scrubbed twice: as claimed, and
*loosened*, with any input in place of those that its nodes ask for (docs/diagnostics.md). Time,
FLOPs and bound are those of both scrubs together, and *of which loosened* are those of the second
alone, with no checks and no plain values; hooked forwards scrub once, as claimed. Of senders and
edges, which differ in one node: of one plan for all that have one receiver (`scrub.engine.family`),
drawn once and scrubbed once, with an interval each; neither their legality is checked nor are they
loosened. *Cold* begins without plain values; *warm* has them. **bound**: the least operations at
the machine's measured matrix-product rate. **Least**: matrix products of the values that the roots
depend on, each once, as `benchmarks/timing/minimum.py` counts them on the reference evaluator's
paths: by (site, open paths, rows), and only at positions that are read. Outputs of plain heads are
not kept (they would take 12 times the memory of what is), so a head that a node brings is written
anew; the lines "if heads' outputs were kept" have the bound without that. **FLOPs**: counted by
torch's counter. **off by**: largest difference of the metric of one reference between the two ways,
relative to the largest metric. **scaled**: what was timed, where that was not all of the work.

**hooked forwards**: one patched forward of the TransformerBridge per internal node and reference,
in batches of 32 (on larger ones it is less than 5% quicker); no gradients; plain values are
computed once per row and reused; it stops behind the last layer that the node reads. **trimmed**:
it also starts from the kept stream at the first layer that changes, and unembeds the last position
only. The trees are chosen so that one forward a node is exact: the children of a node take one way,
and what their paths may not pass is held at its plain value.

**get_act_patch_direct_path** sends from heads only, by direct paths only, at all positions, to
every later head in turn, and shows the logits: the receiver's query was read by a hook of ours.

**attribution**: the effect of every head and MLP on the logits at the end, by first order, along
all paths. The first line is gradients alone: new values, and old ones with their gradients. The
second is all that `scrub.patch(…, approximate=True)` does: checks, the same, exact effects of a
random tenth of the senders with plain values known, and intervals. Others give no exact effects.
The bound is of a forward for each row and a backward for each old input and reference, at positions
on which the end depends, no weight's gradient being asked for. **hooks** are
`cache_activation_and_gradient` of TransformerLens in batches as large as ours;
**attribution_patch** is its own function, which takes the pairs one by one and gives a number for
each position. No norm is frozen on any side.

**AutoCircuit's method**: AutoCircuit 1.0.1 installs beside TransformerLens 4 and cannot be imported
there (it needs `HookedTransformer`), so its edge patching is written again with hooks on the bridge
(`benchmarks/timing/edges.py`): one edge a forward, all destinations patched by masks.
"""


def bench_of(size: Size) -> Bench:
    """The model and the data of a size, ready to scrub."""
    bridge = random_bridge(size.shape)
    data = random_rows(size.rows, size.width, size.shape.vocabulary)
    work = Work(graph_of(bridge), size.shape, data, METRIC, size.references, ())
    return Bench.of(size, bridge, work)


def write(
    folder: Path, size: Size, machine: Machine, rows: Sequence[Row], slopes: pd.DataFrame | None
) -> None:
    """Write benchmarks.md."""
    shape = size.shape
    parts = [
        "# Benchmarks\n",
        "`python benchmarks/speed.py` makes this page.\n",
        f"A random GPT-2 of {shape.layers} layers, {shape.heads} heads and width {shape.d_model}; "
        f"{size.references:,} references drawn from {size.rows:,} rows of {size.width} tokens; "
        f"float32. Medians of {size.repeats} runs, except where `scaled` says otherwise.\n",
        f"{machine}.\n",
        markdown(rows, machine.rate),
        WORDS,
    ]
    if slopes is not None:
        small = size.curves
        parts += [
            "## Curves\n",
            f"A smaller model (width {small.d_model}, {small.heads} heads; {small.layers} layers "
            "where they do not vary). Slope of log cost over log size: 1 is linear, less is "
            "better.\n",
            _table_of(slopes),
            *(f"![{p.stem}](figures/{p.name})\n" for p in sorted(folder.glob("figures/cost_*"))),
        ]
    (folder / "benchmarks.md").write_text("\n".join(parts), encoding="utf-8")


def _table_of(slopes: pd.DataFrame) -> str:
    lines = [list(slopes.columns), ["---"] * len(slopes.columns)]
    for row in slopes.itertuples(index=False):
        lines.append([f"{v:.2f}" if isinstance(v, float) else str(v) for v in row])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, or these arguments, and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", choices=[*COMPARISONS, "curves"])
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args(arguments)
    names = chosen.only or [*COMPARISONS, "curves"]
    size = QUICK if chosen.quick else FULL
    folder = chosen.out or (None if chosen.quick or chosen.only else DOCS)
    machine = Machine.measured()
    compared = [name for name in names if name in COMPARISONS]
    rows: list[Row] = []
    if compared:
        bench = bench_of(size)
        for name in compared:
            started = time.perf_counter()
            rows += COMPARISONS[name](bench)
            print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
        show(rows, machine.rate, str(machine))
    slopes = None
    if "curves" in names:
        found = curves.points(size)
        slopes = curves.exponents(found)
        print(_table_of(slopes))
        if folder is not None:
            curves.plot(found, folder / "figures")
    if folder is not None:
        write(folder, size, machine, rows, slopes)


if __name__ == "__main__":
    main()
