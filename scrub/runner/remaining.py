"""What is left to do of a run: how long it will take, and what is not computed again."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from scrub.analysis.support import most_scrubs
from scrub.runner.checkpoint import Checkpoint
from scrub.runner.context import Context
from scrub.runner.diagnoses import Diagnoses, component_scrubs, lays_blame, scrubs
from scrub.runner.duration import announcement, estimated_seconds
from scrub.runner.options import Options
from scrub.runner.planned import Planned


@frozen
class RemainingWork:
    """What is left to do of a claim with its diagnoses.

    Attributes:
        name: the claim's name.
        checkpoint: of the claim itself.
        flops: operations for what is not computed, the plain model's apart.
        plain_flops: operations of the plain model, which claims on one model and data share.
        shared: tells model and data apart.
    """

    name: str
    checkpoint: Checkpoint
    flops: int
    plain_flops: int
    shared: tuple[int, int]


def remaining_work(planned: Planned, wanted: Diagnoses, context: Context) -> RemainingWork:
    """What is left to do of a claim. Other datasets (`fresh`) take plain values too."""
    options, checkpoint, cost = context.options, planned.checkpoint, planned.cost
    assert cost is not None, "plan_claim predicts it"
    left = 0 if checkpoint.finished else 1 - checkpoint.samples / options.samples
    own = 1 + most_scrubs(planned.tree, effect=planned.prepared.is_effect)
    own += len(planned.tree.walk()) if options.alone else 0
    flops = round(left * cost.flops * own)
    foreseen = _foreseen(wanted, planned)
    flops += scrubs(planned.tree, foreseen, cost) * cost.flops
    if foreseen.blame:
        flops += component_scrubs(planned.tree, planned.prepared.model.graph) * cost.flops
    flops += wanted.fresh * (cost.flops + cost.plain_flops)
    return RemainingWork(
        name=planned.prepared.claim.name,
        checkpoint=checkpoint,
        flops=flops,
        plain_flops=cost.plain_flops if left else 0,
        shared=(id(planned.model), id(planned.prepared.data)),
    )


def _foreseen(wanted: Diagnoses, planned: Planned) -> Diagnoses:
    """The diagnoses that a claim takes if its verdict is what its file expects."""
    prepared, expect = planned.prepared, planned.prepared.claim.expect
    verdict = expect.verdict if expect else None
    blame = lays_blame(wanted, planned.tree, verdict, effect=prepared.is_effect)
    return evolve(wanted, blame=blame)


def resuming(coming: Sequence[RemainingWork], samples: int) -> str:
    """One line on what is not computed again; "" where there is nothing."""
    whole = [item for item in coming if item.checkpoint.finished]
    begun = [i for i in coming if i.checkpoint.samples and not i.checkpoint.finished]
    parts = [f"{len(whole)} of {len(coming)} claims"] if whole else []
    parts += [f"{i.checkpoint.samples:,} of {samples:,} references of {i.name}" for i in begun]
    verb = "was" if len(whole) == len(parts) == 1 else "were"
    return f"resuming: {' and '.join(parts)} {verb} computed before" if parts else ""


def announced(coming: Sequence[RemainingWork], options: Options) -> str:
    """One line on how long it will take; "" where that is not long.

    The plain model's rows are computed once for all claims on one model and data.
    """
    rows: dict[tuple[int, int], int] = {}
    for item in coming:
        rows[item.shared] = max(item.plain_flops, rows.get(item.shared, 0))
    flops = sum(item.flops for item in coming) + sum(rows.values())
    seconds = estimated_seconds(flops, options.device, options.dtype)
    left = sum(not item.checkpoint.finished for item in coming)
    return announcement(seconds, left)
