"""A sampler that makes its donors: new inputs from the reference and a random generator.

A generated input is a row like any other, of a dataset that holds what was generated: plain values
are computed once per distinct input, and the run record holds it in full. Children of a generated
input draw from the dataset that the *claim* names: the rows that agree with the generated input.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import evolve, field, frozen

from scrub.data.dataset import Dataset, Rows, Tokenizer
from scrub.errors import UserError, in_line, in_words
from scrub.samplers.describe import describe_sampler
from scrub.samplers.generated_input import Input, dataset_of, one_input
from scrub.samplers.protocol import NAMES, Randomness, not_called_with, told

Function = Callable[[Input, np.random.Generator], Input | None]


def _at_least_one(sampler: object, attribute: object, tries: Any) -> None:
    if not isinstance(tries, int) or isinstance(tries, bool) or tries < 1:
        raise UserError(
            f"Generate(…, tries={told(tries)}): give a whole number of tries, at least 1."
        )


def _function(sampler: object, attribute: object, function: Any) -> None:
    wrong = not_called_with(function, "reference", "generator")
    if wrong:
        raise UserError(
            f"Generate({getattr(function, '__name__', told(function))}): {wrong} Give a "
            "function(reference, generator) that returns an Input."
        )


def _alike(one: Any, other: Any) -> bool:
    """Whether two values of a feature are the same. Missing is like missing, as for `Agree`."""
    return one is other or bool(np.all(one == other)) or bool(one != one and other != other)


@frozen
class Generate:
    """A new input, made from the reference: `function(reference, generator)`.

    The function gets the reference as an `Input`, and returns another one, mostly
    `reference.but(tokens=…, columns=…)`; or None to reject what it made, and be called again. What
    it returns carries every feature and position that later nodes ask for.

    Args:
        function: pure; all its randomness comes from the generator.
        features: on what the new input must agree with the reference; one that does not is
            rejected as well.
        tries: calls after which a reference is given up.

    Raises:
        UserError: (when drawing) no try is accepted; or what is returned is no input.
    """

    function: Function = field(validator=_function)
    features: tuple[str, ...] = field(converter=NAMES, default=(), kw_only=True)
    tries: int = field(default=100, kw_only=True, validator=_at_least_one)
    tokenizer: Tokenizer | None = field(default=None, kw_only=True, repr=False, eq=False)

    @property
    def laws(self) -> tuple[str, ...]:
        return ("agreement", "independence") if self.features else ("independence",)

    def bind(self, tokenizer: Tokenizer | None) -> Generate:
        """The same sampler with the model's tokenizer."""
        return evolve(self, tokenizer=tokenizer)

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        wanted = {name: references.feature(name).tolist() for name in self.features}
        seeds = [(randomness.uniform() * 2**53).astype(np.int64).tolist() for _ in range(2)]
        numbers: dict[Any, int] = {}
        made: list[Input] = []
        index = []
        for sample, row in enumerate(references.index.tolist()):
            features = {name: values[sample] for name, values in wanted.items()}
            generator = np.random.default_rng([seed[sample] for seed in seeds])
            found = self._accepted(references.data, row, features, generator)
            if numbers.setdefault(found.key, len(made)) == len(made):
                made.append(found)
            index.append(numbers[found.key])
        self._check_same_columns(made)
        donors = dataset_of(
            made, describe_sampler(self), references.data, references.population, self.tokenizer
        )
        return Rows(donors, np.array(index, dtype=np.int64))

    def _accepted(
        self, data: Dataset, row: int, features: dict[str, Any], generator: np.random.Generator
    ) -> Input:
        """The first input that is not rejected."""
        reference = one_input(data, row)
        rejected = unlike = 0
        for _ in range(self.tries):
            given = self._called(reference, generator, data, row)
            if given is None:
                rejected += 1
                continue
            made = self._finished(given, reference, data, row)
            values = {name: self._value(made, name, data, row) for name in features}
            if all(_alike(values[name], features[name]) for name in features):
                return made
            unlike += 1
        reasons = [f"{rejected} were rejected by the function"] * (rejected > 0)
        reasons += [f"{unlike} did not agree on {' and '.join(self.features)}"] * (unlike > 0)
        raise UserError(
            f"{describe_sampler(self)}: none of {self.tries} tries made an input for row {row} of "
            f'dataset "{data.name}": {" and ".join(reasons)}. Give more tries=, or a function that '
            "rejects less."
        )

    def _called(
        self, reference: Input, generator: np.random.Generator, data: Dataset, row: int
    ) -> Any:
        try:
            return self.function(reference, generator)
        except (UserError, KeyboardInterrupt):
            raise
        except BaseException as error:  # whatever the user's function raises, sys.exit() too
            raise UserError(
                f'{describe_sampler(self)}: for row {row} of dataset "{data.name}" it failed'
                f"{in_line(error)}: {in_words(error)}. It is called as "
                "function(reference, generator)."
            ) from error

    def _finished(self, given: Any, reference: Input, data: Dataset, row: int) -> Input:
        if not isinstance(given, Input):
            raise self._returned(
                f"a {type(given).__name__}. Return an Input, such as reference.but(tokens=…), or "
                "None to try again.",
                data,
                row,
            )
        try:
            return given.finished(reference, self.tokenizer)
        except UserError as error:
            raise self._returned(str(error), data, row) from error

    def _value(self, made: Input, name: str, data: Dataset, row: int) -> Any:
        try:
            return made.feature(name)
        except UserError as error:
            raise self._returned(str(error), data, row) from error

    def _returned(self, what: str, data: Dataset, row: int) -> UserError:
        return UserError(
            f'{describe_sampler(self)}: for row {row} of dataset "{data.name}" it returned {what}'
        )

    def _check_same_columns(self, made: list[Input]) -> None:
        for one in made:
            for kind in ("columns", "positions", "labels"):
                first, here = (sorted(getattr(x, kind)) for x in (made[0], one))
                if first != here:
                    raise UserError(
                        f"{describe_sampler(self)}: it returned an input with the {kind} "
                        f"{', '.join(first) or 'none'}, and one with {', '.join(here) or 'none'}. "
                        "Return the same for every reference."
                    )
