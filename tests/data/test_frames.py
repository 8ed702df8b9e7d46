"""Datasets from frames: what a frame holds is taken as it is meant, or refused in a sentence."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hypothesis import given
from hypothesis import strategies as st
from scrub import Dataset, UserError, from_frame
from scrub.model.registry import EMBEDDED
from scrub.model.tokenizer import FileTokenizer, load_tokenizer
from support.command import inside

TOKENIZER: FileTokenizer = load_tokenizer(EMBEDDED / "ioi-planted")
TEXTS = ["When Mary and John went", "Then Anna and Paul", "Mary and John"]
MARY, JOHN = TOKENIZER.encode("Mary John")


def table(**columns: Any) -> pd.DataFrame:
    given = {"prompt": TEXTS, "io": ["Mary", "Anna", "Mary"], "at": [1, 1, 0]} | columns
    return pd.DataFrame({name: values for name, values in given.items() if values is not None})


def made(frame: pd.DataFrame, **arguments: Any) -> Dataset:
    asked = {"text": "prompt", "positions": ["at"], "labels": ["io"]} | arguments
    return from_frame(frame, **asked).make(TOKENIZER)


def problems(frame: pd.DataFrame, **arguments: Any) -> list[str]:
    with pytest.raises(UserError) as refused:
        made(frame, **arguments)
    found = [str(problem) for problem in refused.value.problems]
    assert all(problem.startswith('Dataset "frame": ') for problem in found)
    return [problem.removeprefix('Dataset "frame": ') for problem in found]


NAN, NONE = float("nan"), None
LIKE = "Give text that is one token."
FILL = 'Fill it, as in frame["{}"].fillna("none"), or drop the row or the column.'
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown word": (
        {"prompt": ["Mary", "When Rumpelstilzchen went", "Xyzzy"], "at": [0, 0, 0]},
        "column \"prompt\" has 'Rumpelstilzchen' in row 1 (2 rows are like that), which "
        "ioi-planted does not know and would read as <unk>. Give words that it knows.",
    ),
    "NaN as text": (
        {"prompt": ["Mary", NAN, "John"], "at": [0, 0, 0]},
        'column "prompt" is nan in row 1. Give text, or drop such rows.',
    ),
    "None as text": (
        {"prompt": [None, "Mary", None], "at": [0, 0, 0]},
        'column "prompt" is nan in row 0 (2 rows are like that). Give text, or drop such rows.',
    ),
    "numbers as text": (
        {"prompt": [1, 2, 3], "at": [0, 0, 0]},
        'column "prompt" is 1 in row 0 (3 rows are like that). Give text, or drop such rows.',
    ),
    "no text": (
        {"prompt": ["Mary", " ", "John"], "at": [0, 0, 0]},
        "column \"prompt\" is ' ' in row 1. Give text that is at least one token.",
    ),
    "an unknown label": (
        {"io": ["Mary", "Rumpelstilzchen", "Mary"]},
        "column \"io\" has 'Rumpelstilzchen' in row 1, which ioi-planted does not know and would "
        "read as <unk>. Give words that it knows.",
    ),
    "NaN as a label": ({"io": ["Mary", NAN, "Mary"]}, f'column "io" is nan in row 1. {LIKE}'),
    "an empty label": ({"io": ["Mary", "", "Mary"]}, f"column \"io\" is '' in row 1. {LIKE}"),
    "True as a label": ({"io": ["Mary", True, "Mary"]}, f'column "io" is True in row 1. {LIKE}'),
    "half a label": ({"io": [1.5, "Mary", "Mary"]}, f'column "io" is 1.5 in row 0. {LIKE}'),
    "a label of several tokens": (
        {"io": ["Mary", "Mary", "Mary and John"]},
        "label \"io\" is 'Mary and John' in row 2, which is 3 tokens in ioi-planted, not one.",
    ),
    "half a position": (
        {"at": [1, 0.5, 0]},
        'position column "at" is 0.5 in row 1. Give the number of a token, counted from 0, a whole '
        "number.",
    ),
    "NaN as a position": (
        {"at": [1, NAN, 0]},
        'position column "at" is nan in row 1. Give the number of a token, counted from 0, a whole '
        "number.",
    ),
    "infinity as a position": (
        {"at": [1, np.inf, 0]},
        'position column "at" is inf in row 1. Give the number of a token, counted from 0, a whole '
        "number.",
    ),
    "True as a position": (
        {"at": [True, False, True]},
        'position column "at" is True in row 0 (3 rows are like that). Give the number of a token, '
        "counted from 0, a whole number.",
    ),
    "text as a position": (
        {"at": ["1", "1", "0"]},
        "position column \"at\" is '1' in row 0 (3 rows are like that). Give the number of a "
        "token, counted from 0, a whole number.",
    ),
    "a negative position": (
        {"at": [1, -1, 0]},
        'position column "at" is -1 in row 1. Give the number of a token, counted from 0, 0 or '
        "more.",
    ),
    "a position past the end": (
        {"at": [1, 4, 3]},
        'position column "at" is 4 in row 1 (2 rows are like that), which has 4 tokens. Positions '
        "are counted from 0, the first token.",
    ),
    "NaN as a feature": (
        {"town": ["Rome", NAN, "Oslo"]},
        f'column "town" is nan in row 1. {FILL.format("town")}',
    ),
    "None as a feature": (
        {"town": pd.Series(["Rome", None, 3], dtype=object)},
        f'column "town" is None in row 1. {FILL.format("town")}',
    ),
    "NA as a feature": (
        {"age": pd.Series([1, pd.NA, 3], dtype=object)},
        f'column "age" is <NA> in row 1. {FILL.format("age")}',
    ),
    "no time as a feature": (
        {"when": pd.to_datetime(["2020-01-01", None, "2020-01-02"])},
        f'column "when" is None in row 1. {FILL.format("when")}',
    ),
    "lists as features": (
        {"names": [["Mary"], ("Anna",), ["John", "Mary"]]},
        "column \"names\" is ['Mary'] in row 0 (2 rows are like that). Give a text, a number or a "
        "tuple.",
    ),
    "an end of one's own": (
        {"end": [4, 3, 2]},
        'column "end" would be a feature, and every dataset has a position of that name, the last '
        'token. Rename it; or give positions=["end"] if it says where that is.',
    ),
    "a name that cannot be printed": (
        {"a\x1b[1m": 1},
        "column 'a\\x1b[1m' has characters that cannot be printed. Give a plain name.",
    ),
    "a name in two lines": (
        {"a\nb": 1},
        "column 'a\\nb' has characters that cannot be printed. Give a plain name.",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_frame_may_not_hold(what: str) -> None:
    columns, message = REFUSED[what]
    assert problems(table(**columns)) == [message]


def test_all_problems_are_told_at_once() -> None:
    wrong = ["an unknown label", "half a position", "NaN as a feature", "no text"]
    columns: dict[str, Any] = {}
    for what in wrong:
        columns |= REFUSED[what][0]
    assert len(problems(table(**columns | {"at": [0.5, 0, 0]}))) == len(wrong)
    frame = table(end=[1, 1, 1])
    frame.columns = ["prompt", "io", "io", "end"]
    assert problems(frame, labels=["who"], tokens="prompt") == [
        "give either text= or tokens=, the name of a column.",
        'the frame has 2 columns "io". Rename or drop all but one.',
        'column "prompt" is given as text= and tokens=. A column is one of them.',
        'the frame has no column "at". There are: prompt, io, io, end.'.replace("io, io", "io"),
        'the frame has no column "who". There are: prompt, io, end.',
        REFUSED["an end of one's own"][1],
    ]


TOKEN_LISTS: dict[str, tuple[Any, str]] = {
    "half a token": ([[1, 3.5]], 'has 3.5 at 1 in row 0. Token ids are whole numbers, 0 or more.'),
    "a negative token": ([[1], [2, -3]], "has -3 at 1 in row 1. Token ids are whole numbers, 0 or "
    "more."),
    "True": ([[1, 2], [True]], "has True at 0 in row 1. Token ids are whole numbers, 0 or more."),
    "NaN": ([[NAN]], "has nan at 0 in row 0. Token ids are whole numbers, 0 or more."),
    "None": ([[1, None]], "has None at 1 in row 0. Token ids are whole numbers, 0 or more."),
    "text": ([["1"]], "has '1' at 0 in row 0. Token ids are whole numbers, 0 or more."),
    "too large": ([[2**63]], f"has {2**63} at 0 in row 0. Token ids are whole numbers, 0 or more."),
    "no list": ([[1], 5], "is 5 in row 1. Give a list of token ids."),
    "a string": (["12"], "is '12' in row 0. Give a list of token ids."),
    "an empty list": ([[1], []], "is [] in row 1. Give a list of token ids."),
    "lists in lists": ([[[1, 2]]], "is [[1, 2]] in row 0. Give a list of token ids."),
    "a mapping": ([{1: 2}], "is {1: 2} in row 0. Give a list of token ids."),
}  # fmt: skip


@pytest.mark.parametrize("what", TOKEN_LISTS)
def test_what_a_list_of_tokens_may_not_hold(what: str) -> None:
    lists, message = TOKEN_LISTS[what]
    frame = pd.DataFrame({"ids": pd.Series(lists, dtype=object)})
    assert problems(frame, text=None, tokens="ids", positions=(), labels=()) == [
        f'column "ids" {message}'
    ]


def test_what_is_no_frame_or_no_table() -> None:
    with pytest.raises(UserError, match="takes a pandas frame, not a list"):
        from_frame([1, 2], text="prompt")  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"positions is 5\. Give names of columns, in a list"):
        from_frame(table(), text="prompt", positions=5)  # type: ignore[arg-type]
    assert problems(table().iloc[:0]) == ["the frame has no rows."]
    assert problems(table(), text=None) == ["give either text= or tokens=, the name of a column."]
    assert problems(table(), positions=["io"]) == [
        'column "io" is given as positions= and labels=. A column is one of them.'
    ]
    levels = table()
    levels.columns = pd.MultiIndex.from_product([["x"], levels.columns])
    assert problems(levels) == [
        "the frame's columns have several levels. Give each one name: "
        'frame.columns = ["_".join(map(str, levels)) for levels in frame.columns].'
    ]


def same(one: Dataset, other: Dataset) -> bool:
    return (
        one.sha256 == other.sha256
        and one.pieces == other.pieces
        and repr((one.columns, one.positions, one.labels))
        == repr((other.columns, other.positions, other.labels))
    )


KINDS = ["int8", "uint8", "int32", "float32", "float64", "Int64", "Float64", "UInt8", "object"]


@pytest.mark.parametrize("kind", KINDS)
def test_whole_numbers_are_positions_whatever_their_type(kind: str) -> None:
    """As 64 bits: arithmetic with 8 would overflow."""
    dataset = made(table(at=pd.array([1, 1, 0], dtype=kind)))
    assert dataset.positions["at"].dtype == np.int64
    assert same(dataset, made(table()))


def test_a_column_that_once_lacked_a_value_is_taken() -> None:
    frame = pd.concat([table(), pd.DataFrame({"prompt": ["x"]})]).iloc[:3]
    assert frame["at"].dtype == float
    assert same(made(frame), made(table()))
    numbers = table(io=None, answer=pd.Series([MARY, MARY, NAN])).iloc[:2]
    lists = numbers.assign(ids=[[float(MARY), 3.0], np.array([4], dtype=np.uint8)], at=0)
    found = made(lists.drop(columns="prompt"), text=None, tokens="ids", labels=())
    assert found.inputs["tokens"].tolist() == [[MARY, 3], [4, TOKENIZER.pad]]


def test_rows_are_taken_in_order_whatever_the_index_says() -> None:
    plain = made(table())
    for index in (
        [5, 5, 5],
        ["b", "a", "b"],
        [2, 1, 0],
        pd.MultiIndex.from_arrays([[1, 1, 2]] * 2),
    ):
        assert same(made(table().set_axis(index)), plain)
    (found,) = problems(table(at=[1, 9, 9]).set_axis(["b", "a", "a"]))
    assert found.startswith(
        "position column \"at\" is 9 in row 1 (index 'a') (2 rows are like that)"
    )


def test_one_name_is_one_column() -> None:
    assert same(made(table(), positions="at", labels="io"), made(table()))


def test_the_tokenizer_s_own_words_may_stand_in_a_text() -> None:
    dataset = made(table(prompt=["<unk> Mary", "<pad> John", "Mary"], at=0, io="<unk>"))
    assert dataset.inputs["tokens"][0].tolist() == [TOKENIZER.unknown, MARY]
    assert problems(table(prompt=["<unk> Zzz", "Mary", "Mary"], at=0))[0].startswith(
        "column \"prompt\" has 'Zzz' in row 0"
    )


def test_features_keep_their_values() -> None:
    days = pd.to_datetime(["2020-01-01", "2020-01-01", "2020-01-02"])
    frame = table(age=[1.5, 2.5, 1.5], day=days, pair=[("a", 1), ("b", 2), ("a", 1)], yes=True)
    dataset = made(frame.assign(kind=pd.Categorical(["x", "y", "x"]))).columns
    assert dataset["age"].tolist() == [1.5, 2.5, 1.5]
    assert dataset["pair"].tolist() == [("a", 1), ("b", 2), ("a", 1)]
    assert dataset["kind"].tolist() == ["x", "y", "x"]
    assert dataset["yes"].dtype == bool


@given(st.data())
def test_a_position_is_taken_if_it_is_a_token_of_its_row_and_else_refused(
    data: st.DataObject,
) -> None:
    numbers = st.one_of(st.integers(-3, 6), st.floats(-3, 6), st.just(NAN), st.booleans())
    given = data.draw(st.lists(numbers, min_size=3, max_size=3))
    lengths = [len(TOKENIZER.encode(text)) for text in TEXTS]
    legal = [
        not isinstance(value, bool) and value == round(value) and 0 <= value < length
        if value == value
        else False
        for value, length in zip(given, lengths, strict=True)
    ]
    frame = table(at=pd.Series(given, dtype=object))
    if all(legal):
        assert made(frame).positions["at"].tolist() == [int(value) for value in given]
    else:
        assert any('position column "at"' in problem for problem in problems(frame))


def test_on_the_command_line(tmp_path: Path) -> None:
    """`scrub check` says it; and no line of scrub's own is named."""
    text = """
    import pandas as pd
    from scrub import Correspondence, Exact, InterpNode, claim, from_frame, output
    from scrub.metrics import logit_diff
    MODEL = "ioi-planted"
    FRAME = pd.DataFrame({"prompt": ["When Mary", "When Zzz"], "a": ["Mary", 3.5], "b": "John"})

    @claim(data=from_frame(FRAME, text="prompt", labels=["a", "b"]), metric=logit_diff("a", "b"))
    def names(model):
        return Correspondence({InterpNode("logits", Exact()): output(at="end")})
    """
    (tmp_path / "names.py").write_text(dedent(text))
    for command in ("check", "test"):
        done = inside(command, "names.py", cwd=tmp_path)
        assert (done.code, done.out) == (2, "")
        assert done.err == (
            'error: names.py::names: Dataset "frame": column "prompt" has \'Zzz\' in row 1, which '
            "ioi-planted does not know and would read as <unk>. Give words that it knows.\n"
            'error: names.py::names: Dataset "frame": column "a" is 3.5 in row 1. Give text that '
            "is one token.\n"
        )
