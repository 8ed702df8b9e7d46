"""Prepare claims: bind each to its model and its data, and check it. Nothing runs here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from scrub.checks.structure import check
from scrub.data.dataset import Dataset
from scrub.errors import NoClaimError, Problem, UserError
from scrub.hypothesis.ancestry import parents_first, refuse_too_many
from scrub.hypothesis.belief import Belief
from scrub.hypothesis.claim import Claim
from scrub.hypothesis.collect import Collected
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.not_applicable import NotApplicable, not_applicable
from scrub.hypothesis.tree import Tree, treeify
from scrub.metrics import Metric, as_metric
from scrub.model.registry import Model, embedded_names
from scrub.results.inapplicable import Inapplicable
from scrub.runner.options import Options, check_options
from scrub.runner.resident_memory import of_machine
from scrub.runner.session import Session
from scrub.runner.sizes import shown
from scrub.runner.user_code import call_users, located
from scrub.samplers.binding import bound

SAID = 3
"""Claims that a problem of all of them names; of more it says how many they are."""
BYTES = 48
"""Bytes that a row or a number of a sample takes in all, with what is computed from it: 240 to 350
were measured for a sample of five rows and three numbers."""


@frozen(eq=False)
class Prepared:
    """A claim that passed its check: bound to a model (still without weights) and to data."""

    file: str
    claim: Claim
    model: Model
    data: Dataset
    metric: Metric
    tree: Tree
    others: tuple[Metric, ...] = ()
    """Metrics that are reported beside the one that decides the verdict."""
    path: Path = Path()
    """The file, whatever directory one works in."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (self.metric, *self.others)

    @property
    def belief(self) -> Belief | None:
        """What the file believes of its figure; None: it expects nothing."""
        return self.claim.expect.belief if self.claim.expect else None

    @property
    def is_effect(self) -> bool:
        """Whether it is about what the tree changes, not about what it recovers."""
        return self.claim.expect is not None and self.claim.expect.is_effect

    @property
    def of_labels(self) -> bool:
        """Whether the metrics read nothing of the root but the columns of a few labels."""
        return all(metric.of_labels is not None for metric in self.metrics)

    @property
    def name(self) -> str:
        return f"{self.file}::{self.claim.name}" if self.file else self.claim.name


def prepare(claims: Sequence[Collected], session: Session, options: Options) -> list[Prepared]:
    """Bind every claim to its model and data, and check it; those that apply to their models.

    Raises:
        UserError: with the problems of all claims.
        NoClaimError: none applies.
    """
    return applicable(prepare_all(claims, session, options), lambda text: None)


def prepare_all(
    claims: Sequence[Collected], session: Session, options: Options
) -> list[Prepared | Inapplicable]:
    """The same, in the order of the claims; one that does not apply is there with the reason.

    Raises:
        UserError: with the problems of all claims.
    """
    check_options(options)
    session.forget_failures()
    prepared: list[Prepared | Inapplicable] = []
    problems: list[Problem] = []
    for item in claims:
        try:
            with located(item.file, item.claim, "Checking it"):
                prepared.append(_prepare(item, session, options))
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(*said_once(problems, claims))
    check_samples(sum(map(_columns, split(prepared)[0])), options.samples)
    return prepared


def split(
    prepared: Sequence[Prepared | Inapplicable],
) -> tuple[list[Prepared], list[Inapplicable]]:
    """The claims that can be run, and those that are not about their models."""
    return (
        [claim for claim in prepared if isinstance(claim, Prepared)],
        [claim for claim in prepared if isinstance(claim, Inapplicable)],
    )


def applicable(
    prepared: Sequence[Prepared | Inapplicable], note: Callable[[str], None]
) -> list[Prepared]:
    """The claims that can be run, for a command that has no verdicts.

    Args:
        note: is told of each other one.

    Raises:
        NoClaimError: there is none.
    """
    kept, left_out = split(prepared)
    if not kept and left_out:
        raise NoClaimError(
            *(
                Problem(
                    f"Not applicable to {one.model}: {one.reason}.",
                    claim=one.claim.name,
                    file=one.file,
                )
                for one in left_out
            )
        )
    for one in left_out:
        note(f"{one.name}: not applicable to {one.model}: {one.reason}")
    return kept


def said_once(
    problems: Sequence[Problem], claims: Sequence[Collected] | Sequence[Prepared]
) -> list[Problem]:
    """Problems of a file's model or data, which its claims share: once, with the claims' names.

    With the file's alone where all of several claims share it.
    """
    of_file = {item.file: [i.claim.name for i in claims if i.file == item.file] for item in claims}
    shared: dict[Problem, list[str]] = {}
    for problem in problems:
        shared.setdefault(evolve(problem, claim=""), []).append(problem.claim)
    found = []
    for problem, repeated in shared.items():
        names = list(dict.fromkeys(repeated))
        every = len(names) > 1 and names == of_file.get(problem.file)
        more = [f"{len(names) - SAID} more"] if len(names) > SAID + 1 else []
        listed = [*names[:SAID], *more] if more else names
        found.append(evolve(problem, claim="" if every else ", ".join(listed)))
    return found


