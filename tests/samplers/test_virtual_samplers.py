"""Samplers of virtual rows: what they draw, what they are called, what they refuse."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from scrub import Constant, Generate, Mean, Steer, UserError, Zero
from scrub.data.dataset import Dataset, Rows
from scrub.data.virtual import Averages, Filled, Shifted, told_row
from scrub.draw import KeyedRandomness
from scrub.samplers import Sampler, describe_sampler
from scrub.testing import sampler_laws

DATA = Dataset(
    "data",
    {"tokens": np.zeros((6, 4), dtype=int)},
    [3, 3, 4, 4, 3, 4],
    columns={"template": list("aabbab"), "word": list("xyxyxx"), "half": [0, 0, 0, 1, 1, 1]},
    positions={"end": [2, 2, 3, 3, 2, 3], "s": [0, 0, 1, 1, 0, 1], "io": [1, 1, 0, 2, 1, 0]},
)


def drawn(sampler: Sampler, *index: int, data: Dataset = DATA) -> Rows:
    rows = Rows(data, np.array(index or range(len(data))))
    return sampler.draw(rows, KeyedRandomness(0, ("node",), len(rows)))


def test_a_mean_is_of_the_rows_that_agree() -> None:
    found = drawn(Mean("template"), 3, 0, 3)
    given = found.data.given
    assert isinstance(given, Averages)
    assert given.source is DATA
    members = [np.flatnonzero(given.class_of == row).tolist() for row in found.index]
    assert members == [[2, 3, 5], [0, 1, 4], [2, 3, 5]]
    assert found.data.lengths[found.index].tolist() == [4, 3, 4]
    assert found.data.positions["s"][found.index].tolist() == [1, 0, 1]
    assert "io" not in found.data.positions  # rows of "b" are not alike in it
    assert told_row(found.data, int(found.index[0])) == "the mean of 3 rows"


def test_a_mean_of_all_rows_has_one_class() -> None:
    found = drawn(Mean(), 0, 1, data=DATA.take([0, 1, 4]))
    assert found.index.tolist() == [0, 0]


def test_zero_constant_and_steer_have_the_frame_of_the_reference() -> None:
    for sampler, kind in ((Zero(), Filled), (Constant([1.0, 2]), Filled), (Steer([3], 2), Shifted)):
        found = drawn(sampler, 2, 0)
        assert isinstance(found.data.given, kind)
        assert found.data.given.source is DATA
        assert found.index.tolist() == [2, 0]
        assert found.data.lengths[found.index].tolist() == [4, 3]
        assert found.data.positions["io"][found.index].tolist() == [0, 1]
    assert drawn(Steer([3], 2)).data.given.by.tolist() == [6]


def test_they_take_no_randomness() -> None:
    rows = Rows(DATA, np.arange(6))
    for sampler in (Mean("template"), Zero(), Constant(1), Steer([1], 1)):
        once, again = (
            sampler.draw(rows, KeyedRandomness(seed, ("n",), 6)).index for seed in (0, 1)
        )
        assert once.tolist() == again.tolist()


def test_they_are_called_as_they_are_written() -> None:
    assert list(
        map(
            describe_sampler,
            (
                Mean(),
                Mean("template", "word"),
                Zero(),
                Constant(2.5),
                Constant(np.zeros((3, 8))),
                Steer(torch.ones(8, dtype=torch.bfloat16), by=-2),
            ),
        )
    ) == ["Mean", "Mean(template, word)", "Zero", "Constant(2.5)", "Constant(3 x 8)",
          "Steer(8, by=-2)"]  # fmt: skip


def test_two_are_one_if_they_give_the_same() -> None:
    assert Constant([1, 2]) == Constant(torch.tensor([1.0, 2.0]))
    assert Constant([1, 2]) != Constant([1, 3])
    assert Steer([1, 2], 3) != Steer([1, 2], 4)
    assert Mean("a") == Mean(["a"])
    assert len({Constant([1, 2]), Constant([1, 2]), Zero(), Zero()}) == 2


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "a class of two lengths": (
        lambda: drawn(Mean("word")),
        "Mean(word): rows that agree on word are averaged index by index, and are not alike: in "
        'dataset "data" row 0 has 3 tokens, row 2 has 4 tokens. Add a column that tells them '
        'apart: Mean("word", "template").',
    ),
    "all rows, of two lengths": (
        lambda: drawn(Mean()),
        "Mean: the rows of the data are averaged index by index, and are not alike: in dataset "
        '"data" row 0 has 3 tokens, row 2 has 4 tokens. Add a column that tells them apart: '
        'Mean("template").',
    ),
    "no column tells lengths apart": (
        lambda: drawn(Mean(), data=Dataset("bare", {"tokens": np.zeros((2, 2), int)}, [1, 2])),
        "Mean: the rows of the data are averaged index by index, and are not alike: in dataset "
        '"bare" row 0 has 1 token, row 1 has 2 tokens. Give the data a column that tells them '
        'apart, with_columns(length=…): Mean("length").',
    ),
    "a feature that the data lacks": (
        lambda: drawn(Mean("templat")),
        'Dataset "data" has no feature "templat". The nearest is "template"; there are: template, '
        "word, half, end, s, io.",
    ),
    "no name": (
        lambda: Mean(3),
        'Mean: 3 is no name of a feature. Give one name, or several: "io", ["io", "s"].',
    ),
    "zero of something": (
        lambda: Zero("z"),
        "Zero('z'): Zero takes nothing. Write Zero(), or Constant(…) for other values.",
    ),
    "a constant that is no number": (
        lambda: Constant("z"),
        "Constant('z'): give a number, a tensor [size of the site's last axis], or one "
        "[positions, size], of numbers.",
    ),
    "a constant with three axes": (
        lambda: Constant(np.zeros((2, 2, 2))),
        "Constant: it is of shape [2, 2, 2]. Give a number, a tensor [size of the site's last "
        "axis], or one [positions, size].",
    ),
    "a constant that is not finite": (
        lambda: Constant([0, np.nan]),
        "Constant: it is nan at 1. Give finite numbers.",
    ),
    "a direction that is a number": (
        lambda: Steer(3, by=1),
        "Steer(3, …): it is no vector. Give a direction [size of the site's last axis].",
    ),
    "a direction that is a matrix": (
        lambda: Steer(np.eye(2), by=1),
        "Steer: it is of shape [2, 2]. Give a direction [size of the site's last axis].",
    ),
    "a direction that is not finite": (
        lambda: Steer([np.inf], by=1),
        "Steer: it is inf at 0. Give finite numbers.",
    ),
    "an amount that is no number": (
        lambda: Steer([1.0], by="much"),
        "Steer(…, by='much'): give a finite number.",
    ),
    "laws of inputs": (
        lambda: sampler_laws(Mean("template"), DATA)().case(),
        "Mean(template) draws virtual rows, and the laws of samplers are of inputs.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_mistakes_are_refused(name: str) -> None:
    mistake, message = REFUSED[name]
    with pytest.raises(UserError) as refused:
        mistake()
    assert str(refused.value) == message


def test_a_mean_below_a_generated_input_is_of_rows_that_agree_with_it() -> None:
    """Of the data: what was generated depends on how many samples there are."""
    reworded = drawn(Generate(lambda reference, generator: reference.but(tokens=[1, 2, 3])), 0, 1)
    found = Mean("template").draw(reworded, KeyedRandomness(0, ("n",), 2))
    assert isinstance(found.data.given, Averages)
    assert found.data.given.source is DATA
    assert np.flatnonzero(found.data.given.class_of == found.index[0]).tolist() == [0, 1, 4]


def test_a_mean_below_a_generated_input_that_no_row_is_like_is_refused() -> None:
    new = drawn(Generate(lambda r, generator: r.but(columns={"template": "new"})), 0)
    with pytest.raises(UserError) as refused:
        Mean("template").draw(new, KeyedRandomness(0, ("n",), 1))
    assert 'Mean(template): no row of dataset "data" agrees with it on template' in str(
        refused.value
    )
