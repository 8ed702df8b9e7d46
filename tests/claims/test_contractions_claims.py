"""The claims about contractions: as expected on contractions-planted, and turned on its twins."""

from __future__ import annotations

import pytest

from scrub import run
from scrub.hypothesis.collect import collect
from support.paths import HYPOTHESES

CLAIMS = collect([str(HYPOTHESES / "contractions.py")])
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
    for claim in CLAIMS:
        result = run(claim, model=model, samples=100, diagnose=False)
        assert result.judgement.verdict in ("supported", "refuted"), claim.name
        if not result.passed:
            turned.add(claim.name)
    assert turned == TURNED[model]
