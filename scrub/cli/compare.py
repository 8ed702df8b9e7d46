"""`scrub compare`: two claims, two files or two models on the same draws."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scrub.cli.claims import print_notice
from scrub.cli.exit_codes import AS_EXPECTED
from scrub.cli.options import DEVICE, MEMORY, RECHECK, SAMPLES, SEED, json_option, options_of
from scrub.cli.run import run
from scrub.errors import UserError
from scrub.runner.outputs import check_outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scrub.hypothesis.collect import Collected
    from scrub.results.inapplicable import Inapplicable
    from scrub.results.result import Result
    from scrub.runner.prepare import Prepared


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
@json_option("Write it here.")
@RECHECK
def compare_command(
    first: str, second: str | None, models: tuple[str, ...], json_file: Path | None, **chosen: Any
) -> int:
    """Compare two claims, two files or two models on common random numbers."""
    if len(models) > 2:
        raise click.UsageError(f"--model is given {len(models)} times. Two sides take two.")
    if second is None and len(models) < 2:
        raise click.UsageError("Give a second claim or file, or --model twice.")
    outputs = check_outputs(json_file)
    from scrub.hypothesis.collect import collect, named

    targets = [target.partition("::") for target in (first, second or first)]
    note = print_notice()
    paths = dict.fromkeys(path for path, _, _ in targets)
    files = {path: collect((path,), outputs.start, note=note) for path in paths}
    pairs = paired(*(named(files[path], name, path) for path, _, name in targets))
    from attrs import evolve

    from scrub.runner.prepare import prepare_all
    from scrub.runner.session import Session

    options, session = options_of(**chosen), Session()
    sides = [
        prepare_all(claims, session, evolve(options, model=model))
        for claims, model in zip(
            zip(*pairs, strict=True), (models * 2)[:2] or (None, None), strict=True
        )
    ]
    from scrub.report.comparison import show_comparisons
    from scrub.report.console import terminal
    from scrub.report.results_file import ResultsFile
    from scrub.results.comparison import compare
    from scrub.results.diagnosis_json import comparisons_as_json
    from scrub.runner.diagnoses import NO_DIAGNOSES

    def comparisons(results: Sequence[Result | Inapplicable]) -> dict[str, Any]:
        return {"comparisons": comparisons_as_json([compare(*pair) for pair in _halves(results)])}

    both = [
        claim for side in zip(*_applicable(sides[0], sides[1], note), strict=True) for claim in side
    ]
    options = evolve(options, model=models)
    reporters = [ResultsFile(outputs, options.seed, comparisons)] if json_file else []
    results = run(both, session, options, NO_DIAGNOSES, outputs, reporters)
    show_comparisons([compare(*pair) for pair in _halves(results)], terminal())
    return AS_EXPECTED


def _applicable(
    first: Sequence[Prepared | Inapplicable],
    second: Sequence[Prepared | Inapplicable],
    note: Callable[[str], None],
) -> list[tuple[Prepared, Prepared]]:
    """The pairs of which both apply to their models; `note` is told of the others.

    Raises:
        NoClaimError: there is none.
    """
    from scrub.runner.prepare import Prepared, applicable, split

    pairs = list(zip(first, second, strict=True))
    kept = [
        (one, other)
        for one, other in pairs
        if isinstance(one, Prepared) and isinstance(other, Prepared)
    ]
    _, left_out = split([side for pair in pairs for side in pair])
    applicable([*(one for one, _ in kept), *left_out], note)
    return kept


def _halves(results: Sequence[Result | Inapplicable]) -> list[tuple[Result, Result]]:
    from scrub.results.result import Result

    judged = [result for result in results if isinstance(result, Result)]
    half = len(judged) // 2
    return list(zip(judged[:half], judged[half:], strict=True))


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
