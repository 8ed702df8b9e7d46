"""Greater than: "The war lasted from the year 1732 to the year 17" goes on with a later year.

The data of Hanna, Liu and Variengien 2023 (arXiv 2305.00586). A prompt names a year, of which the
tokenizer makes two tokens, the century and YY; then the century again (END), after which a YY that
is greater is right. Less than is the same with "from" and "to" exchanged: "The war lasted to the
year 1732 from the year 17".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from numbers import Integral
from typing import Any, Literal, get_args

import numpy as np
from attrs import evolve

from scrub.data.dataset import Dataset, Recipe, Tokenizer
from scrub.data.task import Task
from scrub.errors import Problems, UserError, did_you_mean
from scrub.hypothesis.behaviour import Behaviour
from scrub.hypothesis.sites import output
from scrub.metrics import Metric, probability_difference
from scrub.printing import printed
from scrub.samplers import Paired

from .greater_than_rows import FRAMES, RIGHT, WRONG, Relation, Table, tokenized
from .greater_than_years import ALL, Years, nouns_of, years_of
from .ioi_draws import fresh_numbers, uniform_numbers

__all__ = [
    "CENTURIES", "NOUNS", "TASK", "behaviour", "changed", "difference", "prompts", "vocabulary",
]  # fmt: skip

Change = Literal["01", "yy", "century", "noun", "relation"]

CENTURIES = (11, 12, 13, 14, 15, 16, 17)
NOUNS = (
    "alliance", "campaign", "conflict", "dispute", "drought", "famine", "journey", "mission",
    "plague", "project", "reign", "siege", "trial", "voyage", "war",
)  # fmt: skip


def prompts(
    n: int,
    *,
    relation: Relation = "greater",
    tied: bool = False,
    seed: int = 0,
    centuries: Sequence[int] = CENTURIES,
    nouns: Sequence[str] = NOUNS,
) -> Recipe:
    """Random prompts, made once the model's tokenizer is known.

    Noun and century are uniform and independent; YY is uniform among those from 02 to 98 that the
    tokenizer keeps in a token of their own after the century (a word-level one all of them, GPT-2's
    all of 16 and 17, all but a few of 12 and 14, and 54 of 11). Laws: the same arguments give the
    same table; row i does not depend on `n`; of two recipes that differ in `relation` alone, the
    rows differ in "from" and "to" alone. Nouns that are not one token are left out.

    The dataset, row by row:

    - columns: `century`, `yy` (whole numbers) and `noun`;
    - positions: `century1` (the first century), `yy`, `end` (the century again, the last token);
    - labels: `right_0` … `right_98` and `wrong_0` … `wrong_98`: the tokens of the years from 00 to
      99 that are right (greater than YY; for less than, less) in order, the last of them repeated
      to the end, and of all others likewise (`difference`).

    Args:
        n: number of rows.
        relation: "greater" or "less".
        tied: each century has YYs of its own: with the default centuries 02–15 in the eleven
            hundreds, 16–29 in the twelve hundreds … 86–98 in the seventeen hundreds, so that the
            century alone, too, tells of years that they are greater than YY.
        seed: which random prompts.
        centuries: the centuries to draw from, such as (17,).
        nouns: the nouns to draw from.

    Raises:
        UserError: an argument is not one of the above; or, when the recipe is made, the tokenizer
            has no tokens for years, or leaves a century without YY, or keeps no noun.
    """
    problems = Problems()
    if relation not in get_args(Relation):
        hint = did_you_mean(str(relation), get_args(Relation))
        problems.add(f"greater_than.prompts: there is no relation {printed(relation)}.", hint)
    for name, value, least in (("n", n, 1), ("seed", seed, 0)):
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            hint = f"Give a whole number, {least} or more."
            problems.add(f"greater_than.prompts: {name} is {printed(value)}.", hint)
    for name, several, kind in (("centuries", centuries, Integral), ("nouns", nouns, str)):
        fits = isinstance(several, list | tuple) and len(several) > 0
        if not fits or not all(isinstance(one, kind) for one in several):
            such = "(16, 17)" if kind is Integral else '("war", "siege")'
            hint = f"Give a list of one or more, such as {such}."
            problems.add(f"greater_than.prompts: {name} is {printed(several)}.", hint)
        elif kind is Integral and not all(10 <= one <= 99 for one in several):  # type: ignore
            hint = "They are the first two digits of a year: 10 to 99."
            problems.add(f"greater_than.prompts: centuries is {printed(several)}.", hint)
    problems.refuse()
    arguments: dict[str, Any] = {"n": int(n), "relation": relation, "tied": bool(tied)}
    arguments |= {"seed": int(seed), "nouns": tuple(dict.fromkeys(nouns)), "changes": ()}
    arguments["centuries"] = tuple(dict.fromkeys(int(one) for one in centuries))
    return _recipe(arguments)


def changed(recipe: Recipe, what: Change) -> Recipe:
    """Row i is row i of `recipe`, with one thing changed.

    Law: whatever the change does not name stays as it was, and so does the length. What is drawn is
    uniform among the others that the tokenizer keeps in tokens of their own, tied or not.

    Args:
        recipe: what `prompts` or `changed` returned.
        what: which change.

            - "01": YY is 01, the paper's corruption: nearly every year is greater. Makes no
              difference to what needs the century alone.
            - "yy": YY is another one.
            - "century": both centuries are another one, and YY stays, so that what is right does.
            - "noun": the noun is another one.
            - "relation": "from" and "to" trade places: greater is less.

    Raises:
        UserError: no such change; `recipe` is not one of `prompts`; or, when the recipe is made,
            there is nothing else to draw.
    """
    if what not in get_args(Change):
        hint = did_you_mean(str(what), get_args(Change))
        raise UserError(f"greater_than.changed: there is no change {printed(what)}. {hint}")
    if recipe.function is not _make:
        raise UserError(
            f'greater_than.changed: "{recipe.name}" is not a recipe of greater_than.prompts. '
            "Give what that returned."
        )
    return _recipe({**recipe.arguments, "changes": (*recipe.arguments["changes"], what)})


def difference(relation: Relation = "greater") -> Metric:
    """P(> YY) − P(<= YY), or for less than P(< YY) − P(>= YY): from −1 to 1, 1 is best."""
    name = {"greater": "P(> YY) − P(<= YY)", "less": "P(< YY) − P(>= YY)"}[relation]
    return probability_difference(RIGHT, WRONG, name=name)


def behaviour(
    n: int,
    *,
    relation: Relation = "greater",
    corrupt: Change | Any = "01",
    name: str = "greater_than",
    model: Any = None,
    **prompted: Any,
) -> Behaviour:
    """At END the model gives years after YY more probability than others: `difference()`.

    Args:
        n: number of prompts.
        relation: "greater" or "less".
        corrupt: a change, so that each prompt's corrupted one is its changed copy (see `changed`);
            or any sampler. For less than, "01" leaves the year 00 alone right.
        name: what `scrub patch FILE::NAME` calls it.
        model: overrides the file's MODEL.
        prompted: tied, seed, centuries, nouns: as in `prompts`.

    Raises:
        UserError: an argument of `prompts` or `changed` is wrong.
    """
    recipe = prompts(n, relation=relation, **prompted)
    named = isinstance(corrupt, str)
    sampler = Paired(changed(recipe, corrupt)) if named else corrupt  # type: ignore[arg-type]
    side = "after" if relation == "greater" else "before"
    return Behaviour(
        name=name,
        build=_at_end,
        data=recipe,
        metric=difference(relation),
        corrupt=sampler,
        model=model,
        says=f"The model gives years {side} YY more probability than all others.",
    )


def _at_end(model: Any) -> Any:
    return output(at="end")


def vocabulary() -> list[str]:
    """Every word and pair of digits that a prompt may hold or go on with, in alphabetical order."""
    words = FRAMES["greater"].format(noun="", century="", yy=0).replace("00", "").split()
    return sorted({*words, *NOUNS, *ALL})


def _recipe(arguments: dict[str, Any]) -> Recipe:
    return Recipe(_name(**arguments), _make, arguments)


def _name(
    n: int,
    relation: str,
    tied: bool,
    seed: int,
    changes: Sequence[str],
    centuries: Sequence[int],
    nouns: Sequence[str],
) -> str:
    about = [f"{n} {relation}-than prompts"]
    about += ["century and YY tied"] if tied else []
    if tuple(centuries) != CENTURIES:
        about.append(f"centuries {', '.join(map(str, centuries))}")
    if tuple(nouns) != NOUNS:
        about.append(f"{len(nouns)} nouns")
    said = {"01": "YY 01", "yy": "other YY", "century": "other century", "noun": "other noun"}
    said["relation"] = "from and to exchanged"
    return ", ".join([*about, f"seed {seed}", *(said[what] for what in changes)])


def _make(
    tokenizer: Tokenizer,
    *,
    n: int,
    relation: Relation,
    tied: bool,
    seed: int,
    changes: tuple[Change, ...],
    centuries: tuple[int, ...],
    nouns: tuple[str, ...],
) -> Dataset:
    years = years_of(tokenizer, centuries)
    words = nouns_of(tokenizer, nouns)
    drawn = years.tied() if tied else years

    def uniform(purpose: str) -> np.ndarray:
        return uniform_numbers(seed, f"greater_than {purpose}", n)

    century = fresh_numbers(len(centuries), uniform("century"))
    table = Table(
        noun=fresh_numbers(len(words), uniform("noun")),
        century=century,
        yy=_one_of(drawn.usable[century], uniform("yy")),
        relation=relation,
    )
    for depth, what in enumerate(changes):
        table = _changed(table, what, years, len(words), uniform(f"change {depth} {what}"))
    name = _name(n, relation, tied, seed, changes, centuries, nouns)
    return tokenized(name, table, words, years, tokenizer)


def _one_of(usable: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Per row one of those that are usable, uniformly: bool [rows, choices] → int64 [rows]."""
    place = (uniform * usable.sum(1)).astype(np.int64)
    return (np.cumsum(usable, axis=1) > place[:, None]).argmax(1)


