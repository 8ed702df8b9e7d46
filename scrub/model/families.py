"""Families of models: those that come with scrub, and those that users register.

A registration holds for the process: for every model that is described after it. The same function
may be registered again, so that a file may be loaded twice; another function under a name that is
taken is refused.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from scrub.errors import UserError, in_words
from scrub.model.config import Family, ReadWeights, Shape, checked, unsupported
from scrub.model.config_values import Config, check_settings
from scrub.model.hugging_face import BUILT_IN
from scrub.model.llava_config import (
    LLAVA,
    check_llava,
    is_llava,
    language_config,
    vision_shape,
)

T = TypeVar("T")

_registered: dict[str, Family] = {}


def register_family(
    model_type: str, shape: Callable[[Config], Shape], *, weights: ReadWeights | None = None
) -> None:
    """Make scrub take the models of a family that it does not know.

    A model is checked against Hugging Face's own code on random tokens whenever it is loaded, so
    that a mistake in these functions is found before anything runs.

    Args:
        model_type: as config.json names it.
        shape: a model's configuration (Hugging Face's names) → its shape.
        weights: the TransformerBridge of a model and its shape → its weights; None: those that
            `scrub.model.bridge.weights_of` finds.

    Raises:
        UserError: the name is taken by another function.
    """
    if not isinstance(model_type, str) or not model_type:
        raise UserError(f"A family is registered by its model_type; {model_type!r} is none.")
    for function, what in ((shape, "shape"), (weights, "weights")):
        if not callable(function) and not (what == "weights" and function is None):
            raise UserError(
                f'The family "{model_type}" is registered with {what} = {function!r}, which is no '
                "function."
            )
    if model_type in (*BUILT_IN, LLAVA):
        raise UserError(f'The family "{model_type}" comes with scrub and cannot be replaced.')
    before = _registered.get(model_type)
    if before is not None and _origin(before.shape) != _origin(shape):
        raise UserError(
            f'The family "{model_type}" is registered already, by {_origin(before.shape)}; '
            f"{_origin(shape)} cannot take its place. Keep one of them."
        )
    _registered[model_type] = Family(shape, weights)


def _origin(function: Callable[..., object]) -> str:
    """Where a function is defined: the same for each time that its file is loaded."""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    module = getattr(function, "__module__", "?")
    code = getattr(function, "__code__", None)
    return f"{name} of {module if module == '__main__' or code is None else code.co_filename}"


@contextlib.contextmanager
def temporary_families() -> Iterator[None]:
    """Forget at the end of the block the families that were registered in it (for tests)."""
    before = dict(_registered)
    try:
        yield
    finally:
        _registered.clear()
        _registered.update(before)


def known_families() -> tuple[str, ...]:
    """The families that there are, those that come with scrub first."""
    return (*BUILT_IN, LLAVA, *_registered)


def family_of(config: Config) -> Family:
    """The family of a model with this configuration (Hugging Face names).

    Raises:
        UserError: there is none; names those that there are.
    """
    name = config.get("model_type")
    if isinstance(name, str) and name in {**BUILT_IN, **_registered}:
        return BUILT_IN[name] if name in BUILT_IN else _registered[name]
    there = f"there are: {', '.join(known_families())}."
    if name is None:
        raise UserError(f"Its config.json names no architecture (model_type); {there}")
    raise UserError(f"The architecture {json.dumps(name)} is not supported; {there}")


def shape_of(config: Config) -> Shape:
    """The shape that a configuration (Hugging Face names) describes; of a LLaVA's language model.

    Raises:
        UserError: the architecture is not supported, or a setting of it; or settings are missing,
            or of another kind than they must be; or the family's function fails.
    """
    if is_llava(config):
        check_llava(config)
        vision_shape(config)
        return shape_of(language_config(config))
    family = family_of(config)
    check_settings(config, required=family.required, optional=family.optional)
    for name, neutral in family.neutral.items():
        value = config.get(name)
        if value is not None and value not in neutral:
            raise unsupported(name, value)
    if config["model_type"] in BUILT_IN:
        return checked(family.shape(config))
    return checked(checked_call(config, family.shape, Shape, config))


def checked_call(config: Config, function: Callable[..., Any], kind: type[T], *arguments: Any) -> T:
    """What a registered family's function returns, if it is of the kind that it must be.

    Raises:
        UserError: it is not, or the function fails.
    """
    what = f'The family "{config["model_type"]}" ({_origin(function)})'
    try:
        given = function(*arguments)
    except UserError:
        raise
    except Exception as error:  # whatever a user's function raises
        raise UserError(f"{what} failed: {in_words(error)}.") from error
    if not isinstance(given, kind):
        raise UserError(f"{what} gave a value of type {type(given).__name__}, not {kind.__name__}.")
    return given
