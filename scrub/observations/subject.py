"""What is looked at: a model with its weights, and where data is given the rows of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from attrs import frozen
from jaxtyping import Int
from torch import Tensor

from scrub.checks.structure import check
from scrub.data.dataset import Dataset, Rows
from scrub.data.frames import END
from scrub.engine.activations import ROWS_AT_ONCE, ActivationCache
from scrub.engine.cost import plain_flops
from scrub.errors import UserError, did_you_mean
from scrub.hypothesis.collect import Collected, CollectedBehaviour
from scrub.hypothesis.correspondence import Correspondence
from scrub.hypothesis.sites import Sites, Spec
from scrub.metrics import Metric
from scrub.model.forward import stored_sources
from scrub.model.graph import Stream
from scrub.model.registry import Model
from scrub.model.weights import Weights
from scrub.printing import printed
from scrub.runner.duration import ANNOUNCED, estimated_seconds, span_in_words
from scrub.runner.options import Options, check_options
from scrub.runner.prepare import bound_hypothesis, metrics_of
from scrub.runner.progress import SILENT, Progress
from scrub.runner.session import Session
from scrub.runner.user_code import located
from scrub.sweeps.prepare import as_claim

LOOKING = "Looking at it"


@frozen(eq=False)
class Part:
    """Some rows, whose plain values are in the cache.

    Attributes:
        width: positions that the rows are padded to.
    """

    cache: ActivationCache
    rows: Rows
    width: int

    def value(self, name: str, at: Int[Tensor, "rows positions"] | None = None) -> Tensor:
        """A site, with all its heads, or a stream: [rows, positions, heads or 1, …].

        Args:
            at: index of each position; None: all, in order.
        """
        found = self.cache.graph.values[name]
        if isinstance(found, Stream):
            return self.cache.get(name, self.rows, self.width, at, ())
        heads = (None,) if found.heads is None else tuple(range(found.heads))
        return self.cache.get(name, self.rows, self.width, at, heads)

    def index(self, *specs: Spec) -> Int[Tensor, "rows positions"]:
        """Where some position columns, or indices, are in each row."""
        columns = [self.rows.data.position(spec)[self.rows.index] for spec in specs]
        return torch.tensor(np.stack(columns, axis=1), device=self.cache.graph.device)


@frozen(eq=False)
class Values:
    """Plain values of some rows of a dataset, part by part.

    Attributes:
        memory: bytes of values that may be kept; beyond them all are evicted.
        progress: of the rows.
    """

    cache: ActivationCache
    rows: Rows
    memory: int
    progress: Progress = SILENT

    def parts(self, names: Iterable[str]) -> Iterator[Part]:
        """The rows in order, some at a time, with what it takes to read these sites and streams."""
        needed, width = stored_sources(self.cache.graph, names), self.rows.data.width
        a_row = sum(self._bytes(name, width) for name in needed)
        self.progress.note(self._announced(needed, width))
        self.progress.expects(len(self.rows))
        at_once = int(min(max(self.memory // (1 + 4 * a_row), 1), ROWS_AT_ONCE))
        for first in range(0, len(self.rows), at_once):
            here = self.rows.at(self.rows.index[first : first + at_once])
            if self.cache.store.held() > self.memory:
                self.cache.store.clear()
            with torch.no_grad():
                self.cache.fill(here, width, needed)
                yield Part(self.cache, here, width)
            self.progress.advance(len(here))

    def _announced(self, needed: Iterable[str], width: int) -> str:
        """One line on how long it will take to compute what is not kept; "" where not long."""
        graph, data = self.cache.graph, self.rows.data
        table = self.cache.store.table(data, width)
        known = {n for n in needed if table.has(graph.values[n], self.rows.index).all()}
        flops = len(self.rows) * plain_flops(graph, set(needed) - known, width, known)
        seconds = estimated_seconds(flops, str(graph.device), graph.dtype)
        if seconds <= ANNOUNCED:
            return ""
        return f"about {span_in_words(seconds)} for {len(self.rows):,} rows of {data.name}"

    def _bytes(self, name: str, width: int) -> int:
        """Of a stored value of one row."""
        graph = self.cache.graph
        found = graph.values[name]
        each = found.size if isinstance(found, Stream) else found.size(width) * (found.heads or 1)
        return each * graph.span(name, width) * graph.dtype.itemsize


@frozen(eq=False)
class Subject:
    """A behaviour of a model, on rows of its data.

    Attributes:
        name: of the behaviour.
        model: with weights.
        at: the position that the behaviour's metric reads; None where that is not one position.
        metric: the first of the behaviour's.
    """

    name: str
    model: Model
    values: Values
    at: Spec | None
    metric: Metric

    @property
    def data(self) -> Dataset:
        return self.values.rows.data

    @property
    def weights(self) -> Weights:
        return weights_of(self.model)

    @property
    def about(self) -> str:
        """The behaviour, the model and the rows, in words."""
        count, every = len(self.values.rows), len(self.data)
        rows = (
            f"{count:,} of {every:,} rows"
            if count < every
            else f"{count:,} row{'s' * (count != 1)}"
        )
        return f"{self.name} on {self.model.name}: {rows} of {self.data.name}"

    def position(self, given: Any) -> Spec:
        """A position column, or an index, that the data has; by default that of the metric.

        Raises:
            UserError: the data has no such column, or too few positions.
        """
        if given is None and self.at is None:
            known = ", ".join(self.data.positions) or "none"
            raise UserError(
                f'Behaviour "{self.name}" reads no single position. Say where to look: at= (--at), '
                f"one of: {known}."
            )
        spec = self.at if given is None else given
        if isinstance(spec, str):
            self.data.position(spec)
        elif isinstance(spec, bool) or not isinstance(spec, int) or spec not in self.places:
            raise UserError(
                f'Position {printed(spec)} is outside dataset "{self.data.name}": its rows have '
                f"positions 0 to {self.data.width - 1}."
            )
        return spec

    @property
    def places(self) -> range:
        return range(self.data.width)

    def positions(self, given: Any) -> tuple[Spec, ...]:
        """Several positions; by default all position columns of the data.

        Raises:
            UserError: the data lacks one of them, or has no columns.
        """
        listed = [given] if isinstance(given, str | int) else given
        found = tuple(self.data.positions) if listed is None else tuple(map(self.position, listed))
        if not found and listed is not None:
            raise UserError("No position is named. Give a column or an index, or leave it out.")
        if not found:
            raise UserError(f'Dataset "{self.data.name}" has no position columns. Give indices.')
        return found

    def feature(self, name: str) -> np.ndarray:
        """A feature of the rows that are looked at: [rows]."""
        return self.values.rows.feature(name)


def weights_of(model: Model) -> Weights:
    """The weights of a transformer.

    Raises:
        UserError: it is a graph of plain functions.
    """
    if model.graph.weights is None:
        raise UserError(
            f'Model "{model.name}" is a graph of plain functions: it has no heads, tokens or '
            "residual stream to look at. Give a transformer."
        )
    return model.graph.weights


def check_words(model: Model) -> None:
    """Refuse a model whose logits are no tokens.

    Raises:
        UserError: it gives other logits than one a token.
    """
    weights_of(model)
    if model.graph.outputs != model.graph.vocabulary:
        raise UserError(
            f'This does not apply to model "{model.name}": its {model.graph.outputs} logits are no '
            f"tokens, of which it reads {model.graph.vocabulary}."
        )


def opened(name: Any, session: Session, options: Options) -> Model:
    """A transformer with its weights.

    Raises:
        UserError: there is no such model, it is no transformer, or an option is not one.
    """
    check_options(options)
    session.forget_failures()
    described = session.describe(name if options.model is None else options.model)
    weights_of(described)
    return _loaded(described, session, options)


def _loaded(model: Model, session: Session, options: Options) -> Model:
    return session.load(model, options.dtype, options.device, recheck=options.recheck)


def values_of(
    model: Model, rows: Rows, session: Session, options: Options, progress: Progress = SILENT
) -> Values:
    """Plain values of some rows, in the session's cache of the model."""
    return Values(session.cache(model, model.graph), rows, options.max_memory, progress)


