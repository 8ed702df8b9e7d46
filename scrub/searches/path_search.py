"""Iterative path patching: from the output backwards, one receiver at a time, as a frozen state."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import evolve, field, frozen

from scrub.data.dataset import Dataset
from scrub.errors import UserError
from scrub.hypothesis.arguments import Head, several
from scrub.hypothesis.collect import CollectedBehaviour
from scrub.hypothesis.held_out import searched
from scrub.metrics import Metric
from scrub.model.registry import Model
from scrub.printing import html_of, one_line
from scrub.runner.context import Context
from scrub.runner.options import check_options
from scrub.runner.outputs import Outputs
from scrub.runner.prepare import metrics_of
from scrub.runner.user_code import call_users
from scrub.searches.attention import attention_targets
from scrub.searches.found import ROOT, Found, Link, found_of, largest_left_out
from scrub.searches.measure import components, measure, prepared_sweep, reached
from scrub.searches.measured import Attends, Measured
from scrub.searches.settings import Settings, as_heads, check_heads, check_settings
from scrub.stats.rounding import interval, percent
from scrub.sweeps.question import PreparedSweep

if TYPE_CHECKING:
    import pandas as pd


class NothingFoundError(UserError):
    """Nothing is wrong with the input, but nothing meets the search's criterion."""


@frozen(eq=False, repr=False)
class PathSearch:
    """A search for the paths that carry a behaviour, as far as it is.

    From the output backwards: of a receiver every sender is tried (a sweep); those whose interval
    is away from zero and whose share is large enough are kept, and grouped; each group is a
    receiver in its turn. Every method gives a new search and leaves this one as it was.

    Law: what is found is a function of what is measured and of the settings; steering measures
    nothing again.

    Attributes:
        item: the behaviour, all of its rows.
        seen: the behaviour on the half of its rows that is searched.
        settings: the criterion, and how the user steers.
        data: the rows that are searched.
        measured: the effects of all senders, of each receiver that was swept, in order.
        attends: what heads attend to.
    """

    item: CollectedBehaviour
    seen: CollectedBehaviour
    settings: Settings
    context: Context
    model: Model
    metric: Metric
    data: Dataset
    measured: tuple[Measured, ...] = ()
    attends: Attends = field(factory=dict)

    @property
    def found(self) -> Found:
        """The tree so far, and the receivers that come next.

        Raises:
            UserError: heads that are dropped were all that is kept of a receiver.
        """
        return found_of(self.measured, self.settings, self.attends)

    @property
    def finished(self) -> bool:
        """Whether no receiver is left."""
        return not self.found.frontier

    @property
    def heads(self) -> tuple[Head, ...]:
        """The heads that were found, (layer, head), in the model's order."""
        return self.found.heads

    def step(self, outputs: Outputs | None = None) -> PathSearch:
        """The search after the next receiver's sweep; itself where it is finished.

        Raises:
            UserError: the sweep makes no sense, or original and corrupted are not told apart.
            KeyboardInterrupt: it was stopped; the message says what is kept.
        """
        frontier = self.found.frontier
        if not frontier:
            return self
        receiver, context = frontier[0], self.context
        if not receiver.is_root and not reached(receiver, self.settings, self.model.graph):
            ends = Measured(receiver, (), self.measured[0].total)
            return evolve(self, measured=(*self.measured, ends))
        sweep = prepared_sweep(
            self.seen, receiver, self.settings, self.metric, self.model.graph, context
        )
        new = measure(sweep, receiver, context, outputs)
        if receiver.is_root and not new.told:
            raise UserError(
                f"Original and corrupted are not told apart: {self.metric.name} differs by "
                f"{interval(new.total)}, so that there is nothing to find. More samples "
                "(--samples) or another corruption may tell."
            )
        attends = self.attends or _attends(sweep, self.model, self.settings, context)
        later = evolve(self, measured=(*self.measured, new), attends=attends)
        assert receiver not in later.found.frontier
        return later

    def run(self) -> PathSearch:
        """The search at its end.

        Raises:
            UserError: as `step`.
        """
        search = self
        while not search.finished:
            search = search.step()
        return search

    def keep(self, heads: Any) -> PathSearch:
        """Keep these heads, however small their share is, wherever it is told from zero.

        Args:
            heads: "9.9,9.6", or pairs (layer, head).

        Raises:
            UserError: they are no heads of the model.
        """
        return self._steered(self.settings.keeping(as_heads(heads, "keep")))

    def drop(self, heads: Any) -> PathSearch:
        """Never keep these heads, nor what sends to them alone.

        Raises:
            UserError: they are no heads of the model; or nothing else is kept of a receiver.
        """
        return self._steered(self.settings.dropping(as_heads(heads, "drop")))

    def split(self, heads: Any = None) -> PathSearch:
        """Let each of these heads be a group by itself; without any, each of all."""
        which = None if heads is None else as_heads(heads, "split")
        return self._steered(self.settings.splitting(which))

    def merge(self, heads: Any = None) -> PathSearch:
        """Let these heads be one group where they send by one port at one position; or all."""
        which = None if heads is None else as_heads(heads, "merge")
        return self._steered(self.settings.merging(which))

    def _steered(self, settings: Settings) -> PathSearch:
        check_heads(settings, self.model)
        steered = evolve(self, settings=settings)
        _ = steered.found  # refuses an emptied group now, where the user can see why
        return steered

    def links(self) -> tuple[Link, ...]:
        """All groups with what they send to.

        Raises:
            NothingFoundError: there is none; says what the largest effect was.
        """
        found = tuple(self.found.every())
        if found:
            return found
        if not self.measured:
            raise UserError("Nothing has been measured yet. Call step() or run().")
        root = next(one for one in self.measured if one.receiver == ROOT)
        most = largest_left_out(root, self.settings)
        assert most is not None, "a sweep has senders"
        told = "" if most.certain else ", which is not told from zero"
        raise NothingFoundError(
            f"Nothing is found: of {len(root.effects)} senders the largest effect is that of "
            f"{most}, {percent(abs(most.share))} of the total{told}; the smallest that is kept is "
            f"{percent(self.settings.smallest)}. A lower smallest= (--smallest), more samples or "
            "another corruption may tell."
        )

    @property
    def log(self) -> str:
        """What was asked of each receiver, what was kept, and the largest that was not."""
        from scrub.searches.log import log_lines

        return "\n".join(log_lines(self)) + "\n"

    def to_hypothesis(self) -> str:
        """What was found as the text of a hypothesis file, about the rows that were not searched.

        Raises:
            NothingFoundError: nothing was found.
            UserError: the behaviour stands in no file that another could import.
        """
        from scrub.searches.hypothesis import hypothesis_text

        return hypothesis_text(self)

    @property
    def frame(self) -> pd.DataFrame:
        """One row a component and what it sends to.

        Columns: sender, layer, head, at, group, receiver, port, effect, low, high, share.
        """
        import pandas as pd

        rows = [
            {
                "sender": str(one.sender),
                "layer": one.sender.layer if one.sender.layer >= 0 else None,
                "head": one.sender.head if one.sender.head >= 0 else None,
                "at": one.at,
                "group": str(link.sender),
                "receiver": str(link.receiver),
                "port": link.port,
                "effect": one.effect.mean,
                "low": one.effect.low,
                "high": one.effect.high,
                "share": one.share,
            }
            for link in self.found.every()
            for one in link.effects
        ]
        columns = (
            "sender layer head at group receiver port effect low high share"  # also of no rows
        )
        found = pd.DataFrame(rows, columns=columns.split())
        return found.astype({"layer": "Int64", "head": "Int64"})

    def __repr__(self) -> str:
        left = len(self.found.frontier)
        heads, groups = len(self.heads), len(tuple(self.found.every()))
        parts = ((heads, "head"), (groups, "group"), (len(self.measured), "sweep"))
        found, grouped, swept = (f"{n:,} {name}{'s' * (n != 1)}" for n, name in parts)
        state = f"{left} receiver{'s' * (left != 1)} to come" if left else "finished"
        return one_line(
            f"PathSearch({self.item.behaviour.name} on {self.model.name}: {found} in {grouped}, "
            f"{swept}, {state})"
        )

    def _repr_html_(self) -> str:
        return html_of(self)


