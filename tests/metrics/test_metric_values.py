"""What metrics of the user's give, and what they do to what they are given."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import scrub
from scrub import Correspondence, Dataset, Exact, InterpNode, Rows, Uncond, claim, site
from scrub.hypothesis.collect import load
from scrub.metrics import custom, measure
from scrub.model.arithmetic import graph, node, source
from support.command import SUMS
from support.paths import ROOT

ROWS = Rows(Dataset("d", {"x": np.arange(3)}, np.ones(3, int)), np.arange(3))
VALUE = torch.zeros(3, 1, 1)
ONE = np.array([1.0, 0.0, 2.0])

# What is taken

TAKEN: dict[str, Any] = {
    "float64": torch.tensor(ONE),
    "float32": torch.tensor(ONE).float(),
    "float16": torch.tensor(ONE).half(),
    "bfloat16": torch.tensor(ONE).bfloat16(),
    "gradient": torch.tensor(ONE, requires_grad=True),
    "integers": torch.tensor([1, 0, 2]),
    "a view": torch.tensor([[1.0, 5], [0, 5], [2, 5]])[:, 0],
    "array": ONE,
    "unsigned": ONE.astype(np.uint8),
    "long": ONE.astype(np.longdouble),
    "list": [1.0, 0, 2],
    "tuple": (1, 0, 2),
    "numpy numbers": [np.float32(1), np.int8(0), 2],
    "tensors": list(torch.tensor(ONE)),
    "series": pd.Series([1, 0, 2], index=[7, 8, 9]),
}


@pytest.mark.parametrize("name", TAKEN)
def test_numbers_of_every_kind_are_taken(name: str) -> None:
    found = measure(custom(lambda value, references: TAKEN[name]), VALUE, ROWS)
    assert found.dtype == np.float64
    assert found.tolist() == ONE.tolist()


def test_bools_and_what_is_undefined() -> None:
    for given, expected in (
        (torch.tensor([True, False, True]), [1, 0, 1]),
        ([True, False, True], [1, 0, 1]),
        ([np.nan, np.inf, -np.inf], [np.nan, np.inf, -np.inf]),
        (pd.Series([1, None, 3], dtype="Int64"), [1, np.nan, 3]),
        (np.ma.masked_array([1, 2, 3], [False, True, False]), [1, np.nan, 3]),
    ):
        found = measure(custom(lambda value, references, given=given: given), VALUE, ROWS)
        np.testing.assert_array_equal(found, np.array(expected, dtype=float))


# What is refused

REFUSED: dict[str, tuple[Any, str]] = {
    "nothing": (None, "None"),
    "complex": (torch.zeros(3, dtype=torch.complex64), "complex numbers"),
    "complex array": (ONE + 1j, "complex numbers"),
    "text": (["1", "0", "2"], "text"),
    "bytes": (np.array([b"1", b"0", b"2"]), "text"),
    "a text": ("102", "a str"),
    "objects": ([object()] * 3, "objects"),
    "holes": ([1.0, None, 2.0], "objects"),
    "decimals": ([Decimal(1)] * 3, "objects"),
    "huge": ([10**400, 0, 0], "objects"),
    "times": (np.array(["2020-01-01"] * 3, "M8[ns]"), "numbers of type datetime64[ns]"),
    "a float": (1.0, "a single number"),
    "a mean": (torch.tensor(1.0), "a single number"),
    "a bool": (True, "a single number"),
    "too few": (torch.zeros(2), "an array of shape [2]"),
    "column": (torch.zeros(3, 1), "an array of shape [3, 1]"),
    "none": ([], "an array of shape [0]"),
    "a set": ({1, 0, 2}, "a set"),
    "a generator": ((i for i in range(3)), "a generator"),
    "a function": (len, "a builtin_function_or_method"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_number_a_sample_is_refused(name: str) -> None:
    given, kind = REFUSED[name]
    with pytest.raises(scrub.UserError) as refused:
        measure(custom(lambda value, references: given), VALUE, ROWS)
    expected = f'Metric "<lambda>" gave {kind} for 3 samples. Give one number a sample.'
    assert str(refused.value) == expected


@pytest.mark.parametrize(
    "given",
    [
        [[1.0], [0.0, 1.0], [2.0]],
        torch.zeros(3, device="meta"),
        torch.zeros(3).to_sparse(),
        [torch.zeros(1, requires_grad=True)] * 3,
    ],
    ids=["ragged", "meta", "sparse", "gradients"],
)
def test_what_is_no_array_is_refused(given: Any) -> None:
    with pytest.raises(scrub.UserError, match=r"gave what is no array of numbers \(\w+Error: .*\)"):
        measure(custom(lambda value, references: given), VALUE, ROWS)


def test_a_claim_says_where(tmp_path: object) -> None:
    sums = load(ROOT / SUMS)
    bad = claim(data=sums.DATA, metric=lambda out, references: out * 1j)(sums.by_hand.build)
    with pytest.raises(scrub.UserError) as refused:
        scrub.run(bad, model=sums.MODEL, samples=8)
    assert str(refused.value).startswith('sums.py::by_hand: Metric "<lambda>" gave complex numbers')


# What they write into


def ruin(value: torch.Tensor, references: Rows) -> torch.Tensor:
    numbers = value.clone()
    value.mul_(-1)
    value.numpy()[:] += 7
    return numbers


def test_a_metric_that_writes_into_its_value_changes_no_other(tmp_path: object) -> None:
    sums = load(ROOT / SUMS)

    def tested(*metrics: Any, session: scrub.Session | None = None) -> scrub.Result:
        made = claim(data=sums.DATA, metric=list(metrics))(sums.only_x.build)
        return scrub.run(made, model=sums.MODEL, samples=40, session=session)

    def told(value: torch.Tensor, references: Rows) -> torch.Tensor:
        return value

    clean, session = tested(told), scrub.Session()
    first = tested(ruin, told, ruin, told, session=session)
    again = tested(told, session=session)  # the cache of plain values
    for numbers in (first.scores, *(other.scores for other in first.others), again.scores):
        for name in ("original", "scrubbed", "baseline"):
            assert (getattr(numbers, name) == getattr(clean.scores, name)).all()


def test_a_metric_that_compares_cannot_write_into_the_original(monkeypatch: Any) -> None:
    from scrub.metrics import OWN, Metric

    def spoils(value: torch.Tensor, references: Rows, original: torch.Tensor) -> torch.Tensor:
        original.zero_()
        return value

    original = torch.ones(3, 1, 1)
    measure(Metric("spoils", spoils, None, OWN, compares=True), VALUE, ROWS, original)
    assert (original == 1).all()


def test_a_graph_that_writes_into_what_it_reads_changes_no_other_value() -> None:
    x, y = np.array([1.0, 2, 3, 4]), np.array([1.0, 1, 2, 3])
    data = Dataset("d", {"x": x, "y": y}, np.ones(4, int))

    def made(double: Any) -> scrub.Result:
        model = graph(
            source("x"),
            source("y"),
            node("twice", double, of="x"),
            node("out", lambda a, b, c: a + 10 * b + 100 * c, a="twice", b="x", c="y"),
        )

        @claim(data=data, metric=lambda value, references: value)
        def swapped(model: Any) -> Correspondence:
            out = InterpNode("out", Exact(), other=Exact())
            return Correspondence({out: site("out"), out.child("y", Uncond()): site("y")})

        return scrub.run(swapped, model=model, samples=20)

    clean, spoilt = made(lambda of: 2 * of), made(lambda of: of.mul_(2))
    for name in ("original", "scrubbed", "baseline"):
        assert (getattr(clean.scores, name) == getattr(spoilt.scores, name)).all()


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda of: None, 'Node "twice" of the graph gave a NoneType for 4 inputs. '),
        (lambda of: 1.0, 'Node "twice" of the graph gave a float for 4 inputs. '),
        (lambda of: of.numpy(), 'Node "twice" of the graph gave a ndarray for 4 inputs. '),
        (lambda of: of.sum(), 'Node "twice" of the graph gave a Tensor of shape [] for 4 inputs. '),
        (lambda other: other, 'Node "twice" of the graph failed: TypeError: '),
    ],
)
def test_a_graph_that_gives_no_tensor_is_refused(function: Any, said: str) -> None:
    data = Dataset("d", {"x": np.arange(4.0)}, np.ones(4, int))
    model = graph(source("x"), node("twice", function, of="x"))

    @claim(data=data, metric=lambda value, references: value)
    def plain(model: Any) -> Correspondence:
        return Correspondence({InterpNode("twice", Uncond()): site("twice")})

    with pytest.raises(scrub.UserError) as refused:
        scrub.run(plain, model=model, samples=200)
    assert said in str(refused.value)
