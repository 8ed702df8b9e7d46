"""The search finds planted circuits, and measures what sweeps measure."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import evolve
from search_planted import found_edges, planted_edges, score

import scrub
from scrub import Dataset, PathSearch, UserError, anything, heads, mlps
from scrub.datasets import ioi
from scrub.hypothesis.held_out import searched
from scrub.metrics import attention
from scrub.model.registry import EMBEDDED, describe
from scrub.runner.session import Session
from scrub.searches.log import log_lines
from scrub.searches.measured import Receiver
from scrub.searches.path_search import NothingFoundError, distinct_columns
from scrub.searches.state_file import state_as_json, with_state

PROMPTS, SAMPLES = 200, 40
PLACES = ("io", "s1", "s2", "end")
BEHAVIOUR = ioi.behaviour(PROMPTS)


@functools.cache
def session() -> Session:
    return Session()


def start(model: str = "ioi-planted", **options: Any) -> PathSearch:
    chosen = {"at": PLACES, "session": session(), **options}
    return scrub.find(BEHAVIOUR, model=model, samples=SAMPLES, steps=0, **chosen)


@functools.cache
def planted() -> PathSearch:
    return start().run()


def test_it_finds_the_planted_circuit() -> None:
    roles = describe("ioi-planted").roles
    everything = {head for members in roles.values() for head in members}
    heads_found = score(set(planted().heads), everything)
    paths_found = score(set(found_edges(planted().found)), planted_edges(roles))
    assert min(heads_found.precision, heads_found.recall) >= 0.9, heads_found
    assert min(paths_found.precision, paths_found.recall) >= 0.8, paths_found


def test_it_reads_no_roles(tmp_path: Path) -> None:
    """The first sweep finds the same without roles.toml."""
    bare = tmp_path / "bare"
    shutil.copytree(EMBEDDED / "ioi-planted", bare)
    (bare / "roles.toml").unlink()
    found = start(str(bare)).step()
    assert [str(link.sender) for link in found.found.every()] == ["heads 3.0, 3.1 at end"]


def test_a_score_finds_what_is_wrong() -> None:
    """The mutant of the tests above: a head too many, a path to another port."""
    roles = describe("ioi-planted").roles
    true = planted_edges(roles)
    assert score(true, true).precision == score(true, true).recall == 1
    wrong = {(one, at, to, "k" if port == "q" else port) for one, at, to, port in true}
    assert score(wrong, true).precision == 0.6
    assert len(score(true | {((0, 0), "end", "output", "")}, true).wrong) == 1


def test_on_another_model_it_finds_another_circuit() -> None:
    found = start("ioi-shortcut").step()
    assert (0, 3) in found.heads
    assert not set(found.heads) & set(describe("ioi-shortcut").role("name mover"))
    assert any("head 0.3 at end" in line for line in log_lines(found))


def test_its_effects_are_those_of_sweeps() -> None:
    """By way of the name movers' queries at END, on the half that is searched."""
    movers = heads([(3, 0), (3, 1)], at="end", through=anything)
    senders = {f"{port} 2.1": heads([(2, 1)], at="end", into=port) for port in "qkv"}
    swept = scrub.patch(
        searched(BEHAVIOUR), model="ioi-planted", samples=SAMPLES, session=session(),
        to=movers, senders=senders, through=mlps, restore=False,
    )  # fmt: skip
    (measured,) = (one for one in planted().measured if str(one.receiver).startswith("heads 3.0"))
    effects = {
        f"{one.port} 2.1": one
        for one in measured.effects
        if one.sender.pair == (2, 1) and one.at == "end"
    }
    assert effects.keys() == set(swept.frame["sender"])
    for number, sender in enumerate(swept.senders):
        one = effects[sender.name]
        assert one.effect.mean == pytest.approx(swept.effects[0][number].mean, abs=1e-4)
        assert one.share == pytest.approx(swept.share(0, number), abs=1e-5)
    assert abs(effects["q 2.1"].effect.mean) > 1 > abs(effects["v 2.1"].effect.mean)


def test_attention_is_that_of_the_metric() -> None:
    @scrub.claim(data=searched(BEHAVIOUR).data, metric=attention(to="s2"), model="ioi-planted")
    def looks(model: Any) -> scrub.Correspondence:
        pattern = heads([(2, 1)], part="pattern", at="end")
        return scrub.Correspondence({scrub.InterpNode("root", scrub.Exact()): pattern})

    done = scrub.run(looks, samples=SAMPLES, session=session(), diagnose=False)
    known = planted().attends[(2, 1), "end"]
    assert known.to == "s2"
    assert known.share == pytest.approx(done.scores.original.mean(), abs=1e-5)


def test_restored_it_finds_the_same_with_the_other_sign() -> None:
    restored, corrupted = (start(restore=way, at="end").step() for way in (True, False))
    assert restored.heads == corrupted.heads == ((3, 0), (3, 1))
    assert (restored.frame["effect"] > 0).all()
    assert (corrupted.frame["effect"] < 0).all()
    assert (restored.frame["share"] > 0).all()
    assert (corrupted.frame["share"] > 0).all()