def check_samples(columns: int, samples: int) -> None:
    """Refuse more samples than this machine's memory holds the rows and scores of.

    Those of all claims are there at once: what is drawn before the first claim runs, and what is
    measured until the results are written. `Options.max_memory` does not count them.

    Args:
        columns: rows that are drawn for a sample, and numbers that are measured.

    Raises:
        UserError: they do not fit.
    """
    each = BYTES * columns
    if each * samples > of_machine():
        raise UserError(
            f"{samples:,} samples do not fit: what is drawn and measured for them takes about "
            f"{shown(each * samples)}, and this machine has "
            f"{shown(of_machine())}. Give at most {int(of_machine() // each):,}."
        )


def _columns(claim: Prepared) -> int:
    """Rows that are drawn for a sample, and numbers that are measured."""
    nodes = sum(1 if node.is_leaf else 2 for node in claim.tree.walk())
    return 2 + nodes + (3 + claim.is_effect) * len(claim.metrics)


def bound_hypothesis(
    item: Collected, session: Session, options: Options
) -> tuple[Model, Dataset, Correspondence | NotApplicable]:
    """A claim's model without weights, its data, and its hypothesis with all recipes made.

    Nothing is checked yet. The file may say that the claim does not apply to the model.

    Raises:
        UserError: it names no model; or what the file's functions raise.
    """
    name = options.model if options.model is not None else item.model
    if name is None:
        raise UserError(
            "It does not say which model it is about. Set MODEL in the file, or give model= "
            f"(--model on the command line). Embedded: {', '.join(embedded_names())}."
        )
    model = session.describe(name)
    data = session.data(item.claim.data, model)
    built = _build(item.claim, model)
    return model, data, built if isinstance(built, NotApplicable) else _bound(built, model, session)


def _prepare(item: Collected, session: Session, options: Options) -> Prepared | Inapplicable:
    claim = item.claim
    model, data, correspondence = bound_hypothesis(item, session, options)
    belief = claim.expect.belief if claim.expect else None
    metric, *others = metrics_of(claim.metric, belief)
    if isinstance(correspondence, NotApplicable):
        return Inapplicable(
            file=item.file,
            claim=claim,
            model=model.name,
            data=data,
            metric=metric,
            others=tuple(others),
            path=item.path,
            seed=options.seed,
            reason=correspondence.reason,
        )
    problems = check(correspondence, model.graph, data, metric, *others, belief=belief)
    if problems:
        raise UserError(*problems)
    tree = treeify(correspondence)
    return Prepared(item.file, claim, model, data, metric, tree, tuple(others), item.path)


def metrics_of(given: Any, belief: Belief | None = None) -> list[Metric]:
    """What metric= names: one, or several in a list; before them what the belief brings."""
    if belief is not None and belief.metric is not None:
        return [belief.metric, *([] if given is None else metrics_of(given))]
    if given is None:
        raise UserError("It has no metric=. Give one of scrub.metrics, such as logit_diff(…, …).")
    several = list(given) if isinstance(given, list | tuple) else [given]
    if not several:
        raise UserError("metric= is an empty list. Give at least one of scrub.metrics.")
    for metric in several:
        if getattr(metric, "__module__", "") == as_metric.__module__ and callable(metric):
            raise UserError(
                f"metric= is the function {metric.__name__} itself. Call it: logit_diff(…, …) with "
                "the names of labels, for example."
            )
        if not callable(metric) and not isinstance(metric, Metric):
            raise UserError(
                f"metric= is of type {type(metric).__name__}. Give one of scrub.metrics, or a "
                "function (value, references) → one number a sample; or several in a list."
            )
    return [as_metric(metric) for metric in several]


def _build(claim: Claim, model: Model) -> Correspondence | NotApplicable:
    built = call_users(claim.build, model, doing="Building it")
    if built is not_applicable:
        raise UserError(
            "It returns the function not_applicable itself. Call it with the reason: "
            'not_applicable("it has no induction heads").'
        )
    if not isinstance(built, Correspondence | NotApplicable):
        if inspect.iscoroutine(built):
            built.close()  # or Python warns, in a line of ours, that nobody awaited it
        raise UserError(
            f"It returns a {type(built).__name__}. A claim's function returns a Correspondence."
        )
    return built


def _bound(correspondence: Correspondence, model: Model, session: Session) -> Correspondence:
    """The same hypothesis with the recipes of its samplers made, each once in a session.

    Raises:
        UserError: it is no tree, or one that is too large.
    """
    made: dict[InterpNode, InterpNode] = {}

    def bind(sampler: Any) -> Any:
        return bound(sampler, lambda recipe: session.data(recipe, model), model.tokenizer)

    order = parents_first(correspondence.sites)
    refuse_too_many(correspondence, order)
    for node in order:
        made[node] = evolve(
            node,
            sampler=bind(node.sampler),
            other=bind(node.other),
            # What is no node is a slip of the user's, which the check names.
            parents=tuple(made[p] if isinstance(p, InterpNode) else p for p in node.parents),
        )
    return Correspondence({made.get(node, node): s for node, s in correspondence.sites.items()})


def load_models(
    prepared: Sequence[Prepared],
    session: Session,
    options: Options,
    says: Callable[[str], None] = lambda text: None,
) -> None:
    """Read the weights of every model before the first claim runs.

    Args:
        says: is told when a check of the weights takes its time.

    Raises:
        UserError: with every model that cannot be loaded.
    """
    problems: list[Problem] = []
    for item in {id(item.model): item for item in reversed(prepared)}.values():
        try:
            session.load(
                item.model, options.dtype, options.device, recheck=options.recheck, says=says
            )
        except UserError as error:
            problems += error.at(file=item.file).problems
    if problems:
        raise UserError(*problems)
