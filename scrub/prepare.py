"""Prepare claims: bind each to its model and its data, and check it. Nothing runs here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from attrs import evolve, field, frozen

from scrub.ancestry import parents_first, refuse_too_many
from scrub.check import check
from scrub.collect import Collected
from scrub.data import Dataset, Recipe
from scrub.draw import Draws
from scrub.errors import Problem, UserError, in_line, in_words
from scrub.hypothesis import Claim, Correspondence, InterpNode
from scrub.metrics import Metric, as_metric
from scrub.model.graph import Graph
from scrub.model.model import Model, describe, embedded_names, identity, load
from scrub.model.plain import PlainCache, Store
from scrub.options import Options, check_options
from scrub.resident import Resident, of_machine
from scrub.samplers.binding import bound
from scrub.sizes import shown
from scrub.tree import Tree, treeify

SAID = 3
"""Claims that a problem of all of them names; of more it says how many they are."""
BYTES = 48
"""Bytes that a row or a number of a sample takes in all, with what is computed from it: 240 to 350
were measured for a sample of five rows and three numbers."""


@frozen(eq=False)
class Prepared:
    """A claim that passed its check: bound to a model (still without weights) and to data."""

    file: str
    claim: Claim
    model: Model
    data: Dataset
    metric: Metric
    tree: Tree
    others: tuple[Metric, ...] = ()
    """Metrics that are reported beside the one that decides the verdict."""
    path: Path = Path()
    """The file, whatever directory one works in."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (self.metric, *self.others)

    @property
    def of_labels(self) -> bool:
        """Whether the metrics read nothing of the root but the columns of a few labels."""
        return all(metric.of_labels is not None for metric in self.metrics)

    @property
    def name(self) -> str:
        return f"{self.file}::{self.claim.name}" if self.file else self.claim.name


@frozen(eq=False)
class Session:
    """What claims share: models, data and plain activations, each made once."""

    _described: dict[Any, Model] = field(factory=dict)
    _loaded: dict[Any, Model] = field(factory=dict)
    _data: dict[Any, tuple[Any, Dataset]] = field(factory=dict)
    """With the recipe or function, so that its identity stays its own."""
    _failed: dict[Any, tuple[Any, UserError]] = field(factory=dict)
    """What cannot be described or made, and why: it is not tried again for each claim."""
    _reseeded: dict[Any, tuple[Recipe, Recipe]] = field(factory=dict)
    """With the recipe that has another seed, so that its identity stays its own."""
    _stores: dict[int, Store] = field(factory=dict)
    _since: list[Resident] = field(factory=list)

    def describe(self, name: Any) -> Model:
        key = identity(name)
        if key not in self._described:
            self._described[key] = self._tried(key, name, lambda: describe(name))
        return self._described[key]

    def _tried(self, key: Any, source: Any, make: Callable[[], Any]) -> Any:
        """What is made, unless that failed before."""
        if key in self._failed:
            raise UserError(*self._failed[key][1].problems)
        try:
            return make()
        except UserError as error:
            self._failed[key] = (source, error)
            raise

    def forget_failures(self) -> None:
        """Try again what failed: in a notebook it may have been mended since."""
        self._failed.clear()

    def load(self, model: Model, dtype: torch.dtype, device: str) -> Model:
        key = (id(model), dtype, device)
        if key not in self._loaded:
            self._loaded[key] = load(model, dtype=dtype, device=device)
            self._since.append(Resident.now())
        return self._loaded[key]

    def data(self, source: Any, model: Model) -> Dataset:
        """A claim's data, made once for a model: one table for one recipe, or one function."""
        if isinstance(source, Dataset | Recipe) or not callable(source):
            return self._made(source, model)
        if str(getattr(source, "__module__", "")).startswith("scrub.datasets."):
            raise UserError(
                f"data= is the function {source.__name__} itself. Call it, as in ioi.prompts(1000)."
            )
        key = (id(source), id(model))
        if key not in self._data:
            given = _theirs(source, model, doing="Making the data")
            self._data[key] = (source, self._made(given, model))
        return self._data[key][1]

    def _made(self, source: Any, model: Model) -> Dataset:
        """A dataset as it is, or made of a recipe with the model's tokenizer."""
        if isinstance(source, Dataset):
            return source
        if not isinstance(source, Recipe):
            raise UserError(
                f"data= is of type {type(source).__name__}. Give a Dataset, a recipe such as "
                "ioi.prompts(1000), or a function of the model that returns one."
            )
        if model.tokenizer is None:
            raise UserError(f'Model "{model.name}" has no tokenizer, so data= must be a Dataset.')
        key = (id(source), id(model))
        if key not in self._data:
            make = partial(_theirs, source.make, model.tokenizer, doing="Making the data")
            made = self._tried(key, source, make)
            self._data[key] = (source, made)
        return self._data[key][1]

    def recipe_of(self, data: Dataset) -> Recipe | None:
        """The recipe that a dataset was made of; None where it was given as it is."""
        made = (source for source, found in self._data.values() if found is data)
        return next((source for source in made if isinstance(source, Recipe)), None)

    def reseeded(self, recipe: Recipe, by: int) -> Recipe:
        """A recipe with a seed that is so much further; one for all claims that share it."""
        assert recipe.seed is not None
        key = (id(recipe), by)
        if key not in self._reseeded:
            self._reseeded[key] = (recipe, recipe.with_seed(recipe.seed + by))
        return self._reseeded[key][1]

    def cache(self, model: Model, graph: Graph) -> PlainCache:
        """Plain values of a model, for its graph as a hypothesis specialises it."""
        return PlainCache(graph, self._stores.setdefault(id(model.graph), Store()))

    def held(self) -> int:
        """Bytes of plain values that are kept from earlier claims."""
        return sum(store.held() for store in self._stores.values())

    def forget(self) -> None:
        """Let go of all plain values; they are computed again where they are asked for."""
        for store in self._stores.values():
            store.empty()

    def forget_all_but(self, cache: PlainCache, draws: Draws, names: Iterable[str]) -> None:
        """Let go of all plain values but those that a run on these draws reads."""
        datasets = {id(rows.data) for rows in draws.rows()}
        values = {cache.graph.values[name] for name in names}
        for store in self._stores.values():
            if store is cache.store:
                store.forget_all_but(datasets, values)
            else:
                store.empty()

    def forget_generated(self) -> None:
        """Let go of the plain values of generated inputs, which belong to one claim."""
        for store in self._stores.values():
            store.forget_generated()

    def grown(self) -> float:
        """Bytes by which the process grew, at its peak, since the last model was loaded."""
        return self._since[-1].grown()


