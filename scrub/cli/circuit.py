"""`scrub circuit`: a circuit's scores on a behaviour; circuits by themselves, or shared ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from scrub.cli.exit_codes import AS_EXPECTED
from scrub.cli.html import write_html
from scrub.cli.options import (
    DEVICE,
    DTYPE,
    MEMORY,
    MODEL,
    SAMPLES,
    SEED,
    html_option,
    json_option,
    options_of,
)
from scrub.errors import UserError
from scrub.runner.outputs import check_outputs

if TYPE_CHECKING:
    from scrub.circuits.scores import CircuitScores
    from scrub.runner.outputs import Outputs
    from scrub.runner.session import Session

PATH = click.Path(path_type=Path)
SECTIONS = "nulls, parts, completeness, minimality, curve"
TAKES = {
    "circuits by themselves (without a behaviour)": (
        *("csv", "json_file", "plot", "html_file", "save", "random", "seed", "model"),
    ),
    "circuits on several behaviours (--on)": (
        *("on", "metrics", "random", "csv", "json_file", "plot", "html_file", "fresh"),
        *("model", "samples", "seed", "device", "dtype", "max_memory"),
    ),
}
"""Which options go with what is not scored. Scores take all but --on."""


@click.command("circuit")
@click.argument("targets", nargs=-1, required=True, metavar="[FILE::BEHAVIOUR] CIRCUIT.json...")
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="One of the behaviour's metrics; may be repeated.  [default: all of them]",
)
@click.option(
    "--on",
    metavar="FILE::X,FILE::Y",
    help="Test every circuit on every one of these behaviours, and what they share.",
)
@click.option("--by", metavar="COLUMN", help="Faithfulness by the values of a column of the data.")
@click.option(
    "--only",
    metavar="SECTIONS",
    help=f"Beside faithfulness only some of: {SECTIONS}.  [default: all]",
)
@click.option(
    "--sets",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Random sets of nodes that are tried.",
)
@click.option(
    "--greedy",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Nodes of sets that grow greedily, at most; of each node's set 3 at most.",
)
@click.option(
    "--runs",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    help="Searches for sets as Wang et al. 2022 published them.",
)
@click.option(
    "--random",
    type=click.IntRange(min=0),
    help="Random circuits of the same sizes per layer.  [default: 20; of overlaps 1000]",
)
@click.option(
    "--order",
    type=click.Choice(("least", "once", "backwards", "forwards")),
    default="least",
    show_default=True,
    help="Removed first: the least important head, measured again each time or once; or by layer.",
)
@click.option(
    "--orders",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Orders of removal: that one, the others, then random ones.",
)
@click.option("--csv", type=PATH, metavar="FILE", help="Write all figures here.")
@json_option("Write all scores here.")
@click.option("--plot", type=PATH, metavar="FILE", help="Draw it here (.svg, .png, .pdf).")
@html_option("Write one page here: all scores, the picture, the tables.")
@click.option(
    "--save",
    type=PATH,
    metavar="FILE",
    help="Write the claim that it stands for (.py); without a behaviour the circuit (.json, .csv).",
)
@click.option(
    "--top", type=click.IntRange(min=1), default=10, show_default=True, help="Sets to show."
)
@click.option("--fresh", is_flag=True, help="Measure all anew, also what was measured before.")
@MODEL
@SAMPLES
@SEED
@DEVICE
@DTYPE
@MEMORY
def circuit_command(
    targets: tuple[str, ...],
    on: str | None,
    **given: Any,
) -> int:
    """Score a circuit on a behaviour: is it faithful, complete, minimal, and against what?

    Without a behaviour: show a circuit, or what several have in common. With --on: test circuits on
    several behaviours.
    """
    named = [name for name in targets if _is_behaviour(name)]
    if named and on is None:
        return _score(targets, named, **given)
    alone, shared = TAKES
    kind = alone if on is None else shared
    _refuse_others(click.get_current_context(), kind)
    taken = {name: value for name, value in given.items() if name in TAKES[kind]}
    if on is None:
        from scrub.cli.circuit_overlap import overlap_command

        return overlap_command(targets, **taken)
    if named:
        raise UserError(
            f"{named[0]}: with --on behaviours are named there. Write scrub circuit A.json B.json "
            "--on FILE::X,FILE::Y."
        )
    from scrub.cli.circuit_shared import shared_command

    return shared_command(targets, on, **taken)


def _is_behaviour(target: str) -> bool:
    return "::" in target or target.endswith(".py")


def _refuse_others(context: click.Context, kind: str) -> None:
    """Refuse options that what is asked does not take.

    Raises:
        UserError: with every one.
    """
    wrong = [
        f"{parameter.opts[0]} does not go with {kind}. Leave it out, or name one behaviour before "
        "the circuit."
        for parameter in context.command.params
        if isinstance(parameter, click.Option)
        and parameter.name not in TAKES[kind]
        and context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
    ]
    if wrong:
        raise UserError(*wrong)


def _score(
    targets: Sequence[str],
    named: Sequence[str],
    *,
    metrics: tuple[str, ...],
    by: str | None,
    only: str | None,
    sets: int,
    greedy: int,
    runs: int,
    random: int | None,
    order: str,
    orders: int,
    csv: Path | None,
    json_file: Path | None,
    plot: Path | None,
    html_file: Path | None,
    save: Path | None,
    top: int,
    fresh: bool,
    **chosen: Any,
) -> int:
    """The scores of one circuit on one behaviour."""
    files = [name for name in targets if name not in named]
    if len(named) != 1 or len(files) != 1:
        raise UserError(
            f"Scores are those of one circuit on one behaviour, and {len(files)} circuits and "
            f"{len(named)} behaviours are named. Write scrub circuit FILE::BEHAVIOUR CIRCUIT.json."
        )
    outputs = check_outputs(json_file, csv=csv, plot=plot, save=save, html=html_file)
    from scrub.hypothesis.collect import collect_behaviour

    item = collect_behaviour(named[0], outputs.start)
    from scrub.circuits.completeness import SetsOf
    from scrub.circuits.score_settings import RANDOM, ScoreSettings, sections_of
    from scrub.circuits.scoring import score_circuit
    from scrub.cli.circuit_overlap import read_all
    from scrub.report.circuit_scores import show_scores
    from scrub.report.console import terminal
    from scrub.report.progress_bar import ProgressBar
    from scrub.runner.context import Context
    from scrub.runner.session import Session
    from scrub.sweeps.save import check_beside

    if save:
        check_beside(item, save, outputs.start)
    (circuit,) = read_all(files, outputs)
    sections = sections_of(only)
    settings = ScoreSettings(
        metrics=list(metrics) or None,
        by=by or "",
        only=sections,
        sets=SetsOf(sets, greedy, runs, node_steps=min(SetsOf().node_steps, greedy)),
        random=RANDOM if random is None else random,
        order=order,
        orders=orders,
    )
    if plot and "curve" not in sections:
        raise UserError("--plot draws the curve. Leave it in: --only curve.")
    context = Context(Session(), options_of(**chosen), ProgressBar(0, quiet=False))
    scores = score_circuit(item, circuit, settings, context, outputs, fresh=fresh)
    show_scores(scores, terminal(), top)
    _write(scores, outputs, top, context.session)
    if outputs.save:
        from scrub.circuits.claim_file import save_claim

        with outputs.writing("--save", outputs.save) as file:
            save_claim(circuit, item, file, context, held=False)
        click.echo(f"saved: scrub test {outputs.save}")
    return AS_EXPECTED


def _write(scores: CircuitScores, outputs: Outputs, top: int, session: Session) -> None:
    """Write the files that were asked for."""
    from scrub.results.atomic_write import write_whole

    if outputs.csv:
        with outputs.writing("--csv", outputs.csv) as file:
            scores.frame.to_csv(file, index=False)
    if outputs.json:
        with outputs.writing("--json", outputs.json) as file:
            write_whole(file, scores.to_json())
    if outputs.plot:
        from scrub.sweeps.heatmap import save_figure

        with outputs.writing("--plot", outputs.plot) as file:
            save_figure(scores.plot(), file)
    if outputs.html:
        from scrub.report.html.kinds import scores_page

        write_html(outputs, lambda: scores_page(scores, top), session)
