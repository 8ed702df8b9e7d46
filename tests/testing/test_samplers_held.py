"""Which samplers `scrub check` holds to their laws, and what it says of the others."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from support.bad_input import HEADER
from support.command import inside

CLAIMS = """
class Plain:
    def draw(self, references, randomness):
        return references

class Below(Plain):
    pass

class With(Plain):
    def __init__(self, size):
        self.size = size

OTHER = ioi.prompts(40, seed=1)

def chain(*samplers):
    nodes = [InterpNode("logits", Exact(), other=Exact())]
    for number, sampler in enumerate(samplers):
        nodes.append(nodes[-1].child(f"n{number}", sampler, other=Exact()))
    places = [output(at="end"), heads([(3, 0)], at="end"), heads([(2, 0)], at="end", into="q"),
              heads([(1, 0)], at="end", into="q"), heads([(0, 0)], at="end", into="q")]
    return Correspondence(dict(zip(nodes, places)))

@ioi_claim
def alike(model):
    return chain(Plain(), Plain(), With(1), With(2))

@ioi_claim
def below(model):
    return chain(Plain(), Fixed(OTHER), Below(), Plain())
"""
DATA = "40 ioi prompts, mixed order, seed 0"


def lines(folder: Path, claim: str) -> list[str]:
    (folder / "mine.py").write_text(HEADER + dedent(CLAIMS))
    done = inside("check", f"mine.py::{claim}", cwd=folder)
    assert done.code == 0, done.err
    return done.out.splitlines()[2:]


def test_samplers_of_a_plain_class_are_one_if_they_hold_the_same(tmp_path: Path) -> None:
    assert lines(tmp_path, "alike") == [
        "  Exact: marginals, independence",
        "  Plain: independence",
        "  With(1): independence",
        "  With(2): independence",
    ]


def test_one_that_stands_below_another_dataset_is_named(tmp_path: Path) -> None:
    assert lines(tmp_path, "below") == [
        "  Exact: marginals, independence",
        "  Plain: independence",
        "  Fixed: independence",
        "not held, standing below rows of another dataset: Below",
    ]
