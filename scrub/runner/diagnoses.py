"""Which diagnoses a run is asked for, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from scrub.analysis.blame import swaps
from scrub.analysis.conventions import CONVENTIONS
from scrub.analysis.nulls import NULLS
from scrub.analysis.single_paths import find
from scrub.analysis.specificity import agreeing
from scrub.analysis.unclaimed import candidates, grouped
from scrub.engine.prediction import RunCost
from scrub.errors import Problem, UserError
from scrub.hypothesis.belief import Verdict
from scrub.hypothesis.tree import Tree
from scrub.model.graph import Graph
from scrub.runner.prepare import Prepared

LITTLE = 50e9
"""Operations that a small model, whose matrices do not fill a processor, does in seconds."""
WORST = 3
"""Samples that lose most, of which blame shows the swaps."""
SWAPS = 20
"""Swaps of a claim beyond which blame, which takes up to three scrubs of each, is not laid unasked.
"""


@frozen
class Diagnoses:
    """Which diagnoses a run is asked for, beside those that cost nothing.

    Attributes:
        nulls: how many nulls to scrub; None: as many as usual, where the claim is supported and
            they are cheap.
        conventions: the claim's score under other conventions; None: under those that tell
            something, where the claim is supported and that is cheap.
        specificity: its score with coarser and finer features.
        blame: what each swap loses, and the samples that lose most; None: where the claim is
            refuted, and makes no more than `SWAPS` swaps.
        worst: how many of these samples.
        fresh: on how many other datasets of the same recipe it is scrubbed.
    """

    nulls: int | None = 0
    conventions: bool | None = False
    specificity: bool = False
    blame: bool | None = False
    worst: int = WORST
    fresh: int = 0


NO_DIAGNOSES = Diagnoses()


def diagnoses(
    every: bool | None,
    nulls: int | None = None,
    fresh: int | None = None,
    *,
    blame: bool | None = False,
) -> Diagnoses:
    """What a run is asked for, from a command's or a call's options.

    Args:
        every: everything, nothing, or (None) what is cheap.
        nulls: how many; None: as `every` says.
        fresh: how many other datasets; None: none.
        blame: as in `Diagnoses`.
    """
    usual = {True: NULLS, False: 0, None: None}[every]
    return Diagnoses(
        nulls=usual if nulls is None else nulls,
        conventions=every,
        specificity=bool(every),
        blame=blame,
        fresh=fresh or 0,
    )


def scrubs(tree: Tree, wanted: Diagnoses, cost: RunCost) -> int:
    """About how many scrubs a claim's diagnoses take; paths and further columns are not counted."""
    usual = NULLS if wanted.nulls is None and cheap(cost) else 0
    others = cheap(cost) if wanted.conventions is None else wanted.conventions
    features = sum(2 + len(agree.features) for _, agree in agreeing(tree))
    return (
        (wanted.nulls or usual)
        + others * CONVENTIONS
        + wanted.specificity * features
        + bool(wanted.blame) * 3 * len(swaps(tree))
    )


def lays_blame(wanted: Diagnoses, tree: Tree, verdict: Verdict | None, *, effect: bool) -> bool:
    """Whether a claim's loss is split among its swaps: there is none of a claim about an effect.

    Args:
        verdict: that it has; before it has one, that its file expects.
    """
    if effect or wanted.blame is not None:
        return bool(wanted.blame) and not effect
    return verdict == "refuted" and len(swaps(tree)) <= SWAPS


def component_scrubs(tree: Tree, graph: Graph) -> int:
    """How many scrubs at most break other inputs down by component; single heads are not counted.

    Fewer where some other inputs lose nothing, and where a child claims a component.
    """
    nodes = [find(tree, swap.path) for swap in swaps(tree) if swap.which == "other"]
    return sum(2 + 2 * grouped([*candidates(node, graph)]) for node in nodes)


def check_blamed(claims: Sequence[Prepared]) -> None:
    """Refuse claims that have no loss recovered to be split among their swaps.

    Raises:
        UserError: with every claim that is about an effect.
    """
    problems: list[Problem] = []
    for claim in claims:
        if claim.belief is not None and claim.is_effect:
            error = UserError(
                f'It believes "{claim.belief.words}", of an effect. scrub explain splits loss '
                "recovered among a claim's swaps. Give each node a claim of its own, and scrub "
                "test them."
            )
            problems += error.at(file=claim.file, claim=claim.claim.name).problems
    if problems:
        raise UserError(*problems)


def cheap(cost: RunCost) -> bool:
    """Whether the usual number of nulls takes no more operations than the claim's run itself.

    And all of it little. A null costs one scrub; plain values it shares with the claim, but for
    those of components that only nulls name. Where these do not fit into the memory it shares
    nothing, and is not cheap.
    """
    every, plain = NULLS * cost.flops, cost.plain_flops
    return cost.keeps_cache and every <= cost.flops + plain and every + plain <= LITTLE