def begin(item: CollectedBehaviour, settings: Settings, context: Context) -> PathSearch:
    """A search in which nothing has been measured yet.

    Raises:
        UserError: settings or options make no sense, the model lacks a head that is named, or the
            behaviour cannot be halved.
    """
    check_options(context.options)
    check_settings(settings)
    try:
        behaviour = searched(item.behaviour, seed=context.options.seed)
        name = context.options.model if context.options.model is not None else item.model
        seen = evolve(item, behaviour=behaviour)
        metric, *_ = metrics_of(behaviour.metric)
        if name is None:
            raise UserError(
                "It does not say which model it is about. Set MODEL in the file, or give model= "
                "(--model on the command line)."
            )
        model = context.session.describe(name)
        check_heads(settings, model)
        _check_components(settings, model)
        data = context.session.data(behaviour.data, model)
        root = call_users(behaviour.build, model, doing="Building it")
    except UserError as error:
        raise error.at(file=item.file, claim=item.behaviour.name) from error
    if settings.at == "each":
        named = {spec for route in getattr(root, "routes", ()) for spec in route.at}
        settings = evolve(settings, at=distinct_columns(data, named) or "all")
    return PathSearch(item, seen, settings, context, model, metric, data)


def distinct_columns(data: Dataset, first: Container[object]) -> tuple[str, ...]:
    """The data's position columns without those that are another in every row.

    A component that was tried at both would be found twice, at one place.

    Args:
        first: columns that are preferred to others.
    """
    preferred = sorted(data.positions, key=lambda name: name not in first)
    left: list[str] = []
    for name in preferred:
        same = (np.array_equal(data.positions[name], data.positions[other]) for other in left)
        if not any(same):
            left.append(name)
    return tuple(name for name in data.positions if name in left)


def _check_components(settings: Settings, model: Model) -> None:
    """Refuse a model without anything to go on from."""
    kinds = {one.kind for one in components(settings, model.graph)}
    missing = [kind for kind in settings.senders if kind not in kinds]
    if missing:
        raise UserError(
            f'Model "{model.name}" has no {missing[0]}, from which a search would go on. Ask '
            "scrub patch about its sites instead."
        )


def _attends(sweep: PreparedSweep, model: Model, settings: Settings, context: Context) -> Attends:
    """What all heads attend to, from wherever they are tried."""
    if "heads" not in settings.senders:
        return {}
    places = [at for at in several(settings.at) if at not in ("all", "each")]
    return attention_targets(sweep, model.all_heads(), places, context)
