"""Routes in words."""

from __future__ import annotations

from scrub.hypothesis.sites import ALL, Route


def describe_route(route: Route) -> str:
    """A route in words: "head 3.1, head 3.2 at end, into q, through mlps"."""
    shown = [str(cell) for cell in route.cells]
    if len(shown) > 6:
        shown = [*shown[:5], f"{len(shown) - 5} more"]
    parts = [", ".join(shown)]
    if route.at != ALL:
        parts[0] += " at " + ", ".join(map(str, route.at))
    if route.into is not None:
        parts.append("into " + "/".join(sorted(route.into)))
    if str(route.through) != "none":
        parts.append(f"through {route.through}")
    return ", ".join(parts)
