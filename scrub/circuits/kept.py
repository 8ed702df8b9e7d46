"""What a model keeps of a behaviour's inputs: the ways by which the embeddings' values may go on.

A circuit is measured as the tree `root ← embeddings`, whose paths pass what is kept: see
`scrub.circuits.measurements`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from attrs import evolve

from scrub.hypothesis.circuit import Circuit, Edge, Placed
from scrub.hypothesis.positions import ALL
from scrub.hypothesis.sites import Through, anything, none
from scrub.model.registry import Model
from scrub.names import Cell

Kept = Through | None
"""The ways that are kept; None: none at all, not even the embeddings' own to the root."""
WHOLE: Kept = anything
"""All of the model is kept: F(M)."""


def keeping(circuit: Circuit, model: Model) -> Kept:
    """A circuit alone, all outside of it knocked out: F(C).

    A circuit of sites keeps the direct way from the embeddings to the root, since a path may end
    where it begins; a circuit of edges keeps it where it is one of its edges. Of a circuit that has
    edges they count, and not its sites.
    """
    circuit = circuit.on(model)
    if circuit.edges:
        return evolve(none, circuit=circuit)
    kinds = {name: site.kind for name, site in model.graph.sites.items()}
    cells = tuple(one for one in circuit.cells if kinds.get(one.cell.site) != "embedding")
    return evolve(none, circuit=Circuit(cells=cells)) if cells else none


def parts_of(kept: Kept) -> tuple[Placed | Edge, ...]:
    """Every site and edge that is named as kept or as removed."""
    if kept is None:
        return ()
    circuit = kept.circuit or Circuit()
    placed = circuit.cells if not circuit.edges else ()
    sites = (*map(Placed, (*kept.also, *kept.never)), *kept.also_at, *kept.never_at)
    return (*sites, *placed, *circuit.edges)


def removing(cells: Iterable[Cell | Placed]) -> Kept:
    """The model without some of its sites: F(M ∖ K). At single positions where they name any."""
    placed = [one if isinstance(one, Placed) else Placed(one) for one in cells]
    return evolve(
        anything,
        never=tuple(one.cell for one in placed if one.at == ALL),
        never_at=tuple(one for one in placed if one.at != ALL),
    )


def digest(kept: Kept) -> str:
    """What tells one from another, as a hash. Law: it is that of equal values, however they were
    written.
    """
    if kept is None:
        return hashlib.sha256(b"nothing").hexdigest()
    circuit = kept.circuit or Circuit()
    said = (
        kept.kinds,
        *(sorted(map(repr, set(one))) for one in (kept.also, kept.never, kept.also_at)),
        sorted(map(repr, set(kept.never_at))),
        list(map(repr, circuit.cells)),
        list(map(repr, circuit.edges)),
    )
    return hashlib.sha256(repr(said).encode()).hexdigest()
