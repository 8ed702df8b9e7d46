"""What the steps of a plan cost each time they are computed: operations and bytes.

Operations are those of matrix products, multiplications and additions counted apart, as torch's
flop counter does. Bytes are those of tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Set
from math import ceil

from attrs import frozen

from scrub.engine.dependencies import last_uses
from scrub.engine.ranges import Positions, Range
from scrub.engine.steps import (
    Patch,
    Plan,
    SiteRead,
    SiteStep,
    Source,
    Step,
    StreamRead,
    StreamStep,
    Variable,
)
from scrub.engine.virtual import kept_of_inputs
from scrub.engine.writes import WORTH, may_be_apart
from scrub.hypothesis.sites import ALL, At
from scrub.model.forward import last_readers, needed, reads
from scrub.model.graph import Graph, Port, Site


@frozen
class StepCost:
    """What it costs to compute one step for one combination of drawn rows, or for several.

    Attributes:
        flops: operations.
        made: bytes of the value.
        besides: bytes alive only while it is computed.
    """

    flops: int
    made: int
    besides: int


@frozen
class Cost:
    """What a budget is made of: bytes, and upper bounds where samples share values.

    Attributes:
        flops: operations per sample, for what scrubbing changes and for the root's plain values.
        bytes: per sample, for the values of one chunk.
        drawn_bytes: per sample, for the plain values that are kept of the inputs that it drew.
        forward_bytes: per row of a plain forward pass, for what it holds besides what is kept.
    """

    flops: int
    bytes: int
    drawn_bytes: int
    forward_bytes: int


def cost(plan: Plan, width: int) -> Cost:
    """The cost of a plan on rows of this width."""
    every = each_step(plan, width)
    root, reads_root = read_root(plan, width), plain_roots(plan) + root_is_merged(plan)
    return with_rows(
        plan,
        width,
        flops=sum(step.flops for step in every) + reads_root * root.flops,
        held=peak(plan, every) + (2 + plain_roots(plan)) * root.made + root.besides,
    )


def with_rows(plan: Plan, width: int, *, flops: int, held: int) -> Cost:
    """The cost of plain values, beside operations and bytes per sample that are known."""
    graph = plan.graph
    inputs = kept_of_inputs(plan)
    return Cost(
        flops=flops,
        bytes=held,
        drawn_bytes=sum(value_bytes(graph, names, width) for names in inputs.values()),
        forward_bytes=held_by_pass(graph, frozenset[str]().union(*inputs.values()), width),
    )


def value_bytes(graph: Graph, names: Iterable[str], width: int) -> int:
    """Bytes of these sites and streams of one row."""
    return graph.dtype.itemsize * sum(_elements(name, graph, width) for name in names)


def plain_flops(graph: Graph, names: Iterable[str], width: int, known: Container[str] = ()) -> int:
    """Operations to compute these sites and streams of one row, where others are known."""
    return sum(_row(name, graph, width) for name in needed(graph, names, known))


def held_by_pass(graph: Graph, names: Set[str], width: int) -> int:
    """Most bytes that a plain forward pass for these sites and streams holds for one row."""
    return graph.dtype.itemsize * _forward(graph, names, width)


Longest = Callable[[Range, Variable, str], int]
"""(range, frame, site or stream) → how many positions the range has in some inputs, at most."""
Share = Callable[[Patch, StreamStep], float | None]
"""What share of the samples' values a patch writes: 1 where it writes each; None: not known."""


def each_step(plan: Plan, width: int) -> list[StepCost]:
    """The cost of every step of a plan, computed once, at most."""

    def whole(at: Range, frame: Variable, name: str) -> int:
        return plan.graph.span(name, width)

    return [one_step(plan, width, step, whole) for step in plan.steps]


def one_step(
    plan: Plan, width: int, step: Step, longest: Longest, share: Share = lambda patch, step: None
) -> StepCost:
    """The cost of one step of a plan, computed once for inputs whose ranges have these lengths."""
    return _StepEstimate(plan, width, longest, share, step).cost()


def read_root(plan: Plan, width: int) -> StepCost:
    """The cost of the root's plain value on one input."""
    graph, at = plan.graph, plan.result.at
    flops = made = besides = 0
    for cell, _ in plan.result.cells:
        places = _places(at, graph, cell.site, width)
        made += places * graph.sites[cell.site].size(width)
        flops += _recomputed_flops(cell.site, graph, width, places, 1)
        besides += _recomputed(cell.site, graph, width, places, 1)
    return StepCost(flops, made * graph.dtype.itemsize, besides * graph.dtype.itemsize)


