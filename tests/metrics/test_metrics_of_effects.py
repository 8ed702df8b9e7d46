"""Metrics of a label, of sets of labels and of patterns: by hand, and on frames' positions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import scrub
from scrub import (
    Claim,
    Correspondence,
    Exact,
    Fixed,
    InterpNode,
    UserError,
    attends,
    heads,
    raises,
    token_embedding,
)
from scrub.data.dataset import Dataset, Rows
from scrub.metrics import (
    Metric,
    attention,
    logit,
    mass,
    measure,
    probability,
    probability_diff,
    probability_difference,
    rank,
)
from scrub.model.bridge import graph_of
from support import tiny_models

LOGITS = torch.tensor([[0.0, 1.0, 2.0, 3.0], [3.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
DATA = Dataset(
    "two",
    {"x": np.arange(2)},
    np.ones(2, int),
    labels={"a": np.array([3, 1]), "b": np.array([2, 1]), "c": np.array([3, 0])},
)
ROWS = Rows(DATA, np.arange(2))


def by_hand(logits: torch.Tensor) -> np.ndarray:
    odds = np.exp(logits.numpy())
    return odds / odds.sum(1, keepdims=True)


P = by_hand(LOGITS)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (logit("a"), [3.0, 0.0]),
        (probability("a"), [P[0, 3], P[1, 1]]),
        (mass("a"), [P[0, 3], P[1, 1]]),
        (mass("a", "b"), [P[0, 3] + P[0, 2], P[1, 1]]),  # one token twice counts once
        (mass("a", "b", "c"), [P[0, 3] + P[0, 2], P[1, 1] + P[1, 0]]),
        # a row's set has as many tokens as differ: row 1 of a, b is token 1 alone
        (probability_difference(["a", "b"], ["c"]), [P[0, 2], P[1, 1] - P[1, 0]]),
        (probability_difference(["c"], ["b", "a"]), [-P[0, 2], P[1, 0] - P[1, 1]]),
        (probability_difference(["c", "a"], ["a"]), [0.0, P[1, 0]]),
        (rank("a"), [0.0, 1.0]),
        (rank("b"), [1.0, 1.0]),  # ties are no larger
        (rank("c"), [0.0, 0.0]),
    ],
)
def test_by_hand(metric: Metric, expected: list[float]) -> None:
    found = measure(metric, LOGITS[:, None, None], ROWS)
    assert found == pytest.approx(np.array(expected))
    assert metric.recomputable


def test_of_the_labels_alone() -> None:
    metric = logit("a")
    columns = torch.tensor([[3.0], [0.0]])
    assert measure(metric, columns[:, None, None], ROWS, of_labels=True).tolist() == [3.0, 0.0]


def test_a_difference_of_sets() -> None:
    one, other = ["a", "b"], ("c",)
    metric = probability_difference(one, other)
    assert (metric.name, metric.labels) == ("p(a or b) − p(c)", ("a", "b", "c"))
    assert metric.sets == (("a", "b"), ("c",))
    assert probability_difference(list("abcb"), ["c"]).name == "p(a … b) − p(c)"
    assert probability_difference(one, other, name="P(> YY)").name == "P(> YY)"
    found = [
        measure(each, LOGITS[:, None, None], ROWS)
        for each in (probability_difference(["a"], ["c"]), probability_diff("a", "c"))
    ]
    assert found[0] == pytest.approx(found[1])


@pytest.mark.parametrize("given", [[], "ab", [3], None])
def test_sets_are_lists_of_names(given: Any) -> None:
    with pytest.raises(UserError, match="takes two lists of names of label columns"):
        probability_difference(given, ["a"])
    with pytest.raises(UserError, match="takes two lists of names of label columns"):
        probability_difference(["a"], given)


def test_which_way_is_better() -> None:
    made = (logit("a"), probability("a"), mass("a"), rank("a"), attention(to="s"))
    assert [metric.higher_is_better for metric in made] == [True, True, True, False, None]
    assert [metric.kind for metric in made] == ["logit", "probability", "mass", "rank", "attention"]


@pytest.mark.parametrize("labels", [(), (3,), (["a", "b"],)])
def test_a_set_of_labels_is_named(labels: tuple[Any, ...]) -> None:
    with pytest.raises(UserError, match="takes the names of label columns"):
        mass(*labels)


# Attention


def rows(name: str, seed: int, lengths: list[int], at: list[int]) -> Dataset:
    tokens = np.random.default_rng(seed).integers(0, tiny_models.VOCABULARY, (4, 6))
    return Dataset(
        name,
        inputs={"tokens": tokens},
        lengths=np.array(lengths),
        positions={"word": np.array(at), "end": np.array(lengths) - 1},
    )


HERE = rows("here", 0, [6, 6, 6, 6], [1, 2, 3, 0])
THERE = rows("there", 1, [4, 5, 4, 6], [2, 0, 3, 4])


def patterns(data: Dataset, layer: int, head: int) -> np.ndarray:
    """Attention from END, of each row by itself: [rows, positions]."""
    found = np.zeros((4, 6))
    for row, length in enumerate(data.lengths):
        tokens = torch.tensor(data.inputs["tokens"][row : row + 1, :length])
        _, cache = tiny_models.bridge("2x2").run_with_cache(tokens)
        seen = cache[f"blocks.{layer}.attn.hook_pattern"][0, head, length - 1]
        found[row, :length] = seen.detach()
    return found


def looking(*which: tuple[int, int]) -> Any:
    def hypothesis(model: Any) -> Correspondence:
        root = InterpNode("pattern", Exact(), other=Fixed(THERE))
        word = root.child("word", Exact())
        return Correspondence(
            {root: heads(which, "pattern", at="end"), word: token_embedding(at="end")}
        )

    return hypothesis


def run(hypothesis: Any, metric: Any = None, expect: Any = None, **more: Any) -> scrub.Result:
    expect = expect or attends(to="word", share=0.5)
    claim = Claim("looks", hypothesis, HERE, metric, expect, graph_of(tiny_models.bridge("2x2")))
    return scrub.run(claim, samples=50, diagnose=False, dtype=torch.float64, **more)


def test_attention_is_to_the_references_column_on_whatever_it_is_computed() -> None:
    found = run(looking((1, 0)))
    drawn = found.draws.references.index
    every = np.arange(4)
    on_reference = patterns(HERE, 1, 0)[every, HERE.positions["word"]][drawn]
    on_other = patterns(THERE, 1, 0)[every, HERE.positions["word"]][drawn]
    assert found.scores.original == pytest.approx(on_reference, rel=1e-9)
    assert found.scores.before == pytest.approx(on_other, rel=1e-9)
    wrong = patterns(THERE, 1, 0)[every, THERE.positions["word"]][drawn]
    assert np.abs(wrong - on_other).max() > 1e-3, "no test of where the column is"


def test_of_several_heads_it_is_the_mean() -> None:
    one, two, both = (run(looking(*which)) for which in ([(1, 0)], [(1, 1)], [(1, 0), (1, 1)]))
    mean = (one.scores.scrubbed + two.scores.scrubbed) / 2
    assert both.scores.scrubbed == pytest.approx(mean)


def test_other_metrics_are_reported_beside_the_beliefs_own() -> None:
    found = run(looking((1, 0)), metric=attention(to="end"))
    assert [other.metric.name for other in found.others] == ["attention to end"]
    assert found.metric.name == "attention to word"
    effect = run(looking((1, 0)), attention(to="end"), raises(by=0.1)).effect
    assert found.others[0].effect == effect


def root_at(part: str, at: Any) -> Any:
    def hypothesis(model: Any) -> Correspondence:
        root = InterpNode("root", Exact(), other=Exact())
        word = root.child("word", Exact())
        return Correspondence({root: heads([(1, 0)], part, at=at), word: token_embedding(at=at)})

    return hypothesis


@pytest.mark.parametrize(
    ("part", "at", "stands_for"),
    [
        ("z", "end", "head 1.0 at end"),
        ("pattern", ("word", "end"), "pattern of head 1.0 at word, end"),
        ("pattern", "all", "pattern of head 1.0 at all positions"),
    ],
)
def test_a_root_that_is_no_pattern_at_one_position(part: str, at: Any, stands_for: str) -> None:
    data = HERE.take([0, 1, 2])  # rows in which the two columns are apart
    claim = Claim(
        "looks",
        root_at(part, at),
        data,
        None,
        attends(to="word", share=0.5),
        graph_of(tiny_models.bridge("2x2")),
    )
    with pytest.raises(UserError) as refused:
        scrub.run(claim, samples=10)
    assert (
        'Metric "attention to word" reads the pattern of heads at one position, and the root '
        f'stands for {stands_for}. Give the root heads([(layer, head)], "pattern", at="end").'
    ) in str(refused.value)


def test_a_column_that_is_absent() -> None:
    with pytest.raises(UserError) as refused:
        run(looking((1, 0)), expect=attends(to="wrd", share=0.5))
    message = str(refused.value)
    assert 'Metric "attention to wrd": dataset "here" has no position column "wrd".' in message
    assert 'The nearest is "word"' in message


def test_a_claim_without_a_metric() -> None:
    with pytest.raises(UserError, match=r"It has no metric=\. Give one of scrub\.metrics"):
        run(looking((1, 0)), expect=raises(by=1))


def test_a_root_without_an_other_input() -> None:
    def alone(model: Any) -> Correspondence:
        return Correspondence({InterpNode("p", Exact()): heads([(1, 0)], "pattern", at="end")})

    with pytest.raises(UserError) as refused:
        run(alone)
    assert (
        'The belief "attends to word with 50%" is about what is changed on the root\'s other '
        "input, and the root has no children, so no other input. Give the root other=… and a "
        "child: root.child(name, sampler)."
    ) in str(refused.value)
