"""The straight line, from claims to results. Read it as a table of contents.

collect → check → plan → draw → execute → metrics → statistics → report
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from attrs import evolve, field, fields, frozen

from scrub.check import check
from scrub.collect import Collected
from scrub.cost import cost
from scrub.data import Dataset, Recipe
from scrub.draw import Draws, draw
from scrub.errors import Problem, UserError, did_you_mean
from scrub.execute import execute
from scrub.hypothesis import Claim, Correspondence, InterpNode
from scrub.metrics import Metric, as_metric, measure
from scrub.model.graph import Graph
from scrub.model.model import Model, describe, embedded_names, load
from scrub.model.plain import PlainCache
from scrub.plan import plan
from scrub.results import Numbered, Result, node_results
from scrub.samplers import Exact
from scrub.statistics import CONFIDENCE, Interval, judge, loss_recovered
from scrub.steps import Plan
from scrub.tree import NamePath, Occurrence, Tree, treeify

SAMPLES = 1_000
MEMORY = 2**30
"""Bytes for the values of one chunk, where --max-memory says nothing."""

Progress = Callable[[int], None]
"""Called with the number of samples that were finished."""


@frozen
class Options:
    """How to run: what the command line's options say.

    Attributes:
        model: overrides the file's model.
        precision: stop as soon as the interval's half-width is at most this.
        memory: bytes for values while computing.
        alone: also scrub every node alone (-v).
    """

    model: Any = None
    samples: int = SAMPLES
    precision: float | None = None
    seed: int = 0
    device: str = "cpu"
    dtype: torch.dtype = torch.float32
    memory: int = MEMORY
    alone: bool = False


@frozen(eq=False)
class Prepared:
    """A claim that passed its check: bound to a model (still without weights) and to data."""

    file: str
    claim: Claim
    model: Model
    data: Dataset
    metric: Metric
    tree: Tree

    @property
    def name(self) -> str:
        return f"{self.file}::{self.claim.name}" if self.file else self.claim.name


@frozen(eq=False)
class Session:
    """What claims share: models, data and plain activations, each made once."""

    _described: dict[Any, Model] = field(factory=dict)
    _loaded: dict[Any, Model] = field(factory=dict)
    _data: dict[Any, Dataset] = field(factory=dict)
    _caches: dict[int, PlainCache] = field(factory=dict)

    def describe(self, name: Any) -> Model:
        key = id(name) if isinstance(name, Graph) else str(name)
        if key not in self._described:
            self._described[key] = describe(name)
        return self._described[key]

    def load(self, model: Model, dtype: torch.dtype, device: str) -> Model:
        key = (id(model), dtype, device)
        if key not in self._loaded:
            self._loaded[key] = load(model, dtype=dtype, device=device)
        return self._loaded[key]

    def data(self, source: Any, model: Model) -> Dataset:
        """A claim's data, made with the model's tokenizer; one table for one recipe."""
        if not isinstance(source, Dataset | Recipe) and callable(source):
            source = source(model)
        if isinstance(source, Dataset):
            return source
        if not isinstance(source, Recipe):
            raise UserError(
                f"data= is a {type(source).__name__}. Give a Dataset, a recipe such as "
                "ioi.prompts(1000), or a function of the model that returns one."
            )
        if model.tokenizer is None:
            raise UserError(f'Model "{model.name}" has no tokenizer, so data= must be a Dataset.')
        key = (id(source), id(model))
        if key not in self._data:
            self._data[key] = source.make(model.tokenizer)
        return self._data[key]

    def cache(self, graph: Graph) -> PlainCache:
        return self._caches.setdefault(id(graph), PlainCache(graph))


def prepare(claims: Sequence[Collected], session: Session, options: Options) -> list[Prepared]:
    """Bind every claim to its model and data, and check it.

    Raises:
        UserError: with the problems of all claims.
    """
    prepared: list[Prepared] = []
    problems: list[Problem] = []
    for item in claims:
        try:
            prepared.append(_prepare(item, session, options))
        except UserError as error:
            problems += error.at(file=item.file, claim=item.claim.name).problems
    if problems:
        raise UserError(*dict.fromkeys(problems))
    return prepared


def _prepare(item: Collected, session: Session, options: Options) -> Prepared:
    claim = item.claim
    name = options.model if options.model is not None else item.model
    if name is None:
        raise UserError(
            "It does not say which model it is about. Set MODEL in the file, or give --model. "
            f"Embedded: {', '.join(embedded_names())}."
        )
    model = session.describe(name)
    data = session.data(claim.data, model)
    correspondence = _bound(_build(claim, model), model)
    metric = as_metric(claim.metric)
    problems = check(correspondence, model.graph, data, metric)
    if problems:
        raise UserError(*problems)
    return Prepared(item.file, claim, model, data, metric, treeify(correspondence))


def _build(claim: Claim, model: Model) -> Correspondence:
    try:
        built = claim.build(model)
    except UserError:
        raise
    except Exception as error:  # whatever the user's function raises
        raise UserError(f"{type(error).__name__} while building it: {error}.") from error
    if not isinstance(built, Correspondence):
        raise UserError(
            f"It returns a {type(built).__name__}. A claim's function returns a Correspondence."
        )
    return built


def _bound(correspondence: Correspondence, model: Model) -> Correspondence:
    """The same hypothesis with the recipes of its samplers made."""
    made: dict[InterpNode, InterpNode] = {}

    def bind(sampler: Any) -> Any:
        return sampler.bind(model.tokenizer) if hasattr(sampler, "bind") else sampler

    def rebuilt(node: InterpNode) -> InterpNode:
        if node not in made:
            made[node] = evolve(
                node,
                sampler=bind(node.sampler),
                other=bind(node.other),
                parents=tuple(rebuilt(parent) for parent in node.parents),
            )
        return made[node]

    return Correspondence({rebuilt(node): sites for node, sites in correspondence.sites.items()})


def test(
    prepared: Prepared, session: Session, options: Options, progress: Progress = lambda n: None
) -> Result:
    """Scrub a claim: plan → draw → execute → metrics → statistics."""
    model = session.load(prepared.model, options.dtype, options.device)
    started = time.perf_counter()
    planned = plan(prepared.tree, model.graph)
    cache = session.cache(model.graph)
    looks = _looks(options)
    confidence = 1 - (1 - CONFIDENCE) / len(looks)
    draws = draw(prepared.tree, prepared.data, samples=looks[0], seed=options.seed)
    numbers = _measured(planned, draws, prepared, cache, options, progress)
    recovered = _recovered(numbers, options.seed, confidence)
    for samples in looks[1:]:
        if options.precision is None or recovered.half_width <= options.precision:
            break
        draws = draw(prepared.tree, prepared.data, samples=samples, seed=options.seed)
        numbers = _measured(planned, draws, prepared, cache, options, progress, numbers)
        recovered = _recovered(numbers, options.seed, confidence)
    nodes = node_results(prepared.tree, draws)
    if options.alone:
        alone = _alone(planned, prepared, cache, options, len(draws.references))
        nodes = tuple(evolve(node, alone=alone[node.path]) for node in nodes)
    return Result(
        file=prepared.file,
        claim=prepared.claim,
        model=prepared.model.name,
        weights_sha256=model.sha256,
        dtype=str(options.dtype).removeprefix("torch."),
        tree=prepared.tree,
        metric=prepared.metric,
        seed=options.seed,
        numbers=numbers,
        recovered=recovered,
        judgement=judge(recovered, prepared.claim.expect, len(draws.references)),
        nodes=nodes,
        draws=draws,
        data_sha256=prepared.data.sha256,
        seconds=time.perf_counter() - started,
    )


def _looks(options: Options) -> list[int]:
    """The sample sizes at which the interval is looked at: with a precision, doubling ones.

    Looking K times, each at confidence 1 − α/K, keeps the interval at which we stop honest
    (Bonferroni).
    """
    if options.precision is None:
        return [options.samples]
    looks = [options.samples]
    while looks[0] >= 400:
        looks.insert(0, looks[0] // 2)
    return looks


def _measured(
    planned: Plan,
    draws: Draws,
    prepared: Prepared,
    cache: PlainCache,
    options: Options,
    progress: Progress,
    known: Numbered | None = None,
) -> Numbered:
    """The metric per reference, three times, for the samples that are not known yet."""
    done = 0 if known is None else len(known.original)
    width = max(rows.data.width for rows in draws.rows())
    chunk = max(1, options.memory // max(1, cost(planned, width).bytes))
    parts = [] if known is None else [known]
    for output in execute(planned, draws, cache, chunk=chunk, start=done):
        references = draws.references.at(draws.references.index[output.samples])
        parts.append(
            Numbered(
                *(
                    measure(prepared.metric, value, references)
                    for value in (output.original, output.scrubbed, output.baseline)
                )
            )
        )
        progress(len(references))
    return Numbered(
        original=np.concatenate([part.original for part in parts]),
        scrubbed=np.concatenate([part.scrubbed for part in parts]),
        baseline=np.concatenate([part.baseline for part in parts]),
    )


def _recovered(numbers: Numbered, seed: int, confidence: float = CONFIDENCE) -> Interval:
    return loss_recovered(
        numbers.original, numbers.scrubbed, numbers.baseline, seed=seed, confidence=confidence
    )


def _alone(
    planned: Plan, prepared: Prepared, cache: PlainCache, options: Options, samples: int
) -> dict[NamePath, Interval]:
    """Loss recovered with one node scrubbed and all others exact, on the same draws.

    The plan does not know samplers, so one plan serves them all.
    """
    found = {}
    for node in prepared.tree.walk():
        tree = _only(prepared.tree, node.path)
        draws = draw(tree, prepared.data, samples=samples, seed=options.seed)
        numbers = _measured(planned, draws, prepared, cache, options, lambda n: None)
        found[node.path] = _recovered(numbers, options.seed)
    return found


def _only(tree: Occurrence, path: NamePath) -> Occurrence:
    """The tree in which every node but the one at this path is exact."""
    node = tree.node if tree.path == path else evolve(tree.node, sampler=Exact(), other=Exact())
    return evolve(tree, node=node, children=tuple(_only(child, path) for child in tree.children))


def run(claim: Claim, **options: Any) -> Result:
    """Test one claim from Python: `scrub.run(by_value, model="ioi-planted")`.

    The same numbers as `scrub test` gives on the command line.

    Args:
        claim: a function decorated with `@claim`.
        options: as in `Options`: model, samples, precision, seed, device, dtype, memory, alone.

    Raises:
        UserError: the claim is illegal, or an option is not one.
    """
    known = [attribute.name for attribute in fields(Options)]
    for name in options:
        if name not in known:
            raise UserError(f'scrub.run has no option "{name}". {did_you_mean(name, known)}')
    chosen = Options(**options)
    check_device(chosen.device)
    session = Session()
    scope = getattr(claim.build, "__globals__", {})
    model = claim.model if claim.model is not None else scope.get("MODEL")
    file = Path(scope.get("__file__", "")).name
    (prepared,) = prepare([Collected(file, claim, model)], session, chosen)
    return test(prepared, session, chosen)


def check_device(device: str) -> None:
    """Raise a UserError if this machine has no such device."""
    try:
        torch.empty(0, device=device)
    except Exception as error:  # torch raises different types for different devices
        cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        raise UserError(
            f'There is no device "{device}" on this machine. There are: {", ".join(["cpu", *cuda])}.'
        ) from error
