"""Checkpoints: when they hold, whether they come back whole, and from where a run resumes.

`test_resume.py` has whole runs that are stopped.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import evolve, field, frozen

from hypothesis import given
from hypothesis import strategies as st
from scrub.data.dataset import Dataset
from scrub.draw import draw
from scrub.hypothesis.collect import collect
from scrub.metrics import logit_diff
from scrub.results.atomic_write import write_whole
from scrub.results.result import Result
from scrub.runner import scoring
from scrub.runner.checkpoint import Checkpoint, Checkpoints
from scrub.runner.context import Context
from scrub.runner.fingerprint import Fingerprints
from scrub.runner.options import Options
from scrub.runner.pipeline import scrub_claim
from scrub.runner.planned import plan_claim
from scrub.runner.prepare import Prepared, prepare
from scrub.runner.progress import Silent
from scrub.runner.session import Session
from scrub.stats.scores import COLUMNS, Scores
from support.command import SUMS, inside
from support.paths import ROOT

# Whatever the place at which it stopped


@pytest.fixture(scope="module")
def by_hand() -> Prepared:
    return prepared(f"{SUMS}::by_hand")


def prepared(target: str, **options: Any) -> Prepared:
    path, _, name = target.partition("::")
    (found,) = prepare(collect([f"{ROOT / path}::{name}"]), Session(), Options(**options))
    return found


@given(known=st.integers(0, 200), memory=st.sampled_from([3000, 20_000, 2**30]), look=st.booleans())
def test_numbers_do_not_depend_on_where_a_run_was_resumed(
    by_hand: Prepared, known: int, memory: int, look: bool
) -> None:
    options = Options(samples=200, max_memory=memory, precision=1e-9 if look else None)
    whole = scrubbed(by_hand, Context(Session(), options))
    parts = [(part(whole.scores, known),)] if known else []
    checkpoint = Checkpoint(parts=parts, unchecked=known > 0)
    progress = Counted()
    context = Context(Session(), options, progress)
    planned = evolve(plan_claim(by_hand, context), checkpoint=checkpoint)
    resumed = scrub_claim(planned, context)
    assert not checkpoint.stale
    assert checkpoint.samples == 200
    assert sum(progress.finished) == 2 * 200  # once as claimed, and once with any input
    for name in COLUMNS:
        assert (getattr(resumed.scores, name) == getattr(whole.scores, name)).all()
    assert resumed.recovered == whole.recovered


@frozen
class Counted(Silent):
    """Counts the samples that are done."""

    finished: list[int] = field(factory=list)

    def advance(self, samples: int) -> None:
        self.finished.append(samples)


def scrubbed(claim: Prepared, context: Context) -> Result:
    return scrub_claim(plan_claim(claim, context), context)


def part(numbers: Scores, samples: int) -> Scores:
    return Scores(*(getattr(numbers, name)[:samples] for name in COLUMNS))


@given(
    numbers=st.lists(st.tuples(*(st.floats(width=64) for _ in COLUMNS)), min_size=1),
    cut=st.integers(0, 100),
)
def test_a_checkpoint_comes_back_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[tuple[float, ...]], cut: int
) -> None:
    columns = [np.array(column) for column in zip(*numbers, strict=True)]
    turned = columns[::-1]  # another metric
    parts = [
        tuple(Scores(*(c[here] for c in metric)) for metric in (columns, turned))
        for here in (slice(cut), slice(cut, None))
    ]
    nothing = Fingerprints({}, "")
    written = Checkpoints(nothing, {"abc": Checkpoint("claim", parts, seconds=2.5, finished=True)})
    file = tmp_path_factory.mktemp("kept") / "r.json"
    file.write_text(json.dumps({"partial": True, "kept": written.as_json()}), encoding="utf-8")
    read = Checkpoints.read(file, nothing)
    found_again = read.by_fingerprint["abc"]
    assert read.trouble == ""
    told = (found_again.claim, found_again.seconds, found_again.finished)
    assert told == ("claim", 2.5, True)
    for found, expected in zip(found_again.first(len(numbers)), (columns, turned), strict=True):
        for name, column in zip(COLUMNS, expected, strict=True):
            assert getattr(found, name).tobytes() == column.tobytes()


def test_the_scrub_that_asks_whether_a_claim_is_vacuous_has_a_checkpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    claim = prepared(f"{SUMS}::conjunction")  # true: every number is the original's
    checkpoints = Checkpoints(Fingerprints({claim.name: "text"}, ""))
    runs: list[int] = []
    execute = scoring.execute  # type: ignore[attr-defined]

    def counted(*arguments: Any, **options: Any) -> Any:
        runs.append(1)
        return execute(*arguments, **options)

    monkeypatch.setattr("scrub.runner.scoring.execute", counted)
    context = Context(Session(), Options(samples=200), checkpoints=checkpoints)
    results = [scrubbed(claim, context) for _ in range(2)]
    assert len(checkpoints.by_fingerprint) == 2
    assert len(runs) == 2
    assert [result.judgement.verdict for result in results] == ["supported"] * 2


# What no longer holds is not used


@frozen(eq=False)
class Case:
    """What a fingerprint is made of."""

    claim: Prepared
    options: Options
    code: str = ""
    source: str = "text"

    def fingerprint(self) -> str:
        draws = draw(self.claim.tree, self.claim.data, samples=50, seed=self.options.seed)
        made = Fingerprints({self.claim.name: self.source}, self.code)
        return made.of(self.claim, self.claim.model, self.options, draws)


def with_table(case: Case, **table: Any) -> Case:
    return evolve(case, claim=evolve(case.claim, data=evolve(case.claim.data, **table)))


def changed(case: Case) -> dict[str, Case]:
    """The case with one thing that determines the numbers changed; each draws the same rows."""
    claim, data = case.claim, case.claim.data
    x, columns = data.inputs["x"].copy(), {n: v.copy() for n, v in data.columns.items()}
    x[3] += 1
    columns["out"][3] += 1
    weights = evolve(claim.model, sha256="other")
    return {
        "data: inputs": with_table(case, inputs={**data.inputs, "x": x}),
        "data: lengths": with_table(case, lengths=data.lengths * 2),
        "data: a column": with_table(case, columns=columns),
        "data: labels": with_table(case, labels={"io": data.lengths}),
        "weights": evolve(case, claim=evolve(claim, model=weights)),
        "metric": evolve(case, claim=evolve(claim, metric=logit_diff("io", "s"))),
        "tree": evolve(case, claim=evolve(claim, tree=evolve(claim.tree, path=("root",)))),
        "source": evolve(case, source="text # and a comment"),
        "scrub itself": evolve(case, code="other"),
        "precision": evolve(case, options=Options(precision=0.1)),
        "device": evolve(case, options=Options(device="cuda:1")),
    }


def stale(case: Case) -> list[str]:
    """The changes that a fingerprint does not see."""
    before = case.fingerprint()
    return [name for name, other in changed(case).items() if other.fingerprint() == before]


def test_a_fingerprint_sees_everything_that_determines_the_numbers(by_hand: Prepared) -> None:
    case = Case(by_hand, Options())
    assert case.fingerprint() == Case(prepared(f"{SUMS}::by_hand"), Options()).fingerprint()
    assert case.fingerprint() == Case(by_hand, Options(max_memory=5000, alone=True)).fingerprint()
    assert case.fingerprint() != Case(by_hand, Options(seed=1)).fingerprint()
    assert stale(case) == []


def test_a_fingerprint_that_ignores_the_data_is_caught(
    by_hand: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scrub.runner.fingerprint._table", lambda data: data.name)
    assert [name for name in stale(Case(by_hand, Options())) if name.startswith("data")] == [
        "data: inputs", "data: lengths", "data: a column", "data: labels"
    ]  # fmt: skip


def test_a_fingerprint_of_the_inputs_alone_is_caught(
    by_hand: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scrub.runner.fingerprint._table", lambda data: Dataset.sha256.fget(data))  # type: ignore[attr-defined]
    assert stale(Case(by_hand, Options())) == ["data: a column", "data: labels"]


def test_another_configuration_of_the_same_weights_is_another_model(
    by_hand: Prepared, tmp_path: Path
) -> None:
    def fingerprint(epsilon: float) -> str:
        (tmp_path / "config.json").write_text(json.dumps({"layer_norm_epsilon": epsilon}))
        model = evolve(by_hand.model, directory=tmp_path)
        return Case(evolve(by_hand, model=model), Options()).fingerprint()

    assert fingerprint(1e-5) == fingerprint(1e-5) != fingerprint(1.1e-5)


DAMAGED = (
    "{} cannot be resumed from: it is damaged, or no results file. Everything is computed anew."
)


def test_damaged_numbers_are_not_used(tmp_path: Path) -> None:
    numbers = Scores(*(np.arange(5.0) + i for i in range(3)))
    nothing = Fingerprints({}, "")
    (entry,) = Checkpoints(nothing, {"abc": Checkpoint("claim", [(numbers,)])}).as_json()
    file = tmp_path / "r.json"

    def trouble(text: str) -> str:
        file.write_text(text, encoding="utf-8")
        found = Checkpoints.read(file, nothing)
        assert bool(found.by_fingerprint) == (text == whole)
        return found.trouble

    whole = json.dumps({"partial": True, "kept": [entry]})
    (columns,) = entry["float64"]
    swapped = entry | {"float64": [columns | {"scrubbed": columns["baseline"]}]}
    assert trouble(whole) == trouble("") == trouble('{"results": []}') == ""
    for text in (
        json.dumps({"partial": True, "kept": [swapped]}),
        json.dumps({"partial": True, "kept": [entry | {"float64": {}}]}),
        json.dumps({"partial": True, "kept": [entry, None]}),
        json.dumps({"partial": True}),
        "[1, 2]",
        whole[:-5],
    ):
        assert trouble(text) == DAMAGED.format(file)


# Files are never there by half


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    file, link = tmp_path / "real.json", tmp_path / "link.json"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)
    before = file.open()
    write_whole(link, "new")
    assert before.read() == "old", "a reader of the old file reads on in it"
    before.close()
    assert (link.is_symlink(), file.read_text()) == (True, "new")
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.json", "real.json"]


def test_results_can_go_into_a_pipe(tmp_path: Path) -> None:
    done = inside("test", f"{SUMS}::by_hand", "--samples", "9", "-q", "--json", "/dev/null")
    assert (done.code, done.err) == (0, "")
    assert Path("/dev/null").is_char_device()
