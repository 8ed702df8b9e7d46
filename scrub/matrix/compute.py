"""Compute one cell, in a process that does nothing else, and leave its record in the folder.

What a process keeps from one cell to the next are a model's weights and its data, which are
functions of their names; plain activations are forgotten, since which rows are computed together
decides how they are rounded. So a record does not depend on what its worker did before.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from attrs import evolve, field, frozen

from scrub.analysis.loosening import in_words, loosened, stated
from scrub.analysis.vacuity import SAME_VALUES, nothing_swapped, why_vacuous
from scrub.errors import Problem, UserError
from scrub.hypothesis.collect import Collected, definitions, named
from scrub.matrix.cell import Cell
from scrub.matrix.folder import CELLS, PLAN, is_done, put_json, read_plan, timing_file
from scrub.matrix.record import Record, save_record
from scrub.model.directory import sha256, weight_files
from scrub.model.registry import Model
from scrub.results.inapplicable import Inapplicable
from scrub.runner.context import Context
from scrub.runner.fingerprint import PACKAGE, code_hash, source_hash
from scrub.runner.looks import scores_until_precise
from scrub.runner.memory import make_room
from scrub.runner.planned import Planned, plan_claim, plan_variant
from scrub.runner.prepare import Prepared, prepare_all
from scrub.runner.scoring import scored_chunks
from scrub.runner.session import Session
from scrub.runner.user_code import RUNNING, located
from scrub.stats.scores import Scores, joined


@frozen(eq=False)
class Bench:
    """What a worker keeps between cells: files that are loaded, models and data.

    Attributes:
        device: which of several; None: as the cell says.
        code: hash of scrub and of the versions below it, as this process has them.
    """

    device: str | None = None
    code: str = field(factory=lambda: code_hash(PACKAGE))
    session: Session = field(factory=Session)
    _claims: dict[str, tuple[Collected, ...]] = field(factory=dict, init=False)
    _folders: set[Path] = field(factory=set, init=False)

    def claim(self, cell: Cell) -> Collected:
        """The claim of a cell. Raises a UserError if its file cannot be loaded here."""
        if cell.path not in self._claims:
            if not Path(cell.path).is_file():
                raise UserError(
                    Problem(
                        f"There is no such file on {socket.gethostname()}.",
                        "Files must lie at the same place on all machines.",
                        file=cell.path,
                    )
                )
            self._claims[cell.path] = definitions(Path(cell.path), cell.file).claims
        return named(list(self._claims[cell.path]), cell.claim, cell.file)[0]

    def check_folder(self, folder: Path, cell: Cell) -> None:
        """Refuse a folder that this machine does not share, or cannot write."""
        if folder in self._folders:
            return
        here = socket.gethostname()
        if cell.key not in {one.key for one in read_plan(folder)}:
            raise UserError(
                f"{folder / PLAN} is not there on {here}, or is another matrix's. --out must be a "
                "folder that all machines share, under one name."
            )
        try:
            probe = folder / CELLS / f".probe.{here}.{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise UserError(unwritable(folder, error)) from error
        self._folders.add(folder)


def unwritable(folder: Path, error: OSError) -> str:
    """What is said where a worker cannot write."""
    return (
        f"--out {folder} cannot be written by the worker on {socket.gethostname()}: "
        f"{error.strerror}. Let the workers' user write there, or give another folder."
    )


@frozen
class Clock:
    """Seconds of the wall's clock, and of this process's CPUs."""

    wall: float
    cpu: float

    @staticmethod
    def now() -> Clock:
        return Clock(time.perf_counter(), time.process_time())

    @staticmethod
    def between(started: Clock, loaded: Clock) -> dict[str, float]:
        """What loading took, and what computing took from then until now."""
        now = Clock.now()
        return {
            "load": round(loaded.wall - started.wall, 4),
            "load_cpu": round(loaded.cpu - started.cpu, 4),
            "compute": round(now.wall - loaded.wall, 4),
            "compute_cpu": round(now.cpu - loaded.cpu, 4),
        }


class LoadError(UserError):
    """A model cannot be loaded in this process; another one may be able to."""


def run_cell(cell: Cell, folder: Path, bench: Bench | None = None) -> None:
    """Compute a cell and leave its record; nothing where that is there already.

    Law: the record is the same bytes whatever else the process computed, and whoever it is.

    Raises:
        UserError: of the user's file or model; or the file, the data or scrub is not what the
            cell was made from; or the folder cannot be written.
        LoadError: the model cannot be loaded here.
    """
    if is_done(folder, cell):
        return
    bench = bench or Bench()
    bench.check_folder(folder, cell)
    started = Clock.now()
    options = cell.how.options(cell.model, cell.seed, bench.device)
    item = bench.claim(cell)
    (prepared,) = prepare_all([item], bench.session, options)
    _check_same(cell, prepared, bench.code)
    context, loaded = Context(bench.session, options), started
    if isinstance(prepared, Inapplicable):
        record = Record(cell, prepared.reason, metric=prepared.metric.name)
    else:
        _load(prepared, context)
        loaded = Clock.now()
        bench.session.evict()
        with located(prepared.file, prepared.claim, RUNNING):
            record = _measured(cell, prepared, context)
    try:
        save_record(record, folder)
        where = {"host": socket.gethostname(), "process": os.getpid()}
        put_json(timing_file(folder, cell), Clock.between(started, loaded) | where)
    except OSError as error:
        raise UserError(unwritable(folder, error)) from error


def _load(prepared: Prepared, context: Context) -> None:
    options = context.options
    try:
        context.session.load(prepared.model, options.dtype, options.device)
    except UserError as error:
        here = socket.gethostname()
        raise LoadError(
            *(evolve(problem, what=f"On {here}: {problem.what}") for problem in error.problems)
        ) from error


def _check_same(cell: Cell, prepared: Prepared | Inapplicable, code: str) -> None:
    """Refuse to compute what is not what the cell was made from.

    Raises:
        UserError: the file was edited since, or this machine has other files or another scrub.
    """
    there, here = cell.depends, socket.gethostname()
    if code != there.code:
        raise UserError(
            f"The worker on {here} has another version of scrub or of torch than the command. "
            "Install the same on all machines."
        )
    source, data = source_hash(prepared.claim), prepared.data.sha256
    for words, same in (("its file", source == there.source), ("its data", data == there.data)):
        if not same:
            raise UserError(
                Problem(
                    f"On {here} {words} is not what it was when the command was started.",
                    "Start it again with another --out.",
                    claim=cell.claim,
                    file=cell.file,
                )
            )


def weights_of(model: Model) -> str:
    """Hash of a model's weights, those of its base too; the name where there are no files."""
    if model.base is not None:
        return f"{model.name} of {weights_of(model.base)}"
    if model.sha256:
        return model.sha256
    there = model.directory is not None and weight_files(model.directory)
    return sha256(model.directory) if there and model.directory else model.name


