"""What somebody does first: files as editors write them, claims as Python makes them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from scrub.hypothesis.collect import collect
from scrub.runner.fingerprint import Fingerprints
from scrub.runner.options import Options
from scrub.runner.prepare import prepare
from scrub.runner.session import Session
from support.command import ROOT, fork, inside, scrub

HEADER = f"""
import sys
sys.path.append({str(ROOT / "tests" / "hypotheses")!r})
from sums import DATA, ERROR, MODEL, X, Y, distance, product_is
from scrub import Agree, Exact, Uncond, claim, supported
"""
ONE = '''
@claim(data=DATA, metric=ERROR, expect=supported(above=0.5))
def one(model):
    """Both bits matter."""
    return product_is(Agree("x and y"))
'''
SMALL = ("--samples", "50", "--no-diagnose")


def written(folder: Path, text: str, name: str = "claims.py", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((HEADER + text).encode(encoding))
    return path


# Files


@pytest.mark.parametrize(
    ("first", "encoding"),
    [("", "utf-8-sig"), ("# -*- coding: latin-1 -*-", "latin-1"), ("", "utf-8")],
    ids=["byte order mark", "latin-1", "utf-8"],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["unix", "windows"])
def test_files_as_editors_write_them(
    first: str, encoding: str, line_end: str, tmp_path: Path
) -> None:
    text = f"{first}{HEADER}{ONE}# déjà vu\n".replace("\n", line_end)
    (tmp_path / "claims.py").write_bytes(text.encode(encoding))
    done = inside("test", "claims.py", *SMALL, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")


def test_a_folder_with_spaces_and_a_link_to_a_file(tmp_path: Path) -> None:
    file = written(tmp_path, f"import helper\n{ONE}", "my claims/the claims.py")
    (file.parent / "helper.py").touch()
    os.symlink(file, tmp_path / "link.py")
    for path in ("my claims/the claims.py", "link.py"):
        done = inside("test", path, *SMALL, "--save-run", "my record", cwd=tmp_path)
        assert (done.code, done.err) == (0, ""), path


@pytest.mark.parametrize("target", ["nowhere.py", "claims.py"], ids=["nothing", "itself"])
def test_a_link_that_leads_to_no_file(target: str, tmp_path: Path) -> None:
    os.symlink(target, tmp_path / "claims.py")
    done = inside("test", "claims.py", cwd=tmp_path)
    assert done.code == 2
    assert done.err == "error: claims.py: This is a link that leads to no file.\n"


def test_claims_of_one_name_in_two_files_are_told_apart_in_the_last_line(tmp_path: Path) -> None:
    refuted = ONE.replace("x and y", "x").replace("above=0.5", "above=0.9")
    for name in ("a.py", "b.py"):
        written(tmp_path, refuted, name)
    other = refuted.replace("def one", "def two")
    written(tmp_path, other, "c.py")
    done = inside("test", "a.py", "b.py", "c.py", *SMALL, cwd=tmp_path)
    assert done.out.endswith("3 claims; not as expected: a.py::one, b.py::one, two\n")


# Claims


PARTIAL = '''
from functools import partial

def carries(feature, model):
    """It carries one bit."""
    return product_is(Agree(feature))

one = claim(data=DATA, metric=ERROR)(partial(carries, "x"))
two = claim(data=DATA, metric=ERROR, name="two")(partial(carries, feature="x and y"))
'''


def test_a_partial_function_is_called_as_the_function(tmp_path: Path) -> None:
    written(tmp_path, PARTIAL.replace('partial(carries, feature="x and y")', "one.build"))
    done = inside("plan", "claims.py", cwd=tmp_path)
    assert done.code == 0
    assert "claims.py::carries: It carries one bit.\n" in done.out
    assert "claims.py::two: It carries one bit.\n" in done.out


def test_a_wrapped_function_is_about_the_files_model_from_python_too(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "from functools import wraps\n"
        "def quiet(function):\n"
        "    @wraps(function)\n"
        "    def inner(*given):\n"
        "        return function(*given)\n"
        "    return inner\n"
    )
    text = PARTIAL.replace("def carries", "from own import quiet\n\n@quiet\ndef carries")
    text += "import scrub\nprint(scrub.run(one, samples=20).model)\n"
    written(tmp_path, text)
    done = fork("claims.py", cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert (done.err, done.out) == ("", "graph\n")


def test_in_a_notebook(tmp_path: Path) -> None:
    """Claims of `__main__` that has no file: a lambda, a partial function, a callable object."""
    code = f"""
{HEADER}{PARTIAL}
import scrub

