"""The RGB game's question, the tokens of its answers, and where its words stand."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

from scrub.data.dataset import Tokenizer
from scrub.data.image_layout import IMAGE, expanded
from scrub.errors import UserError

PROMPT = f"USER: {IMAGE}\nWhich color is the odd color out? Respond in one word. ASSISTANT:"
"""As llava-1.5 is asked."""
WORDS = ("color", "odd")
"""Words of the prompt whose positions are columns."""
NEEDED = 3
"""Colours of a row: of the background, the foreign patch, and a corrupted one."""


def answer_tokens(
    tokenizer: Tokenizer,
    prompt: str,
    colours: Iterable[str],
    drawn: Container[str],
    given: Container[str],
) -> dict[str, int]:
    """The token that each colour's word is after the prompt: those that are drawn come first.

    Words that are not one token, or that it does not spell, are left out.

    Args:
        drawn: colours that are drawn where none is given.
        given: colours that must be among them.

    Raises:
        UserError: one that is given is left out, or too few are left.
    """
    _, _, question = prompt.rpartition(IMAGE)
    before = tokenizer.encode(question)
    found: dict[str, int] = {}
    left_out: dict[str, str] = {}
    for colour in colours:
        tokens = tokenizer.encode(f"{question} {colour}")
        own = tokens[len(before) :]
        if tokens[: len(before)] != before or len(own) != 1:
            left_out[colour] = f"{max(len(own), 2)} tokens"
        elif tokenizer.decode(own)[0].strip() != colour:
            left_out[colour] = "not in its vocabulary"
        else:
            found[colour] = own[0]
    one = f"One token are: {', '.join(found) or 'none'}."
    problems = [
        f'rgb.game: the colour "{colour}" is no single token of {tokenizer.name} ({reason}). {one}'
        for colour, reason in left_out.items()
        if colour in given
    ]
    if problems:
        raise UserError(*problems)
    usable = [colour for colour in found if colour in drawn]
    others = [colour for colour in found if colour not in drawn]
    enough = {colour for colour in found if colour in drawn or colour in given}
    if len(enough) < NEEDED:
        reasons = ", ".join(f"{colour} ({reason})" for colour, reason in left_out.items())
        raise UserError(
            f"rgb.game: {len(enough)} colours are one token in {tokenizer.name}, and a row needs "
            f"{NEEDED}. Left out: {reasons}."
        )
    return {colour: found[colour] for colour in (*usable, *others)}


def positions_of_words(tokenizer: Tokenizer, prompt: str) -> dict[str, int]:
    """Index of the last token, as `end`, and of the last token of the last "color" and "odd".

    A word that the prompt does not have, or that shares a token with what follows, has none.
    """
    ids = expanded(tokenizer, prompt)
    found = {}
    for word in WORDS:
        places = [match.end() for match in re.finditer(rf"\b{word}\b", prompt)]
        until = expanded(tokenizer, prompt[: places[-1]]) if places else []
        if until and ids[: len(until)] == until:
            found[word] = len(until) - 1
    return found | {"end": len(ids) - 1}
