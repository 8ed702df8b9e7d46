"""How a search by attribution ranks parts of a model, and how many of them make the circuit."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from attrs import field, frozen

from scrub.circuits.edges import all_edges
from scrub.errors import did_you_mean
from scrub.hypothesis.positions import ALL
from scrub.hypothesis.sites import Sites
from scrub.metrics import Metric, kl
from scrub.model.graph import Graph
from scrub.names import Cell
from scrub.printing import printed
from scrub.searches.pruned_parts import nodes
from scrub.searches.ranked_edges import sizes

KEEPS = 0.8
"""Least share of the performance that is left: as pruning has it."""
STEPS = 30
"""Inputs on the way: as many as the authors' code takes. Where attention turns sharply from one
place to another only inputs near the turn have a slope, and few inputs meet it by chance: see
docs/circuit_searches.md."""
MOST = 200
"""Random edges whose exact effect is measured where nobody says how many, at most: a correlation of
so many is known to 0.07 or better, and of GPT-2's 32,936 edges a tenth would take hours."""
KINDS = ("heads", "mlps", "embeddings")
LEVELS = ("edges", "nodes")
CHOICES = ("greedy", "top")
METRICS = ("own", "kl")


@frozen
class AttributionSettings:
    """How parts are ranked, and how many of them make the circuit.

    Attributes:
        senders: kinds of components whose edges are ranked: heads, mlps, embeddings. MLPs that are
            not ranked are left free.
        level: "edges" by port, or "nodes": a node's effect is that of all edges from it.
        at: at all positions together, or at "each" column of the data or some, apart: then what is
            at no such position is never kept.
        steps: inputs that integrated gradients are a mean over; 0: gradients on the references.
        choose: "greedy": from the output backwards, always the largest edge into what is there
            already; "top": the largest wherever they are.
        keeps: the circuit is the smallest, of the sizes that are tried, that keeps this share of
            the performance (as loss recovered), by exact measurements.
        size: exactly so many of the first parts instead.
        threshold: instead, all parts whose effect is at least this large, in the metric's units.
        metric: "own": the behaviour's metric; "kl": divergence from the original's distribution.
        checked: of how many random edges the exact effect is measured as well; None: a tenth,
            200 at most.
    """

    senders: tuple[str, ...] = field(default=KINDS, converter=tuple)
    level: str = "edges"
    at: Any = ALL
    steps: int = STEPS
    choose: str = "greedy"
    keeps: float = KEEPS
    size: int | None = None
    threshold: float | None = None
    metric: str = "own"
    checked: int | None = None


def problems(settings: AttributionSettings) -> list[str]:
    """What makes no sense about them."""
    found = []
    for name, given, choices in (
        ("level", settings.level, LEVELS),
        ("choose", settings.choose, CHOICES),
        ("metric", settings.metric, METRICS),
        *(("senders", kind, KINDS) for kind in settings.senders),
    ):
        if given not in choices:
            found.append(f"{name}={printed(given)}. {did_you_mean(str(given), choices)}")
    if "heads" not in settings.senders and "mlps" not in settings.senders:
        found.append("Nothing is named whose edges are ranked. Give heads, mlps or both.")
    elif "embeddings" not in settings.senders and settings.level == "edges":
        found.append("Without edges from the embeddings there is no path. Give embeddings, too.")
    for name, least in (("steps", 0), ("size", 1), ("checked", 0)):
        given = getattr(settings, name)
        optional = name != "steps" and given is None
        if not optional and (
            isinstance(given, bool) or not isinstance(given, int) or given < least
        ):
            found.append(f"{name}={printed(given)}. Give a whole number, {least} or more.")
    if not _is_number(settings.keeps):
        found.append(f"keeps={printed(settings.keeps)}. Give a share of the performance: 0.8.")
    elif settings.keeps > 1:
        found.append(f"keeps={settings.keeps}: 1 is all of the performance. Give less: 0.8.")
    if settings.threshold is not None and not (
        _is_number(settings.threshold) and settings.threshold >= 0
    ):
        found.append(
            f"threshold={printed(settings.threshold)}. Give 0 or more, as the metric has it."
        )
    if settings.size is not None and settings.threshold is not None:
        found.append("size= and threshold= both say how many parts are kept. Leave out one.")
    if settings.at != ALL and settings.level == "edges" and "mlps" not in settings.senders:
        found.append(
            f"at={printed(settings.at)}: with positions apart MLPs are not left free. Rank them as "
            "well: senders=heads,mlps,embeddings (--from)."
        )
    if settings.metric == "kl" and settings.steps == 0:
        found.append(
            "metric='kl' has no slope on the references: there the model's distribution is the "
            "original's. Take integrated gradients: steps=30 (--steps 30)."
        )
    return found


def _is_number(given: object) -> bool:
    return isinstance(given, Real) and not isinstance(given, bool)


def metrics(
    own: tuple[Metric, ...], root: Sites, settings: AttributionSettings
) -> tuple[Metric, ...]:
    """KL first, where it is asked for; then the behaviour's."""
    return (kl(), *own) if settings.metric == "kl" and own[0].kind != "kl" else own


def cost(settings: AttributionSettings, graph: Graph) -> tuple[int, str]:
    """The sizes that are tried, and what first order is held against."""
    edges = len(all_edges(graph, settings.senders))
    components = len(components_of(settings, graph))
    count = components if settings.level == "nodes" else edges
    tried = 1
    if settings.size is None and settings.threshold is None:
        tried = len(sizes(count)) + math.ceil(math.log2(max(count, 2)))
    return tried + components + checked_of(
        settings, edges
    ), "sizes, edges and components beside the gradients"


def checked_of(settings: AttributionSettings, edges: int) -> int:
    """Of how many random edges the exact effect is measured."""
    if settings.level == "nodes":
        return 0
    return min(edges, tenth(edges) if settings.checked is None else settings.checked)


def tenth(count: int) -> int:
    """A tenth, two at least, and no more than tell how far two rankings agree."""
    return min(count, MOST, max(2, math.ceil(count / 10)))


def components_of(settings: AttributionSettings, graph: Graph) -> tuple[Cell, ...]:
    """The heads and MLPs that are ranked, or whose edges are."""
    kinds = [kind for kind in settings.senders if kind != "embeddings"]
    edges = all_edges(graph)
    return tuple(cell for kind in kinds for cell in nodes(edges, graph, kind))
