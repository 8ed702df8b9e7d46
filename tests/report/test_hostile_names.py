"""Names that look like markup, or would control a terminal: shown, spelled out or refused.

Wherever something of the user's is printed, or becomes part of a file.
"""

from __future__ import annotations

import json
import os
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scrub
from hypothesis import given
from hypothesis import strategies as st
from scrub import Claim, Correspondence, Dataset, Exact, InterpNode, UserError, site
from scrub.metrics import custom
from scrub.model.arithmetic import graph, node, source
from scrub.printing import name_problem, printable
from support.command import inside
from support.web_page import read

ODD = "[b]:x:\\[/]$_<&{\\"
"""Printable, and not what it seems to rich, to matplotlib, in XML, in a format."""
HOSTILE = "\x1b[31mred\x1b]0;title\x07\r\u202e\x9b2J"
"""What a terminal would obey."""
SPELLED = r"\x1b[31mred\x1b]0;title\x07\r\u202e\x9b2J"

CLAIM = "[b]:x:$_<&"
BELIEF = ODD + SPELLED.replace(r"\r", "")

FILE = f"""
import numpy as np
import torch
from scrub import *
from scrub.metrics import custom
from scrub.model.arithmetic import graph, node, source

N, HOSTILE = {ODD!r}, {HOSTILE!r}
BITS = (np.arange(8)[:, None] >> np.arange(3)) & 1
MODEL = graph(
    source("x" + N),
    source("y" + N),
    node("xy" + N, lambda a, b: a * b, a="x" + N, b="y" + N),
    node("out", lambda a, b: a + b, a="xy" + N, b="y" + N),
)
DATA = Dataset(
    "data" + N,
    {{"x" + N: BITS[:, 0], "y" + N: BITS[:, 1]}},
    np.ones(8),
    columns={{
        "is" + N: [f"{{N}}{{x}}" for x in BITS[:, 0]],
        "out": BITS[:, 0] * BITS[:, 1] + BITS[:, 1],
        "hostile": [f"{{HOSTILE}} {{x}}" for x in BITS[:, 1]],
    }},
)


def distance(out, references):
    return (out.flatten() - torch.tensor(references.feature("out"))) ** 2


def made(model):
    root = InterpNode("root" + N, Exact())
    leaf = root.child("leaf" + N, Agree("is" + N))
    return Correspondence({{root: site("out"), leaf: site("xy" + N)}})


distance.__name__ = "by" + N
made.__doc__ = N + HOSTILE.replace(chr(13), '')
claimed = claim(name={CLAIM!r}, data=DATA, metric=[custom(distance)] * 2)(made)
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("names") / f"a [b] :x: {HOSTILE[:5]}"
    folder.mkdir()
    (folder / "[b]:x:.py").write_text(FILE)
    return folder / "[b]:x:.py"


COMMANDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "test": (
        ("-v", "--diagnose", "--samples", "50", "--by", f"is{ODD}"),
        ("[b]:x:.py on graph: mean by[b]", "rows: data{}", "root{} ", "  leaf{} ", "{}0 ", "is{} ",
         "Agree(is{})", "xy{} ", "[b]:x:$_<& against nulls", "leaf{} ", "by{} "),
    ),
    "test by values": (
        ("--samples", "50", "--by", "hostile", "--no-diagnose"),
        (f"{SPELLED} 0 ", f"{SPELLED} 1 "),
    ),
    "show": (("--row", "3"), ("root{} (out)", "own   Agree(is{}): row ", "'x[b]")),
    "plan": (("-v",), (BELIEF, "root{}: out", "leaf{}: xy{}", " xy{}", "Agree(is{})")),
    "explain": (("--samples", "50"), ("root{} ", "  leaf{} ", "Agree(is{})", "(row ")),
    "check": ((), ("data: data{}", "Agree(is{}): agreement")),
    "compare": (("--samples", "50"), ("second: ", "data: data{}", "[b]:x:$_<& ")),
}  # fmt: skip


@pytest.mark.parametrize("what", COMMANDS)
def test_what_is_printed_is_what_was_named(what: str, file: Path) -> None:
    arguments, said = COMMANDS[what]
    command = what.split()[0]
    target = f"{file.name}::{CLAIM}"
    given = [file.name] if command == "check" else [target, *([target] * (command == "compare"))]
    done = inside(command, *given, *arguments, cwd=file.parent)
    assert done.code == 0, done.err
    assert re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.out + done.err) == []
    for words in said:
        assert words.replace("{}", ODD) in done.out, words


def test_pictures_and_files_hold_what_was_named(file: Path, tmp_path: Path) -> None:
    for command in (("plan", "--svg"), ("explain", "--samples", "50", "--plot")):
        done = inside(command[0], file, *command[1:], "a.svg", cwd=tmp_path)
        assert done.code == 0, done.err
        texts = ElementTree.parse(tmp_path / "a.svg").getroot().itertext()
        said = "".join("".join(texts).split())
        assert "".join(f"leaf{ODD}".split()) in said
        assert "".join(BELIEF.split()) in said
    options = ("--samples", "50", "--json", "r.json", "--save-run", "runs")
    pages = ("--html", "r.html", "--junit", "r.xml")
    assert inside("test", file, *options, *pages, cwd=tmp_path).code == 0
    (found,) = json.loads((tmp_path / "r.json").read_text())["results"]
    assert found["claim"] == CLAIM
    assert found["file"] == str(file)
    assert found["data"]["name"] == f"data{ODD}"
    assert found["nodes"][1]["path"] == [f"root{ODD}", f"leaf{ODD}"]
    page = read((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert page.problems == []
    for words in (CLAIM, BELIEF, f"leaf{ODD}", f"Agree(is{ODD})", f"data{ODD}", f"by{ODD}"):
        assert " ".join(words.split()) in page.text
    (case,) = ElementTree.parse(tmp_path / "r.xml").getroot().iter("testcase")
    assert case.attrib["name"] == CLAIM
    (record,) = tmp_path.rglob("run.json")
    assert record.parent == tmp_path / "runs" / CLAIM
    assert json.loads(record.read_text())["tree"][1]["path"] == found["nodes"][1]["path"]


def test_a_file_name_that_is_no_text(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(folder)
    file = Path(os.fsdecode(folder)) / "file.py"
    file.write_text(FILE)
    options = ("--samples", "9", "--json", "r.json", "--save-run", "runs")
    done = inside("test", file, *options, "--html", "r.html", "--junit", "r.xml", cwd=tmp_path)
    assert done.code == 0, done.err
    assert r"\udcff/file.py on graph" in done.out
    assert r"\udcff/file.py on graph" in read((tmp_path / "r.html").read_text("utf-8")).text
    assert ElementTree.parse(tmp_path / "r.xml").getroot().attrib["tests"] == "1"
    (found,) = json.loads((tmp_path / "r.json").read_text())["results"]
    (record,) = tmp_path.rglob("run.json")
    assert found["file"] == json.loads(record.read_text())["file"] == str(file)
    file.write_text("import scrub\nraise ValueError('\\x1b[31m')\n")
    done = inside("check", file)
    assert done.err.endswith("\\udcff/file.py:2: Loading it failed: ValueError: \\x1b[31m.\n")


# What cannot be a name


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (
            "a\nb",
            "A node's name: 'a\\nb' has characters that cannot be printed. Give a plain name.",
        ),
        (HOSTILE, f"A node's name: '{SPELLED}' has characters that cannot be printed."),
        (5, "A node's name: 5 is no name. Give one in quotes."),
        (None, "A node's name: None is no name. Give one in quotes."),
    ],
)
def test_names_of_nodes_that_are_refused(name: Any, problem: str) -> None:
    model = graph(source("x"), node("y", lambda x: x + 1, x="x"))
    data = Dataset("rows", {"x": np.arange(4.0)}, np.ones(4))

    def build(model: object) -> Correspondence:
        return Correspondence({InterpNode(name, Exact()): site("y")})

    metric = custom(lambda value, references: value.flatten())
    with pytest.raises(UserError) as refused:
        scrub.run(Claim("claim", build, data, metric, model=model))
    (found,) = refused.value.problems
    assert f"{found.what} {found.fix}".startswith(problem)
    assert printable(str(found)) == str(found)
    with pytest.raises(UserError, match="A node of the graph: "):
        graph(source(name))


@given(st.text())
def test_what_is_printable_stays_and_nothing_else_is_left(text: str) -> None:
    shown = printable(text)
    assert printable(shown) == shown
    shown.encode()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown)
    if not name_problem(text):
        assert shown == text
