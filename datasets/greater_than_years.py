"""Which years a tokenizer splits into a century and two digits, each a token of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import evolve, frozen

from scrub.data.dataset import Tokenizer
from scrub.errors import UserError

ALL = tuple(f"{yy:02d}" for yy in range(100))
_FIRST, _LAST = 2, 98
_BEFORE = "from the year"


@frozen(eq=False)
class Years:
    """Years in a tokenizer's tokens.

    Attributes:
        centuries: the first two digits.
        century_tokens: int64 [centuries].
        answers: tokens of "00" to "99", as they follow a century, int64 [100].
        splits: whether a century and YY are these two tokens, bool [centuries, 100].
        usable: which of them to draw, bool [centuries, 100].
    """

    centuries: tuple[int, ...]
    century_tokens: np.ndarray
    answers: np.ndarray
    splits: np.ndarray
    usable: np.ndarray

    def tied(self) -> Years:
        """Each century with YYs of its own: those from 02 to 98 in as many equal parts, in order.

        Raises:
            UserError: a part has none that the tokenizer splits.
        """
        part = (np.arange(100) - _FIRST) // -(-(_LAST + 1 - _FIRST) // len(self.centuries))
        usable = self.usable & (part[None] == np.arange(len(self.centuries))[:, None])
        if not usable.any(1).all():
            (without, *_) = np.flatnonzero(~usable.any(1))
            raise UserError(
                f"greater_than.prompts: tied, the century {self.centuries[without]} has no YY of "
                "its own that the tokenizer keeps apart. Give other centuries."
            )
        return evolve(self, usable=usable)


def years_of(tokenizer: Tokenizer, centuries: Sequence[int]) -> Years:
    """What the tokenizer makes of these centuries' years.

    Raises:
        UserError: "00" to "99" are not a token each; or a century is none, or is left without YY or
            without 01, which `changed` needs.
    """
    single = {text: tokenizer.encode(text) for text in ALL}
    merged = [
        text
        for text, ids in single.items()
        if len(ids) != 1 or tokenizer.decode(ids)[0].strip() != text
    ]
    if merged:
        named = ", ".join(merged[:5]) + (" …" if len(merged) > 5 else "")
        raise UserError(
            f"greater_than.prompts: {tokenizer.name} has no token of its own for {len(merged)} of "
            f"the 100 pairs of digits ({named}). Use a model that knows years, such as "
            "greater-planted."
        )
    answers = np.array([single[text][0] for text in ALL])
    before = len(tokenizer.encode(_BEFORE))
    splits = np.zeros((len(centuries), len(ALL)), bool)
    tokens = []
    for place, century in enumerate(centuries):
        alone = tokenizer.encode(f"{_BEFORE} {century}")[before:]
        tokens.append(alone[0])
        if len(alone) == 1:
            splits[place] = [
                tokenizer.encode(f"{_BEFORE} {century}{text}")[before:] == [*alone, answers[yy]]
                for yy, text in enumerate(ALL)
            ]
    usable = splits.copy()
    usable[:, :_FIRST] = usable[:, _LAST + 1 :] = False
    unfit = [
        str(century)
        for century, some in zip(centuries, usable.any(1) & splits[:, 1], strict=True)
        if not some
    ]
    if unfit:
        raise UserError(
            f"greater_than.prompts: {tokenizer.name} does not split years of the centuries "
            f"{', '.join(unfit)} into the century and YY (or not those of 01). Leave them out."
        )
    return Years(tuple(centuries), np.array(tokens), answers, splits, usable)


def nouns_of(tokenizer: Tokenizer, nouns: Sequence[str]) -> list[str]:
    """The nouns that are one token, and that this token spells.

    Raises:
        UserError: none is; lists them.
    """
    before = len(tokenizer.encode("The"))
    kept = []
    for noun in nouns:
        ids = tokenizer.encode(f"The {noun}")[before:]
        if len(ids) == 1 and tokenizer.decode(ids)[0].strip() == noun:
            kept.append(noun)
    if not kept:
        raise UserError(
            f"greater_than.prompts: none of the nouns is one token in {tokenizer.name}: "
            f"{', '.join(nouns)}."
        )
    return kept
