"""A method by which circuits are searched: its settings, what it measures, and its search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import field, fields, frozen

from scrub.searches.circuit_found import CircuitFound, Says

if TYPE_CHECKING:
    from scrub.circuits.measurements import Measurements
    from scrub.circuits.subject import Subject
    from scrub.hypothesis.positions import Spec
    from scrub.hypothesis.sites import Sites
    from scrub.metrics import Metric
    from scrub.model.graph import Graph


def own_metrics(metrics: tuple[Metric, ...], root: Sites, settings: Any) -> tuple[Metric, ...]:
    """The behaviour's metrics, of which the first decides."""
    return metrics


def no_problems(settings: Any) -> list[str]:
    return []


def no_columns(settings: Any, subject: Subject) -> tuple[Spec, ...]:
    return ()


@frozen
class Method:
    """A method, as the door `scrub find --by NAME` and `scrub.find(by=NAME)` sees it.

    Attributes:
        name: after `--by`.
        says: what it is, in a few words: "iterative node pruning".
        settings: a frozen attrs class with a default for each field. Its fields are the keyword
            arguments of `scrub.find(by=NAME)` and, where `options` names them, options of the
            command.
        search: the search itself, a function of the behaviour on the rows that it sees, of what
            measures circuits on them, of the settings, and of what is told each line of the log.
            It prints nothing and raises nothing where nothing is kept.
        cost: how many circuits it measures, from the settings and the model's graph, and what
            these are: (532, "edges").
        problems: sentences about settings that make no sense, before anything is loaded.
        metrics: which metrics are measured, from the behaviour's, its root and the settings; the
            first one decides. Among them is the behaviour's first, of which the score is.
        columns: the positions that circuits of the search may name: rows that a mean is taken of
            are alike in them.
        options: command-line option of each setting: {"keeps": "--keeps"}.
        limits: the settings that decide how much is kept: what to change where all or nothing is.
        approximate: whether anything but exact measurements decides.
    """

    name: str
    says: str
    settings: type[Any]
    search: Callable[[Subject, Measurements, Any, Says], CircuitFound]
    cost: Callable[[Any, Graph], tuple[int, str]]
    problems: Callable[[Any], list[str]] = no_problems
    metrics: Callable[[tuple[Metric, ...], Sites, Any], tuple[Metric, ...]] = own_metrics
    columns: Callable[[Any, Subject], Sequence[Spec]] = no_columns
    options: Mapping[str, str] = field(factory=dict)
    limits: tuple[str, ...] = ()
    approximate: bool = False

    def announced(self, settings: Any, graph: Graph) -> str:
        """What it is going to cost."""
        count, what = self.cost(settings, graph)
        return f"{count:,} {what}, each measured as one circuit"

    @property
    def keywords(self) -> tuple[str, ...]:
        """The names of its settings."""
        return tuple(attribute.name for attribute in fields(self.settings))
