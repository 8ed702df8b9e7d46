"""Who gets which cell, and what becomes of cells whose workers are lost: by workers made here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from attrs import define, evolve, field, frozen

from hypothesis import given
from hypothesis import strategies as st
from scrub.matrix.cell import Cell
from scrub.matrix.on_slurm import divided
from scrub.matrix.schedule import ATTEMPTS, Answer, Schedule, Worker
from support.matrices import CELL

DONE = Answer("done")
Says = Callable[["Made", Cell], Answer]


@define(eq=False)
class Made:
    """A worker that answers what a function says."""

    model: str
    number: int
    open: bool = True
    cell: Cell | None = None
    loads: int = 0

    def start(self, cell: Cell) -> None:
        assert self.open
        assert self.cell is None
        assert cell.model == self.model
        self.cell = cell

    def close(self) -> None:
        self.open = False


@frozen(eq=False)
class Company:
    """A crew of them; the one that has had its cell longest answers first."""

    says: Says
    size: int = 2
    loads: int = 2
    hired: list[Made] = field(factory=list)

    def hire(self, model: str) -> Made:
        assert sum(worker.open for worker in self.hired) < self.size
        self.hired.append(Made(model, len(self.hired)))
        return self.hired[-1]

    def wait(self, busy: Sequence[Worker], seconds: float) -> list[tuple[Worker, Answer]]:
        worker = busy[0]
        assert isinstance(worker, Made)
        assert worker.cell is not None
        cell, worker.cell = worker.cell, None
        return [(worker, self.says(worker, cell))]


def cells(models: Sequence[str]) -> list[Cell]:
    """One cell for each: a model may come several times."""
    return [evolve(CELL, model=model, seed=seed) for seed, model in enumerate(models)]


def ran(company: Company, given: Sequence[Cell]) -> dict[str, list[str]]:
    """What was told of each cell, by its key."""
    told: dict[str, list[str]] = {cell.key: [] for cell in given}
    Schedule(company, lambda cell, answer: told[cell.key].append(answer.kind)).run(given)
    assert not any(worker.open for worker in company.hired)
    return told


@given(models=st.lists(st.sampled_from("abc"), max_size=12), size=st.integers(1, 4))
def test_each_cell_is_told_of_once(models: list[str], size: int) -> None:
    company = Company(lambda worker, cell: DONE, size)
    assert all(told == ["done"] for told in ran(company, cells(models)).values())
    assert len(company.hired) <= size + len(set(models))


def test_weights_are_loaded_once_where_each_model_has_a_worker() -> None:
    company = Company(lambda worker, cell: DONE, size=3)
    ran(company, cells("abcabcabc"))
    assert [worker.model for worker in company.hired] == ["a", "b", "c"]


def test_a_lost_worker_loses_only_its_cell() -> None:
    lost: list[str] = []

    def says(worker: Made, cell: Cell) -> Answer:
        if cell.seed == 2 and not lost:
            lost.append(cell.key)
            return Answer("lost", "gone")
        return DONE

    given_ = cells("aaaaa")
    company = Company(says)
    assert set(map(tuple, ran(company, given_).values())) == {("done",)}
    assert len(company.hired) == 3


def test_a_cell_that_ends_its_workers_is_given_up() -> None:
    tries = Counter[int]()

    def says(worker: Made, cell: Cell) -> Answer:
        tries[cell.seed] += 1
        return Answer("lost", "gone") if cell.seed == 1 else DONE

    given_ = cells("aaa")
    told = ran(Company(says), given_)
    assert [told[cell.key] for cell in given_] == [["done"], ["lost"], ["done"]]
    assert tries[1] == ATTEMPTS


def test_a_model_that_loads_nowhere_takes_no_others_with_it() -> None:
    tries = Counter[str]()

    def says(worker: Made, cell: Cell) -> Answer:
        tries[cell.model] += 1
        return Answer("not loaded", "no weights") if cell.model == "b" else DONE

    given_ = cells("abbbba")
    told = ran(Company(says), given_)
    assert {cell.model: told[cell.key] for cell in given_} == {"a": ["done"], "b": ["not loaded"]}
    assert all(told[cell.key] == ["not loaded"] for cell in given_ if cell.model == "b")
    assert tries["b"] <= 3  # not each of its cells in each worker


def test_a_worker_that_cannot_load_gives_way_to_one_that_can() -> None:
    def says(worker: Made, cell: Cell) -> Answer:
        return Answer("not loaded", "no weights") if worker.number == 1 else DONE

    given_ = cells("aaaaaa")
    assert set(map(tuple, ran(Company(says), given_).values())) == {("done",)}


def test_all_workers_end_where_a_run_is_stopped() -> None:
    def says(worker: Made, cell: Cell) -> Answer:
        raise KeyboardInterrupt

    company = Company(says)
    with pytest.raises(KeyboardInterrupt):
        Schedule(company, lambda cell, answer: None).run(cells("aab"))
    assert not any(worker.open for worker in company.hired)


@given(models=st.lists(st.sampled_from("abc"), min_size=1, max_size=20), jobs=st.integers(1, 12))
def test_jobs_have_one_model_each_and_all_cells_once(models: list[str], jobs: int) -> None:
    given_ = cells(models)
    batches = divided(given_, jobs)
    assert sorted(cell.key for batch in batches for cell in batch) == sorted(
        cell.key for cell in given_
    )
    assert all(len({cell.model for cell in batch}) == 1 for batch in batches)
    assert len(batches) == max(len(set(models)), min(jobs, len(models)))
