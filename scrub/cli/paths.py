"""`scrub paths`: every path of a claim, with its share of the effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from scrub.cli.claims import print_notice
from scrub.cli.exit_codes import AS_EXPECTED
from scrub.cli.options import DEVICE, MEMORY, MODEL, SAMPLES, SEED, json_option, options_of
from scrub.errors import UserError
from scrub.runner.outputs import check_outputs


@click.command("paths")
@click.argument("target", metavar="FILE::CLAIM")
@click.option(
    "--csv", type=click.Path(path_type=Path), metavar="FILE", help="Write all effects here."
)
@json_option("Write them here.")
@MODEL
@SAMPLES
@SEED
@DEVICE
@MEMORY
def paths_command(target: str, csv: Path | None, json_file: Path | None, **chosen: Any) -> int:
    """All paths of a claim from root to leaves: what each changes by itself."""
    outputs = check_outputs(json_file, csv=csv)
    from scrub.hypothesis.collect import collect

    claims = collect((target,), outputs.start, note=print_notice())
    if len(claims) > 1:
        names = ", ".join(item.claim.name for item in claims)
        raise UserError(
            f"scrub paths is about one claim, and there are {len(claims)}. Name one, as in "
            f"{claims[0].name}; there are: {names}."
        )
    import json

    from scrub.report.console import terminal
    from scrub.report.paths import show_paths
    from scrub.report.progress_bar import ProgressBar
    from scrub.results.atomic_write import write_whole
    from scrub.runner.context import Context
    from scrub.runner.prepare import prepare
    from scrub.runner.session import Session
    from scrub.searches.paths import paths_of

    options, session = options_of(**chosen), Session()
    (prepared,) = prepare(claims, session, options)
    found = paths_of(prepared, Context(session, options, ProgressBar(0, quiet=False)))
    show_paths(found, terminal())
    if csv:
        with outputs.writing("--csv", csv) as file:
            found.frame.to_csv(file, index=False)
    if json_file:
        with outputs.writing("--json", json_file) as file:
            write_whole(file, json.dumps(found.as_json(), indent=1, ensure_ascii=False) + "\n")
    return AS_EXPECTED
