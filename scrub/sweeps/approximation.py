"""How far first-order effects may be believed: measured on a random tenth of the senders."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from attrs import evolve, frozen
from jaxtyping import Float


@frozen(eq=False)
class Approximation:
    """First-order effects, and exact ones of some senders beside them.

    Attributes:
        kind: "first order" or "integrated gradients".
        decides: whether the effects that are reported are these; else they only ranked.
        first_order: of each metric and sender, a mean over references.
        exact: by sender, its exact effect on each metric.
        ranked: how many were ranked by them.
        correlations: per metric, Pearson's, of first-order and exact effects; NaN where fewer than
            two are known, or all are equal.
        errors: per metric, the largest difference of a first-order effect from its exact one.
    """

    kind: str
    decides: bool
    first_order: Float[np.ndarray, "metrics senders"]
    exact: Mapping[int, Sequence[float]]
    ranked: int
    correlations: tuple[float, ...]
    errors: tuple[float, ...]

    def columns(self, metric: int, sender: int) -> dict[str, object]:
        """What a sweep's frame says of it; NaN where no exact effect was computed."""
        exact = self.exact.get(sender)
        return {
            "approximate": self.decides,
            "first_order": float(self.first_order[metric, sender]),
            "exact": math.nan if exact is None else exact[metric],
        }

    def only(self, senders: Sequence[int]) -> Approximation:
        """Of some senders alone."""
        exact = {n: self.exact[old] for n, old in enumerate(senders) if old in self.exact}
        return evolve(self, first_order=self.first_order[:, list(senders)], exact=exact)


def compared(
    kind: str,
    first_order: Float[np.ndarray, "metrics senders"],
    exact: Mapping[int, Sequence[float]],
    *,
    decides: bool,
    ranked: int,
) -> Approximation:
    """First-order effects beside exact ones, with how far they agree."""
    known = sorted(exact)
    ours = first_order[:, known]
    theirs = np.array([exact[number] for number in known]).T.reshape(ours.shape)
    pairs = list(zip(ours, theirs, strict=True))
    return Approximation(
        kind,
        decides,
        first_order,
        exact,
        ranked,
        tuple(_correlation(*pair) for pair in pairs),
        tuple(float(np.abs(a - b).max(initial=0.0)) if known else math.nan for a, b in pairs),
    )


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    if len(one) < 2 or one.std() == 0 or other.std() == 0:
        return math.nan
    return float(np.corrcoef(one, other)[0, 1])


def random_tenth(senders: int, seed: int) -> list[int]:
    """A tenth of the senders, two at least, drawn without replacement from the seed."""
    count = min(senders, max(2, math.ceil(senders / 10)))
    return sorted(np.random.default_rng(seed).choice(senders, count, replace=False).tolist())
