"""A search for a circuit to its end: the circuit, and its score."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from scrub.hypothesis.circuit import Circuit
from scrub.printing import html_of, one_line
from scrub.runner.outputs import Outputs
from scrub.searches.circuit_found import CircuitFound, Says
from scrub.searches.circuit_score import Score, score_lines, scored
from scrub.searches.circuit_search import CircuitSearch, found_circuit, refuse_trivial
from scrub.stats.rounding import interval

if TYPE_CHECKING:
    import pandas as pd


@frozen(eq=False, repr=False)
class CircuitResult:
    """A circuit that was found, and what it does on rows that were not searched.

    Attributes:
        search: what was searched, and how.
        found: the circuit, with every decision.
        score: on the rows that are held out.
        lines: the log.
    """

    search: CircuitSearch
    found: CircuitFound
    score: Score
    lines: tuple[str, ...]

    @property
    def circuit(self) -> Circuit:
        return self.found.circuit

    @property
    def frame(self) -> pd.DataFrame:
        """Every decision; see `CircuitFound.frame`."""
        return self.found.frame

    @property
    def log(self) -> str:
        return "\n".join(self.lines) + "\n"

    def to_hypothesis(self) -> str:
        """The text of a file with claims about the circuit, on the rows that were not searched.

        Raises:
            UserError: the behaviour stands in no file that another could import.
        """
        from scrub.circuits.claim_file import claim_text

        return claim_text(self.circuit, self.search.item, self.search.context, held=True)

    def __repr__(self) -> str:
        circuit, said = self.circuit, interval(self.score.recovered)
        return one_line(
            f"CircuitResult({self.search.item.behaviour.name} on {self.search.seen.model.name} by "
            f"{self.found.method}: {len(circuit)} nodes, {len(circuit.edges)} edges; recovers "
            f"{said} on rows held out)"
        )

    def _repr_html_(self) -> str:
        return html_of(self)


def run_circuit(
    search: CircuitSearch,
    says: Says = lambda line: None,
    outputs: Outputs | None = None,
    *,
    fresh: bool = False,
) -> CircuitResult:
    """Search, and score what was found.

    Raises:
        NothingFoundError: nothing is kept, or everything.
        UserError: as `found_circuit`.
    """
    found, log = found_circuit(search, says, outputs, fresh=fresh)
    refuse_trivial(found, search.method)
    score = scored(search, found, outputs, fresh=fresh)
    lines = score_lines(score)
    for line in lines:
        says(line)
    return CircuitResult(search, found, score, (*log, *lines))
