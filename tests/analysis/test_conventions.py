"""Conventions and specificity: what each variant changes and keeps, and cases known by hand."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub import (
    Agree,
    Correspondence,
    Dataset,
    Exact,
    InterpNode,
    Uncond,
    UserError,
    anything,
    claim,
    heads,
    input_stream,
    mlp,
    mlps,
    none,
    output,
    site,
    supported,
)
from scrub.analysis.conventions import Variant, conventions
from scrub.analysis.legality import problems
from scrub.analysis.specificity import Shuffled, Tried
from scrub.data.dataset import Rows
from scrub.draw import Draws, KeyedRandomness, draw
from scrub.hypothesis.claim import Claim
from scrub.hypothesis.sites import ALL, Through
from scrub.hypothesis.tree import Tree, treeify
from scrub.metrics import custom
from scrub.model.arithmetic import graph, node, source
from scrub.model.registry import describe
from scrub.results.diagnosis import Diagnosis
from scrub.results.result import Result
from scrub.runner.diagnoses import Diagnoses
from support.command import SUMS, assert_golden, inside
from support.diagnosed import diagnosed

# What a convention changes

PLANTED = describe("ioi-planted")
PROMPTS = Dataset(
    "two",
    inputs={"tokens": np.zeros((2, 6), dtype=int)},
    lengths=np.array([6, 6]),
    columns={"x": np.array([0, 1])},
    positions={"end": np.array([5, 5]), "s1": np.array([1, 1]), "io": np.array([3, 3])},
)


def tree(through: Through = none, **positions: Any) -> Tree:
    logits = InterpNode("logits", Exact(), other=Exact())
    movers = logits.child("movers", Exact())
    names, inhibition = movers.child("names", Uncond()), movers.child("inhibition", Agree("x"))
    late = heads([(3, 0)], at="end", through=through)
    return treeify(
        Correspondence(
            {
                logits: output(at="end"),
                movers: late,
                names: input_stream(heads([(3, 0)]), by=("k", "v"), at=("io", "s1")),
                inhibition: heads([(2, 1)], into="q", **positions),
            }
        )
    )


def named(tree: Tree) -> dict[str, Variant]:
    def drawn(tree: Tree) -> Draws:
        return draw(tree, PROMPTS, samples=20, seed=0)

    return {variant.name: variant for variant in conventions(tree, PLANTED.graph, PROMPTS, drawn)}


def nodes(tree: Tree) -> dict[str, Tree]:
    return {node.node.name: node for node in tree.walk()}


def legal(variant: Variant) -> Tree:
    assert variant.tree is not None, variant.problem
    assert not problems(variant.tree, PLANTED.graph, PROMPTS)
    return variant.tree


def test_all_conventions_that_are_not_the_claims_own() -> None:
    assert list(named(tree(at="end"))) == [
        "paths pass through MLPs",
        "other inputs: the node's own",
        "other inputs: any",
        "nodes at all positions",
        "each position on its own draw",
    ]
    assert "paths pass through no MLP" in named(tree(mlps, at="end"))


def test_mlps_free_and_held() -> None:
    free = nodes(legal(named(tree(at="end"))["paths pass through MLPs"]))
    assert free["movers"].routes[0].through == mlps
    assert free["logits"].routes == tree().routes
    held = nodes(legal(named(tree(mlps, at="end"))["paths pass through no MLP"]))
    assert held["movers"].routes[0].through == none
    every = legal(named(tree(anything.excluding(mlp(0)), at="end"))["paths pass through no MLP"])
    never = {str(cell) for cell in nodes(every)["movers"].routes[0].through.never}
    assert never == {f"MLP {layer}" for layer in range(PLANTED.layers)}


def test_other_inputs() -> None:
    own = nodes(legal(named(tree(at="end"))["other inputs: the node's own"]))
    assert [own[name].node.other for name in ("logits", "movers")] == [Exact(), Exact()]
    anybody = nodes(legal(named(tree(at="end"))["other inputs: any"]))
    assert [anybody[name].node.other for name in ("logits", "movers")] == [Uncond(), Uncond()]
    assert anybody["inhibition"].node.sampler == Agree("x")


def test_positions() -> None:
    whole = legal(named(tree(at="end"))["nodes at all positions"])
    assert {r.at for n in whole.walk()[1:] for r in n.routes} == {ALL}
    assert whole.routes[0].at == ("end",)
    apart = nodes(legal(named(tree(at="end"))["each position on its own draw"]))
    assert [r.at for name in ("names at io", "names at s1") for r in apart[name].routes] == [
        ("io",),
        ("s1",),
    ]
    assert "names" not in apart
    assert apart["inhibition"].routes == nodes(tree(at="end"))["inhibition"].routes


def test_what_is_exact_is_not_drawn_anew_for_each_position() -> None:
    logits = InterpNode("logits", Exact(), other=Uncond())
    both = Correspondence(
        {logits: output(at="end"), logits.child("both", Exact()): mlp(3, at=("io", "end"))}
    )
    assert "each position on its own draw" not in named(treeify(both))


def test_an_illegal_convention_says_why() -> None:
    logits = InterpNode("logits", Exact())
    at_end, at_io = logits.child("at end", Exact()), logits.child("mlp", Exact())
    both = treeify(
        Correspondence(
            {
                logits: output(at="end"),
                at_end: heads([(3, 0)], at="end"),
                at_io: mlp(3, at="end"),
            }
        )
    )
    found = named(both)["paths pass through MLPs"]
    assert found.tree is None
    assert found.problem.startswith('illegal: node "at end": ')
    assert "runs through MLP 3" in found.problem


# Known by hand: which verdicts turn, which features are needed, enough, or missing

X, Y, Z = np.array(list(itertools.product([0, 1, 2], [0, 1], [0, 1]))).T
MODEL = graph(
    source("x"),
    source("y"),
    node("left", lambda value: 2 * value, value="x"),
    node("right", lambda value: value, value="y"),
    node("out", lambda terms: terms, terms=["left", "right"]),
)
DATA = Dataset(
    "numbers",
    inputs={"x": X, "y": Y},
    lengths=np.ones(12, dtype=int),
    columns={"x": X, "y": Y, "z": Z, "big": X == 2, "out": 2 * X + Y},
)


def distance(out: Any, references: Any) -> Any:
    return np.abs(out.numpy() - references.feature("out"))


def run(sampler: Any, other: Any, expect: Any = None, seed: int = 0) -> tuple[Result, Diagnosis]:
    def build(model: Any) -> Correspondence:
        out = InterpNode("out", Exact(), other=other)
        return Correspondence({out: site("out"), out.child("left", sampler): site("left")})

    made: Claim = claim(data=DATA, metric=custom(distance), expect=expect)(build)
    asked = Diagnoses(conventions=True, specificity=True)
    result = diagnosed(made, MODEL, asked, samples=400, seed=seed)
    assert result.diagnosis is not None
    return result, result.diagnosis


def test_a_verdict_that_hangs_on_a_convention() -> None:
    result, found = run(Agree("x"), Exact(), supported(above=0.9))
    assert result.recovered.mean == 1
    assert found.conventions is not None
    (random,) = found.conventions
    assert random.name == "other inputs: any"
    rows, other = result.draws.references.index, result.draws.nodes[("out",)].own.index
    assert (rows == other).all()
    # y comes from any row: it differs by |y − y'|, of mean 1/2, in 400 samples
    assert random.recovered is not None
    assert random.recovered.low < 1 - 0.5 / result.scores.baseline.mean() < random.recovered.high
    assert (random.verdict, random.turns) == ("refuted", True)
    _, kept = run(Agree("x"), Uncond(), supported(above=0.1))
    assert kept.conventions is not None
    (own,) = kept.conventions
    assert (own.name, own.verdict, own.turns) == (
        "other inputs: the node's own",
        "supported",
        False,
    )


def by_words(found: Diagnosis) -> Mapping[str, Tried]:
    assert found.specificity is not None
    return {one.words: one for one in found.specificity}


def specific_by_hand() -> None:
    """`left` is 2x: z is not needed, x is, and nothing is missing."""
    result, found = run(Agree(("x", "z")), Exact())
    tried = by_words(found)
    assert list(tried) == ["without x", "without z", "x, z shuffled", "and everything else"]
    assert tried["without z"].lowers.mean == 0
    assert tried["without z"].finding == "not needed: over-specified"
    assert tried["without x"].finding == "needed"
    assert tried["without x"].lowers.mean == pytest.approx(
        result.recovered.mean - tried["without x"].recovered.mean
    )
    assert tried["x, z shuffled"].finding == "the feature matters"
    assert tried["and everything else"].lowers.mean == 0
    assert tried["and everything else"].finding == "nothing is missing"


def missing_by_hand() -> None:
    """Whether x is 2 is not enough; x and out tell the rest, y and z nothing."""
    _, found = run(Agree("big"), Exact())
    tried = by_words(found)
    assert tried["and everything else"].finding == "something is missing"
    columns = {words for words, one in tried.items() if one.control is not None}
    assert columns == {"and x", "and out"}
    assert tried["and x"].recovered.mean == 1
    assert tried["and x"].finding == "it was missing"


def test_coarser_finer_and_shuffled() -> None:
    specific_by_hand()


def test_the_column_that_is_missing() -> None:
    missing_by_hand()


def test_a_feature_that_is_not_carried() -> None:
    _, found = run(Agree("z"), Exact())
    tried = by_words(found)
    assert tried["z shuffled"].finding == "any classes as large would do"
    assert tried["without z"].finding == "not needed: over-specified"


@given(seed=st.integers(0, 99), names=st.sampled_from([("x",), ("x", "z"), ("big",)]))
@settings(deadline=None, max_examples=8)
def test_shuffled_keeps_the_sizes_of_classes_and_the_references_own_row(
    seed: int, names: tuple[str, ...]
) -> None:
    shuffled = Shuffled(Agree(names), names, seed)
    drawn = np.stack(
        [
            shuffled.draw(Rows(DATA, np.arange(12)), KeyedRandomness(seed, (str(draw),), 12)).index
            for draw in range(200)
        ]
    )
    reached = [set(drawn[:, row].tolist()) for row in range(12)]
    assert all(row in found for row, found in enumerate(reached))
    values = np.stack([DATA.feature(name) for name in names])
    sizes = np.unique(values, axis=1, return_counts=True)[1]
    assert sorted(map(len, reached)) == sorted(np.repeat(sizes, sizes).tolist())


def _not_shuffled(self: Shuffled, references: Any, randomness: Any) -> Any:
    return self.sampler.draw(references, randomness)


def _anything(self: Shuffled, references: Any, randomness: Any) -> Any:
    return Uncond().draw(references, randomness)


def _keeps(change: Any, values: Any, result: Any) -> Any:
    from scrub.stats.shares import share

    none = share(0 * values, result.scores)
    return Tried(change.swap, change.kind, change.words, none, none)


@pytest.mark.parametrize(
    ("name", "mutant", "check"),
    [
        ("scrub.analysis.specificity.Shuffled.draw", _not_shuffled, specific_by_hand),
        ("scrub.analysis.specificity.Shuffled.draw", _not_shuffled, missing_by_hand),
        ("scrub.analysis.specificity.Shuffled.draw", _anything, missing_by_hand),
        ("scrub.runner.diagnose._tried", _keeps, specific_by_hand),
    ],
)
def test_mutants_are_caught(
    name: str, mutant: Any, check: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name, mutant)
    with pytest.raises((AssertionError, KeyError)):
        check()


# The command


def test_diagnose_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    arguments = (f"{SUMS}::only_x", "--samples", "200", "--diagnose", "--json", file)
    done = inside("test", *arguments)
    assert done.err == ""
    assert_golden("diagnose", done.out)
    (result,) = json.loads(file.read_text(encoding="utf-8"))["results"]
    (convention,) = result["conventions"]
    assert convention["convention"] == "other inputs: any"
    assert convention["turns"] is True
    kinds = {(one["change"], one["kind"]): one for one in result["specificity"]}
    assert kinds["without x", "coarser"]["node"] == ["out", "product"]
    assert kinds["and x and y", "finer"]["recovered"]["mean"] == 1
    assert kinds["and x and y", "finer"]["recovered_shuffled"]["mean"] < 1
    assert result["nulls"]["reason"]


def test_a_claim_without_features_has_no_specificity() -> None:
    done = inside("test", f"{SUMS}::anything_goes", "--samples", "50", "--diagnose")
    said = "anything_goes: nothing to make coarser or finer: no node draws by Agree.\n"
    assert said in done.out
    assert "how specific" not in done.out


def test_by_default_a_verdict_that_turns_is_said_and_no_more() -> None:
    done = inside("test", f"{SUMS}::only_x", "--samples", "200")
    assert "would be" not in done.out  # inconclusive: there is nothing to doubt
    kept = inside("test", f"{SUMS}::anything_goes", "--samples", "200")
    assert "would be" not in kept.out
    none = inside("test", f"{SUMS}::only_x", "--samples", "200", "--no-diagnose")
    assert "would be" not in none.out


def test_conventions_that_take_much_are_left_to_be_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("scrub.runner.diagnose._few_operations", lambda *arguments: False)
    assert "convention" not in inside("test", f"{SUMS}::only_x", "--samples", "200").out


def test_a_convention_that_cannot_run_does_not_end_a_run_that_did_not_ask_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def too_much(*arguments: Any) -> None:
        raise UserError("--max-memory 10 bytes is too little.")

    monkeypatch.setattr("scrub.runner.variants.predicted_cost", too_much)
    done = inside("test", f"{SUMS}::only_x", "--samples", "200")
    assert done.err == ""
    assert "convention" not in done.out
