"""What to do about a path that runs through what a sibling claims: the path that does not."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from scrub.engine.passing import passage
from scrub.hypothesis.circuit import Placed
from scrub.hypothesis.positions import ALL
from scrub.hypothesis.sites import Through
from scrub.model.graph import Graph

LISTED = 12
"""Sites that a proposal lists, at most."""


def narrowing(through: Through, claimed: Sequence[Placed], first: str, graph: Graph) -> str:
    """What to do about a path that runs through what others claim.

    Args:
        claimed: the sites, with the positions at which they are claimed.
        first: one that claims them, in words.
    """
    circuit = through.circuit
    if circuit is not None and circuit.edges:
        writers = {graph.component(edge.writer) for edge in circuit.edges}
        if all(graph.component(one.cell) in writers for one in claimed):
            listed = ", ".join(str(one.cell) for one in claimed[:LISTED])
            return f"Leave the edges from {listed} out of the circuit."
    elif not any(passage(through, one.cell, graph).nowhere for one in claimed):
        barred = [Placed(one.cell, one.at if _written(one, graph) else ALL) for one in claimed]
        if circuit is not None:
            return f"Leave {', '.join(map(str, barred[:LISTED]))} out of the circuit."
        narrowed = evolve(through, never=(), never_at=())
        excluded = [*map(Placed, through.never), *through.never_at, *barred]
        more = ", …" if len(excluded) > LISTED else ""
        listed = ", ".join(in_code(one, graph) for one in excluded[:LISTED])
        return f"Write through={narrowed}.excluding({listed}{more})."
    return f"Make it a child of {first}, or let it enter by another port (into=)."


def _written(placed: Placed, graph: Graph) -> bool:
    """Whether a site is what its component writes to the stream, so that it can be barred there."""
    writers = {writer for stream in graph.streams.values() for writer in stream.writers}
    return placed.cell.site in writers


def in_code(placed: Placed, graph: Graph) -> str:
    """A site's component as a user writes it, at its positions."""
    cell, site = placed.cell, graph.sites[placed.cell.site]
    at = ""
    if not isinstance(placed.at, str):
        specs = list(placed.at)
        at = repr(placed.at) if len(specs) > 1 else repr(specs[0])
        at = f", at={at}".replace("'", '"')
    if site.layer is not None and cell.head is not None:
        return f"heads([({site.layer}, {cell.head})]{at})"
    if site.layer is not None and site.part == "mlp":
        return f"mlp({site.layer}{at})"
    return f'site("{cell.site}"{at})'
