"""A swap in words."""

from __future__ import annotations

from scrub.analysis.blame import Swap
from scrub.hypothesis.tree import Tree
from scrub.samplers import describe_sampler


def swap_in_words(tree: Tree, swap: Swap) -> tuple[str, str]:
    """ "name movers", "other Uncond"."""
    (node,) = (node.node for node in tree.walk() if node.path == swap.path)
    if swap.which == "other":
        return node.name, f"other {describe_sampler(node.other)}"
    return node.name, describe_sampler(node.sampler)
