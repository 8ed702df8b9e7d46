"""`scrub find`: the paths, or the circuit, that carry a behaviour."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from scrub.cli.exit_codes import AS_EXPECTED, UNEXPECTED
from scrub.cli.html import write_html
from scrub.cli.options import DEVICE, MEMORY, MODEL, SAMPLES, SEED, html_option, options_of
from scrub.cli.patch import positions
from scrub.cli.streams import print_error
from scrub.runner.outputs import check_outputs

if TYPE_CHECKING:
    from scrub.runner.context import Context
    from scrub.runner.outputs import Outputs
    from scrub.searches.path_search import PathSearch

PATH = click.Path(path_type=Path)
PATHS = "paths"
CIRCUITS = ("pruning", "acdc", "attribution")
"""Methods that end in a circuit: those of `scrub.searches.methods`, which imports torch."""
OF_PATHS = (
    "senders", "at", "through", "corrupt", "restore", "smallest", "keep", "drop", "split", "merge",
    "save", "plot", "html_file", "csv", "log", "fresh",
)  # fmt: skip
COMMON = ("target", "by", "model", "samples", "seed", "device", "max_memory")


@click.command("find")
@click.argument("target", metavar="FILE::BEHAVIOUR")
@click.option(
    "--by",
    type=click.Choice((PATHS, *CIRCUITS)),
    default=PATHS,
    show_default=True,
    help="How: iterative path patching; or for a circuit pruning of nodes, positions and edges, "
    "ACDC, or edge attribution by gradients.",
)
@click.option(
    "--from",
    "--senders",
    "senders",
    default="heads,embeddings",
    show_default=True,
    metavar="KINDS",
    help="What is tried: heads, mlps, embeddings. Embeddings end a path.",
)
@click.option(
    "--at",
    default="each",
    show_default=True,
    metavar="COLUMN|each|all",
    help="Where senders are tried: at each position column, at some, or whole.",
)
@click.option(
    "--through",
    type=click.Choice(("none", "mlps")),
    default="mlps",
    show_default=True,
    help="What paths between two components may pass.",
)
@click.option("--corrupt", is_flag=True, help="Corrupt senders in the original run.  [default]")
@click.option("--restore", is_flag=True, help="Restore senders in the corrupted run.")
@click.option(
    "--smallest",
    type=float,
    metavar="SHARE",
    help="Least share of the total effect that is kept.  [default: 0.1]",
)
@click.option("--keep", metavar="HEADS", default="", help="Keep these, however small: 9.9,9.6.")
@click.option("--drop", metavar="HEADS", default="", help="Never keep these: 10.7.")
@click.option(
    "--split",
    is_flag=False,
    flag_value="all",
    metavar="[HEADS]",
    help="Let these heads be a group each; without any, every head.",
)
@click.option(
    "--merge",
    is_flag=False,
    flag_value="all",
    metavar="[HEADS]",
    help="Let these heads be one group; without any, all that send by one port from one position.",
)
@click.option(
    "--keeps",
    type=float,
    metavar="SHARE",
    help="pruning, attribution: least share of the performance that is left.  [default: 0.8]",
)
@click.option(
    "--costs",
    type=float,
    metavar="SHARE",
    help="pruning: most that one removal may cost.  [default: 0.05]",
)
@click.option(
    "--absolute",
    is_flag=True,
    help="pruning, acdc: what makes matters better by so much stays, too.",
)
@click.option(
    "--order",
    type=click.Choice(("backward", "forward", "least", "random")),
    help="pruning, acdc: in which order parts are taken out.  [default: backward]",
)
@click.option(
    "--orders",
    type=click.IntRange(min=1),
    metavar="N",
    help="pruning: in so many orders; says how often each part stays.",
)
@click.option(
    "--level",
    type=click.Choice(("nodes", "positions", "edges")),
    help="pruning: how far it goes; attribution: what is ranked.  [default: edges]",
)
@click.option(
    "--threshold",
    type=float,
    metavar="T",
    help="acdc: how much worse an edge may make the metric.  [default: 1% of all]  attribution: "
    "keep all whose effect is as large.",
)
@click.option(
    "--metric",
    type=click.Choice(("kl", "own")),
    help="KL from the original, or the behaviour's own.  [default: acdc kl, attribution own]",
)
@click.option(
    "--steps",
    type=click.IntRange(min=0),
    metavar="N",
    help="attribution: inputs of integrated gradients; 0: gradients alone.  [default: 30]",
)
@click.option(
    "--choose",
    type=click.Choice(("greedy", "top")),
    help="attribution: the largest from the output backwards, or wherever.  [default: greedy]",
)
@click.option(
    "--size", type=click.IntRange(min=1), metavar="N", help="attribution: so many of the first."
)
@click.option(
    "--checked",
    type=click.IntRange(min=0),
    metavar="N",
    help="attribution: edges whose exact effect is measured, too.  [default: a tenth]",
)
@click.option(
    "--ablate",
    "--convention",
    type=click.Choice(("mean", "resample", "zero")),
    help="Of a circuit: what all outside of it comes from.  [default: as the behaviour corrupts]",
)
@click.option("--circuit", type=PATH, metavar="FILE.json", help="Write the circuit here.")
@click.option("--save", type=PATH, metavar="FILE.py", help="Write a hypothesis file.")
@click.option(
    "--plot",
    type=PATH,
    metavar="FILE",
    help="Draw the tree, or what is recovered by size, here (.svg, .png, .pdf).",
)
@html_option("Write one page here: what was found, the picture, the tables, the log.")
@click.option("--csv", type=PATH, metavar="FILE", help="Write all that is kept, or tried, here.")
@click.option("--log", type=PATH, metavar="FILE", help="Write the log here, too.")
@click.option("--fresh", is_flag=True, help="Measure all anew, also what was measured before.")
@MODEL
@SAMPLES
@SEED
@DEVICE
@MEMORY
def find_command(target: str, by: str, **chosen: Any) -> int:
    """Find what carries a behaviour: paths as a hypothesis, or a circuit."""
    named = _named()
    if by != PATHS or not set(named) <= set(OF_PATHS):
        _refuse_others(by, named)
    run = {name: chosen[name] for name in COMMON if name in chosen}
    if by == PATHS:
        return _find_paths(target, **{name: chosen[name] for name in OF_PATHS}, **run)
    from scrub.cli.find_circuit import SHARED, find_circuit

    given = {name: chosen[name] for name in named if name not in SHARED}
    return find_circuit(target, by, given, {name: chosen[name] for name in SHARED}, **run)


def _named() -> dict[str, str]:
    """The options that stand on the command line, by what they set."""
    context = click.get_current_context()
    return {
        param.name: param.opts[0]
        for param in context.command.params
        if param.name is not None
        and param.name not in COMMON
        and context.get_parameter_source(param.name) == ParameterSource.COMMANDLINE
    }


def _refuse_others(by: str, named: dict[str, str]) -> None:
    from scrub.cli.find_circuit import SHARED, refuse_others
    from scrub.searches.methods import METHODS

    allowed = {PATHS: [*OF_PATHS]}
    allowed |= {name: [*SHARED, *one.options] for name, one in METHODS.items()}
    refuse_others(by, named, allowed)


def _find_paths(
    target: str,
    *,
    senders: str,
    at: str,
    through: str,
    corrupt: bool,
    restore: bool,
    smallest: float | None,
    keep: str,
    drop: str,
    split: str | None,
    merge: str | None,
    save: Path | None,
    plot: Path | None,
    html_file: Path | None,
    csv: Path | None,
    log: Path | None,
    fresh: bool,
    **chosen: Any,
) -> int:
    if restore and corrupt:
        raise click.UsageError("--restore and --corrupt exclude each other.")
    outputs = check_outputs(plot=plot, save=save, csv=csv, log=log, html=html_file)
    from scrub.hypothesis.collect import collect_behaviour

    item = collect_behaviour(target, outputs.start)
    from scrub.report.progress_bar import ProgressBar
    from scrub.runner.context import Context
    from scrub.runner.session import Session
    from scrub.searches.path_search import begin
    from scrub.searches.settings import SMALLEST, kinds_of, settings_of
    from scrub.sweeps.save import check_beside

    settings = settings_of(
        senders=kinds_of(senders),
        at=positions(at),
        through=through,
        restore=restore,
        smallest=SMALLEST if smallest is None else smallest,
        keep=keep,
        drop=drop,
        split=split,
        merge=merge,
    )
    if save:
        check_beside(item, save, outputs.start)
    context = Context(Session(), options_of(**chosen), ProgressBar(0, quiet=False))
    search = _searched(begin(item, settings, context), outputs, fresh=fresh)
    return _finished(search, outputs, context)


def _searched(search: PathSearch, outputs: Outputs, *, fresh: bool) -> PathSearch:
    """Search to the end, and print the log as it grows."""
    from scrub.searches.log import opening, step_lines
    from scrub.searches.state_file import StateFile

    state = StateFile.of(search, outputs)
    if fresh:
        state.remove()
    search, trouble = state.resumed(search)
    progress = search.context.progress
    if trouble:
        progress.note(f"{state.file} cannot be resumed from: {trouble}.")
    for line in opening(search):
        click.echo(line)
    shown = 0
    while True:
        for step in range(shown, search.found.settled):
            for line in step_lines(search, step):
                click.echo(line)
        shown = search.found.settled
        if search.finished:
            break
        search = search.step(outputs)
        if failed := state.save(search):
            progress.note(f"what was measured could not be kept: {failed}")
    return search


def _finished(search: PathSearch, outputs: Outputs, context: Context) -> int:
    """Print what was found, and write the files that were asked for."""
    from scrub.report.console import terminal
    from scrub.report.html.kinds import paths_page
    from scrub.report.search import show_found
    from scrub.searches.hypothesis import save_hypothesis
    from scrub.searches.log import log_lines
    from scrub.searches.path_search import NothingFoundError

    if outputs.log:
        from scrub.results.atomic_write import write_whole

        with outputs.writing("--log", outputs.log) as file:
            write_whole(file, "\n".join(log_lines(search)) + "\n")
    if outputs.csv:
        with outputs.writing("--csv", outputs.csv) as file:
            search.frame.to_csv(file, index=False)
    try:
        click.echo()
        show_found(search, terminal())
    except NothingFoundError as error:
        said = str(error)
        print_error(said)
        write_html(outputs, lambda: paths_page(search, said), context.session)
        return UNEXPECTED
    write_html(outputs, lambda: paths_page(search), context.session)
    if outputs.plot:
        from scrub.report.search_tree import save_search_tree

        with outputs.writing("--plot", outputs.plot) as file:
            save_search_tree(search, file)
    if outputs.save:
        with outputs.writing("--save", outputs.save) as file:
            save_hypothesis(search, file, context)
        click.echo(f"saved: scrub test {outputs.save}   (on the rows that are held out)")
    return AS_EXPECTED
