"""Indirect-object identification: "When Mary and John went to the store, John gave a drink to".

The data of Wang et al. 2022 (arXiv 2211.00593). A prompt names two people, the indirect object (IO)
and the subject (S1), then the subject again (S2), and ends (END) where the IO's name comes next.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any, Literal, get_args

import numpy as np
from attrs import evolve

from scrub.data.dataset import Dataset, Recipe, Tokenizer
from scrub.data.task import Task
from scrub.errors import Problems, UserError, did_you_mean
from scrub.hypothesis.behaviour import Behaviour
from scrub.hypothesis.sites import output
from scrub.metrics import logit_diff
from scrub.printing import printed
from scrub.samplers import Paired

from .ioi_draws import fresh_numbers, uniform_numbers
from .ioi_rows import DISTANCES, Table, lowered, tokenized
from .ioi_text import ENDINGS, NAMES, OBJECTS, PLACES, SENTENCES, TEMPLATES
from .ioi_tokens import Pieces, one_token, small_talk

__all__ = [
    "NAMES", "OBJECTS", "PLACES", "TASK", "TEMPLATES", "behaviour", "flip", "prompts", "vocabulary",
]  # fmt: skip

Order = Literal["mixed", "ABBA", "BABA"]
Kind = Literal["ioi", "abc"]
Flip = Literal["io", "s", "s1", "s2", "order", "both"]


def prompts(
    n: int,
    *,
    order: Order = "mixed",
    kind: Kind = "ioi",
    seed: int = 0,
    prefixes: int = 0,
    templates: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    pause: str = "",
) -> Recipe:
    """Random prompts, made once the model's tokenizer is known.

    Every choice (template, order, names, object, place, prefix) is uniform and independent of the
    others. Laws: the same arguments give the same table; row i does not depend on `n`; of two
    recipes that differ in `kind` (or `order`, `prefixes`, `pause`) alone, the rows differ in S2 (or
    which name comes first, the prefix, the pause) alone. Names that are not one token in the
    tokenizer are left out.

    The dataset, row by row:

    - columns: `io` and `s` (the names of the indirect object and at S1), `s2` (the name at S2),
      `io_is_first`, `order` ("ABBA" where the IO is first, else "BABA"), `template` (index into
      `TEMPLATES`), `object` and `place` ("" where the template has none), `prefix_length` (tokens);
      absolute positions `io_position`, `s1_position`, `s2_position`, `end_position`; distances
      `s1_to_io`, `io_to_s2`, `io_to_end`, `s1_to_s2`, `s1_to_end`, `s2_to_end`, in tokens (`a_to_b`
      is b minus a; only `s1_to_io` may be negative);
    - positions: `start` (the first token after the prefix), `io`, `s1`, `s1+1`, `s2`, `end` (the
      last token);
    - labels: `io` and `s`, the tokens of those names.

    Args:
        n: number of rows.
        order: "ABBA" (IO first), "BABA" (S first) or "mixed" (either, with probability ½).
        kind: "ioi", or "abc": the name at S2 is a third one, so that nothing is repeated and no
            answer is right; `io` and `s` still are what the other two would be.
        seed: which random prompts.
        prefixes: up to so many tokens of small talk come before the prompt, so that absolute
            positions move; each row draws a length from 0 to `prefixes`.
        templates: indices of the templates to draw from (default: all of `TEMPLATES`).
        names: the names to draw from (default: `NAMES`).
        pause: words that stand before the clause of S2 in every prompt, such as "on a warm
            day": both names are so much further from S2 and END, and nothing else moves.

    Raises:
        UserError: an argument is not one of the above; or, when the recipe is made, too few names
            are one token.
    """
    chosen = tuple(dict.fromkeys(range(len(TEMPLATES)) if templates is None else templates))
    people = tuple(dict.fromkeys(NAMES if names is None else names))
    problems = Problems()
    for argument, value, choices in (("order", order, Order), ("kind", kind, Kind)):
        if value not in get_args(choices):
            hint = did_you_mean(str(value), get_args(choices))
            problems.add(f'ioi.prompts: there is no {argument} "{value}".', hint)
    for argument, value, least in (("n", n, 1), ("prefixes", prefixes, 0)):
        if not isinstance(value, Integral) or value < least:
            hint = f"Give a whole number, {least} or more."
            problems.add(f"ioi.prompts: {argument} is {printed(value)}.", hint)
    if isinstance(names, str):
        problems.add(f'ioi.prompts: names is "{names}".', "Give a list of names.")
    if not chosen:
        problems.add("ioi.prompts: templates is empty.", "Name at least one, or leave it out.")
    for index in chosen:
        if not isinstance(index, Integral) or not 0 <= index < len(TEMPLATES):
            hint = f"Templates are numbered 0 to {len(TEMPLATES) - 1}."
            problems.add(f"ioi.prompts: there is no template {index}.", hint)
    if not isinstance(pause, str) or not re.fullmatch(r"(\w+( \w+)*)?", pause):
        hint = 'Give words with a space between each, such as "on a warm day".'
        problems.add(f"ioi.prompts: pause is {printed(pause)}.", hint)
    problems.refuse()
    arguments = {"n": int(n), "order": order, "kind": kind, "seed": int(seed)}
    arguments |= {"prefixes": int(prefixes), "templates": chosen, "names": people, "flips": ()}
    if pause:
        arguments["pause"] = pause
    return _recipe(arguments)


def flip(recipe: Recipe, what: Flip) -> Recipe:
    """Change one thing about the prompts: row i is row i of `recipe`, flipped.

    Law: whatever the flip does not name stays as it was: template, object, place, prefix, and every
    token but the names that it changes. A fresh name is drawn uniformly from the names that are
    not in the row. Flips may be chained: "io", "s1" and "s2" in turn give prompts without a
    repeated name on the same templates, Wang et al.'s p_ABC.

    Args:
        recipe: what `prompts` or `flip` returned.
        what: which flip.

            - "io": the IO is a fresh name.
            - "s": the name at S1 is a fresh name, at S2 too where the same name stands there.
            - "s1": S1 alone is a fresh name (the column and label `s` follow S1). Nothing is
              repeated any more.
            - "s2": S2 alone is a fresh name. Nothing is repeated any more.
            - "order": IO and S1 trade places, ABBA ↔ BABA (the paper's IO ↔ S1 flip): inverts what
              S2 says by position, and not what it says by name. Twice is the original.
            - "both": S2 is the IO's name (the paper's IO ← S2 replacement), so that IO and S trade
              roles, and ABBA ↔ BABA, while the first clause stands: inverts both what S2 says by
              position and by name. Needs a repeated name. Twice is the original; with "order" it
              swaps the two names everywhere, which inverts only what S2 says by name.

    Raises:
        UserError: no such flip; `recipe` is not one of `prompts`; "both" without a repeated name.
    """
    if what not in get_args(Flip):
        raise UserError(
            f'ioi.flip: there is no flip "{what}". {did_you_mean(str(what), get_args(Flip))}'
        )
    if recipe.function is not _make:
        raise UserError(
            f'ioi.flip: "{recipe.name}" is not a recipe of ioi.prompts. Give what that returned.'
        )
    flips = (*recipe.arguments["flips"], what)
    if what == "both" and (recipe.arguments["kind"] == "abc" or {"s1", "s2"} & set(flips)):
        raise UserError(
            f'ioi.flip: flip "both" needs a repeated name, and "{recipe.name}" has none. '
            'Use kind="ioi" without the flips "s1" and "s2".'
        )
    return _recipe({**recipe.arguments, "flips": flips})


def behaviour(
    n: int, *, corrupt: Flip | Any = "both", name: str = "ioi", model: Any = None, **prompted: Any
) -> Behaviour:
    """At END the model prefers the IO's name to the subject's: `logit_diff("io", "s")` of prompts.

    Which corruption is chosen decides what a sweep can find. On `ioi-planted`, whose circuit is
    known, an unrelated prompt (`Uncond()`) stops at the S-inhibition heads: what they say by
    position is as often right as wrong. A flip of the order finds nothing to restore, since the
    answer stays the same (and S-inhibition heads that are restored alone point at the wrong name).
    The flip of both (default) finds the circuit: every signal in it is inverted, and the answer
    with it.

    Args:
        n: number of prompts.
        corrupt: a flip, so that each prompt's corrupted one is its flipped copy (see `flip`); or
            any sampler.
        name: what `scrub patch FILE::NAME` calls it.
        model: overrides the file's MODEL.
        prompted: order, seed, prefixes, …: as in `prompts`.

    Raises:
        UserError: an argument of `prompts` or `flip` is wrong.
    """
    recipe = prompts(n, **prompted)
    named = isinstance(corrupt, str)
    sampler = Paired(flip(recipe, corrupt)) if named else corrupt  # type: ignore[arg-type]
    return Behaviour(
        name=name,
        build=_at_end,
        data=recipe,
        metric=logit_diff("io", "s"),
        corrupt=sampler,
        model=model,
        says="The model prefers the indirect object's name to the subject's.",
    )


def _at_end(model: Any) -> Any:
    return output(at="end")


def vocabulary() -> list[str]:
    """Every word and punctuation mark that a prompt may hold, in alphabetical order."""
    frames = [re.sub(r"\{\w+\}", " ", template) for template in TEMPLATES]
    frames += [lowered(frame) for frame in frames]
    texts = (*frames, *SENTENCES, *ENDINGS, *OBJECTS, *PLACES, *NAMES)
    return sorted({token for text in texts for token in re.findall(r"\w+|[^\w\s]", text)})


def _recipe(arguments: dict[str, Any]) -> Recipe:
    return Recipe(_name(**arguments), _make, arguments)


def _name(
    n: int, order: str, kind: str, seed: int, flips: Iterable[str], pause: str = "", **_: Any
) -> str:
    about = [f"{n} {kind} prompts", f"{order} order", f"seed {seed}"]
    about += [f'"{pause}" before S2'] if pause else []
    return ", ".join([*about, *(f"{what} flipped" for what in flips)])


def _make(
    tokenizer: Tokenizer,
    *,
    n: int,
    order: Order,
    kind: Kind,
    seed: int,
    prefixes: int,
    templates: tuple[int, ...],
    names: tuple[str, ...],
    flips: tuple[Flip, ...],
    pause: str = "",
) -> Dataset:
    pieces = Pieces(tokenizer)
    people = one_token(pieces, names, _names_needed(kind, flips))

    def uniform(purpose: str) -> np.ndarray:
        return uniform_numbers(seed, purpose, n)

    io = fresh_numbers(len(people), uniform("io"))
    s = fresh_numbers(len(people), uniform("s"), io)
    first = uniform("order") < 0.5 if order == "mixed" else np.full(n, order == "ABBA")
    third = fresh_numbers(len(people), uniform("s2"), io, s) if kind == "abc" else s
    table = Table(
        template=np.array(templates)[fresh_numbers(len(templates), uniform("template"))],
        io_first=first,
        io=io,
        s1=s,
        s2=third,
        object=fresh_numbers(len(OBJECTS), uniform("object")),
        place=fresh_numbers(len(PLACES), uniform("place")),
        prefix=small_talk(pieces, prefixes, n, uniform),
    )
    for depth, what in enumerate(flips):
        table = _flipped(table, what, len(people), uniform(f"flip {depth} {what}"))
    called = _name(n, order, kind, seed, flips, pause)
    return tokenized(called, table, people, pieces, pause)


def _flipped(table: Table, what: Flip, names: int, uniform: np.ndarray) -> Table:
    match what:
        case "order":
            return evolve(table, io_first=~table.io_first)
        case "both":
            return evolve(table, io=table.s1, s1=table.io, s2=table.io, io_first=~table.io_first)
    fresh = fresh_numbers(names, uniform, table.io, table.s1, table.s2)
    match what:
        case "io":
            return evolve(table, io=fresh)
        case "s1":
            return evolve(table, s1=fresh)
        case "s2":
            return evolve(table, s2=fresh)
        case "s":
            return evolve(table, s1=fresh, s2=np.where(table.s2 == table.s1, fresh, table.s2))


def _names_needed(kind: Kind, flips: Iterable[Flip]) -> int:
    """How many names there must be for every draw to have one to choose."""
    in_row = needed = 3 if kind == "abc" else 2
    for what in flips:
        if what in ("io", "s", "s1", "s2"):
            needed = max(needed, in_row + 1)
        if what in ("s1", "s2"):
            in_row = 3
    return needed


TASK = Task(
    name="ioi",
    says='Indirect objects: "…, John gave a drink to" whom?',
    example="When Mary and John went to the store, John gave a drink to → Mary",
    prompts=prompts,
    changed=flip,
    corruptions={
        "io": "the indirect object is a fresh name",
        "s": "the subject is a fresh name, both times",
        "s1": "S1 alone is a fresh name: nothing is repeated any more",
        "s2": "S2 alone is a fresh name: nothing is repeated any more",
        "order": "IO and S1 trade places: inverts what S2 says by position, not the answer",
        "both": "S2 is the IO's name, and the order is turned: the other name is right",
    },
    features={
        "io": "the indirect object's name",
        "s": "the subject's name, at S1",
        "s2": "the name at S2",
        "io_is_first": "whether the IO's name comes first",
        "order": "ABBA where it does, else BABA",
        "template": "index into ioi.TEMPLATES",
        "object": "the thing that is given",
        "place": "where they went",
        "prefix_length": "tokens of small talk before the prompt",
        **{f"{at}_position": f"where {at.upper()} stands" for at in ("io", "s1", "s2", "end")},
        **{
            f"{a}_to_{b}": f"tokens from {a.upper()} to {b.upper()}"
            for a, b in (distance.split("_to_") for distance in DISTANCES)
        },
    },
    positions={
        "start": "the first token after the small talk",
        "io": "the indirect object's name",
        "s1": "the subject's name",
        "s1+1": "the token after it",
        "s2": "the subject's name again",
        "end": "the last token, after which the answer comes",
    },
    labels={"io": "the indirect object's name", "s": "the name at S1"},
    metrics={'logit_diff("io", "s")': "by how much the IO's logit is above the subject's"},
    answers={"io": "the one right answer", "s": "the wrong one"},
    models={
        "ioi-planted": "by duplicate-token, S-inhibition and name-mover heads, as published",
        "ioi-planted-2": "by more of it: previous-token, induction and negative heads too",
        "ioi-shortcut": "with the same accuracy by a shortcut, without S-inhibition",
        "numbers-shared": "with sequences and greater-than, by parts that they share",
        "numbers-separate": "the same, each by parts of its own",
    },
    hypotheses=(
        *(f"ioi_claim{number}.py" for number in (1, 2, 3)),
        "ioi_claim3_more.py",
        *(f"ioi_claim{number}.py" for number in (4, 5, 6)),
        "ioi_moving_pieces.py",
    ),
)
