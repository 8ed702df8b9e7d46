"""`scrub compare`: by hand, laws, coverage of the difference's interval, and the command."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import scrub
from hypothesis import given, settings
from hypothesis import strategies as st
from scrub.hypothesis.collect import load
from scrub.results.comparison import compare, difference
from scrub.stats.intervals import Interval, loss_recovered
from scrub.stats.scores import Scores
from support.bad_input import refused
from support.command import IOI, SUMS, assert_golden, inside
from support.paths import ROOT


def numbers(rng: np.random.Generator, size: int, kept: float) -> Scores:
    """Original, scrubbed and baseline, correlated within a reference; recovers about `kept`."""
    hard = rng.gamma(2, 1, size)
    gap = 4 * rng.gamma(2, 0.5, size)
    scrubbed = hard + (1 - kept) * gap + rng.normal(0, 0.5, size)
    return Scores(hard + rng.normal(0, 0.1, size), scrubbed, hard + gap)


def with_scrubbed(first: Scores, change: np.ndarray) -> Scores:
    return Scores(first.original, first.scrubbed + change, first.baseline)


# By hand


def test_one_ratio_where_original_and_baseline_are_shared() -> None:
    first = Scores(np.zeros(4), np.array([1.0, 0, 0, 1]), np.array([2.0, 4, 2, 4]))
    second = with_scrubbed(first, np.array([0.0, 1, 2, 0]))
    assert difference(first, second, paired=True, seed=0).mean == pytest.approx(3 / 12)
    assert difference(second, first, paired=True, seed=0).mean == pytest.approx(-3 / 12)


def test_two_ratios_where_they_are_not() -> None:
    first = Scores(np.zeros(4), np.array([1.0, 0, 0, 1]), np.array([2.0, 4, 2, 4]))
    second = Scores(np.ones(4), np.array([2.0, 2, 2, 1]), np.array([2.0, 3, 4, 3]))
    expected = 10 / 12 - 5 / 8
    for paired in (True, False):
        found = difference(first, second, paired=paired, seed=0)
        assert found.mean == pytest.approx(expected)
        assert found.low < expected < found.high


def test_what_is_undefined_or_unbounded_stays_so() -> None:
    first = Scores(np.zeros(4), np.ones(4), np.full(4, 2.0))
    flat = Scores(np.zeros(4), np.ones(4), np.zeros(4))
    found = difference(first, flat, paired=True, seed=0)
    assert math.isnan(found.mean)
    assert found.reason.startswith("baseline and original are equal")
    noisy = Scores(np.zeros(4), np.ones(4), np.array([5.0, -5, 5, -4]))
    found = difference(first, noisy, paired=True, seed=0)
    assert math.isinf(found.high)
    assert found.reason


def test_references_without_a_metric_are_left_out() -> None:
    first = Scores(np.zeros(4), np.array([1.0, 0, 0, 1]), np.array([2.0, 4, 2, 4]))
    second = with_scrubbed(first, np.array([0.0, 1, 2, 0]))

    def gone(numbers: Scores) -> Scores:
        lost = np.where(np.arange(4) == 1, math.nan, 0.0)
        columns = (numbers.original, numbers.scrubbed, numbers.baseline)
        return Scores(*(column + lost for column in columns))

    found = difference(gone(first), gone(second), paired=True, seed=0)
    assert found.mean == pytest.approx(2 / 8)


# Laws


def test_a_claim_differs_from_itself_by_exactly_nothing() -> None:
    sums = load(ROOT / SUMS)
    first, second = (scrub.run(sums.only_x, samples=40) for _ in range(2))
    assert compare(first, second).difference == Interval(0, 0, 0)
    other = scrub.run(sums.conjunction, samples=40)
    found = compare(other, other).difference
    assert found == Interval(0, 0, 0)


def test_scrubs_without_a_difference_may_yet_have_one() -> None:
    same = numbers(np.random.default_rng(0), 40, 0.5)
    found = difference(same, same, paired=True, seed=0)
    assert found.mean == 0
    assert found.low < 0 < found.high


@given(seed=st.integers(0, 99))
@settings(deadline=None, max_examples=10)
def test_the_mean_is_the_difference_of_what_is_recovered(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = numbers(rng, 40, 0.5), numbers(rng, 50, 0.8)
    recovered = [loss_recovered(n.original, n.scrubbed, n.baseline).mean for n in (first, second)]
    found = difference(first, second, paired=False, seed=seed)
    back = difference(second, first, paired=False, seed=seed)
    assert found.mean == pytest.approx(recovered[0] - recovered[1])
    assert back.mean == pytest.approx(-found.mean)


SIMULATIONS, SAMPLES = 200, 80
"""So many simulations that an interval which always holds the truth is caught: 0.95²⁰⁰ < 1e-4."""


def covered(paired: bool, shared_noise: float, *, treat_as_paired: bool) -> tuple[int, float]:
    """How often the interval of two models' difference holds the truth, and its mean width."""
    hits, widths = 0, []
    for seed in range(SIMULATIONS):
        rng = np.random.default_rng(seed)
        common = rng.normal(0, shared_noise, SAMPLES)
        sides = []
        for kept in (0.5, 0.6):
            own = common if paired else rng.normal(0, shared_noise, SAMPLES)
            base = np.full(SAMPLES, 4.0) + rng.normal(0, 0.2, SAMPLES)
            sides.append(Scores(np.zeros(SAMPLES), 4 * (1 - kept) + own, base))
        found = difference(*sides, paired=treat_as_paired, seed=seed)
        hits += found.low <= -0.1 <= found.high
        widths.append(found.high - found.low)
    return hits, float(np.mean(widths))


