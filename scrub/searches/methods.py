"""The methods by which circuits are searched, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from scrub.searches import acdc, attribution, pruning
from scrub.searches.method import Method

METHODS: Mapping[str, Method] = MappingProxyType(
    {method.name: method for method in (pruning.METHOD, acdc.METHOD, attribution.METHOD)}
)
PATHS = "paths"
"""Iterative path patching, which ends in a hypothesis and not in a circuit."""
NAMES = (PATHS, *METHODS)


def in_a_row(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
