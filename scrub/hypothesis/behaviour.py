"""A behaviour: what a model does, on which data, by which metric, and how its inputs are corrupted.

A claim without a tree. `scrub patch` asks of it which parts of the model carry it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import field, frozen

from scrub.errors import UserError
from scrub.hypothesis.claim import note_made, outermost_line, unwrapped
from scrub.hypothesis.sites import Sites
from scrub.printing import html_of, name_problem, one_line, printable


def _name(behaviour: Behaviour, attribute: object, name: Any) -> None:
    problem = name_problem(name)
    if problem:
        raise UserError(f"@behaviour: {problem}")


@frozen(eq=False)
class Behaviour:
    """What a model does, and how to take it away: what a sweep is about.

    Attributes:
        name: the function's name, or what @behaviour(name=…) says.
        build: model → the sites that the metric reads, such as `output(at="end")`.
        data: a `Dataset`, a `Recipe`, or a function of the model that gives one.
        metric: see `scrub.metrics`; one, or several in a list.
        corrupt: the sampler of a reference's corrupted input; None where none is known.
        model: overrides the file's MODEL.
        says: the first line of the docstring.
        made: the file, and the line of it outside all functions, in which it was made.
    """

    name: str = field(validator=_name)
    build: Callable[[Any], Sites]
    data: Any
    metric: Any
    corrupt: Any = None
    model: Any = None
    says: str = field(default="", converter=printable)
    made: tuple[str, int] = field(factory=outermost_line, repr=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        note_made(self)

    def __repr__(self) -> str:
        return one_line(f"Behaviour({self.name!r})")

    def _repr_html_(self) -> str:
        return html_of(self)


def behaviour(
    *,
    data: Any,
    metric: Any,
    corrupt: Any = None,
    model: Any = None,
    name: str | None = None,
) -> Callable[[Callable[[Any], Sites]], Behaviour]:
    """Declare a behaviour: decorates a function from the model to the sites that the metric reads.

    Its docstring's first line says what the model does.

    Args:
        data, metric, corrupt, model: see `Behaviour`.
        name: what the behaviour is called (default: the function's name).
    """

    def decorate(build: Callable[[Any], Sites]) -> Behaviour:
        function = unwrapped(build)
        lines = (function.__doc__ or "").strip().splitlines()
        return Behaviour(
            name=getattr(function, "__name__", type(build).__name__) if name is None else name,
            build=build,
            data=data,
            metric=metric,
            corrupt=corrupt,
            model=model,
            says=lines[0] if lines else "",
        )

    return decorate
