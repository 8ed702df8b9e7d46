"""The file of `--junit`: what CI systems count, and the report as a failure's text."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

import scrub
from hypothesis import given
from hypothesis import strategies as st
from scrub import claim, not_applicable
from scrub.hypothesis.collect import load
from scrub.report.junit import _case, _clean, junit_xml
from scrub.results.result import Result
from scrub.stats.verdict import Judgement
from support.command import SUMS, inside
from support.paths import ROOT


@pytest.fixture(scope="module")
def sums() -> Any:
    return load(ROOT / SUMS)


@pytest.fixture(scope="module")
def results(sums: Any) -> list[Any]:
    @claim(data=sums.DATA, metric=sums.ERROR, model=sums.MODEL)
    def absent(model: Any) -> Any:
        return not_applicable("there are no heads")

    claims = [sums.conjunction, sums.only_x, sums.by_hand, absent]
    return scrub.run(claims, model=sums.MODEL, samples=200)


def xml_of(results: Any, claims: Any, why_missing: str = "it was not run") -> str:
    return junit_xml(list(map(_case, results)), results, claims[len(results) :], why_missing)


def suite_of(text: str) -> ElementTree.Element:
    root = ElementTree.fromstring(text)
    (suite,) = root
    assert (root.tag, suite.tag) == ("testsuites", "testsuite")
    cases = suite.findall("testcase")
    counts = {"tests": len(cases)} | {
        f"{kind}{'s' * (kind != 'skipped')}": sum(case.find(kind) is not None for case in cases)
        for kind in ("failure", "error", "skipped")
    }
    for element in (root, suite):
        assert {name: int(element.attrib[name]) for name in counts} == counts
    return suite


def test_one_test_case_a_claim(results: list[Any]) -> None:
    suite = suite_of(xml_of(results, results))
    cases = {case.attrib["name"]: case for case in suite.findall("testcase")}
    assert list(cases) == ["conjunction", "only_x", "by_hand", "absent"]
    outcome = {name: [child.tag for child in case] for name, case in cases.items()}
    assert outcome == {
        "conjunction": ["properties", "system-out"],
        "only_x": ["properties", "failure"],
        "by_hand": ["properties", "system-out"],
        "absent": ["skipped"],
    }
    failure = cases["only_x"].find("failure")
    assert failure is not None
    assert failure.attrib["type"] == "inconclusive"
    said = failure.attrib["message"]
    assert said.startswith("inconclusive, and the file expects supported. With all swapped")
    assert "only_x" in (failure.text or "")
    assert "1 claim; not as expected: only_x" in (failure.text or "")
    skipped = cases["absent"].find("skipped")
    assert skipped is not None
    assert "there are no heads" in skipped.attrib["message"]
    properties = {p.attrib["name"]: p.attrib["value"] for p in cases["only_x"].iter("property")}
    assert float(properties["recovered"]) == pytest.approx(results[1].figure.mean, rel=1e-5)
    assert properties["seed"] == "0"


def test_what_was_not_run_is_an_error(results: list[Any]) -> None:
    suite = suite_of(xml_of(results[:1], results, "the run was stopped before it"))
    errors = [case.find("error") for case in suite.findall("testcase")]
    assert errors[0] is None
    assert [error.attrib["message"] for error in errors[1:] if error is not None] == [
        "No result: the run was stopped before it."
    ] * 3


def test_an_unexpected_verdict_of_any_kind_fails(results: list[Any]) -> None:
    result: Result = results[0]
    for verdict, vacuous in (("vacuous", "any will do"), ("refuted", ""), ("inconclusive", "")):
        judgement = Judgement(verdict, False, vacuous)
        other = evolve(result, judgement=judgement)
        (case,) = suite_of(xml_of([other], [other])).findall("testcase")
        failure = case.find("failure")
        assert failure is not None
        assert failure.attrib["type"] == verdict


@given(st.text(st.sampled_from("<&\"']]>\x00\x1b\x0b\ufffe\uffff\ud800\u202e a\n\té🧠")))
def test_any_text_is_xml(text: str) -> None:
    element = ElementTree.Element("a", name=_clean(text))
    element.text = _clean(text)
    found = ElementTree.fromstring(ElementTree.tostring(element, encoding="unicode"))
    assert (found.text or "") == _clean(text)


def test_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "r.xml").write_text("old")
    done = inside("test", ROOT / SUMS, "--samples", "20", "-q", "--junit", "r.xml", cwd=tmp_path)
    suite = suite_of((tmp_path / "r.xml").read_text(encoding="utf-8"))
    assert done.code == (1 if int(suite.attrib["failures"]) else 0)
    (first, *_) = suite.findall("testcase")
    assert first.attrib["classname"].endswith("tests.hypotheses.sums")
