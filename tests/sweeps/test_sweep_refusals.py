"""Sweeps that make no sense: each with its whole message, exit code 2, and nothing written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import scrub
from scrub import Circuit, UserError, anything, edge, heads, none, output
from scrub.datasets import ioi
from scrub.hypothesis.sites import Through
from support.bad_input import DATA, refused
from support.command import inside

FILE = '''
from scrub import Mean, Steer, Uncond, behaviour, output
from scrub.datasets import ioi
from scrub.metrics import kl, logit_diff

MODEL = "ioi-planted"
IOI = ioi.behaviour(40)


@behaviour(data=ioi.prompts(40), metric=[logit_diff("io", "s"), kl()])
def one_way(model):
    """Nobody says how it is corrupted."""
    return output(at="end")


@behaviour(data=ioi.prompts(40), metric=logit_diff("io", "s"), corrupt=Uncond())
def nothing(model):
    """It returns no sites."""


@behaviour(data=ioi.prompts(40), metric=logit_diff("io", "s"), corrupt=Steer([1, 0], by=3))
def steered(model):
    """What is steered is not said."""
    return output(at="end")


@behaviour(data=ioi.prompts(40), metric=logit_diff("io", "s"), corrupt=Mean("template"))
def mean(model):
    """Corrupted it is what prompts are on average."""
    return output(at="end")
'''
MODELS_ROLES = "duplicate token, S-inhibition, name mover"
POSITIONS = "start, io, s1, s1+1, s2, end"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b.py").write_text(FILE, encoding="utf-8")
    return tmp_path


def said(folder: Path, *arguments: str) -> str:
    return refused(folder, "patch", "b.py::ioi", "--samples", "8", *arguments)


REFUSALS = {
    "a sender after its receiver": (
        ("--to", "2.0.q@end", "--from", "3.0", "--at", "end"),
        'node "sender": No direct path leads from "receiver" to head 3.0. The nearest that it '
        "leads to is head 1.0.",
    ),
    "a port that heads lack": (
        ("--to", "name mover.w@end"),
        'to="name mover.w@end" (--to on the command line): heads have no port "w". There are: q, '
        "k, v, pattern, scores, z, output, attention:COLUMN.",
    ),
    "a receiver of another role": (
        ("--to", "name movr.q@end"),
        'Model "ioi-planted" has no role "name movr". The nearest is "name mover"; there are: '
        f"{MODELS_ROLES}. Roles are written in roles.toml beside a model's weights.",
    ),
    "a receiver with no such head": (
        ("--to", "3.9.q@end"),
        'node "receiver": There is no q of head 3.9: the model has layers 0 to 3 with heads 0 to 3 '
        "each. The nearest is q of head 3.3.",
    ),
    "a receiver at no such position": (
        ("--to", "3.0.q@ned"),
        'node "receiver": Dataset "40 ioi prompts, mixed order, seed 0" has no position column '
        f'"ned". The nearest is "end"; there are: {POSITIONS}.\nerror: b.py::ioi: '
        'node "receiver": Dataset "40 ioi prompts, mixed order, seed 0, both flipped" has no '
        f'position column "ned". The nearest is "end"; there are: {POSITIONS}.',
    ),
    "a column that is absent": (
        ("--at", "s3"),
        'Dataset "40 ioi prompts, mixed order, seed 0" has no position column "s3". '
        f"There are: {POSITIONS}.",
    ),
    "an index beyond all rows": (
        ("--at", "99"),
        f"Position 99 is outside dataset {DATA}: its rows have positions 0 to 22. The nearest is "
        "22.",
    ),
    "a metric that it has not": (
        ("--metric", "klm"),
        'It has no metric "klm". There are: logit(io) − logit(s), logit_diff.',
    ),
    "attention by another metric": (
        ("--to", "name mover.attention:io@end", "--metric", "kl"),
        "name mover.attention:io@end is measured itself, by no metric. Leave out metric= "
        "(--metric).",
    ),
    "neurons of no layer": (
        ("--from", "neurons:99"),
        "neurons:99: the model has MLPs in layers 0 to 3. The nearest is neurons:3.",
    ),
    "neurons without a layer": (
        ("--from", "neurons"),
        'neurons:: "" is no layer. Give a number, as in neurons:3.',
    ),
    "other senders": (
        ("--from", "head"),
        'There are no senders "head". The nearest is "heads"; there are: heads, mlps, layers, '
        f"streams, neurons:0, {MODELS_ROLES}. Give heads, mlps, layers, streams, neurons:LAYER, "
        'heads such as "9.9,9.6", or a role.',
    ),
    "none that leads there": (
        ("--to", "0.0.q@end", "--from", "heads"),
        "None of the 16 senders 'heads' leads to the receiver 0.0.q@end directly: they come after "
        "it, or at positions that it does not read. Give others, or through=anything.",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_it_says_what_is_wrong(case: str, folder: Path) -> None:
    arguments, message = REFUSALS[case]
    assert said(folder, *arguments) == f"error: b.py::ioi: {message}\n".replace(
        "b.py::ioi: node", "b.py::ioi · node"
    )


@pytest.mark.parametrize("ask", [scrub.patch, scrub.find])
@pytest.mark.parametrize(
    ("at", "says"),
    [
        ([], r"at=\[\] names no position\. Give \"each\", \"all\", a column"),
        (-1, r"Position -1 is outside dataset .* The nearest is 0\."),
    ],
)
def test_no_position_that_a_row_has(ask: Callable[..., object], at: Any, says: str) -> None:
    with pytest.raises(UserError, match=says):
        ask(ioi.behaviour(4, model="ioi-planted"), at=at, samples=4)


def test_a_behaviour_without_a_way_to_corrupt(folder: Path) -> None:
    assert refused(folder, "patch", "b.py::one_way") == (
        "error: b.py::one_way: It does not say how its inputs are corrupted, and a sweep needs it. "
        "Give corrupt= a sampler, such as Uncond() or Paired(a flipped copy of the data).\n"
    )


def test_a_behaviour_of_no_sites(folder: Path) -> None:
    assert refused(folder, "patch", "b.py::nothing") == (
        "error: b.py::nothing: It returns a NoneType. A behaviour's function returns the sites "
        'that its metric reads, such as output(at="end").\n'
    )


@pytest.mark.parametrize("option", [("--approximate", "first-order"), ("--from", "neurons:1")])
def test_no_gradients_between_an_input_and_a_virtual_row(
    option: tuple[str, ...], folder: Path
) -> None:
    assert refused(folder, "patch", "b.py::mean", *option) == (
        "error: b.py::mean: Mean(template) gives values that no input has, and gradients are taken "
        "between two inputs. Leave out approximate= (--approximate) and neurons, or give corrupt= "
        "a sampler of inputs, such as Uncond().\n"
    )


@pytest.mark.parametrize("way", ["--restore", "--corrupt"])
def test_a_corruption_of_one_site(way: str, folder: Path) -> None:
    assert refused(folder, "patch", "b.py::steered", way) == (
        "error: b.py::steered: Its corrupt= is Steer(2, by=3), and a sweep corrupts sites of many "
        "sizes. Give Mean(…), Zero() or a sampler of inputs, or a claim about these sites.\n"
    )


def test_more_samples_than_the_machine_holds(folder: Path) -> None:
    found = refused(folder, "patch", "b.py::ioi", "--samples", "999999999999")
    assert found.startswith("error: b.py::ioi: 999,999,999,999 samples do not fit: ")


UNLIKE = (
    "Mean(template): rows that agree on template are averaged index by index, and are not alike: "
    f"in dataset {DATA} row "
)


def test_a_mean_of_rows_that_are_not_alike(folder: Path) -> None:
    """At whatever position a sender stands: the column to add is named."""
    each = ("--at", "each", "--corrupt", "--through", "anything")
    found = refused(folder, "patch", "b.py::mean", *each).splitlines()
    assert {line.split('has "')[1].split('"')[0] for line in found} >= {"io", "s1"}
    for line in found:
        assert line.startswith(f'error: b.py::mean · node "sender": {UNLIKE}')
        assert "Add a column that tells them apart: Mean(" in line


def test_both_ways_at_once(folder: Path) -> None:
    assert "--restore and --corrupt exclude each other." in said(folder, "--restore", "--corrupt")


def test_no_behaviour_of_that_name(folder: Path) -> None:
    assert refused(folder, "patch", "b.py::iol") == (
        'error: b.py: There is no behaviour "iol". The nearest is "ioi"; there are: ioi, one_way, '
        "nothing, steered, mean.\n"
    )
    assert refused(folder, "patch", "b.py").startswith(
        "error: A sweep is of one behaviour, and b.py has 5. Name one, as in b.py::ioi; there are: "
    )


def test_a_file_without_behaviours(tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("import scrub\n", encoding="utf-8")
    done = inside("patch", "empty.py", cwd=tmp_path)
    assert (done.code, done.out) == (5, "")
    assert done.err.startswith("error: No behaviour found in empty.py. Decorate a function")


def test_files_that_cannot_be_written(folder: Path) -> None:
    message = said(folder, "--csv", "a.txt", "--plot", "b.txt", "--save", "c.txt")
    assert message == (
        "error: --plot b.txt: give a file that ends in .svg, .png, .pdf.\n"
        "error: --csv a.txt: give a file that ends in .csv.\n"
        "error: --save c.txt: give a file that ends in .py.\n"
    )


def test_a_hypothesis_file_lies_beside_the_behaviour(folder: Path) -> None:
    (folder / "sub").mkdir()
    assert said(folder, "--save", "sub/s.py") == (
        "error: --save sub/s.py: the file takes its data from b.py, and finds it beside itself. "
        "Give s.py.\n"
    )
    assert said(folder, "--save", "b.py") == (
        "error: --save b.py: the behaviour itself stands there. Give another file.\n"
    )


def test_no_hypothesis_of_first_order_effects(folder: Path) -> None:
    message = said(folder, "--save", "s.py", "--approximate", "first-order")
    assert message == (
        "error: --save and --approximate: first-order effects rank, they decide nothing. Leave one "
        "of them out.\n"
    )


def test_nothing_told_from_zero_is_saved_as_nothing(folder: Path) -> None:
    """Attention to END itself: the heads of layer 0 write nothing that a flip could change."""
    done = inside("patch", "b.py::ioi", "--samples", "8", "--from", "0.0", "--at", "start",
                  "--through", "anything", "--save", "s.py", cwd=folder)  # fmt: skip
    assert done.code == 1
    assert done.err.startswith(
        "--save s.py: not written. No effect of the 1 sender is away from zero: there is nothing"
    )
    assert not (folder / "s.py").exists()


def test_scrub_test_says_what_to_do_with_behaviours(folder: Path) -> None:
    done = inside("test", "b.py", cwd=folder)
    assert (done.code, done.err) == (
        5,
        "error: No claim found in b.py. There are the behaviours ioi, one_way, nothing, steered, "
        "mean, which `scrub patch b.py::ioi` sweeps; a claim is a function decorated with "
        "@claim(…).\n",
    )
    assert refused(folder, "test", "b.py::ioi") == (
        'error: b.py: There is no claim "ioi". It is a behaviour: scrub patch b.py::ioi sweeps '
        "it.\n"
    )


@pytest.mark.parametrize(
    "through",
    [
        Circuit.of(heads([(9, 0)])),
        none.including(heads([(9, 0)], at="end")),
        anything.excluding(heads([(9, 0)])),
        Circuit.of_edges(edge(heads([(9, 0)]), output())),
    ],
    ids=["circuit", "including", "excluding", "edges"],
)
@pytest.mark.parametrize("senders", ["heads", [(3, 0)]], ids=str)
def test_a_way_that_the_model_does_not_have(through: Through | Circuit, senders: Any) -> None:
    with pytest.raises(
        scrub.UserError, match=r"There is no head 9\.0: .* The nearest is head 3\.0\."
    ):
        scrub.patch(
            ioi.behaviour(8), model="ioi-planted", through=through, senders=senders, samples=8
        )


def test_from_python() -> None:
    with pytest.raises(scrub.UserError, match=r"scrub\.patch takes a behaviour, not a str"):
        scrub.patch("ioi")  # type: ignore[arg-type]
    with pytest.raises(scrub.UserError, match=r'scrub\.patch has no option "sample"'):
        scrub.patch(ioi.behaviour(8), sample=3)
    wrong = {"restore": 1, "approximate": "much", "top": 0}
    with pytest.raises(scrub.UserError) as refusal:
        scrub.patch(ioi.behaviour(8), model="ioi-planted", **wrong)
    assert len(refusal.value.problems) == 3
    for senders in ({}, [], 3):
        with pytest.raises(scrub.UserError, match="names no sender"):
            scrub.patch(ioi.behaviour(8), model="ioi-planted", senders=senders)
    with pytest.raises(scrub.UserError, match="to=3 is no receiver"):
        scrub.patch(ioi.behaviour(8), model="ioi-planted", to=3)
    for at in (3.5, None, ["end", 1.5]):
        with pytest.raises(scrub.UserError, match="is no position"):
            scrub.patch(ioi.behaviour(8), model="ioi-planted", at=at)
    with pytest.raises(scrub.UserError, match="through="):
        scrub.patch(ioi.behaviour(8), through="some")
    with pytest.raises(scrub.UserError, match="held by no variable of a file"):
        scrub.patch(ioi.behaviour(40), model="ioi-planted", samples=40).to_hypothesis()
