"""What README and docs show runs, and prints what they show."""

from __future__ import annotations

import functools
import re
import runpy
from contextlib import chdir
from pathlib import Path

import pytest

from scrub import Claim
from support.code_blocks import Shown, blocks, lines_of, not_printed, shown_on, write_modules
from support.command import IOI, Finished, inside
from support.llava_7b import write_llava_7b
from support.paths import ROOT

PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if path.parent.name != "cards"  # copies of models' cards, which a build of the site makes
}
SEVERAL_FILES = {"docs/extend/model_family.md": "tests/docs/test_model_family.py"}
"""Pages whose blocks are files that import each other, and the tests that run them as pasted."""
IN_ORDER = ("docs/ioi.md", "docs/report.md", "docs/rgb.md")
"""Pages whose commands read what earlier ones wrote; they run in one directory, in order."""
REFUSED = "refused.py"
"""A page's file whose claims are illegal: what is said of them is on standard error."""
LLAVA = "llava-1.5-7b"
"""The directory of a model that a page plans for; its configuration is written there."""
WITH_PYTHON = [
    name for name, page in PAGES.items() if "```python" in page and name not in SEVERAL_FILES
]
SHOWN = [
    pytest.param(name, shown, id=f"{name}:{shown.line}")
    for name, page in PAGES.items()
    if name not in IN_ORDER
    for shown in shown_on(page)
]


@functools.cache
def printed(*arguments: str) -> Finished:
    """What a command prints in the repository; README and docs show some of them twice."""
    return inside(*arguments)


def run_python(page: str, folder: Path) -> None:
    """Run the page's Python; claims that it makes must be legal."""
    for file in write_modules(page, folder):
        with chdir(folder):
            made = runpy.run_path(str(file))
        if any(isinstance(value, Claim) for value in made.values()):
            done = inside("check", file.name, cwd=folder)
            assert done.code == (2 if file.name == REFUSED else 0), done.err


def missing(page: str, shown: Shown, folder: Path) -> list[str]:
    """Lines that the page shows of a command and that are not printed.

    The repository's circuits lie beside the page's file.
    """
    files = write_modules(page, folder)
    if not (folder / "circuits").exists():
        (folder / "circuits").symlink_to(ROOT / "circuits")
    if any(argument.startswith(file.name) for argument in shown.arguments for file in files):
        done = inside(*shown.arguments, cwd=folder)
    else:
        done = printed(*shown.arguments)
    if REFUSED in shown.arguments:
        return not_printed(shown.output, done.err)
    assert done.err == ""
    return not_printed(shown.output, done.out)


def missing_in_order(page: str, folder: Path) -> dict[str, list[str]]:
    """Of each command of the page, run one after the other, the lines that are not printed.

    The folder stands for the repository's root, in which a reader writes the page's file.
    """
    write_modules(page, folder)
    (folder / "hypotheses").symlink_to(ROOT / "hypotheses")
    if f"--model {LLAVA}" in page:
        write_llava_7b(folder / LLAVA)
    found = {}
    for shown in shown_on(page):
        done = inside(*shown.arguments, cwd=folder)
        assert done.err == "", shown.arguments
        if lines := not_printed(shown.output, done.out):
            found[" ".join(shown.arguments)] = lines
    return found


@pytest.mark.parametrize("name", WITH_PYTHON)
def test_python_runs(name: str, tmp_path: Path) -> None:
    run_python(PAGES[name], tmp_path)


def test_pages_of_several_files_have_tests_of_their_own() -> None:
    for page, test in SEVERAL_FILES.items():
        assert Path(page).name in (ROOT / test).read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "shown"), SHOWN)
def test_what_is_shown_is_printed(name: str, shown: Shown, tmp_path: Path) -> None:
    assert missing(PAGES[name], shown, tmp_path) == []


@pytest.mark.parametrize("name", IN_ORDER)
def test_what_is_shown_is_printed_in_order(name: str, tmp_path: Path) -> None:
    assert missing_in_order(PAGES[name], tmp_path) == {}


