"""Matrices of small claims, and an executor that computes them in this process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from scrub.hypothesis.collect import collect
from scrub.matrix.cell import Cell, Depends, How
from scrub.matrix.compute import Bench
from scrub.matrix.plan import plan_matrix
from scrub.matrix.schedule import Told, answer_of
from support.paths import ROOT

CELL = Cell(
    file="folder/claims.py",
    path="/home/me/folder/claims.py",
    start="/home/me",
    claim="one",
    model="ioi-planted",
    model_name="ioi-planted",
    seed=0,
    shard=1,
    how=How(100, shards=4),
    depends=Depends("source", "code", "data", "weights"),
    judged=True,
)

CLAIMS = f"""
import sys

sys.path.insert(0, {str(ROOT / "tests" / "hypotheses")!r})
import numpy as np
from sums import DATA, ERROR, MODEL as SUMS, X, distance, product_is

from scrub import (
    Agree, Correspondence, Dataset, Exact, InterpNode, Uncond, claim, not_applicable, raises,
    recovers, refuted, site, supported, vacuous,
)
from scrub.metrics import custom
from scrub.model.arithmetic import graph, node, source

MODEL = SUMS


def squared(out, references):
    return distance(out, references) ** 2


@claim(data=DATA, metric=[ERROR, custom(squared)], expect=supported(above=0.9))
def conjunction(model):
    return product_is(Agree("x and y"))


@claim(data=DATA, metric=ERROR, expect=refuted(below=0.9))
def anything_goes(model):
    return product_is(Uncond())


@claim(data=DATA, metric=ERROR, expect=supported(above=0.6))
def only_x(model):
    return product_is(Agree("x"))


@claim(data=DATA, metric=ERROR, expect=vacuous(above=0.2))
def any_will_do(model):
    return product_is(Agree("x and y"))


@claim(data=DATA, metric=ERROR, expect=vacuous(above=0.2))
def nothing_swapped(model):
    return product_is(Exact(), other=None)


@claim(data=DATA, metric=ERROR, expect=vacuous(above=0.2), model=graph(
    source("x"), source("y"), source("z"),
    node("zero", lambda x: 0 * x, x="x"),
    node("product", lambda first, second: first * second, first="x", second="y"),
    node("out", lambda terms: terms, terms=["product", "z", "zero"]),
))
def same_values(model):
    out = InterpNode("out", Exact(), other=Exact())
    zero = out.child("zero", Uncond())
    return Correspondence({{out: site("out"), zero: site("zero")}})


@claim(data=DATA, metric=ERROR, expect=raises(by=0.1))
def effect(model):
    return product_is(Uncond())


@claim(data=DATA, metric=ERROR)
def expects_nothing(model):
    return product_is(Agree("x"))


@claim(data=DATA, metric=ERROR, expect=supported(above=0.9))
def elsewhere(model):
    return not_applicable("it has no tails")
"""


def claims_file(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "claims.py"
    file.write_text(CLAIMS, encoding="utf-8")
    return file


def cells_of(
    file: Path | str, seeds: Sequence[int] = (0,), models: Sequence[str] = (), **how: int
) -> list[Cell]:
    """The cells of a file's claims."""
    claims = collect([str(file)])
    return plan_matrix(claims, models, seeds, How(**{"samples": 200} | how), ROOT)


@frozen
class Here:
    """An executor: one cell after the other in this process."""

    def run(self, cells: Sequence[Cell], folder: Path, told: Told) -> None:
        bench = Bench()
        for cell in cells:
            told(cell, answer_of(cell, folder, bench))


def contents(folder: Path) -> dict[str, bytes]:
    """The records of a matrix, as bytes."""
    return {path.name: path.read_bytes() for path in sorted((folder / "cells").iterdir())}


WATCHED = f'''
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, {str(ROOT / "tests" / "hypotheses")!r})
from sums import DATA, MODEL, distance, product_is

from scrub import Agree, Uncond, claim, refuted, supported
from scrub.metrics import custom

HERE = Path(__file__).parent


def watched(value, references):
    """A metric that kills its process where the file "kill" is there, and waits where "hold" is."""
    try:
        (HERE / "kill").rename(HERE / "killed")
    except OSError:
        pass
    else:
        os.kill(os.getpid(), signal.SIGKILL)
    if (HERE / "hold").exists():
        (HERE / "waiting").touch()
        time.sleep(100)
    return distance(value, references)


@claim(data=DATA, metric=custom(distance), expect=supported(above=0.9))
def first(model):
    return product_is(Agree("x and y"))


@claim(data=DATA, metric=custom(watched), expect=refuted(below=0.9))
def second(model):
    return product_is(Uncond())


@claim(data=DATA, metric=custom(distance), expect=refuted(below=0.9))
def third(model):
    return product_is(Agree("x"))
'''


def watched_file(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "watched.py"
    file.write_text(WATCHED, encoding="utf-8")
    return file
