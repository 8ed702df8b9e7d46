"""`scrub matrix`: claims on several models and with several seeds, on one machine or many."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scrub.cli.claims import print_notice
from scrub.cli.exit_codes import AS_EXPECTED, BAD_INPUT, NO_CLAIM, OUR_FAULT, UNEXPECTED
from scrub.cli.options import DEVICE, DTYPE, KEYWORD, MEMORY, SAMPLES, json_option
from scrub.cli.streams import print_error
from scrub.errors import UserError
from scrub.runner.outputs import Outputs, check_outputs

if TYPE_CHECKING:
    from scrub.matrix.matrix import Matrix
    from scrub.matrix.run import Outcome


@click.command("matrix")
@click.argument("targets", nargs=-1, metavar="[PATH[::CLAIM]]...")
@click.option("--models", default="", metavar="A,B", help="Models.  [default: each file's own]")
@click.option("--seeds", default="0", show_default=True, metavar="0..4", help="Seeds of the draws.")
@SAMPLES
@click.option(
    "--precision",
    type=click.FloatRange(min=0, min_open=True),
    metavar="X",
    help="Stop a cell once its interval is ±X wide (not with --shards).",
)
@click.option(
    "--shards",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Divide the samples of each claim.",
)
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Records go here; without files: read them. All workers must see it.",
)
@click.option("--add", is_flag=True, help="Add these cells to those that DIR has.")
@click.option(
    "--on",
    default="local",
    show_default=True,
    metavar="EXECUTOR",
    help="local, ray, ray://HOST:PORT or slurm.",
)
@click.option("--workers", type=click.IntRange(min=1), help="At a time.  [default: all there are]")
@click.option("--threads", type=click.IntRange(min=1), default=1, help="CPU threads of each.")
@click.option("--gpus", type=click.FloatRange(min=0), default=0.0, help="GPUs of each: 0.25.")
@click.option(
    "--slurm", "settings", multiple=True, metavar="KEY=VALUE", help="A setting of submitit's."
)
@DEVICE
@DTYPE
@MEMORY
@click.option("--csv", type=click.Path(path_type=Path), help="Write the table here.")
@json_option("Write table and heterogeneity here.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw claims × models here.")
@KEYWORD
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def matrix_command(
    targets: tuple[str, ...],
    folder: Path,
    csv: Path | None,
    json_file: Path | None,
    plot: Path | None,
    quiet: bool,
    **chosen: Any,
) -> int:
    """Test claims on models and seeds: does the verdict hold?

    Every claim on every model with every seed is a cell, which leaves a record in DIR. The same
    command goes on where it was stopped.
    """
    outputs = check_outputs(json_file, csv=csv, plot=plot)
    outcome = _fill(targets, folder, outputs, quiet=quiet, **chosen) if targets else None
    from scrub.matrix.matrix import read_matrix
    from scrub.report.console import terminal
    from scrub.report.matrix import show_matrix

    matrix = read_matrix(folder, outputs.start)
    if not quiet:
        show_matrix(matrix, terminal())
    _write(matrix, outputs)
    if outcome is not None and outcome.stopped is not None:
        raise type(outcome.stopped)(
            f"{outcome.done:,} of {len(outcome.cells):,} cells finished; they are in {folder}, and "
            "the same command goes on"
        )
    return _code(matrix, outcome)


def _fill(
    targets: tuple[str, ...],
    folder: Path,
    outputs: Outputs,
    *,
    models: str,
    seeds: str,
    add: bool,
    on: str,
    workers: int | None,
    threads: int,
    gpus: float,
    settings: tuple[str, ...],
    keyword: str,
    quiet: bool,
    **chosen: Any,
) -> Outcome:
    """Compute what is missing."""
    from scrub.hypothesis.collect import collect
    from scrub.matrix.cell import How, seeds_of
    from scrub.matrix.executors import executor_of

    wanted = seeds_of(seeds)
    how = How(**chosen)
    if on != "local" and how.device.startswith("cuda"):
        gpus = gpus or 1.0
    executor = executor_of(on, workers, threads, gpus, _settings(settings))
    claims = collect(targets, outputs.start, keyword=keyword, note=print_notice(quiet=quiet))
    from scrub.matrix.plan import plan_matrix
    from scrub.matrix.run import fill
    from scrub.report.progress_bar import ProgressBar
    from scrub.runner.options import check_options

    if on == "local":  # elsewhere there may be other devices
        check_options(how.options("", wanted[0]))
    named = list(dict.fromkeys(filter(None, map(str.strip, models.split(",")))))
    cells = plan_matrix(claims, named, wanted, how, outputs.start)
    progress = ProgressBar(0, quiet=quiet, counted="cells")
    return fill(cells, outputs.start / folder, executor, add=add, progress=progress)


def _settings(given: tuple[str, ...]) -> dict[str, Any]:
    """ "slurm_partition=gpu", "timeout_min=60": whole numbers as such."""
    found: dict[str, Any] = {}
    for setting in given:
        name, equals, value = setting.partition("=")
        if not (name and equals):
            raise UserError(f"--slurm {setting}: write KEY=VALUE, such as slurm_partition=gpu.")
        found[name] = int(value) if value.isdigit() else value
    return found


def _write(matrix: Matrix, outputs: Outputs) -> None:
    """Write the files that were asked for."""
    if outputs.csv:
        with outputs.writing("--csv", outputs.csv) as file:
            matrix.frame.to_csv(file, index=False)
    if outputs.json:
        from scrub.results.atomic_write import write_whole

        with outputs.writing("--json", outputs.json) as file:
            write_whole(file, matrix.to_json())
    if outputs.plot:
        from scrub.sweeps.heatmap import save_figure

        with outputs.writing("--plot", outputs.plot) as file:
            save_figure(matrix.plot(), file)


def _code(matrix: Matrix, outcome: Outcome | None) -> int:
    """The exit code, once what failed is said: each sentence once."""
    from scrub.stats.verdict import NOT_APPLICABLE

    failed = [entry for entry in matrix.entries if entry.status == "failed"]
    for why in dict.fromkeys(entry.note for entry in failed):
        count = sum(entry.note == why for entry in failed)
        print_error(f"error: {why}" + (f" ({count} results)" if count > 1 else ""))
    if outcome is not None and outcome.faults:
        print_error("This is a fault of scrub, not of your file. Please report it.")
        return OUR_FAULT
    if failed:
        return BAD_INPUT
    if all(entry.verdict == NOT_APPLICABLE for entry in matrix.entries):
        return NO_CLAIM
    wrong = any(e.result and e.result.judgement.passed is False for e in matrix.entries)
    return UNEXPECTED if wrong else AS_EXPECTED
