"""The keywords of `scrub.find` by method, as type checkers read them.

What they mean stands with each method: `PruningSettings`, `AcdcSettings`, `AttributionSettings`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from scrub.runner.options import RunOptions

Kinds = str | Sequence[str]
"""Kinds of components, "heads,mlps", or in a list."""


class CircuitOptions(RunOptions, total=False):
    """The run's options, and how what is outside of a circuit is knocked out."""

    ablate: Literal["mean", "resample", "zero"] | None


class PruningOptions(CircuitOptions, total=False):
    """Of `by="pruning"`."""

    keeps: float
    costs: float
    absolute: bool
    order: Literal["backward", "forward", "least", "random"]
    orders: int
    level: Literal["nodes", "positions", "edges"]


class AcdcOptions(CircuitOptions, total=False):
    """Of `by="acdc"`."""

    threshold: float | None
    absolute: bool
    metric: Literal["kl", "own"] | None
    order: Literal["backward", "forward", "random"]


class AttributionOptions(CircuitOptions, total=False):
    """Of `by="attribution"`."""

    level: Literal["nodes", "edges"]
    choose: Literal["greedy", "top"]
    keeps: float
    size: int | None
    threshold: float | None
    metric: Literal["kl", "own"]
    checked: int | None


class SearchOptions(CircuitOptions, total=False):
    """Of all methods."""

    keeps: float
    costs: float
    absolute: bool
    order: Literal["backward", "forward", "least", "random"]
    orders: int
    level: Literal["nodes", "positions", "edges"]
    threshold: float | None
    metric: Literal["kl", "own"] | None
    choose: Literal["greedy", "top"]
    size: int | None
    checked: int | None
