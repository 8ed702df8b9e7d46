"""Tests from Python and in notebooks: what the command line gives, as frozen results."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Unpack, overload

from attrs import fields

from scrub.errors import UserError, did_you_mean, installed
from scrub.hypothesis.behaviour import Behaviour
from scrub.hypothesis.claim import Claim, unwrapped
from scrub.hypothesis.collect import Collected, CollectedBehaviour, collect, collected
from scrub.hypothesis.positions import Positions
from scrub.hypothesis.sites import Passing, Sites, none
from scrub.hypothesis.start_directory import started_in
from scrub.report.explanation import Explanation
from scrub.report.notebook_bar import shown_in_notebooks
from scrub.report.reporter import Reporter, finish, reporter_problems
from scrub.results.inapplicable import Inapplicable
from scrub.results.result import Result
from scrub.results.several import Results
from scrub.runner.context import Context
from scrub.runner.diagnose import diagnose
from scrub.runner.diagnoses import WORST, Diagnoses, check_blamed, diagnoses
from scrub.runner.fingerprint import scope_of
from scrub.runner.fresh import check_fresh
from scrub.runner.options import Options, RunOptions, is_whole, option_problems, shows
from scrub.runner.pipeline import scrub_claim
from scrub.runner.planned import plan_claim
from scrub.runner.prepare import prepare_all, split
from scrub.runner.session import Session
from scrub.stats.bonferroni import family_size
from scrub.sweeps.prepare import prepare_sweep
from scrub.sweeps.question import Question
from scrub.sweeps.run import run_sweep
from scrub.sweeps.senders import Senders
from scrub.sweeps.sweep import Sweep

A_FLAG = "Give True or False, or leave it out."


@overload
def run(
    claims: Claim,
    *,
    session: Session | None = None,
    diagnose: bool | None = None,
    nulls: int | None = None,
    fresh: int | None = None,
    reporters: Sequence[Reporter] = (),
    **options: Unpack[RunOptions],
) -> Result | Inapplicable: ...
@overload
def run(
    claims: Sequence[Claim],
    *,
    session: Session | None = None,
    diagnose: bool | None = None,
    nulls: int | None = None,
    fresh: int | None = None,
    reporters: Sequence[Reporter] = (),
    **options: Unpack[RunOptions],
) -> Results: ...
@shows(RunOptions)
def run(
    claims: Claim | Sequence[Claim],
    *,
    session: Session | None = None,
    diagnose: bool | None = None,
    nulls: int | None = None,
    fresh: int | None = None,
    reporters: Sequence[Reporter] = (),
    **options: Unpack[RunOptions],
) -> Result | Inapplicable | Results:
    """Test one claim, `scrub.run(by_value, model="ioi-planted")`, or several: `scrub.run([a, b])`.

    Law: the results are those of `scrub test` on the same claims. Verdicts of claims that are run
    together are corrected for their number, as one command's are; of claims that are run one by
    one each is judged alone. `result.correction` says which.

    Args:
        claims: a function decorated with `@claim`, or several.
        session: keeps models, data and plain activations between calls, where one is given:
            `session = scrub.Session()`.
        diagnose: also nulls, conventions and specificity, in `result.diagnosis`: True as
            `scrub test --diagnose`, False as `--no-diagnose`; by default what is cheap.
        nulls: how many random components are scrubbed in place of the claim's own; by default as
            `diagnose` says.
        fresh: on how many other datasets, which the recipe makes with other seeds, it is run too:
            `result.fresh` has what they recover. The verdict is that on the claim's own data.
        reporters: get each result as soon as there is one, and all of them at the end; see
            docs/extend/reporter.md. What one raises ends the call.
        options: as in `Options`: model, samples, precision, seed, device, dtype, max_memory, alone,
            recheck.

    Returns:
        One result for one claim; for several a sequence of them, in the order of the claims. A
        claim that its file says is not about the model has an `Inapplicable`, which holds the
        reason.

    Raises:
        UserError: a claim is illegal, or an option is not one.
    """
    several = [claims] if isinstance(claims, Claim) else several_claims("run", claims)
    found = _judged("run", several, session, diagnose, nulls, fresh, reporters, options)
    return found[0] if isinstance(claims, Claim) else found


@shows(RunOptions)
def run_all(
    claims: Claim | str | Sequence[Claim | str],
    *,
    session: Session | None = None,
    diagnose: bool | None = None,
    nulls: int | None = None,
    fresh: int | None = None,
    reporters: Sequence[Reporter] = (),
    **options: Unpack[RunOptions],
) -> Results:
    """Test claims together, also those of files: `scrub.run_all("hypotheses/ioi_claim3.py")`.

    Law: the results are those of `scrub test` on the same claims, and of `scrub.run([…])`.
    Verdicts are corrected for how many claims are judged, so that they hold together at 95%. Where
    a claim would have another verdict by itself, that is among its doubts.

    Args:
        claims: claims, files, folders, or `"FILE::CLAIM"`; one or several.
        session, diagnose, nulls, fresh, reporters, options: as in `run`.

    Raises:
        UserError: a claim is illegal, a file cannot be loaded, or an option is not one.
        NoClaimError: there is none.
    """
    return _judged("run_all", claims, session, diagnose, nulls, fresh, reporters, options)


def _judged(
    called: str,
    claims: Any,
    session: Session | None,
    diagnose: bool | None,
    nulls: int | None,
    fresh: int | None,
    reporters: Sequence[Reporter],
    options: RunOptions,
) -> Results:
    wrong = [] if diagnose in (True, False, None) else [f"diagnose= is {diagnose!r}. {A_FLAG}"]
    if nulls is not None and not (is_whole(nulls) and nulls >= 0):
        wrong.append(f"nulls= is {nulls!r}. Give a whole number, 0 or more, or leave it out.")
    if fresh is not None and not (is_whole(fresh) and fresh >= 1):
        wrong.append(f"fresh= is {fresh!r}. Give a whole number, 1 or more, or leave it out.")
    wrong += reporter_problems(reporters)
    chosen = checked_options(called, options, session, wrong)
    wanted = diagnoses(diagnose, nulls, fresh)
    return _run(items_of(called, claims), session or Session(), wanted, chosen, reporters)


def items_of(called: str, claims: Any) -> list[Collected]:
    """Claims, and those of files that are named, each with the file that it stands in.

    Raises:
        UserError: one is neither; or a file cannot be loaded.
        NoClaimError: there is none.
    """
    given = list(claims) if isinstance(claims, list | tuple) else [claims]
    made = [one for one in given if not isinstance(one, str)]
    if made or not given:
        several_claims(called, made)
    found: list[Collected] = []
    for one in given:
        found += collect([one]) if isinstance(one, str) else [collected(one)]
    return found


def several_claims(called: str, claims: Any) -> list[Claim]:
    found = list(claims) if isinstance(claims, list | tuple) else [claims]
    wrong = dict.fromkeys(type(one).__name__ for one in found if not isinstance(one, Claim))
    if wrong or not found:
        given = " and a ".join(wrong) if wrong else f"empty {type(claims).__name__}"
        raise UserError(
            f"scrub.{called} takes a claim, not a {given}. "
            "Decorate the function with @claim(data=…, metric=…)."
        )
    return found


@shows(RunOptions)
def explain(
    claim: Claim,
    *,
    rows: int = WORST,
    session: Session | None = None,
    **options: Unpack[RunOptions],
) -> Explanation:
    """Blame: which swap of a claim, and which path, loses how much, as `scrub explain` says.

    Args:
        rows: how many of the references that lose most are listed.
        session, options: as in `run`.

    Raises:
        UserError: the claim is illegal, or an option is not one.
    """
    several_claims("explain", [claim])
    is_number = is_whole(rows) and rows >= 0
    wrong = [] if is_number else [f"rows= is {rows!r}. Give a whole number, 0 or more."]
    chosen = checked_options("explain", options, session, wrong)
    wanted = Diagnoses(blame=True, worst=rows)
    (result,) = _run([collected(claim)], session or Session(), wanted, chosen)
    if isinstance(result, Inapplicable):
        raise UserError(f"{claim.name} is not applicable to {result.model}: {result.reason}.")
    return Explanation(result)


@shows(RunOptions)
def patch(
    behaviour: Behaviour,
    *,
    to: str | Sites | None = None,
    senders: Senders = "heads",
    at: Positions = "all",
    through: Passing = none,
    restore: bool = True,
    metric: Any = None,
    approximate: bool | Literal["first-order", "integrated"] = False,
    top: int = 20,
    by: str | None = None,
    session: Session | None = None,
    **options: Unpack[RunOptions],
) -> Sweep:
    """The effect of every sender on a receiver, as `scrub patch` says.

    Law: each effect is that of a claim of two nodes (three with a receiver) on the same draws.

    Args:
        behaviour: a function decorated with `@behaviour`, or `ioi.behaviour(1_000)`.
        to: None, the logits; `"name mover.q@end"`, `"9.9,9.6.pattern"`,
            `"9.9.attention:io@end"`; or sites.
        senders: "heads", "mlps", "layers", "streams", "neurons:8", a role, "9.9,9.6"; or sites,
            each cell one sender, a list of heads, or a mapping from names to sites.
        at: "all", "each" (at each position column), a column, an index, or several.
        through: what their paths to the receiver may pass: none, mlps, anything, …
        restore: restore a sender in the corrupted run; or (False) corrupt it in the original one.
        metric: the name of one of the behaviour's metrics, or a metric; or several (default: all of
            the behaviour's).
        approximate: "first-order" (or True): effects by gradients; "integrated": by integrated
            gradients.
        top: of how many neurons the effects are exact.
        by: a column of the data: `by_frame` has the effects by its values, and which values differ.
        session, options: as in `run`.

    Raises:
        UserError: the sweep makes no sense, or an option is not one.
    """
    chosen = checked_options("patch", options, session, no_behaviour("patch", behaviour))
    session = session or Session()
    question = Question(to, senders, at, through, restore, metric, approximate, top, by)
    prepared = prepare_sweep(collected_behaviour(behaviour), question, session, chosen)
    return run_sweep(prepared, context_of(session, chosen))


def no_behaviour(called: str, behaviour: Any) -> list[str]:
    """What is wrong where a behaviour is asked for and something else is given, as a sentence."""
    if isinstance(behaviour, Behaviour):
        return []
    return [
        f"scrub.{called} takes a behaviour, not a {type(behaviour).__name__}. "
        "Decorate the function with @behaviour(data=…, metric=…, corrupt=…)."
    ]


def _run(
    items: list[Collected],
    session: Session,
    wanted: Diagnoses,
    chosen: Options,
    reporters: Sequence[Reporter] = (),
) -> Results:
    prepared = prepare_all(items, session, chosen)
    running, _ = split(prepared)
    context = context_of(session, chosen, family_size(one.claim for one in running))
    if wanted.blame:
        check_blamed(running)
    if wanted.fresh:
        check_fresh(running, session)
    results: list[Result | Inapplicable] = []
    with context.progress:
        context.progress.expects(chosen.samples * len(running))
        waiting = deque(plan_claim(claim, context) for claim in running)
        for claim in prepared:
            if isinstance(claim, Inapplicable):
                results.append(claim)
            else:  # a claim that is finished is let go, and its draws with it
                planned = waiting.popleft()
                context.progress.says(planned.prepared.claim.name)
                results.append(diagnose(scrub_claim(planned, context), planned, context, wanted))
            for reporter in reporters:
                reporter.claim_finished(results[-1])
    finish(reporters, results, stopped=False)
    return Results(results)


def context_of(session: Session | None, options: Options, family_size: int = 1) -> Context:
    """What a run from Python shares: in a notebook also a progress bar."""
    session = session or Session()
    return Context(session, options, shown_in_notebooks(session.progress), family_size=family_size)


def checked_options(
    called: str, options: Mapping[str, Any], session: Any, wrong: list[str]
) -> Options:
    """The options, unless one of them or another argument makes no sense: `wrong` says which."""
    known = [attribute.name for attribute in fields(Options)]
    started_in()
    problems = list(wrong)
    if not isinstance(session, Session | None):
        given = type(session).__name__
        problems.append(f"session= is of type {given}. Give a scrub.Session(), or leave it out.")
    unknown = [name for name in options if name not in known]
    problems += [
        f'scrub.{called} has no option "{name}". {did_you_mean(name, known)}' for name in unknown
    ]
    chosen = Options(**{name: value for name, value in options.items() if name in known})
    problems += option_problems(chosen)
    if problems:
        raise UserError(*problems)
    return chosen


def collected_behaviour(behaviour: Behaviour) -> CollectedBehaviour:
    """The behaviour as the file says that it stands in, about the model that the file names."""
    path = Path(behaviour.made[0])
    modules = list(map(scope_of, list(sys.modules.values())))
    scopes = [scope for scope in modules if scope.get("__file__") == behaviour.made[0]]
    scope = scopes[0] if scopes else getattr(unwrapped(behaviour.build), "__globals__", {})
    variable = next((name for name, value in scope.items() if value is behaviour), "")
    model = behaviour.model if behaviour.model is not None else scope.get("MODEL")
    of_user = path.is_file() and not installed(str(path))
    return CollectedBehaviour(path.name if of_user else "", behaviour, model, path, variable)