# A frozen state


def test_a_step_leaves_the_search_as_it_was() -> None:
    begun = start()
    assert begun.step().measured
    assert not begun.measured
    assert planted().finished
    assert planted().step() is planted()


def test_steering_measures_nothing_again() -> None:
    dropped = planted().drop("2.0")
    assert len(dropped.measured) == len(planted().measured)
    assert (2, 0) not in dropped.heads
    assert not dropped.finished, "head 2.1 alone is another receiver"
    assert (2, 0) in dropped.keep("2.0").heads
    apart = planted().split("3.0").found.frontier
    assert {str(one) for one in apart} == {"head 3.0 at end", "head 3.1 at end"}
    assert (
        planted().split().merge("3.0,3.1").found.links[Receiver()]
        == (planted().found.links[Receiver()])
    )


def test_what_is_written_is_what_was_measured() -> None:
    again = with_state(start(), state_as_json(planted()))
    assert again.finished
    assert again.log == planted().log
    assert again.to_hypothesis() == planted().to_hypothesis()
    assert again.frame.equals(planted().frame)


def test_the_hypothesis_names_a_file_to_import_from() -> None:
    found = start("ioi-shortcut").step()
    with pytest.raises(UserError, match="held by no variable of a file"):
        evolve(found, item=evolve(found.item, variable="")).to_hypothesis()


def test_nothing_found_says_what_was_largest() -> None:
    found = start(smallest=0.99).run()
    assert found.finished
    assert not found.heads
    assert len(found.frame) == 0
    with pytest.raises(NothingFoundError, match=r"largest effect is that of head 3.0 at end, 5\d"):
        found.links()


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "heads that the model lacks": (
        {"keep": "9.9"},
        "keep=9.9: there is no such head. The model has layers 0 to 3 with heads 0 to 3 each. The "
        "nearest is 3.3.",
    ),
    "a head that is kept and dropped": (
        {"keep": "3.0", "drop": [(3, 0)]},
        "Head 3.0 is both kept and dropped. Leave it out of one of them.",
    ),
    "no heads": ({"drop": "mover"}, 'drop="mover" names no heads. Give some, as in drop="9.9".'),
    "a share above 1": (
        {"smallest": 5},
        "smallest=5. Give a share of the total effect, 0 or more and below 1, such as 0.05.",
    ),
    "senders of another kind": (
        {"senders": "heads,streams"},
        'There are no senders "streams" that a search goes on from. Give some of: heads, mlps, '
        "embeddings.",
    ),
    "MLPs that are passed": (
        {"senders": "heads,mlps"},
        "Senders are MLPs, and through=mlps lets paths pass MLPs: what they carry would be counted "
        "twice. Give through=none (--through none), or leave the MLPs out.",
    ),
    "paths through anything": (
        {"through": anything},
        "through=anything: a search goes from component to component. Give through=none or "
        "through=mlps.",
    ),
    "another way": (
        {"by": "gradients"},
        "by='gradients'. There are: paths, pruning, acdc, attribution.",
    ),
    "steps that are no number": (
        {"steps": -1},
        "steps= is -1. Give a whole number, 0 or more, or leave it out.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    arguments, said = REFUSED[case]
    with pytest.raises(UserError) as refused:
        scrub.find(BEHAVIOUR, model="ioi-planted", **arguments)
    assert str(refused.value).removeprefix("test_path_search.py::ioi: ") == said


def test_a_total_that_is_not_told_from_zero() -> None:
    with pytest.raises(UserError, match="Original and corrupted are not told apart"):
        scrub.find(
            ioi.behaviour(40, corrupt=scrub.Exact()), model="ioi-planted", samples=10, steps=1
        )


def test_mlps_are_senders_where_paths_pass_none() -> None:
    search = start(senders="heads,mlps", through="none", at="end", smallest=0.03).step().step()
    kinds = {one.sender.kind for measured in search.measured for one in measured.effects}
    assert kinds == {"heads", "mlps"}


def test_a_path_ends_where_nothing_can_send() -> None:
    """Only embeddings send to heads of layer 0."""
    found = start("ioi-shortcut", senders="heads", at="end").step().drop("1.0").step()
    (_, last) = found.measured
    assert str(last.receiver) == "head 0.3 at end"
    assert last.effects == ()
    assert found.finished
    assert "2. to head 0.3 at end: no sender has a path to it\n" in found.log


def test_a_column_that_is_another_is_tried_once() -> None:
    """The metric reads at `last`, so that it stays; `late` is another in one row."""
    end = np.array([3, 4, 5])
    positions = {"end": end, "late": np.array([3, 4, 4]), "last": end}
    data = Dataset("d", {"tokens": np.zeros((3, 6), int)}, np.full(3, 6), positions=positions)
    assert distinct_columns(data, {"last"}) == ("late", "last")
    assert distinct_columns(data, {}) == ("end", "late")
