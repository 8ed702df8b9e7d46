"""Names of sites: their only maker and parser."""

from __future__ import annotations

from attrs import frozen


@frozen(order=True, cache_hash=True)
class Cell:
    """A site, one head of it, or a summand: the smallest thing that a node claims at a position.

    Attributes:
        part: name of a summand, where the site is split (see `scrub.hypothesis.splits`).
    """

    site: str
    head: int | None = None
    part: str | None = None

    def __str__(self) -> str:
        return self._name() if self.part is None else f"summand {self.part} of {self._name()}"

    def _name(self) -> str:
        name = self.site.removeprefix("blocks.")
        layer, _, rest = name.partition(".")
        if not rest or name == self.site:
            return self.site
        if self.head is not None:
            head = f"head {layer}.{self.head}"
            part = rest.removeprefix("attn.")
            return head if part == "z" else f"{part} of {head}"
        return f"MLP {layer}" if rest == "mlp" else f"{rest} of layer {layer}"