def test_readmes_table_is_what_its_command_prints() -> None:
    """All of it, at the samples that it says; the command installs scrub first, which CI does."""
    command, table, *_ = blocks(PAGES["README.md"])
    assert command.text.endswith(f"&& scrub test {IOI}\n")
    assert lines_of(table.text) == lines_of(printed("test", IOI).out)


def test_few_blocks_are_not_run_and_they_say_why() -> None:
    reasons = [block.reason for page in PAGES.values() for block in blocks(page) if block.reason]
    of_files = [
        reason for reason in reasons if reason.endswith("tests/circuits/test_claim_file.py")
    ]
    assert len(of_files) == 4, "they show files that a command writes, and are tested there"
    assert [one for one in reasons if one not in of_files] == ["Ctrl-C is pressed in the middle"]
    marks = sum(page.count("<!-- not run") for page in PAGES.values())
    assert marks == len(reasons), "a mark stands on the line above a block, with a reason"


# Mutants: pages that are wrong are found out

PAGE = """
```python
from scrub import Agree, Correspondence, Exact, InterpNode, Uncond, claim, heads, output
from scrub.datasets import ioi
from scrub.metrics import logit_diff
```

```python
@claim(data=ioi.prompts(40), metric=logit_diff("io", "s"), model="ioi-planted")
def mine(model):
    logits = InterpNode("logits", Exact())
    head = logits.child("head", Agree("io"))
    return Correspondence({logits: output(at="end"), head: heads([(3, 0)], at="end")})
```

```
$ scrub show page.py::mine --row 6          (the root only)
└── logits (logits at end)
```
"""


def test_a_right_page_is_right(tmp_path: Path) -> None:
    run_python(PAGE, tmp_path)
    (shown,) = shown_on(PAGE)
    assert missing(PAGE, shown, tmp_path) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("import ioi", "import oii"),  # what is imported is not there
        ("import Agree, ", "import "),  # a name that no block above made
        ("heads([(3, 0)]", "heads([(9, 0)]"),  # runs, and makes an illegal claim
        ('Agree("io")', 'Agree("oi")'),
    ],
)
def test_a_broken_block_is_caught(right: str, wrong: str, tmp_path: Path) -> None:
    assert right in PAGE
    with pytest.raises((ImportError, NameError, AssertionError)):
        run_python(PAGE.replace(right, wrong), tmp_path)


def test_other_output_is_caught(tmp_path: Path) -> None:
    wrong = PAGE.replace("logits at end", "logits at start")
    (shown,) = shown_on(wrong)
    assert missing(wrong, shown, tmp_path) == ["└── logits (logits at start)"]
    assert not_printed("a\nb\n", "b\na\n") == ["b"]
    assert not_printed("x  1.000\n", "x  1.001\n") == ["x  1.000"]
    assert not_printed("x  supported  supported\n", "x  supported  supported    1.0\n") == []


IN_ORDER_PAGE = """
```python
\"\"\"behaviours.py\"\"\"

from scrub.datasets import ioi

MODEL = "ioi-planted"
IOI = ioi.behaviour(40)
```

```
$ scrub patch behaviours.py::ioi --samples 40 --from 3.0 --at end --save saved.py
saved: scrub test saved.py
```

```
$ scrub show saved.py --row 0
saved.py::strongest_senders: Head 3.0 at end is enough: the rest may come from the corrupted run.
```
"""


def test_a_command_reads_what_an_earlier_one_wrote(tmp_path: Path) -> None:
    assert missing_in_order(IN_ORDER_PAGE, tmp_path) == {}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("saved.py\nsaved:", "other.py\nsaved:"),  # so that nobody writes saved.py
        ("strongest_senders", "weakest_senders"),
    ],
)
def test_what_a_later_command_does_not_print_is_caught(
    right: str, wrong: str, tmp_path: Path
) -> None:
    assert right in IN_ORDER_PAGE
    page = IN_ORDER_PAGE.replace(right, wrong)
    with pytest.raises(AssertionError):
        assert missing_in_order(page, tmp_path) == {}


def test_a_mark_leaves_a_block_out() -> None:
    marked = re.sub(r"(?m)^```(?=python$)", "<!-- not run: it takes an hour -->\n```", PAGE)
    assert [block.reason for block in blocks(marked)] == ["it takes an hour"] * 2 + [""]
