"""Test claims under pytest: each by itself, judged as one of its file's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from attrs import frozen

from scrub.errors import UserError
from scrub.hypothesis.collect import Collected
from scrub.report.terminal import text_of
from scrub.results.inapplicable import Inapplicable
from scrub.results.result import Result
from scrub.runner.context import Context
from scrub.runner.diagnose import diagnose
from scrub.runner.diagnoses import diagnoses
from scrub.runner.options import Options
from scrub.runner.pipeline import scrub_claim
from scrub.runner.planned import plan_claim
from scrub.runner.prepare import Prepared, load_models, prepare_all
from scrub.runner.session import Session
from scrub.stats.bonferroni import family_size
from scrub.stats.rounding import interval

SESSION = pytest.StashKey[Session]()


@frozen
class Tested:
    """What came of a claim.

    Attributes:
        properties: what JUnit files and other plugins are told of it.
        failure: the report; "" where the verdict is what the file expects.
    """

    properties: list[tuple[str, object]]
    failure: str = ""


@frozen(eq=False)
class FileOnModel:
    """A file's claims, bound to a model.

    Law: a claim's result is that of `scrub test FILE`, whichever of the file's claims pytest runs,
    in whatever order and process: verdicts are corrected for those that the file has.

    Attributes:
        claims: what each was bound to, or why that cannot be.
    """

    context: Context
    claims: dict[str, Prepared | Inapplicable | UserError]

    def ready(self, claim: Collected) -> str:
        """Load the model of a claim; why the claim is not about it, "" if it is.

        Raises:
            UserError: the claim is illegal, or its model cannot be loaded.
        """
        found = self.claims[claim.claim.name]
        if isinstance(found, UserError):
            raise UserError(*found.problems)
        if isinstance(found, Inapplicable):
            return f"not applicable to {found.model}: {found.reason}"
        load_models([found], self.context.session, self.context.options)
        return ""

    def tested(self, claim: Collected, width: int) -> Tested:
        """Scrub a claim that is ready; one that fails is diagnosed too.

        Args:
            width: of the report, in cells.
        """
        found = self.claims[claim.claim.name]
        assert isinstance(found, Prepared)
        planned = plan_claim(found, self.context)
        result = scrub_claim(planned, self.context)
        properties = [
            ("verdict", result.judgement.verdict),
            ("model", result.model),
            ("effect" if result.kind == "effect" else "recovered", interval(result.figure)),
        ]
        if result.passed:
            return Tested(properties)
        result = diagnose(result, planned, self.context, diagnoses(None))
        return Tested(properties, f"{_in_a_line(result)}\n\n{text_of([result], width)}")


def prepared_file(
    claims: Sequence[Collected], options: dict[str, Any], session: pytest.Session
) -> FileOnModel:
    """A file's claims bound to their model and data, and checked, one by one.

    Models, data and activations are shared by all files of a process.
    """
    shared = session.config.stash.setdefault(SESSION, Session())
    chosen = Options(**options)
    found = {item.claim.name: _prepared(item, shared, chosen) for item in claims}
    judged = [item.claim for item in claims if not isinstance(found[item.claim.name], Inapplicable)]
    return FileOnModel(Context(shared, chosen, family_size=family_size(judged)), found)


def _prepared(
    item: Collected, session: Session, options: Options
) -> Prepared | Inapplicable | UserError:
    try:
        (found,) = prepare_all([item], session, options)
    except UserError as error:
        return error
    return found


def _in_a_line(result: Result) -> str:
    """What pytest's short summary shows: "by_value: refuted, its file expects supported; …"."""
    expect = result.expect
    expected = f", its file expects {expect.verdict}" if expect else ""
    name = "effect" if result.kind == "effect" else "recovered"
    verdict = result.judgement.verdict or "no verdict"
    return f"{result.claim.name}: {verdict}{expected}; {name} {interval(result.figure)}"
