"""First-order effects of a sweep's members, on the sweep's own draws."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from attrs import evolve, frozen
from jaxtyping import Float
from torch import Tensor

from scrub.analysis.attribution import STEPS, Paths, backward_passes, first_order, plain_root
from scrub.data.dataset import Rows
from scrub.draw import Draws
from scrub.engine.cost import plain_flops
from scrub.errors import UserError, in_line, in_words
from scrub.hypothesis.sites import ALL, At
from scrub.metrics import Metric
from scrub.model.forward import stored_sources
from scrub.names import Cell
from scrub.sweeps.measure import Members, Numbers, corrupted_inputs
from scrub.sweeps.senders import NEURONS, Sender

ROWS_AT_ONCE = 32
"""Samples in one backward pass."""
FIRST_ORDER, INTEGRATED = "first order", "integrated gradients"


def check_approximable(senders: tuple[Sender, ...]) -> None:
    """Refuse senders whose parts feed each other, or that are no writers: few, and quick exactly.

    Raises:
        UserError: naming the first.
    """
    for sender in senders:
        alone = sender.kind == NEURONS or (len(sender.cells) == 1 and _writes(sender.cells[0]))
        if not alone or sender.before:
            raise UserError(
                f"approximate: {sender.name} is no single head, MLP or embedding, and gradients "
                "give the effect of one. Leave out approximate= (--approximate)."
            )


def _writes(cell: Cell) -> bool:
    return cell.part is None and (cell.name.is_z or cell.name.part in ("mlp", "embed", "pos_embed"))


@frozen(eq=False)
class Swap:
    """What the model runs on, and the inputs whose values senders take, for some samples."""

    references: Rows
    old: Rows
    new: Rows

    @staticmethod
    def of(members: Members, draws: Draws) -> Swap:
        corrupted = corrupted_inputs(members.sweep, draws).own
        clean = draws.references
        pair = (corrupted, clean) if members.sweep.question.restore else (clean, corrupted)
        return Swap(clean, *pair)

    def at(self, samples: np.ndarray) -> Swap:
        both = (self.references, self.old, self.new)
        return Swap(*(rows.at(rows.index[samples]) for rows in both))


@frozen(eq=False)
class Gradients:
    """First-order effects of a sweep's senders: single heads, MLPs or embeddings, or neurons.

    Of neurons the sweep's senders are their layer, at each place; each of its neurons at the first
    place comes before those at the next.
    """

    members: Members

    kind = "first order"
    counted = "gradients at "

    @property
    def says(self) -> str:
        return f"{self.members.sweep.behaviour.name}: gradients"

    @property
    def what(self) -> str:
        return f"gradients at {len(self.members.draws.references):,} references"

    @property
    def units(self) -> int:
        return len(self.members.sweep.base.metrics)

    def chunks(self, start: int) -> Iterator[Numbers]:
        """The effects on the samples from `start` on: [metrics, senders or neurons, samples].

        Raises:
            UserError: a metric has no gradient, or the receiver is none that gradients tell apart.
        """
        samples = len(self.members.draws.references)
        for first in range(start, samples, ROWS_AT_ONCE):
            yield self._effects(np.arange(first, min(first + ROWS_AT_ONCE, samples)))

    def at(self, samples: np.ndarray) -> Numbers:
        return evolve(self, members=self.members.silent())._effects(samples)

    def flops(self, samples: int) -> float:
        """Operations of the plain values and of the gradients along the paths, for all metrics."""
        members = self.members
        steps = _steps(members)
        back = max(steps, 1) * backward_passes(_paths(members))
        plain = 1 + (steps > 0)
        forwards = sum(plain + 2 * back + one.compares for one in members.sweep.base.metrics)
        return samples * forwards * _forward_flops(members)

    def _effects(self, samples: np.ndarray) -> Numbers:
        """The effects on these samples, metric by metric."""
        swap, found = Swap.of(self.members, self.members.draws).at(samples), []
        for metric in self.members.sweep.base.metrics:
            found.append(_of_metric(self.members, metric, swap))
            self.members.context.progress.advance(len(samples))
        return np.stack(found)


def _of_metric(
    members: Members, metric: Metric, swap: Swap
) -> Float[np.ndarray, "senders samples"]:
    """The effects of all senders, or neurons, on one metric."""
    senders, neurons = members.sweep.senders, members.sweep.neurons is not None
    ats: list[At] = list(dict.fromkeys(sender.routes[0].at for sender in senders))
    original = plain_root(_paths(members), swap.references) if metric.compares else None

    def measure(value: Tensor) -> Tensor:
        return differentiable(metric, value, swap.references, original)

    by = first_order(
        _paths(members), _sites(senders), ats, swap.old, swap.new, measure,
        apart=neurons, steps=_steps(members),
    )  # fmt: skip
    each = [by[sender.cells[0].site, sender.routes[0].at] for sender in senders]
    if neurons:
        return np.concatenate([one.T for one in each])
    pairs = zip(senders, each, strict=True)
    return np.stack([one[:, sender.cells[0].head or 0] for sender, one in pairs])


def _sites(senders: tuple[Sender, ...]) -> list[str]:
    return list(dict.fromkeys(cell.site for sender in senders for cell in sender.cells))


def _steps(members: Members) -> int:
    return STEPS if members.sweep.question.approximate == "integrated" else 0


def _forward_flops(members: Members) -> float:
    """Operations of one forward pass on one row; of the root at its positions alone."""
    graph, width = members.model.graph, members.draws.references.data.width
    (root,) = members.sweep.trees[0].routes
    read = {cell.site for cell in root.cells}
    kept = {*_sites(members.sweep.senders), *stored_sources(graph, read)}
    below, everywhere = (plain_flops(graph, names, width) for names in (kept, kept | read))
    share = 1.0 if root.at == ALL else len(root.at) / width
    return below + share * (everywhere - below)


def _paths(members: Members) -> Paths:
    """Where gradients may flow: along the senders' paths to the receiver, and on to the root."""
    sweep = members.sweep
    (root,) = sweep.trees[0].routes
    receiver = () if sweep.receiver.sites is None else sweep.receiver.sites.routes
    return Paths(members.model.graph, root, receiver, sweep.question.through)


def differentiable(
    metric: Metric, value: Tensor, references: Rows, original: Tensor | None
) -> Float[Tensor, " samples"]:
    """The metric per sample, with its gradient; the value as `scrub.metrics.measure` takes it.

    Raises:
        UserError: the function fails, or breaks off the gradient.
    """
    given = _squeezed(value)
    more = () if original is None else (_squeezed(original),)
    try:
        found = metric.function(given, references, *more)
    except (UserError, KeyboardInterrupt):
        raise
    except BaseException as error:  # in the user's code sys.exit() is an error like any other
        raise UserError(
            f'Metric "{metric.name}" failed{in_line(error)} on a value that asks for gradients: '
            f"{in_words(error)}."
        ) from error
    if not getattr(found, "requires_grad", False) or found.shape != (len(references),):
        raise UserError(
            f'Metric "{metric.name}" has no gradient: it counts, or leaves torch. '
            "Leave out approximate= (--approximate) and neurons, or name another metric."
        )
    return found


def _squeezed(value: Tensor) -> Tensor:
    """Without axes of length 1 for positions and cells."""
    for axis in (2, 1):
        if value.shape[axis] == 1:
            value = value.squeeze(axis)
    return value
