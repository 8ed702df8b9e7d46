"""Which claims a file has, and which files of a folder are executed: none is lost in silence."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from scrub.errors import UserError
from scrub.hypothesis.collect import collect
from support.command import inside

FACTORY = """
from scrub import Claim, claim

def make(feature, name=None):
    @claim(data=1, metric=1, name=name)
    def by(model):
        return feature
    return by
"""


def names(file: Path, text: str) -> list[str]:
    file.write_text(dedent(FACTORY) + dedent(text))
    return [item.claim.name for item in collect([str(file)])]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('one = make("io")\ntwo = make("s", "two")', ["by", "two"]),
        ('claims = [make(x, f"by_{x}") for x in ("io", "s")]', ["by_io", "by_s"]),
        ('claims = {x: (make(x, x), [make(x, x * 2)]) for x in "ab"}', ["a", "aa", "b", "bb"]),
        ('for x in "ab":\n    last = make(x, x)', ["a", "b"]),
        ("class Suite:\n    one = make(1, 'one')\nSuite.two = make(2, 'two')", ["one", "two"]),
        ('def all_of():\n    make(1, "lost")\nall_of()', ["lost"]),
        ("one = make(1)\nagain = one\nlisted = [one, [one]]\nlisted.append(listed)", ["by"]),
        ("globals().update(b=Claim('b', 1, 1, 1), a=Claim('a', 1, 1, 1))", ["b", "a"]),
    ],
)
def test_every_claim_that_a_file_makes_is_found_once(
    text: str, found: list[str], tmp_path: Path
) -> None:
    assert names(tmp_path / "file.py", text) == found


def test_claims_of_an_imported_set_come_by_their_lines_and_names(
    tmp_path: Path,
) -> None:
    """A set orders them by their addresses: another order in each process."""
    made = 'imported = {make(x, x) for x in ("c", "a", "d", "b", "f", "e", "h", "g")}\n'
    (tmp_path / "many.py").write_text(FACTORY + made)
    assert names(tmp_path / "one.py", "from many import imported") == list("abcdefgh")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('one = make("io")\ntwo = make("s")', "line 9 and line 10"),
        ('claims = [make(x) for x in ("io", "s")]', "line 9 (2 times)"),
        (
            'for x in ("io", "s"):\n    by = make(x)\nother = make(1)',
            "line 10 (2 times) and line 11",
        ),
        ("by = make(1)\n@claim(data=1, metric=1)\ndef by(model): ...", "line 9 and line 10"),
    ],
)
def test_claims_of_one_name_are_refused_with_their_lines(
    text: str, lines: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as refused:
        names(tmp_path / "file.py", text)
    number = 3 if "other" in text else 2
    assert str(refused.value) == (
        f'{tmp_path}/file.py: {number} claims are called "by": they are made in {lines}. '
        'Give each a name of its own: @claim(name="…", …).'
    )


def test_an_imported_claim_is_found_and_keeps_its_line(tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text(FACTORY + 'imported = make(1)\nunnamed = [make(2, "b")]\n')
    found = names(tmp_path / "second.py", 'from first import imported\nown = make(3, "own")')
    assert found == ["by", "own"]
    with pytest.raises(UserError, match=r'called "by": they are made in first.py:9 and line 10\.'):
        names(tmp_path / "third.py", "from first import imported\nown = make(3)")


def test_a_file_named_twice_is_loaded_once(tmp_path: Path) -> None:
    file = tmp_path / "file.py"
    names(file, "one = make(1)\nopen('loaded.txt', 'a').write('x')".replace("loaded", str(file)))
    (tmp_path / "link.py").symlink_to(file)
    found = collect([str(file), f"{file}::by", str(tmp_path / "link.py"), str(tmp_path)])
    assert [item.name for item in found] == [f"{file}::by"]
    assert Path(f"{file}.txt").read_text() == "xx"


def test_a_folder_s_files_that_declare_no_claim_are_not_executed(tmp_path: Path) -> None:
    boom = "raise SystemExit('executed')\n"
    (tmp_path / "claims.py").write_text(FACTORY + "one = make(1)\n")
    (tmp_path / "lazy.py").write_text("def claims():\n    from scrub.metrics import kl\n")
    (tmp_path / "train.py").write_text(f"import torch, scrubbed\nfrom .scrub import x\n{boom}")
    (tmp_path / "_old.py").write_text(f"import scrub\n{boom}")
    (tmp_path / "legacy.py").write_text('print "python 2"\n')
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere")
    notes: list[str] = []
    found = collect([str(tmp_path)], note=notes.append)
    assert [item.claim.name for item in found] == ["by"]
    assert notes == [
        f"left out of {tmp_path}: _old.py (its name begins with _), gone.py (not a file), "
        "legacy.py (not Python), train.py (does not import scrub)"
    ]
    for number in range(9):
        (tmp_path / f"z{number}.py").write_text(boom)
    collect([str(tmp_path)], note=notes.append)
    assert notes[1].endswith("z0.py (does not import scrub) and 8 more")
    (tmp_path / "broken.py").write_text("from scrub import (\n")
    done = inside("check", tmp_path)
    assert done.code == 2
    assert f"error: {tmp_path}/broken.py:1: Syntax error" in done.err
    assert done.err.startswith(f"left out of {tmp_path}: _old.py")


def test_folders_in_a_folder_are_named_where_they_may_hold_claims(tmp_path: Path) -> None:
    (tmp_path / "claims.py").write_text(FACTORY + "one = make(1)\n")
    for folder in ("deeper", "plain", "_private", ".hidden"):
        (tmp_path / folder).mkdir()
        imports = "" if folder == "plain" else "import scrub\n"
        (tmp_path / folder / "more.py").write_text(f"{imports}raise SystemExit('executed')\n")
    notes: list[str] = []
    assert len(collect([str(tmp_path)], note=notes.append)) == 1
    assert notes == [f"left out of {tmp_path}: deeper/ (a folder: name it too)"]


# Modules beside a file


HELPED = """
from scrub import claim

