"""What the tests of bad input share."""

from __future__ import annotations

from pathlib import Path

from support.command import inside, scrub

FEATURES = (
    "io, s, s2, io_is_first, order, template, object, place, prefix_length, io_position, "
    "s1_position, s2_position, end_position, s1_to_io, io_to_s2, io_to_end, s1_to_s2, s1_to_end, "
    "s2_to_end, start, s1, s1+1, end"
)
POSITIONS = "start, io, s1, s1+1, s2, end"
DATA = '"40 ioi prompts, mixed order, seed 0"'
HEADER = """
from scrub import *
from scrub.datasets import ioi
from scrub.metrics import logit_diff

MODEL = "ioi-planted"
DATA = ioi.prompts(40)
ioi_claim = claim(data=DATA, metric=logit_diff("io", "s"))

def tree():
    logits = InterpNode("logits", Exact())
    return logits, logits.child("movers", Agree("io"))
"""


def refused(folder: Path, *arguments: str | Path, isolated: bool = False) -> str:
    """The message, once everything else is as it should be."""
    before = contents(folder)
    done = (scrub if isolated else inside)(*arguments, cwd=folder)
    assert done.out == ""
    assert done.code == 2
    assert "Traceback" not in done.err
    assert contents(folder) == before
    return done.err


def contents(folder: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
