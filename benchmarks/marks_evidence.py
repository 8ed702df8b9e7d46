"""What the heads of `marks-shared` and `marks-separate` do, by replacing their values in a forward.

Nothing of scrub's engine is used: `wiring_forward.py` computes straight from the tensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cards import listed, table
from marks_wiring import PLANS, Finder, marks
from wiring_evidence import END, Asked, difference, groups, on_rows
from wiring_parts import Place, Wired

from scrub.data.dataset import Tokenizer


def asked(model: Wired, tokenizer: Tokenizer, task: marks.Task, rows: int, seed: int) -> Asked:
    """A model on rows of one task, and on their copies with the marks elsewhere ("marks")."""
    recipe = marks.rows(rows, task, seed=seed)  # type: ignore[arg-type]
    data, copies = (each.make(tokenizer) for each in (recipe, marks.changed(recipe, "marks")))
    return on_rows(model, data, {"marks": copies}, difference("answer", "if marks"))


def kept(one: Asked, heads: Sequence[Place]) -> float:
    """Mean logit difference over the original, where heads say at END what they say in copies."""
    return one.kept(one.told("marks", heads))


def evidence(model: Wired, tokenizer: Tokenizer, rows: int, seed: int) -> str:
    """All of it, as Markdown."""
    tasks: tuple[marks.Task, ...] = ("a", "b", "c")
    every: dict[str, Asked] = {task: asked(model, tokenizer, task, rows, seed) for task in tasks}
    lines = [
        f"Printed by `python benchmarks/marks_models.py --rows {rows} --seed {seed}`: "
        f"{rows} rows a",
        "task. The logit difference is the answer's logit less that of the answer in the row's",
        "copy with the marks elsewhere.",
        "",
        *table(
            ["task", "the answer is the likeliest word", "logit difference"],
            (
                [f"`{task}`", f"{one.share('answer'):.1%}", f"{one.mean(one.own):.2f}"]
                for task, one in every.items()
            ),
        ),
        "Least attention that END pays, over rows and both heads: in tasks that a role has a part",
        "in to what it looks for, in the others to `start`.",
        "",
        *table(["role", "heads", "looks for", "there", "to `start`"], _attention(model, every)),
        "Logit difference that is kept (1: all, −1: it is that of the copy) where heads at END say",
        "what they say in the copy with the marks elsewhere:",
        "",
        *table(
            ["heads", *every],
            (
                [name, *(f"{kept(one, heads):.2f}" for one in every.values())]
                for name, heads in groups(model).items()
            ),
        ),
    ]
    return "\n".join(lines)


def _attention(model: Wired, every: Mapping[str, Asked]) -> Iterator[list[str]]:
    for role, heads in model.roles.items():
        does = PLANS[model.name][role]
        if isinstance(does, Finder):
            target = name = "star" if does.mark == marks.STAR else "hash"
        else:
            target, name = "what the task asks for", "answer"
        there = min(every[task].looks(heads, END, name) for task in does.tasks)
        rests = min(
            one.looks(heads, END, 0) for task, one in every.items() if task not in does.tasks
        )
        yield [role, listed(heads), target, f"{there:.3f}", f"{rests:.3f}"]