@claim(data=1, metric=1)
def by(model):
    import helper
    from deep.inner import VALUE
    from deep import inner
    import deep.inner as same
    assert inner is same and VALUE == inner.VALUE
    return helper.NAME, helper.later(), VALUE
"""


def folder(path: Path, name: str) -> Path:
    (path / "deep").mkdir(parents=True)
    (path / "deep" / "__init__.py").write_text("from . import inner\n")
    (path / "deep" / "inner.py").write_text(f"VALUE = {name + ' inner'!r}\n")
    (path / "bare").mkdir()
    (path / "bare" / "deeper.py").write_text(f"VALUE = {name + ' deeper'!r}\n")
    (path / "helper.py").write_text(
        f"NAME = {name!r}\ndef later():\n    import bare.deeper\n    return bare.deeper.VALUE\n"
    )
    (path / "file.py").write_text(HELPED)
    return path / "file.py"


def test_each_folder_s_files_import_what_lies_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a claim's function, which runs after loading, and where two have one name."""
    monkeypatch.chdir(tmp_path)
    files = [folder(tmp_path / name, name) for name in ("one", "two")]
    (tmp_path / "helper.py").write_text("NAME = 'of the working directory'\n")
    monkeypatch.syspath_prepend(tmp_path)
    one, two = collect(map(str, files))
    for _ in range(2):
        assert one.claim.build(None) == ("one", "one deeper", "one inner")
        assert two.claim.build(None) == ("two", "two deeper", "two inner")


def test_a_module_that_is_not_there_is_called_as_the_file_calls_it(tmp_path: Path) -> None:
    file = folder(tmp_path, "one")
    for statement, message in {
        "import nowhere": "ModuleNotFoundError: No module named 'nowhere'",
        "import deep.nowhere": "ModuleNotFoundError: No module named 'deep.nowhere'",
        "from helper import nothing": "ImportError: cannot import name 'nothing' from 'helper' "
        f"({tmp_path}/helper.py)",
        "from . import nowhere": "ImportError: cannot import name 'nowhere' from",
    }.items():
        file.write_text(f"import scrub\n{statement}\n")
        with pytest.raises(UserError) as refused:
            collect([str(file)])
        assert str(refused.value).startswith(f"{file}:2: Loading it failed: {message}")
        assert "_scrub_beside" not in str(refused.value)


def test_python_s_own_modules_and_scrub_are_not_shadowed(tmp_path: Path) -> None:
    file = tmp_path / "file.py"
    for name in ("random", "scrub"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit\n")
    found = names(file, "import random\nfrom datetime import date\none = make(random.random())")
    assert found == ["by"]
