"""Three tasks on rows of one kind: which word stands beside a mark, told by the last token.

A row is "start lime, fig * plum, kiwi, pear # date b": words, and between any two a comma, a star
or a hash. The last token (END) names the task:

- `a`: the word after the star;
- `b`: the word before the star;
- `c`: the word before the hash.

So `a` and `b` look for the same mark, `b` and `c` answer with the word on the same side of theirs,
and `a` and `c` have nothing in common. The embedded models `marks-shared` and `marks-separate`
solve all three.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, Literal, get_args

import numpy as np
from attrs import evolve, frozen

from scrub.data import task as told
from scrub.data.dataset import Dataset, Recipe, Tokenizer
from scrub.errors import Problems, UserError, did_you_mean
from scrub.hypothesis.behaviour import Behaviour
from scrub.hypothesis.sites import output
from scrub.metrics import logit_diff
from scrub.printing import printed
from scrub.samplers import Paired

from .ioi_draws import fresh_numbers, uniform_numbers

__all__ = ["TASK", "TASKS", "WORDS", "behaviour", "changed", "rows", "vocabulary"]

Task = Literal["a", "b", "c"]
Change = Literal["marks", "words", "task"]

TASKS: dict[str, str] = {
    "a": "the word after the star",
    "b": "the word before the star",
    "c": "the word before the hash",
}
WORDS = ("apple", "date", "fig", "kiwi", "lime", "mango", "pear", "plum")
STAR, HASH, COMMA, START = "*", "#", ",", "start"
LENGTH = 6
"""Words of a row."""
WIDTH = 2 * LENGTH + 1
"""Tokens of a row: its start, its words and what stands between, and the task."""

_PLACES = np.array(
    [(star, at) for star in range(1, LENGTH) for at in range(1, LENGTH) if abs(star - at) > 1]
)
"""How many words stand before the star and before the hash: so that the three answers differ."""


def vocabulary() -> list[str]:
    """Every token that a row may hold, in alphabetical order."""
    return sorted([*WORDS, *TASKS, STAR, HASH, COMMA, START])


def rows(n: int, task: Task, *, seed: int = 0) -> Recipe:
    """Random rows of one task, made once the model's tokenizer is known.

    The words are six different ones of `WORDS`; two or more of them stand between star and hash.
    All choices are uniform. Laws: the same arguments give
    the same table; row i does not depend on `n`; rows of two tasks differ in END alone; the answers
    to the three tasks differ in every row.

    The dataset, row by row:

    - columns: `task`; `answer` (the word); `star` and `hash` (how many words stand before them);
    - positions: `star`, `hash`, `star+1`, `star-1`, `hash-1`, `answer` (which of the
      last three the task asks for) and `end` (the last token);
    - labels: `answer`, and `if marks`, `if words`, `if task`: the answer of its copy in which that
      was changed (see `changed`).

    Args:
        n: number of rows.
        task: one of `TASKS`.
        seed: which random rows.

    Raises:
        UserError: an argument is not one of the above; or, when the recipe is made, a word is not
            one token.
    """
    problems = Problems()
    if task not in TASKS:
        problems.add(
            f"marks.rows: there is no task {printed(task)}.", did_you_mean(str(task), TASKS)
        )
    for name, value, least in (("n", n, 1), ("seed", seed, 0)):
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            hint = f"Give a whole number, {least} or more."
            problems.add(f"marks.rows: {name} is {printed(value)}.", hint)
    problems.refuse()
    return _recipe({"n": int(n), "task": task, "seed": int(seed), "changes": ()})


def changed(recipe: Recipe, what: Change) -> Recipe:
    """Row i is row i of `recipe`, with one thing changed, so that each task's answer is another.

    Law: whatever the change does not name stays as it was.

    Args:
        recipe: what `rows` or `changed` returned.
        what: which change.

            - "marks": star and hash trade places with commas.
            - "words": every word is another one, in the same place.
            - "task": END is another task.

    Raises:
        UserError: there is no such change; `recipe` is not one of this module.
    """
    if what not in get_args(Change):
        hint = did_you_mean(str(what), get_args(Change))
        raise UserError(f"marks.changed: there is no change {printed(what)}. {hint}")
    if recipe.function is not _make:
        raise UserError(
            f'marks.changed: "{recipe.name}" is not a recipe of marks.rows. Give what that '
            "returned."
        )
    return _recipe({**recipe.arguments, "changes": (*recipe.arguments["changes"], what)})


def behaviour(
    task: Task,
    n: int,
    *,
    corrupt: Change | Any = "marks",
    metric: Any = None,
    name: str | None = None,
    model: Any = None,
    seed: int = 0,
) -> Behaviour:
    """At END the model answers a task.

    Args:
        task: one of `TASKS`.
        n: number of rows.
        corrupt: what is changed in each row's corrupted copy; or any sampler. With the marks
            elsewhere all that the task is solved by says something else.
        metric: default: the logit of the answer less that of the corrupted copy's answer (with
            another sampler: of the copy's with the marks elsewhere).
        name: what `scrub patch FILE::NAME` calls it (default: the task).
        model: overrides the file's MODEL.
        seed: as in `rows`.

    Raises:
        UserError: an argument of `rows` is wrong, or there is no such change.
    """
    recipe = rows(n, task, seed=seed)
    named = isinstance(corrupt, str)
    sampler = Paired(changed(recipe, corrupt)) if named else corrupt  # type: ignore[arg-type]
    other = f"if {corrupt if named else 'marks'}"
    return Behaviour(
        name=task if name is None else name,
        build=_at_end,
        data=recipe,
        metric=logit_diff("answer", other) if metric is None else metric,
        corrupt=sampler,
        model=model,
        says=f"The model answers {TASKS[task]}.",
    )


def _at_end(model: Any) -> Any:
    return output(at="end")


def _recipe(arguments: dict[str, Any]) -> Recipe:
    return Recipe(_name(**arguments), _make, arguments)


def _name(n: int, task: str, seed: int, changes: Sequence[str]) -> str:
    about = [f"{n} rows", f"task {task}", f"seed {seed}"]
    return ", ".join([*about, *(f"{what} changed" for what in changes)])


@frozen(eq=False)
class _Table:
    """The choices behind the rows.

    Attributes:
        words: indices into `WORDS`, int64 [rows, LENGTH].
        places: index into `_PLACES`, int64 [rows].
        task: index into `TASKS`, int64 [rows].
    """

    words: np.ndarray
    places: np.ndarray
    task: np.ndarray

    @property
    def answer(self) -> np.ndarray:
        """The answer's place among the words, int64 [rows]."""
        star, at = _PLACES[self.places].T
        return np.choose(self.task, [star, star - 1, at - 1])

    @property
    def answers(self) -> np.ndarray:
        """Index into `WORDS` of the answer, int64 [rows]."""
        return self.words[np.arange(len(self.task)), self.answer]


