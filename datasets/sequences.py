"""Sequences to go on with: "Van done in 1. Hat done in 2. Ring done in 3. Desk done in" → 4.

The prompts of Lan, Torr and Barez 2024 (arXiv 2311.04131): three members of a sequence of digits,
number words or months stand in a frame, and the model is asked for the fourth. Sequences go up,
down or repeat themselves, by steps; words may stand between, so that a member is found by what it
is, or by how many tokens back it stands, and not by both.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, get_args

import numpy as np

from scrub.data.dataset import Dataset, Recipe, Tokenizer
from scrub.data.task import Task
from scrub.errors import Problems, UserError, did_you_mean
from scrub.hypothesis.behaviour import Behaviour
from scrub.hypothesis.sites import output
from scrub.metrics import logit_diff
from scrub.printing import printed
from scrub.samplers import Paired

from .ioi_draws import uniform_numbers
from .ioi_tokens import Pieces
from .sequences_draws import SIGN, Change, Direction, drawn, with_change
from .sequences_rows import (
    DONE,
    FILLERS,
    IN,
    ITEMS,
    KINDS,
    MEMBERS,
    NOUNS,
    SIZE,
    STOP,
    tokenized,
    words_of,
)

__all__ = ["KINDS", "NOUNS", "TASK", "behaviour", "changed", "prompts", "vocabulary"]


def prompts(
    n: int,
    *,
    kinds: Sequence[str] | str = tuple(KINDS),
    directions: Sequence[Direction] | Direction = ("up",),
    steps: Sequence[int] | int = (1,),
    start: int | None = None,
    gaps: int = 0,
    seed: int = 0,
) -> Recipe:
    """Random sequences in their frame, made once the model's tokenizer is known.

    Every choice (kind, direction, step, nouns, words between) is uniform and independent of the
    others; the start is uniform among those from which the sequence fits. Laws: the same arguments
    give the same table; row i does not depend on `n`; rows of two recipes that differ in `gaps`
    alone differ in the words between alone.

    The dataset, row by row:

    - columns: `kind`, `start` (the first member, as it is written), `direction`, `step` (0 where
      the sequence repeats itself);
    - positions: `member1` … `member3`, `noun1` … `noun4`, `end` (the last token, after which the
      fourth member comes);
    - labels: `next` (what comes), `last` (the last member), `wrong` (what would come in another
      direction: the last but one of a sequence that goes up or down; of one that repeats itself
      the word after, or before the kind's last word).

    What is not one token in the tokenizer is left out, and named in the dataset's name.

    Args:
        n: number of rows.
        kinds: "digits", "words", "months", one or more.
        directions: "up", "down", "repeat", one or more.
        steps: by how much sequences go up or down: 1, 2 or 3, one or more.
        start: the first member, 1 (January) to 12; None: any from which the sequence fits.
        gaps: up to so many words stand before each "in": each draws a number from 0 to `gaps`.
        seed: which random prompts.

    Raises:
        UserError: an argument is not one of the above, or a sequence that starts there runs off its
            end; or, when the recipe is made, the tokenizer has too few of the words.
    """
    chosen = {
        "kinds": (kinds,) if isinstance(kinds, str) else tuple(dict.fromkeys(kinds)),
        "directions": (
            (directions,) if isinstance(directions, str) else tuple(dict.fromkeys(directions))
        ),
        "steps": (steps,) if isinstance(steps, Integral) else tuple(dict.fromkeys(steps)),  # type: ignore[arg-type]
    }
    problems = Problems()
    for argument, known in (("kinds", KINDS), ("directions", SIGN)):
        if not chosen[argument]:
            problems.add(f"sequences.prompts: {argument} is empty.", "Name at least one.")
        for value in chosen[argument]:
            if value not in known:
                what = f"sequences.prompts: there is no {argument[:-1]} {printed(value)}."
                problems.add(what, did_you_mean(str(value), known))
    if not chosen["steps"]:
        problems.add("sequences.prompts: steps is empty.", "Name at least one.")
    for value in chosen["steps"]:
        if not _is_whole(value) or not 1 <= value <= MEMBERS:
            problems.add(f"sequences.prompts: step {printed(value)}.", "Steps are 1, 2 or 3.")
    for name, value, least in (("n", n, 1), ("gaps", gaps, 0), ("seed", seed, 0)):
        if not _is_whole(value) or value < least:
            hint = f"Give a whole number, {least} or more."
            problems.add(f"sequences.prompts: {name} is {printed(value)}.", hint)
    if start is not None and (not _is_whole(start) or not 1 <= start <= SIZE):
        problems.add(f"sequences.prompts: start is {printed(start)}.", f"Give 1 to {SIZE}.")
    if not problems.found and start is not None:
        _check_start(problems, start, chosen["kinds"], chosen["directions"], chosen["steps"])
    problems.refuse()
    arguments = {"n": int(n), **chosen, "start": start, "gaps": int(gaps), "seed": int(seed)}
    return _recipe({**arguments, "steps": tuple(map(int, chosen["steps"])), "changes": ()})


def changed(recipe: Recipe, what: Change) -> Recipe:
    """Row i is row i of `recipe`, with its members changed, so that they do not say what comes.

    Law: frame, nouns, words between and positions stay as they were, and so do columns and labels
    other than `last`; but of "kind", whose columns and labels are those of its own sequence.

    Args:
        recipe: what `prompts` or `changed` returned.
        what: which change.

            - "shuffled": the same three members, in an order that is no sequence.
            - "repeated": the last member stands three times.
            - "random": at one of the three places, any alike, stands another word of the kind.
            - "kind": the members of another kind's sequence with the same start.

    Raises:
        UserError: there is no such change; `recipe` is not one of `prompts`; the members of a
            sequence that repeats itself are to be shuffled or repeated.
    """
    if what not in get_args(Change):
        hint = did_you_mean(str(what), get_args(Change))
        raise UserError(f"sequences.changed: there is no change {printed(what)}. {hint}")
    if recipe.function is not _make:
        raise UserError(
            f'sequences.changed: "{recipe.name}" is not a recipe of sequences.prompts. Give what '
            "that returned."
        )
    if what in ("shuffled", "repeated") and "repeat" in recipe.arguments["directions"]:
        raise UserError(
            f'sequences.changed: rows of "{recipe.name}" may repeat themselves: {what}, they are '
            'what they were. Use "random" or "kind", or directions without "repeat".'
        )
    return _recipe({**recipe.arguments, "changes": (*recipe.arguments["changes"], what)})


def behaviour(
    n: int,
    *,
    corrupt: Change | Any = "repeated",
    metric: Any = None,
    name: str = "sequences",
    model: Any = None,
    **prompted: Any,
) -> Behaviour:
    """At END the model says the next member.

    Args:
        n: number of prompts.
        corrupt: what is changed in each prompt's corrupted copy; or any sampler. "repeated" keeps
            the last member, and takes away what says that it goes up.
        metric: default: `logit_diff("next", "last")`; where sequences may repeat themselves, so
            that these are one, `logit_diff("next", "wrong")`.
        name: what `scrub patch FILE::NAME` calls it.
        model: overrides the file's MODEL.
        prompted: kinds, directions, steps, …: as in `prompts`.

    Raises:
        UserError: an argument of `prompts` or `changed` is wrong.
    """
    recipe = prompts(n, **prompted)
    named = isinstance(corrupt, str)
    sampler = Paired(changed(recipe, corrupt)) if named else corrupt  # type: ignore[arg-type]
    against = "wrong" if "repeat" in recipe.arguments["directions"] else "last"
    return Behaviour(
        name=name,
        build=_at_end,
        data=recipe,
        metric=logit_diff("next", against) if metric is None else metric,
        corrupt=sampler,
        model=model,
        says="The model goes on with a sequence.",
    )


def vocabulary() -> list[str]:
    """Every word and sign that a prompt may hold, in alphabetical order."""
    every = (text for texts in KINDS.values() for text in texts)
    return sorted({*every, *NOUNS, *FILLERS, DONE, IN, STOP})


def _at_end(model: Any) -> Any:
    return output(at="end")


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _check_start(
    problems: Problems,
    start: int,
    kinds: Sequence[str],
    directions: Sequence[str],
    steps: Sequence[int],
) -> None:
    for direction in directions:
        for step in steps if SIGN[direction] else ():
            moved = SIGN[direction] * step * MEMBERS
            if 1 <= start + moved <= SIZE:
                continue
            named = ", ".join(f"{kind} ({KINDS[kind][start - 1]})" for kind in kinds)
            bound = f"{SIZE - moved} or less" if moved > 0 else f"{1 - moved} or more"
            problems.add(
                f"sequences.prompts: a sequence of {named} that starts at {start} and goes "
                f"{direction} by {step} runs off the end.",
                f"Start at {bound}.",
            )


def _recipe(arguments: dict[str, Any]) -> Recipe:
    return Recipe(_name(**arguments), _make, arguments)


def _name(
    n: int,
    kinds: Sequence[str],
    directions: Sequence[str],
    steps: Sequence[int],
    start: int | None,
    gaps: int,
    seed: int,
    changes: Sequence[str],
) -> str:
    about = [f"{n} sequences of {' or '.join(kinds)}", " or ".join(directions)]
    about += [f"steps {' or '.join(map(str, steps))}"] if tuple(steps) != (1,) else []
    about += [] if start is None else [f"start {start}"]
    about += [f"gaps of up to {gaps}"] if gaps else []
    return ", ".join([*about, f"seed {seed}", *changes])


def _make(
    tokenizer: Tokenizer,
    *,
    n: int,
    kinds: tuple[str, ...],
    directions: tuple[str, ...],
    steps: tuple[int, ...],
    start: int | None,
    gaps: int,
    seed: int,
    changes: tuple[Change, ...],
) -> Dataset:
    def uniform(purpose: str) -> np.ndarray:
        return uniform_numbers(seed, f"sequences {purpose}", n)

    pieces = Pieces(tokenizer)
    others = tuple(KINDS) if "kind" in changes else ()
    words = words_of(pieces, tuple(dict.fromkeys((*kinds, *others))), gaps)
    table = drawn(words, kinds, directions, steps, start, gaps, uniform)
    for depth, what in enumerate(changes):
        table = with_change(table, what, words, uniform, f"change {depth} {what}")
    name = _name(n, kinds, directions, steps, start, gaps, seed, changes)
    return tokenized(name, table, words, pieces)


TASK = Task(
    name="sequences",
    says="Digits, number words or months to go on with: 1, 2, 3 → 4",
    example="Van done in 1. Hat done in 2. Ring done in 3. Desk done in → 4",
    prompts=prompts,
    changed=changed,
    corruptions={
        "shuffled": "the same members, in an order that is no sequence",
        "repeated": "the last member stands three times",
        "random": "another word of the kind stands at one of the three places",
        "kind": "members of another kind, with the same start",
    },
    features={
        "kind": "digits, words or months",
        "start": "the first member, as it is written",
        "direction": "up, down or repeat",
        "step": "by how much it goes up or down; 0 where it repeats itself",
    },
    positions={
        **{f"member{at}": f"member {at} of the sequence" for at in range(1, MEMBERS + 1)},
        **{f"noun{at}": f"the noun of item {at}" for at in range(1, ITEMS + 1)},
        "end": "the last token, after which the next member comes",
    },
    labels={
        "next": "the next member: the right answer",
        "last": "the last member that the row shows",
        "wrong": "what would come in another direction",
    },
    metrics={
        'logit_diff("next", "last")': "by how much the next member's logit is above the last's",
        'logit_diff("next", "wrong")': "the same, also where the sequence repeats itself",
    },
    answers={"next": "the one right answer", "last": "a wrong one", "wrong": "another"},
    models={
        "sequences-planted": "by similar-type, sequence-detection and next heads",
        "sequences-separate": "the same, with heads of their own for digits",
        "sequences-offset": "by what stands so many tokens back",
        "numbers-shared": "with greater-than and IOI, by parts that they share",
        "numbers-separate": "the same, each by parts of its own",
    },
    hypotheses=("sequences.py",),
)
