"""Reporters: what they get of a run, and when; docs/extend/reporter.md shows how to write one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Protocol

from scrub.results.inapplicable import Inapplicable
from scrub.results.result import Result


class Reporter(Protocol):
    """Gets the results of a run. Any object with these two methods is one.

    Results are frozen: reporters cannot change what another one gets. Of a claim that is not
    applicable to its model it is an `Inapplicable`, which has no figures.
    """

    def claim_finished(self, result: Result | Inapplicable) -> None:
        """A claim has its result, with its diagnoses. Called in the order of the claims."""
        ...

    def run_finished(self, results: Sequence[Result | Inapplicable], *, stopped: bool) -> None:
        """The run has ended. Called once.

        Args:
            results: of all claims, in their order; of those that were finished, if it was stopped.
            stopped: by Ctrl-C or SIGTERM.
        """
        ...


def finish(
    reporters: Sequence[Reporter], results: Sequence[Result | Inapplicable], *, stopped: bool
) -> None:
    """Tell all reporters, in their order, that the run has ended.

    Law: each is called, even if one before it raises. What the last of those raised passes on.
    """
    with ExitStack() as calls:
        for reporter in reversed(reporters):
            calls.callback(reporter.run_finished, results, stopped=stopped)


def reporter_problems(reporters: Any) -> list[str]:
    """Why something is no list of reporters, a sentence each; none if it is one."""
    fix = "Give a list of objects with the methods claim_finished and run_finished."
    if not isinstance(reporters, list | tuple):
        return [f"reporters= is of type {type(reporters).__name__}. {fix}"]
    return [
        f"reporters= holds the class {one.__name__}. Give an object: {one.__name__}(…)."
        if isinstance(one, type)
        else f"reporters= holds an object of type {type(one).__name__}. {fix}"
        for one in reporters
        if isinstance(one, type) or not _is_reporter(one)
    ]


def _is_reporter(value: Any) -> bool:
    methods = (getattr(value, name, None) for name in ("claim_finished", "run_finished"))
    return all(callable(method) for method in methods)
