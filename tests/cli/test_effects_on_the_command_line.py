"""Claims about effects on the command line: every command, and bad input with its message."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oracle.results_schema import wrong
from support.bad_input import DATA, POSITIONS, refused
from support.command import inside

GRAPH = '''
import numpy as np
from scrub import *
from scrub.data.dataset import Dataset
from scrub.metrics import custom
from scrub.model.arithmetic import graph, node, source

MODEL = graph(source("x"), source("y"), node("twice", lambda a: 2 * a, a="x"),
              node("out", lambda terms: terms, terms=["twice", "y"]))
X = np.arange(8)
ROWS = Dataset("eight", {"x": X, "y": X % 2}, np.ones(8, int), columns={"pair": X // 2})
OUT = custom(lambda out, references: out, higher_is_better=True)


def tree(child, other):
    out = InterpNode("out", Exact(), other=other)
    return Correspondence({out: site("out"), out.child("below", child): site("twice")})


@claim(data=ROWS, metric=OUT, expect=unchanged(within=3))
def partner(model):
    """A partner's x changes little."""
    return tree(Paired("pair"), Exact())


@claim(data=ROWS, metric=OUT, expect=refuted(raises(by=1)))
def restored(model):
    """The reference's x raises the model on its partner."""
    return tree(Exact(), Paired("pair"))


@claim(data=ROWS, metric=OUT, expect=inconclusive(above=0.7))
def recovering(model):
    """Only the pair matters."""
    return tree(Agree("pair"), Exact())
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "effects.py").write_text(GRAPH, encoding="utf-8")
    return tmp_path


def run(folder: Path, *arguments: str) -> str:
    done = inside(*arguments, cwd=folder)
    assert (done.code, done.err) == (0, ""), done.out + done.err
    return done.out


def test_scrub_test(folder: Path) -> None:
    out = run(folder, "test", "effects.py", "-k", "partner or restored", "--json", "r.json")
    assert "effect [95%]" in out
    assert "within ±3" in out
    assert "raises by 1" in out
    assert "2 claims, all as expected" in out
    text = (folder / "r.json").read_text(encoding="utf-8")
    assert wrong(text) == []
    partner, restored = json.loads(text)["results"]
    assert (partner["kind"], partner["verdict"]) == ("effect", "supported")
    assert (restored["verdict"], restored["expected"]) == ("refuted", "refuted")
    assert partner["corrected"]["method"] == "Bonferroni"


def test_both_kinds_in_one_run(folder: Path) -> None:
    out = run(folder, "test", "effects.py", "-v", "--by", "pair", "--save-run", "records")
    assert out.count("effects.py on graph") == 2
    assert "recovered [95%]" in out
    assert "effect [95%]" in out
    records = {path.name for path in (folder / "records").iterdir()}
    assert records == {"partner", "restored", "recovering"}


def test_precision_is_in_the_metrics_units(folder: Path) -> None:
    arguments = ("--samples", "6400", "--precision", "0.5", "--json", "r.json")
    run(folder, "test", "effects.py::partner", *arguments)
    (found,) = json.loads((folder / "r.json").read_text(encoding="utf-8"))["results"]
    assert found["samples"] < 6_400
    assert found["figure"]["high"] - found["figure"]["low"] <= 1.0


def test_show_check_and_plan_say_what_they_say(folder: Path) -> None:
    assert "other Paired(pair)" in run(folder, "show", "effects.py::restored", "--row", "3")
    assert "Paired(pair)" in run(folder, "plan", "effects.py::restored", "-v")
    run(folder, "check", "effects.py")


def test_compare(folder: Path) -> None:
    out = run(folder, "compare", "effects.py::partner", "effects.py::restored", "--json", "c.json")
    assert "first effect" in out
    assert "first − second" in out
    assert wrong((folder / "c.json").read_text(encoding="utf-8")) == []
    message = refused_of(folder, "compare", "effects.py::partner", "effects.py::recovering")
    assert "partner is about an effect, recovering about loss recovered" in message


def refused_of(folder: Path, *arguments: str) -> str:
    done = inside(*arguments, cwd=folder)
    assert done.code == 2
    assert "Traceback" not in done.err
    return done.err


