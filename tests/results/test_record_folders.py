"""Records of claims go to folders of their own, whatever files and claims are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scrub import Claim, UserError
from scrub.hypothesis.collect import collect
from support.command import SUMS, inside
from support.paths import ROOT

FILE = (ROOT / SUMS).read_text(encoding="utf-8")


def records(folder: Path) -> dict[str, str]:
    """The folder of every record, and the file that it says it is about."""
    return {
        str(path.parent.relative_to(folder)): json.loads(path.read_text())["file"]
        for path in folder.rglob("run.json")
    }


def test_files_of_one_name_in_different_folders(tmp_path: Path) -> None:
    for name in ("one/sums.py", "two/deep/sums.py", "two/other.py", "two/...py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(FILE, encoding="utf-8")
    targets = ["one/sums.py::by_hand", "two/deep/sums.py::by_hand", "two/other.py::only_x"]
    options = ("--samples", "9", "--no-diagnose", "--save-run")
    done = inside("test", *targets, *options, "runs", cwd=tmp_path)
    assert done.err == ""
    assert records(tmp_path / "runs") == {
        "one/sums/by_hand": "one/sums.py",
        "two/deep/sums/by_hand": "two/deep/sums.py",
        "only_x": "two/other.py",
    }
    targets = ["two/...py::by_hand", "two/other.py::by_hand"]
    assert inside("test", *targets, *options, "more", cwd=tmp_path).code == 0
    assert records(tmp_path / "more") == {
        "...py/by_hand": "two/...py",
        "other/by_hand": "two/other.py",
    }


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a/b", 'A claim cannot be called "a/b": a folder of that name is its record. '),
        ("a\\b", 'A claim cannot be called "a\\b": '),
        ("..", 'A claim cannot be called "..": '),
        (".", 'A claim cannot be called ".": '),
        ("", "@claim: a name is empty."),
        (" ", "@claim: a name is empty."),
        ("a\nb", "@claim: 'a\\nb' has characters that cannot be printed. Give a plain name."),
        ("\x1b[31mred", "@claim: '\\x1b[31mred' has characters that cannot be printed."),
        ("a\0b", "@claim: 'a\\x00b' has characters that cannot be printed."),
        ("\udcff", "@claim: '\\udcff' has characters that cannot be printed."),
        (5, "@claim: 5 is no name. Give one in quotes."),
        ("ä" * 101, "A claim's name has at most 200 bytes; "),
    ],
)
def test_what_a_claim_cannot_be_called(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        Claim(name, lambda model: model, 1, 1)
    assert str(refused.value).startswith(message)
    file = tmp_path / "file.py"
    file.write_text(f"import scrub\n@scrub.claim(data=1, metric=1, name={name!a})\ndef f(m): ...\n")
    with pytest.raises(UserError) as refused:
        collect([str(file)])
    assert str(refused.value).startswith(f"{file}:2: {message}")


@pytest.mark.parametrize("name", ["[bold]", "a b: c", "ä", "...", "-x", "by [red]io", "~"])
def test_other_names_are_names_of_folders(name: str, tmp_path: Path) -> None:
    text = FILE + f"\n@claim(data=DATA, metric=custom(distance), name={name!r})\n"
    text += "def named(model):\n    return by_hand.build(model)\n"
    (tmp_path / "sums.py").write_text(text, encoding="utf-8")
    done = inside("test", f"sums.py::{name}", "--samples", "9", "--save-run", "runs", cwd=tmp_path)
    assert done.code == 0, done.err
    assert records(tmp_path / "runs") == {name: "sums.py"}
