"""`scrub show`: the inputs that a claim swaps, as text."""

from __future__ import annotations

import click

from scrub.cli.claims import prepared_claims
from scrub.cli.exit_codes import AS_EXPECTED
from scrub.cli.options import MODEL, SEED
from scrub.errors import UserError


@click.command("show")
@click.argument("target", metavar="PATH::CLAIM")
@click.option("--row", type=click.IntRange(min=0), required=True, help="Row of the data.")
@MODEL
@SEED
def show_command(target: str, row: int, model: str | None, seed: int) -> int:
    """Show what a claim swaps: each node's inputs, changed tokens and patches marked."""
    prepared = prepared_claims((target,), "", model=model)
    from scrub.draw import draw
    from scrub.report.console import claim_line, terminal
    from scrub.report.inputs import drawing, marks, signs, swaps

    console = terminal()
    for claim in prepared:
        if row >= len(claim.data):
            raise UserError(
                f'Dataset "{claim.data.name}" has no row {row}: its rows are 0 to '
                f"{len(claim.data) - 1}."
            ).at(file=claim.file, claim=claim.claim.name)
        draws = draw(claim.tree, claim.data, samples=1, seed=seed, references=[row])
        images = drawing(claim, console)
        console.print(claim_line(claim.name, claim.claim.belief))
        console.print(swaps(claim.tree, draws, 0, images), highlight=False)
        if images is not None:
            console.print(signs(claim.tree, draws, 0, images), highlight=False)
        console.print(marks(claim.tree), highlight=False)
    return AS_EXPECTED
