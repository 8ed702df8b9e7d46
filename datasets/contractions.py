"""Contractions: "We're helping our friend while they" goes on with "'re", not with " are".

A writer who contracts once does so again. To go on, a model must know that the first clause is
contracted, and which form of "to be" agrees with the last pronoun. The contraction that stands in
the first clause may be the one that is right, or another ("We're … he" goes on with "'s"): in such
pairs a model that copies and one that agrees give different answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, Literal, get_args

import numpy as np

from scrub.data.dataset import Dataset, Recipe, Tokenizer
from scrub.data.task import Task
from scrub.errors import Problems, UserError, did_you_mean
from scrub.hypothesis.behaviour import Behaviour
from scrub.hypothesis.sites import output
from scrub.metrics import logit_diff
from scrub.printing import printed
from scrub.samplers import Paired

from .contractions_rows import Change, Row, changed_row, dataset
from .contractions_text import (
    ADJECTIVES,
    CONTRACTION,
    FORMS,
    JOINTS,
    OWNERS,
    THINGS,
    VERBS,
    capital,
    too_few,
    usable,
)
from .ioi_draws import uniform_numbers
from .ioi_tokens import Pieces

__all__ = ["CONTRACTION", "FORMS", "TASK", "behaviour", "changed", "prompts", "vocabulary"]

Pairs = Literal["all", "same", "differ"]


def prompts(
    n: int,
    *,
    contracted: bool | None = None,
    pairs: Pairs = "all",
    first: Sequence[str] | None = None,
    last: Sequence[str] | None = None,
    seed: int = 0,
) -> Recipe:
    """Random prompts, made once the model's tokenizer is known.

    The two pronouns of a prompt are different ones. Every choice (the pair of pronouns, whether the
    first clause is contracted, verb, owner, adjective or none, thing, conjunction) is uniform and
    independent of the others. Laws: the same arguments give the same table; row i does not depend
    on `n`; of two recipes that differ in `contracted` alone, the rows differ in the token at
    `contraction` alone. A pronoun that is not one token in the tokenizer, or whose verb is not, is
    left out, and the dataset's name says so.

    The dataset, row by row:

    - columns: `first` and `last` (the pronouns, as they stand there), `contracted` (whether the
      first clause is), `pair` ("'re … he": the contraction that agrees with the first pronoun,
      whether it is spelled out or not, and the last pronoun);
    - positions: `pronoun1`, `contraction` (the first clause's verb, also where it is spelled out),
      `end` (the last token);
    - labels: `answer` (the form that agrees with the last pronoun, contracted where the first
      clause is), `other` (the same verb, contracted where the first clause is not) and `copied`
      (what stands at `contraction`).

    Args:
        n: number of rows.
        contracted: whether first clauses are; None: either, with probability ½.
        pairs: "same": both pronouns take the same contraction, so that copying gives the right
            answer; "differ": they do not; "all": any two pronouns.
        first, last: the pronouns to draw from, such as ["we", "he"]; default: all of `CONTRACTION`.
        seed: which random prompts.

    Raises:
        UserError: an argument is not one of the above; or, when the recipe is made, no pair of
            pronouns is left.
    """
    problems = Problems()
    if not isinstance(n, Integral) or isinstance(n, bool) or n < 1:
        hint = "Give a whole number, 1 or more."
        problems.add(f"contractions.prompts: n is {printed(n)}.", hint)
    if contracted not in (None, True, False):
        hint = "Give True, False or None (either)."
        problems.add(f"contractions.prompts: contracted is {printed(contracted)}.", hint)
    if pairs not in get_args(Pairs):
        hint = did_you_mean(str(pairs), get_args(Pairs))
        problems.add(f'contractions.prompts: there are no pairs "{pairs}".', hint)
    chosen = {
        name: tuple(dict.fromkeys(CONTRACTION if given is None else given))
        for name, given in (("first", first), ("last", last))
        if not isinstance(given, str)
    }
    for name, given in (("first", first), ("last", last)):
        if isinstance(given, str):
            hint = "Give a list of pronouns."
            problems.add(f"contractions.prompts: {name} is {printed(given)}.", hint)
        for pronoun in chosen.get(name, ()):
            if pronoun not in CONTRACTION:
                hint = did_you_mean(str(pronoun), CONTRACTION)
                problems.add(f'contractions.prompts: there is no pronoun "{pronoun}".', hint)
    problems.refuse()
    arguments = {"n": int(n), "contracted": contracted, "pairs": pairs, "seed": int(seed)}
    return _recipe({**arguments, **chosen, "changes": ()})


def changed(recipe: Recipe, what: Change) -> Recipe:
    """Row i is row i of `recipe`, with one thing changed; all rows keep their length.

    Law: whatever the change does not name stays as it was, token by token.

    Args:
        recipe: what `prompts` or `changed` returned.
        what: which change.

            - "spelled": the first clause is spelled out where it is contracted ("We are"), and
              contracted where it is not: the answer is the other form. Twice is the original.
            - "contraction": another contraction stands in the first clause, with a pronoun that
              takes it ("He's"): what is copied is another form, the answer stays.
            - "last": the last pronoun is one that takes another contraction: the answer is another
              verb, as much contracted as before.

    Raises:
        UserError: there is no such change; `recipe` is not one of `prompts`; or, when the recipe is
            made, a row has no pronoun to change to.
    """
    if what not in get_args(Change):
        hint = did_you_mean(str(what), get_args(Change))
        raise UserError(f'contractions.changed: there is no change "{what}". {hint}')
    if recipe.function is not _make:
        raise UserError(
            f'contractions.changed: "{recipe.name}" is not a recipe of contractions.prompts. '
            "Give what that returned."
        )
    return _recipe({**recipe.arguments, "changes": (*recipe.arguments["changes"], what)})


def behaviour(
    n: int,
    *,
    corrupt: Change | Any = "spelled",
    contracted: bool | None = True,
    name: str = "contractions",
    model: Any = None,
    **prompted: Any,
) -> Behaviour:
    """At END the model prefers the contraction to the verb spelled out: "'re" to " are".

    Args:
        n: number of prompts.
        corrupt: a change, so that each prompt's corrupted one is its changed copy (see `changed`);
            or any sampler. Where the first clause is spelled out (default), what tells that it is
            contracted can be restored; where the last pronoun is another, what makes the answer
            agree.
        contracted: as in `prompts`; where it is not True, the preference is that for the form of
            the first clause.
        name: what `scrub patch FILE::NAME` calls it.
        model: overrides the file's MODEL.
        prompted: pairs, first, last, seed: as in `prompts`.

    Raises:
        UserError: an argument of `prompts` or `changed` is wrong.
    """
    recipe = prompts(n, contracted=contracted, **prompted)
    named = isinstance(corrupt, str)
    sampler = Paired(changed(recipe, corrupt)) if named else corrupt  # type: ignore[arg-type]
    return Behaviour(
        name=name,
        build=_at_end,
        data=recipe,
        metric=logit_diff("answer", "other"),
        corrupt=sampler,
        model=model,
        says="The model contracts again, in agreement with the last pronoun.",
    )


def vocabulary() -> list[str]:
    """Every word that a prompt or an answer may hold, in alphabetical order."""
    pronouns = {*CONTRACTION, *map(capital, CONTRACTION)}
    others = {*VERBS, *OWNERS, *ADJECTIVES, *THINGS, *JOINTS} - {""}
    return sorted(pronouns | others | FORMS.keys() | set(FORMS.values()))


def _at_end(model: Any) -> Any:
    return output(at="end")


def _recipe(arguments: dict[str, Any]) -> Recipe:
    return Recipe(_name(**arguments), _make, arguments)


def _name(
    n: int, contracted: bool | None, pairs: str, seed: int, changes: Sequence[str], **_: Any
) -> str:
    about = [f"{n} contraction prompts"]
    about += [] if contracted is None else ["contracted" if contracted else "spelled out"]
    about += [] if pairs == "all" else [f"pairs that {'agree' if pairs == 'same' else pairs}"]
    return ", ".join([*about, f"seed {seed}", *(f"{what} changed" for what in changes)])


def _make(
    tokenizer: Tokenizer,
    *,
    n: int,
    contracted: bool | None,
    pairs: Pairs,
    first: tuple[str, ...],
    last: tuple[str, ...],
    seed: int,
    changes: tuple[Change, ...],
) -> Dataset:
    pieces = Pieces(tokenizer)
    used = usable(pieces)

    def uniform(purpose: str) -> np.ndarray:
        return uniform_numbers(seed, f"contractions {purpose}", n)

    def drawn(purpose: str, choices: Sequence[Any]) -> list[Any]:
        return [choices[int(u * len(choices))] for u in uniform(purpose)]

    allowed = [
        (one, other)
        for one in first
        for other in last
        if one != other and {one, other} <= set(used.pronouns) and _fits(pairs, one, other)
    ]
    if not allowed:
        why = f'no two make such a pair (pairs="{pairs}", first and last different)'
        raise too_few(used, "prompts", why)
    lists = {"verb": VERBS, "owner": OWNERS, "adjective": ADJECTIVES, "thing": THINGS}
    lists |= {"joint": JOINTS}
    words = zip(*(drawn(purpose, choices) for purpose, choices in lists.items()), strict=True)
    short = drawn("contracted", (True, False)) if contracted is None else [contracted] * n
    pronouns = drawn("pair", allowed)
    rows = [
        Row(one, other, is_short, said)
        for (one, other), is_short, said in zip(pronouns, short, words, strict=True)
    ]
    for depth, what in enumerate(changes):
        numbers = uniform(f"change {depth} {what}")
        rows = [changed_row(row, what, u, used) for row, u in zip(rows, numbers, strict=True)]
    name = _name(n, contracted, pairs, seed, changes)
    name += f" (left out: {', '.join(used.left_out)})" if used.left_out else ""
    return dataset(name, rows, used, pieces)


def _fits(pairs: Pairs, one: str, other: str) -> bool:
    return pairs == "all" or (pairs == "same") == (CONTRACTION[one] == CONTRACTION[other])


TASK = Task(
    name="contractions",
    says='"We\'re helping our friend while they": contracted again?',
    example="We're helping our friend while they → 're",
    prompts=prompts,
    changed=changed,
    corruptions={
        "spelled": "the first clause is spelled out (or contracted, where it was not)",
        "contraction": "another contraction in the first clause, with a pronoun that takes it",
        "last": "the last pronoun takes another contraction: the answer is another verb",
    },
    features={
        "first": "the first clause's pronoun",
        "last": "the second clause's pronoun, the last token",
        "contracted": "whether the first clause is",
        "pair": "the first pronoun's contraction, and the last pronoun",
    },
    positions={
        "pronoun1": "the first pronoun",
        "contraction": "the verb after it, contracted or spelled out",
        "end": "the last pronoun, after which the answer comes",
    },
    labels={
        "answer": "the form that agrees with the last pronoun, contracted as the first clause",
        "other": "the same verb, in the other form",
        "copied": "what stands at contraction",
    },
    metrics={
        'logit_diff("answer", "other")': "by how much the same form is preferred",
        'logit_diff("answer", "copied")': "agreement against copying, where pairs differ",
    },
    answers={"answer": "the one right answer", "other": "not contracted as the first clause is"},
    models={
        "contractions-planted": "the value of what stands at contraction, then MLPs that agree",
        "contractions-copying": "copies what stands there: wrong where pairs differ",
        "contractions-pattern": "where it looks tells whether the first clause is contracted",
    },
    hypotheses=("contractions.py",),
)
