"""The embedded models, and claims as they stand in `hypotheses/`.

`ioi-planted` was trained to do what they say, `ioi-shortcut` to do something else, and nobody told
`parens` what to do. So no claim here is true by construction, and mistakes are only made in those
about the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from attrs import evolve

from scrub.hypothesis.collect import Collected, collect
from scrub.hypothesis.correspondence import Correspondence
from scrub.runner.session import Session
from validating.claims import Planted, Told, part_of, with_coarser
from validating.moves import elsewhere

HYPOTHESES = Path(__file__).resolve().parents[2] / "hypotheses"
STRINGS = 4_000
"""Of the 100,000 generated strings of parentheses, enough for 1,000 references and their donors."""


def ioi_planted(session: Session, random: np.random.Generator) -> Planted:
    """The two claims that the model was trained to fulfil, on the prompts of their file."""
    claims = _named("ioi_claim3.py", ["by_position", "whole_circuit"])
    features = ("io_is_first", "io", "s", "io_position", "io_to_end", "template")
    return _planted(session, random, "ioi-planted", claims, features)


def ioi_shortcut(session: Session, random: np.random.Generator) -> Planted:
    """The same claims of the model that has the same behaviour, and none of the algorithm."""
    claims = _named("ioi_claim3.py", ["by_position", "whole_circuit"])
    planted = _planted(session, random, "ioi-shortcut", claims, ())
    return _as_they_are("model", planted, claims)


def parens(session: Session, random: np.random.Generator) -> Planted:
    """What was published about another paren balancer, said of ours."""
    claims = _named("parens.py", ["exp_1a", "exp_1b"])
    planted = _planted(session, random, "parens", claims, ())
    return _as_they_are("published", planted, claims)


def _as_they_are(kind: str, planted: Planted, claims: Sequence[Collected]) -> Planted:
    """The same, without saying that its claims are true."""
    also = tuple(
        Told(kind, item.claim.name, part) for item, part in zip(claims, planted.truths, strict=True)
    )
    return evolve(planted, truths=(), also=also)


def _named(file: str, names: Sequence[str]) -> list[Collected]:
    found = {item.claim.name: item for item in collect([str(HYPOTHESES / file)])}
    return [found[name] for name in names]


def _planted(
    session: Session,
    random: np.random.Generator,
    name: str,
    claims: Sequence[Collected],
    features: tuple[str, ...],
) -> Planted:
    model = session.describe(name)
    data = session.data(claims[0].claim.data, model)
    data = data.take(range(min(len(data), STRINGS)))
    built = [item.claim.build(model) for item in claims]
    correspondences = [written for written in built if isinstance(written, Correspondence)]
    assert len(correspondences) == len(claims), "they are about this model"
    return Planted(
        group=name,
        name=name,
        model=name,
        data=with_coarser(data, features, random),
        metric=claims[0].claim.metric,
        truths=tuple(map(part_of, correspondences)),
        features=features,
        elsewhere=lambda parent, child: elsewhere(data, model.layers, model.heads, child),
    )
