"""What circuits are measured on: a behaviour bound to its model and data."""

from __future__ import annotations

from typing import Any

from attrs import evolve, frozen

from scrub.checks.structure import check
from scrub.data.dataset import Dataset
from scrub.errors import UserError
from scrub.hypothesis.claim import definitions_made
from scrub.hypothesis.collect import Collected, CollectedBehaviour
from scrub.hypothesis.correspondence import Correspondence
from scrub.hypothesis.held_out import held_out, searched
from scrub.hypothesis.sites import Sites
from scrub.hypothesis.tree import treeify
from scrub.metrics import Metric
from scrub.model.graph import Graph
from scrub.model.registry import Model
from scrub.names import EMBED
from scrub.runner.options import Options, check_options
from scrub.runner.prepare import Prepared, bound_hypothesis
from scrub.runner.session import Session
from scrub.runner.user_code import located
from scrub.samplers.binding import bound
from scrub.sweeps.prepare import as_claim, check_corruption, chosen_metrics

MEASURING = "Measuring circuits of it"


@frozen(eq=False)
class Subject:
    """A behaviour bound to a model, still without weights, and to data; checked.

    Attributes:
        root: the sites that its metrics read.
        corrupt: the sampler of a reference's corrupted input, its recipes made.
        base: the behaviour as a claim of its root alone.
    """

    item: CollectedBehaviour
    model: Model
    data: Dataset
    root: Sites
    corrupt: Any
    metrics: tuple[Metric, ...]
    base: Prepared

    @property
    def graph(self) -> Graph:
        return self.model.graph


def subject_of(
    item: CollectedBehaviour, session: Session, options: Options, metrics: Any = None
) -> Subject:
    """Bind a behaviour to its model and data, and check it.

    Args:
        metrics: names of the behaviour's metrics, or metrics; None: all of the behaviour's.

    Raises:
        UserError: with its problems.
    """
    check_options(options)
    session.forget_failures()
    claim = as_claim(item)
    with located(item.file, claim, MEASURING):
        if item.behaviour.corrupt is None:
            raise UserError(
                "It does not say how its inputs are corrupted, which is what stands in for all "
                "outside of a circuit. Give corrupt= a sampler, such as Uncond() or Paired(a "
                "flipped copy of the data)."
            )
        collected = Collected(item.file, claim, item.model, item.path)
        model, data, correspondence = bound_hypothesis(collected, session, options)
        assert isinstance(correspondence, Correspondence), "a behaviour is one node"
        if EMBED not in model.graph.sites:
            raise UserError(
                f'Model "{model.name}" is no transformer: it has no embeddings, from which '
                "circuits are measured. Write a claim with through=circuit instead."
            )
        (root,) = correspondence.sites.values()
        corrupt = bound(
            item.behaviour.corrupt, lambda recipe: session.data(recipe, model), model.tokenizer
        )
        check_corruption(corrupt)
        chosen = tuple(chosen_metrics(item, metrics))
        problems = check(correspondence, model.graph, data, *chosen)
        if problems:
            raise UserError(*problems)
    base = Prepared(
        item.file, claim, model, data, chosen[0], treeify(correspondence), chosen[1:], item.path
    )
    return Subject(item, model, data, root, corrupt, chosen, base)


def halves_of(
    item: CollectedBehaviour, session: Session, options: Options, metrics: Any = None
) -> tuple[Subject, Subject]:
    """The behaviour on the half of its rows that a search sees, and on the half that is held out.

    Raises:
        UserError: as `subject_of`; or the rows cannot be divided (`scrub.hypothesis.held_out`).
    """
    seen = evolve(item, behaviour=searched(item.behaviour, seed=options.seed))
    with definitions_made():  # it is none of those that a file makes
        unseen = evolve(item, behaviour=held_out(item.behaviour, seed=options.seed))
    return (
        subject_of(seen, session, options, metrics),
        subject_of(unseen, session, options, metrics),
    )
