"""What a sampler says of itself: whether it makes sense, and whether what it draws fits it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from scrub.data.dataset import Dataset, Recipe, Rows
from scrub.errors import UserError, did_you_mean, in_words
from scrub.samplers.agreement import weights_of
from scrub.samplers.protocol import (
    CLAIMED,
    EVERY,
    differ_of,
    features_of,
    is_own,
    names,
    not_called_with,
    source_of,
    told,
)
from scrub.samplers.rows import Agree, Differ


def no_sampler(given: Any) -> str:
    """What something is that is no sampler, in words; "" if it is one."""
    if isinstance(given, type):
        return given.__name__
    try:
        return "" if hasattr(given, "draw") else told(given)
    except Exception:  # a property of the user's, of which `wrongly_declared` tells
        return ""


def wrongly_declared(sampler: Any) -> list[str]:
    """What is wrong with a sampler before it draws: a sentence each."""
    who = f"Sampler {type(sampler).__name__}"
    try:
        draw = sampler.draw
    except Exception as error:  # whatever a property of the user's raises
        return [f"{who}: its draw cannot be read: {in_words(error)}."]
    wrong = not_called_with(draw, "references", "randomness")
    found = [f"{who}: its draw: {wrong} Write def draw(self, references, randomness)."] * bool(
        wrong
    )
    for attribute, question in _QUESTIONS.items():
        try:
            given = getattr(sampler, attribute, None)
            found += [f"{who}: {what}" for what in question(given)] if given is not None else []
        except Exception as error:  # the same
            found.append(f"{who}: its {attribute} cannot be read: {in_words(error)}.")
    if not found and type(sampler) in (Agree, Differ):
        found += _names_nothing(sampler)
    if not found and "agreement" in names(getattr(sampler, "laws", ())):
        found += _agrees_on_nothing(sampler)
    return found


def refuse(sampler: Any) -> None:
    """Raise `UserError` with all that is wrong with a sampler before it draws."""
    if said := no_sampler(sampler):
        raise UserError(f"{said} is no sampler. Give one, such as Exact() or MySampler().")
    if wrong := wrongly_declared(sampler):
        raise UserError(*wrong)


def _laws(given: Any) -> Iterator[str]:
    listed = _listed(given, "laws", "of laws", 'laws = ("agreement", "uniformity")')
    if isinstance(listed, str):
        yield listed
        return
    for law in listed:
        if law not in (*EVERY, *CLAIMED):
            yield f'it claims the law "{law}", which there is not. {did_you_mean(law, CLAIMED)}'


def _features(given: Any) -> Iterator[str]:
    listed = _listed(given, "features", "of features", 'features = ("length",)')
    yield from [listed] if isinstance(listed, str) else []


def _differ(given: Any) -> Iterator[str]:
    listed = _listed(given, "differ", "of features", 'differ = ("length",)')
    yield from [listed] if isinstance(listed, str) else []


def _weights(given: Any) -> Iterator[str]:
    if not isinstance(given, str):
        yield f'its weights are {told(given)}. Name a column, as in weights = "weight".'


def _source(given: Any) -> Iterator[str]:
    if isinstance(given, Recipe):
        yield (
            "its source is a recipe that nobody makes. Let it be a field of an attrs class "
            "(@frozen): those that hold recipes get the datasets."
        )


_QUESTIONS: dict[str, Callable[[Any], Iterator[str]]] = {
    "laws": _laws,
    "features": _features,
    "differ": _differ,
    "weights": _weights,
    "source": _source,
}


def _listed(given: Any, attribute: str, of: str, write: str) -> tuple[str, ...] | str:
    """Names, or what is wrong with them."""
    try:
        return names(given)
    except UserError:
        return f"its {attribute} are {told(given)}, no names {of}. Write {write}."


def _names_nothing(sampler: Agree | Differ) -> list[str]:
    if features_of(sampler) or differ_of(sampler):
        return []
    return [f"Its {type(sampler).__name__} names no feature. Name one, or write Uncond(): any row."]


def _agrees_on_nothing(sampler: Any) -> list[str]:
    if hasattr(sampler, "features") or hasattr(sampler, "differ"):
        return []
    return [
        f"Sampler {type(sampler).__name__}: it claims agreement, and names no features. Write "
        'features = ("length",), or leave that law out.'
    ]


def not_in_the_data(sampler: Any, data: Dataset) -> list[str]:
    """Columns that a sampler of the user's own names and the data lacks: a sentence each.

    Ours say so when they draw.
    """
    if not is_own(sampler):
        return []
    who, weights = f"Sampler {type(sampler).__name__}", getattr(sampler, "weights", None)
    found: list[str] = []
    for name in dict.fromkeys([*features_of(sampler), *differ_of(sampler)]):
        try:
            data.feature(name)
        except UserError as error:
            found.append(f"{who} names a feature that there is not. {error}")
    if weights is not None:
        try:
            weights_of(data, weights, who)
        except UserError as error:
            found.append(str(error))
    return found


def from_elsewhere(sampler: Any, references: Rows, drawn: Rows) -> str:
    """That donors are of a dataset which the sampler does not declare; "" if they are not."""
    known = (references.population, references.data, references.root.data, source_of(sampler))
    made_from = drawn.data.generated_from
    if any(drawn.data is data or (made_from is data and made_from) for data in known):
        return ""
    return (
        f'Sampler {type(sampler).__name__} draws rows of "{drawn.data.name}", not of the data '
        f'"{references.population.name}", and does not say so. Return references.donors(row '
        "numbers), or give it an attribute source: the dataset that it draws from."
    )
