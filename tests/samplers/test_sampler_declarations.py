"""What a sampler of the user's own says of itself: what makes no sense is refused everywhere."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from oracle.broken_samplers import DATA, TWIN
from scrub import Agree, Correspondence, Exact, InterpNode, Pool, Together, UserError, site
from scrub.checks.samplers import check_pools
from scrub.data.dataset import Dataset, Rows
from scrub.datasets import ioi
from scrub.errors import Problems
from scrub.samplers import Sampler, laws_of
from scrub.testing import Case, broken_laws, sampler_laws
from support.bad_input import HEADER, refused
from support.command import inside


class Stuck:
    """One row, whatever the reference: it breaks each law that it could claim."""

    def draw(self, references: Rows, randomness: Any) -> Rows:
        return references.donors(np.zeros(len(references), dtype=int))


def stuck(**said: Any) -> Sampler:
    return type("Stuck", (Stuck,), said)()


def failing(self: Any) -> Any:
    raise ValueError("no such thing")


NEAREST = (
    "There are: agreement, reach, uniformity, marginals, independence.",
    "there are: agreement, reach, uniformity, marginals, independence.",
)
FEATURES = 'Write features = ("length",).'
LACKS = "there are: kind, name, weight, pair, end, middle, label."
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a misspelt law": (
        {"laws": ("uniformty",)},
        'it claims the law "uniformty", which there is not. The nearest is "uniformity"; '
        + NEAREST[1],
    ),
    "two misspelt laws": (
        {"laws": ["Reach", "marginal"]},
        'it claims the law "Reach", which there is not. The nearest is "reach"; ' + NEAREST[1],
    ),
    "no law": ({"laws": "pass"}, f'it claims the law "pass", which there is not. {NEAREST[0]}'),
    "laws=5": (
        {"laws": 5},
        'its laws are 5, no names of laws. Write laws = ("agreement", "uniformity").',
    ),
    "laws of numbers": (
        {"laws": (1, 2)},
        'its laws are a tuple, no names of laws. Write laws = ("agreement", "uniformity").',
    ),
    "laws that fail": (
        {"laws": property(failing)},
        "its laws cannot be read: ValueError: no such thing.",
    ),
    "features=5": ({"features": 5}, f"its features are 5, no names of features. {FEATURES}"),
    "a method": (
        {"features": lambda self: ("kind",)},
        f"its features are a method, no names of features. {FEATURES}",
    ),
    "features that fail": (
        {"features": property(failing)},
        "its features cannot be read: ValueError: no such thing.",
    ),
    "differ=1.5": (
        {"differ": 1.5},
        'its differ are 1.5, no names of features. Write differ = ("length",).',
    ),
    "weights=[1, 2]": (
        {"weights": [1, 2]},
        'its weights are a list. Name a column, as in weights = "weight".',
    ),
    "a recipe": (
        {"source": ioi.prompts(5)},
        "its source is a recipe that nobody makes. Let it be a field of an attrs class (@frozen): "
        "those that hold recipes get the datasets.",
    ),
    "agreement on nothing": (
        {"laws": "agreement", "feature": "kind"},
        'it claims agreement, and names no features. Write features = ("length",), or leave that '
        "law out.",
    ),
    "draw of one argument": (
        {"draw": lambda self, references: references},
        "its draw: it is called with (references, randomness), and takes (references). Write def "
        "draw(self, references, randomness).",
    ),
    "draw of three": (
        {"draw": lambda self, references, randomness, more: references},
        "its draw: it is called with (references, randomness), and takes (references, randomness, "
        "more). Write def draw(self, references, randomness).",
    ),
    "draw without self": (
        {"draw": lambda references, randomness: references},
        "its draw: it is called with (references, randomness), and takes (randomness). Write def "
        "draw(self, references, randomness).",
    ),
    "draw=5": (
        {"draw": 5},
        "its draw: 5 is no function. Write def draw(self, references, randomness).",
    ),
    "draw is a value": (
        {"draw": property(lambda self: "rows")},
        "its draw: 'rows' is no function. Write def draw(self, references, randomness).",
    ),
    "draw fails to be": (
        {"draw": property(failing)},
        "its draw cannot be read: ValueError: no such thing.",
    ),
}
IN_THE_DATA: dict[str, tuple[dict[str, Any], str]] = {
    "no such feature": (
        {"features": "kidn"},
        'Sampler Stuck names a feature that there is not. Dataset "kinds" has no feature "kidn". '
        f'The nearest is "kind"; {LACKS}',
    ),
    "no such column": (
        {"weights": "wieght", "laws": "uniformity"},
        f'Dataset "kinds" has no feature "wieght". The nearest is "weight"; {LACKS}',
    ),
    "words as weights": (
        {"weights": "name"},
        'Sampler Stuck: column "name" of dataset "kinds" is no column of numbers. Give weights of '
        "0 or more.",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_a_sampler_says_of_itself(name: str) -> None:
    said, message = WRONG[name]
    with pytest.raises(UserError) as wrong:
        sampler_laws(stuck(**said), DATA)
    assert str(wrong.value).startswith(f"Sampler Stuck: {message}")
    with pytest.raises(UserError) as wrong:
        broken_laws(Case(stuck(**said), DATA))
    assert str(wrong.value).startswith(f"Sampler Stuck: {message}")


@pytest.mark.parametrize("name", IN_THE_DATA)
def test_what_it_says_of_the_data(name: str) -> None:
    said, message = IN_THE_DATA[name]
    with pytest.raises(UserError) as wrong:
        Case(stuck(**said), DATA)
    assert str(wrong.value) == message


def test_one_law_is_one_law() -> None:
    """A string was read letter by letter, of which no law consists."""
    assert laws_of(stuck(laws="reach"))[3:] == ("reach",)
    assert [broken.law for broken in broken_laws(Case(stuck(laws="reach"), DATA))] == ["reach"]


def test_weights_of_a_class_that_are_all_zero() -> None:
    data = DATA.with_columns(weight=np.where(DATA.columns["kind"] == 1, 0.0, 1.0))
    sampler = stuck(features="kind", weights="weight", laws=("uniformity",))
    (broken,) = broken_laws(Case(sampler, data))
    assert re.search(r"the rows that row \d+ may be swapped for have weight 0\. Ask", str(broken))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at": "ned"}, 'has no position column "ned". The nearest is "end"; there are: end, mid'),
        ({"draws": 0}, "draws=0: give a whole number, 1 or more."),
        ({"draws": 1e3}, "draws=1000.0: give a whole number, 1 or more."),
        ({"seed": -1}, "seed=-1: give a whole number, 0 or more."),
        ({"seed": None}, "seed=None: give a whole number, 0 or more."),
    ],
)
def test_options_of_sampler_laws(options: dict[str, Any], message: str) -> None:
    tests = sampler_laws(Agree("kind"), DATA, **options)
    with pytest.raises(UserError) as wrong:
        tests().test_legality()
    assert message in str(wrong.value)


def test_what_is_no_sampler_or_no_data() -> None:
    with pytest.raises(UserError, match=r"Agree is no sampler. Give one, such as"):
        sampler_laws(Agree, DATA)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"a Dataset is no sampler"):
        sampler_laws(DATA, Agree("kind"))  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"a DataFrame is no dataset"):
        sampler_laws(Agree("kind"), DATA.frame)  # type: ignore[arg-type]


# On the command line


CLAIMS = """
import numpy as np

