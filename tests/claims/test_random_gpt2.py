"""Every hypothesis file about text runs on GPT-2's shape, roles and tokenizer, with random weights.

Of those about IOI the first claim: tests/claims/test_ioi_claims.py runs all of them on its shape.
Those who have GPT-2's weights run the same with `--model gpt2`.
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
import torch

from scrub.hypothesis.collect import collect
from scrub.model.registry import describe
from scrub.results.inapplicable import Inapplicable
from scrub.runner.context import Context
from scrub.runner.options import Options
from scrub.runner.pipeline import scrub_claim
from scrub.runner.planned import plan_claim
from scrub.runner.prepare import prepare_all
from scrub.runner.session import Session
from scrub.runner.tasks import tasks
from support.paths import HYPOTHESES, SHARED_MODELS

OF_ONE_MODEL = {"parens", "rgb", "marks"}
"""Tasks of models that classify strings, or read images; and one whose file has no claims."""
FILES = [
    HYPOTHESES / file
    for name, task in tasks().items()
    if name not in OF_ONE_MODEL
    for file in task.hypotheses
]
TOKENIZER = SHARED_MODELS / "gpt2-tokenizer"
VOCABULARY = 50_257


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory called gpt2, so that the published roles are its: 12 layers of 12 heads."""
    from transformers import GPT2Config, GPT2LMHeadModel

    if not TOKENIZER.is_dir():
        pytest.skip(f"there is no {TOKENIZER}")
    folder = tmp_path_factory.mktemp("models") / "gpt2"
    shutil.copytree(TOKENIZER, folder)
    torch.manual_seed(0)
    small = {"n_positions": 128, "n_embd": 12, "n_layer": 12, "n_head": 12, "n_inner": 12}
    model = GPT2LMHeadModel(GPT2Config(vocab_size=VOCABULARY, **small))
    model.eval().save_pretrained(folder)
    return folder


def test_every_file_runs_on_gpt2(gpt2: Path) -> None:
    session, options = Session(), Options(model=str(gpt2), samples=3)
    assert describe(str(gpt2)).roles, "those that were published"
    claims = [
        claim
        for file in dict.fromkeys(FILES)
        for claim in collect([str(file)])[: 1 if file.stem.startswith("ioi_") else None]
    ]
    ran = 0
    for claim in prepare_all(claims, session, options):
        if isinstance(claim, Inapplicable):
            assert claim.reason
            continue
        context = Context(session, options)
        result = scrub_claim(plan_claim(claim, context), context)
        assert math.isfinite(result.scores.original.mean()), claim.name
        ran += 1
    assert ran >= len(claims) / 2