class Bits:
    def __call__(self, model):
        return product_is(Agree("x"))

three = claim(data=DATA, metric=ERROR, name="three")(lambda model: product_is(Agree("x")))
four = claim(data=DATA, metric=lambda v, r: distance(v, r), model=MODEL)(Bits())
results = scrub.run([one, three, four], samples=20)
print([result.claim.name for result in results])
print(len({{result.recovered.mean for result in results}}))
"""
    done = fork("-c", code, cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert done.err == ""
    assert done.out == "['carries', 'three', 'Bits']\n1\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("metric=logit_diff", "metric= is the function logit_diff itself. Call it: logit_diff("),
        ("metric=kl", "metric= is the function kl itself. Call it: "),
        ("metric=[ERROR, top_1]", "metric= is the function top_1 itself. Call it: "),
    ],
)
def test_a_metric_that_was_not_called(text: str, said: str, tmp_path: Path) -> None:
    one = ONE.replace("metric=ERROR", text)
    written(tmp_path, f"from scrub.metrics import kl, logit_diff, top_1\n{one}")
    done = inside("check", "claims.py", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: claims.py::one: {said}")


def test_data_that_was_not_called(tmp_path: Path) -> None:
    one = ONE.replace("data=DATA", "data=ioi.prompts")
    written(tmp_path, f"from scrub.datasets import ioi\n{one}")
    said = "error: claims.py::one: data= is the function prompts itself. Call it, as in "
    assert inside("check", "claims.py", cwd=tmp_path).err == f"{said}ioi.prompts(1000).\n"


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("def one", "async def one", "It returns a coroutine. "),
        ("metric=ERROR", "metric=waits", 'Metric "waits" gave a coroutine for 50 samples. '),
    ],
)
def test_what_waits_to_be_awaited(old: str, new: str, kind: str, tmp_path: Path) -> None:
    waits = "async def waits(value, references):\n    return value\n"
    written(tmp_path, waits + ONE.replace(old, new))
    done = scrub("test", "claims.py", *SMALL, cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(f"error: claims.py::one: {kind}.*\n", done.err)


def test_a_claim_that_says_nothing(tmp_path: Path) -> None:
    written(tmp_path, ONE.replace('"""Both bits matter."""', ""))
    for command in (["plan", "claims.py"], ["show", "claims.py", "--row", "0"]):
        assert inside(*command, cwd=tmp_path).out.splitlines()[0] in ("one", "claims.py::one")
    done = inside("explain", "claims.py", "--samples", "50", cwd=tmp_path)
    assert "\none\nIt loses" in done.out


# What was kept


@pytest.mark.parametrize("built", ["build", "partial(build)"])
def test_a_file_is_part_of_what_was_kept_though_its_claims_are_built_elsewhere(
    built: str, tmp_path: Path
) -> None:
    """Else a metric that was edited between a stop and its resume would go unseen."""
    written(tmp_path, "def build(model):\n    return product_is(Exact())\n", "elsewhere.py")
    text = f"from functools import partial\nfrom elsewhere import build\nOFFSET = {{}}\n{MADE}"
    found = []
    for offset in (0, 1, 0):
        file = written(tmp_path, text.format(offset).replace("BUILT", built))
        prepared = prepare(collect([str(file)]), Session(), Options())
        found.append(Fingerprints.of_claims(prepared).sources)
    assert found[0] == found[2] != found[1]


MADE = """
def off(value, references):
    return distance(value, references) + OFFSET

one = claim(data=DATA, metric=off, name="one")(BUILT)
"""
