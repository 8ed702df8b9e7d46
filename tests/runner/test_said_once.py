"""What claims share is made once, and what is wrong with it said once, in lines of the user's."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from scrub.errors import UserError
from scrub.hypothesis.collect import collect
from scrub.runner import session
from scrub.runner.options import Options
from scrub.runner.prepare import prepare
from scrub.runner.session import Session
from support.bad_input import HEADER
from support.command import inside

CLAIMS = """
def make(name, data=DATA, metric=logit_diff("io", "s"), **more):
    @claim(data=data, metric=metric, name=name, **more)
    def legal(model):
        return Correspondence({InterpNode("logits", Exact()): output(at="end")})
    return legal
"""


def errors(folder: Path, text: str, *arguments: str) -> list[str]:
    (folder / "file.py").write_text(HEADER + CLAIMS + dedent(text))
    done = inside("check", "file.py", *arguments, cwd=folder)
    assert (done.code, done.out) == (2, "")
    assert "scrub/" not in done.err
    return [line.removeprefix("error: file.py") for line in done.err.splitlines()]


def test_a_model_that_is_not_there_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    describe = session.describe
    monkeypatch.setattr(session, "describe", lambda name: (asked.append(name), describe(name))[1])
    all_of = 'claims = [make(name) for name in "abcde"]\n'
    message = ': There is no model "ioi-plantedd". The nearest is "ioi-planted"; there are: '
    (found,) = errors(tmp_path, all_of, "--model", "ioi-plantedd")
    assert found.startswith(message)
    assert asked == ["ioi-plantedd"]
    some = all_of + 'other = make("other", model="ioi-plantedd")'
    (found,) = errors(tmp_path, some)
    assert found.startswith(f"::other{message}")
    text = 'claims = [make(name, model="ioi-plantedd") for name in "abcde"]\nother = make("f")'
    (found,) = errors(tmp_path, text)
    assert found.startswith(f"::a, b, c, 2 more{message}")
    (found,) = errors(tmp_path, text.replace("abcde", "abcd"))
    assert found.startswith(f"::a, b, c, d{message}")


def test_data_that_cannot_be_made_is_made_and_said_once(tmp_path: Path) -> None:
    text = """
    def failing(tokenizer):
        print("made")
        return 1 / 0

    RECIPE = Recipe("failing", failing)
    claims = [make(name, data=RECIPE) for name in "abc"]
    """
    (tmp_path / "file.py").write_text(HEADER + CLAIMS + dedent(text))
    done = inside("check", "file.py", cwd=tmp_path)
    line = 1 + (HEADER + CLAIMS + dedent(text)).splitlines().index("    return 1 / 0")
    assert (done.code, done.out) == (2, "made\n")
    assert done.err == (
        f"error: file.py: Making the data failed in line {line} of file.py: ZeroDivisionError: "
        "division by zero.\n"
    )


def test_no_line_of_scrub_is_named_where_a_column_is_meant(tmp_path: Path) -> None:
    text = """
    import pandas as pd

    class Odd:
        def __repr__(self):
            return "an odd one"
        def __hash__(self):
            raise ValueError("no hash")

    FRAME = pd.DataFrame({"prompt": ["Mary"], "io": ["Mary"], "odd": [Odd()]})
    one = make("one", from_frame(FRAME, text="prompt", labels="io"), logit_diff("io", "io"))
    """
    (found,) = errors(tmp_path, text)
    assert found.startswith('::one: Dataset "frame": column "odd" is an odd one in row 0. Give a ')


def test_a_failure_is_kept_with_what_failed() -> None:
    """Or another recipe that lies at its address later would be taken for it."""
    session = Session()

    def failing() -> Any:
        raise UserError("once")

    source: Any = object()
    with pytest.raises(UserError):
        session._tried(id(source), source, failing)
    ((kept, _),) = session._failed.values()
    assert kept is source


def test_problems_of_one_claim_are_its_own(tmp_path: Path) -> None:
    text = """
    @claim(data=DATA, metric=logit_diff("io", "who"))
    def wrong(model):
        return Correspondence({InterpNode("logits", Exact()): output(at="end")})

    right = make("right")
    """
    (found,) = errors(tmp_path, text)
    assert found.startswith("::wrong: Metric ")
    assert prepare(collect([str(tmp_path / "file.py::right")]), Session(), Options())
