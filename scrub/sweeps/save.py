"""Save the strongest senders as a hypothesis file, after the claim in it has been run once."""

from __future__ import annotations

from pathlib import Path

from scrub.errors import UserError
from scrub.hypothesis.collect import CollectedBehaviour, definitions
from scrub.results.atomic_write import resolved, written_beside
from scrub.runner.context import Context
from scrub.runner.planned import plan_claim
from scrub.runner.prepare import prepare
from scrub.runner.resume import scores_of
from scrub.stats.intervals import Interval
from scrub.sweeps.hypothesis_file import hypothesis_text
from scrub.sweeps.question import PreparedSweep
from scrub.sweeps.sweep import Sweep


def check_save(prepared: PreparedSweep, given: Path, start: Path) -> None:
    """Refuse a place from which the file could not import its behaviour, before anything runs.

    Raises:
        UserError: what to do instead.
    """
    if prepared.question.approximate:
        raise UserError(
            "--save and --approximate: first-order effects rank, they decide nothing. Leave one "
            "of them out."
        )
    check_beside(prepared.item, given, start)


def check_beside(item: CollectedBehaviour, given: Path, start: Path) -> None:
    """Refuse a place from which a file could not import a behaviour.

    Raises:
        UserError: what to do instead.
    """
    if resolved(start / given) == item.path:
        raise UserError(f"--save {given}: the behaviour itself stands there. Give another file.")
    if resolved(start / given).parent != item.path.parent:
        raise UserError(
            f"--save {given}: the file takes its data from {item.file}, and finds it beside "
            f"itself. Give {Path(item.file).with_name(given.name)}."
        )


def save_hypothesis(sweep: Sweep, file: Path, context: Context, n: int | None = None) -> Interval:
    """Write the file, and run its claim first: its bound is what it has recovered by then.

    Args:
        n: at most so many senders.

    Raises:
        NothingCertainError: no effect is away from zero; nothing is written.
        UserError: no hypothesis can be made of the sweep.
        OSError: the file cannot be written.
    """
    text = hypothesis_text(sweep, n)
    with written_beside(resolved(file)) as beside:
        beside.write_text(text, encoding="utf-8")
        recovered = _recovered(beside, file.name, context)
        beside.write_text(hypothesis_text(sweep, n, recovered), encoding="utf-8")
    return recovered


def _recovered(path: Path, shown: str, context: Context) -> Interval:
    (claim,) = definitions(path, shown).claims
    (prepared,) = prepare([claim], context.session, context.options)
    planned = plan_claim(prepared, context)
    context.progress.expects(context.options.samples)
    return scores_of(planned, context).recovered()


def save_checked(text: str, file: Path, context: Context) -> None:
    """Write a file of claims once these have passed their check. None of them is run.

    Raises:
        UserError: a claim is illegal; nothing is written.
        OSError: the file cannot be written.
    """
    with written_beside(resolved(file)) as beside:
        beside.write_text(text, encoding="utf-8")
        claims = definitions(beside, file.name).claims
        prepare(claims, context.session, context.options)
