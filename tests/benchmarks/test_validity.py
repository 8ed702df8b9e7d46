"""The benchmark of verdicts: what it takes for the truth about a claim is the truth."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
import validity
from attrs import evolve
from validating.claims import (
    ROOT,
    WRONG,
    Part,
    Planted,
    Told,
    correspondence,
    half_right,
    turned,
    with_half_right,
)
from validating.falsehoods import HARDER, REFUTABLE, UNREFUTABLE, falsehoods
from validating.population import Operation, Wiring, recovered
from validating.trial import BOUND, NEAR, Counts, Tried, population, put_to_test, tried
from validating.wired_graphs import graph_of, wired_graph
from validating.wired_transformers import (
    ragged_transformer,
    sharing_transformer,
    wired_transformer,
)

from oracle.by_hand import Drawn, root_value
from scrub.data.dataset import Dataset
from scrub.hypothesis.sites import site
from scrub.hypothesis.tree import NamePath
from scrub.model.verify import plain_logits
from scrub.runner.session import Session
from scrub.samplers import Agree, Differ, Exact, Uncond

FIVE_ERRORS = 5 / 1.96
"""Half-widths of a 95% interval in five standard errors: by chance in one of a million claims."""
UNSEEN = 0.036
"""The interval may be [1, 1] because failures were not drawn: of 15 expected ones none is, with
probability e⁻¹⁵, and 15 of 1,000 cost 0.036 where an unrelated row is wrong in 42% of the cases."""
FEW = Counts(graphs=6, transformers=0, true=2, false=3, beyond=1, trained=0, large=4_000)

# The enumeration, against every draw that there is

WIRING = Wiring(
    3,
    {
        "n": Operation(
            "n", "maximum", {"a": "x", "b": "y"}, ("z",), np.maximum.outer(*2 * (range(3),))
        ),
        "out": Operation(
            "out", "sum", {"a": "n", "b": "z"}, ("n", "x"), np.add.outer(*2 * (range(3),)) % 3
        ),
    },
)
"""out = max(x, y) + z mod 3."""
INPUTS = {"x": np.array([0, 2, 1, 0]), "y": np.array([1, 0, 1, 2]), "z": np.array([0, 1, 2, 1])}
FOUR = Dataset(
    "four rows",
    inputs={name: np.stack([values, 7 - values], axis=1) for name, values in INPUTS.items()},
    lengths=np.ones(4, dtype=np.int64),
    columns=WIRING.columns(INPUTS),
)


def claim(n: Part | None, *more: Part) -> Part:
    return Part("out", ROOT, site("out"), (*([n] if n else []), *more))


X, Y, Z = (
    Part("x", Agree("x"), site("x", into="a")),
    Part("y", Agree("y"), site("y", into="b")),
    Part("z", Agree("z"), site("z", into="b")),
)
N = Part("n", Agree("n"), site("n", into="a"))
CLAIMS = {
    "true": claim(evolve(N, children=(X, Y)), Z),
    "leaves": claim(N, Z),
    "missing": claim(evolve(N, children=(X,)), Z),
    "uncond": claim(evolve(N, sampler=Uncond())),
    "feature": claim(evolve(N, sampler=Agree("x")), Z),
    "exact": claim(evolve(N, sampler=Exact(), children=(X,))),
    "port": claim(evolve(N, sites=site("n", into="side")), Z),
    "z alone": claim(None, Z),
    "another z": claim(N, evolve(Z, sampler=Differ("z"))),
    "another n": claim(evolve(N, sampler=Differ("n"), children=(X, Y)), Z),
}


def donors(part: Part, row: int) -> list[int]:
    """The rows that a part may draw as its own."""
    if isinstance(part.sampler, Differ):
        (other,) = part.sampler.differ
        return [i for i in range(4) if FOUR.columns[other][i] != FOUR.columns[other][row]]
    features = getattr(part.sampler, "features", () if part.sampler == Uncond() else ("row",))
    columns = {**FOUR.columns, "row": np.arange(4)}
    return [i for i in range(4) if all(columns[f][i] == columns[f][row] for f in features)]


def every_draw(part: Part, row: int, path: NamePath = ()) -> list[tuple[float, dict]]:
    """Every way to draw a part and all below it, for one reference: its chance, and the rows."""
    here = (*path, part.name)
    found = []
    own_rows = donors(part, row)
    for own in own_rows:
        others = range(4) if part.children else [None]
        below = [every_draw(child, own, here) for child in part.children]
        for other, *ways in itertools.product(others, *below):
            chance = 1 / len(own_rows) / len(others) * np.prod([way[0] for way in ways])
            rows = {here: (own, other)}
            for way in ways:
                rows |= way[1]
            found.append((chance, rows))
    return found


def by_brute_force(part: Part) -> float:
    """Loss recovered over every draw, on the engine and the reference evaluator."""
    ways = [(row, chance / 4, rows) for row in range(4) for chance, rows in every_draw(part, row)]
    drawn: dict[NamePath, Drawn] = {}
    for path in ways[0][2]:
        own, other = zip(*(rows[path] for _, _, rows in ways), strict=True)
        drawn[path] = own if other[0] is None else (own, other)
    value = root_value(graph_of(WIRING, FOUR.inputs), FOUR, correspondence(part).sites, drawn)
    answer = FOUR.columns["out"]
    wrong = value[:, 0, 0, 0].numpy() != answer[[row for row, _, _ in ways]]
    lost = float(np.dot([chance for _, chance, _ in ways], wrong))
    return 1 - lost / float((answer[:, None] != answer).mean())


@pytest.mark.parametrize("name", CLAIMS)
def test_enumeration_is_the_mean_over_every_draw(name: str) -> None:
    assert recovered(WIRING, FOUR, CLAIMS[name]) == pytest.approx(by_brute_force(CLAIMS[name]))


def test_another_claim_is_not_taken_for_it() -> None:
    """The comparison can fail: of two claims that differ in one place, the numbers differ."""
    found = {name: recovered(WIRING, FOUR, part) for name, part in CLAIMS.items()}
    assert found["true"] == found["leaves"] == pytest.approx(1)
    numbers = [found[name] for name in ("true", "missing", "uncond", "feature", "exact", "z alone")]
    assert np.diff(sorted(numbers)).min() > 1e-3
    assert found["port"] == pytest.approx(found["z alone"])


# Generated claims


@functools.cache
def outcomes() -> tuple[Tried, ...]:
    return tuple(validity.run(FEW, seed=1))


def test_a_dozen_true_claims_recover_one_and_are_supported() -> None:
    true = [one for one in outcomes() if one.kind == "true"]
    assert len(true) >= 8
    for one in true:
        assert one.population == pytest.approx(1, abs=1e-12)
        assert (one.recovered, one.verdict) == (1, "supported")


def test_false_claims_recover_what_the_enumeration_says() -> None:
    false = [one for one in outcomes() if one.kind != "true"]
    assert len(false) >= 20
    assert {one.kind for one in false} >= {"node", "feature", "missing", "finer", "idle"}
    for one in false:
        off = abs(one.recovered - one.population)
        assert off <= FIVE_ERRORS * (one.high - one.low) / 2 + UNSEEN, one
    assert len({round(one.population, 3) for one in false}) > 8


def test_what_is_clearly_false_is_refuted_and_what_is_true_of_the_rows_is_not() -> None:
    """Below 0.7: the bound is more than two half-widths away at 1,000 samples."""
    false = [one for one in outcomes() if one.kind != "true"]
    assert sum(one.population < 0.7 for one in false) >= 8
    for one in false:
        if one.population < 0.7:
            assert one.verdict == "refuted", one
        if one.population == pytest.approx(1, abs=1e-12):
            assert one.verdict == "supported", one
    for one in false:
        if one.kind in UNREFUTABLE:
            assert one.population == pytest.approx(1, abs=1e-12), one


def test_a_true_claim_in_which_all_is_free_is_refuted() -> None:
    """The mutant: below the root every sampler becomes `Uncond`."""
    for seed in range(3):
        planted = wired_graph(np.random.default_rng(seed), f"graph {seed}")
        (truth,) = planted.truths
        free = evolve(truth, children=tuple(evolve(c, sampler=Uncond()) for c in truth.children))
        found = put_to_test(planted, Told("free", "", free), Session(), seed, 1)
        assert (found.verdict, found.population < BOUND) == ("refuted", True)


def test_the_same_seed_makes_the_same_claims() -> None:
    few = evolve(FEW, graphs=1)
    assert list(validity.run(few, seed=1)) == [o for o in outcomes() if o.model == "graph 0"]


# Hand-wired transformers


MAKERS = {
    "transformer": wired_transformer,
    "sharing": sharing_transformer,
    "ragged": ragged_transformer,
}


@functools.cache
def transformer(seed: int, kind: str = "transformer") -> Planted:
    torch.set_num_threads(1)
    return MAKERS[kind](np.random.default_rng(seed), f"{kind} {seed}")


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("seed", range(4))
def test_hand_wired_transformers_compute_their_algorithm(seed: int, kind: str) -> None:
    planted = transformer(seed, kind)
    ends = torch.tensor(planted.data.lengths - 1)
    every = plain_logits(planted.model, torch.tensor(planted.data.inputs["tokens"]))
    logits = every[torch.arange(len(ends)), ends]
    answer = torch.tensor(planted.data.labels["answer"])
    right = logits.gather(1, answer[:, None])[:, 0]
    rest = logits.scatter(1, answer[:, None], -torch.inf).max(dim=1).values
    assert (right - rest).min() > 4


@pytest.mark.parametrize("kind", MAKERS)
def test_claims_about_hand_wired_transformers(kind: str) -> None:
    counts = Counts(graphs=0, transformers=1, true=2, false=3, beyond=1, trained=0, large=4_000)
    random = np.random.default_rng(1)
    found = list(tried(transformer(1, kind), counts, random, Session(), 1))
    for one in found:
        if one.kind in ("true", *UNREFUTABLE):
            assert one.population > 0.98, one
            assert one.verdict == "supported", one
        room = FIVE_ERRORS * (one.high - one.low) / 2 + 5 * one.error
        assert abs(one.recovered - one.population) <= room + UNSEEN, one
    assert any(one.verdict == "refuted" for one in found)


def test_every_kind_of_mistake_can_be_made() -> None:
    planted = transformer(0)
    kinds = {
        kind
        for truth in planted.truths
        for kind in (*REFUTABLE, *UNREFUTABLE)
        if falsehoods(planted, truth, kind)
    }
    assert kinds == {*REFUTABLE, *UNREFUTABLE}


def test_every_harder_mistake_can_be_made() -> None:
    made = {
        kind
        for name in MAKERS
        for kind in HARDER
        for seed in range(4)
        if any(
            falsehoods(transformer(seed, name), truth, kind)
            for truth in transformer(seed, name).truths
        )
    }
    assert made == set(HARDER)


def test_half_right_features_are_wrong_in_the_share_of_rows_that_they_say() -> None:
    rows = np.arange(200)
    data = Dataset(
        "rows",
        inputs={"x": rows},
        lengths=np.ones(200, dtype=np.int64),
        columns={"a": rows % 3, "b": rows // 100, "constant": np.zeros(200)},
    )
    told = with_half_right(data, ["a", "constant"], ["a", "b"], np.random.default_rng(0))
    for share in WRONG:
        assert (told.columns[half_right("a", share)] != data.columns["a"]).mean() == share
    moved = told.columns[turned("a")] != data.columns["a"]
    assert np.array_equal(moved, data.columns["b"] == 1)
    assert half_right("constant", WRONG[0]) not in told.columns


def test_claims_that_are_chosen_lie_near_the_bound() -> None:
    counts = Counts(graphs=0, transformers=0, true=1, false=0, beyond=0, trained=0, near=1)
    near: list[Tried] = []
    for seed in range(6):
        planted = wired_graph(np.random.default_rng([5, seed]), f"graph {seed}")
        found = tried(planted, counts, np.random.default_rng(seed), Session(), seed)
        near += [one for one in found if one.near]
    assert len(near) >= 3
    assert all(NEAR[0] <= one.population < NEAR[1] for one in near)
    assert all(one.verdict in ("refuted", "inconclusive") for one in near)


def without(planted: Planted, left: tuple[int, ...]) -> float:
    """What the first story of heads that share the work recovers without some of them."""
    (story, _), place = planted.truths, ()
    if len(story.children) == 1:
        place = (0,)  # heads stand below the MLP that takes their votes
    kept = tuple(c for i, c in enumerate(story.at(place).children) if i not in left)
    changed = evolve(story.at(place), children=kept)
    part = story.put(place, changed) if place else changed
    return population(planted, part, Session(), 0, 2_000).recovered


def test_of_three_heads_that_vote_one_is_redundant_and_two_are_not() -> None:
    votes = [p for p in (transformer(s, "sharing") for s in range(6)) if votes_in(p)]
    assert votes
    for one in range(3):
        assert without(votes[0], (one,)) > 0.99
        assert without(votes[0], tuple(i for i in range(3) if i != one)) < 0.5


def test_of_three_heads_that_add_up_each_costs_by_its_share() -> None:
    """The right answer's logit falls by 8 · share for its own; one share is half or more."""
    shares = [p for p in (transformer(s, "sharing") for s in range(6)) if not votes_in(p)]
    assert shares
    lost = sorted(1 - without(shares[0], (one,)) for one in range(3))
    assert lost[0] < 0.03
    assert lost[1] < 0.05
    assert 0.05 < lost[2] < 0.4


def votes_in(planted: Planted) -> bool:
    return len(planted.truths[0].children) == 1


def test_the_whole_command(tmp_path: Path) -> None:
    validity.main(["--quick", "--out", str(tmp_path)])
    page = (tmp_path / "validity.md").read_text(encoding="utf-8")
    assert "## Which false claims survive, and why" in page
