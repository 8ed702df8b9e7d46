"""The contraction models: what the cards say, by replacing values in a forward pass.

Nothing of the engine takes part.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import contractions_evidence as evidence
import pytest
import torch
from contractions_models import FAMILY
from contractions_wiring import READER, WIRINGS, contractions

from scrub.model.registry import describe, load
from scrub.model.tokenizer import load_tokenizer
from scrub.model.verify import plain_logits
from support.wired_files import EMBEDDED, assert_made_again, of_files

PLANTED, COPYING, PATTERN = WIRINGS
WHOLE = 8.0
"""About the logit difference of all three."""


@cache
def asked(name: str, pairs: contractions.Pairs = "same") -> evidence.Asked:
    """The files' model on rows."""
    return evidence.asked(
        of_files(FAMILY, name), load_tokenizer(EMBEDDED / name), pairs, 100, seed=11
    )


def after(name: str, part: str, change: str) -> float:
    """The logit difference with a part of the changed copy."""
    one = asked(name)
    return one.mean(evidence.swapped(one, part, change))


@pytest.mark.parametrize("name", WIRINGS)
def test_the_script_makes_the_files_again(name: str, tmp_path: Path) -> None:
    assert_made_again(FAMILY, name, tmp_path)


def test_all_have_one_shape_and_are_small() -> None:
    for file in ("config.json", "tokenizer.json"):
        assert len({(EMBEDDED / name / file).read_bytes() for name in WIRINGS}) == 1
    for name in WIRINGS:
        assert sum(path.stat().st_size for path in (EMBEDDED / name).iterdir()) < 3e5
        assert set(describe(name).roles) == {READER}


@pytest.mark.parametrize("name", WIRINGS)
def test_the_forward_pass_of_the_evidence_is_that_of_the_graph(name: str) -> None:
    one = asked(name)
    graph = load(describe(name), dtype=torch.float32, device="cpu").graph
    logits = plain_logits(graph, torch.tensor(one.data.inputs["tokens"]))
    assert (logits - one.own.logits).abs().max() < 1e-4


@pytest.mark.parametrize("name", WIRINGS)
def test_all_are_right_where_pairs_agree_and_one_says_the_copied_form_where_not(name: str) -> None:
    assert asked(name).share("answer") == 1
    assert asked(name).mean(asked(name).own) == pytest.approx(WHOLE, abs=0.3)
    right = asked(name, "differ").share("answer")
    assert right == (0 if name == COPYING else 1)
    assert asked(name, "differ").share("copied") == 1 - right


@pytest.mark.parametrize("name", WIRINGS)
def test_what_carries_the_form(name: str) -> None:
    turned, kept = pytest.approx(-WHOLE, abs=0.4), pytest.approx(WHOLE, abs=0.4)
    in_pattern = name == PATTERN
    assert after(name, "z", "spelled") == turned
    assert after(name, "value", "spelled") == (kept if in_pattern else turned)
    assert after(name, "pattern", "spelled") == (turned if in_pattern else kept)
    assert after(name, "others", "spelled") == kept


@pytest.mark.parametrize("name", WIRINGS)
def test_who_agrees(name: str) -> None:
    copying = name == COPYING
    gone, kept = pytest.approx(0, abs=0.3), pytest.approx(WHOLE, abs=0.4)
    assert after(name, "z", "contraction") == (gone if copying else kept)
    assert after(name, "z", "last") == kept
    half = pytest.approx(WHOLE / 2, abs=0.4)
    for layer in ("MLP 1", "MLP 2"):
        assert after(name, layer, "last") == (kept if copying else half)
