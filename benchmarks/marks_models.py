"""Make `marks-shared` and `marks-separate`, their cards and the circuits that solve each task.

    python benchmarks/marks_models.py [--out DIR] [--circuits DIR] [--rows N] [--seed K]

Nothing is trained: weights are written by hand (`marks_wiring.py`), and what the cards say is
measured (`marks_evidence.py`). The same each time.
"""

from __future__ import annotations

from marks_evidence import evidence
from marks_wiring import LAYOUT, PLANS, Finder, Role, circuit, made, marks
from wiring_models import Family, circuit_of, main, role_rows
from wiring_parts import Wired

from scrub import Circuit, heads
from scrub.data.dataset import Tokenizer
from scrub.model.tokenizer import save_word_level

CARD = """# {name}

A transformer of 2 layers with 16 heads each (width {width}, no norms, idle MLPs, word-level
tokenizer) that solves three tasks. A row is "start lime, fig * plum, kiwi, pear # date b"; its
last token (END) asks for the word after the star (`a`), before the star (`b`) or before the hash
(`c`).
{story}
[`{other}`](../{other}/README.md) has the same shape, tasks and accuracy.

It is made to test tools on: its weights are written by hand (`benchmarks/marks_wiring.py`), with
noise on all of them, so that one knows what is true.

| role | heads | in tasks | at END |
| --- | --- | --- | --- |
{roles}

Two heads of a role do the same, and each says half of it. In any other task a head rests: it
attends to `start`, and writes nothing. Heads without a role attend by rules of their own and copy
words to coordinates that nobody reads, as the MLPs do. `roles.toml` holds the table; the heads of
each task lie in `circuits/{name}-a.json`, `-b.json` and `-c.json` of the repository.

To make it again: `python benchmarks/marks_models.py`.

## Evidence

{evidence}"""

STORIES = {
    "marks-shared": "Tasks share parts: `a` and `b` find the star by the same heads, and `b` and "
    "`c` copy the\nanswer by the same heads.",
    "marks-separate": "No two tasks share a part: each has heads of its own to find the mark and "
    "to copy\nthe answer.",
}


def does(role: Role) -> str:
    """What a role does, in words."""
    if isinstance(role, Finder):
        return f"attend to `{role.mark}` and write its place"
    side = "after" if role.beside > 0 else "before"
    return f"attend to the word {side} the place that they are told, and copy it to the answer"


def card(model: Wired, tokenizer: Tokenizer, rows: int, seed: int) -> str:
    """What the model's README says."""
    plan = PLANS[model.name]
    return CARD.format(
        name=model.name,
        width=LAYOUT.size,
        story=STORIES[model.name],
        other=next(name for name in PLANS if name != model.name),
        roles=role_rows(
            model,
            lambda role: ", ".join(f"`{task}`" for task in plan[role].tasks),
            lambda role: does(plan[role]),
        ),
        evidence=evidence(model, tokenizer, rows, seed),
    )


def circuits(model: Wired) -> dict[str, Circuit]:
    """The heads that solve each task."""
    return {
        name: circuit_of(
            model,
            {role: heads(own, at="end") for role, own in circuit(model, task).items()},
            name,
            "marks_models.py",
        )
        for task in marks.TASKS
        for name in (f"{model.name}-{task}",)
    }


FAMILY = Family(
    names=tuple(PLANS),
    words=marks.vocabulary(),
    tokenizer=lambda directory: save_word_level(directory, marks.vocabulary(), marks.WIDTH),
    made=made,
    card=card,
    rows=2_000,
    circuits=circuits,
)


if __name__ == "__main__":
    main(FAMILY)
