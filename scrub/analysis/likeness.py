"""Which components of a graph are of one type and layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from attrs import frozen

from scrub.model.graph import Component, Graph, Site


@frozen(eq=False, slots=False)
class Likeness:
    """What is alike in a graph, worked out once for all of its components."""

    graph: Graph

    def kind(self, component: Component) -> object:
        """Equal for components of one type and layer."""
        group, head = component
        if head is not None:
            return group
        sites = self._sites[group]
        if len(sites) == 1 and sites[0].kind == "site":
            return self._depths[sites[0].name], frozenset(port.name for port in sites[0].ports)
        return component

    def alike(self, component: Component) -> Sequence[Component]:
        """All components of one type and layer, this one included, in the graph's order."""
        group, head = component
        if head is not None:
            count = max(site.heads or 0 for site in self._sites[group])
            return [(group, number) for number in range(count)]
        return self._without_heads[self.kind(component)]

    @cached_property
    def _without_heads(self) -> Mapping[object, Sequence[Component]]:
        found: dict[object, list[Component]] = {}
        groups = (site.group for site in self.graph.sites.values() if site.heads is None)
        for group in dict.fromkeys(groups):
            found.setdefault(self.kind((group, None)), []).append((group, None))
        return found

    @cached_property
    def _sites(self) -> Mapping[str, Sequence[Site]]:
        found: dict[str, list[Site]] = {}
        for site in self.graph.sites.values():
            found.setdefault(site.group, []).append(site)
        return found

    @cached_property
    def _depths(self) -> Mapping[str, int]:
        """Of every site and stream: the longest way to it from an input, counted in sites."""
        found: dict[str, int] = {}
        for name, value in self.graph.values.items():
            if isinstance(value, Site):
                found[name] = 1 + max((found[port.source] for port in value.ports), default=-1)
            else:
                found[name] = max((found[writer] for writer in self.graph.writers(name)), default=0)
        return found
