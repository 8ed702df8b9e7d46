"""The reporter that writes a file for continuous integration (`--junit`)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from xml.etree import ElementTree

from attrs import field, frozen

from scrub.errors import UserError
from scrub.printing import printable
from scrub.report.terminal import text_of
from scrub.results.atomic_write import write_whole
from scrub.results.inapplicable import Inapplicable
from scrub.results.result import Result
from scrub.results.verdict_words import verdict_in_words
from scrub.runner.outputs import Outputs
from scrub.runner.prepare import Prepared

WIDTH = 100
"""Columns of a report in it."""
NO_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not have."""


@frozen(eq=False)
class JUnitFile:
    """Writes one test case a claim, anew with each claim that is finished.

    A claim whose verdict is not what its file expects is a failure, with the report as its text;
    one that is not applicable is skipped; one that the run did not come to is an error.

    Attributes:
        claims: those of the run, in their order.
    """

    outputs: Outputs
    claims: tuple[Prepared | Inapplicable, ...]
    _finished: list[Result | Inapplicable] = field(factory=list, init=False)
    _cases: list[ElementTree.Element] = field(factory=list, init=False)
    """Of each, made once: the file is written anew with each claim."""

    def claim_finished(self, result: Result | Inapplicable) -> None:
        """Writes the file with one more claim; what cannot be written now must not end the run."""
        self._finished.append(result)
        self._cases.append(_case(result))
        with suppress(UserError):
            self._write("the run goes on, or was killed")

    def run_finished(self, results: Sequence[Result | Inapplicable], *, stopped: bool) -> None:
        """Writes the file.

        Raises:
            UserError: it cannot be written.
        """
        self._write("the run was stopped before it" if stopped else "it was not run")

    def _write(self, why_missing: str) -> None:
        assert self.outputs.junit is not None
        with self.outputs.writing("--junit", self.outputs.junit) as file:
            missing = self.claims[len(self._cases) :]
            write_whole(file, junit_xml(self._cases, self._finished, missing, why_missing))


def junit_xml(
    finished: Sequence[ElementTree.Element],
    results: Sequence[Result | Inapplicable],
    missing: Sequence[Prepared | Inapplicable],
    why_missing: str,
) -> str:
    """The file's text.

    Args:
        finished: the test cases of the results.
        missing: claims of the run that have none.
    """
    left = [_missing(claim.file, claim.claim.name, why_missing) for claim in missing]
    cases = [*finished, *left]
    seconds = sum(result.seconds for result in results if isinstance(result, Result))
    suite = ElementTree.Element(
        "testsuite",
        name="scrub",
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        errors=str(sum(case.find("error") is not None for case in cases)),
        skipped=str(sum(case.find("skipped") is not None for case in cases)),
        time=f"{seconds:.3f}",
    )
    suite.extend(cases)
    suites = ElementTree.Element("testsuites", dict(suite.attrib))
    suites.append(suite)
    ElementTree.indent(suites)
    text = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _case(result: Result | Inapplicable) -> ElementTree.Element:
    seconds = result.seconds if isinstance(result, Result) else 0.0
    case = _named(result.file, result.claim.name, seconds)
    words = _clean(verdict_in_words(result))
    if isinstance(result, Inapplicable):
        ElementTree.SubElement(case, "skipped", message=words)
        return case
    properties = ElementTree.SubElement(case, "properties")
    for name, value in _properties(result).items():
        ElementTree.SubElement(properties, "property", name=name, value=_clean(value))
    if result.passed is False:
        verdict = result.judgement.verdict or "no verdict"
        expected = result.expect.verdict if result.expect else verdict
        message = f"{verdict}, and the file expects {expected}. {words}"
        failure = ElementTree.SubElement(case, "failure", type=verdict, message=message)
        failure.text = report_text(result)
    else:
        ElementTree.SubElement(case, "system-out").text = report_text(result)
    return case


def _missing(file: str, name: str, why: str) -> ElementTree.Element:
    case = _named(file, name, 0.0)
    ElementTree.SubElement(case, "error", type="not run", message=f"No result: {why}.")
    return case


def _named(file: str, name: str, seconds: float) -> ElementTree.Element:
    """A test case. Its class is the file's name as a module's, by which CI systems group."""
    module = file.removesuffix(".py").strip("./").replace("/", ".") or "scrub"
    return ElementTree.Element(
        "testcase", classname=_clean(module), name=_clean(name), time=f"{seconds:.3f}"
    )


def _properties(result: Result) -> dict[str, str]:
    """What a CI system may plot; what is undefined is left out."""
    which = result.belief.figure if result.belief else "recovered"
    ends = {which: result.figure.mean, "low": result.figure.low, "high": result.figure.high}
    numbers = {name: f"{value:.6g}" for name, value in ends.items() if math.isfinite(value)}
    return {
        "verdict": result.judgement.verdict or "",
        **numbers,
        "model": result.model,
        "weights_sha256": result.weights_sha256,
        "data_sha256": result.data_sha256,
        "seed": str(result.seed),
        "samples": str(result.samples),
    }


def report_text(result: Result) -> str:
    """What the terminal prints of a claim."""
    return f"\n{_clean(text_of([result], WIDTH))}\n"


def _clean(text: str) -> str:
    """Text that XML can hold, with control characters spelled out."""
    return NO_XML.sub("\ufffd", printable(text))
