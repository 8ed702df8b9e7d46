"""The laws of samplers, by name, and the tests that hold a sampler to those that it claims."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from unittest import SkipTest

from scrub.data.dataset import Dataset, Recipe
from scrub.errors import UserError
from scrub.samplers import Sampler, laws_of
from scrub.samplers.binding import bound
from scrub.samplers.declarations import refuse
from scrub.samplers.protocol import names, told
from scrub.testing import exact, statistical
from scrub.testing.cases import DRAWS, Broken, Case, is_theirs
from scrub.testing.origins import origin_of_tests
from scrub.testing.processes import Asked, NotCompared, second_process

LAWS: Mapping[str, Callable[[Case], Broken | None]] = {
    "legality": exact.legality,
    "determinism": exact.determinism,
    "immutability": exact.immutability,
    "agreement": exact.agreement,
    "reach": statistical.reach,
    "uniformity": statistical.uniformity,
    "marginals": statistical.marginals,
    "independence": statistical.independence,
}


def broken_laws(case: Case) -> list[Broken]:
    """Every law that a sampler claims and does not keep.

    Law: a sampler that keeps them all is found to break one with probability below 1e-6 a law.

    Of a sampler that draws what is not legal, or refuses a reference, nothing more is asked.
    """
    found: list[Broken] = []
    for law in laws_of(case.sampler):
        try:
            broken = LAWS[law](case)
        except UserError as error:
            broken = Broken("legality", error.problems[0].what, [])
        found += [broken] if broken is not None else []
        if any(broken.law == "legality" for broken in found):
            break
    return found


def sampler_laws(
    sampler: Sampler,
    dataset: Dataset | Recipe,
    *,
    model: str | None = None,
    at: Sequence[str] | None = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> type:
    """A class of tests for pytest, one for each law that the sampler claims.

        TestMySampler = sampler_laws(MySampler("io"), DATA)

    A test that fails shows the smallest counterexample as a table of rows. What a sampler claims it
    says by its attributes `laws`, `features`, `differ` and `weights` (see `scrub.samplers`).

    Args:
        dataset: whose rows are the references; a recipe needs `model`.
        model: by whose tokenizer recipes are made, and text is read.
        at: position columns that donors must have (default: all of the dataset's).
        seed: of the draws. With one seed, what passes once passes for good.
        draws: how many a law looks at. The fewest errors that are seen go as its square root.
    """
    refuse(sampler)
    if not isinstance(dataset, Dataset | Recipe):
        raise UserError(
            f"sampler_laws: {told(dataset)} is no dataset. Give a Dataset, or a recipe of one."
        )
    known: list[Case] = []

    def case() -> Case:
        if not known:
            known.append(_case(sampler, dataset, model, at, seed, draws))
        return known[0]

    def test_of(law: str) -> Callable[[Any], None]:
        def test(self: Any) -> None:
            __tracebackhide__ = True
            _assert(case(), LAWS[law](case()))

        test.__name__, test.__doc__ = f"test_{law}", LAWS[law].__doc__
        return test

    def test_determinism_between_processes(self: Any) -> None:
        """A fresh process, in which strings hash otherwise, draws the same donors."""
        __tracebackhide__ = True
        found = _between(case(), type(self))
        if isinstance(found, NotCompared):
            raise SkipTest(str(found))
        _assert(case(), found)

    tests = {f"test_{law}": test_of(law) for law in laws_of(sampler)}
    if is_theirs(sampler):
        tests["test_determinism_between_processes"] = test_determinism_between_processes
    # A class is of the module that asks for it, as that of a named tuple: a second process finds it
    # there.
    module = sys._getframe(1).f_globals.get("__name__", "__main__")
    return type("SamplerLaws", (), {**tests, "case": staticmethod(case), "__module__": module})


def _assert(case: Case, broken: Broken | None) -> None:
    __tracebackhide__ = True
    if broken is not None:
        raise AssertionError(f"{case.name} breaks the law of {broken}")


def _between(case: Case, tests: type) -> Broken | NotCompared | None:
    try:
        question = Asked(origin_of_tests(tests, case), case.seed, case.draws)
    except UserError as error:
        return NotCompared(str(error))
    with second_process([question]) as second:
        return second.found([case])[0]


def _case(
    sampler: Sampler,
    dataset: Dataset | Recipe,
    model: str | None,
    at: Sequence[str] | None,
    seed: int,
    draws: int,
) -> Case:
    tokenizer = None
    if model is not None:
        from scrub.model.registry import describe

        tokenizer = describe(model).tokenizer

    def make(recipe: Recipe) -> Dataset:
        if tokenizer is None:
            raise UserError(
                f'sampler_laws: the recipe "{recipe.name}" is made with a model\'s tokenizer. '
                'Give model=, such as "ioi-planted".'
            )
        return recipe.make(tokenizer)

    data = make(dataset) if isinstance(dataset, Recipe) else dataset
    positions = None if at is None else names(at)
    return Case(bound(sampler, make, tokenizer), data, positions, seed, draws)
