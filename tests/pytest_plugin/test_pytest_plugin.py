"""`pytest hypotheses/` as a user runs it: in projects made here, by pytest's own pytester."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from importlib.metadata import entry_points
from xml.etree import ElementTree

import pytest

from scrub.hypothesis.collect import collect
from scrub.pytest_plugin import items, testing
from scrub.pytest_plugin.files import holds_claims, holds_tests, is_test_file
from scrub.runner.context import Context
from scrub.runner.options import Options
from scrub.runner.pipeline import scrub_claim
from scrub.runner.planned import plan_claim
from scrub.runner.prepare import prepare
from scrub.runner.session import Session
from scrub.stats.bonferroni import family_size
from support.command import IOI, SUMS, python
from support.paths import ROOT

INSTALLED = any(one.value == "scrub.pytest_plugin.hooks" for one in entry_points(group="pytest11"))
assert items  # loaded here: pytester forgets what is loaded first in one of its runs
PLUGIN = () if INSTALLED else ("-p", "scrub.pytest_plugin.hooks")
"""An environment that was made before the plugin was does not know it."""
Run = Callable[..., pytest.RunResult]

CLAIMS = '''
from scrub import Agree, Correspondence, Exact, InterpNode, claim, not_applicable, supported, site
from sums import DATA, ERROR, MODEL


def product_is(sampler):
    out = InterpNode("out", Exact(), other=Exact())
    product = out.child("product", sampler)
    return Correspondence({out: site("out"), product: site("product")})


@claim(data=DATA, metric=ERROR, expect=supported(above=0.9, below=1.1))
def conjunction(model):
    """The product carries x and y."""
    return product_is(Agree("x and y"))


@claim(data=DATA, metric=ERROR, expect=supported(above=0.9))
def first(model):
    """The product carries x alone."""
    return product_is(Agree("x"))


@claim(data=DATA, metric=ERROR, expect=supported(above=0.9))
def heads(model):
    return not_applicable("it has no heads")


@claim(data=DATA, metric=ERROR, expect=supported(above=0.9))
def misspelt(model):
    return product_is(Agree("xx"))
'''


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs pytest in a project with a folder of hypotheses and a file of tests."""
    monkeypatch.setenv("COLUMNS", "80")
    hypotheses = pytester.mkdir("hypotheses")
    (hypotheses / "mine.py").write_text(CLAIMS, encoding="utf-8")
    shutil.copy(ROOT / SUMS, hypotheses / "_sums.py")
    text = (ROOT / SUMS).read_text(encoding="utf-8").partition("@claim")[0]
    (hypotheses / "sums.py").write_text(text, encoding="utf-8")
    pytester.makepyfile(test_other="def test_other(): pass")

    def run(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest_inprocess(*PLUGIN, *arguments)

    return run


def test_claims_are_items(run: Run) -> None:
    """Passed, failed, skipped with the reason, refused with a sentence; no traceback of ours."""
    done = run("hypotheses", "-rs")
    done.assert_outcomes(passed=1, failed=1, skipped=1, errors=1)
    text = done.stdout.str()
    assert "first: refuted, its file expects supported; recovered" in text
    assert "hypotheses/mine.py on " in text
    assert "1 claim; not as expected: first" in text
    assert "first: The product carries x alone." in text
    assert "not applicable to graph: it has no heads" in text
    assert '\nnode "product": ' in text, "which claim it is the heading says"
    assert '"xx"' in text
    assert "Traceback" not in text
    assert "testing.py" not in text


def test_the_report_fits_the_terminal(run: Run) -> None:
    report = run("hypotheses", "-k", "first").stdout.str().partition("mine.py on ")[2]
    lines = re.split("warnings summary|short test summary", report)[0].splitlines()
    assert len(lines) > 5
    assert max(map(len, lines)) <= 80


def test_the_line_that_the_page_shows(run: Run, pytester: pytest.Pytester) -> None:
    text = (ROOT / IOI).read_text(encoding="utf-8").replace("refuted(below", "supported(above")
    (pytester.path / "claim3.py").write_text(text, encoding="utf-8")
    page = (ROOT / "docs/pytest.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^by_value: .*$", page, flags=re.MULTILINE)
    assert line in run("claim3.py::by_value").stdout.lines


def test_docstrings_are_shown(run: Run) -> None:
    done = run("--collect-only", "-vv", "hypotheses")
    done.stdout.fnmatch_lines(["*<ClaimItem conjunction>", "*The product carries x and y."])


def by_command(claims: list[str]) -> dict[str, object]:
    """The intervals that `scrub test` judges the claims of the file by."""
    session, options = Session(), Options()
    prepared = prepare(collect(claims), session, options)
    context = Context(session, options, family_size=family_size(p.claim for p in prepared))
    results = [scrub_claim(plan_claim(one, context), context) for one in prepared]
    return {r.claim.name: (r.figure, r.corrected, r.judgement.verdict) for r in results}


def test_a_claim_is_judged_as_one_of_its_file(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: whichever claims are selected, each has the result of `scrub test FILE`."""
    found: dict[str, object] = {}

    def seen(planned, context):
        result = scrub_claim(planned, context)
        found[result.claim.name] = (result.figure, result.corrected, result.judgement.verdict)
        return result

    monkeypatch.setattr(testing, "scrub_claim", seen)
    shutil.copy(ROOT / SUMS, "hypotheses/mine.py")
    expected = by_command(["hypotheses/mine.py"])
    assert len(expected) > 3
    for name in list(expected)[:2]:
        run("hypotheses/mine.py", "-k", name)
    assert list(found) == list(expected)[:2]
    assert found == {name: expected[name] for name in found}
    alone = by_command([f"hypotheses/mine.py::{next(iter(found))}"])
    assert next(iter(found.values())) != next(iter(alone.values())), "it is corrected for others"


def test_nothing_changes_for_who_does_not_ask(run: Run) -> None:
    run().assert_outcomes(passed=1)
    run("test_other.py").assert_outcomes(passed=1)
    run(".").assert_outcomes(passed=1)


@pytest.mark.parametrize("arguments", [["--scrub"], ["-o", "scrub_files=hypotheses/m*.py"]])
def test_how_one_asks(run: Run, arguments: list[str]) -> None:
    done = run("-k", "conjunction or other", *arguments)
    done.assert_outcomes(passed=2, deselected=3)


def test_a_claim_by_name(run: Run) -> None:
    run("hypotheses/mine.py::conjunction").assert_outcomes(passed=1)


def test_models_samples_and_seed(run: Run, pytester: pytest.Pytester) -> None:
    """On two models, the second of which the claims are not about."""
    options = ["--scrub-samples=400", "--scrub-seed=3", "--junitxml=out.xml"]
    done = run(
        "hypotheses/mine.py::conjunction",
        "--scrub-model=hypotheses/sums.py::MODEL",
        "--scrub-model=ioi-planted",
        *options,
    )
    done.assert_outcomes(passed=1, errors=1)
    tree = ElementTree.parse(pytester.path / "out.xml")
    names = [case.get("name") for case in tree.iter("testcase")]
    assert names == ["conjunction[hypotheses/sums.py::MODEL]", "conjunction[ioi-planted]"]
    told = {p.get("name"): p.get("value") for p in tree.iter("property")}
    assert told["verdict"] == "supported"
    assert "recovered" in told


def test_what_is_wrong_with_all_is_said_whole_once(run: Run) -> None:
    """Of whichever is tested first: -k leaves none without it."""
    cases = (("not misspelt", "conjunction", 2), ("heads or first", "first", 1))
    for chosen, first, later in cases:
        done = run("hypotheses", "--scrub-model", "./nowhere", "-k", chosen)
        done.assert_outcomes(errors=later + 1)
        lines = [line for line in done.stdout.lines if re.match("(as .*: )?There is no", line)]
        assert ["Give a directory with" in line for line in lines] == [True] + [False] * later
        for line in lines[1:]:
            assert line.startswith(f'as {first}: There is no model "./nowhere": there is no')
            assert len(line) < 140


def test_files_may_hold_tests_and_marks(run: Run, pytester: pytest.Pytester) -> None:
    file = pytester.path / "hypotheses" / "mine.py"
    more = "\n\ndef test_mine():\n    pass\n\n\nimport pytest\n\npytestmark = pytest.mark.xfail\n"
    file.write_text(CLAIMS + more, encoding="utf-8")
    done = run("hypotheses/mine.py", "-k", "mine and (first or test_mine)")
    done.assert_outcomes(xpassed=1, xfailed=1, deselected=3)


def test_workers_run_the_same_items(pytester: pytest.Pytester, run: Run) -> None:
    """By xdist, whose workers are processes of their own; --lf then runs what failed."""
    done = run("hypotheses", "-n2", "-p", "xdist")
    done.assert_outcomes(passed=1, failed=1, skipped=1, errors=1)
    done = run("hypotheses", "--lf", "-p", "cacheprovider")
    done.assert_outcomes(failed=1, errors=1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("from scrub import claim\n1 / 0", "mine.py:2: Loading it failed: ZeroDivisionError"),
        ("from scrub import Agre", 'mine.py:1: There is no "Agre" in scrub. The nearest'),
        ("import scrub\ndef f(:", "mine.py:2: Syntax error"),
        ("import scrub\nraise SystemExit", "mine.py:2: It exits while loading"),
    ],
)
def test_files_that_cannot_be_loaded(
    text: str, said: str, run: Run, pytester: pytest.Pytester
) -> None:
    (pytester.path / "hypotheses" / "mine.py").write_text(text, encoding="utf-8")
    done = run("hypotheses")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines([f"error: hypotheses/{said}*"])
    assert "Traceback" not in done.stdout.str()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scrub-samples=0"], "--scrub-samples is '0'. Give a whole number, 1 or more."),
        (["--scrub-seed=-1"], "--scrub-seed is '-1'. Give a whole number, 0 or more."),
        (["--scrub-samples=many"], "--scrub-samples is 'many'. Give a whole number"),
        (["hypotheses/none.py"], "file or directory not found: hypotheses/none.py"),
        (["hypotheses/mine.py::firs"], "not found: *::firs"),
    ],
)
def test_wrong_options(arguments: list[str], said: str, run: Run) -> None:
    done = run(*arguments)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([f"*{said}*"])


def test_nothing_to_test(run: Run) -> None:
    assert run("hypotheses", "-k", "nothing").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_it_loads_neither_torch_nor_the_rest_of_scrub() -> None:
    """What each project of an environment in which scrub is installed pays for."""
    loaded = "sorted(n for n in sys.modules if n.startswith('scrub.') or n in ('torch', 'numpy'))"
    done = python("-c", f"import pytest, sys, scrub.pytest_plugin.hooks; print({loaded})")
    package = "scrub.pytest_plugin"
    assert done.out == f"{[package, f'{package}.files', f'{package}.hooks']}\n"


def test_which_files_are_meant(tmp_path) -> None:
    file = tmp_path / "a" / "mine.py"
    file.parent.mkdir()
    assert is_test_file(file, tmp_path, ["a/*.py"])
    assert is_test_file(file, tmp_path, ["m*.py"])
    assert not is_test_file(file, tmp_path, ["test_*.py", "b/*.py"])
    for text, claims, tests in [
        ("import numpy", False, False),
        ("import scrub", True, False),
        ("# about scrub\nimport os", False, False),
        ("from scrub import claim\nTestLaws = 1", True, True),
        ("import scrub\ndef (", True, False),
        ("import scrub\nclass TestOne: ...", True, True),
        ("import scrub\nif True:\n    test_it = 1", True, False),
    ]:
        file.write_text(text, encoding="utf-8")
        assert (holds_claims(file), holds_tests(file)) == (claims, tests), text
    assert not holds_claims(tmp_path / "none.py")
