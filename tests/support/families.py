"""Random families: trees of one random hypothesis that differ in what stands below one node."""

from __future__ import annotations

import numpy as np
from attrs import frozen

from scrub.draw import Draws, draw
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import (
    ALL,
    At,
    anything,
    heads,
    none,
    output,
    token_embedding,
)
from scrub.hypothesis.splits import REST, SourcePositions
from scrub.hypothesis.tree import Tree, treeify, united
from scrub.samplers import Agree, Exact, Sampler, Uncond, Zero, is_virtual
from support.generator import Case, random_case
from support.random_data import random_dataset
from support.tiny_models import SHAPES, bridge

SENDER = "sender"
"""What the node that varies is called in all members."""


@frozen(eq=False)
class Family:
    """Legal hypotheses with one root, on the model and data of a case."""

    case: Case
    members: tuple[Correspondence, ...]

    @property
    def trees(self) -> list[Tree]:
        return [treeify(member) for member in self.members]

    def draws(self) -> Draws:
        """The draws of all members at once."""
        return self._drawn(united(self.trees))

    def draws_of(self, tree: Tree) -> Draws:
        """The draws of one member alone."""
        return self._drawn(tree)

    def _drawn(self, tree: Tree) -> Draws:
        return draw(tree, self.case.data, samples=self.case.samples, seed=self.case.seed)


def random_family(seed: int, nodes: int = 8) -> Family:
    """A hypothesis, and it with parts left out.

    Below some nodes a member has one of the children in the place of all; that child has the same
    name, and the same sampler, in all members: only its sites, port, positions and `through`
    differ, and what stands below it.
    """
    case = random_case(seed, nodes)
    random = np.random.default_rng(seed)
    whole = case.correspondence
    if _names_the_rest_of_sources(whole):  # which is what the member's other summands leave
        return Family(case, (whole, whole))
    members = [whole]
    below = [node for node in whole.sites if node.parents]
    plain = [node for node in below if not (is_virtual(node.sampler) or is_virtual(node.other))]
    like = plain[0] if plain else InterpNode(SENDER, Exact())  # what is virtual suits some sites
    for parent in whole.sites:
        children = [node for node in below if parent in node.parents]
        members += [_with(whole, {*children} - {child}, child, like) for child in children]
    members += [_with(whole, {node}) for node in below if random.random() < 0.5]
    order = random.permutation(len(members))
    return Family(case, tuple(members[i] for i in order))


def _names_the_rest_of_sources(whole: Correspondence) -> bool:
    routes = [route for sites in whole.sites.values() for route in sites.routes]
    return any(
        isinstance(route.split, SourcePositions) and cell.part == REST
        for route in routes
        for cell in route.cells
    )


def _with(
    whole: Correspondence,
    dropped: set[InterpNode],
    sender: InterpNode | None = None,
    like: InterpNode | None = None,
) -> Correspondence:
    """The hypothesis without some nodes and what stands below them alone.

    Args:
        sender: is renamed, and drawn like the node `like`.
    """
    made: dict[InterpNode, InterpNode] = {}
    waiting = list(whole.sites)
    while waiting:
        node = waiting.pop(0)
        if any(parent in waiting for parent in node.parents):
            waiting.append(node)
            continue
        above = tuple(made[parent] for parent in node.parents if parent in made)
        if node in dropped or (node.parents and not above):
            continue
        drawn = like if node is sender and like is not None else node
        name = SENDER if node is sender else node.name
        made[node] = InterpNode(name, drawn.sampler, other=drawn.other, parents=above)
    return Correspondence({made[node]: whole.sites[node] for node in made})


def sender_family(seed: int) -> Family:
    """Heads alone, in pairs and twice, and other senders, each to the logits of a random model.

    Most go there directly and are taken at the same positions, so that many differ in their head
    alone. Columns of the logits are all that is to be read.
    """
    random = np.random.default_rng(seed)
    name = str(random.choice([name for name, shape in SHAPES.items() if shape.heads > 1]))
    shape, data = SHAPES[name], random_dataset(random, "data")
    root_at = PLACES[random.integers(len(PLACES))]
    taken = [ALL, root_at, root_at[-1:]] if root_at != ALL else [ALL, ("a", "end"), ("b",)]
    at = taken[random.integers(len(taken))]
    layers, order = random.permutation(shape.layers), random.permutation(shape.heads)
    few = [(int(layer), int(head)) for layer in layers for head in order][:6]
    root = InterpNode("root", Exact(), other=OTHERS[random.integers(len(OTHERS))])
    sender = root.child(SENDER, SENT[random.integers(len(SENT))])
    members = []
    for which in ([[head] for head in few], [few[:2], few[-1:]]):
        for some in which:
            passed = none if random.random() < 0.8 else anything
            sites = heads(some, at=at if random.random() < 0.9 else ALL, through=passed)
            members.append(Correspondence({root: output(at=root_at), sender: sites}))
    members.append(Correspondence({root: output(at=root_at), sender: token_embedding(at=at)}))
    case = Case(name, bridge(name), members[0], data, int(random.integers(3, 16)), seed)
    return Family(case, tuple(members[i] for i in random.permutation(len(members))))


PLACES: tuple[At, ...] = (("end",), ("end",), ("a", "end"), ALL)
OTHERS: tuple[Sampler, ...] = (Exact(), Uncond(), Agree("two"))
SENT: tuple[Sampler, ...] = (Uncond(), Uncond(), Agree("two"), Zero())