def prepare(claims: Sequence[Collected], session: Session, options: Options) -> list[Prepared]:
    """Bind every claim to its model and data, and check it.

    Raises:
        UserError: with the problems of all claims.
    """
    check_options(options)
    session.forget_failures()
    prepared: list[Prepared] = []
    problems: list[Problem] = []
    for item in claims:
        try:
            with said_where(item.file, item.claim, "Checking it"):
                prepared.append(_prepare(item, session, options))
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(*said_once(problems, claims))
    _check_samples(prepared, options.samples)
    return prepared


def said_once(
    problems: Sequence[Problem], claims: Sequence[Collected] | Sequence[Prepared]
) -> list[Problem]:
    """Problems of a file's model or data, which its claims share: once, with the claims' names.

    With the file's alone where all of several claims share it.
    """
    of_file = {item.file: [i.claim.name for i in claims if i.file == item.file] for item in claims}
    shared: dict[Problem, list[str]] = {}
    for problem in problems:
        shared.setdefault(evolve(problem, claim=""), []).append(problem.claim)
    found = []
    for problem, repeated in shared.items():
        names = list(dict.fromkeys(repeated))
        every = len(names) > 1 and names == of_file.get(problem.file)
        more = [f"{len(names) - SAID} more"] if len(names) > SAID + 1 else []
        listed = [*names[:SAID], *more] if more else names
        found.append(evolve(problem, claim="" if every else ", ".join(listed)))
    return found


def _check_samples(prepared: Sequence[Prepared], samples: int) -> None:
    """Refuse more samples than this machine's memory holds the rows and numbers of.

    They are not counted by the memory for values while computing, and all kept to the end.
    """
    each = BYTES * max((_columns(claim) for claim in prepared), default=0)
    if each * samples > of_machine():
        raise UserError(
            f"{samples:,} samples do not fit: what is drawn and measured for them takes about "
            f"{shown(each * samples)}, and this machine has "
            f"{shown(of_machine())}. Give at most {int(of_machine() // each):,}."
        )


def _columns(claim: Prepared) -> int:
    """Rows that are drawn for a sample, and numbers that are measured."""
    nodes = sum(1 if node.is_leaf else 2 for node in claim.tree.walk())
    return 2 + nodes + 3 * len(claim.metrics)