def plain_roots(plan: Plan) -> int:
    """On how many inputs of a sample the root's plain value is read: reference, baseline, other."""
    return 2 + (plan.before is not None)


def root_is_merged(plan: Plan) -> bool:
    """Whether the scrubbed root is put among plain values: it is computed at fewer positions."""
    steps = [plan.steps[source.step] for _, source in plan.result.cells if source.step is not None]
    return any(step.at not in (ALL, plan.result.at) for step in steps)


def peak(plan: Plan, every: list[StepCost]) -> int:
    """Most bytes alive at once. A value is let go after its last use."""
    ends: dict[int, list[int]] = {}
    for made, reader in last_uses(plan).items():
        ends.setdefault(reader, []).append(made)
    return peak_of(every, ends)


def peak_of(every: list[StepCost], ends: Mapping[int, list[int]]) -> int:
    """The same, where it is known which values are let go after each step."""
    live = most = 0
    for number, step in enumerate(every):
        live += step.made
        most = max(most, live + step.besides)
        live -= sum(every[old].made for old in ends.get(number, ()))
    return max(most, live)


@frozen
class _StepEstimate:
    """One step of a plan, at a width: what it costs."""

    plan: Plan
    width: int
    longest: Longest
    share: Share
    step: Step

    @property
    def graph(self) -> Graph:
        return self.plan.graph

    def cost(self) -> StepCost:
        if isinstance(self.step, StreamStep):
            flops, made, besides = self._stream(self.step)
        else:
            flops, made, besides = self._site(self.step)
        size = self.graph.dtype.itemsize
        return StepCost(flops, size * made, size * besides)

    def _site(self, step: SiteStep) -> tuple[int, int, int]:
        site = self.graph.sites[step.site]
        places = self._places(step.at, step.site)
        heads = step.stacked * (1 if site.shared else len(step.heads))
        flops = places * heads * site.flops(self.width)
        made = places * heads * site.size(self.width)
        besides = places * heads * site.scratch(self.width, places)
        for read in step.reads:
            more = (
                self._read_stream(read, step)
                if isinstance(read, StreamRead)
                else self._read_site(read, step)
            )
            flops, besides = flops + more[0], besides + more[1]
        return flops, made, besides

    def _read_stream(self, read: StreamRead, step: SiteStep) -> tuple[int, int]:
        """Operations, and elements held: the plain stream, and its sum with what changed."""
        elements = self._places(step.at, step.site) * self.graph.streams[read.stream].size
        if read.difference is None:
            return 0, elements
        changed = step.stacked * elements
        copied = self._copied(Source(step.frame, read.difference), step, changed)
        summed = changed if step.stacked == 1 else 0  # of several the sum is made in place
        return 0, elements + summed + copied

    def _read_site(self, read: SiteRead, step: SiteStep) -> tuple[int, int]:
        at: Positions = ALL if read.everywhere else step.at
        found = [
            self._lookup(piece.source, read.site, at, step.stacked * len(piece.heads), step)
            for piece in read.pieces
        ]
        found += [
            self._lookup(patch.source, read.site, patch.at, len(patch.heads), step)
            for patch in read.patches
        ]
        flops = sum(f for f, _ in found)
        elements = sum(n for _, n in found)
        if len(read.pieces) > 1 or read.patches:  # put together, or patched
            elements += self._size(read.site, at, len(step.heads))
        return flops, elements

    def _lookup(
        self, source: Source, site: str, at: Positions, heads: int, step: Step
    ) -> tuple[int, int]:
        """Operations, and elements copied, to read some heads of a site."""
        elements = self._size(site, at, heads)
        places = self._places(at, site)
        flops, plain = 0, elements
        if source.frame not in self.plan.virtual:  # there it is given, and never recomputed
            flops += _recomputed_flops(site, self.graph, self.width, places, heads)
            plain += _recomputed(site, self.graph, self.width, places, heads)
        if source.step is None:
            return flops, plain
        copied = self._copied(source, step, elements)
        known = self.plan.steps[source.step]
        if known.at in (ALL, at):
            return 0, copied
        return flops, copied + plain  # put among plain values

    def _copied(self, source: Source, step: Step, elements: int) -> int:
        """Elements copied where a value has other combinations or positions than its reader."""
        assert source.step is not None
        known = self.plan.steps[source.step]
        return 0 if known.needs == step.needs and known.at == step.at else elements

    def _stream(self, step: StreamStep) -> tuple[int, int, int]:
        made = self._written(step.at, step)
        flops = besides = 0
        for patch in step.patches:
            more, held = self._change(patch, step)
            flops, besides = flops + more, max(besides, held)
        if step.patches and step.base is not None:
            besides += made
        return flops, made, besides

    def _change(self, patch: Patch, step: StreamStep) -> tuple[int, int]:
        """Operations, and elements held, to add what one patch changes."""
        named = step.at if patch.at == ALL else patch.at
        heads = len(patch.heads)
        site = self.graph.sites[patch.site]
        found = [
            self._lookup(source, patch.site, named, heads, step)
            for source in (patch.source, patch.over)
        ]
        places = self._places(named, patch.site)
        elements = self._size(patch.site, named, heads)
        written = self._written(named, step)
        share = self.share(patch, step)
        flops = round((share or 1) * places * heads * site.write_flops)
        held = sum(held for _, held in found) + elements
        if may_be_apart(self.graph, patch) and share != 1:
            apart = ceil((share or WORTH) * (elements + written))
            held = apart if share else max(held, apart)
        return flops + sum(flops for flops, _ in found), held + (written if site.write else 0)

    def _written(self, at: Positions, step: StreamStep) -> int:
        """Elements of a stream, of each member that a step computes."""
        return self._places(at, step.stream) * self.graph.streams[step.stream].size * step.stacked

    def _places(self, at: Positions, name: str) -> int:
        if isinstance(at, Range):
            return self.longest(at, self.step.frame, name)
        return _places(at, self.graph, name, self.width)

    def _size(self, name: str, at: Positions, heads: int) -> int:
        site = self.graph.sites[name]
        return self._places(at, name) * (1 if site.shared else heads) * site.size(self.width)


