"""The tables of `scrub tasks`, in 80 columns or as many as the terminal has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from scrub.data.dataset import Dataset
from scrub.data.task import Task
from scrub.report.console import titled
from scrub.runner.tasks import TaskRow

WIDTH = 80
BETWEEN = 2
"""Spaces before a table's names, and between them and what they say."""
LEAST = 20
"""Columns for what they say, in however narrow a terminal."""


def show_tasks(tasks: Iterable[Task], console: Console) -> None:
    """One line a task."""
    _print(console, _table(console, {task.name: task.says for task in tasks}, indent=0))


def show_task(task: Task, model: str, rows: Mapping[str, TaskRow], console: Console) -> None:
    """All that is known of a task, and a row of it, and of each variant, with its corruptions.

    Args:
        model: whose tokens the rows are in.
        rows: of the task and its variants, by their names; none where the task has no model that
            could read one.
    """
    _show_title(task, f"from scrub.datasets import {task.name}", console)
    _show_data(task, console)
    shared = {
        "Models": task.models,
        "Hypotheses": dict.fromkeys(f"hypotheses/{name}" for name in task.hypotheses),
    }
    _show_tables(shared, console)
    _show_row(task, model, rows, console)
    for variant in task.variants:
        console.print()
        _show_title(variant, variant.written, console)
        _show_data(variant, console, like=task)
        _show_row(variant, model, rows, console)


def _show_title(task: Task, how: str, console: Console) -> None:
    _print(console, [titled(task.name, f": {task.says}")])
    _print(console, [Text(f"  {task.example}"), Text(f"  {how}")])


def _show_data(task: Task, console: Console, like: Task | None = None) -> None:
    """What the data has; of a variant, where that is not what the task's has."""
    known = {} if like is None else _data(like)
    tables = {title: table for title, table in _data(task).items() if table != known.get(title)}
    _show_tables(tables, console)


def _data(task: Task) -> dict[str, Mapping[str, str]]:
    return {
        "Columns": task.features,
        "Positions": task.positions,
        "Labels": task.labels,
        "Corruptions": task.corruptions,
        "Metrics": task.metrics,
        "Answers": task.answers,
    }


def _show_tables(tables: Mapping[str, Mapping[str, Any]], console: Console) -> None:
    for title, table in tables.items():
        if table:
            _print(console, [Text(), titled(title, ""), *_table(console, table)])


def _show_row(task: Task, model: str, rows: Mapping[str, TaskRow], console: Console) -> None:
    if task.name in rows:
        title = titled(f"A row in the tokens of {model}", "")
        shown = dict(_shown(rows[task.name]))
        _print(console, [Text(), title, *_table(console, shown)])


def _shown(row: TaskRow) -> Iterator[tuple[str, str]]:
    yield "as it is", _tokens(row.plain)
    yield "positions", ", ".join(f"{name} {at[0]}" for name, at in row.plain.positions.items())
    for name, data in row.corrupted.items():
        changes = _changes(row.plain, data)
        yield name, "\n".join(filter(None, (_tokens(data), changes)))


def _tokens(data: Dataset) -> str:
    """The first row, with a bar between tokens; an image's tokens as one."""
    return data.text(0) if data.images is not None else "|".join(data.pieces[0]).strip()


def _changes(before: Dataset, after: Dataset) -> str:
    """Columns of the first row that a corruption changed, with both values."""
    pairs = {
        name: (values[0], after.columns[name][0])
        for name, values in before.columns.items()
        if name in after.columns
    }
    said = [f"{name} {old} → {new}" for name, (old, new) in pairs.items() if old != new]
    return f"({', '.join(said)})" if said else ""


def _print(console: Console, lines: Iterable[Text]) -> None:
    for line in lines:
        console.print(line, soft_wrap=True)


def _table(
    console: Console, table: Mapping[str, str | None], indent: int = BETWEEN
) -> Iterator[Text]:
    """Names in bold, and beside them what they say, in as many lines as that takes."""
    before = indent + max(map(cell_len, table), default=0) + BETWEEN
    width = max(min(console.width, WIDTH) - before, LEAST)
    for name, text in table.items():
        first, *others = [line for part in (text or "").split("\n") for line in _lines(part, width)]
        start = " " * indent
        fill = " " * (before - indent - cell_len(name)) if first else ""
        yield Text.assemble(start, (name, "bold"), fill, first)
        yield from (Text(" " * before + line) for line in others)


def _lines(text: str, width: int) -> list[str]:
    """The text in lines; broken behind a bar between tokens, where it has some, or at spaces."""
    if "|" not in text:
        pieces = text.split(" ")
        pieces = [f"{piece} " for piece in pieces[:-1]] + pieces[-1:]
    else:
        pieces = text.split("|")
        pieces = [f"{piece}|" for piece in pieces[:-1]] + pieces[-1:]
    lines = [""]
    for piece in pieces:
        if lines[-1] and cell_len(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]
