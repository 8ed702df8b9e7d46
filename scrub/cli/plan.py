"""`scrub plan`: the tree of a claim, what would run and its cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scrub.cli.claims import prepared_claims
from scrub.cli.exit_codes import AS_EXPECTED
from scrub.cli.options import DTYPE, KEYWORD, MEMORY, MODEL, SAMPLES, SEED, options_of
from scrub.errors import UserError
from scrub.runner.outputs import Outputs, check_outputs

if TYPE_CHECKING:
    from scrub.runner.prepare import Prepared


@click.command("plan")
@click.argument("target", metavar="PATH[::CLAIM]")
@MODEL
@SAMPLES
@SEED
@DTYPE
@MEMORY
@KEYWORD
@click.option(
    "--svg",
    "svg_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the tree of one claim here.",
)
@click.option("-v", "--verbose", is_flag=True, help="Every step, in order.")
def plan_command(
    target: str,
    keyword: str,
    svg_file: Path | None,
    verbose: bool,
    **chosen: Any,
) -> int:
    """Show the tree, what would run and its cost, without running it."""
    outputs = check_outputs(svg=svg_file)
    prepared = prepared_claims((target,), keyword, **chosen)
    if outputs.svg:
        _draw(prepared, outputs, outputs.svg)
    from scrub.report.console import terminal
    from scrub.report.plan import show_plan

    console = terminal()
    for claim in prepared:
        show_plan(claim, options_of(**chosen), console, verbose=verbose)
        console.print()
    return AS_EXPECTED


def _draw(prepared: list[Prepared], outputs: Outputs, given: Path) -> None:
    """Draw the one claim's tree."""
    if len(prepared) > 1:
        names = ", ".join(claim.claim.name for claim in prepared)
        raise UserError(
            f"--svg draws one claim, and there are {len(prepared)}. Name one, as in "
            f"{prepared[0].name}; there are: {names}."
        )
    from scrub.report.tree_svg import save_svg

    (claim,) = prepared
    with outputs.writing("--svg", given) as file:
        save_svg(claim.tree, f"{claim.claim.name}: {claim.claim.belief}", file)
