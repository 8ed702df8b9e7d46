"""What a claim swaps for one row of its data (`scrub show`)."""

from __future__ import annotations

from rich.console import Console

from scrub.draw import Draws, draw
from scrub.errors import UserError
from scrub.report.console import claim_line
from scrub.report.inputs import drawing, marks, signs, swaps
from scrub.runner.prepare import Prepared


def drawn_for(claim: Prepared, row: int, seed: int) -> Draws:
    """The draws of one sample, whose reference is this row.

    Raises:
        UserError: the data has no such row.
    """
    if row not in range(len(claim.data)):
        raise UserError(
            f'Dataset "{claim.data.name}" has no row {row}: its rows are 0 to '
            f"{len(claim.data) - 1}."
        ).at(file=claim.file, claim=claim.claim.name)
    return draw(claim.tree, claim.data, samples=1, seed=seed, references=[row])


def show_row(claim: Prepared, draws: Draws, console: Console) -> None:
    """Print each node's inputs, and what the marks mean."""
    images = drawing(claim, console)
    console.print(claim_line(claim.name, claim.claim.belief))
    console.print(swaps(claim.tree, draws, 0, images), highlight=False)
    if images is not None:
        console.print(signs(claim.tree, draws, 0, images), highlight=False)
    console.print(marks(claim.tree), highlight=False)