def _make(
    tokenizer: Tokenizer, *, n: int, task: str, seed: int, changes: tuple[Change, ...]
) -> Dataset:
    def uniform(purpose: str) -> np.ndarray:
        return uniform_numbers(seed, f"marks {purpose}", n)

    words: list[np.ndarray] = []
    for place in range(LENGTH):
        words.append(fresh_numbers(len(WORDS), uniform(f"word {place}"), *words))
    table = _Table(
        words=np.stack(words, axis=1),
        places=fresh_numbers(len(_PLACES), uniform("places")),
        task=np.full(n, list(TASKS).index(task)),
    )
    for depth, what in enumerate(changes):
        table = _CHANGED[what](table, uniform(f"change {depth} {what}"))
    depth = len(changes)
    copies: dict[str, _Table] = {
        what: change(table, uniform(f"change {depth} {what}")) for what, change in _CHANGED.items()
    }
    return _dataset(_name(n, task, seed, changes), table, copies, tokenizer)


def _marks(table: _Table, uniform: np.ndarray) -> _Table:
    """Both marks have another number of words before them."""
    fits = (_PLACES[:, None] != _PLACES[None]).all(axis=-1)[table.places]
    wanted = (uniform * fits.sum(axis=1)).astype(np.int64)
    return evolve(table, places=(fits.cumsum(axis=1) > wanted[:, None]).argmax(axis=1))


