"""The engine, and mutants of it: the same modules with one line changed.

A mutant is a plausible bug. Each leaves some hypotheses right, and the property "engine equals
reference evaluator" must catch each.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import torch
from attrs import frozen
from torch import Tensor

import scrub.engine.execute
import scrub.engine.plan
from scrub.draw import Draws
from scrub.engine.activations import ActivationCache
from scrub.engine.budget import Budget
from scrub.hypothesis.tree import Tree, treeify
from scrub.model.bridge import graph_of
from scrub.model.graph import Graph
from support.generator import Case

PARTS = (
    "scrub.engine.ranges",
    "scrub.engine.passing",
    "scrub.engine.gates",
    "scrub.engine.states",
    "scrub.engine.routing",
    "scrub.engine.walks",
    "scrub.engine.steps",
    "scrub.engine.lower",
    "scrub.engine.readout",
    "scrub.engine.sharing",
    "scrub.engine.activation_store",
    "scrub.engine.virtual",
    "scrub.engine.narrow",
    "scrub.engine.dependencies",
    "scrub.engine.plan",
    "scrub.engine.alignment",
    "scrub.engine.given",
    "scrub.engine.wanted",
    "scrub.engine.activations",
    "scrub.engine.lookup",
    "scrub.engine.compute",
    "scrub.engine.execute",
)
"""The modules of the engine, in the order in which they import each other."""


@frozen
class Engine:
    """The planner and the executor of one (possibly mutated) engine."""

    plan: Callable[..., Any]
    execute: Callable[..., Iterator[Any]]
    cache: Callable[[Graph], ActivationCache]

    def outputs(
        self,
        tree: Tree,
        draws: Draws,
        graph: Graph,
        *,
        chunk: int = 1000,
        cache: ActivationCache | None = None,
    ) -> list[Any]:
        planned = self.plan(tree, graph)
        used = self.cache(planned.graph) if cache is None else cache
        return list(self.execute(planned, draws, used, within(chunk)))

    def scrub(self, case: Case, draws: Draws, *, dtype: torch.dtype = torch.float64) -> Tensor:
        """The scrubbed root of a case: [samples, positions, cells, …]."""
        (output,) = self.outputs(
            treeify(case.correspondence), draws, graph_of_case(case, dtype=dtype)
        )
        return output.scrubbed


def within(chunk: int, *, keep_cache: bool = True) -> Budget:
    """A budget of so many samples at once, where ranges of different lengths are always apart."""
    return Budget(chunk, keep_cache, forward=3, peak=0, min_batch=1)


def graph_of_case(case: Case, *, dtype: torch.dtype = torch.float64) -> Graph:
    return graph_named(case.model_name, dtype)


@functools.cache
def graph_named(name: str, dtype: torch.dtype) -> Graph:
    from support import native_models, tiny_models

    if name in tiny_models.NATIVES:
        return native_models.graph(name, dtype)
    if dtype == torch.float64:
        return graph_of(tiny_models.bridge(name))
    return graph_of(tiny_models.booted(name, dtype))


ENGINE = Engine(scrub.engine.plan.plan, scrub.engine.execute.execute, ActivationCache)

MUTANTS: dict[str, tuple[str, str, str]] = {
    "a moved pattern sees only what lay before it": (
        "scrub.engine.narrow",
        "return port.causal_by is not None and port.causal_by not in self.claimed",
        "return port.causal_by is not None",
    ),
    "changes do not reach later positions": (
        "scrub.engine.ranges",
        "return ALL if isinstance(at, str) else _between(_range(at).first, ())",
        "return at",
    ),
    "samples of one length come before longer ones": (
        "scrub.engine.compute",
        "rows, length = torch.tensor(part, device=value.device), value.shape[1]",
        "rows, length = torch.arange(len(part), device=value.device), value.shape[1]",
    ),
    "wrong donor for other inputs": (
        "scrub.engine.lower",
        'plain = Source(Variable(node.path, "other"))',
        'plain = Source(Variable(node.path, "own"))',
    ),
    "port ignored at the start": (
        "scrub.engine.routing",
        "return into is None or port in into",
        "return True",
    ),
    "paths may pass anything": (
        "scrub.engine.routing",
        "return passage(self.routes[route].through, cell, self.graph)",
        "return Passage()",
    ),
    "paths never pass anything": (
        "scrub.engine.routing",
        "return passage(self.routes[route].through, cell, self.graph)",
        "return Passage(())",
    ),
    "memo key without the open paths' draws": (
        "scrub.engine.dependencies",
        "needs = frozenset({step.frame}).union(*(of(source) for source in sources(step)))",
        "needs = frozenset({step.frame})",
    ),
    "value taken at the parent's position": (
        "scrub.engine.compute",
        "new = lookup_site(chunk, patch.source, site, patch.heads, patch.at, frame, samples)",
        "taken = frame if patch.source.step is not None else step.frame; "
        "new = lookup_site(chunk, patch.source, site, patch.heads, patch.at, taken, samples)",
    ),
    "value put at the donor's position": (
        "scrub.engine.compute",
        "landing = chunk.frames.index(step.frame, site, patch.at, samples)",
        "landing = chunk.frames.index(frame, site, patch.at, samples)",
    ),
    "stream forgets what earlier layers changed": (
        "scrub.engine.compute",
        "total = lookup_difference(chunk, step.base, step.at, samples)",
        "total = 0 * lookup_difference(chunk, step.base, step.at, samples)",
    ),
    "writer's plain value is not taken away": (
        "scrub.engine.compute",
        "change = new - old",
        "change = new",
    ),
    "keys and values change only where the query stands": (
        "scrub.engine.narrow",
        "return [onwards(at) if attention.is_causal(read, step) else ALL for at in changed]",
        "return changed",
    ),
    "keys and values change only onwards, though every position sees them": (
        "scrub.engine.narrow",
        "return [onwards(at) if attention.is_causal(read, step) else ALL for at in changed]",
        "return [onwards(at) for at in changed]",
    ),
    "a child's value is added to what it replaces": (
        "scrub.engine.lower",
        "values.append(((name, claim.at, value, base, (), ()), head))",
        "values.append(((name, claim.at, value, self.plain, (), ()), head))",
    ),
    "positions of through are ignored": (
        "scrub.engine.passing",
        "return Passage(at, never)",
        "return Passage(ALL if at else ())",
    ),
    "positions of through are those of the own input": (
        "scrub.engine.compute",
        "landing = chunk.frames.index(step.frame, step.stream, at, samples)",
        "landing = chunk.frames.index("
        "step.frame if patch.source.frame != step.frame else type(step.frame)(step.node, 'own'), "
        "step.stream, at, samples)",
    ),
    "positions of edges are taken in the donor's frame": (
        "scrub.engine.compute",
        "named = chunk.frames.index(step.frame, step.stream, specs, samples)",
        "named = chunk.frames.index(patch.source.frame, step.stream, specs, samples)",
    ),
    "positions of edges are ignored": (
        "scrub.engine.gates",
        "into.setdefault(graph.component(edge.writer), []).append(edge.at)",
        'into.setdefault(graph.component(edge.writer), []).append("all")',
    ),
    "edges lead into every port": (
        "scrub.engine.gates",
        "ports = graph.read_by[reader[0]] if edge.into is None else (edge.into,)",
        "ports = graph.read_by[reader[0]]",
    ),
    "what two routes may pass together is passed by neither": (
        "scrub.engine.passing",
        "if chosen:",
        "if len(chosen) == 1:",
    ),
    "a child's value everywhere instead of at its positions": (
        "scrub.engine.routing",
        "return tuple(Claimed(child, _union(ats)) for child, ats in positions.items())",
        "return tuple(Claimed(child, ALL) for child, ats in positions.items())",
    ),
}
"""Name → (module, line as it is, line as a careless author might have it)."""

VIRTUAL_MUTANTS: dict[str, tuple[str, str, str]] = {
    "the mean of another class": (
        "scrub.engine.given",
        "place[rows.index] = np.arange(len(rows))",
        "place[rows.index] = np.arange(len(rows))[::-1]",
    ),
    "the mean of all rows, pads with tokens": (
        "scrub.engine.given",
        "classes = torch.from_numpy(place[given.class_of[here]])",
        "classes = torch.from_numpy(place[given.class_of[here]] * 0)",
    ),
    "the mean of one position": (
        "scrub.engine.given",
        "self.total.index_add_(0, of, value.to(self.total.dtype))",
        "self.total.index_add_(0, of, value[:, :1].expand_as(value).to(self.total.dtype))",
    ),
    "the mean of the first rows": (
        "scrub.engine.given",
        "for start in range(0, len(members), at_once):",
        "for start in range(0, min(at_once, len(members)), at_once):",
    ),
    "what is computed from means instead of the site's mean": (
        "scrub.engine.activations",
        "return given_values(self.graph, rows, width, names, at_once, computed)",
        "from scrub.model.forward import stored_sources; inputs = _Inputs(self.graph, rows.data, "
        "width); known = given_values(self.graph, rows, width, stored_sources(self.graph, names), "
        "at_once, computed); return known | forward(self.graph, inputs.batch(rows), names - "
        "known.keys(), known)",
    ),
    "virtual rows are taken for what follows from them": (
        "scrub.engine.narrow",
        "if isinstance(step, SiteStep) and step.frame in attention.virtual:",
        "if isinstance(step, SiteStep) and step.frame in ():",
    ),
    "streams of zeros lack the biases": (
        "scrub.engine.given",
        "total = total if stream.constant is None else total + stream.constant",
        "total = total if stream.constant is None else total",
    ),
    "zeros see no token": (
        "scrub.engine.given",
        "masks = {name for name in names if is_mask(graph, name)}",
        "masks = {name for name in names if name is None}",
    ),
    "what is steered loses its own value": (
        "scrub.engine.given",
        "return value + _along(by, value).to(value.device, value.dtype)",
        "return 0 * value + _along(by, value).to(value.device, value.dtype)",
    ),
}
"""The same of virtual rows."""


def mutated(name: str) -> Engine:
    """The engine with that one line changed; the real one stays as it is."""
    module, line, changed = (MUTANTS | VIRTUAL_MUTANTS)[name]
    kept = {part: sys.modules.pop(part) for part in PARTS}
    packages = {
        part: getattr(importlib.import_module(_package(part)), _leaf(part)) for part in PARTS
    }
    try:
        for part in PARTS:
            _load(part, (line, changed) if part == module else None)
        loaded = {part: sys.modules[part] for part in PARTS}
    finally:
        sys.modules.update(kept)
        for part, original in packages.items():
            setattr(sys.modules[_package(part)], _leaf(part), original)
    return Engine(
        loaded["scrub.engine.plan"].plan,
        loaded["scrub.engine.execute"].execute,
        loaded["scrub.engine.activations"].ActivationCache,
    )


def _package(part: str) -> str:
    return part.rpartition(".")[0]


def _leaf(part: str) -> str:
    return part.rpartition(".")[2]


def _load(part: str, change: tuple[str, str] | None) -> None:
    spec = importlib.util.find_spec(part)
    assert spec is not None
    assert spec.origin is not None
    with open(spec.origin, encoding="utf-8") as file:
        source = file.read()
    if change is not None:
        assert source.count(change[0]) == 1, f"{change[0]!r} is not one place of {part}"
        source = source.replace(*change)
    module = ModuleType(part)
    module.__file__ = spec.origin
    sys.modules[part] = module
    exec(compile(source, spec.origin, "exec"), module.__dict__)
