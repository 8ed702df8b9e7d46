"""`scrub explain`: which swap of a claim loses how much."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from scrub.cli.claims import print_notice
from scrub.cli.exit_codes import AS_EXPECTED
from scrub.cli.options import (
    CACHE,
    CACHE_SIZE,
    DEVICE,
    MEMORY,
    MODEL,
    RECHECK,
    SAMPLES,
    SEED,
    json_option,
    options_of,
    session_of,
)
from scrub.cli.run import run
from scrub.errors import UserError
from scrub.runner.outputs import check_outputs


@click.command("explain")
@click.argument("target", metavar="PATH::CLAIM")
@MODEL
@SAMPLES
@SEED
@DEVICE
@MEMORY
@click.option(
    "--rows",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="How many of the references that lose most to show as text.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw what is lost from the root down here (.svg, .png or .pdf).",
)
@json_option("Write it here.")
@CACHE
@CACHE_SIZE
@RECHECK
def explain_command(
    target: str,
    rows: int,
    plot: Path | None,
    json_file: Path | None,
    cache: Path | None,
    cache_size: int | None,
    **chosen: Any,
) -> int:  # fmt: skip
    """Blame: which swap of a claim, and which path, loses how much."""
    outputs = check_outputs(json_file, plot=plot)
    from scrub.hypothesis.collect import collect

    claims = collect((target,), outputs.start, note=print_notice())
    if plot and len(claims) > 1:
        names = ", ".join(item.claim.name for item in claims)
        raise UserError(
            f"--plot draws one claim, and there are {len(claims)}. Name one, as in "
            f"{claims[0].name}; there are: {names}."
        )
    from scrub.report.blame import show_blame
    from scrub.report.console import terminal
    from scrub.report.inputs import drawing
    from scrub.report.results_file import ResultsFile
    from scrub.report.terminal import show
    from scrub.results.result import Result
    from scrub.runner.diagnoses import Diagnoses, check_blamed
    from scrub.runner.prepare import applicable, prepare_all

    options, session = options_of(**chosen), session_of(cache, cache_size)
    prepared = applicable(prepare_all(claims, session, options), print_notice())
    check_blamed(prepared)
    reporters = [ResultsFile(outputs, options.seed)] if json_file else []
    wanted = Diagnoses(blame=True, worst=rows)
    found = run(prepared, session, options, wanted, outputs, reporters)
    results = [result for result in found if isinstance(result, Result)]
    console = terminal()
    show(results, console)
    for result in results:
        console.print()
        (claim,) = (claim for claim in prepared if claim.claim is result.claim)
        show_blame(result, console, drawing(claim, console))
    if plot:
        from scrub.report.waterfall import save_waterfall

        ((result, blame),) = ((r, r.diagnosis.blame) for r in results if r.diagnosis)
        assert blame is not None
        heading = f"{result.claim.name}: {result.claim.belief}"
        with outputs.writing("--plot", plot) as file:
            save_waterfall(result.tree, blame, heading, file)
    return AS_EXPECTED
