"""The paths of a claim: each alone, together, and last, by hand on a small graph."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import scrub
from scrub import (
    Correspondence,
    Dataset,
    Exact,
    Fixed,
    InterpNode,
    UserError,
    claim,
    raises,
    site,
)
from scrub.metrics import custom
from scrub.model.arithmetic import graph, node, source
from scrub.report.paths import foot, show_paths
from support.command import inside

MODEL = graph(
    source("x"),
    source("y"),
    source("z"),
    node("product", lambda first, second: first * second, first="x", second="y"),
    node("out", lambda terms: terms, terms=["product", "z"]),
)
X, Y, Z = np.array(list(itertools.product([0, 1], [0, 1], [0, 1]))).T
DATA = Dataset(
    "bits", inputs={"x": X, "y": Y, "z": Z}, lengths=np.ones(8, dtype=int), columns={"z": Z}
)
ZEROS = Fixed([0] * 8)


def value(out: Any, references: Any) -> Any:
    return out.numpy()


VALUE = custom(value, higher_is_better=True)


def restored(*leaves: str) -> Any:
    """x, y and z restored where all is 0: x and y do nothing without each other."""

    @claim(data=DATA, metric=VALUE, model=MODEL, expect=raises(by=0.1) if leaves else None)
    def built(model: Any) -> Correspondence:
        """What is restored makes the output larger."""
        out = InterpNode("out", Exact(), other=ZEROS)
        sites = {out: site("out")}
        if {"x", "y"} & set(leaves):
            product = out.child("product", Exact(), other=ZEROS)
            sites[product] = site("product")
            for name, port in (("x", "first"), ("y", "second")):
                if name in leaves:
                    sites[product.child(name, Exact())] = site(name, into=port)
        if "z" in leaves:
            sites[out.child("z", Exact())] = site("z")
        return Correspondence(sites)

    return built


def test_paths_by_hand() -> None:
    """x·y is not the sum of what x and y do alone: nothing, each. z adds to it."""
    found = scrub.paths(restored("x", "y", "z"), samples=4_000).frame.set_index("path")
    assert list(found.index) == ["product", "product / x", "product / y", "z"]
    assert found["paths"].tolist() == [2, 1, 1, 1]
    alone, last = found["effect"], found["last"]
    assert alone["product / x"] == alone["product / y"] == 0
    assert alone["product"] == pytest.approx(1 / 4, abs=0.03)
    assert alone["z"] == pytest.approx(1 / 2, abs=0.03)
    assert last["product / x"] == pytest.approx(alone["product"])
    assert last["product"] == pytest.approx(alone["product"]), "out is a sum"
    assert found["share"]["product"] + found["share"]["z"] == pytest.approx(1)
    assert (found["low"] <= alone).all()
    assert (alone <= found["high"]).all()


def test_the_only_path_is_the_claim() -> None:
    only = restored("z")
    (path,) = scrub.paths(only, samples=50).paths
    result = scrub.run(only, samples=50, diagnose=False)
    assert result.effect is not None
    assert path.effect.mean == path.last.mean == pytest.approx(result.effect.mean)
    assert path.share == 1


def test_shares_of_nothing_are_undefined() -> None:
    found = scrub.paths(restored("x"), samples=50)
    (path,) = found.paths
    assert path.effect.mean == 0
    assert np.isnan(path.share)
    assert "of all: –, where what all paths change is not told from zero" in foot(found)


def test_a_column_that_does_not_fit_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    found, said = scrub.paths(restored("x"), samples=50), "left out for want of width: last"
    show_paths(found, Console(width=200))
    assert said not in capsys.readouterr().out
    show_paths(found, Console(width=30))
    assert said in " ".join(capsys.readouterr().out.split())


def test_one_reference_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    show_paths(scrub.paths(restored("x"), samples=1), Console(width=200))
    assert "\n1 reference on " in capsys.readouterr().out


def test_a_root_alone_has_no_path() -> None:
    with pytest.raises(UserError, match="Its root has no children, so that there is no path"):
        scrub.paths(restored(), samples=50)


def test_what_the_command_prints_and_writes(tmp_path: Path) -> None:
    sums = Path(__file__).parents[1] / "hypotheses" / "sums.py"
    (tmp_path / "sums.py").write_text(sums.read_text(encoding="utf-8"), encoding="utf-8")
    done = inside(
        "paths", "sums.py::by_hand", "--samples", "400", "--csv", "p.csv", "--json", "p.json",
        cwd=tmp_path,
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    assert "product ← x  " in done.out
    assert max(map(len, done.out.splitlines())) <= 120
    table = pd.read_csv(tmp_path / "p.csv")
    written = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))
    assert table["path"].tolist() == ["product / x"]
    assert written["schema"] == "scrub.paths/1"
    assert written["paths"][0]["effect"] == pytest.approx(table["effect"][0])
    done = inside("paths", "sums.py", cwd=tmp_path)
    assert done.code == 2
    assert "scrub paths is about one claim, and there are 5. Name one, as in sums.py::" in done.err
