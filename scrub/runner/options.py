"""How to run: what the command line's options say, and which of them make no sense."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from numbers import Integral, Real
from os import PathLike
from typing import Any, TypedDict, TypeVar, get_type_hints

import torch
from attrs import field, fields, frozen

from scrub.errors import UserError, did_you_mean
from scrub.model.edits import Edited
from scrub.model.given import Model as Given
from scrub.model.given import is_maker
from scrub.model.graph import Graph
from scrub.model.in_memory import kind_of
from scrub.printing import brief
from scrub.runner.sizes import EXAMPLES, in_bytes

F = TypeVar("F", bound=Callable[..., Any])
SAMPLES = 1_000
MEMORY = 2**30
"""Bytes for the values of one chunk, where `max_memory` says nothing."""
DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}


def _whole(value: Any) -> Any:
    """NumPy's whole numbers as Python's: draws are keyed by how the seed is written."""
    return int(value) if is_whole(value) else value


def is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _bytes(value: Any) -> Any:
    return in_bytes(value) or value if isinstance(value, str) else _whole(value)


def _dtype(value: Any) -> Any:
    return DTYPES.get(value.removeprefix("torch."), value) if isinstance(value, str) else value


def _device(value: Any) -> Any:
    return str(value) if isinstance(value, torch.device) else value


@frozen(repr=False)
class Options:
    """How to run: what the command line's options say.

    Attributes:
        model: overrides the file's model.
        precision: stop as soon as the interval's half-width is at most this.
        device: "cpu", "cuda", "cuda:1", or a torch.device.
        dtype: torch.float32, "float64", …
        max_memory: bytes for values while computing; or "64MB".
        alone: also scrub every node alone (-v).
        recheck: compare the model's weights with TransformerLens again (`--recheck`).
    """

    model: Any = None
    samples: int = field(default=SAMPLES, converter=_whole)
    precision: float | None = None
    seed: int = field(default=0, converter=_whole)
    device: str = field(default="cpu", converter=_device)
    dtype: torch.dtype = field(default=torch.float32, converter=_dtype)
    max_memory: int = field(default=MEMORY, converter=_bytes)
    alone: bool = False
    recheck: bool = False

    def __repr__(self) -> str:
        return brief(self)


class OptionsOfModels(TypedDict, total=False):
    """The run's options as keywords, but for the model; see `Options`."""

    samples: int
    precision: float | None
    seed: int
    device: str | torch.device
    dtype: str | torch.dtype
    max_memory: int | str
    alone: bool
    recheck: bool


class RunOptions(OptionsOfModels, total=False):
    """The run's options as keywords; see `Options`."""

    model: Any


def shows(keywords: type[Any]) -> Callable[[F], F]:
    """Shows a function's options one by one to `help`, `inspect.signature` and notebooks.

    Type checkers read them off `Unpack[…]`. Law: what the function takes and does is unchanged.

    Args:
        keywords: the TypedDict of the options.
    """
    usual = {attribute.name: attribute.default for attribute in fields(Options)}
    more = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=usual.get(name), annotation=kind
        )
        for name, kind in get_type_hints(keywords).items()
    ]

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        *named, _ = signature.parameters.values()
        shown: Any = function
        shown.__signature__ = signature.replace(parameters=[*named, *more])
        return function

    return decorate


def check_options(options: Options) -> None:
    """Raise a UserError with every option that makes no sense."""
    problems = list(option_problems(options))
    if problems:
        raise UserError(*problems)


def option_problems(options: Options) -> Iterator[str]:
    """What is wrong with each option, in a sentence."""
    known = isinstance(options.model, str | PathLike | Graph | Edited | Given | None)
    if not known and not is_maker(options.model):
        try:
            kind_of(options.model)
        except UserError as error:
            yield from (problem.what for problem in error.problems)
    for name, least in (("samples", 1), ("seed", 0)):
        value = getattr(options, name)
        if not is_whole(value) or value < least:
            yield f"{name} is {value!r}. Give a whole number, {least} or more."
    if not is_whole(options.max_memory) or options.max_memory < 1:
        yield f"max_memory is {options.max_memory!r}. Give a number of bytes, such as {EXAMPLES}."
    precision = options.precision
    is_number = isinstance(precision, Real) and not isinstance(precision, bool)
    if precision is not None and not (is_number and 0 < precision < math.inf):
        yield f"precision is {precision!r}. Give a number above 0, such as 0.05."
    if options.dtype not in DTYPES.values():
        given = options.dtype
        hint = did_you_mean(given, DTYPES) if isinstance(given, str) else f"Give {_any(DTYPES)}."
        yield f"dtype is {given!r}. {hint}"
    if not isinstance(options.device, str):
        yield f'device is {options.device!r}. Give a name, such as "cpu" or "cuda:1".'
    elif problem := _device_problem(options.device):
        yield problem
    for name in ("alone", "recheck"):
        if not isinstance(getattr(options, name), bool):
            yield f"{name} is {getattr(options, name)!r}. Give True or False."


def _any(names: Any) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}"


def _device_problem(device: str) -> str:
    """Why this machine has no such device; "" if it has."""
    try:
        torch.empty(0, device=device).tolist()  # "meta" can hold nothing
    except Exception:  # torch raises different types for different devices
        cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        there = ", ".join(["cpu", *cuda])
        return f'There is no device "{device}" on this machine. There are: {there}.'
    return ""
