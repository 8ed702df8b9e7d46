"""Split sites: a value as the sum of its summands, and each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any

import torch
from attrs import evolve, frozen
from torch import Tensor

from scrub.hypothesis.correspondence import Correspondence
from scrub.hypothesis.splits import (
    REST,
    Coordinates,
    Estimate,
    Projection,
    SourcePositions,
    Split,
)
from scrub.names import Cell
from scrub.reference.path import Path


@frozen(eq=False)
class Summands:
    """How the sites of a hypothesis are split, and which summands its nodes name."""

    splits: Mapping[str, Split]
    named: Mapping[str, frozenset[str]]

    @staticmethod
    def of(correspondence: Correspondence) -> Summands:
        routes = [route for sites in correspondence.sites.values() for route in sites.routes]
        cells = [(cell, route.split) for route in routes for cell in route.cells]
        splits = {cell.site: split for cell, split in cells if split is not None}
        named = {
            site: frozenset(c.part for c, _ in cells if c.site == site and c.part is not None)
            for site in splits
        }
        return Summands(splits, named)

    def exchanged(
        self,
        value: Tensor,
        cell: Cell,
        paths: Iterable[Path],
        leads_to: Set[str],
        summand: Callable[[str], Tensor],
    ) -> Tensor:
        """A site's value with the summands of the children whose paths end at summands of it.

        Args:
            value: the site's value, [samples, width, size].
            cell: the site, whole.
            paths: those that have come to it.
            leads_to: the ports of its component that the site depends on.
            summand: its summands, as they are without the children's, by name.
        """
        named = [evolve(cell, part=part) for part in sorted(self.named.get(cell.site, ()))]
        ends = [(path, part) for path in paths for part in named if path.ends_at(part, leads_to)]
        for path, part in ends:
            old = summand(str(part.part))
            value = value - old + path.landed_on(old, part)
        return value

    def summand(
        self,
        site: str,
        part: str,
        whole: Tensor,
        phi: Callable[[Estimate], Tensor],
        by_source: Callable[[int], Tensor],
    ) -> Tensor:
        """One summand of a site's value, [samples, width, size] like the whole.

        The rest is what the other summands leave. Of the summands per source position these are the
        ones that some node names.

        Args:
            site: the site that is split.
            part: the summand's name.
            whole: the site's value.
            phi: the estimate of it in the frame that it was computed in.
            by_source: what a head's z gets from one source position.
        """
        split = self.splits[site]
        if part == REST:
            others = sorted(self.named[site]) if isinstance(split, SourcePositions) else split.names
            named = [self.summand(site, p, whole, phi, by_source) for p in others if p != REST]
            return whole - sum(named)
        match split:
            case Projection():
                basis = torch.tensor(split.bases[part], dtype=whole.dtype)
                return whole @ basis @ basis.T
            case Coordinates():
                chosen = torch.zeros(whole.shape[-1], dtype=whole.dtype)
                chosen[list(split.sets[part])] = 1
                return whole * chosen
            case Estimate():
                return phi(split)
            case SourcePositions():
                return by_source(int(part))
        raise TypeError(f"unknown split {split}")


def estimated(values: Any, whole: Tensor) -> Tensor:
    """A function's estimates in the shape of what they estimate.

    The function gives one value a row, [samples, size], for all positions, or one a position,
    [samples, positions, size]; where it gives no value the estimate is 0.
    """
    given = torch.as_tensor(values).to(whole.dtype)
    if given.ndim < whole.ndim:
        return given[:, None].expand_as(whole)
    phi = torch.zeros_like(whole)
    width = min(whole.shape[1], given.shape[1])
    phi[:, :width] = given[:, :width]
    return phi


def from_source(source: int, pattern: Tensor, v: Tensor) -> Tensor:
    """What a head's z gets from one source position: 0 where the frame has no such position."""
    if source >= v.shape[1]:
        return torch.zeros_like(v)
    return pattern[:, :, source : source + 1] * v[:, source : source + 1]
