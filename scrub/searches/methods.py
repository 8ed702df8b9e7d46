"""The methods by which circuits are searched, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from scrub.searches import acdc, attribution, pruning
from scrub.searches.method import Method

METHODS: Mapping[str, Method] = MappingProxyType(
    {method.name: method for method in (pruning.METHOD, acdc.METHOD, attribution.METHOD)}
)
PATHS = "paths"
"""Iterative path patching, which ends in a hypothesis and not in a circuit."""
NAMES = (PATHS, *METHODS)
