"""`scrub patch`: the effect of every sender on a receiver."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scrub.cli.exit_codes import AS_EXPECTED, UNEXPECTED
from scrub.cli.html import write_html
from scrub.cli.options import DEVICE, DTYPE, MEMORY, MODEL, SAMPLES, SEED, html_option, options_of
from scrub.cli.streams import print_error
from scrub.runner.outputs import check_outputs

if TYPE_CHECKING:
    from scrub.runner.context import Context
    from scrub.runner.outputs import Outputs
    from scrub.sweeps.sweep import Sweep

PATH = click.Path(path_type=Path)


@click.command("patch")
@click.argument("target", metavar="FILE::BEHAVIOUR")
@click.option(
    "--to",
    metavar="RECEIVER",
    help='What senders send to: "name mover.q@end", "9.9,9.6.pattern", "9.9.attention:io@end", '
    '"9.9.output@end", a site.  [default: the logits]',
)
@click.option(
    "--from",
    "--senders",
    "senders",
    default="heads",
    show_default=True,
    metavar="SENDERS",
    help="heads, mlps, layers, streams, neurons:LAYER, a role, or heads: 9.9,9.6.",
)
@click.option(
    "--at",
    default="all",
    show_default=True,
    metavar="COLUMN|each|all",
    help="Where they send: whole, at one position column, or at each.",
)
@click.option(
    "--through",
    type=click.Choice(("none", "mlps", "anything")),
    default="none",
    show_default=True,
    help="What the path to the receiver may pass.",
)
@click.option("--restore", is_flag=True, help="Restore a sender in the corrupted run.  [default]")
@click.option("--corrupt", is_flag=True, help="Corrupt a sender in the original run.")
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="One of the behaviour's metrics; may be repeated.  [default: all of them]",
)
@click.option(
    "--approximate",
    type=click.Choice(("first-order", "integrated")),
    help="By gradients: fast, and no proof. Its error is measured on a random tenth.",
)
@click.option(
    "--by",
    metavar="COLUMN",
    help="Also the effects by the values of a column, and which of them differ.",
)
@click.option("--csv", type=PATH, metavar="FILE", help="Write all effects here (by value: --by).")
@click.option("--plot", type=PATH, metavar="FILE", help="Draw a heatmap here (.svg, .png, .pdf).")
@html_option("Write one page here: effects, heatmaps, all of them as a table.")
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Effects to show; neurons that get exact effects.",
)
@click.option(
    "--save",
    type=PATH,
    metavar="FILE.py",
    help="Write the senders told from zero as a hypothesis file, at most --top.",
)
@MODEL
@SAMPLES
@SEED
@DEVICE
@DTYPE
@MEMORY
def patch_command(
    target: str,
    to: str | None,
    senders: str,
    at: str,
    through: str,
    restore: bool,
    corrupt: bool,
    metrics: tuple[str, ...],
    approximate: str | None,
    by: str | None,
    csv: Path | None,
    plot: Path | None,
    html_file: Path | None,
    top: int,
    save: Path | None,
    **chosen: Any,
) -> int:
    """Patch one sender at a time: which parts of the model carry a behaviour?"""
    if restore and corrupt:
        raise click.UsageError("--restore and --corrupt exclude each other.")
    outputs = check_outputs(csv=csv, plot=plot, save=save, html=html_file)
    from scrub.hypothesis.collect import collect_behaviour

    item = collect_behaviour(target, outputs.start)
    from scrub.hypothesis.sites import KINDS
    from scrub.report.console import terminal
    from scrub.report.progress_bar import ProgressBar
    from scrub.report.sweep import show_sweep
    from scrub.runner.context import Context
    from scrub.runner.session import Session
    from scrub.sweeps.prepare import prepare_sweep
    from scrub.sweeps.question import Question
    from scrub.sweeps.run import run_sweep
    from scrub.sweeps.save import check_save

    question = Question(
        to=to,
        senders=senders,
        at=positions(at),
        through=KINDS[through],
        restore=not corrupt,
        metrics=list(metrics) or None,
        approximate=approximate or False,
        top=top,
        by=by,
    )
    options, session = options_of(**chosen), Session()
    prepared = prepare_sweep(item, question, session, options)
    if save:
        check_save(prepared, save, outputs.start)
    context = Context(session, options, ProgressBar(0, quiet=False))
    sweep = run_sweep(prepared, context, outputs)
    show_sweep(sweep, terminal(), top)
    return _write(sweep, outputs, context, top)


def positions(at: str) -> str | list[str | int]:
    """Positions as `--at` writes them: a word as it is, or columns and indices."""
    pieces = [piece.strip() for piece in at.split(",")]
    specs = [int(piece) if piece.isdigit() else piece for piece in pieces]
    return at if specs == [at] else specs


def _write(sweep: Sweep, outputs: Outputs, context: Context, top: int) -> int:
    """Write the files that were asked for; the exit code says if there was nothing to save."""
    if outputs.csv:
        with outputs.writing("--csv", outputs.csv) as file:
            frame = sweep.frame if sweep.by is None else sweep.by_frame
            frame.to_csv(file, index=False)
    if outputs.plot:
        from scrub.sweeps.heatmap import save_heatmap

        with outputs.writing("--plot", outputs.plot) as file:
            save_heatmap(sweep, file)
    if outputs.html:
        from scrub.report.html.kinds import sweep_page

        write_html(outputs, lambda: sweep_page(sweep, top), context.session)
    if outputs.save:
        from scrub.sweeps.hypothesis_file import NothingCertainError
        from scrub.sweeps.save import save_hypothesis

        try:
            with outputs.writing("--save", outputs.save) as file:
                save_hypothesis(sweep, file, context, top)
        except NothingCertainError as error:
            print_error(f"--save {outputs.save}: not written. {error}")
            return UNEXPECTED
        click.echo(f"saved: scrub test {outputs.save}")
    return AS_EXPECTED
