"""The tables of `scrub tasks`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from scrub.data.dataset import Dataset
from scrub.data.task import Task
from scrub.report.console import titled
from scrub.runner.tasks import TaskRow


def show_tasks(tasks: Iterable[Task], console: Console) -> None:
    """One line a task."""
    console.print(_grid({task.name: task.says for task in tasks}))


def show_task(task: Task, model: str, row: TaskRow | None, console: Console) -> None:
    """All that is known of a task, and a row of it with its corruptions.

    Args:
        model: whose tokens the row is in.
        row: None where the task has no model that could read one.
    """
    console.print(titled(task.name, f": {task.says}"))
    console.print(f"  {task.example}", markup=False, highlight=False)
    console.print(f"  from scrub.datasets import {task.name}", markup=False, highlight=False)
    tables = {
        "Columns": task.features,
        "Positions": task.positions,
        "Labels": task.labels,
        "Corruptions": task.corruptions,
        "Metrics": task.metrics,
        "Answers": task.answers,
        "Models": task.models,
        "Hypotheses": dict.fromkeys(f"hypotheses/{name}" for name in task.hypotheses),
    }
    for title, table in tables.items():
        if table:
            console.print()
            console.print(titled(title, ""))
            console.print(Padding(_grid(table), (0, 0, 0, 2)))
    if row is not None:
        console.print()
        console.print(titled(f"A row in the tokens of {model}", ""))
        console.print(Padding(_grid(dict(_shown(row))), (0, 0, 0, 2)))


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


def _grid(table: Mapping[str, str | None]) -> Table:
    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in table.items():
        grid.add_row(Text(name, style="bold"), Text(text or ""))
    return grid
