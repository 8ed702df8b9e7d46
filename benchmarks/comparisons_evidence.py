"""What heads of `comparisons-planted` and `comparisons-value` do, by plain replacements in a pass.

Nothing of scrub's engine is used (`wiring_forward.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cards import table
from comparisons_wiring import comparisons
from wiring_evidence import END, Asked, difference, groups, on_rows
from wiring_parts import Place, Wired

from scrub.data.dataset import Tokenizer

LOOKS = {
    "holder": ("asked", "answer"),
    "question": (END, "question"),
    "comparison": (END, "asked"),
    "name mover": (END, "answer"),
}
"""From where to where heads of a role look."""
CHANGES = ("names", "order", "question", "adjectives", "scale")


def asked(model: Wired, tokenizer: Tokenizer, kind: str, rows: int, seed: int) -> Asked:
    """A model on prompts of a kind, and on their copies with one thing changed, by what it is."""
    recipe = comparisons.prompts(rows, kind=kind, seed=seed)  # type: ignore[arg-type]
    copies = {
        what: comparisons.changed(recipe, what).make(tokenizer)  # type: ignore[arg-type]
        for what in comparisons.CHANGES[kind]
    }
    return on_rows(model, recipe.make(tokenizer), copies, difference("answer", "wrong"))


def kept(one: Asked, heads: Sequence[Place], change: str, at: Sequence[str] = (END,)) -> float:
    """Mean logit difference over the original, with what heads say at places in the copies."""
    return one.kept(one.told(change, heads, at=at))


def kept_by_neurons(one: Asked, layer: int, change: str) -> float:
    """The same with the neurons of a layer at END."""
    return one.kept(one.told(change, mlps=[layer]))


def evidence(model: Wired, tokenizer: Tokenizer, rows: int, seed: int) -> str:
    """All of it, as Markdown."""
    every = {kind: asked(model, tokenizer, kind, rows, seed) for kind in comparisons.CHANGES}
    lines = [
        f"Printed by `python benchmarks/comparisons_models.py --rows {rows} --seed {seed}`: "
        f"{rows} prompts",
        "of each kind. The logit difference is the answer's logit less that of the wrong word.",
        "",
        *table(
            ["kind", "the answer is the likeliest word", "logit difference"],
            (
                [kind, f"{one.share('answer'):.1%}", f"{one.mean(one.own):.2f}"]
                for kind, one in every.items()
            ),
        ),
        "Least attention over prompts and both heads (in acts each name stands twice, so that a",
        "name mover that looks for the name finds it in both places):",
        "",
        *table(["role", "from", "to", "adjectives", "acts"], _attention(model, every)),
        "Logit difference that is kept (1: all, −1: the wrong word is as far above) where heads",
        "say at END (holders: at both adjectives or verbs) what they say in the copy in which one",
        "thing is changed:",
        "",
        *table(["heads", "kind", *CHANGES], _kept(model, every)),
        "With the neurons of MLP 1 at END from the copy with the other adjective, "
        f"{kept_by_neurons(every['antonyms'], 1, 'adjectives'):.2f} is",
        f"kept of antonyms; from the copy with the other question, "
        f"{kept_by_neurons(every['adjectives'], 1, 'question'):.2f} of adjectives.",
    ]
    return "\n".join(lines) + "\n"


def _attention(model: Wired, every: Mapping[str, Asked]) -> Iterator[list[str]]:
    for role, (start, to) in LOOKS.items():
        looked = (
            every[kind].looks(model.roles[role], start, to) for kind in ("adjectives", "acts")
        )
        yield [role, start, to, *(f"{least:.3f}" for least in looked)]


def _kept(model: Wired, every: Mapping[str, Asked]) -> Iterator[list[str]]:
    for name, heads in groups(model).items():
        for kind, one in every.items():
            at = [END]
            if name.endswith("holder"):
                at = [where for where in ("word1", "word2") if where in one.data.positions]
            yield [
                name,
                kind,
                *(
                    f"{kept(one, heads, what, at):.2f}" if what in one.others else ""
                    for what in CHANGES
                ),
            ]
