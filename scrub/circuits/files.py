"""Circuits from and to files: JSON of scrub and of MIB, and tables."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from attrs import evolve

from scrub.circuits import json_file, mib
from scrub.errors import UserError, did_you_mean
from scrub.hypothesis.circuit import FREE, Circuit
from scrub.hypothesis.circuit_table import read_frame
from scrub.hypothesis.edges import Edge
from scrub.printing import printed
from scrub.results.atomic_write import write_whole

FORMATS = ("json", "csv", "mib")
SUFFIXES = {".json": "json", ".csv": "csv"}
TRIED = f"{json_file.SCHEMA}, and graphs of EAP-IG and MIB, old and new"


def read_circuit(path: str | PathLike[str]) -> Circuit:
    """A circuit from a file: scrub's JSON, a graph of EAP-IG or MIB, or a table (.csv).

    Raises:
        UserError: it cannot be read, or is none of these; or with all that is wrong in it.
    """
    file = _path(path, "read_circuit")
    text = _text(file)
    if file.suffix.lower() == ".csv":
        return _from_csv(text, file)
    said = _parsed(text, file)
    if said.get("schema") == json_file.SCHEMA:
        circuit = json_file.from_json(said, str(file))
    elif mib.is_graph(said):
        circuit = mib.from_graph(said, str(file))
    else:
        raise UserError(f"{file} {_other_schema(said)} Tried: {TRIED}.")
    return evolve(circuit, name=circuit.name or file.stem)


def write_circuit(
    circuit: Circuit,
    path: str | PathLike[str],
    *,
    format: str | None = None,  # noqa: A002  # as others call it
    model: Any = None,
) -> None:
    """Write a circuit to a file.

    Law: what is read from it has the circuit's nodes, edges, roles and words; of a table its nodes
    and roles, of MIB's graph its nodes and edges.

    Args:
        path: .json for scrub's JSON, .csv for a table.
        format: "json", "csv", or "mib" for a graph that EAP-IG and MIB read; default by the suffix.
        model: for "mib", which lists all nodes and edges of a model; default `circuit.model`.

    Raises:
        UserError: the format cannot say what the circuit says; or the file cannot be written.
    """
    if not isinstance(circuit, Circuit):
        raise UserError(f"write_circuit takes a Circuit, not a {type(circuit).__name__}.")
    file = _path(path, "write_circuit")
    chosen = SUFFIXES.get(file.suffix.lower(), "json") if format is None else format
    if chosen not in FORMATS:
        hint = did_you_mean(str(chosen), FORMATS)
        raise UserError(f"write_circuit: format={printed(chosen)}: {hint}")
    written: dict[str, Callable[[], str]] = {
        "json": lambda: json_file.as_json(circuit),
        "csv": lambda: _as_csv(circuit, file),
        "mib": lambda: _as_graph(circuit, model),
    }
    _write(file, written[chosen]())


def read_edge_scores(path: str | PathLike[str]) -> dict[Edge, float]:
    """The scores of edges in a graph of EAP-IG or MIB, in the graph or not.

    Edges from its `input` are those from the token embedding alone.

    Raises:
        UserError: it cannot be read, or is no such graph; or with all that is wrong in it.
    """
    file = _path(path, "read_edge_scores")
    said = _parsed(_text(file), file)
    if not mib.is_graph(said):
        raise UserError(f"{file} {_other_schema(said)} Tried: graphs of EAP-IG and MIB.")
    return mib.edge_scores_of(said, str(file))


def write_edge_scores(
    scores: Mapping[Edge, float],
    circuit: Circuit,
    path: str | PathLike[str],
    *,
    model: Any = None,
) -> None:
    """Write a graph of EAP-IG or MIB: a model's edges with scores, a circuit's in the graph.

    Law: `read_edge_scores` gives the scores, and `read_circuit` the circuit.

    Args:
        scores: by edge into one port, from heads, MLPs and the token embedding; an edge of the
            model that is not there has 1 in the circuit and 0 outside.
        model: a name, or a `Model`; default `circuit.model`.

    Raises:
        UserError: as `write_circuit`.
    """
    file = _path(path, "write_edge_scores")
    _write(file, _as_graph(circuit, model, scores))


def _path(path: Any, called: str) -> Path:
    if not isinstance(path, str | PathLike) or isinstance(path, bytes):
        raise UserError(f"{called}: {printed(path)} is no path.")
    return Path(os.path.expanduser(os.fspath(path)))


def _write(file: Path, text: str) -> None:
    try:
        write_whole(file, text)
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}.") from error


def _as_graph(circuit: Circuit, model: Any, scores: Mapping[Edge, float] | None = None) -> str:
    """A graph of MIB. Its model is described, which loads much."""
    from scrub.circuits.mib_writing import as_graph

    return as_graph(circuit, model, scores)


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        beside = file.parent.glob("*") if file.parent.is_dir() else ()
        names = [one.name for one in beside if one.suffix in SUFFIXES]
        hint = f" {did_you_mean(file.name, sorted(names))}" if names else ""
        raise UserError(f"There is no file {file}.{hint}") from error
    except IsADirectoryError as error:
        raise UserError(f"{file} is a folder, where the file of a circuit is expected.") from error
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise UserError(f"{file} is no circuit: it is not text in UTF-8.") from error
        reason = error.strerror if isinstance(error, OSError) else "it is no path"
        raise UserError(f"{file} cannot be read: {reason}.") from error


def _parsed(text: str, file: Path) -> Mapping[str, Any]:
    """The JSON object in a text."""
    try:
        said = json.loads(text)
    except RecursionError as error:
        raise UserError(f"{file} is no circuit: it is nested too deep.") from error
    except json.JSONDecodeError as error:
        ends = not text[error.pos :].strip() or error.msg.startswith("Unterminated")
        reason = "it ends in the middle" if ends else error.msg
        raise UserError(
            f"{file} is not JSON: {reason}, in line {error.lineno}, column {error.colno}. "
            "A table has the suffix .csv."
        ) from error
    except ValueError as error:  # a number of too many digits
        raise UserError(f"{file} is no circuit: {error}.") from error
    if not isinstance(said, dict):
        raise UserError(f"{file} is no circuit: it holds a {type(said).__name__}. Tried: {TRIED}.")
    return said


def _other_schema(said: Mapping[str, Any]) -> str:
    if "schema" in said:
        return f"has the schema {printed(said['schema'])}, which is none of a circuit's."
    return f"has no schema, and the keys {', '.join(list(map(str, said))[:6]) or 'of nothing'}."


def _from_csv(text: str, file: Path) -> Circuit:
    import pandas as pd

    header, rows = _rows(text, file)
    frame = pd.DataFrame(rows, columns=header, dtype=object)
    cells, roles = read_frame(frame, str(file))
    free = () if any(placed.cell.name.of_mlp for placed in cells) else FREE
    return Circuit(cells, free=free, roles=roles, name=file.stem)


def _rows(text: str, file: Path) -> tuple[list[str], list[list[str]]]:
    """The names of a table's columns, and its rows; lines that begin with # are left out."""
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    try:
        header, *rows = [[*map(str.strip, row)] for row in csv.reader(lines, strict=True) if row]
    except csv.Error as error:
        raise UserError(f"{file} is no table: {error}.") from error
    except ValueError as error:
        raise UserError(f"{file} is no table: it is empty.") from error
    wrong = [n for n, row in enumerate(rows) if len(row) != len(header)]
    if wrong:
        more = f" ({len(wrong):,} rows are like that)" if len(wrong) > 1 else ""
        raise UserError(
            f"{file}: row {wrong[0]} has {len(rows[wrong[0]])} fields{more}, and the table "
            f"{len(header)} columns: {', '.join(header)}."
        )
    return header, rows


def _as_csv(circuit: Circuit, file: Path) -> str:
    """A table; refused where it would be read as another circuit."""
    if circuit.edges:
        raise UserError(
            f"{file}: a table holds no edges, and the circuit has {len(circuit.edges):,}. Write "
            ".json, or circuit.of_sites()."
        )
    has_mlps = any(placed.cell.name.of_mlp for placed in circuit.nodes)
    if has_mlps == bool(circuit.free):
        raise UserError(
            f"{file}: a table of heads leaves MLPs free, and one with an MLP does not: this "
            "circuit would be read as another. Write .json."
        )
    return circuit.frame.to_csv(index=False, lineterminator="\n")
