"""The result of a test, as frozen data: what the report shows and a notebook holds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, Unpack

import numpy as np
from attrs import Factory, field, frozen

from scrub.analysis.support import Support
from scrub.draw import Draws, NodeDraw
from scrub.hypothesis.belief import Belief, Expectation, Verdict
from scrub.hypothesis.claim import Claim
from scrub.hypothesis.describe import describe_route
from scrub.hypothesis.sites import ALL, Route
from scrub.hypothesis.tree import NamePath, Occurrence, Tree
from scrub.metrics import Metric
from scrub.printing import (
    REPORT_WIDTH,
    Printed,
    ReportOptions,
    brief,
    free_name,
    html_of,
    one_line,
    report_of,
)
from scrub.samplers import describe_sampler
from scrub.stats.intervals import Interval
from scrub.stats.rounding import interval, percent
from scrub.stats.scores import BEFORE, Scores
from scrub.stats.verdict import Judgement

if TYPE_CHECKING:
    import pandas as pd

    from scrub.results.diagnosis import Diagnosis
    from scrub.stats.between import Fresh
    from scrub.stats.cancellation import Cancellation


NOT_RECOVERED = Interval(
    math.nan, -math.inf, math.inf, reason="the claim is about an effect, not about loss recovered"
)


@frozen(repr=False)
class NodeResult:
    """What one occurrence of a node stood for, and what it drew.

    Attributes:
        path: the names from the root down.
        sites: its routes in words.
        sampler: of its own input; `other` of its other inputs ("" for a leaf).
        donors_distinct: number of distinct inputs that it drew as own.
        donors_changed: share of samples whose own input is not the node's reference.
        other_distinct: number of distinct other inputs; NaN for a leaf.
        pads_read: values taken past the end of a donor's row and put at a real position.
        alone: loss recovered when this node alone is scrubbed; None where it was not asked for.
    """

    path: NamePath
    sites: str
    sampler: str
    other: str
    donors_distinct: float
    donors_changed: float
    other_distinct: float
    pads_read: int
    alone: Interval | None = None

    @property
    def name(self) -> str:
        return self.path[-1]

    def __repr__(self) -> str:
        return brief(self)


@frozen(repr=False)
class Memory:
    """Bytes that a run added to the process at its peak: planned for, and measured (NaN: not)."""

    allowed: int
    predicted: int
    measured: float

    def __repr__(self) -> str:
        return brief(self)


@frozen(eq=False, repr=False)
class Measured:
    """What another metric of a claim came to; it decides nothing. `effect`: of such a claim."""

    metric: Metric
    scores: Scores
    recovered: Interval
    effect: Interval | None = None

    @property
    def figure(self) -> Interval:
        """Loss recovered, or the effect where the claim is about that."""
        return self.effect or self.recovered

    def __repr__(self) -> str:
        return brief(self)


@frozen(eq=False, repr=False)
class Result:
    """Everything that a test of one claim found out.

    Attributes:
        recovered: undefined where the claim is about an effect.
        figure: what the belief is about: loss recovered, the effect, a share of references, or mean
            attention.
        effect: mean of metric(scrubbed) − metric(the model on the root's other input); None where
            the claim is about loss recovered.
        others: of metrics that decide nothing.
        family_size: how many claims were judged in one run, this one included.
        corrected: the interval that the verdict was read off, where several were (see
            `scrub.stats.bonferroni`); else None, and it was `figure`.
        support: what the claim comes to without the features that it states.
        in_memory: whether the model was in memory, so that no file that is known holds its weights.
    """

    file: str
    claim: Claim
    model: str
    weights_sha256: str
    dtype: str
    tree: Tree
    metric: Metric
    seed: int
    scores: Scores
    recovered: Interval
    judgement: Judgement
    nodes: tuple[NodeResult, ...]
    draws: Draws
    data_sha256: str
    cancellation: Cancellation
    memory: Memory
    seconds: float
    others: tuple[Measured, ...] = ()
    family_size: int = 1
    corrected: Interval | None = None
    support: Support = field(factory=Support)
    diagnosis: Diagnosis | None = None
    effect: Interval | None = None
    figure: Interval = field(default=Factory(lambda self: self.recovered, takes_self=True))
    in_memory: bool = False

    @property
    def kind(self) -> Literal["scrub", "effect"]:
        """Whether the claim is about what is recovered, or about what is changed."""
        return "scrub" if self.effect is None else "effect"

    @property
    def before(self) -> float | None:
        """Mean metric on the root's other input; None where the claim is about loss recovered."""
        return self.scores.means.get(BEFORE)

    @property
    def after(self) -> float | None:
        """Mean metric of the scrub; None where the claim is about loss recovered."""
        return None if self.effect is None else self.scores.means["scrubbed"]

    @property
    def belief(self) -> Belief | None:
        """What the file believes of the figure; None: it expects nothing of one."""
        return self.expect.belief if self.expect else None

    @property
    def expect(self) -> Expectation | None:
        return self.claim.expect

    @property
    def samples(self) -> int:
        return len(self.scores.original)

    @property
    def rows(self) -> int:
        """How many rows references are drawn from: the figures are about these."""
        return len(self.draws.references.data)

    @property
    def fresh(self) -> Fresh | None:
        """What it recovers on other datasets of the same recipe; None: not asked for."""
        return self.diagnosis.fresh if self.diagnosis else None

    @property
    def data_name(self) -> str:
        """What the data is called: where it comes from."""
        return self.draws.references.data.name

    @property
    def verdict(self) -> Verdict | None:
        """What the interval says of the belief; None where the file expects nothing."""
        return self.judgement.verdict

    @property
    def passed(self) -> bool:
        """Whether the verdict is what the file expects (true where it expects nothing)."""
        return self.judgement.passed is True

    @property
    def with_any_input(self) -> Interval | None:
        """The figure with any input in place of those that agree; None: nothing to loosen."""
        return self.support.with_any_input

    @property
    def idle(self) -> tuple[str, ...]:
        """Nodes that alone may take any input, and the claim still meets its belief."""
        return tuple(alone.name for alone in self.support.loosened if alone.idle)

    @property
    def finer(self) -> tuple[str, ...]:
        """Nodes that ask for more than they need, as sentences."""
        return tuple(f'"{one.name}" {one.words}' for one in self.support.finer)

    @property
    def correction(self) -> str:
        """How the verdict was corrected for the number of claims that were judged in one run."""
        if self.corrected is None:
            return f"none: judged alone, by its {self.figure.confidence:.0%} interval"
        return (
            f"Bonferroni: one of {self.family_size} claims, judged by its "
            f"{percent(self.corrected.confidence)} interval"
        )

    @property
    def frame(self) -> pd.DataFrame:
        """One row a sample: "row", the reference's columns, and the metric three times or four.

        A column of the data that has one of these names stands under another: "row of the input".
        """
        rows = self.draws.references
        shown = rows.data.frame.iloc[rows.index].reset_index(drop=True)
        numbers = self.scores.columns
        own = ("row", *numbers)
        taken = {*own, *shown.columns}
        shown = shown.rename(columns={name: free_name(name, taken) for name in own})
        shown.insert(0, "row", rows.index)
        return shown.assign(**numbers)

    @property
    def node_frame(self) -> pd.DataFrame:
        """One row a node."""
        import pandas as pd

        return pd.DataFrame(
            {
                "node": " / ".join(node.path),
                "sites": node.sites,
                "sampler": node.sampler,
                "other": node.other,
                "donors_distinct": node.donors_distinct,
                "donors_changed": node.donors_changed,
                "other_distinct": node.other_distinct,
                "pads_read": node.pads_read,
                "recovered_alone": node.alone.mean if node.alone else float("nan"),
            }
            for node in self.nodes
        )

    def __repr__(self) -> str:
        which = self.belief.figure if self.belief else "recovered"
        verdict = f", {self.judgement.verdict}" if self.judgement.verdict else ""
        return one_line(
            f"Result({self.claim.name}: {which} {interval(self.figure)}{verdict}, "
            f"{self.samples:,} references)"
        )

    @property
    def summary(self) -> pd.DataFrame:
        """One row: the means, the belief's figure with its interval, and the verdict."""
        import pandas as pd

        return pd.DataFrame(
            {
                "claim": self.claim.name,
                **self.scores.means,
                self.belief.figure if self.belief else "recovered": self.figure.mean,
                "low": self.figure.low,
                "high": self.figure.high,
                "with any input": self.with_any_input.mean if self.with_any_input else np.nan,
                "verdict": self.judgement.verdict,
                "expected": self.expect.verdict if self.expect else None,
            },
            index=[0],
        )

    def report(self, width: int = REPORT_WIDTH, **how: Unpack[ReportOptions]) -> Printed:
        """What `scrub test` prints of it, as text.

        Args:
            width: in characters.
            how: verbose (also node by node), by (a column of the data), diagnoses, as `scrub test`
                has them.
        """
        return report_of([self], width=width, **how)

    def _repr_html_(self) -> str:
        return html_of(self)


def node_results(tree: Tree, draws: Draws) -> tuple[NodeResult, ...]:
    """What every occurrence drew, parents before children."""

    def told(node: Occurrence, reference: np.ndarray, parent: NodeDraw | None) -> NodeResult:
        drawn = draws.nodes[node.path]
        moved = drawn.own.data is not (parent.own.data if parent else draws.references.data)
        return NodeResult(
            path=node.path,
            sites=" | ".join(describe_route(route) for route in node.routes),
            sampler=describe_sampler(node.node.sampler),
            other="" if node.is_leaf else describe_sampler(node.node.other),
            donors_distinct=float(len(np.unique(drawn.own.index))),
            donors_changed=1.0 if moved else float(np.mean(drawn.own.index != reference)),
            other_distinct=float(len(np.unique(drawn.other.index)))
            if drawn.other
            else float("nan"),
            pads_read=sum(_pads(route, drawn, parent) for route in node.routes),
        )

    found: list[NodeResult] = []
    waiting: list[tuple[Occurrence, np.ndarray, NodeDraw | None]] = [
        (tree, draws.references.index, None)
    ]
    while waiting:
        node, reference, parent = waiting.pop()
        found.append(told(node, reference, parent))
        drawn = draws.nodes[node.path]
        waiting += [(child, drawn.own.index, drawn) for child in reversed(node.children)]
    return tuple(found)


def _pads(route: Route, drawn: NodeDraw, parent: NodeDraw | None) -> int:
    """How often a pad of the donor stands at a real position of the parent's frame."""
    mine = drawn.frame.data.lengths[drawn.frame.index]
    theirs = parent.frame.data.lengths[parent.frame.index] if parent else None
    if route.at == ALL:
        return 0 if theirs is None else int(np.maximum(theirs - mine, 0).sum())
    indices = [spec for spec in route.at if isinstance(spec, int)]
    real = [np.ones(len(mine), bool) if theirs is None else theirs > index for index in indices]
    return int(sum(((mine <= i) & r).sum() for i, r in zip(indices, real, strict=True)))