def honest(hits: int) -> bool:
    """Whether 95% is not refuted by so many hits, at a false alarm of 1e-4."""
    return stats.binomtest(hits, SIMULATIONS, 0.95).pvalue > 1e-4


def test_coverage_paired_and_not_and_what_pairing_is_worth() -> None:
    apart, wide = covered(False, 1.0, treat_as_paired=False)
    together, narrow = covered(True, 1.0, treat_as_paired=True)
    assert honest(apart)
    assert honest(together)
    assert narrow < wide / 2  # the noise that both share cancels
    too_wide, _ = covered(True, 1.0, treat_as_paired=False)  # mutant: pairing is not used
    assert not honest(too_wide)


# The command


def test_two_claims_of_a_file() -> None:
    done = inside("compare", f"{SUMS}::only_x", f"{SUMS}::anything_goes", "--samples", "200")
    assert (done.code, done.err) == (0, "")
    assert_golden("compare", done.out)


def test_a_claim_with_itself_on_two_models(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    models = ("--model", "ioi-planted", "--model", "ioi-shortcut")
    arguments = (f"{IOI}::by_value", *models, "--samples", "60", "--json", file)
    done = inside("compare", *arguments)
    assert (done.code, done.err) == (0, "")
    found = json.loads(file.read_text(encoding="utf-8"))
    (pair,) = found["comparisons"]
    planted, shortcut = (found["results"][pair[side]] for side in ("first", "second"))
    assert (planted["model"], shortcut["model"]) == ("ioi-planted", "ioi-shortcut")
    expected = planted["recovered"]["mean"] - shortcut["recovered"]["mean"]
    assert pair["difference"]["mean"] == pytest.approx(expected)
    assert pair["paired"] is True
    assert "the second recovers more" in done.out


def test_a_file_with_itself() -> None:
    done = inside("compare", SUMS, SUMS, "--samples", "50")
    assert (done.code, done.err) == (0, "")
    assert done.out.count("0.000 [0.000, 0.000]") == 4
    assert "undefined: baseline and original are equal" in done.out


def test_nodes_of_one_name_draw_alike() -> None:
    sums = load(ROOT / SUMS)
    first, second = (scrub.run(c, samples=40) for c in (sums.only_x, sums.anything_goes))
    found = compare(first, second)
    assert found.paired
    assert found.difference.mean == pytest.approx(first.recovered.mean - second.recovered.mean)
    other = scrub.run(sums.only_x, samples=40, seed=1)
    assert not compare(first, other).paired


def test_bad_input(tmp_path: Path) -> None:
    text = (ROOT / SUMS).read_text(encoding="utf-8")
    (tmp_path / "sums.py").write_text(text, encoding="utf-8")
    names = "conjunction, anything_goes, only_x, undefined, by_hand"
    usage = (
        "Usage: scrub compare [OPTIONS] PATH[::CLAIM] [PATH[::CLAIM]]\n"
        "Try 'scrub compare --help' for help.\n\nError: "
    )
    assert refused(tmp_path, "compare", "sums.py").replace("-h'", "--help'") == (
        usage + "Give a second claim or file, or --model twice.\n"
    )
    three = ("--model", "a", "--model", "b", "--model", "c")
    assert refused(tmp_path, "compare", "sums.py", *three).replace("-h'", "--help'") == (
        usage + "--model is given 3 times. Two sides take two.\n"
    )
    assert refused(tmp_path, "compare", "sums.py::only_y", "sums.py") == (
        'error: sums.py: There is no claim "only_y". The nearest is "only_x"; there are: '
        f"{names}.\n"
    )
    (tmp_path / "others.py").write_text(text.replace("def only_x(", "def only_y("))
    assert refused(tmp_path, "compare", "sums.py::only_x", "others.py") == (
        "error: No claim of the first has the name of one of the second. Name one of each, as "
        "FILE::CLAIM; there are: only_x; and: conjunction, anything_goes, only_y, undefined, "
        "by_hand.\n"
    )
