"""How far two results are apart."""

from __future__ import annotations

from torch import Tensor


def difference(found: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to the largest expected value (absolute where all are 0)."""
    assert found.shape == expected.shape
    largest = float(expected.abs().max())
    return float((found.double() - expected.double()).abs().max()) / (largest or 1.0)
