"""Virtual rows where they have a meaning: which nodes may have them, and do their values fit."""

from __future__ import annotations

import numpy as np

from scrub.data.dataset import Dataset
from scrub.data.virtual import Averages
from scrub.engine.given import is_mask
from scrub.errors import Problem, Problems
from scrub.hypothesis.sites import ALL, Spec
from scrub.hypothesis.tree import Occurrence
from scrub.model.graph import Graph
from scrub.names import Cell
from scrub.samplers import Constant, Mean, Steer, Zero, describe_sampler, is_virtual
from scrub.samplers.alike import not_alike


def check_virtual(tree: Occurrence, graph: Graph, known: list[Dataset], problems: Problems) -> None:
    """Refuse virtual rows that mean nothing where they stand."""
    for node in {id(here.node): here for here in tree.walk()}.values():
        if node.is_leaf:
            for cell in {cell: None for route in node.routes for cell in route.cells}:
                problems.extend(_leaf(node, cell, graph, known))
            continue
        if is_virtual(node.node.sampler):
            problems.add(
                f"Its sampler is {describe_sampler(node.node.sampler)}, and it has children: their "
                "donors are drawn for its own input, and a virtual row is none.",
                "Give the children such samplers, or give it as other=.",
                node=node.node.name,
            )
        if isinstance(node.node.other, Constant | Steer):
            problems.add(
                f"Its sampler of other inputs is {describe_sampler(node.node.other)}, and other "
                "inputs are sites of many sizes.",
                "Give other=Mean(…) or other=Zero(), or a leaf that stands for the sites.",
                node=node.node.name,
            )


def _leaf(node: Occurrence, cell: Cell, graph: Graph, known: list[Dataset]) -> list[Problem]:
    """What keeps a site of a leaf from having its sampler's values."""
    sampler = node.node.sampler
    if not isinstance(sampler, Zero | Constant | Steer) or cell.site not in graph.sites:
        return []
    name, said = node.node.name, describe_sampler(sampler)
    if is_mask(graph, cell.site):
        return [
            Problem(
                f"{said} of {cell}: a mask says which positions hold a token, and is no number. "
                "Give Mean(…), an input's mask, or zero the head's pattern.",
                node=name,
            )
        ]
    shape = _shape(sampler)
    if not shape or graph.vocabulary is None:  # a graph's functions give any shape
        return []
    size = graph.sites[cell.site].size
    if size(1) != size(2):
        return [
            Problem(
                f"{said} of {cell}: its last axis is source positions, of which rows have "
                "different numbers. Give Mean(…), Zero() or one number.",
                node=name,
            )
        ]
    found = []
    if shape[-1] != size(1):
        found.append(
            Problem(
                f"{said} of {cell}: its last axis has {size(1)} numbers, and {shape[-1]} "
                f"are given. Give {size(1)}.",
                node=name,
            )
        )
    widest = max(known, key=lambda data: data.width)
    if len(shape) == 2 and shape[0] < widest.width:
        found.append(
            Problem(
                f"{said} of {cell}: it has {shape[0]} positions, and rows of dataset "
                f'"{widest.name}" have up to {widest.width}. Give so many.',
                node=name,
            )
        )
    return found


def _shape(sampler: Zero | Constant | Steer) -> tuple[int, ...]:
    """The shape of what is given."""
    match sampler:
        case Zero():
            return ()
        case Constant():
            return sampler.value.shape
        case Steer():
            return sampler.direction.shape


def frame_problems(node: Occurrence, which: str, data: Dataset, drawn: np.ndarray) -> list[Problem]:
    """Position columns in which the rows that a mean is of are not alike, a sentence each.

    Args:
        which: "own" or "other": children land in the other one, and pass sites of it.
        data: the virtual rows.
        drawn: those that were drawn.
    """
    given = data.given
    sampler = node.node.sampler if which == "own" else node.node.other
    if not isinstance(given, Averages) or not isinstance(sampler, Mean):
        return []
    below = [route for child in node.children for route in child.routes] * (which == "other")
    named = [*node.routes, *below]
    specs: list[Spec] = [spec for route in named if route.at != ALL for spec in route.at]
    specs += [spec for route in below for at in route.through.positions for spec in at]
    found: dict[str, Problem] = {}
    for spec in dict.fromkeys(specs):
        if spec in data.positions or spec not in given.source.positions:
            continue
        said = not_alike(
            describe_sampler(sampler),
            sampler.features,
            given.source,
            given.class_of,
            np.unique(drawn),
            str(spec),
        )
        found.setdefault(said, Problem(said, node=node.node.name))
    return list(found.values())
