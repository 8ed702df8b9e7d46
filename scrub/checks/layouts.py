"""Positions in all rows at once: where something is read, a bit for each position of each row.

Paths tell positions apart only by those that are named, and by what lies before what. So all
positions between two named ones count as one, and so do rows in which the named positions lie in
the same order: a thousand prompts are a handful of *layouts*.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from attrs import field, frozen

from scrub.data.dataset import Dataset
from scrub.engine.passing import Region
from scrub.hypothesis.positions import At, Spec

Mask = int
"""Positions in rows, as bits: those of the first layout, then those of the next."""


@frozen(eq=False)
class Layouts:
    """The ways in which named positions lie to each other in some row.

    A layout's positions are the named ones in their order, and what lies before, between and after
    them. Law: a mask is not 0 if and only if there is such a position in some row. What comes after
    the last named position is never taken as empty: a row may be read as wide as a wider dataset.

    Attributes:
        causal: whether what is read everywhere is read at and before one's own position only.
        every: all positions in all rows.
        downwards, upwards: per distance the positions that have one so far above, or below.
    """

    causal: bool
    every: Mask
    downwards: tuple[tuple[int, Mask], ...]
    upwards: tuple[tuple[int, Mask], ...]
    _named: dict[Spec, Mask]
    _regions: dict[Region, Mask] = field(factory=dict, init=False)

    def at(self, at: At) -> Mask:
        """The positions that are named."""
        if isinstance(at, str):
            return self.every
        found = 0
        for spec in at:
            found |= self._named[spec]
        return found

    def region(self, region: Region) -> Mask:
        """The positions of a region."""
        if region not in self._regions:
            found = self.at(region.at)
            for specs in region.within:
                found &= self.at(specs)
            for specs in region.without:
                found &= ~self.at(specs)
            self._regions[region] = found
        return self._regions[region]

    def seen_from(self, mask: Mask) -> Mask:
        """What these positions read where they read everywhere."""
        found = _spread(mask, self.downwards, up=False)
        return self.every & (found if self.causal else _spread(found, self.upwards, up=True))

    def seeing(self, mask: Mask) -> Mask:
        """The positions that read these where they read everywhere."""
        found = _spread(mask, self.upwards, up=True)
        return self.every & (found if self.causal else _spread(found, self.downwards, up=False))


def _spread(mask: Mask, distances: tuple[tuple[int, Mask], ...], *, up: bool) -> Mask:
    """These positions, and in each row all above or below them."""
    for distance, within in distances:
        mask |= (mask << distance if up else mask >> distance) & within
    return mask


def layouts(specs: Iterable[Spec], tables: Sequence[Dataset], *, causal: bool) -> Layouts:
    """How these positions lie in the rows of some datasets, all of which have them."""
    named = tuple(dict.fromkeys(specs))
    rank, present = _layouts(np.concatenate([_distinct(table, named) for table in tables]))
    slots = present.shape[1]
    number, slot = np.arange(len(present)), np.arange(slots)
    masks: dict[Spec, Mask] = {}
    for column, spec in enumerate(named):
        here = np.zeros_like(present)
        here[number, 2 * rank[:, column] + 1] = True
        masks[spec] = _bits(here)
    distances = [2**power for power in range((slots - 1).bit_length())]

    def in_each(chosen: np.ndarray) -> Mask:
        return _bits(np.broadcast_to(chosen, present.shape))

    return Layouts(
        causal,
        _bits(present),
        tuple((distance, in_each(slot < slots - distance)) for distance in distances),
        tuple((distance, in_each(slot >= distance)) for distance in distances),
        masks,
    )


def _distinct(table: Dataset, named: Sequence[Spec]) -> np.ndarray:
    """The named positions in all rows that differ in any of them: int64 [rows, named]."""
    code = np.zeros(len(table), dtype=np.int64)
    for spec in named:
        if isinstance(spec, str):
            at = table.position(spec)
            _, code = np.unique(code * (int(at.max(initial=0)) + 1) + at, return_inverse=True)
    _, rows = np.unique(code, return_index=True)
    found = np.empty((len(rows), len(named)), dtype=np.int64)
    for column, spec in enumerate(named):
        found[:, column] = table.position(spec)[rows] if isinstance(spec, str) else spec
    return found


def _layouts(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The layouts of rows.

    Args:
        at: the named positions, int64 [rows, named].

    Returns:
        Per layout the rank of each named position among them, int64 [layouts, named], equal ones
        having one rank; and which of its positions there are: bool [layouts, 2 * named + 1], the
        named one of rank r at 2r + 1, and what lies before it at 2r.
    """
    rows, named = at.shape
    order = np.argsort(at, axis=1)
    step = np.diff(np.take_along_axis(at, order, axis=1), axis=1, prepend=-1)
    ranks = np.cumsum(step > 0, axis=1) - 1
    rank = np.empty_like(at)
    np.put_along_axis(rank, order, ranks, axis=1)
    present = np.zeros((rows, 2 * named + 1), dtype=bool)
    row = np.arange(rows)
    present[row[:, None], 2 * ranks + 1] = True
    between, which = np.nonzero(step > 1)
    present[between, 2 * ranks[between, which]] = True
    present[row, 2 * (ranks[:, -1] + 1) if named else 0] = True
    each = np.unique(np.concatenate([rank, present], axis=1), axis=0)
    return each[:, :named], each[:, named:].astype(bool)


def _bits(positions: np.ndarray) -> Mask:
    """A mask of positions, bool [layouts, positions of one]."""
    packed = np.packbits(positions, axis=None, bitorder="little")
    return int.from_bytes(packed.tobytes(), "little")
