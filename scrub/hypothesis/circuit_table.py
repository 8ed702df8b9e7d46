"""Circuits as tables: a row a node and position, with columns layer, head, position, kind, role."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scrub.data.values import missing, whole
from scrub.errors import Problems, UserError, did_you_mean, nearest
from scrub.hypothesis.components import BOTH, EMBEDDINGS, component_name, components_named, head
from scrub.hypothesis.edges import Placed, cells_once
from scrub.hypothesis.positions import ALL, Spec
from scrub.names import Cell, mlp
from scrub.printing import printed

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("layer", "head", "position", "kind", "role")
NEEDED = ("layer", "head")
KINDS = ("head", "MLP", EMBEDDINGS, "token embedding", "position embedding")
BETWEEN_ROLES = "; "
_NUMBER = re.compile(r"[+-]?\d{1,18}")
Cells = tuple[Placed, ...]
Roles = Mapping[str, tuple[Cell, ...]]


def frame_of(nodes: Cells, roles: Roles) -> pd.DataFrame:
    """Nodes as a table. Law: `read_frame` gives them and their roles again."""
    import pandas as pd

    rows = [
        _row(cell, spec, roles)
        for placed in nodes
        for cell in (placed.cell,)
        for spec in ([ALL] if isinstance(placed.at, str) else placed.at)
    ]
    frame = pd.DataFrame(_embeddings_joined(rows), columns=list(COLUMNS))
    numbers = {"layer": "Int64", "head": "Int64"}
    return frame.astype(numbers | dict.fromkeys(COLUMNS[2:], object))


def _row(cell: Cell, spec: Spec, roles: Roles) -> dict[str, Any]:
    name = component_name(cell)
    kind = {(True, False): "head", (False, True): "MLP"}.get((name[0].isdigit(), name[:3] == "MLP"))
    return {
        "layer": cell.name.layer if kind else None,
        "head": cell.head if kind else None,
        "position": spec,
        "kind": kind or name,
        "role": BETWEEN_ROLES.join(role for role, cells in roles.items() if cell in cells),
    }


def _embeddings_joined(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row where both embeddings are there at one position, in one role."""
    pair = [component_name(cell) for cell in BOTH]
    found: list[dict[str, Any]] = []
    for row in rows:
        others = [{**row, "kind": name} for name in pair if name != row["kind"]]
        if row["kind"] not in pair or others[0] not in rows:
            found.append(row)
        elif row["kind"] == pair[0]:
            found.append({**row, "kind": EMBEDDINGS})
    return found


def read_frame(frame: Any, said: str = "Circuit.from_frame") -> tuple[Cells, dict[str, list[Cell]]]:
    """Nodes and roles of a table.

    Args:
        frame: layer and head, and where they are there, position (a column of the data, an index
            from the first token; nothing: all), kind and role. Other columns are left alone.
        said: what messages call the table.

    Raises:
        UserError: with all that is wrong.
    """
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise UserError(f"{said} takes a pandas frame, not a {type(frame).__name__}.")
    columns = _columns(frame, said)
    problems, placed, roles = Problems(), {}, {}
    if not len(frame):
        problems.add(f"{said}: the table has no rows.")
    for number in range(len(frame)):
        row = {name: values[number] for name, values in columns.items()}
        try:
            cells, spec = _node(row)
        except ValueError as error:
            problems.add(f"{said}: row {number}: {error}")
            continue
        for cell in cells:
            first = placed.setdefault((cell, spec), number)
            if first != number:
                where = "" if spec == ALL else f" at {spec}"
                problems.add(f"{said}: rows {first} and {number} are both {cell}{where}.")
            for role in _roles(row.get("role")):
                roles.setdefault(role, []).append(cell)
    problems.refuse()
    return cells_once(Placed(c, ALL if s == ALL else (s,)) for c, s in placed), roles


def _columns(frame: pd.DataFrame, said: str) -> dict[str, np.ndarray]:
    """The columns that are read, by name, nothing as None."""
    problems, names = Problems(), list(map(str, frame.columns))
    for name in NEEDED:
        if name not in names:
            problems.add(f'{said}: there is no column "{name}". {did_you_mean(name, names)}')
    for name in dict.fromkeys(names):
        meant = nearest(name, COLUMNS)
        if name not in COLUMNS and meant is not None and meant not in names:
            problems.add(
                f'{said}: is column "{name}" meant as "{meant}"? Rename it, or leave it out.'
            )
        if name in COLUMNS and names.count(name) > 1:
            problems.add(f'{said}: there are {names.count(name)} columns "{name}".')
    problems.refuse()
    found = {}
    for name in COLUMNS:
        if name in names:
            values = frame.iloc[:, names.index(name)].to_numpy(dtype=object)
            blank = [isinstance(value, str) and not value.strip() for value in values]
            found[name] = np.where(missing(values) | np.array(blank, dtype=bool), None, values)
    return found


def _node(row: Mapping[str, Any]) -> tuple[tuple[Cell, ...], Spec]:
    """The cells of a row, and its position. Raises ValueError, with a sentence."""
    kind, layer, number = row.get("kind"), _whole(row, "layer"), _whole(row, "head")
    spec = _spec(row.get("position"))
    if kind is None:
        kind = "head" if number is not None else "MLP" if layer is not None else None
    if kind is None:
        raise ValueError("it has neither layer nor head.")
    if not isinstance(kind, str):
        raise ValueError(f"kind is {printed(kind)}. {did_you_mean(str(kind), KINDS)}")
    lowered = kind.strip().lower()
    if lowered == "head":
        if layer is None or number is None:
            lacks = "layer" if layer is None else "head"
            raise ValueError(f"{lacks} is missing. A head has a layer and a number.")
        return (head(layer, number),), spec
    if lowered == "mlp":
        if layer is None or number is not None:
            raise ValueError("an MLP has a layer, and no head.")
        return (Cell(mlp(layer)),), spec
    if kind not in KINDS and not kind.startswith("site "):
        raise ValueError(f"kind is {printed(kind)}. {did_you_mean(kind, KINDS)}")
    if layer is not None or number is not None:
        raise ValueError(f"{kind} has neither layer nor head.")
    return components_named(kind), spec


def _whole(row: Mapping[str, Any], column: str) -> int | None:
    value = row.get(column)
    if value is None:
        return None
    text = isinstance(value, str) and _NUMBER.fullmatch(value.strip())
    number = int(value) if text else whole(value)
    if number is None or number < 0:
        raise ValueError(f"{column} is {printed(value)}. Give a whole number, 0 or more.")
    return number


def _spec(value: Any) -> Spec:
    """A position: nothing is all of them."""
    if value is None:
        return ALL
    if isinstance(value, str):
        said = value.strip()
        return int(said) if _NUMBER.fullmatch(said) else said
    number = whole(value)
    if number is None:
        raise ValueError(
            f"position is {printed(value)}. Give a column of the data, an index, or nothing for "
            "all."
        )
    return number


def _roles(value: Any) -> Sequence[str]:
    if value is None:
        return ()
    return [role for role in map(str.strip, str(value).split(BETWEEN_ROLES.strip())) if role]
