"""Random tokens or words, of which the last was there before: duplication outside of language."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import numpy as np

from scrub.data.dataset import Dataset, Recipe, Tokenizer
from scrub.data.task import Task
from scrub.errors import UserError
from scrub.printing import printed

from .ioi_text import NAMES
from .ioi_tokens import Pieces, one_token

__all__ = ["TASK", "sequences"]

NEAREST = 2
"""Fewest tokens from the first occurrence to the second: something stands between."""


def sequences(
    n: int,
    of: Sequence[str] | int,
    *,
    length: int = 20,
    seed: int = 0,
    repeated: bool = True,
) -> Recipe:
    """Random distinct tokens, but that the one at `second` is that at `first` again.

    Laws: the same arguments give the same table; of two recipes that differ in `repeated` alone the
    rows differ in the token at `second` alone.

    The dataset, row by row:

    - columns: `distance`, from the first occurrence to the second, in tokens: uniform over 2 to
      `length` − 1;
    - positions: `first`, `first+1` (the token that followed it), `second`, the last token.

    Args:
        n: number of rows.
        of: the words to draw from, of which those are used that are one token after a space; or how
            many tokens the model knows: then of all but the pad.
        length: tokens of the longest row; a row ends at `second`.
        seed: which random sequences.
        repeated: False: the token at `second` is one that the row does not have.

    Raises:
        UserError: an argument is not one of the above; or, when the recipe is made, there are too
            few tokens.
    """
    problems = [
        f"repeats.sequences: {name} is {printed(value)}. Give a whole number, {least} or more."
        for name, value, least in (("n", n, 1), ("length", length, NEAREST + 1))
        if not isinstance(value, Integral) or value < least
    ]
    if isinstance(of, str):
        problems.append(f"repeats.sequences: of is {printed(of)}. Give a list of words.")
    if problems:
        raise UserError(*problems)
    words = of if isinstance(of, int) else tuple(dict.fromkeys(of))
    about = "tokens" if isinstance(words, int) else f"words, of {len(words)}"
    which = "one of them twice" if repeated else "none of them twice"
    arguments = {"n": int(n), "of": words, "length": int(length), "seed": int(seed)}
    name = f"{n} rows of random {about}, {which}, seed {seed}"
    return Recipe(name, _make, {**arguments, "repeated": bool(repeated), "name": name})


def _make(
    tokenizer: Tokenizer,
    *,
    n: int,
    of: tuple[str, ...] | int,
    length: int,
    seed: int,
    repeated: bool,
    name: str,
) -> Dataset:
    known = _tokens(tokenizer, of, length + 1)
    random = np.random.Generator(np.random.PCG64(seed))
    chosen = np.stack([random.choice(len(known), length + 1, replace=False) for _ in range(n)])
    distance = random.integers(NEAREST, length, n)
    first = random.integers(0, length - distance)
    second = first + distance
    rows = np.array(known)[chosen]
    here = np.arange(n)
    again = rows[here, first if repeated else np.full(n, length)]
    rows = rows[:, :length]
    rows[here, second] = again
    past = np.arange(length) > second[:, None]
    ids = np.where(past, tokenizer.pad, rows)
    return Dataset(
        name,
        inputs={"tokens": ids},
        lengths=second + 1,
        columns={"distance": distance},
        positions={"first": first, "first+1": first + 1, "second": second},
        pieces=tuple(
            tuple(tokenizer.decode([int(i) for i in row[: end + 1]]))
            for row, end in zip(ids, second, strict=True)
        ),
    )


def _tokens(tokenizer: Tokenizer, of: tuple[str, ...] | int, needed: int) -> list[int]:
    """The tokens to draw from.

    Raises:
        UserError: they are fewer than one row needs.
    """
    if isinstance(of, int):
        known = [token for token in range(of) if token != tokenizer.pad]
    else:
        pieces = Pieces(tokenizer)
        known = [pieces.inside(f" {word}")[0] for word in one_token(pieces, of, 0)]
    if len(known) < needed:
        raise UserError(
            f"repeats.sequences: {len(known)} tokens of {tokenizer.name} can be drawn, and a row "
            f"needs {needed}. Give more words, or a smaller length."
        )
    return known


def _names(n: int) -> Recipe:
    return sequences(n, NAMES)


TASK = Task(
    name="repeats",
    says="Random words, the last of which was there before",
    example="Mary Simon Kelly Paul Simon: induction heads say Kelly",
    prompts=_names,
    features={"distance": "tokens from the first occurrence to the second"},
    positions={
        "first": "the token that comes again",
        "first+1": "the token that followed it",
        "second": "where it comes again, the last token",
    },
    models={"ioi-planted-2": "has induction and duplicate-token heads"},
    hypotheses=("ioi_claim4.py",),
)
