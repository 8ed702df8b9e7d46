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
    from scrub.testing.claims import hold

    holding = hold(prepared, model)
    holding.refuse()
    for claim in prepared:
        nodes = len(claim.tree.walk())
        about = f"{nodes} node{'s' if nodes > 1 else ''} on {claim.model.name}"
        click.echo(printable(f"{claim.name}: legal ({about}, data: {claim.data.name})"))
    for line in holding.report():
        click.echo(printable(line))
    return AS_EXPECTED