def _measured(cell: Cell, prepared: Prepared, context: Context) -> Record:
    """The scores of a cell's samples, and what judging them will take."""
    planned = plan_claim(prepared, context)
    scores, *others = _scores(planned, cell, context)
    effect, draws = prepared.is_effect, planned.draws  # those of all shards
    if cell.how.shards == 1:
        draws = draws.first(len(scores.original))
    swapped = nothing_swapped(planned.tree, draws, effect=effect)
    why = "" if swapped else why_vacuous(draws, scores, planned.plan)
    nodes = stated(planned.tree, effect=effect)
    anything = None
    if nodes and not why:
        anything = _anything(planned, cell, context, len(scores.original))
    return Record(
        cell,
        expect=prepared.claim.expect,
        nothing_swapped=swapped,
        same_values=why == SAME_VALUES,
        states=in_words(nodes) if nodes else "",
        metric=prepared.metric.name,
        data=prepared.data.name,
        rows=len(prepared.data),
        data_sha256=prepared.data.sha256,
        weights_sha256=planned.model.sha256,
        scores=scores,
        anything=anything,
        others={m.name: o for m, o in zip(prepared.others, others, strict=True)},
    )


def _scores(planned: Planned, cell: Cell, context: Context) -> Sequence[Scores]:
    """The scores of a cell's samples, metric by metric."""
    if cell.how.precision is not None:
        return scores_until_precise(planned, context)
    return scores_of_range(planned, cell.samples, context)


def scores_of_range(
    planned: Planned, samples: tuple[int, int], context: Context
) -> tuple[Scores, ...]:
    """The scores of some samples, metric by metric.

    Law: joined in order, those of the ranges of a partition are the scores of all samples, but for
    rounding: what a sample draws is keyed by its number, and no other sample enters its number.

    Args:
        samples: the first of them, and the first after them.

    Raises:
        UserError: one sample does not fit into the memory, or a metric of the user's fails.
    """
    draws = planned.draws.at(np.arange(*samples))
    parts = scored_chunks(planned, draws, make_room(planned, draws, context))
    return tuple(joined(chunks) for chunks in zip(*parts, strict=True))


def _anything(planned: Planned, cell: Cell, context: Context, samples: int) -> Scores | None:
    """The scores with any input in place of those that agree; None if that cannot be scrubbed.

    Args:
        samples: how many the claim took.
    """
    prepared = planned.prepared
    nodes = stated(planned.tree, effect=prepared.is_effect)
    try:
        loose = plan_variant(planned, evolve(prepared, tree=loosened(planned.tree, nodes)), context)
        first = cell.samples[0]
        scores, *_ = scores_of_range(loose, (first, first + samples), context)
    except UserError:
        return None
    return scores
