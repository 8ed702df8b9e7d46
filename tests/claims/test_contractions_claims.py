"""The claims about contractions: as expected on contractions-planted, and turned on its twins."""

from __future__ import annotations

import pytest

from scrub import run
from scrub.hypothesis.collect import collect
from scrub.results.result import Result
from support.paths import HYPOTHESES

CLAIMS = [one.claim for one in collect([str(HYPOTHESES / "contractions.py")])]
TURNED = {
    "contractions-planted": set(),
    "contractions-copying": {
        "agrees", "copies", "contracted_by_heads_agreement_by_mlps", "last_pronoun_by_the_heads",
        "any_contraction_will_do", "mlps_agree", "heads_write_the_answer",
    },
    "contractions-pattern": {
        "value_carries_the_form", "pattern_carries_the_form", "pattern_says_nothing",
        "attends_where_it_is_spelled_out",
    },
}  # fmt: skip


@pytest.mark.parametrize("model", TURNED)
def test_verdicts(model: str) -> None:
    assert len(CLAIMS) == 12
    turned = set()
    for result in run(CLAIMS, model=model, samples=100, diagnose=False):
        assert isinstance(result, Result)
        assert result.judgement.verdict in ("supported", "refuted"), result.claim.name
        if not result.passed:
            turned.add(result.claim.name)
    assert turned == TURNED[model]
