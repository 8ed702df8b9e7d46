"""What claims share: models, data and plain activations, each made once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from attrs import field, frozen

from scrub.data.dataset import Dataset, Recipe
from scrub.draw import Draws
from scrub.engine.activation_store import identity_of
from scrub.engine.activations import ActivationCache, ActivationStore
from scrub.errors import UserError
from scrub.model.given import made
from scrub.model.graph import Graph
from scrub.model.registry import (
    Model,
    describe,
    identity,
    is_maker,
    load,
)
from scrub.printing import html_of, in_brief, printed
from scrub.runner.resident_memory import Resident
from scrub.runner.sizes import shown
from scrub.runner.user_code import call_users

if TYPE_CHECKING:
    from scrub.runner.kept import Kept


def _progress(session: Session, attribute: object, value: Any) -> None:
    if value not in (True, False, None):
        raise UserError(f"progress= is {printed(value)}. Give True or False, or leave it out.")


@frozen(eq=False, repr=False)
class Session:
    """What claims share: models, data and plain activations, each made once.

    Attributes:
        kept: a folder in which plain values are kept for other sessions; None: they are not.
        progress: whether what is run from Python shows a progress bar; None: in notebooks.
    """

    kept: Kept | None = field(default=None, kw_only=True)
    progress: bool | None = field(default=None, kw_only=True, validator=_progress)
    _described: dict[Any, Model] = field(factory=dict)
    _loaded: dict[Any, Model] = field(factory=dict)
    _made_models: dict[int, tuple[Any, Any]] = field(factory=dict)
    """What functions made, with each function, so that its identity stays its own."""
    _data: dict[Any, tuple[Any, Dataset]] = field(factory=dict)
    """With the recipe or function, so that its identity stays its own."""
    _failed: dict[Any, tuple[Any, UserError]] = field(factory=dict)
    """What cannot be described or made, and why: it is not tried again for each claim."""
    _reseeded: dict[Any, tuple[Recipe, Recipe]] = field(factory=dict)
    """With the recipe that has another seed, so that its identity stays its own."""
    _stores: dict[int, ActivationStore] = field(factory=dict)
    _since: list[Resident] = field(factory=list)

    def describe(self, name: Any) -> Model:
        """What is known of a model without its weights; a function that makes one is called once.

        A model in memory whose weights were edited meanwhile is another model.
        """
        if is_maker(name):
            if id(name) not in self._made_models:
                found = self._tried(id(name), name, lambda: made(name))
                self._made_models[id(name)] = (name, found)
            name = self._made_models[id(name)][1]
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

    @property
    def loaded(self) -> tuple[Model, ...]:
        """The models that were loaded with their weights, in that order."""
        return tuple(self._loaded.values())

    def forget_failures(self) -> None:
        """Try again what failed: in a notebook it may have been mended since."""
        self._failed.clear()

    def load(
        self,
        model: Model,
        dtype: torch.dtype,
        device: str,
        *,
        recheck: bool = False,
        says: Callable[[str], None] = lambda text: None,
    ) -> Model:
        """A model with its weights, which are read once; and once more to be checked again."""
        key = (id(model), dtype, device, recheck)
        if key not in self._loaded:
            self._loaded[key] = load(model, dtype=dtype, device=device, recheck=recheck, says=says)
            self._since.append(Resident.now())
        return self._loaded[key]

    def data(self, source: Any, model: Model) -> Dataset:
        """A claim's data, made once for a model: one table for one recipe, or one function."""
        if isinstance(source, Dataset | Recipe) or not callable(source):
            return self._made(source, model)
        ours = str(getattr(source, "__module__", "")).startswith("scrub.datasets.")
        if ours and "Recipe" in str(source.__annotations__.get("return")):  # it makes one: no data
            raise UserError(
                f"data= is the function {source.__name__} itself. Call it, as in ioi.prompts(1000)."
            )
        key = (id(source), id(model))
        if key not in self._data:
            given = call_users(source, model, doing="Making the data")
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
            more = " Or give it one: scrub.Model(model, tokenizer)." if model.in_memory else ""
            raise UserError(
                f'Model "{model.name}" has no tokenizer, so data= must be a Dataset.{more}'
            )
        key = (id(source), id(model))
        if key not in self._data:
            make = partial(call_users, source.make, model.tokenizer, doing="Making the data")
            made = self._tried(key, source, make)
            self._data[key] = (source, made)
        return self._data[key][1]

    def recognise(self, source: Any) -> None:
        """Take a recipe for an equal one of which data was made: a file was loaded again.

        Law: equal recipes make the same table, so that this changes no number.
        """
        if not isinstance(source, Recipe):
            return
        for (_, model), (known, table) in list(self._data.items()):
            if isinstance(known, Recipe) and _equal(known, source):
                self._data[id(source), model] = (source, table)

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

    def cache(self, model: Model, graph: Graph) -> ActivationCache:
        """Plain values of a model, for its graph as a hypothesis specialises it."""
        store = self._stores.setdefault(id(model.graph), ActivationStore())
        return ActivationCache(graph, store, None if self.kept is None else self.kept.of(model))

    def held(self) -> int:
        """Bytes of plain values that are kept from earlier claims."""
        return sum(store.held() for store in self._stores.values())

    def evict(self) -> None:
        """Evict all plain values; they are computed again where they are asked for."""
        for store in self._stores.values():
            store.clear()

    def evict_all_but(self, cache: ActivationCache, draws: Draws, names: Iterable[str]) -> None:
        """Evict all plain values but those that a run on these draws reads."""
        datasets = {identity_of(rows.data) for rows in draws.rows()}
        values = {cache.graph.values[name] for name in names}
        for store in self._stores.values():
            if store is cache.store:
                store.evict_all_but(datasets, values)
            else:
                store.clear()

    def evict_generated(self) -> None:
        """Evict the plain values of generated inputs, which belong to one claim."""
        for store in self._stores.values():
            store.evict_generated()

    def grown(self) -> float:
        """Bytes by which the process grew, at its peak, since the last model was loaded."""
        return self._since[-1].grown()

    def __repr__(self) -> str:
        models = ", ".join(model.name for model in self.loaded)
        return in_brief("Session", models or "nothing is loaded", shown(self.held()))

    def _repr_html_(self) -> str:
        return html_of(self)


def _equal(one: Recipe, other: Recipe) -> bool:
    """Whether two recipes are equal; not where their arguments cannot be compared."""
    try:
        return bool(one == other)
    except Exception:  # of arrays and tables, and of whatever else a user gives
        return False
