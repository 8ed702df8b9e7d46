"""Two halves of a behaviour's data: what is chosen by one is tested on the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import evolve
from jaxtyping import Int

from scrub.data.dataset import Dataset, Recipe, Tokenizer
from scrub.errors import UserError
from scrub.hypothesis.behaviour import Behaviour
from scrub.hypothesis.claim import definitions_made
from scrub.samplers import Fixed, Mean, Paired, describe_sampler


def held_out(behaviour: Behaviour, *, seed: int = 0) -> Behaviour:
    """The behaviour on the half of its rows that a search with this seed has not seen.

    Laws: no row is in both halves, and each is in one; halves of tables with equally many rows are
    the same row numbers, so that a flipped copy stays row by row the copy.

    Args:
        seed: of the split, which is a random permutation of the row numbers.

    Raises:
        UserError: the corrupted input of a row is another row of the same data, which may lie in
            the other half; or, when the data is made, it has a single row.
    """
    return _half(behaviour, seed, unseen=True)


def searched(behaviour: Behaviour, *, seed: int = 0) -> Behaviour:
    """The behaviour on the other half: the rows that a search with this seed sees.

    Raises:
        UserError: as `held_out`.
    """
    with definitions_made():  # it is none of those that a file makes
        return _half(behaviour, seed, unseen=False)


def rows_of_half(rows: int, seed: int, *, unseen: bool) -> Int[np.ndarray, " half"]:
    """Row numbers of one half, in order. Of an odd number the half that is seen has one more.

    Raises:
        UserError: there is no row for one of them.
    """
    if rows < 2:
        raise UserError(
            f"Half of the rows are held out, and the data has {rows} row{'s' * (rows != 1)}. Give "
            "two at least, better some hundreds."
        )
    order = np.random.default_rng(seed).permutation(rows)
    seen = (rows + 1) // 2
    return np.sort(order[seen:] if unseen else order[:seen])


def _half(behaviour: Behaviour, seed: int, *, unseen: bool) -> Behaviour:
    def of(source: Any) -> Any:
        return half_of(source, seed, unseen=unseen)

    corrupt = behaviour.corrupt
    match corrupt:
        case Paired(pair=Dataset() | Recipe() as source):
            corrupt = evolve(corrupt, pair=of(source))
        case Fixed(source=Dataset() | Recipe() as source):
            corrupt = evolve(corrupt, source=of(source))
        case Mean(of=Dataset() | Recipe() as source):
            corrupt = evolve(corrupt, of=of(source))
        case Paired() | Fixed():
            raise UserError(
                f"Its corrupt= is {describe_sampler(corrupt)}: another row of the same data, which "
                "may lie in the half that is held out. Give a dataset or recipe whose row i is the "
                "corrupted input of row i, as Paired(ioi.flip(…)) does."
            )
    name = f"{behaviour.name}, held out" if unseen else behaviour.name
    return evolve(behaviour, data=of(behaviour.data), corrupt=corrupt, name=name)


def half_of(source: Any, seed: int, *, unseen: bool) -> Any:
    """Half of a dataset, of what a recipe makes, or of what a function of the model gives."""
    if isinstance(source, Dataset):
        return _taken(source, seed, unseen=unseen)
    if isinstance(source, Recipe):
        arguments = {"whole": source, "split": seed, "unseen": unseen}
        return Recipe(_named(source.name, unseen=unseen), _make, arguments)
    if not callable(source):
        return source  # it is refused where the data is made

    return _halving(source, seed, unseen=unseen)


def _halving(source: Callable[[Any], Any], seed: int, *, unseen: bool) -> Callable[[Any], Any]:
    def halved(model: Any) -> Any:
        return half_of(source(model), seed, unseen=unseen)

    return halved


def _make(tokenizer: Tokenizer, *, whole: Recipe, split: int, unseen: bool) -> Dataset:
    return _taken(whole.make(tokenizer), split, unseen=unseen)


def _taken(data: Dataset, seed: int, *, unseen: bool) -> Dataset:
    rows = rows_of_half(len(data), seed, unseen=unseen)
    return data.take(rows.tolist(), _named(data.name, unseen=unseen))


def _named(name: str, *, unseen: bool) -> str:
    return f"{name}, the half {'held out' if unseen else 'searched'}"
