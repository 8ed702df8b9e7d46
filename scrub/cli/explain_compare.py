"""The commands `scrub explain` and `scrub compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scrub.cli.shared import (
    AS_EXPECTED,
    MEMORY,
    MODEL,
    SAMPLES,
    SEED,
    note_unless,
    options_of,
    what_is_kept,
)
from scrub.errors import UserError
from scrub.runner.outputs import Outputs, check_outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scrub.hypothesis.collect import Collected
    from scrub.results.result import Result
    from scrub.runner.diagnoses import Diagnoses
    from scrub.runner.options import Options
    from scrub.runner.prepare import Prepared
    from scrub.runner.session import Session

DEVICE = click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, ...")
JSON = click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write it here.")


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
@JSON
def explain_command(
    target: str, rows: int, plot: Path | None, json_file: Path | None, **chosen: Any
) -> int:
    """Blame: which swap of a claim, and which path, loses how much."""
    outputs = check_outputs(json_file, plot=plot)
    from scrub.hypothesis.collect import collect

    claims = collect((target,), outputs.start, note=note_unless(False))
    if plot and len(claims) > 1:
        names = ", ".join(item.claim.name for item in claims)
        raise UserError(
            f"--plot draws one claim, and there are {len(claims)}. Name one, as in "
            f"{claims[0].name}; there are: {names}."
        )
    from scrub.runner.diagnoses import Diagnoses
    from scrub.runner.prepare import prepare
    from scrub.runner.session import Session

    options, session = options_of(**chosen), Session()
    prepared = prepare(claims, session, options)
    results = _run(prepared, session, options, Diagnoses(blame=True, worst=rows), outputs)
    from scrub.report.diagnosis import show_blame
    from scrub.report.table import show
    from scrub.report.terminal import terminal

    console = terminal()
    show(results, console, verbose=False, by=None)
    for result in results:
        console.print()
        show_blame(result, console)
    if plot:
        from scrub.report.waterfall import save_waterfall

        ((result, found),) = ((r, r.diagnosis.blame) for r in results if r.diagnosis)
        assert found is not None
        heading = f"{result.claim.name}: {result.claim.belief}"
        with outputs.writing("--plot", plot) as file:
            save_waterfall(result.tree, found, heading, file)
    return AS_EXPECTED


@click.command("compare")
@click.argument("first", metavar="PATH[::CLAIM]")
@click.argument("second", metavar="[PATH[::CLAIM]]", required=False)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME|DIR",
    help="The model of both; or give it twice: the first's and the second's.",
)
@SAMPLES
@SEED
@DEVICE
@MEMORY
@JSON
def compare_command(
    first: str, second: str | None, models: tuple[str, ...], json_file: Path | None, **chosen: Any
) -> int:
    """Compare two claims, two files or two models on common random numbers."""
    if len(models) > 2:
        raise click.UsageError(f"--model is given {len(models)} times. Two sides take two.")
    if second is None and len(models) < 2:
        raise click.UsageError("Give a second claim or file, or --model twice.")
    outputs = check_outputs(json_file)
    from attrs import evolve

    from scrub.hypothesis.collect import collect, named
    from scrub.runner.prepare import prepare
    from scrub.runner.session import Session

    targets = [target.partition("::") for target in (first, second or first)]
    note = note_unless(False)
    paths = dict.fromkeys(path for path, _, _ in targets)
    files = {path: collect((path,), outputs.start, note=note) for path in paths}
    pairs = paired(*(named(files[path], name, path) for path, _, name in targets))
    options, session = options_of(**chosen), Session()
    sides = [
        prepare(claims, session, evolve(options, model=model))
        for claims, model in zip(
            zip(*pairs, strict=True), (models * 2)[:2] or (None, None), strict=True
        )
    ]
    from scrub.report.diagnosis import show_comparisons
    from scrub.report.terminal import terminal
    from scrub.results.comparison import compare
    from scrub.results.diagnosis_json import comparisons_as_json
    from scrub.runner.diagnoses import NO_DIAGNOSES

    def found(results: Sequence[Result]) -> dict[str, Any]:
        return {"comparisons": comparisons_as_json([compare(*pair) for pair in _halves(results)])}

    both = [*sides[0], *sides[1]]
    options = evolve(options, model=models)
    results = _run(both, session, options, NO_DIAGNOSES, outputs, found)
    show_comparisons([compare(*pair) for pair in _halves(results)], terminal())
    return AS_EXPECTED


def _halves(results: Sequence[Result]) -> list[tuple[Result, Result]]:
    half = len(results) // 2
    return list(zip(results[:half], results[half:], strict=True))


def paired(
    first: Sequence[Collected], second: Sequence[Collected]
) -> list[tuple[Collected, Collected]]:
    """Which claims to compare: the one with the one, or else those of the same name.

    Raises:
        UserError: no claim of the first has the name of one of the second.
    """
    if len(first) == len(second) == 1:
        return [(first[0], second[0])]
    there = {item.claim.name: item for item in second}
    pairs = [(item, there[item.claim.name]) for item in first if item.claim.name in there]
    if not pairs:
        names = [", ".join(item.claim.name for item in side) for side in (first, second)]
        raise UserError(
            "No claim of the first has the name of one of the second. Name one of each, as "
            f"FILE::CLAIM; there are: {names[0]}; and: {names[1]}."
        )
    return pairs


def _run(
    claims: Sequence[Prepared],
    session: Session,
    options: Options,
    wanted: Diagnoses,
    outputs: Outputs,
    more: Callable[[Sequence[Result]], dict[str, Any]] = lambda results: {},
) -> list[Result]:
    """The results of a run that came to its end; what a stopped one computed is kept.

    Args:
        more: what the results file says beside the results.
    """
    from scrub.report.progress_bar import ProgressBar
    from scrub.runner.context import Context
    from scrub.runner.partial_results import partial_file, remove_partial, write_finished
    from scrub.runner.suite import run_claims

    progress = ProgressBar(options.samples * len(claims), quiet=False)
    outcome = run_claims(claims, Context(session, options, progress), outputs, wanted)
    if outcome.stopped:
        raise type(outcome.stopped)(what_is_kept(outcome, len(claims)))
    write_finished(outcome.results, options.seed, outputs, more(outcome.results))
    remove_partial(partial_file(claims, options, outputs), outputs)
    return outcome.results
