"""The tasks that scrub has data for: found in `scrub.datasets`, and rows of them made."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING

from attrs import frozen

from scrub.data.task import Task
from scrub.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from scrub.data.dataset import Dataset
    from scrub.model.registry import Model
    from scrub.runner.session import Session


def tasks() -> dict[str, Task]:
    """The tasks that `scrub tasks` lists, by name: TASK of each module of `scrub.datasets`."""
    from scrub import datasets

    names = sorted(found.name for found in pkgutil.iter_modules(datasets.__path__))
    modules = (import_module(f"scrub.datasets.{name}") for name in names)
    found = [vars(module)["TASK"] for module in modules if "TASK" in vars(module)]
    return {task.name: task for task in found if isinstance(task, Task)}


def task_of(name: str) -> Task:
    """A task by its name.

    Raises:
        UserError: there is none; names the nearest.
    """
    known = tasks()
    if name not in known:
        raise UserError(f'There is no task "{name}". {did_you_mean(name, known)}')
    return known[name]


@frozen(eq=False)
class TaskRow:
    """A row of a task, and the same row in each corruption.

    Attributes:
        plain: a dataset of the one row.
        corrupted: by the corruption's name.
    """

    plain: Dataset
    corrupted: dict[str, Dataset]


def task_rows(task: Task, model: Model, session: Session) -> dict[str, TaskRow]:
    """The first row of a task's data and of each of its variants', by their names.

    Raises:
        UserError: the data cannot be made for this model.
    """
    return {one.name: task_row(one, model, session) for one in (task, *task.variants)}


def task_row(task: Task, model: Model, session: Session) -> TaskRow:
    """The first row of a task's data, and of each corruption of it, in a model's tokens.

    Raises:
        UserError: the data cannot be made for this model.
    """
    data = task.prompts(1)
    changed = task.changed
    made = {
        name: session.data(changed(data, name), model)
        for name in task.corruptions
        if changed is not None
    }
    return TaskRow(session.data(data, model), made)
