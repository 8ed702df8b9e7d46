"""Check what samplers draw before anything runs: a trial draw of every node.

Every row of the data is a reference of the trial, so that a row without a donor is found wherever
a node's references are the data's own rows. Below a node that swaps its input, references are what
it drew in the trial: most rows, by chance not all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from attrs import evolve, frozen

from scrub.checks.images import image_problems
from scrub.data.dataset import Dataset, Rows
from scrub.draw import KeyedRandomness, donors
from scrub.errors import Problem, Problems, UserError, did_you_mean
from scrub.hypothesis.correspondence import InterpNode
from scrub.hypothesis.tree import Occurrence
from scrub.model.graph import Graph
from scrub.samplers import (
    Generate,
    Pool,
    Sampler,
    Together,
    describe_sampler,
    is_virtual,
    source_of,
)
from scrub.samplers.declarations import from_elsewhere, not_in_the_data

TRIAL = 64
"""Samples of the trial at least; and inputs that a generator makes in it, since it may be slow."""
ROWS = 10_000
"""Rows of the data that are tried at most, evenly spaced: enough for any class but a rare one."""


@frozen(eq=False)
class Trial:
    """What one sampler of a node drew from these references.

    Attributes:
        which: "own" or "other".
        drawn: its donors; None where it failed.
    """

    node: Occurrence
    which: str
    sampler: Sampler
    references: Rows
    drawn: Rows | None


def framed(tree: Occurrence, data: Dataset) -> Iterator[tuple[Occurrence, tuple[Dataset, ...]]]:
    """Every node, parents first, with the datasets on whose rows it may be computed.

    These are the data, and what its samplers and those above it say that they draw from.
    """
    waiting = [(tree, (data,))]
    while waiting:
        node, known = waiting.pop()
        own = _with(known, node.node.sampler)
        yield node, _with(own, node.node.other)
        waiting += [(child, own) for child in reversed(node.children)]


def _with(known: tuple[Dataset, ...], sampler: Sampler) -> tuple[Dataset, ...]:
    source = source_of(sampler)
    if source is None or any(source is table for table in known):
        return known
    return (*known, source)


def try_samplers(tree: Occurrence, data: Dataset, problems: Problems) -> list[Trial]:
    """Draw once from every sampler, node by node, so that each that fails is named."""
    trials: list[Trial] = []

    def tried(node: Occurrence, which: str, sampler: Sampler, references: Rows) -> Rows:
        """What it draws; the references, if it fails."""
        if isinstance(sampler, Generate):
            references = _fewer(references)
        drawn = _drawn(node, which, sampler, references, problems)
        trials.append(Trial(node, which, sampler, references, drawn))
        return references if drawn is None else drawn.under(references.root)

    rows = np.arange(len(data))
    if len(data) > ROWS:
        rows = np.linspace(0, len(data) - 1, ROWS).astype(np.int64)
    every = Rows(data, np.resize(rows, max(TRIAL, len(rows))))
    waiting = [(tree, every.under(every))]
    while waiting:
        node, reference = waiting.pop()
        own = tried(node, "own", node.node.sampler, reference)
        if own.data.given is not None:  # no input: a node with children is refused for it
            own = reference
        if not node.is_leaf:
            tried(node, "other", node.node.other, own)
        waiting += [(child, own) for child in reversed(node.children)]
    return trials


def _fewer(references: Rows) -> Rows:
    """Some of the references, evenly spaced."""
    some = np.linspace(0, len(references) - 1, TRIAL).astype(np.int64)
    root = references.root
    return references.at(references.index[some]).under(root.at(root.index[some]))


def _drawn(
    node: Occurrence, which: str, sampler: Sampler, references: Rows, problems: Problems
) -> Rows | None:
    randomness = KeyedRandomness(0, (*node.path, which), len(references))
    try:
        drawn = donors(sampler, references, randomness, node.path)
    except UserError as error:
        problems.extend(evolve(problem, node=node.node.name) for problem in error.problems)
        return None
    wrong = not_in_the_data(sampler, references.population)
    if drawn.data.given is not None and not is_virtual(sampler):
        wrong.append(
            f"Sampler {type(sampler).__name__} draws virtual rows. Give Mean, Zero, Constant or "
            "Steer themselves."
        )
    if elsewhere := from_elsewhere(sampler, references, drawn):
        wrong.append(elsewhere)
    for what in wrong:
        problems.add(what, node=node.node.name)
    return None if elsewhere else drawn


def check_pools(nodes: Iterable[InterpNode], problems: Problems) -> None:
    """Nodes that name one pool give it one size and the same features."""
    known: dict[str, tuple[Pool, InterpNode]] = {}
    for node in nodes:
        for sampler in (node.sampler, node.other):
            if not isinstance(sampler, Pool | Together):
                continue
            pool = sampler.pool if isinstance(sampler, Together) else sampler
            first, there = known.setdefault(pool.name, (pool, node))
            if (first.size, set(first.features)) != (pool.size, set(pool.features)):
                problems.add(
                    f'{describe_sampler(sampler)}: at node "{there.name}" the pool "{pool.name}" '
                    f"has {_of(first)}, and here {_of(pool)}.",
                    "Give them one size and the same features, or two names.",
                    node=node.name,
                )


def _of(pool: Pool) -> str:
    on = f"agreeing on {' and '.join(pool.features)}" if pool.features else "agreeing on nothing"
    return f"{pool.size} draw{'s' * (pool.size > 1)} {on}"


def input_problems(data: Dataset, graph: Graph, node: str = "") -> list[Problem]:
    """What keeps the model from reading these inputs: rows too long, tokens that it does not know.

    Args:
        node: the node that drew them; "" for the data.
    """
    made = data.generated_from is not None
    whose = f"The inputs that {data.name} makes have" if made else f'Dataset "{data.name}" has'
    problems = [
        Problem(
            f'{whose} no input "{name}", which the model reads.',
            did_you_mean(name, data.inputs),
            node=node,
        )
        for name in graph.inputs or (("tokens",) if graph.vocabulary is not None else ())
        if name not in data.inputs
    ]
    if graph.width is not None and data.width > graph.width:
        problems.append(
            Problem(
                f"{whose} rows of {data.width} tokens; the model takes at most {graph.width}.",
                "Make shorter ones."
                if made
                else "Use shorter prompts, or a model with a longer context.",
                node=node,
            )
        )
    if graph.vocabulary is None:
        return problems
    problems += image_problems(data, graph, whose, node)
    # A label is the id of a token, or the number of a logit where a model has more of those.
    known = max(graph.vocabulary, graph.outputs or 0)
    for name, ids in data.labels.items():
        if (wrong := ids >= known).any():
            row = int(wrong.argmax())
            problems.append(
                Problem(
                    f'{whose} label "{name}" {ids[row]} in row {row}; the model knows tokens 0 to '
                    f"{known - 1}.",
                    "Return known ones." if made else "Make the data with the model's tokenizer.",
                    node=node,
                )
            )
    tokens = data.inputs.get("tokens")
    if tokens is not None:
        unknown = np.argwhere((tokens < 0) | (tokens >= graph.vocabulary))
        if len(unknown):
            row, at = unknown[0].tolist()
            problems.append(
                Problem(
                    f"{whose} token {tokens[row, at]} in row {row} at {at}; the model knows tokens "
                    f"0 to {graph.vocabulary - 1}.",
                    "Return known ones." if made else "Make the data with the model's tokenizer.",
                    node=node,
                )
            )
    return problems
