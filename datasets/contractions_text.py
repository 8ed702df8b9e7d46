"""The words of contraction prompts, and which forms of "to be" go with which pronoun."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from scrub.errors import UserError

from .ioi_tokens import Pieces

FORMS: dict[str, str] = {"'m": "am", "'re": "are", "'s": "is"}
"""Contraction → the same verb spelled out."""
CONTRACTION: dict[str, str] = {
    "I": "'m", "we": "'re", "you": "'re", "they": "'re", "he": "'s", "she": "'s", "it": "'s",
}  # fmt: skip
"""Pronoun → the contraction that agrees with it."""
VERBS = ("helping", "calling", "visiting", "watching", "following", "painting", "leaving", "asking")
OWNERS = ("my", "your", "his", "her", "our", "their")
ADJECTIVES = ("", "old", "young", "good")
THINGS = ("friend", "brother", "sister", "teacher", "doctor", "neighbor", "family", "team")
JOINTS = ("while", "because", "and")


def capital(pronoun: str) -> str:
    """A pronoun as a sentence begins with it."""
    return pronoun[0].upper() + pronoun[1:]


@frozen(eq=False)
class Usable:
    """The pronouns that a tokenizer has tokens for.

    Attributes:
        tokenizer: its name.
        pronouns: as they stand at the end.
        first, last: pronoun → its token at the beginning, and inside.
        contracted, spelled: contraction → its token, and that of the verb spelled out.
        left_out: what is left out, each with its reason.
    """

    tokenizer: str
    pronouns: tuple[str, ...]
    first: dict[str, int]
    last: dict[str, int]
    contracted: dict[str, int]
    spelled: dict[str, int]
    left_out: tuple[str, ...]


def usable(pieces: Pieces) -> Usable:
    """Pronouns are used that are one token at the beginning and inside, with both their verbs."""
    reasons: dict[str, str] = {}

    def token(text: str, tokens: Sequence[int], pronoun: str) -> int:
        word = text.strip()
        if len(tokens) != 1:
            reasons.setdefault(pronoun, f'{pronoun} ("{word}" is {len(tokens)} tokens)')
        elif pieces.tokenizer.decode(tokens)[0].strip() != word:
            reasons.setdefault(pronoun, f'{pronoun} ("{word}" is not in its vocabulary)')
        return tokens[0] if tokens else 0

    first, last, contracted, spelled = {}, {}, {}, {}
    for pronoun, short in CONTRACTION.items():
        verb = FORMS[short]
        first[pronoun] = token(capital(pronoun), pieces.first(capital(pronoun)), pronoun)
        last[pronoun] = token(pronoun, pieces.inside(f" {pronoun}"), pronoun)
        contracted[short] = token(short, pieces.inside(short), pronoun)
        spelled[short] = token(verb, pieces.inside(f" {verb}"), pronoun)
    kept = tuple(pronoun for pronoun in CONTRACTION if pronoun not in reasons)
    name = pieces.tokenizer.name
    return Usable(name, kept, first, last, contracted, spelled, tuple(reasons.values()))


def too_few(used: Usable, asked: str, why: str) -> UserError:
    """That the pronouns that are left do not make the prompts that are asked for."""
    left_out = f" Left out: {', '.join(used.left_out)}." if used.left_out else ""
    listed = ", ".join(used.pronouns) or "none"
    return UserError(
        f"contractions.{asked}: of the pronouns that {used.tokenizer} has tokens for ({listed}), "
        f"{why}.{left_out}"
    )