def bound_hypothesis(
    item: Collected, session: Session, options: Options
) -> tuple[Model, Dataset, Correspondence]:
    """A claim's model without weights, its data, and its hypothesis with all recipes made.

    Nothing is checked yet.

    Raises:
        UserError: it names no model; or what the file's functions raise.
    """
    name = options.model if options.model is not None else item.model
    if name is None:
        raise UserError(
            "It does not say which model it is about. Set MODEL in the file, or give model= "
            f"(--model on the command line). Embedded: {', '.join(embedded_names())}."
        )
    model = session.describe(name)
    data = session.data(item.claim.data, model)
    return model, data, _bound(_build(item.claim, model), model, session)


def _prepare(item: Collected, session: Session, options: Options) -> Prepared:
    claim = item.claim
    model, data, correspondence = bound_hypothesis(item, session, options)
    metric, *others = _metrics(claim.metric)
    problems = check(correspondence, model.graph, data, metric, *others)
    if problems:
        raise UserError(*problems)
    tree = treeify(correspondence)
    return Prepared(item.file, claim, model, data, metric, tree, tuple(others), item.path)


def _metrics(given: Any) -> list[Metric]:
    """What metric= names: one, or several in a list."""
    several = list(given) if isinstance(given, list | tuple) else [given]
    if not several:
        raise UserError("metric= is an empty list. Give at least one of scrub.metrics.")
    for metric in several:
        if getattr(metric, "__module__", "") == as_metric.__module__ and callable(metric):
            raise UserError(
                f"metric= is the function {metric.__name__} itself. Call it: logit_diff(…, …) with "
                "the names of labels, for example."
            )
        if not callable(metric) and not isinstance(metric, Metric):
            raise UserError(
                f"metric= is of type {type(metric).__name__}. Give one of scrub.metrics, or a "
                "function (value, references) → one number a sample; or several in a list."
            )
    return [as_metric(metric) for metric in several]


def _build(claim: Claim, model: Model) -> Correspondence:
    built = _theirs(claim.build, model, doing="Building it")
    if not isinstance(built, Correspondence):
        if inspect.iscoroutine(built):
            built.close()  # or Python warns, in a line of ours, that nobody awaited it
        raise UserError(
            f"It returns a {type(built).__name__}. A claim's function returns a Correspondence."
        )
    return built


def _theirs(function: Callable[..., Any], *arguments: Any, doing: str) -> Any:
    """Call a function of the user's file. What it raises is a UserError that says the line."""
    try:
        return function(*arguments)
    except (UserError, KeyboardInterrupt):
        raise
    except BaseException as error:  # whatever the user's function raises, sys.exit() too
        where = in_line(error, _file(function))
        raise UserError(f"{doing} failed{where}: {in_words(error)}.") from error


def _file(function: Callable[..., Any]) -> str:
    code = getattr(function, "__code__", None)
    return code.co_filename if code else ""


@contextmanager
def said_where(file: str, claim: Claim, doing: str) -> Iterator[None]:
    """Errors of the user's say in which claim, and where it can be told in which line."""
    try:
        yield
    except UserError as error:
        raise error.at(file=file, claim=claim.name) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # in the user's code sys.exit() is an error like any other
        where = in_line(error, _file(claim.build))
        if not where:
            raise
        problem = UserError(f"{doing} failed{where}: {in_words(error)}.")
        raise problem.at(file=file, claim=claim.name) from error


def _bound(correspondence: Correspondence, model: Model, session: Session) -> Correspondence:
    """The same hypothesis with the recipes of its samplers made, each once in a session.

    Raises:
        UserError: it is no tree, or one that is too large.
    """
    made: dict[InterpNode, InterpNode] = {}

    def bind(sampler: Any) -> Any:
        return bound(sampler, lambda recipe: session.data(recipe, model), model.tokenizer)

    order = parents_first(correspondence.sites)
    refuse_too_many(correspondence, order)
    for node in order:
        made[node] = evolve(
            node,
            sampler=bind(node.sampler),
            other=bind(node.other),
            # What is no node is a slip of the user's, which the check names.
            parents=tuple(made[p] if isinstance(p, InterpNode) else p for p in node.parents),
        )
    return Correspondence({made.get(node, node): s for node, s in correspondence.sites.items()})


def load_models(prepared: Sequence[Prepared], session: Session, options: Options) -> None:
    """Read the weights of every model before the first claim runs.

    Raises:
        UserError: with every model that cannot be loaded.
    """
    problems: list[Problem] = []
    for item in {id(item.model): item for item in reversed(prepared)}.values():
        try:
            session.load(item.model, options.dtype, options.device)
        except UserError as error:
            problems += error.at(file=item.file).problems
    if problems:
        raise UserError(*problems)
