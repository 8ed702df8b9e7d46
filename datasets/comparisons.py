"""Comparisons: antonyms, which of two is taller, and who was the last to act.

Three kinds of prompts, each with one right answer and one that only a comparison rules out:

- `antonyms`: "The opposite of tall is" → "short", and not "tall";
- `adjectives`: "Ann is tall. Bob is short. The taller one is" → "Ann", and not "Bob";
- `acts`: "Ann met Bob. Then Bob called Ann. The last to act was" → "Bob", and not "Ann".

The embedded models `comparisons-planted` and `comparisons-value` do all three.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from numbers import Integral
from typing import Any, Literal, get_args

from scrub.data.dataset import Dataset, Recipe, Tokenizer
from scrub.data.task import Task
from scrub.errors import Problems, UserError, did_you_mean
from scrub.hypothesis.behaviour import Behaviour
from scrub.hypothesis.sites import output
from scrub.metrics import logit_diff
from scrub.printing import printed
from scrub.samplers import Paired

from .comparisons_rows import FRAMES, NAMES, SCALES, VERBS, Table, drawn, flipped, tokenized, usable

__all__ = [
    "CHANGES", "NAMES", "SCALES", "TASK", "VERBS", "behaviour", "changed", "prompts", "vocabulary",
]  # fmt: skip

Kind = Literal["adjectives", "antonyms", "acts"]
Change = Literal["adjectives", "names", "order", "question", "scale", "verbs", "name1", "name2"]

CHANGES: dict[str, tuple[str, ...]] = {
    "antonyms": ("adjectives", "scale"),
    "adjectives": ("names", "adjectives", "order", "question", "scale", "name1", "name2"),
    "acts": ("names", "order", "question", "verbs", "name1", "name2"),
}
"""What may be changed about prompts of each kind."""


def prompts(
    n: int, *, kind: Kind = "adjectives", seed: int = 0, names: Sequence[str] | None = None
) -> Recipe:
    """Random prompts of one kind, made once the model's tokenizer is known.

    Every choice (names, scale, which adjective comes first, question, verbs) is uniform and
    independent of the others. Laws: the same arguments give the same table; row i does not depend
    on `n`; all rows of a kind are alike in length and positions. A prompt starts with a space, so
    that a name has the same token wherever it stands. Names, verbs and scales of which a word is
    not one token in the tokenizer are left out; the dataset's name says which.

    The dataset, row by row:

    - columns: `kind`; `name1`, `name2` (subjects of the first and second sentence); `word1`,
      `word2` (their adjectives or verbs; of antonyms `word1` alone); `scale` ("tall/short");
      `question` ("taller", "last"); `answer` and `wrong` (words); `order` ("first" or "second":
      the sentence of which the answer is the subject). What a kind lacks is "";
    - positions: `name1`, `word1`, `name2`, `word2`, `question`, `end` (the last token); `answer`
      and `wrong` (where those names stand as subjects), `asked` (the adjective or verb beside
      `answer`) and `other` (that beside `wrong`); of acts also `object1`, `object2`. Of antonyms
      `word1` and `end` alone;
    - labels: `answer` and `wrong`, the tokens of those words.

    Args:
        n: number of rows.
        kind: "adjectives", "antonyms" or "acts".
        seed: which random prompts.
        names: the names to draw from (default: `NAMES`).

    Raises:
        UserError: an argument is not one of the above; or, when the recipe is made, too few words
            are one token.
    """
    people = tuple(dict.fromkeys(NAMES if names is None else names))
    problems = Problems()
    if kind not in get_args(Kind):
        hint = did_you_mean(str(kind), get_args(Kind))
        problems.add(f"comparisons.prompts: there is no kind {printed(kind)}.", hint)
    for name, value, least in (("n", n, 1), ("seed", seed, 0)):
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            hint = f"Give a whole number, {least} or more."
            problems.add(f"comparisons.prompts: {name} is {printed(value)}.", hint)
    if isinstance(names, str) or not all(isinstance(one, str) for one in people):
        what = f"comparisons.prompts: names is {printed(names)}."
        problems.add(what, "Give a list of names.")
    problems.refuse()
    return _recipe({"n": int(n), "kind": kind, "seed": int(seed), "names": people, "changes": ()})


def changed(recipe: Recipe, what: Change) -> Recipe:
    """Row i is row i of `recipe`, with one thing changed.

    Law: whatever the change does not name stays as it was.

    Args:
        recipe: what `prompts` or `changed` returned.
        what: which change; `CHANGES` lists those of each kind.

            - "names": the two names trade places. The other name is right, in the same sentence.
            - "adjectives": the two adjectives trade places, so that the other name is right, in the
              other sentence; of antonyms: the adjective is the other of its scale.
            - "order": the two sentences trade places. Of adjectives the answer stays, and comes in
              the other sentence; of acts the other name is right.
            - "question": it asks for the other: "shorter" for "taller", "first" for "last".
            - "scale": the adjectives and the question are of another scale. Who is right stays.
            - "verbs": both verbs are others. The answer stays.
            - "name1", "name2": that name is a fresh one.

    Raises:
        UserError: there is no such change, or none of this kind of prompts; `recipe` is not one of
            this module.
    """
    if recipe.function is not _make:
        raise UserError(
            f'comparisons.changed: "{recipe.name}" is not a recipe of comparisons.prompts. Give '
            "what that returned."
        )
    kind = recipe.arguments["kind"]
    if what not in CHANGES[kind]:
        hint = did_you_mean(str(what), CHANGES[kind])
        raise UserError(
            f"comparisons.changed: there is no change {printed(what)} of {kind}. {hint}"
        )
    return _recipe({**recipe.arguments, "changes": (*recipe.arguments["changes"], what)})


def behaviour(
    n: int,
    *,
    kind: Kind = "adjectives",
    corrupt: Change | Any = None,
    name: str | None = None,
    model: Any = None,
    **prompted: Any,
) -> Behaviour:
    """At END the model prefers the answer to the wrong one: `logit_diff("answer", "wrong")`.

    Args:
        n: number of prompts.
        kind: as in `prompts`.
        corrupt: what is changed in each prompt's corrupted copy; or any sampler. Default:
            "adjectives", of acts "question": they turn the answer round, and who stands where
            stays.
        name: what `scrub patch FILE::NAME` calls it (default: the kind).
        model: overrides the file's MODEL.
        prompted: seed and names, as in `prompts`.

    Raises:
        UserError: an argument of `prompts` is wrong, or there is no such change.
    """
    recipe = prompts(n, kind=kind, **prompted)
    if corrupt is None:
        corrupt = "question" if kind == "acts" else "adjectives"
    sampler = Paired(changed(recipe, corrupt)) if isinstance(corrupt, str) else corrupt  # type: ignore[arg-type]
    return Behaviour(
        name=kind if name is None else name,
        build=_at_end,
        data=recipe,
        metric=logit_diff("answer", "wrong"),
        corrupt=sampler,
        model=model,
        says=f"The model prefers {_SAYS[kind]}.",
    )


_SAYS = {
    "antonyms": "an adjective's opposite to the adjective",
    "adjectives": "the one of whom the adjective is said to the other",
    "acts": "the one who acted first or last, as is asked, to the other",
}


def _at_end(model: Any) -> Any:
    return output(at="end")


def vocabulary() -> list[str]:
    """Every word and punctuation mark that a prompt may hold, in alphabetical order."""
    frames = " ".join(re.sub(r"\{\w+\}", " ", frame) for frame in FRAMES.values())
    scales = (word for scale in SCALES for word in scale)
    return sorted({*frames.split(), *NAMES, *VERBS, *scales, "first", "last"})


def _recipe(arguments: dict[str, Any]) -> Recipe:
    return Recipe(_name(**arguments), _make, arguments)


def _name(n: int, kind: str, seed: int, changes: Sequence[str], **_: Any) -> str:
    about = [f"{n} {kind} prompts", f"seed {seed}"]
    return ", ".join([*about, *(f"{what} changed" for what in changes)])


def _make(
    tokenizer: Tokenizer,
    *,
    n: int,
    kind: str,
    seed: int,
    names: tuple[str, ...],
    changes: tuple[str, ...],
) -> Dataset:
    words = usable(tokenizer, names, kind, changes)
    table: Table = drawn(n, seed, words)
    for depth, what in enumerate(changes):
        table = flipped(table, what, kind, words, seed, depth)
    called = _name(n, kind, seed, changes) + words.left_out
    return tokenized(called, kind, table, words, tokenizer)


_NONE = "empty: only the other prompts have one"
_ANTONYMS = Task(
    name="antonyms",
    says="Opposites",
    example="The opposite of tall is → short",
    written='comparisons.prompts(n, kind="antonyms")',
    prompts=partial(prompts, kind="antonyms"),
    changed=changed,
    corruptions={
        "adjectives": "the adjective is the other of its scale: what was right is wrong",
        "scale": "the adjective is of another scale, and so is the answer",
    },
    features={
        "kind": "antonyms",
        "word1": "the adjective",
        "scale": "it and its opposite, as in tall/short",
        "answer": "its opposite",
        "wrong": "the adjective itself",
        **dict.fromkeys(("name1", "name2", "word2", "question", "order"), _NONE),
    },
    positions={"word1": "the adjective", "end": "the last token, after which the answer comes"},
    labels={"answer": "the opposite", "wrong": "the adjective itself"},
)
_ACTS = Task(
    name="acts",
    says="Latest subject: who was the last to act, or the first",
    example="Ann met Bob. Then Bob called Ann. The last to act was → Bob",
    written='comparisons.prompts(n, kind="acts")',
    prompts=partial(prompts, kind="acts"),
    changed=changed,
    corruptions={
        "names": "the names trade places: the other is right",
        "order": "the sentences trade places: the other is right",
        "question": "it asks for the other: first for last",
        "verbs": "both verbs are others: the answer stays",
        "name1": "the first name is a fresh one, wherever it stands",
        "name2": "the second name is a fresh one, wherever it stands",
    },
    features={
        "kind": "acts",
        "name1": "who acts in the first sentence",
        "name2": "who acts in the second",
        "word1": "the first verb",
        "word2": "the second",
        "scale": _NONE,
        "question": "what is asked for: first or last",
        "answer": "the right name",
        "wrong": "the wrong name",
        "order": "the sentence in which the answer acts: first or second",
    },
    positions={
        "name1": "who acts in the first sentence",
        "word1": "its verb",
        "object1": "to whom",
        "name2": "who acts in the second sentence",
        "word2": "its verb",
        "object2": "to whom",
        "question": "what is asked for",
        "answer": "where the right name acts",
        "wrong": "where the wrong name acts",
        "asked": "the verb beside the right name",
        "other": "the verb beside the wrong name",
        "end": "the last token, after which the answer comes",
    },
    labels={"answer": "the right name", "wrong": "the wrong name"},
)
TASK = Task(
    name="comparisons",
    says="Comparisons: which of two is taller, opposites, who acted last",
    example="Ann is tall. Bob is short. The taller one is → Ann",
    prompts=prompts,
    changed=changed,
    corruptions={
        "names": "the names trade places: the other is right, in the same sentence",
        "adjectives": "the adjectives trade places: the other is right, in the other sentence",
        "order": "the sentences trade places: the answer stays, and moves",
        "question": "it asks for the other: shorter for taller",
        "scale": "adjectives and question are of another scale: who is right stays",
        "name1": "the first name is a fresh one",
        "name2": "the second name is a fresh one",
    },
    features={
        "kind": "adjectives; antonyms and acts, the variants below, by kind=",
        "name1": "of whom the first sentence is",
        "name2": "of whom the second is",
        "word1": "the first adjective",
        "word2": "the second",
        "scale": "the two adjectives, as in tall/short",
        "question": "what is asked for: taller or shorter",
        "answer": "the right word",
        "wrong": "the wrong word",
        "order": "the sentence of the answer: first or second",
    },
    positions={
        "name1": "the first sentence's subject",
        "word1": "its adjective",
        "name2": "the second sentence's subject",
        "word2": "its adjective",
        "question": "what is asked for",
        "answer": "where the right name stands",
        "wrong": "where the wrong name stands",
        "asked": "the adjective of the right name",
        "other": "that of the wrong name",
        "end": "the last token, after which the answer comes",
    },
    labels={"answer": "the right word", "wrong": "the wrong word"},
    metrics={'logit_diff("answer", "wrong")': "by how much the right word's logit is above"},
    answers={"answer": "the one right word", "wrong": "the one that the comparison rules out"},
    models={
        "comparisons-planted": "by an order signal: which sentence's name is the answer",
        "comparisons-value": "with the same accuracy by a value: the name itself is passed on",
    },
    hypotheses=("comparisons.py",),
    variants=(_ANTONYMS, _ACTS),
)
