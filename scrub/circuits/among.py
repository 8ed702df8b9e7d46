"""Where a circuit's figure lies among those of random circuits."""

from __future__ import annotations

import math

import numpy as np
from attrs import frozen


@frozen
class Among:
    """A figure of a circuit, and the same of random circuits.

    Attributes:
        own: of the circuit.
        random: of each random circuit; NaN where that is undefined.
    """

    own: float
    random: tuple[float, ...] = ()

    @property
    def defined(self) -> tuple[float, ...]:
        """Of the random circuits, those of which it is known."""
        return tuple(one for one in self.random if not math.isnan(one))

    @property
    def mean(self) -> float:
        """Of the random ones."""
        return float(np.mean(self.defined)) if self.defined else math.nan

    @property
    def range(self) -> tuple[float, float]:
        """Between which 95% of the random ones lie, by linear interpolation."""
        if not self.defined:
            return math.nan, math.nan
        low, high = np.quantile(self.defined, (0.025, 0.975))
        return float(low), float(high)

    @property
    def as_much(self) -> int:
        """How many of the random ones are as large as the circuit's, or larger."""
        return sum(one >= self.own for one in self.defined)

    @property
    def p(self) -> float:
        """The p-value of the circuit, itself counted: (1 + as much) / (1 + tries).

        A permutation test's (Phipson & Smyth 2010): never 0, however few were tried.
        """
        if not self.defined or math.isnan(self.own):
            return math.nan
        return (1 + self.as_much) / (1 + len(self.defined))
