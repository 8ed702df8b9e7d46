"""Why a claim with a mistake may recover enough: what the mistake changes in the rows there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scrub.analysis.confounding import confounded
from scrub.data.dataset import Dataset, Rows
from scrub.samplers import Agree, Sampler
from scrub.samplers.agreement import classes
from validating.claims import Part, Told


def why(data: Dataset, told: Told, recovered: float) -> str:
    """In words, how the mistake can be without effect; "" where nothing general is known of it.

    Args:
        recovered: by the claim, in truth.
    """
    if told.truth is None:
        return ""
    if not told.place:
        return f"what is left out is worth {abs(1 - recovered):.4f} in these rows"
    changed = _changed(told.truth, told)
    return "" if changed is None else compared(data, *changed)


def compared(data: Dataset, before: Sequence[str], after: Sequence[str]) -> str:
    """How two sets of features divide the rows of some data."""
    first, second = " and ".join(before), " and ".join(after)
    every = Rows(data, np.arange(len(data)))
    old, new = classes(every, before)[0], classes(every, after)[0]
    both = len(np.unique(np.stack([old, new]), axis=1).T)
    if len(after) == 1 and after[0] in confounded(data, before):
        return f"{second} divides these rows as {first} does: only rows in which they differ tell"
    if both == new.max() + 1:
        return f"{second} determines {first} in these rows"
    if both == old.max() + 1:
        return f"{first} determines {second}, and the rest of it is not needed"
    return ""


def _changed(truth: Part, told: Told) -> tuple[Sequence[str], Sequence[str]] | None:
    """What the node carries in truth, and what is said of it; None where that is the same."""
    siblings = truth.at(told.place[:-1]).children
    if told.place[-1] >= len(siblings):
        return None  # a node that was added
    before, after = siblings[told.place[-1]].sampler, told.part.at(told.place).sampler
    return _features(before, after)


def _features(before: Sampler, after: Sampler) -> tuple[Sequence[str], Sequence[str]] | None:
    if isinstance(before, Agree) and isinstance(after, Agree) and before != after:
        return before.features, after.features
    return None