def _words(table: _Table, uniform: np.ndarray) -> _Table:
    """All words so many further on in `WORDS`: they still differ from each other."""
    further = 1 + (uniform * (len(WORDS) - 1)).astype(np.int64)
    return evolve(table, words=(table.words + further[:, None]) % len(WORDS))


def _task(table: _Table, uniform: np.ndarray) -> _Table:
    return evolve(table, task=fresh_numbers(len(TASKS), uniform, table.task))


_CHANGED: dict[Change, Callable[[_Table, np.ndarray], _Table]] = {
    "marks": _marks,
    "words": _words,
    "task": _task,
}


def _dataset(name: str, table: _Table, copies: dict[str, _Table], tokenizer: Tokenizer) -> Dataset:
    token = _tokens(tokenizer)
    star, at = _PLACES[table.places].T
    here = np.arange(len(star))
    positions = {"star": 2 * star, "hash": 2 * at}
    positions |= {
        "star+1": positions["star"] + 1,
        "star-1": positions["star"] - 1,
        "hash-1": positions["hash"] - 1,
    }
    asked = [positions[place] for place in ("star+1", "star-1", "hash-1")]
    positions |= {
        "answer": np.choose(table.task, asked),
        "end": np.full(len(here), WIDTH - 1),
    }
    of_words = np.array([token[word] for word in WORDS])
    ids = np.full((len(here), WIDTH), token[COMMA])
    ids[:, 0] = token[START]
    ids[:, 1:-1:2] = of_words[table.words]
    ids[here, positions["star"]] = token[STAR]
    ids[here, positions["hash"]] = token[HASH]
    ids[:, -1] = np.array([token[task] for task in TASKS])[table.task]
    return Dataset(
        name,
        inputs={"tokens": ids},
        lengths=np.full(len(here), WIDTH),
        columns={
            "task": np.array(list(TASKS), dtype=object)[table.task],
            "answer": np.array(WORDS, dtype=object)[table.answers],
            "star": star,
            "hash": at,
        },
        positions=positions,
        labels={"answer": of_words[table.answers]}
        | {f"if {what}": of_words[copy.answers] for what, copy in copies.items()},
        pieces=tuple(tuple(tokenizer.decode(row)) for row in ids.tolist()),
    )


def _tokens(tokenizer: Tokenizer) -> dict[str, int]:
    """The token of every word and sign.

    Raises:
        UserError: some are not one token.
    """
    found = {text: tokenizer.encode(f" {text}") for text in vocabulary()}
    wrong = [
        text
        for text, ids in found.items()
        if len(ids) != 1 or tokenizer.decode(ids)[0].strip() != text
    ]
    if wrong:
        raise UserError(
            f"marks.rows: {tokenizer.name} has no token of its own for {', '.join(wrong)}. Use a "
            "model that knows these words, such as marks-shared."
        )
    return {text: ids[0] for text, ids in found.items()}


def _first_task(n: int) -> Recipe:
    return rows(n, "a")


TASK = told.Task(
    name="marks",
    says="Three tasks on rows of words: which word stands beside a mark",
    example="start lime, fig * plum, kiwi, pear # date a → plum",
    prompts=_first_task,
    changed=changed,
    corruptions={
        "marks": "star and hash are elsewhere: the answer to each task is another",
        "words": "every word is another one, in the same place",
        "task": "the last token names another task",
    },
    features={
        "task": "a: the word after the star; b: before the star; c: before the hash",
        "answer": "the word that is asked for",
        "star": "how many words stand before the star",
        "hash": "how many words stand before the hash",
    },
    positions={
        "star": "the star",
        "hash": "the hash",
        "star+1": "the word after the star",
        "star-1": "the word before the star",
        "hash-1": "the word before the hash",
        "answer": "which of these the task asks for",
        "end": "the last token, which names the task",
    },
    labels={
        "answer": "the right answer",
        "if marks": "the answer of the row with the marks elsewhere",
        "if words": "the answer of the row with other words",
        "if task": "the answer of the row with another task",
    },
    metrics={'logit_diff("answer", "if marks")': "the answer's logit above the changed row's"},
    answers={"answer": "the right answer", "if marks": "that of the row with other marks"},
    models={
        "marks-shared": "with parts that tasks share",
        "marks-separate": "with parts of its own for each task",
    },
    hypotheses=("marks.py",),
)
