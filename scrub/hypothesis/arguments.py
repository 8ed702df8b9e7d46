"""What users write where a path is told: values of the right kind, or a sentence that says why not.

Numbers are whole ones that are written so: 1.0 is no layer, and True is no head.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from scrub.data.values import whole
from scrub.errors import UserError, did_you_mean
from scrub.printing import printed

Head = tuple[int, int]

HEADS = re.compile(r"\s*[0-9]+\.[0-9]+\s*(,\s*[0-9]+\.[0-9]+\s*)*")
"""Heads as the command line names them: 9.9,9.6."""


def several(given: Any) -> tuple[Any, ...]:
    """One or several of a thing as a tuple; what is no list stands for itself."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        return (given,)
    return tuple(given)


def pairs(which: Any) -> list[Head]:
    """Heads as a user lists them: pairs of whole numbers, or texts "9.9" (also "9.9,9.6")."""
    said = f"heads({printed(which)})"
    items = [pair for item in several(which) for pair in _named_heads(item)]
    if len(items) == 2 and all(whole(item) is not None for item in items):
        pair = ", ".join(map(printed, items))
        raise UserError(f"{said}: heads are given as a list of pairs. Write heads([({pair})]).")
    found: list[Head] = []
    for item in items:
        pair = several(item)
        numbers = [number(n) for n in pair]
        if len(pair) != 2 or isinstance(item, str):
            texts = ' or heads(["1.0"])' if isinstance(item, str) else ""
            raise UserError(
                f"{said}: {printed(item)} is no head. Give a list of pairs (layer, head), such as "
                f"heads([(1, 0)]){texts}."
            )
        layer, head = numbers
        if layer is None or head is None:
            near = tuple(whole(n) for n in pair)
            fix = f"heads([{near}])" if None not in near else "heads([(1, 0)]), for example"
            raise UserError(
                f"{said}: layer and head are whole numbers, and {printed(item)} are not. "
                f"Write {fix}."
            )
        found.append((layer, head))
    return found


def _named_heads(item: Any) -> list[Any]:
    """The heads that a text names, as pairs; whatever is no such text, as it is."""
    if isinstance(item, str) and HEADS.fullmatch(item):
        dotted = [piece.strip().split(".") for piece in item.split(",")]
        return [(int(layer), int(head)) for layer, head in dotted]
    return [item]


def number(value: Any) -> int | None:
    """A layer or a head: a whole number that is written as one."""
    return None if isinstance(value, float) else whole(value)


def layers_of(layers: tuple[Any, ...], function: str) -> list[int]:
    """Layers as a user lists them, given to a function one by one."""
    for layer in layers:
        if number(layer) is None:
            listed = several(layer)
            numbers = None if isinstance(layer, str) else [number(item) for item in listed]
            fix = "Give whole numbers, such as mlp(1, 2)."
            if numbers and None not in numbers:
                fix = f"Write {function}({', '.join(map(str, numbers))})."
            raise UserError(f"{function}: {printed(layer)} is no layer. {fix}")
    return [int(layer) for layer in layers]


def refuse_no_name(value: Any, function: str, argument: str) -> None:
    """Refuse what is no text where a name is asked for."""
    if not isinstance(value, str):
        raise UserError(f"{function}: {argument}={printed(value)} is no name. Give a text.")


def streams(by: Any) -> list[str]:
    """The ports of a head that are named, each once."""
    ports: dict[str, None] = {}
    for name in ("q", "k", "v") if by is None else several(by):
        if name not in ("q", "k", "v", "pattern"):
            hint = did_you_mean(str(name), ("q", "k", "v", "pattern"))
            raise UserError(
                f"input_stream: by={printed(by)}: {printed(name)} names no input stream of a "
                f"head. {hint}"
            )
        ports |= dict.fromkeys(("q", "k") if name == "pattern" else (name,))
    return list(ports)
