"""Path patching and edge patching: the engine beside hooked forwards, and what others offer."""

from __future__ import annotations

from functools import partial

from attrs import evolve

from scrub.engine.activations import ActivationCache
from scrub.hypothesis.correspondence import Correspondence
from scrub.hypothesis.sites import Head
from scrub.metrics import Metric
from timing.compare_trees import Bench, measured, off
from timing.edges import Edge, EdgePatching, edges_between, on_destination, on_logits
from timing.families import Swept, sweep
from timing.ours import Work, counted, timed
from timing.patching import DirectPaths, along_a_direction, spread, to_logits, to_queries
from timing.setting import METRIC
from timing.table import Other, Row
from timing.trees import KINDS, Kind

TIMED = {"direct": 432, "mlps": 8, "anything": 3}
"""Senders from which ours is timed at most, evenly spread, by kind of path; scaled to all."""
FEWER = {"direct": 1, "mlps": 1, "anything": 8}
"""By what the references are divided on which that is timed; scaled to all."""
SLOW = 3
"""Senders from which hooked forwards are timed, evenly spread."""
TRIED = 4
"""References on which TransformerLens' function is timed."""
EDGES = 12
"""Edges on which ours is timed where what follows is recomputed, evenly spread."""


def path_patching(bench: Bench) -> list[Row]:
    """From every head and MLP, and the embeddings, to the logits and to one head's queries."""
    shape = bench.size.shape
    receiver = (3 * shape.layers // 4, 3 * shape.heads // 4)
    queries = along_a_direction(shape.d_head)
    rows = []
    for kind in KINDS:
        rows.append(_patched(bench, kind, "the logits", to_logits(shape, kind), METRIC))
        name = f"q of head {receiver[0]}.{receiver[1]}"
        row = _patched(bench, kind, name, to_queries(shape, kind, receiver), queries)
        if kind == "direct":
            row = evolve(row, others=(*row.others, _direct_paths(bench, receiver, queries)))
        rows.append(row)
    return rows


def _patched(
    bench: Bench, kind: Kind, to: str, hypotheses: list[Correspondence], metric: Metric
) -> Row:
    chosen = spread(hypotheses, min(TIMED[kind], bench.size.most))
    references = -(-bench.work.references // FEWER[kind])
    work = evolve(bench.work, metric=metric, references=references).of(chosen)
    cache = ActivationCache(work.graph)
    results = sweep(work, cache)
    seconds, _ = timed(lambda: sweep(work, cache), bench.size.repeats)
    executed, _ = counted(lambda: sweep(work, cache))
    scale = len(hypotheses) / len(chosen) * bench.work.references / references
    pairs = spread(list(zip(chosen, results, strict=True)), SLOW)
    note = "" if scale == 1 else f"ours from {len(chosen)} x {references:,} references"
    return Row(
        f"{len(hypotheses)} senders to {to}", kind, scale * seconds, scale * executed,
        scale * work.least(results).scrubbing,
        bench.hooked(pairs, metric, of=len(hypotheses)), note,
    )  # fmt: skip


def _direct_paths(bench: Bench, receiver: Head, metric: Metric) -> Other:
    """TransformerLens' function, from the head before the receiver's layer, on a few references."""
    sender = (receiver[0] - 1, 0)
    hypotheses = to_queries(bench.size.shape, "direct", receiver)
    number = 1 + sender[0] * (bench.size.shape.heads + 1)
    work = evolve(bench.work, metric=metric, references=TRIED).of([hypotheses[number]])
    (result,) = sweep(work, ActivationCache(work.graph))
    (donors,) = [draw.own for path, draw in result.draws.nodes.items() if len(path) == 2]
    direct = DirectPaths(bench.bridge, bench.work.data, receiver)
    references = result.draws.references
    seconds, (query, forwards) = timed(lambda: direct.queries(sender, references, donors), 1)
    each = seconds / forwards / TRIED
    return Other(
        "get_act_patch_direct_path", each * len(hypotheses) * bench.work.references,
        off(measured(metric, query[:, None, None], references), result.scores.scrubbed),
        f"from {forwards} forwards on {TRIED} references (it patches every later head in turn)",
    )  # fmt: skip


def edge_patching(bench: Bench) -> list[Row]:
    """All edges from the heads of one layer to the ports of another's, one at a time."""
    layers = (bench.size.shape.layers // 3, 2 * bench.size.shape.layers // 3)
    edges = edges_between(layers, bench.size.shape.heads)
    name = f"{len(edges)} edges of layers {layers[0]} and {layers[1]}"
    queries = along_a_direction(bench.size.shape.d_head)
    rows = []
    for to, paths, make, metric, some in (
        ("their heads' z", "direct", on_destination, queries, len(edges)),
        ("the logits", "anything", on_logits, METRIC, EDGES),
    ):
        chosen = spread(edges, min(some, bench.size.most))
        work = evolve(bench.work, metric=metric, references=bench.size.edges)
        work = work.of([make(edge) for edge in chosen])
        cache = ActivationCache(work.graph)
        results = sweep(work, cache)
        seconds, _ = timed(lambda w=work, c=cache: sweep(w, c), bench.size.repeats)
        executed, _ = counted(lambda w=work, c=cache: sweep(w, c))
        scale = len(edges) / len(chosen)
        note = "" if scale == 1 else f"ours from {len(chosen)} edges"
        rows.append(
            Row(
                f"{name} to {to}", paths, scale * seconds, scale * executed,
                scale * work.least(results).scrubbing,
                [_edge_patching(bench, work, chosen, results, len(edges), to == "the logits")],
                note,
            )
        )  # fmt: skip
    return rows


def _edge_patching(
    bench: Bench,
    work: Work,
    edges: list[Edge],
    results: list[Swept],
    of: int,
    logits: bool,
) -> Other:
    """AutoCircuit's method on some edges, with the corrupt outputs made before the clock starts.

    Args:
        edges: of which some are taken.
        of: edges to scale up to.
        logits: whether the logits are looked at, or the destinations' z.
    """
    method = EdgePatching(bench.bridge, work.data)
    look = method.logits if logits else method.destination
    some = spread(list(zip(edges, results, strict=True)), SLOW)
    (donors,) = [d.own for path, d in results[0].draws.nodes.items() if path[-1] == "source"]
    corrupt = method.corrupt(donors)  # of all edges: draws are keyed by the nodes' names
    references = results[0].draws.references
    offs, seconds = [], 0.0
    for edge, result in some:
        took, value = timed(partial(look, edge, references, corrupt), 1)
        seconds += took
        numbers = measured(work.metric, value[:, None, None], references)
        offs.append(off(numbers, result.scores.scrubbed))
    note = f"from {len(some)} edges"
    return Other("AutoCircuit's method", of / len(some) * seconds, max(offs), note)
