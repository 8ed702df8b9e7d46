"""`--by COLUMN`: any column that divides the data into a few parts, or one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scrub import UserError
from scrub.data.dataset import Dataset
from scrub.data.partition import (
    MOST,
    by_kind,
    check_parts,
    parts_by,
)
from support.command import inside

MIXED = np.array(["b", 2, None, 1.5, float("nan"), "a", 2], dtype=object)


def table(**columns: object) -> Dataset:
    rows = len(next(iter(columns.values())))  # type: ignore[arg-type]
    return Dataset("t", {"x": np.arange(rows)}, np.ones(rows, dtype=int), columns=columns)


def test_parts_by_hand() -> None:
    numbered, values = parts_by(MIXED)
    assert numbered[1] == numbered[6]
    assert sorted(map(str, sorted(values, key=by_kind)[:4])) == ["1.5", "2", "a", "b"]
    assert numbered[2] == numbered[4]  # None and NaN are both missing
    assert len(set(numbered.tolist())) == len(values) == 5


def test_missing_values_are_a_part() -> None:
    numbered, values = parts_by(np.array([1.0, np.nan, 1.0, np.nan]))
    assert numbered.tolist() == [0, 1, 0, 1]
    assert len(values) == 2


def test_too_many_parts_are_refused() -> None:
    check_parts(table(c=np.arange(MOST)), "c")
    with pytest.raises(UserError, match="has 201 values, and a table shows at most 200"):
        check_parts(table(c=np.arange(MOST + 1)), "c")
    with pytest.raises(UserError, match='The nearest is "cat"'):
        check_parts(table(cat=[1]), "cut")


FILE = """
import numpy as np
from scrub import Agree, Correspondence, Dataset, Exact, InterpNode, claim, site
from scrub.metrics import custom
from scrub.model.arithmetic import graph, node, source

MODEL = graph(source("x"), node("out", lambda x: x, x="x"))
DATA = Dataset(
    "rows", {"x": np.arange(6)}, np.ones(6, dtype=int),
    columns={"mean": [0.5, np.nan, 0.5, 1.5, np.nan, 1.5], "kind": ["a", "b"] * 3},
)

@claim(data=DATA, metric=custom(lambda out, references: out))
def which(model):
    out = InterpNode("out", Exact(), other=Exact())
    return Correspondence({out: site("out"), out.child("x", Agree("kind")): site("x")})
"""


def test_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "by.py"
    file.write_text(FILE, encoding="utf-8")
    done = inside("test", file, "--samples", "60", "--by", "mean", "--no-diagnose")
    assert (done.code, done.err) == (0, "")
    (head,) = [i for i, line in enumerate(done.out.splitlines()) if line.startswith("mean ")]
    parts = [line.split()[:2] for line in done.out.splitlines()[head + 1 : head + 4]]
    assert [value for value, _ in parts] == ["0.5", "1.5", "nan"]
    assert sum(int(count) for _, count in parts) == 60
