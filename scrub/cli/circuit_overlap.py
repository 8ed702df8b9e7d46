"""`scrub circuit A.json [B.json …]`: a circuit by itself, or what several have in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scrub.cli.exit_codes import AS_EXPECTED
from scrub.cli.html import write_html
from scrub.errors import UserError
from scrub.runner.outputs import Outputs, check_outputs

if TYPE_CHECKING:
    from scrub.circuits.overlap import Overlap
    from scrub.hypothesis.circuit import Circuit
    from scrub.model.registry import Model

RANDOM = 1_000
"""Random circuits: the error of a p of 0.05 is 0.007."""
ENDS = (".json", ".csv")
MIB = ".mib.json"
"""How the name of a graph for EAP-IG and MIB ends."""


def overlap_command(
    files: Sequence[str],
    *,
    csv: Path | None = None,
    json_file: Path | None = None,
    plot: Path | None = None,
    html_file: Path | None = None,
    save: Path | None = None,
    random: int | None = None,
    seed: int = 0,
    model: str | None = None,
) -> int:
    """Show a circuit, or what several have in common. Only configurations are read, no weights.

    Args:
        model: of whose layers random circuits are; None: the one that the circuits name.
        save: where one circuit is written in another format.

    Raises:
        UserError: with all that is wrong.
    """
    outputs = check_outputs(json_file, csv=csv, plot=plot, html=html_file)
    _check(files, outputs, save)
    circuits = read_all(files, outputs)
    if len(circuits) == 1:
        return _alone(circuits[0], outputs, save, model)
    from scrub.circuits.overlap import overlap
    from scrub.report.circuit_overlap import show_overlap
    from scrub.report.console import terminal

    draws = RANDOM if random is None else random
    known, problem = _model(circuits, model) if draws else (None, "")
    found = overlap(circuits, known, random=draws, seed=seed, problem=problem)
    show_overlap(found, terminal())
    _write(found, outputs)
    return AS_EXPECTED


def _check(files: Sequence[str], outputs: Outputs, save: Path | None) -> None:
    """Refuse what makes no sense together, and places that cannot be written."""
    problems = []
    if len(files) > 1 and save is not None:
        problems.append("--save writes one circuit in another format, and several are named.")
    if len(files) == 1 and outputs.plot is not None:
        problems.append("--plot draws what several circuits have in common. Name two or more.")
    if len(files) == 1 and outputs.json is not None:
        problems.append("--json is of several circuits. One is written by --save OTHER.json.")
    if save is not None and save.suffix.lower() not in ENDS:
        problems.append(f"--save {save}: give a file that ends in {', '.join((*ENDS, MIB))}.")
    if problems:
        raise UserError(*problems)


def read_all(files: Sequence[str], outputs: Outputs) -> list[Circuit]:
    """The circuits of some files; all that is wrong in any is said at once.

    Where two call themselves alike, they are called after their files.
    """
    from attrs import evolve

    from scrub.circuits.files import read_circuit

    found, problems = [], []
    moved = Path.cwd() != outputs.start  # a user's code may have
    for file in files:
        try:
            found.append(read_circuit(outputs.start / file if moved else file))
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(*problems)
    if len({one.name for one in found}) < len(found):
        stems = [Path(file).stem for file in files]
        found = [evolve(one, name=stem) for one, stem in zip(found, stems, strict=True)]
    return found


def _alone(circuit: Circuit, outputs: Outputs, save: Path | None, model: str | None) -> int:
    """Show one circuit, checked against its model where that is named; and write it."""
    from scrub.circuits.files import write_circuit
    from scrub.report.circuit_shown import show_circuit
    from scrub.report.console import terminal

    if model is not None:
        from scrub.circuits.check import check_circuit
        from scrub.model.registry import describe

        check_circuit(circuit, describe(model))
    show_circuit(circuit, terminal())
    if outputs.csv is not None:
        with outputs.writing("--csv", outputs.csv) as file:
            circuit.frame.to_csv(file, index=False)
    if outputs.html is not None:
        from scrub.report.html.kinds import circuit_page

        write_html(outputs, lambda: circuit_page(circuit))
    if save is not None:
        chosen = "mib" if save.name.lower().endswith(MIB) else None
        write_circuit(circuit, outputs.start / save, format=chosen, model=model)
    return AS_EXPECTED


def _model(circuits: Sequence[Circuit], given: str | None) -> tuple[Model | None, str]:
    """The model that random circuits are drawn from; or None, and why."""
    from scrub.model.registry import describe

    if given is not None:
        return describe(given), ""
    named = list(dict.fromkeys(one.model for one in circuits if one.model))
    if len(named) != 1:
        said = (
            f"the circuits are of {' and '.join(named)}" if named else "no circuit names its model"
        )
        return None, f"{said}. Give one: --model NAME"
    try:
        return describe(named[0]), ""
    except UserError as error:
        return None, f"{error} Give another: --model DIR"


def _write(found: Overlap, outputs: Outputs) -> None:
    """Write the files that were asked for."""
    from scrub.results.atomic_write import write_whole

    if outputs.csv:
        with outputs.writing("--csv", outputs.csv) as file:
            found.frame.to_csv(file, index=False)
    if outputs.json:
        with outputs.writing("--json", outputs.json) as file:
            write_whole(file, found.to_json())
    if outputs.plot:
        from scrub.sweeps.heatmap import save_figure

        with outputs.writing("--plot", outputs.plot) as file:
            save_figure(found.plot(), file)
    if outputs.html:
        from scrub.report.html.kinds import overlap_page

        write_html(outputs, lambda: overlap_page(found))