def subject(
    item: CollectedBehaviour, session: Session, options: Options, progress: Progress = SILENT
) -> Subject:
    """A behaviour bound to its model, with weights, and to rows of its data.

    All rows are looked at, or `options.samples` of them drawn without replacement by the seed.

    Raises:
        UserError: the behaviour is illegal, its model is no transformer, or an option is not one.
    """
    check_options(options)
    session.forget_failures()
    claim = as_claim(item)
    with located(item.file, claim, LOOKING):
        collected = Collected(item.file, claim, item.model, item.path)
        described, data, correspondence = bound_hypothesis(collected, session, options)
        assert isinstance(correspondence, Correspondence), "a behaviour applies to all models"
        weights_of(described)
        metric, *_ = metrics_of(claim.metric)
        problems = check(correspondence, described.graph, data, metric)
        if problems:
            raise UserError(*problems)
        model = _loaded(described, session, options)
    (_, sites), *_ = correspondence.sites.items()
    rows = chosen_rows(data, options.samples, options.seed)
    values = values_of(model, rows, session, options, progress)
    return Subject(item.behaviour.name, model, values, _one_position(sites, data), metric)


def chosen_rows(data: Dataset, count: int, seed: int) -> Rows:
    """All rows of a dataset, or so many of them drawn without replacement, in their order."""
    if len(data) <= count:
        return Rows(data, np.arange(len(data)))
    drawn = np.random.default_rng(seed).choice(len(data), count, replace=False)
    return Rows(data, np.sort(drawn))


def _one_position(sites: Sites, data: Dataset) -> Spec | None:
    """The one position that sites are read at; END where they name none; None where several."""
    named = {route.at for route in sites.routes if not isinstance(route.at, str)}
    specs = {spec for at in named for spec in at}
    if len(specs) == 1:
        return specs.pop()
    return END if END in data.positions and not specs else None


def did_you_mean_number(wanted: str, choices: Iterable[str]) -> str:
    """As `did_you_mean`, of choices such as "mlp:2", of which the nearest is that by number."""
    known = list(choices)
    kind, _, number = wanted.partition(":")
    alike = [name for name in known if name.startswith(f"{kind}:")]
    if not alike or not number.isdigit():
        return did_you_mean(wanted, known)
    near = min(alike, key=lambda name: abs(int(name.partition(":")[2]) - int(number)))
    return f'The nearest is "{near}"; there are: {", ".join(known)}.'
