"""Tasks: what a module of `scrub.datasets` makes data for, told as plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

from scrub.data.dataset import Recipe
from scrub.printing import html_of, in_brief

LONGEST = 62
"""Characters of `says`, so that a list of tasks has one line each in 80 columns."""


@frozen(eq=False, repr=False)
class Task:
    """A task: its data, what may be changed about it, and what there is to test on it.

    The names are those of the data: law, held by the tests: rows of `prompts` have these columns,
    positions and labels; `changed` makes each of the corruptions.

    Attributes:
        name: of the module of `scrub.datasets`.
        says: what is to be done, in one line.
        example: a row as people read it, with what comes next.
        prompts: n → a recipe of n rows, or a function of the model that returns its data, as
            `@claim(data=…)` takes them.
        corruptions: name → what it changes.
        features: column → what it says. "h_0 … h_41" stands for a number of them.
        positions: position column → where it is.
        labels: label column → which token it is.
        metrics: a metric as it is written → what it says.
        answers: name → the set of tokens that answer.
        models: name of an embedded model → how it does the task; the first is the one to begin
            with.
        hypotheses: files in `hypotheses/` about it.
        changed: recipe and name of a corruption → recipe whose row i is row i, changed; None where
            there are no corruptions.
        written: how `prompts` is called for a variant: `comparisons.prompts(n, kind="acts")`.
        variants: tasks of the same module with other prompts, each called by a name of its own.
            They have no variants.
    """

    name: str
    says: str
    example: str
    prompts: Callable[[int], Any]
    corruptions: Mapping[str, str] = field(factory=dict)
    features: Mapping[str, str] = field(factory=dict)
    positions: Mapping[str, str] = field(factory=dict)
    labels: Mapping[str, str] = field(factory=dict)
    metrics: Mapping[str, str] = field(factory=dict)
    answers: Mapping[str, str] = field(factory=dict)
    models: Mapping[str, str] = field(factory=dict)
    hypotheses: tuple[str, ...] = ()
    changed: Callable[[Recipe, Any], Recipe] | None = None
    written: str = ""
    variants: tuple[Task, ...] = ()

    def __attrs_post_init__(self) -> None:
        assert len(self.says) <= LONGEST, f"{self.name}: says has more than {LONGEST} characters"
        assert bool(self.corruptions) == (self.changed is not None), self.name
        assert not any(variant.variants for variant in self.variants), self.name

    def __repr__(self) -> str:
        return in_brief("Task", repr(self.name), self.says)

    def _repr_html_(self) -> str:
        return html_of(self)
