"""What a plan costs, before anything runs: floating-point operations and bytes.

Upper bounds: every sample is taken to have drawn rows of its own, and every value to be kept until
its chunk is done.
"""

from __future__ import annotations

from attrs import frozen

from scrub.model.graph import Graph, Site
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
    """

    flops: int
    bytes: int
    row_flops: int
    row_bytes: int

    def total_flops(self, samples: int, rows: int) -> int:
        """All of a run, at most."""
        return samples * self.flops + rows * self.row_flops

    def total_bytes(self, samples: int, rows: int) -> int:
        """All of a run in one chunk, at most."""
        return samples * self.bytes + rows * self.row_bytes


def cost(plan: Plan, width: int) -> Cost:
    """The cost of a plan on rows of this width."""
    graph = plan.graph
    itemsize = graph.dtype.itemsize
    steps = [_step(step, plan, width) for step in plan.steps]
    roots = [graph.sites[cell.site] for cell, _ in plan.result.cells]
    places = [_places(plan.result.at, graph, root.name, width) for root in roots]
    row = [_row(name, graph, width) for name in graph.values]
    kept = sum(
        size for name, (_, size) in zip(graph.values, row, strict=True) if name in plan.plain
    )
    last = max((graph.order[name] for name in plan.plain), default=-1)
    return Cost(
        flops=sum(f for f, _ in steps)
        + 2 * sum(n * root.flops(width) for n, root in zip(places, roots, strict=True)),
        bytes=itemsize
        * (
            sum(n for _, n in steps)
            + 3 * sum(n * root.size(width) for n, root in zip(places, roots, strict=True))
        ),
        row_flops=sum(f for f, _ in row[: last + 1]),
        row_bytes=itemsize * kept,
    )


def _places(at: At, graph: Graph, name: str, width: int) -> int:
    return graph.span(name, width) if at == ALL else len(at)


def _step(step: Step, plan: Plan, width: int) -> tuple[int, int]:
    """Operations, and numbers held, of one step for one sample."""
    graph = plan.graph
    if not isinstance(step, SiteStep):
        places = _places(step.at, graph, step.stream, width)
        written = sum(graph.sites[p.site].write_flops * len(p.heads) for p in step.patches)
        return places * written, 2 * places * graph.streams[step.stream].size
    site = graph.sites[step.site]
    places = _places(step.at, graph, step.site, width)
    held = places * site.size(width) * (1 if site.shared else len(step.heads))
    for read in step.reads:
        if not isinstance(read, StreamRead):
            source = graph.sites[read.site]
            span = graph.span(read.site, width) if read.everywhere else places
            held += span * source.size(width) * (1 if source.shared else len(step.heads))
    return places * len(step.heads) * site.flops(width), held


def _row(name: str, graph: Graph, width: int) -> tuple[int, int]:
    """Operations, and numbers kept, of one site or stream for one row."""
    value = graph.values[name]
    span = graph.span(name, width)
    if isinstance(value, Site):
        heads = value.heads or 1
        numbers = span * value.size(width) * (1 if value.shared else heads)
        return span * heads * value.flops(width) if value.stored else 0, numbers
    written = sum(graph.sites[w].write_flops * (graph.sites[w].heads or 1) for w in value.writers)
    return span * written, span * value.size
