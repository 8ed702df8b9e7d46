"""`scrub check`: correspondences and samplers, without running the model."""

from __future__ import annotations

import click

from scrub.cli.claims import prepared_claims
from scrub.cli.exit_codes import AS_EXPECTED
from scrub.cli.options import KEYWORD, MODEL


@click.command("check")
@click.argument("targets", nargs=-1, required=True, metavar="PATH...")
@MODEL
@KEYWORD
def check_command(targets: tuple[str, ...], model: str | None, keyword: str) -> int:
    """Check correspondences and samplers without running the model."""
    prepared = prepared_claims(targets, keyword, model=model)
    from scrub.printing import printable
    from scrub.testing.claims import checked_lines, hold

    holding = hold(prepared, model)
    holding.refuse()
    for line in checked_lines(prepared, holding):
        click.echo(printable(line))
    return AS_EXPECTED
