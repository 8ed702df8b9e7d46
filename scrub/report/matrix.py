"""A matrix on the terminal: each claim on each model, and whether its verdict holds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from scrub.matrix.matrix import ClaimSpread, Entry, Matrix
from scrub.report.columns import Column, table
from scrub.stats.bonferroni import confidence_among
from scrub.stats.heterogeneity import Heterogeneity
from scrub.stats.rounding import number, percent
from scrub.stats.verdict import NOT_APPLICABLE

SIGNIFICANT = 0.05
"""Below this p, a scatter is said to be more than errors explain."""


def show_matrix(matrix: Matrix, console: Console) -> None:
    """Print a row a claim and model, a row a claim, and what they rest on."""
    width = console.width
    for line in _head(matrix):
        console.print(Text(line), width=width)
    console.print()
    console.print(table(_by_model(matrix), width), highlight=False)
    if any(len(one.entries) > 1 for one in matrix.claims):
        console.print()
        console.print(table(_by_claim(matrix), width), highlight=False)
    console.print()
    for line in _foot(matrix):
        console.print(Text(line), width=width)


def _head(matrix: Matrix) -> Iterator[str]:
    how = matrix.entries[0].cell.how
    seeds = list(dict.fromkeys(entry.cell.seed for entry in matrix.entries))
    shards = f" in {how.shards} shards" if how.shards > 1 else ""
    yield (
        f"{_several(len(matrix.names), 'claim')} on {_several(len(matrix.models), 'model')}, "
        f"{_several(len(seeds), 'seed')}, {how.samples:,} references each{shards}"
    )
    left = [
        f"{matrix.count(status)} {status}"
        for status in ("failed", "pending")
        if matrix.count(status)
    ]
    if left:
        there = len(matrix.entries) - matrix.count("failed") - matrix.count("pending")
        yield f"{there} of {len(matrix.entries)} are there; {', '.join(left)}"


def _several(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _by_model(matrix: Matrix) -> list[Column]:
    rows = [
        (claim, model, there)
        for claim in matrix.claims
        for model in matrix.models
        if (there := [e for e in claim.entries if e.cell.model_name == model])
    ]
    figures = {claim.which for claim, _, _ in rows}
    name = figures.pop() if len(figures) == 1 else "figure"
    return [
        Column("claim", [claim.name for claim, _, _ in rows], fold=True),
        Column("model", [model for _, model, _ in rows], fold=True),
        Column(name, [_mean(there) for _, _, there in rows], right=True),
        Column("from … to", [_range(there) for _, _, there in rows], drop=1),
        Column("verdicts", [_verdicts(there) for _, _, there in rows], fold=True),
        Column("expected", [_expected(there) for _, _, there in rows], drop=2),
    ]


def _known(entries: list[Entry]) -> list[float]:
    means = [entry.result.figure.mean for entry in entries if entry.result is not None]
    return [mean for mean in means if not math.isnan(mean)]


def _mean(entries: list[Entry]) -> str:
    means = _known(entries)
    if means:
        return number(sum(means) / len(means))
    return "undefined" if any(entry.result for entry in entries) else "–"


def _range(entries: list[Entry]) -> str:
    means = _known(entries)
    return f"{number(min(means))} … {number(max(means))}" if len(means) > 1 else ""


def _verdicts(entries: list[Entry]) -> str:
    """ "supported"; "supported 4, inconclusive 1"."""
    words = [e.verdict or ("none asked" if e.status == "done" else e.status) for e in entries]
    counts = Counter(words)
    if len(entries) == 1:
        return words[0]
    return ", ".join(f"{word} {count}" for word, count in counts.most_common())


def _expected(entries: list[Entry]) -> str:
    said = dict.fromkeys(e.result.expected for e in entries if e.result and e.result.expected)
    return ", ".join(said) or "–"


def _by_claim(matrix: Matrix) -> list[Column]:
    claims = matrix.claims
    several = len(matrix.models) > 1
    columns = [
        Column("claim", [one.name for one in claims], fold=True),
        Column("one verdict", [_holds(one) for one in claims]),
    ]
    if any(one.between_seeds.degrees for one in claims):
        spreads = [(one.seeds.observed, one.seeds.within) for one in claims]
        columns += [
            Column("± seeds", [_unknown(between) for between, _ in spreads], right=True),
            Column("± within", [_unknown(within) for _, within in spreads], right=True),
            Column("p seeds", [_p(one.between_seeds) for one in claims], right=True, drop=2),
        ]
    if several:
        models = [one.between_models for one in claims]
        columns += [
            Column("± models", [_unknown(found.tau) for found in models], right=True),
            Column("I²", [_share(found.i2) for found in models], right=True),
            Column("p models", [_p(found) for found in models], right=True, drop=1),
        ]
    return columns


def _holds(one: ClaimSpread) -> str:
    if one.holds is None:
        return "none" if one.verdicts or one.least else "–"
    if one.holds:
        return next(word for word in one.verdicts if word != NOT_APPLICABLE)
    done = len(set(one.verdicts) - {NOT_APPLICABLE}) > 1
    return "no" if done else "so far"


def _unknown(value: float) -> str:
    return "–" if math.isnan(value) else number(value)


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.0f}%"


def _p(found: Heterogeneity) -> str:
    if math.isnan(found.p):
        return "–"
    return "<0.001" if found.p < 0.001 else number(found.p)


def _foot(matrix: Matrix) -> Iterator[str]:
    """What the figures rest on, and what to doubt."""
    if any(one.between_seeds.degrees for one in matrix.claims):
        yield (
            "± seeds: standard deviation from seed to seed; ± within: the standard error that one "
            "seed's references give. Where intervals are right the two are alike."
        )
    if any(one.between_models.degrees for one in matrix.claims):
        yield (
            "± models: standard deviation of the truth from model to model (τ); I²: share of the "
            "scatter between models that references do not explain."
        )
    odd = [one for one in matrix.claims if one.between_seeds.p < SIGNIFICANT / len(matrix.claims)]
    for one in odd:
        yield f"{one.name}: seeds differ by more than their intervals say: doubt these."
    family = max(_family(matrix).values(), default=0)
    if family > 1:
        level = percent(confidence_among(family))
        yield (
            f"Verdicts use {level} intervals, so that those of one model and seed hold together "
            "at 95%."
        )
    wrong = [e for e in matrix.entries if e.result and e.result.judgement.passed is False]
    judged = [e for e in matrix.entries if e.result]
    if judged:
        yield (
            f"{len(judged):,} results, all as expected"
            if not wrong
            else f"{len(judged):,} results, {len(wrong):,} not as expected"
        )


def _family(matrix: Matrix) -> Counter[str]:
    """How many claims are judged together on each model."""
    judged = {(e.cell.model, e.cell.file, e.cell.claim) for e in matrix.entries if e.cell.judged}
    return Counter(model for model, _, _ in judged)
