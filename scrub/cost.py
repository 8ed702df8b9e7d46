"""What a plan costs, before anything runs: floating-point operations and bytes.

Upper bounds: every sample is taken to have drawn rows of its own. A value is let go after its last
use.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from scrub.model.graph import Graph, Site
from scrub.model.plain import needed, reads
from scrub.plan import last_uses
from scrub.sites import ALL, At
from scrub.steps import Plan, SiteStep, Step, StreamRead


@frozen
class Cost:
    """Operations (multiplications and additions) and bytes.

    Attributes:
        flops: per sample, for what scrubbing changes and for the root's plain values.
        bytes: per sample, for the values of one chunk.
        row_flops: per distinct row, for the plain model.
        row_bytes: per distinct row, for the plain values that are kept.
        forward_bytes: per row of a plain forward pass, for what it holds besides what is kept.
    """

    flops: int
    bytes: int
    row_flops: int
    row_bytes: int
    forward_bytes: int

    def total_flops(self, samples: int, rows: int) -> int:
        """All of a run, at most."""
        return samples * self.flops + rows * self.row_flops


def cost(plan: Plan, width: int) -> Cost:
    """The cost of a plan on rows of this width."""
    graph = plan.graph
    rows = [_row(name, graph, width) for name in needed(graph, plan.plain)]
    kept = sum(_numbers(name, graph, width) for name in plan.plain)
    # Original and baseline are read out of the cache as the scrubbed root is out of the steps.
    roots = [_root(cell.site, plan, width) for cell, _ in plan.result.cells]
    return Cost(
        flops=sum(_flops(step, graph, width) for step in plan.steps) + sum(f for f, _ in roots),
        bytes=graph.dtype.itemsize * (_peak(plan, width) + sum(size for _, size in roots)),
        row_flops=sum(rows),
        row_bytes=graph.dtype.itemsize * kept,
        forward_bytes=graph.dtype.itemsize * _forward(graph, plan.plain, width),
    )


def _places(at: At, graph: Graph, name: str, width: int) -> int:
    return graph.span(name, width) if at == ALL else len(at)


def _root(name: str, plan: Plan, width: int) -> tuple[int, int]:
    """Operations and numbers of a root site's plain values: original and baseline."""
    site = plan.graph.sites[name]
    places = _places(plan.result.at, plan.graph, name, width)
    flops = 0 if site.stored else site.flops(width)
    return 2 * places * flops, 3 * places * site.size(width)


def _flops(step: Step, graph: Graph, width: int) -> int:
    if isinstance(step, SiteStep):
        places = _places(step.at, graph, step.site, width)
        return places * len(step.heads) * graph.sites[step.site].flops(width)
    places = _places(step.at, graph, step.stream, width)
    return places * sum(graph.sites[p.site].write_flops * len(p.heads) for p in step.patches)


def _peak(plan: Plan, width: int) -> int:
    """Most numbers held at once for one sample: live values, and what one step reads and makes."""
    graph, last = plan.graph, last_uses(plan)
    live: dict[int, int] = {}
    peak = 0
    for number, step in enumerate(plan.steps):
        made, read = _made(step, graph, width), _read(step, graph, width)
        peak = max(peak, sum(live.values()) + made + read)
        live[number] = made
        for old in [old for old in live if last.get(old) == number]:
            del live[old]
    return peak


def _made(step: Step, graph: Graph, width: int) -> int:
    if isinstance(step, SiteStep):
        site = graph.sites[step.site]
        heads = 1 if site.shared else len(step.heads)
        return _places(step.at, graph, step.site, width) * heads * site.size(width)
    return _places(step.at, graph, step.stream, width) * graph.streams[step.stream].size


def _read(step: Step, graph: Graph, width: int) -> int:
    """Numbers that a step gathers before it computes."""
    if not isinstance(step, SiteStep):
        return 2 * _made(step, graph, width)
    places = _places(step.at, graph, step.site, width)
    total = 0
    for read in step.reads:
        if isinstance(read, StreamRead):
            total += 2 * places * graph.streams[read.stream].size
        else:
            site = graph.sites[read.site]
            span = graph.span(read.site, width) if read.everywhere else places
            heads = 1 if site.shared else len(step.heads)
            total += span * heads * site.size(width) * (2 if read.patches else 1)
    return total


def _row(name: str, graph: Graph, width: int) -> int:
    """Operations of one site or stream for one row."""
    value = graph.values[name]
    span = graph.span(name, width)
    if isinstance(value, Site):
        return span * (value.heads or 1) * value.flops(width)
    return span * sum(
        graph.sites[name].write_flops * (graph.sites[name].heads or 1) for name in value.writers
    )


def _forward(graph: Graph, names: Iterable[str], width: int) -> int:
    """Most numbers that a plain forward pass holds at once for one row."""
    order = needed(graph, names)
    last = {read: name for name in order for read in reads(graph.values[name])}
    live: dict[str, int] = {}
    peak = 0
    for name in order:
        live[name] = _numbers(name, graph, width)
        peak = max(peak, sum(live.values()) + live[name])
        for read in reads(graph.values[name]):
            if last[read] == name and read not in names:
                live.pop(read, None)
    return peak


def _numbers(name: str, graph: Graph, width: int) -> int:
    """Numbers that are kept of one site or stream for one row."""
    value = graph.values[name]
    span = graph.span(name, width)
    if isinstance(value, Site):
        return span * (1 if value.shared else value.heads or 1) * value.size(width)
    return span * value.size