def test_explain_and_fresh_say_that_they_are_about_loss_recovered(folder: Path) -> None:
    assert refused(folder, "explain", "effects.py::partner") == (
        'error: effects.py::partner: It believes "within ±3", of an effect. scrub explain splits '
        "loss recovered among a claim's swaps. Give each node a claim of its own, and scrub test "
        "them.\n"
    )
    assert refused(folder, "test", "effects.py::partner", "--fresh", "2") == (
        'error: effects.py::partner: It believes "within ±3", of an effect, and fresh= (--fresh) '
        "is about loss recovered. Leave it out.\n"
    )


HEADER = """
from scrub import *
from scrub.datasets import ioi
from scrub.metrics import *

MODEL = "ioi-planted"
DATA = ioi.prompts(40)


def tree(other=Exact(), **path):
    logits = InterpNode("logits", Exact(), other=other)
    child = logits.child("movers", Exact())
    return Correspondence({logits: output(at="end"), child: heads([(3, 0)], at="end")})


def leaf(model):
    return Correspondence({InterpNode("logits", Exact()): output(at="end")})

"""
WRONG: dict[str, tuple[str, str]] = {
    "leaf": (
        'c = claim(data=DATA, metric=logit("io"), expect=raises(by=1))(leaf)',
        'error: f.py::leaf · node "logits": The belief "raises by 1" is about what is changed on '
        "the root's other input, and the root has no children, so no other input. Give the root "
        "other=… and a child: root.child(name, sampler).\n",
    ),
    "label": (
        'c = claim(data=DATA, expect=answers("oi", share=0.5), name="c")(lambda m: tree())',
        f'error: f.py::c: Metric "top-1 is oi": dataset {DATA} has no label "oi". There are: '
        "io, s.\n",
    ),
    "pattern": (
        'c = claim(data=DATA, expect=attends(to="io", share=0.5), name="c")(lambda m: tree())',
        'error: f.py::c · node "logits": Metric "attention to io" reads the pattern of heads at '
        "one position, and the root stands for logits at end. Give the root heads([(layer, head)], "
        '"pattern", at="end").\n',
    ),
    "column": (
        'c = claim(data=DATA, metric=attention(to="oi"), name="c")(lambda m: tree())',
        f'error: f.py::c: Metric "attention to oi": dataset {DATA} has no position column "oi". '
        f"There are: {POSITIONS}.\n"
        'error: f.py::c · node "logits": Metric "attention to oi" reads the pattern of heads at '
        "one position, and the root stands for logits at end. Give the root heads([(layer, head)], "
        '"pattern", at="end").\n',
    ),
    "metric": (
        'c = claim(data=DATA, expect=lowers(by=1), name="c")(lambda m: tree())',
        "error: f.py::c: It has no metric=. Give one of scrub.metrics, such as logit_diff(…, …).\n",
    ),
    "not called": (
        'c = claim(data=DATA, metric=logit("io"), expect=raises, name="c")(lambda m: tree())',
        "error: f.py:20: expect= is the function raises itself. Call it: raises(by=…).\n",
    ),
    "not called in a verdict": (
        "E = refuted(unchanged)",
        "error: f.py:20: refuted(…) is given the function unchanged itself. Call it: "
        "unchanged(within=…).\n",
    ),
    "negative": (
        "E = unchanged(within=-1)",
        "error: f.py:20: unchanged(within=-1): give a positive number, in the metric's units, such "
        "as 0.5.\n",
    ),
    "percent": (
        'E = attends(to="io", share=90)',
        "error: f.py:20: attends(to='io', share=90): a share lies between 0 and 1, such as 0.9.\n",
    ),
    "no metric is called": (
        'c = claim(data=DATA, metric=mass, expect=raises(by=1), name="c")(lambda m: tree())',
        "error: f.py::c: metric= is the function mass itself. Call it: logit_diff(…, …) with the "
        "names of labels, for example.\n",
    ),
    "residual": (
        "c = claim(data=DATA, metric=logit('io'), name='c')(lambda m: residual(m, 9))",
        "error: f.py::c: residual(model, 9): the model has no such residual stream. Give a layer "
        "from 0 to 4.\n",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_bad_input(name: str, tmp_path: Path) -> None:
    text, message = WRONG[name]
    (tmp_path / "f.py").write_text(HEADER + "\n" + text + "\n", encoding="utf-8")
    assert refused(tmp_path, "check", "f.py") == message
