"""Virtual rows: frames in which values are given, and computed anew only behind a child's value."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from attrs import field, frozen
from torch import Tensor

from scrub.data.dataset import Rows
from scrub.data.virtual import Averages, Filled, Shifted
from scrub.names import Cell

Plain = Callable[[Rows], Callable[[Cell], Tensor]]
"""Rows of inputs → the plain model's value of any site or summand on them, [rows, width, …]."""


@frozen(eq=False)
class Given:
    """The values of virtual rows.

    Attributes:
        make: any site or summand, [samples, width or 1, …].
        landed: one entry for each time that a child's value was put among these.
    """

    make: Callable[[Cell], Tensor]
    landed: list[Cell] = field(factory=list)
    known: dict[Cell, Tensor] = field(factory=dict)

    def value(self, cell: Cell) -> Tensor:
        """A site or summand that no child's value has come to; one tensor for one cell."""
        if cell not in self.known:
            self.known[cell] = self.make(cell)
        return self.known[cell]

    def unless_landed(self, cell: Cell, anew: Callable[[], Tensor]) -> Tensor:
        """A site: computed anew if a child's value lands in anything that it is computed from."""
        before = len(self.landed)
        value = anew()
        return value if len(self.landed) > before else self.value(cell)


def given_to(rows: Rows, plain: Plain) -> Given:
    """What is given to these virtual rows, from what their source's rows are in the plain model."""
    match rows.data.given:
        case Averages() as given:
            members = np.flatnonzero(np.isin(given.class_of, rows.index))
            value_of = plain(Rows(given.source, members))
            classes = torch.tensor(given.class_of[members])

            def mean(cell: Cell) -> Tensor:
                every = value_of(cell)
                parts = [every[classes == number] for number in rows.index.tolist()]
                if every.dtype == torch.bool:  # rows that are as long have the same mask
                    return torch.stack([part[0] for part in parts])
                return torch.stack([part.double().mean(0).to(every.dtype) for part in parts])

            return Given(mean)
        case Shifted() as given:
            value_of = plain(Rows(given.source, rows.index))
            by = torch.tensor(given.by)

            def shifted(cell: Cell) -> Tensor:
                value = value_of(cell)
                return value + (by if value.ndim > 2 else by.sum()).to(value.dtype)

            return Given(shifted)
        case Filled() as given:
            value_of = plain(Rows(given.source, rows.index))
            filling = torch.tensor(given.value)

            def filled(cell: Cell) -> Tensor:
                value = value_of(cell)
                if cell.name.part == "mask":  # it belongs to the frame
                    return value
                here = filling[: value.shape[1]] if filling.ndim == 2 else filling
                here = here if value.ndim > 2 else here.sum()
                return torch.zeros_like(value) + here.to(value.dtype)

            return Given(filled)
    raise TypeError(f"{rows.data.name} is no dataset of virtual rows")
