"""Graphs of plain functions: `node("d", lambda a, b: a * b, a="x", b=["y", "z"])`.

Small enough to compute by hand, and a model like any other. The value of a node is
`[inputs, ...]`; an argument that names several nodes gets their sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from attrs import field, frozen
from torch import Tensor

from scrub.errors import UserError, did_you_mean, in_line, in_words
from scrub.model.graph import Graph, Port, Site, Stream, Where, add_up
from scrub.values import name_problem


@frozen(eq=False)
class Node:
    """A named value: a function of other nodes, or (without a function) a column of the input."""

    name: str
    function: Callable[..., Tensor] | None = None
    reads: Mapping[str, tuple[str, ...]] = field(factory=dict)


def source(name: str) -> Node:
    """A node that is read from the dataset's input of that name."""
    return Node(name)


def node(name: str, function: Callable[..., Tensor], **reads: str | Sequence[str]) -> Node:
    """A node computed from others: one keyword per argument, naming a node or several (summed)."""
    sources = {a: (r,) if isinstance(r, str) else tuple(r) for a, r in reads.items()}
    return Node(name, function, sources)


def graph(*nodes: Node, dtype: torch.dtype = torch.float64) -> Graph:
    """The graph of these nodes. An argument's name is the port by which a path enters.

    Raises:
        UserError: a node reads nothing, or one that does not stand before it; two have one name.
    """
    values: dict[str, Site | Stream] = {}
    for item in nodes:
        if problem := name_problem(item.name):
            raise UserError(f"A node of the graph: {problem}")
        if item.name in values:
            raise UserError(
                f'Two nodes of the graph are called "{item.name}". Give each a name of its own.'
            )
        if item.function is not None and not item.reads:
            raise UserError(
                f'Node "{item.name}" reads nothing. Say which node each argument of its function '
                f'is: node("{item.name}", function, x="x").'
            )
        for argument, sources in item.reads.items():
            for name in sources:
                if name not in values:
                    raise UserError(
                        f'Node "{item.name}" reads "{name}", which is not a node before it. '
                        f"{did_you_mean(name, (v for v in values if '.' not in v))}"
                    )
            stream = f"{item.name}.{argument}"
            values[stream] = Stream(stream, sources)
        ports = tuple(Port(a, f"{item.name}.{a}", frozenset({a})) for a in item.reads)
        apply = (
            _reading(item.name, dtype)
            if item.function is None
            else _applying(item.name, item.function)
        )
        values[item.name] = Site(item.name, item.name, apply, ports)
    sources = tuple(item.name for item in nodes if item.function is None)
    return add_up(values, dtype=dtype, inputs=sources)


def _reading(name: str, dtype: torch.dtype) -> Callable[[Mapping[str, Tensor], Where], Tensor]:
    return lambda inputs, where: inputs[name].to(dtype)[:, None, None]


def _applying(
    name: str, function: Callable[..., Tensor]
) -> Callable[[Mapping[str, Tensor], Where], Tensor]:
    def apply(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
        # Copies: what it writes into them must not come to other readers of the same values.
        given = {port: value[:, 0, 0].clone() for port, value in inputs.items()}
        try:
            made = function(**given)
        except (UserError, KeyboardInterrupt):
            raise
        except BaseException as error:  # in the user's code sys.exit() is an error like any other
            failed = f'Node "{name}" of the graph failed{in_line(error)}: {in_words(error)}.'
            raise UserError(failed) from error
        rows = len(next(iter(inputs.values())))
        if not isinstance(made, Tensor) or made.shape[:1] != (rows,):
            shape = f" of shape {list(made.shape)}" if isinstance(made, Tensor) else ""
            raise UserError(
                f'Node "{name}" of the graph gave a {type(made).__name__}{shape} for {rows} '
                "inputs. Give a tensor with one entry an input."
            )
        return made[:, None, None]

    return apply