def _places(at: At, graph: Graph, name: str, width: int) -> int:
    return graph.span(name, width) if at == ALL else len(at)


def _recomputed_flops(name: str, graph: Graph, width: int, places: int, heads: int) -> int:
    """Operations to compute a plain value that is not kept, from what is."""
    site = graph.sites.get(name, None)
    if site is None or site.stored:
        return 0
    below = sum(
        _recomputed_flops(port.source, graph, width, _span(port, graph, width, places), heads)
        for port in site.ports
    )
    return places * (1 if site.shared else heads) * site.flops(width) + below


def _recomputed(name: str, graph: Graph, width: int, places: int, heads: int) -> int:
    """Elements held while a plain value that is not kept is computed, besides the value."""
    value = graph.values[name]
    if not isinstance(value, Site) or value.stored:
        return 0
    most = total = 0
    for port in value.ports:
        span = _span(port, graph, width, places)
        most = max(most, total + _recomputed(port.source, graph, width, span, heads))
        total += span * _across(port.source, graph, width, heads)
    return max(most, total + places * heads * value.scratch(width, places))


def _span(port: Port, graph: Graph, width: int, places: int) -> int:
    return graph.span(port.source, width) if port.everywhere else places


def _across(name: str, graph: Graph, width: int, heads: int) -> int:
    """Elements at one position."""
    value = graph.values[name]
    if isinstance(value, Site):
        return (1 if value.shared else heads) * value.size(width)
    return value.size


def _row(name: str, graph: Graph, width: int) -> int:
    """Operations of one site or stream for one row."""
    value = graph.values[name]
    span = graph.span(name, width)
    if isinstance(value, Site):
        return span * (1 if value.shared else value.heads or 1) * value.flops(width)
    return span * sum(
        graph.sites[name].write_flops * (graph.sites[name].heads or 1) for name in value.writers
    )


def _forward(graph: Graph, names: Iterable[str], width: int) -> int:
    """Most elements that a plain forward pass holds at once for one row."""
    order = needed(graph, names)
    last = last_readers(graph, order)
    live: dict[str, int] = {}
    most = 0
    for name in order:
        value = graph.values[name]
        span = graph.span(name, width)
        live[name] = _elements(name, graph, width)
        besides = live[name]
        if isinstance(value, Site):
            besides = span * (value.heads or 1) * value.scratch(width, span)
        most = max(most, sum(live.values()) + besides)
        for read in reads(value):
            if last[read] == name and read not in names:
                live.pop(read, None)
    return most


def _elements(name: str, graph: Graph, width: int) -> int:
    """Elements that are kept of one site or stream for one row."""
    value = graph.values[name]
    heads = (value.heads or 1) if isinstance(value, Site) else 1
    return graph.span(name, width) * _across(name, graph, width, heads)
