"""Samplers of the user's own that are no samplers after all: one sentence, wherever they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.command import ROOT, scrub

CLAIMS = '''
import sys
sys.path.insert(0, {hypotheses!r})
import numpy as np
from sums import DATA, ERROR, MODEL, X, Y, Z
from scrub import Agree, Correspondence, Exact, Generate, InterpNode, Uncond, claim, site


class Waits:
    async def draw(self, references, randomness):
        return references


class Fails:
    def draw(self, references, randomness):
        raise KeyError("io")


def one(reference, generator):
    return {{"x": 1, "y": 1, "z": 0}}


@claim(data=DATA, metric=ERROR)
def below(model):
    """x stands below the product."""
    out = InterpNode("out", Exact(), other=Exact())
    product = out.child("product", {above}, other=Exact())
    x = product.child("x", {sampler})
    sites = {{out: site("out"), product: site("product"), x: site("x", into="first")}}
    return Correspondence(sites)
'''
WAITS = "returned a coroutine, not Rows. Write def draw, without async.\n"
SAID = {
    "Waits()": f"Sampler Waits {WAITS}",
    "Fails()": "Sampler Fails failed in line {line} of claims.py: KeyError: 'io'.\n",
    "Uncond('x')": (
        "Uncond('x'): Uncond draws any row, and takes nothing. Write Uncond(), or Agree('x') for "
        "rows that agree with the reference on a feature.\n"
    ),
}


@pytest.mark.parametrize("above", ["Agree('x')", "Uncond()"])
@pytest.mark.parametrize("command", ["check", "test"])
@pytest.mark.parametrize("sampler", SAID)
def test_a_sampler_below_that_fails(tmp_path: Path, command: str, above: str, sampler: str) -> None:
    """In a process of its own, to which Python says what was never awaited."""
    hypotheses = str(ROOT / "tests" / "hypotheses")
    text = CLAIMS.format(hypotheses=hypotheses, above=above, sampler=sampler)
    (tmp_path / "claims.py").write_text(text, encoding="utf-8")
    done = scrub(command, "claims.py", cwd=tmp_path, PYTHONPATH=str(ROOT))
    line = text.splitlines().index('        raise KeyError("io")') + 1
    place = "claims.py::below: " if sampler == "Uncond('x')" else 'claims.py::below · node "x": '
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: {place}{SAID[sampler].format(line=line)}"
