"""Diagnose a claim that was scrubbed: which diagnoses are asked for, and running them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import evolve, frozen

from scrub.diagnostics.blame import Blame, blame
from scrub.kept import SectionOf, nothing_known
from scrub.options import Options
from scrub.pipeline import numbers_of
from scrub.prepare import Prepared, Session
from scrub.results import Result
from scrub.statistics import Numbers
from scrub.tree import Tree

WORST = 3
"""Samples that lose most, of which blame shows the swaps."""


@frozen
class Asked:
    """Which diagnoses a run is asked for, beside those that cost nothing.

    Attributes:
        blame: what each swap loses, and the samples that lose most.
        worst: how many of these samples.
    """

    blame: bool = False
    worst: int = WORST


NOTHING = Asked()


@frozen(eq=False)
class Diagnosis:
    """What was found out beyond a claim's score; None: not asked for."""

    blame: Blame | None = None


@frozen(eq=False)
class Watch:
    """Who is told how far a diagnosis is.

    Attributes:
        says: what is being done.
        expects: that so many samples more will be computed.
        advance: that so many were.
    """

    says: Callable[[str], None]
    expects: Callable[[int], None]
    advance: Callable[[int], None]


UNWATCHED = Watch(lambda text: None, lambda samples: None, lambda samples: None)


def diagnose(
    result: Result,
    prepared: Prepared,
    session: Session,
    options: Options,
    asked: Asked,
    watch: Watch = UNWATCHED,
    known: SectionOf = nothing_known,
) -> Result:
    """The same result with the diagnoses that are asked for.

    Args:
        known: what is known already of a variant's numbers, which is not computed again.

    Raises:
        UserError: a variant does not fit into the memory, or a metric of the user's fails.
    """
    options = evolve(options, samples=result.samples)
    found = Diagnosis()

    def scrubbed(trees: Sequence[Tree]) -> list[Numbers]:
        watch.expects(len(trees) * options.samples)
        variants = (evolve(prepared, tree=tree) for tree in trees)
        return [
            numbers_of(variant, session, options, watch.advance, known).scrubbed
            for variant in variants
        ]

    if asked.blame:
        watch.says(f"{prepared.name}: which swaps lose what")
        found = evolve(
            found,
            blame=blame(
                result.tree,
                result.numbers,
                result.draws.references.index,
                scrubbed,
                graph=prepared.model.graph,
                data=prepared.data,
                seed=options.seed,
                most=asked.worst,
            ),
        )
    return evolve(result, diagnosis=found)
