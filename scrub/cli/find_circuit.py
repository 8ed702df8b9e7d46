"""`scrub find --by METHOD` of methods that end in a circuit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from scrub.cli.exit_codes import AS_EXPECTED, UNEXPECTED
from scrub.cli.html import write_html
from scrub.cli.options import options_of
from scrub.cli.patch import positions
from scrub.cli.streams import print_error
from scrub.errors import UserError
from scrub.runner.outputs import Outputs, check_outputs

if TYPE_CHECKING:
    from scrub.searches.circuit_found import CircuitFound
    from scrub.searches.circuit_result import CircuitResult
    from scrub.searches.circuit_search import CircuitSearch
    from scrub.searches.method import Method

SHARED = ("circuit", "save", "log", "csv", "plot", "html_file", "fresh", "ablate")
"""What every method that ends in a circuit takes, beside what every search takes."""


def find_circuit(
    target: str, by: str, given: Mapping[str, Any], shared: Mapping[str, Any], **chosen: Any
) -> int:
    """Find a circuit, print the log as it grows, and score it on the rows held out.

    Args:
        given: settings that were named on the command line, as they were written.
        shared: of `SHARED`.
    """
    outputs = check_outputs(
        **{name: shared[name] for name in ("plot", "save", "csv", "log", "circuit")},
        html=shared["html_file"],
    )
    from scrub.hypothesis.collect import collect_behaviour

    item = collect_behaviour(target, outputs.start)
    from scrub.report.progress_bar import ProgressBar
    from scrub.runner.context import Context
    from scrub.runner.session import Session
    from scrub.searches.circuit_search import begin_circuit
    from scrub.searches.methods import METHODS
    from scrub.sweeps.save import check_beside

    method = METHODS[by]
    settings = method.settings(**settings_of(method, given, seed=chosen["seed"]))
    if shared["save"]:
        check_beside(item, shared["save"], outputs.start)
    context = Context(Session(), options_of(**chosen), ProgressBar(0, quiet=False))
    search = begin_circuit(item, method, settings, context, shared["ablate"])
    return _searched(search, outputs, fresh=shared["fresh"])


def settings_of(method: Method, given: Mapping[str, Any], *, seed: int) -> dict[str, Any]:
    """The method's settings from the command line."""
    settings = {name: _read(name, value) for name, value in given.items()}
    if "seed" in method.keywords:
        settings["seed"] = seed
    return settings


def _read(name: str, value: Any) -> Any:
    from scrub.searches.settings import kinds_of

    match name:
        case "senders":
            return kinds_of(value)
        case "at":
            return positions(value)
        case _:
            return value


def _searched(search: CircuitSearch, outputs: Outputs, *, fresh: bool) -> int:
    from scrub.report.circuit_search import show_circuit_found
    from scrub.report.console import terminal
    from scrub.searches.circuit_result import CircuitResult
    from scrub.searches.circuit_score import score_lines, scored
    from scrub.searches.circuit_search import found_circuit, refuse_trivial
    from scrub.searches.path_search import NothingFoundError

    with search.context.progress:
        found, log = found_circuit(search, click.echo, outputs, fresh=fresh)
        _write_decisions(found, log, outputs)
        try:
            refuse_trivial(found, search.method)
        except NothingFoundError as error:
            print_error(str(error))
            return UNEXPECTED
        score = scored(search, found, outputs, fresh=fresh)
    lines = score_lines(score)
    for line in lines:
        click.echo(line)
    result = CircuitResult(search, found, score, (*log, *lines))
    click.echo()
    show_circuit_found(result, terminal())
    _write(result, outputs)
    return AS_EXPECTED


def _write_decisions(found: CircuitFound, log: tuple[str, ...], outputs: Outputs) -> None:
    """What there is even where nothing is kept."""
    if outputs.log:
        from scrub.results.atomic_write import write_whole

        with outputs.writing("--log", outputs.log) as file:
            write_whole(file, "\n".join(log) + "\n")
    if outputs.csv:
        with outputs.writing("--csv", outputs.csv) as file:
            found.frame.to_csv(file, index=False)


def _write(result: CircuitResult, outputs: Outputs) -> None:
    """The files that were asked for."""
    if outputs.log:
        from scrub.results.atomic_write import write_whole

        with outputs.writing("--log", outputs.log) as file:
            write_whole(file, result.log)
    if outputs.plot:
        from scrub.report.circuit_search import save_curve

        with outputs.writing("--plot", outputs.plot) as file:
            save_curve(result, file)
    if outputs.html:
        from scrub.report.html.kinds import circuit_found_page

        write_html(outputs, lambda: circuit_found_page(result), result.search.context.session)
    if outputs.circuit:
        from scrub.circuits.files import write_circuit

        with outputs.writing("--circuit", outputs.circuit) as file:
            write_circuit(result.circuit, file)
        click.echo(f"saved: {outputs.circuit}")
    if outputs.save:
        from scrub.circuits.claim_file import save_claim

        search = result.search
        with outputs.writing("--save", outputs.save) as file:
            save_claim(result.circuit, search.item, file, search.context, held=True)
        own = search.ablated[0].other == search.seen.corrupt
        more = "" if own else ", with the behaviour's own corruption"
        click.echo(f"saved: scrub test {outputs.save}   (on the rows that are held out{more})")


def refuse_others(by: str, named: Mapping[str, str], allowed: Mapping[str, list[str]]) -> None:
    """Refuse options that the chosen method does not take.

    Args:
        named: option by setting, of what was named on the command line.
        allowed: of each method the settings that it takes.

    Raises:
        UserError: with every one, and the methods that take it.
    """
    from scrub.searches.methods import in_a_row

    problems = []
    for setting, option in named.items():
        if setting in allowed[by]:
            continue
        others = [f"--by {name}" for name, settings in allowed.items() if setting in settings]
        problems.append(f"--by {by} takes no {option}: it is of {in_a_row(others)}.")
    if problems:
        raise UserError(*problems)