class Stuck:
    def draw(self, references, randomness):
        return references.donors(np.zeros(len(references), dtype=int))

class Misspelt(Stuck):
    laws = ("uniformty",)

class Five(Stuck):
    features = 5

class Absent(Stuck):
    features = ("tamplate",)

class Unweighted(Stuck):
    weights = "wait"

class Empty:
    pass

class Property:
    @property
    def draw(self):
        return 1 / 0

class Arity:
    def draw(self, references):
        return references

class Nothing:
    def draw(self, references, randomness):
        print("nothing")

TWINS = []

class Elsewhere:
    def draw(self, references, randomness):
        TWINS.append(references.data.take(range(40), "twin"))
        return Rows(TWINS[0], references.index)

class Compared(Stuck):
    def __init__(self):
        self.values = np.arange(3)

    def __eq__(self, other):
        return self.values == other.values

@ioi_claim
def wrong(model):
    logits = InterpNode("logits", Exact(), other=Exact())
    samplers = [Misspelt(), Five(), Absent(), Unweighted(), Empty(), Property(), Arity(), Nothing(),
                Elsewhere()]
    below = [logits.child(type(s).__name__, s) for s in samplers]
    return Correspondence({logits: output(at="end")}
                          | {node: heads([(3, n % 8)], at="end") for n, node in enumerate(below)})

@ioi_claim
def drawn(model):
    logits = InterpNode("logits", Exact(), other=Exact())
    samplers = [Absent(), Unweighted(), Nothing(), Elsewhere()]
    below = [logits.child(type(s).__name__, s) for s in samplers]
    return Correspondence({logits: output(at="end")}
                          | {node: heads([(3, n)], at="end") for n, node in enumerate(below)})

