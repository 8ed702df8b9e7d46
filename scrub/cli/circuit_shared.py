"""`scrub circuit A.json B.json --on FILE::X,FILE::Y`: circuits tested on several behaviours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scrub.cli.exit_codes import AS_EXPECTED
from scrub.cli.html import write_html
from scrub.cli.options import options_of
from scrub.errors import UserError
from scrub.runner.outputs import check_outputs

if TYPE_CHECKING:
    from scrub.circuits.shared import SharedCircuits
    from scrub.hypothesis.circuit import Circuit
    from scrub.runner.outputs import Outputs
    from scrub.runner.session import Session


def shared_command(
    files: Sequence[str],
    on: str,
    *,
    metrics: Sequence[str],
    random: int | None,
    csv: Path | None,
    json_file: Path | None,
    plot: Path | None,
    html_file: Path | None,
    fresh: bool,
    **chosen: Any,
) -> int:
    """Test each circuit on each behaviour, and what they share.

    Args:
        files: of circuits.
        on: FILE::BEHAVIOUR, several with commas between; of a name alone the file is that before.
    """
    outputs = check_outputs(json_file, csv=csv, plot=plot, html=html_file)
    targets = targets_of(on)
    if not files:
        raise UserError(
            "--on: no circuit is given to test. Write scrub circuit A.json B.json --on "
            "FILE::X,FILE::Y."
        )
    from scrub.hypothesis.collect import collect_behaviour

    items = [collect_behaviour(target, outputs.start) for target in targets]
    from scrub.circuits.sharing import measure_shared
    from scrub.circuits.sharing_check import RANDOM, SharedSettings
    from scrub.report.circuit_shared import show_shared
    from scrub.report.console import terminal
    from scrub.report.progress_bar import ProgressBar
    from scrub.runner.context import Context
    from scrub.runner.session import Session

    circuits = _circuits(files, outputs)
    settings = SharedSettings(list(metrics) or None, RANDOM if random is None else random)
    context = Context(Session(), options_of(**chosen), ProgressBar(0, quiet=False))
    shared = measure_shared(circuits, items, settings, context, outputs, fresh=fresh)
    show_shared(shared, terminal())
    _write(shared, outputs, context.session)
    return AS_EXPECTED


def targets_of(on: str) -> list[str]:
    """The targets of --on: "F.py::x,y,G.py::z" is F.py::x, F.py::y and G.py::z.

    Raises:
        UserError: a name has no file before it.
    """
    found: list[str] = []
    file = ""
    for part in filter(None, map(str.strip, on.split(","))):
        if "::" in part or part.endswith(".py"):
            file = part.partition("::")[0]
            found.append(part)
        elif file:
            found.append(f"{file}::{part}")
        else:
            raise UserError(f"--on {on}: {part} has no file. Write FILE::{part}.")
    if not found:
        raise UserError("--on names no behaviour. Write --on FILE::X,FILE::Y.")
    return found


def _circuits(files: Sequence[str], outputs: Outputs) -> list[Circuit]:
    """The circuits; by their files' names where they call themselves alike."""
    from attrs import evolve

    from scrub.circuits.files import read_circuit

    found, problems = [], []
    for file in files:
        try:
            found.append(read_circuit(outputs.start / file))
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(*problems)
    if len({one.name for one in found}) < len(found):
        stems = [Path(file).stem for file in files]
        found = [evolve(one, name=stem) for one, stem in zip(found, stems, strict=True)]
    return found


def _write(shared: SharedCircuits, outputs: Outputs, session: Session) -> None:
    """Write the files that were asked for."""
    from scrub.results.atomic_write import write_whole

    if outputs.csv:
        with outputs.writing("--csv", outputs.csv) as file:
            shared.frame.to_csv(file, index=False)
    if outputs.json:
        with outputs.writing("--json", outputs.json) as file:
            write_whole(file, shared.to_json())
    if outputs.plot:
        from scrub.sweeps.heatmap import save_figure

        with outputs.writing("--plot", outputs.plot) as file:
            save_figure(shared.plot(), file)
    if outputs.html:
        from scrub.report.html.kinds import shared_page

        write_html(outputs, lambda: shared_page(shared), session)
