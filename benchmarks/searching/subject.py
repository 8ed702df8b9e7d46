"""A behaviour with a known circuit, ready to be searched: on one half of its rows."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen

from scrub.api import collected_behaviour
from scrub.circuits.conventions import Convention
from scrub.circuits.edges import all_edges
from scrub.circuits.measurements import Measurements
from scrub.circuits.subject import Subject, halves_of
from scrub.hypothesis.behaviour import Behaviour
from scrub.hypothesis.circuit import Edge
from scrub.hypothesis.collect import CollectedBehaviour
from scrub.metrics import Metric
from scrub.runner.context import Context
from scrub.runner.options import Options
from scrub.runner.session import Session
from scrub.samplers import describe_sampler
from searching.truth import Truth, carries


@frozen(eq=False)
class Searched:
    """What methods are given, and what their finds are compared with.

    Attributes:
        context: with a session of its own, so that no method profits from another's values.
        edges: all edges of the model that may carry something, in its order.
    """

    behaviour: Behaviour
    truth: Truth
    context: Context
    item: CollectedBehaviour = field(init=False)
    edges: tuple[Edge, ...] = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "item", collected_behaviour(self.behaviour))
        graph = self.context.session.describe(self.behaviour.model).graph
        edges = tuple(edge for edge in all_edges(graph) if carries(edge.writer))
        object.__setattr__(self, "edges", edges)

    @staticmethod
    def of(behaviour: Behaviour, truth: Truth, samples: int, seed: int = 0) -> Searched:
        """On so many references, drawn with a seed."""
        options = Options(samples=samples, seed=seed)
        return Searched(behaviour, truth, Context(Session(), options))

    def halves(self, metrics: Sequence[Metric] | None = None) -> tuple[Subject, Subject]:
        """The rows that are searched, and those that are held out."""
        given = None if metrics is None else list(metrics)
        return halves_of(self.item, self.context.session, self.context.options, given)

    def measurements(self, subject: Subject) -> Measurements:
        """What circuits do where all outside of them is corrupted as the behaviour says."""
        own = Convention(describe_sampler(subject.corrupt), subject.corrupt)
        return Measurements.of(subject, own, self.context)
