"""A hypothesis: a tree of interpretation nodes, and what each stands for in the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from scrub.errors import UserError
from scrub.hypothesis.sites import Sites
from scrub.printing import html_of, in_brief
from scrub.samplers import Sampler, Uncond


@frozen(eq=False)
class InterpNode:
    """A node of the interpretation: a feature of the input, told by the swaps that it permits.

    Attributes:
        name: unique among its siblings; draws are keyed by the names from the root down.
        sampler: own = sampler(reference), where the reference is the parent's own input (for
            the root: the reference input).
        other: sampler of the input for everything that no child claims, drawn from `own`.
            A leaf has no other inputs. (default: `Uncond`)
        parents: () for the root. A node with two parents is treeified: drawn once per parent.
    """

    name: str
    sampler: Sampler
    other: Sampler = field(factory=Uncond, kw_only=True)
    parents: tuple[InterpNode, ...] = field(default=(), kw_only=True, converter=tuple)

    def child(self, name: str, sampler: Sampler, *, other: Sampler | None = None) -> InterpNode:
        """A new node whose parent is this one."""
        return InterpNode(name, sampler, other=other or Uncond(), parents=(self,))

    def __repr__(self) -> str:
        return f"InterpNode({self.name!r})"


def _by_node(sites: Any) -> dict[InterpNode, Sites]:
    if not isinstance(sites, Mapping):
        raise UserError(
            f"A Correspondence is of nodes and their sites, not of type {type(sites).__name__}. "
            "Write Correspondence({node: sites}), with node = InterpNode(…) or parent.child(…)."
        )
    return dict(sites)


@frozen(eq=False, repr=False)
class Correspondence:
    """Which sites of the model, along which path, every node stands for."""

    sites: Mapping[InterpNode, Sites] = field(converter=_by_node)

    def __repr__(self) -> str:
        return in_brief("Correspondence", *(node.name for node in self.sites))

    def _repr_html_(self) -> str:
        return html_of(self)
