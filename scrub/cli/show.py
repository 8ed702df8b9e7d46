"""`scrub show`: the inputs that a claim swaps, as text."""

from __future__ import annotations

import click

from scrub.cli.claims import prepared_claims
from scrub.cli.exit_codes import AS_EXPECTED
from scrub.cli.options import MODEL, SEED


@click.command("show")
@click.argument("target", metavar="PATH::CLAIM")
@click.option("--row", type=click.IntRange(min=0), required=True, help="Row of the data.")
@MODEL
@SEED
def show_command(target: str, row: int, model: str | None, seed: int) -> int:
    """Show what a claim swaps: each node's inputs, changed tokens and patches marked."""
    prepared = prepared_claims((target,), "", model=model)
    from scrub.report.console import terminal
    from scrub.report.row import drawn_for, show_row

    console = terminal()
    for claim in prepared:
        show_row(claim, drawn_for(claim, row, seed), console)
    return AS_EXPECTED