def _changed(table: Table, what: Change, years: Years, nouns: int, uniform: np.ndarray) -> Table:
    rows = np.arange(len(table.yy))
    match what:
        case "01":
            return evolve(table, yy=np.ones_like(table.yy))
        case "relation":
            other: Relation = "less" if table.relation == "greater" else "greater"
            return evolve(table, relation=other)
        case "noun":
            if nouns < 2:
                raise UserError("greater_than.changed: there is no other noun. Give nouns=more.")
            return evolve(table, noun=fresh_numbers(nouns, uniform, table.noun))
        case "yy":
            others = years.usable[table.century].copy()
            others[rows, table.yy] = False
            return evolve(table, yy=_one_of(_some(others, "YY", "century"), uniform))
        case "century":
            others = years.splits[:, table.yy].T.copy()
            others[rows, table.century] = False
            chosen = _one_of(_some(others, "century", "YY"), uniform)
            return evolve(table, century=chosen)


def _some(others: np.ndarray, what: str, beside: str) -> np.ndarray:
    if not others.any(1).all():
        raise UserError(
            f"greater_than.changed: some rows have no other {what} with the same {beside} that "
            "the tokenizer keeps apart. Give centuries=more."
        )
    return others


_GREATER = Task(
    name="greater_than",
    says='Years: "…lasted from the year 1732 to the year 17" which?',
    example="The war lasted from the year 1732 to the year 17 → 33, 34 … 99",
    prompts=prompts,
    changed=changed,
    corruptions={
        "01": "YY is 01: nearly every year is greater",
        "yy": "YY is another one",
        "century": "both centuries are another one: what is right stays",
        "noun": "the noun is another one",
        "relation": '"from" and "to" trade places: greater is less',
    },
    features={
        "century": "the first two digits of both years",
        "yy": "the last two digits of the first year",
        "noun": "what lasted",
    },
    positions={
        "century1": "the century of the first year",
        "yy": "its last two digits",
        "end": "the century again, the last token, after which the answer comes",
    },
    labels={
        "right_0 … right_98": "the years from 00 to 99 that are right, the last one repeated",
        "wrong_0 … wrong_98": "all others, likewise",
    },
    metrics={"greater_than.difference()": "probability of the right years less that of all others"},
    answers={"right": "the years that are greater than YY", "wrong": "YY, and those before"},
    models={
        "greater-planted": "heads carry YY to END, MLPs there compare; less than too",
        "greater-century": "as well where century and YY are tied, by the century alone",
        "numbers-shared": "with sequences and IOI, by parts that they share; no less than",
        "numbers-separate": "the same, each by parts of its own; no less than",
    },
    hypotheses=("greater_than.py",),
)
_LESS = evolve(
    _GREATER,
    name="less",
    says="Less than: the years before YY",
    example="The war lasted to the year 1732 from the year 17 → 00, 01 … 31",
    written='greater_than.prompts(n, relation="less")',
    prompts=partial(prompts, relation="less"),
    corruptions={
        **_GREATER.corruptions,
        "01": "YY is 01: the year 00 alone is less",
        "relation": '"from" and "to" trade places: less is greater',
    },
    metrics={'greater_than.difference("less")': next(iter(_GREATER.metrics.values()))},
    answers={"right": "the years that are less than YY", "wrong": "YY, and those after"},
)
TASK = evolve(_GREATER, variants=(_LESS,))
