"""What a task says of its data is so: columns, positions, labels, corruptions, models, files."""

from __future__ import annotations

import re
from importlib import import_module

import numpy as np
import pytest
from attrs import evolve

from scrub import metrics
from scrub.data.dataset import Dataset
from scrub.data.task import LONGEST, Task
from scrub.errors import UserError
from scrub.metrics import Metric
from scrub.model.registry import embedded_names
from scrub.runner.session import Session
from scrub.runner.tasks import task_of, task_row, tasks
from support.paths import ROOT

TASKS = tasks()
DATA = {
    one.name if one is task else f"{task.name} {one.name}": (task, one)
    for task in TASKS.values()
    for one in (task, *task.variants)
}
"""Tasks and their variants: each with the task whose models do it."""
RANGE = re.compile(r"(.*_)(\d+) … \1(\d+)")


def spelled(names: object) -> set[str]:
    """Names, of which "h_0 … h_2" stands for three."""
    found = set()
    for name in names:  # type: ignore[attr-defined]
        several = RANGE.fullmatch(name)
        if several is None:
            found.add(name)
        else:
            stem, first, last = several.groups()
            found |= {f"{stem}{number}" for number in range(int(first), int(last) + 1)}
    return found


def wrong(task: Task, of: Task | None = None) -> set[str]:
    """What a task, or variant of one, says wrongly or leaves out about its data."""
    session = Session()
    model = session.describe(next(iter((of or task).models)))
    row = task_row(task, model, session)
    found = set()
    for data in (row.plain, *row.corrupted.values()):
        for kind in ("positions", "labels"):
            found |= spelled(getattr(task, kind)) ^ getattr(data, kind).keys()
        found |= spelled(task.features) ^ data.columns.keys()
    found |= {name for name, data in row.corrupted.items() if same(row.plain, data)}
    return found


def same(one: Dataset, other: Dataset) -> bool:
    return one.sha256 == other.sha256


@pytest.mark.parametrize("name", DATA)
def test_a_task_says_what_its_data_has(name: str) -> None:
    task, one = DATA[name]
    assert wrong(one, task) == set()


def test_comparisons_are_of_three_kinds_and_years_of_two_relations() -> None:
    comparisons, years = TASKS["comparisons"], TASKS["greater_than"]
    assert [one.name for one in comparisons.variants] == ["antonyms", "acts"]
    assert [one.name for one in years.variants] == ["less"]
    for task in (comparisons, years):
        for one in task.variants:
            own = {task.name: import_module(f"scrub.datasets.{task.name}"), "n": 3}
            asked = eval(one.written, own)
            assert (asked.name, asked.arguments) == (one.prompts(3).name, one.prompts(3).arguments)
            assert (
                asked.name != task.prompts(3).name or asked.arguments != task.prompts(3).arguments
            )
    with pytest.raises(AssertionError):
        evolve(years, variants=(comparisons,))


@pytest.mark.parametrize("name", TASKS)
def test_what_a_task_names_is_there(name: str) -> None:
    task = TASKS[name]
    assert set(task.models) <= set(embedded_names())
    assert all((ROOT / "hypotheses" / file).is_file() for file in task.hypotheses)
    own = {name: import_module(f"scrub.datasets.{name}")}
    for written in task.metrics:
        assert isinstance(eval(written, vars(metrics) | own), Metric)


def test_what_a_task_says_wrongly_is_found() -> None:
    ioi = TASKS["ioi"]
    assert wrong(evolve(ioi, positions={**ioi.positions, "s3": "nowhere"})) == {"s3"}
    assert wrong(evolve(ioi, labels={"io": "the name"})) == {"s"}
    idle = evolve(ioi, changed=lambda recipe, name: recipe)
    assert wrong(idle) == set(ioi.corruptions)


def test_tasks_are_called_by_their_modules() -> None:
    assert {"ioi", "parens", "repeats", "rgb"} <= TASKS.keys()
    for name, task in TASKS.items():
        assert task.name == name
    with pytest.raises(UserError, match=r'no task "reapets".*The nearest is "repeats"'):
        task_of("reapets")


def test_a_line_that_is_too_long_is_refused() -> None:
    with pytest.raises(AssertionError, match="says has more than"):
        evolve(TASKS["ioi"], says="x" * (LONGEST + 1))


def test_prompts_make_so_many_rows() -> None:
    session = Session()
    for task in TASKS.values():
        model = session.describe(next(iter(task.models)))
        assert len(session.data(task.prompts(3), model)) == 3


def test_rows_differ_where_the_corruption_says() -> None:
    session = Session()
    row = task_row(TASKS["ioi"], session.describe("ioi-planted"), session)
    before, after = row.plain.inputs["tokens"], row.corrupted["io"].inputs["tokens"]
    (where,) = np.flatnonzero(before[0] != after[0])
    assert where == row.plain.positions["io"][0]
