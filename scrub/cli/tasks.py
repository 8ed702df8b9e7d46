"""`scrub tasks`: what there is data for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from scrub.cli.exit_codes import AS_EXPECTED

if TYPE_CHECKING:
    from scrub.data.task import Task
    from scrub.runner.tasks import TaskRow


@click.command("tasks")
@click.argument("name", metavar="[NAME]", required=False)
@click.option(
    "--model",
    metavar="NAME|DIR",
    help="Show a row in the tokens of this model.  [default: the task's first]",
)
def tasks_command(name: str | None, model: str | None) -> int:
    """The tasks that scrub has data for; of one, its columns, positions, labels, corruptions."""
    from scrub.errors import UserError
    from scrub.runner.tasks import task_of, tasks

    if name is None:
        if model is not None:
            raise UserError("--model goes with a task. Name one, as in scrub tasks ioi.")
        known = tasks()
        from scrub.report.console import terminal
        from scrub.report.tasks import show_tasks

        show_tasks(known.values(), terminal())
        return AS_EXPECTED
    task = task_of(name)
    called = model or next(iter(task.models), None)
    rows = {} if called is None else _rows(task, called)
    from scrub.report.console import terminal
    from scrub.report.tasks import show_task

    show_task(task, called or "", rows, terminal())
    return AS_EXPECTED


def _rows(task: Task, model: str) -> dict[str, TaskRow]:
    """A row of the task and of each variant, in the tokens of a model."""
    from scrub.runner.session import Session
    from scrub.runner.tasks import task_rows

    session = Session()
    return task_rows(task, session.describe(model), session)
