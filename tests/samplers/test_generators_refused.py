"""Generators that return what is no input, or what the model or the path cannot read."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scrub
from scrub import (
    Claim,
    Correspondence,
    Exact,
    Generate,
    Input,
    InterpNode,
    Uncond,
    UserError,
    output,
)
from scrub.data.dataset import Rows
from scrub.draw import KeyedRandomness
from scrub.model.registry import EMBEDDED
from scrub.samplers import Sampler
from support import recorded

model = recorded.model  # fixture


def made(function: Callable[..., Any], **options: Any) -> Rows:
    references = Rows(recorded.DATA, np.array([0]))
    return Generate(function, **options).draw(references, KeyedRandomness(0, (), 1))


LENGTH = int(recorded.DATA.lengths[0])
REFUSED: dict[str, tuple[Callable[[Input, np.random.Generator], Any], str]] = {
    "tokens": (
        lambda r, g: r.tokens,
        "a ndarray. Return an Input, such as reference.but(tokens=…)",
    ),
    "longer": (
        lambda r, g: r.but(tokens=[*r.tokens, 2]),
        f'{LENGTH + 1} tokens for {LENGTH}, and did not say where "early", "end", "late" then is. '
        "Return as many tokens, or give positions= for all.",
    ),
    "beyond": (
        lambda r, g: r.but(positions={"late": 40}),
        f'{LENGTH} tokens with "late" at 40. Count positions from 0, the first token.',
    ),
    "none": (
        lambda r, g: Input({"tokens": []}),
        "tokens of shape [0] and type float64. Return a list of token ids, one or more.",
    ),
    "negative": (
        lambda r, g: Input({"tokens": [3, -1]}),
        "token -1. Token ids are 0 or more.",
    ),
    "elsewhere": (
        lambda r, g: Input({"words": [3, 1]}),
        "an input of words, and the model reads tokens. Return that.",
    ),
    "huge": (
        lambda r, g: r.but(tokens=np.full(len(r.tokens), 2**64 - 1, dtype=np.uint64)),
        f"token {2**64 - 1}. No vocabulary is so large.",
    ),
    "half a position": (
        lambda r, g: r.but(positions={"late": 1.5}),  # type: ignore[dict-item]
        '"late" at 1.5. Give the number of a token, from 0.',
    ),
    "a position in quotes": (
        lambda r, g: r.but(positions={"late": "1"}),  # type: ignore[dict-item]
        "\"late\" at '1'. Give the number of a token, from 0.",
    ),
    "no position": (
        lambda r, g: r.but(positions={"late": None}),  # type: ignore[dict-item]
        '"late" at None. Give the number of a token, from 0.',
    ),
    "a name without quotes": (
        lambda r, g: r.but(columns={5: 1}),  # type: ignore[dict-item]
        "a value called 5. Names are in quotes.",
    ),
    "a number as text": (
        lambda r, g: r.but(text=5),  # type: ignore[arg-type]
        "5 as text. Return a string.",
    ),
    "several": (
        lambda r, g: (r, r),
        "a tuple. Return an Input, such as reference.but(tokens=…), or None to try again.",
    ),
    "text": (
        lambda r, g: r.but(text="a b"),
        "text, and the model has no tokenizer. Return tokens.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_generator_that_returns_no_input(name: str) -> None:
    function, message = REFUSED[name]
    with pytest.raises(UserError) as refused:
        made(function)
    start = 'Generate(<lambda>): for row 0 of dataset "data" it returned '
    assert str(refused.value).startswith(start + message)


def test_a_generator_that_returns_words_that_the_tokenizer_does_not_know() -> None:
    from scrub.model.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(EMBEDDED / "ioi-planted")
    with pytest.raises(UserError, match=r'"the zebra", whose token 1 \(from 0\) is not one that'):
        made(lambda r, g: r.but(text="the zebra"), tokenizer=tokenizer)


def test_a_generator_that_rejects_all() -> None:
    def never(reference: Input, generator: np.random.Generator) -> Input | None:
        return None if generator.random() < 0.5 else reference.but(columns={"kind": 9})

    with pytest.raises(UserError) as refused:
        made(never, tries=40, features="kind")
    message = (
        r'Generate\(never, kind\): none of 40 tries made an input for row 0 of dataset "data": \d+ '
        r"were rejected by the function and \d+ did not agree on kind\. Give more tries=, or a "
        r"function that rejects less\."
    )
    assert re.fullmatch(message, str(refused.value))
    with pytest.raises(UserError, match="tries=0"):
        Generate(never, tries=0)


def test_a_missing_feature_is_like_a_missing_one() -> None:
    """As for `Agree`: NaN is not equal to itself, and no try was ever accepted."""
    data = recorded.DATA.with_columns(kind=[math.nan] * len(recorded.DATA))
    references = Rows(data, np.array([0, 1]))
    drawn = Generate(lambda r, g: r, features="kind").draw(references, KeyedRandomness(0, (), 2))
    assert np.isnan(drawn.feature("kind")).all()


def test_generators_that_return_other_columns_each_time() -> None:
    def sometimes(reference: Input, generator: np.random.Generator) -> Input:
        extra = {"new": 1} if generator.random() < 0.5 else {}
        return reference.but(columns=extra)

    references = Rows(recorded.DATA, np.zeros(30, dtype=int))
    with pytest.raises(UserError, match="an input with the columns kind, new, and one with kind"):
        Generate(sometimes).draw(references, KeyedRandomness(0, (), 30))


def claim_with(sampler: Sampler, other: Sampler) -> Claim:
    def built(_: Any) -> Correspondence:
        logits = InterpNode("logits", Exact(), other=other)
        late = logits.child("late", sampler)
        return Correspondence(
            {
                logits: output(at="end"),
                late: scrub.heads([(1, 0)], at=("late", "end"), through=scrub.anything),
            }
        )

    from scrub.metrics import cross_entropy

    return Claim("built", built, recorded.DATA, cross_entropy("right"))


CHECKED: dict[str, tuple[Callable[[Input, np.random.Generator], Any], str]] = {
    "too long": (
        lambda r, g: Input({"tokens": [2] * 12}, r.columns, {"late": 3, "end": 11}, r.labels),
        'node "late": The inputs that Generate(<lambda>) makes have rows of 12 tokens; the model '
        "takes at most 9. Make shorter ones.",
    ),
    "unknown token": (
        lambda r, g: r.but(tokens=[77] * len(r.tokens)),
        'node "late": The inputs that Generate(<lambda>) makes have token 77 in row 0 at 0; the '
        "model knows tokens 0 to 13. Return known ones.",
    ),
    "no position": (
        lambda r, g: Input({"tokens": [2, 3, 4]}, positions={"end": 2}),
        'node "late": The inputs that Generate(<lambda>) makes have no position column "late". Let '
        "its function return it; it returns: end.",
    ),
    "one position": (
        lambda r, g: Input({"tokens": [2, 3, 4]}, positions={"end": 2, "late": 2}),
        'node "late": "late" and "end" are the same position in 1 rows of dataset '
        '"Generate(<lambda>)" (row 0): which value stands there is not said. Leave one of them '
        "out, or take those rows out of the data.",
    ),
}


@pytest.mark.parametrize("name", CHECKED)
def test_inputs_that_the_model_or_the_path_cannot_read(name: str, model: Path) -> None:
    function, message = CHECKED[name]
    with pytest.raises(UserError) as refused:
        scrub.run(claim_with(Generate(function), Uncond()), model=str(model), samples=5)
    assert str(refused.value).endswith(message)


def test_what_the_trial_did_not_see_is_refused_in_the_run(model: Path) -> None:
    def rarely(reference: Input, generator: np.random.Generator) -> Input:
        """In one of 500 inputs, a token that there is not."""
        tokens = reference.tokens.copy()
        tokens[0] = 77 if generator.random() < 0.002 else 2
        return reference.but(tokens=tokens)

    with pytest.raises(UserError, match=r'node "late": .* makes have token 77') as refused:
        scrub.run(claim_with(Generate(rarely), Uncond()), model=str(model), samples=3000)
    assert len(refused.value.problems) == 1


def test_a_feature_that_the_function_leaves_out(model: Path) -> None:
    def bare(reference: Input, generator: np.random.Generator) -> Input:
        return Input(reference.inputs, positions=reference.positions)

    with pytest.raises(UserError) as refused:
        scrub.run(claim_with(Exact(), Generate(bare, features="kind")), model=str(model), samples=5)
    assert str(refused.value) == (
        'test_generators_refused.py::built · node "logits": Generate(bare, kind): for row 0 of '
        'dataset "data" it returned '
        'an input without "kind". There are: early, late, end.'
    )