@ioi_claim
def compared(model):
    logits = InterpNode("logits", Compared(), other=Exact())
    below = logits.child("below", Compared())
    return Correspondence({logits: output(at="end"), below: heads([(3, 0)], at="end")})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(HEADER + dedent(CLAIMS))
    return tmp_path


@pytest.mark.parametrize("command", ["check", "test", "plan"])
def test_all_are_refused_at_once(command: str, folder: Path) -> None:
    lines = refused(folder, command, "mine.py::wrong").splitlines()
    where = 'error: mine.py::wrong · node "'
    assert [line.removeprefix(where) for line in lines] == [
        'Misspelt": Sampler Misspelt: it claims the law "uniformty", which there is not. The '
        'nearest is "uniformity"; ' + NEAREST[1],
        f'Five": Sampler Five: its features are 5, no names of features. {FEATURES}',
        'Empty": Its sampler is an Empty. Give a sampler, such as Exact(), Uncond() or '
        "Agree(feature).",
        'Property": Sampler Property: its draw cannot be read: ZeroDivisionError: division by '
        "zero.",
        'Arity": Sampler Arity: its draw: it is called with (references, randomness), and takes '
        "(references). Write def draw(self, references, randomness).",
    ]


def test_what_only_a_draw_shows(folder: Path) -> None:
    done = inside("test", "mine.py::drawn", cwd=folder)
    assert done.code == 2
    lines = done.err.splitlines()
    where = 'error: mine.py::drawn · node "'
    assert [line.removeprefix(where).split(". ")[0] for line in lines] == [
        'Absent": Sampler Absent names a feature that there is not',
        'Elsewhere": Sampler Elsewhere draws rows of "twin", not of the data "40 ioi prompts, '
        'mixed order, seed 0", and does not say so',
        'Nothing": Sampler Nothing returned NoneType, not Rows',
        'Unweighted": Dataset "40 ioi prompts, mixed order, seed 0" has no feature "wait"',
    ]


def test_samplers_that_cannot_be_compared(folder: Path) -> None:
    """Two that answer == by an array are taken for two."""
    done = inside("check", "mine.py::compared", cwd=folder)
    assert done.code == 0, done.err
    assert done.out.count("  Compared: independence") == 2


# Another dataset


class Declared:
    """Rows of a dataset that it holds."""

    laws = ()

    def __init__(self, source: Dataset) -> None:
        self.source = source

    def draw(self, references: Rows, randomness: Any) -> Rows:
        return Rows(TWIN, references.index)


def test_another_dataset_is_declared() -> None:
    assert broken_laws(Case(Declared(TWIN), DATA)) == []
    (broken,) = broken_laws(Case(Declared(DATA), DATA))
    assert broken.law == "legality"
    assert broken.what == (
        'Sampler Declared draws rows of "twin", not of the data "kinds", and does not say so. '
        "Return references.donors(row numbers), or give it an attribute source: the dataset that "
        "it draws from."
    )


# Pools


def pooled(*samplers: Sampler) -> list[str]:
    root = InterpNode("root", Exact(), other=Exact())
    nodes = [root, *(root.child(f"n{i}", sampler) for i, sampler in enumerate(samplers))]
    problems = Problems()
    check_pools(Correspondence({node: site("x") for node in nodes}).sites, problems)
    return list(map(str, problems.found))


FIX = "Give them one size and the same features, or two names."


@pytest.mark.parametrize(
    ("one", "two", "words"),
    [
        (
            Pool(2, "p"),
            Pool(3, "p"),
            'Pool(3, p): at node "n0" the pool "p" has 2 draws agreeing on nothing, and here 3 '
            f"draws agreeing on nothing. {FIX}",
        ),
        (
            Pool(2, "p", ["io", "s"]),
            Pool(2, "p", "io"),
            'Pool(2, p, io): at node "n0" the pool "p" has 2 draws agreeing on io and s, and here '
            f"2 draws agreeing on io. {FIX}",
        ),
        (
            Together("p", "io"),
            Pool(2, "p", "io"),
            'Pool(2, p, io): at node "n0" the pool "p" has 1 draw agreeing on io, and here 2 draws '
            f"agreeing on io. {FIX}",
        ),
    ],
)
def test_two_pools_of_one_name(one: Sampler, two: Sampler, words: str) -> None:
    assert pooled(one, two) == [f'node "n1": {words}']


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (Pool(2, "p"), Pool(3, "q")),
        (Pool(2, "p", ["io", "s"]), Pool(2, "p", ["s", "io"])),
        (Together("p", "io"), Pool(1, "p", "io")),
        (Agree("io"), Together("io")),
    ],
)
def test_pools_that_are_one_or_two(one: Sampler, two: Sampler) -> None:
    assert pooled(one, two) == []
