"""Plain values of virtual rows, made of the plain values of the rows that they come from.

Only what is asked for is made. A mean is summed up batch by batch in float64, so that no more rows
are held than one forward pass takes.
"""

from __future__ import annotations

from collections.abc import Callable, Set

import numpy as np
import torch
from attrs import define
from torch import Tensor

from scrub.data.dataset import Rows
from scrub.data.virtual import Averages, Filled, Shifted
from scrub.errors import UserError
from scrub.model.graph import Graph, Site

Computed = Callable[[Rows, Set[str]], dict[str, Tensor]]
"""(rows of a dataset, sites and streams) → plain values of these, [rows, positions, heads, …]."""


def given_values(
    graph: Graph, rows: Rows, width: int, names: Set[str], at_once: int, computed: Computed
) -> dict[str, Tensor]:
    """Sites and streams of virtual rows, each [rows, positions, heads or 1, …].

    Args:
        names: those that are asked for, whether the cache would store them of inputs or not.
        at_once: rows of inputs in one forward pass.
        computed: the plain model.

    Raises:
        UserError: a value that is given does not fit a site; or numbers that cannot be averaged
            differ.
    """
    match rows.data.given:
        case Averages() as given:
            return _averaged(rows, given, names, at_once, computed)
        case Shifted() as given:
            plain = computed(Rows(given.source, rows.index), names)
            by = torch.from_numpy(np.array(given.by))
            return {name: _shifted(name, value, by) for name, value in plain.items()}
        case Filled() as given:
            return _filled(graph, rows, width, given, names, computed)
    raise AssertionError(f"{rows.data.name} is no dataset of virtual rows")


def _averaged(
    rows: Rows, given: Averages, names: Set[str], at_once: int, computed: Computed
) -> dict[str, Tensor]:
    place = np.full(given.class_of.max() + 1, -1)
    place[rows.index] = np.arange(len(rows))
    members = np.flatnonzero(place[given.class_of] >= 0)
    means = {name: _Mean(name, len(rows)) for name in names}
    for start in range(0, len(members), at_once):
        here = members[start : start + at_once]
        classes = torch.from_numpy(place[given.class_of[here]])
        for name, value in computed(Rows(given.source, here), names).items():
            means[name].add(value, classes.to(value.device))
    return {name: mean.found() for name, mean in means.items()}


@define(eq=False)
class _Mean:
    """The means of one value over the rows of some classes, as they come."""

    name: str
    classes: int
    total: Tensor | None = None
    count: Tensor | None = None
    dtype: torch.dtype | None = None

    def add(self, value: Tensor, of: Tensor) -> None:
        """Values of some rows, and the class of each."""
        exact = not (value.is_floating_point() or value.is_complex())
        if self.total is None or self.count is None:
            wide = torch.complex128 if value.is_complex() else torch.float64
            shape = (self.classes, *value.shape[1:])
            self.total = value.new_zeros(shape, dtype=value.dtype if exact else wide)
            self.count = of.new_zeros(self.classes)
            self.dtype = value.dtype
        if exact:
            self._same(value, of)
        else:
            self.total.index_add_(0, of, value.to(self.total.dtype))
        self.count.index_add_(0, of, torch.ones_like(of))

    def _same(self, value: Tensor, of: Tensor) -> None:
        """Of what is no real number, such as a mask, there is a mean where all rows agree."""
        assert self.total is not None
        assert self.count is not None
        fresh = self.count[of] == 0
        self.total[of[fresh]] = value[fresh]
        if not torch.equal(self.total[of], value):
            raise UserError(
                f"Mean: {self.name} holds no real numbers, and differs between rows that are "
                "averaged. Average over rows that agree on it."
            )

    def found(self) -> Tensor:
        assert self.total is not None
        assert self.count is not None
        if not (self.total.is_floating_point() or self.total.is_complex()):
            return self.total
        each = self.count.reshape(-1, *[1] * (self.total.dim() - 1))
        return (self.total / each).to(self.dtype)


def _shifted(name: str, value: Tensor, by: Tensor) -> Tensor:
    _refuse_size(name, value, by.shape)
    return value + _along(by, value).to(value.device, value.dtype)


def _filled(
    graph: Graph, rows: Rows, width: int, given: Filled, names: Set[str], computed: Computed
) -> dict[str, Tensor]:
    masks = {name for name in names if is_mask(graph, name)}
    found = computed(Rows(given.source, rows.index), masks) if masks else {}
    like = computed(Rows(given.source, rows.index[:1]), names - masks)
    for name, value in like.items():
        if name in graph.streams:
            one = _stream_of(graph, name, value)
        else:
            one = _one_filled(name, value, torch.from_numpy(np.array(given.value)), width)
        found[name] = one.expand(len(rows), *one.shape[1:])
    return found


def _one_filled(name: str, like: Tensor, value: Tensor, width: int) -> Tensor:
    """A value at every position of a site of one row, [1, positions, heads, …]."""
    new = torch.zeros_like(like)
    if value.dim() == 2:
        _refuse_size(name, like, value.shape[1:])
        if len(value) < like.shape[1]:
            raise UserError(
                f"Constant({len(value)} x {value.shape[1]}): {name} has {like.shape[1]} positions. "
                "Give a row for each."
            )
        value = value[None, : like.shape[1], None]
    elif value.dim() == 1:
        _refuse_size(name, like, value.shape)
        value = _along(value, like)
    return new + value.to(like.device, like.dtype)


def _stream_of(graph: Graph, name: str, like: Tensor) -> Tensor:
    """A stream to which all sites write zero: its constants, [1, positions, 1, …]."""
    total = torch.zeros_like(like)
    here: str | None = name
    while here is not None:
        stream = graph.streams[here]
        total = total if stream.constant is None else total + stream.constant
        here = stream.base
    return total


def _along(vector: Tensor, value: Tensor) -> Tensor:
    """A vector as it is added along a value's last axis; of a site of single numbers that one."""
    return vector.reshape(()) if value.dim() == 3 else vector


def _refuse_size(name: str, value: Tensor, shape: torch.Size) -> None:
    size = 1 if value.dim() == 3 else value.shape[-1]
    if shape[-1] != size:
        raise UserError(
            f"{shape[-1]} numbers are given for {name}, whose last axis has {size}. Give {size}."
        )


def is_mask(graph: Graph, name: str) -> bool:
    """Whether a value says which positions hold a token: that of a virtual row is its frame's."""
    value = graph.values[name]
    return isinstance(value, Site) and (value.kind, value.part) == ("attention", "mask")
