"""Bind a sampler to a model: make the recipes that it holds, and hand it the tokenizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve, fields, has

from scrub.data.dataset import Dataset, Recipe, Tokenizer
from scrub.errors import UserError, in_words
from scrub.samplers.protocol import is_own


def bound(sampler: Any, make: Callable[[Recipe], Dataset], tokenizer: Tokenizer | None) -> Any:
    """The same sampler with its recipes made.

    A sampler that needs the model's tokenizer has a method `bind(tokenizer)`, which returns the
    sampler that has it.
    """
    if isinstance(sampler, type):  # a slip of the user's, which the check names
        return sampler
    if has(type(sampler)):
        held = {f.alias: getattr(sampler, f.name) for f in fields(type(sampler)) if f.init}
        recipes = {name: value for name, value in held.items() if isinstance(value, Recipe)}
        tables = {name: make(recipe) for name, recipe in recipes.items()}
        sampler = evolve(sampler, **tables) if tables else sampler
    if is_own(sampler):
        return _theirs(sampler, tokenizer)
    return sampler.bind(tokenizer) if hasattr(sampler, "bind") else sampler


def _theirs(sampler: Any, tokenizer: Tokenizer | None) -> Any:
    """A sampler of the user's own, bound as it says, if it says so."""
    try:
        return sampler.bind(tokenizer) if hasattr(sampler, "bind") else sampler
    except UserError:
        raise
    except Exception as error:  # whatever the user's method raises
        name = type(sampler).__name__
        raise UserError(
            f"Sampler {name}: its bind(tokenizer) failed: {in_words(error)}."
        ) from error
