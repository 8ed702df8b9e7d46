"""First-order effects of a sweep's members, on the sweep's own draws."""

from __future__ import annotations

import numpy as np
from attrs import frozen
from jaxtyping import Float
from torch import Tensor

from scrub.analysis.attribution import STEPS, Paths, first_order, plain_root
from scrub.data.dataset import Rows
from scrub.draw import Draws
from scrub.errors import UserError, in_line, in_words
from scrub.hypothesis.sites import Route
from scrub.metrics import Metric
from scrub.names import Cell
from scrub.sweeps.measure import Members, corrupted_inputs
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


def first_order_effects(
    members: Members, senders: tuple[Sender, ...]
) -> Float[np.ndarray, "metrics senders samples"]:
    """First-order effects of single heads, MLPs or embeddings.

    Raises:
        UserError: a metric has no gradient, or the receiver is none that gradients tell apart.
    """
    sites = list(dict.fromkeys(cell.site for sender in senders for cell in sender.cells))
    ats = list(dict.fromkeys(sender.routes[0].at for sender in senders))
    found = _by_site(members, sites, ats, apart=False)

    def of(by: dict, sender: Sender) -> np.ndarray:
        (cell,), (route,) = sender.cells, sender.routes
        return by[cell.site, route.at][:, cell.head or 0]

    return np.stack([np.stack([of(by, sender) for sender in senders]) for by in found])


def neuron_effects(
    members: Members, senders: tuple[Sender, ...]
) -> Float[np.ndarray, "metrics senders neurons samples"]:
    """First-order effects of each neuron of a layer; senders are the layer at its positions."""
    site = senders[0].cells[0].site
    ats = [sender.routes[0].at for sender in senders]
    found = _by_site(members, [site], ats, apart=True)
    return np.stack([np.stack([by[site, at].T for at in ats]) for by in found])


def _by_site(members: Members, sites: list[str], ats: list, *, apart: bool) -> list[dict]:
    """Per metric, the effects by site and positions on all samples: [samples, heads or neurons]."""
    swap = Swap.of(members, members.draws)
    samples, progress = len(swap.references), members.context.progress
    progress.says(f"{members.sweep.behaviour.name}: gradients")
    progress.expects(samples * len(members.sweep.base.metrics))
    found = []
    for metric in members.sweep.base.metrics:
        parts = []
        for start in range(0, samples, ROWS_AT_ONCE):
            here = swap.at(np.arange(start, min(start + ROWS_AT_ONCE, samples)))
            parts.append(_part(members, metric, here, sites, ats, apart=apart))
            progress.advance(len(here.references))
        found.append({key: np.concatenate([part[key] for part in parts]) for key in parts[0]})
    return found


def _part(
    members: Members, metric: Metric, swap: Swap, sites: list[str], ats: list, *, apart: bool
) -> dict:
    """The same for one metric and some samples."""
    sweep, graph = members.sweep, members.model.graph
    (root,) = sweep.trees[0].routes
    receiver: tuple[Route, ...] = ()
    if sweep.receiver.sites is not None:
        receiver = sweep.receiver.sites.routes
    paths = Paths(graph, root, receiver, sweep.question.through)
    original = _original(members, swap) if metric.compares else None

    def measure(value: Tensor) -> Tensor:
        return differentiable(metric, value, swap.references, original, swap.old)

    steps = STEPS if sweep.question.approximate == "integrated" else 0
    return first_order(paths, sites, ats, swap.old, swap.new, measure, apart=apart, steps=steps)


def differentiable(
    metric: Metric, value: Tensor, references: Rows, original: Tensor | None, frame: Rows
) -> Float[Tensor, " samples"]:
    """The metric per sample, with its gradient; the value as `scrub.metrics.measure` takes it.

    Args:
        frame: the rows on whose positions the value was computed.

    Raises:
        UserError: the function fails, or breaks off the gradient.
    """
    given = _squeezed(value)
    more: tuple[object, ...] = () if original is None else (_squeezed(original),)
    if metric.positions:
        more = (*more, frame)
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


def _original(members: Members, swap: Swap) -> Tensor:
    """The root on the references, for a metric that compares."""
    (root,) = members.sweep.trees[0].routes
    paths = Paths(members.model.graph, root, (), members.sweep.question.through)
    return plain_root(paths, swap.references)
