"""How the pieces of an indirect-object-identification prompt become tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from attrs import field, frozen

from scrub.data.dataset import Tokenizer
from scrub.errors import UserError

from .ioi_text import ENDINGS, SENTENCES

NAMED = 20
"""Names that are listed of those that a tokenizer lacks, so that a message stays a sentence."""
_BEFORE = "So"  # pieces are encoded after a word, as they stand in a sentence


@frozen(eq=False)
class Pieces:
    """Token ids of pieces of text, kept."""

    tokenizer: Tokenizer
    known: dict[tuple[str, bool], list[int]] = field(factory=dict, init=False)

    def first(self, text: str) -> list[int]:
        """Tokens of a piece that starts the text."""
        if (text, True) not in self.known:
            self.known[text, True] = self.tokenizer.encode(text)
        return self.known[text, True]

    def inside(self, text: str) -> list[int]:
        """Tokens of a piece that follows other words (with the space before it)."""
        if (text, False) not in self.known:
            before = len(self.tokenizer.encode(_BEFORE))
            self.known[text, False] = self.tokenizer.encode(_BEFORE + text)[before:]
        return self.known[text, False]


def one_token(pieces: Pieces, names: Sequence[str], needed: int) -> list[str]:
    """The names that are one token, and that this token spells.

    Raises:
        UserError: fewer than `needed`; lists the others (the first `NAMED`), each with its reason.
    """
    kept, dropped = [], []
    for name in names:
        tokens = pieces.inside(f" {name}")
        if len(tokens) != 1:
            dropped.append(f"{name} ({len(tokens)} tokens)")
        elif pieces.tokenizer.decode(tokens)[0].strip() != name:
            dropped.append(f"{name} (not in its vocabulary)")
        else:
            kept.append(name)
    if len(kept) < needed:
        more = f" and {len(dropped) - NAMED} more" if len(dropped) > NAMED else ""
        left_out = f" Left out: {', '.join(dropped[:NAMED])}{more}." if dropped else ""
        raise UserError(
            f"ioi.prompts: {len(kept)} of {len(names)} names are one token in "
            f"{pieces.tokenizer.name}; these prompts need {needed}.{left_out}"
        )
    return kept


def small_talk(
    pieces: Pieces, longest: int, n: int, uniform: Callable[[str], np.ndarray]
) -> tuple[tuple[str, ...], ...]:
    """Per row a run of sentences and at most one ending, 0 to `longest` tokens in all."""
    size = {text: len(pieces.inside(f" {text}")) for text in (*SENTENCES, *ENDINGS)}
    endings = {size[text] for text in ENDINGS}
    reachable = [True]
    for length in range(1, longest + 1):
        by_sentence = (length - size[text] for text in SENTENCES)
        reachable.append(
            length in endings or any(rest >= 0 and reachable[rest] for rest in by_sentence)
        )
    lengths = (uniform("prefix length") * (longest + 1)).astype(np.int64)
    choices = [uniform(f"prefix {k}") for k in range(longest)]
    prefixes = []
    for row, length in enumerate(lengths):
        rest = max(i for i in range(length + 1) if reachable[i])
        chosen: list[str] = []
        while rest:
            options = [text for text in ENDINGS if size[text] == rest]
            options += [text for text in SENTENCES if size[text] <= rest]
            options = [text for text in options if reachable[rest - size[text]]]
            options = [text for text in options if text not in chosen] or options
            chosen.append(options[int(choices[len(chosen)][row] * len(options))])
            rest -= size[chosen[-1]]
        prefixes.append(tuple(chosen))
    return tuple(prefixes)
