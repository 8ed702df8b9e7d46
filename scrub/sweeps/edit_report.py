"""The test of an edit: behaviours and claims before and after, where they should change or not.

A behaviour's change is the mean over references of metric(after) − metric(before), paired; its
interval holds together with those of all other behaviours and claims of the report (Bonferroni). A
claim's is that of its figure (docs/statistics.md), as `scrub.compare` has it, with 95% by itself.
That nothing was found to change is no finding: `unchanged(within=…)` is a test of equivalence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from scrub.errors import UserError
from scrub.hypothesis.behaviour import Behaviour
from scrub.hypothesis.belief import Belief, not_a_belief, supported
from scrub.hypothesis.claim import Claim
from scrub.hypothesis.collect import Collected
from scrub.printing import html_of, one_line
from scrub.results.comparison import compare
from scrub.results.result import Result
from scrub.runner.context import Context
from scrub.runner.pipeline import scrub_claim
from scrub.runner.planned import plan_claim
from scrub.runner.prepare import prepare
from scrub.stats.intervals import CONFIDENCE, Interval
from scrub.stats.rounding import interval, number, percent
from scrub.stats.scores import Scores
from scrub.stats.verdict import verdict_of

if TYPE_CHECKING:
    import pandas as pd


@frozen(eq=False)
class Asked:
    """What is looked at before and after.

    Attributes:
        collected: the claim, or a claim of the behaviour's root alone.
        belief: what it should change by.
    """

    collected: Collected
    belief: Belief
    is_behaviour: bool


@frozen(eq=False)
class Change:
    """One behaviour or claim before and after.

    Attributes:
        metric: of a behaviour; of a claim its figure, "recovered", say.
        before, after: the mean of the metric, or the figure.
        change: after − before.
        belief: how it should change.
        verdict: "supported", "refuted" or "inconclusive", of that.
    """

    name: str
    metric: str
    before: float
    after: float
    change: Interval
    belief: str
    verdict: str


@frozen(eq=False, repr=False)
class EditReport:
    """What an edit changed, where it should and where it should not. `print` shows it."""

    before: str
    after: str
    samples: int
    seed: int
    changes: tuple[Change, ...]

    @property
    def passed(self) -> bool:
        """Whether everything came out as it should."""
        return all(change.verdict == "supported" for change in self.changes)

    @property
    def frame(self) -> pd.DataFrame:
        """One row a behaviour or claim.

        Columns: name, metric, before, after, change, low, high, confidence, belief, verdict.
        """
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "name": one.name,
                    "metric": one.metric,
                    "before": one.before,
                    "after": one.after,
                    "change": one.change.mean,
                    "low": one.change.low,
                    "high": one.change.high,
                    "confidence": one.change.confidence,
                    "belief": one.belief,
                    "verdict": one.verdict,
                }
                for one in self.changes
            ]
        )

    def __str__(self) -> str:
        heads = ("", "metric", "before", "after", "change", "should be", "verdict")
        rows = [
            (
                one.name,
                one.metric,
                number(one.before),
                number(one.after),
                interval(one.change),
                one.belief,
                one.verdict,
            )
            for one in self.changes
        ]
        widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in (heads, *rows)
        ]
        level = percent(1 - (1 - CONFIDENCE) / max(1, len(self.changes)))
        return "\n".join(
            [
                f"before: {self.before}",
                f"after: {self.after}",
                f"{self.samples:,} references, seed {self.seed}",
                *lines,
                f"each interval of a behaviour has {level} (Bonferroni), of a claim 95%",
            ]
        )

    def __repr__(self) -> str:
        good = sum(change.verdict == "supported" for change in self.changes)
        return one_line(f"EditReport({good} of {len(self.changes)} as they should be)")

    def _repr_html_(self) -> str:
        return html_of(self)


def run_edit_report(
    before: Any, after: Any, asked: Sequence[Asked], context: Context
) -> EditReport:
    """Measure behaviours and claims on two models.

    Raises:
        UserError: a model cannot be loaded, a claim is illegal or is not about a model, or the data
            is not the same rows for both.
    """
    family = len(asked)
    sides = [
        _results(model, [one.collected for one in asked], context) for model in (before, after)
    ]
    changes = [
        _change(one, first, second, family)
        for one, first, second in zip(asked, *sides, strict=True)
    ]
    first, second = (side[0].model for side in sides)
    options = context.options
    return EditReport(first, second, options.samples, options.seed, tuple(changes))


def _results(model: Any, claims: Sequence[Collected], context: Context) -> list[Result]:
    options = evolve(context.options, model=model)
    here = evolve(context, options=options)
    prepared = prepare(claims, context.session, options)
    if len(prepared) < len(claims):
        kept = {item.claim.name for item in prepared}
        lost = next(item.claim.name for item in claims if item.claim.name not in kept)
        raise UserError(f"{lost} is not about model {model}: it has no figure. Leave it out.")
    return [scrub_claim(plan_claim(item, here), here) for item in prepared]


def _change(asked: Asked, before: Result, after: Result, family: int) -> Change:
    name = asked.collected.claim.name
    compared = compare(after, before)
    if not compared.paired:
        raise UserError(
            f"{name}: its data has other rows for {after.model} than for {before.model}: nothing "
            "is paired. Give models with one tokenizer."
        )
    if asked.is_behaviour:
        first, second = before.scores.original, after.scores.original
        scores = Scores(original=second, scrubbed=second, baseline=first, before=first)
        change = scores.effect(1 - (1 - CONFIDENCE) / family)
        metric, means = before.metric.name, (first.mean(), second.mean())
    else:
        change, metric = compared.difference, compared.figure
        means = (before.figure.mean, after.figure.mean)
    return Change(
        name,
        metric,
        float(means[0]),
        float(means[1]),
        change,
        asked.belief.words,
        verdict_of(change, supported(asked.belief)),
    )


def check_asked(expect: Any) -> list[tuple[Behaviour | Claim, Belief]]:
    """The pairs of what is looked at and how it should change.

    Raises:
        UserError: something is no such pair; it lists all.
    """
    given = list(expect) if isinstance(expect, Iterable) else []
    nothing = "scrub.edit_report: expect= names nothing. Give pairs (behaviour, belief)."
    problems = [] if given else [nothing]
    for pair in given:
        if not (isinstance(pair, tuple) and len(pair) == 2):
            problems.append(
                "scrub.edit_report: expect= takes pairs, as in [(ioi, lowers(by=2)), (other, "
                "unchanged(within=0.5))]."
            )
            continue
        what, belief = pair
        if not isinstance(what, Behaviour | Claim):
            problems.append(
                f"scrub.edit_report: expect= names a {type(what).__name__}. Give a behaviour or a "
                "claim."
            )
        if problem := not_a_belief(belief):
            problems.append(f"scrub.edit_report: expect= holds {problem}")
        elif belief.figure != "effect":
            problems.append(
                f"scrub.edit_report: {belief.words} is not about a change. Give raises(by=…), "
                "lowers(by=…) or unchanged(within=…)."
            )
    if problems:
        raise UserError(*dict.fromkeys(problems))
    return given
