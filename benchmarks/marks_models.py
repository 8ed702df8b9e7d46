"""Make `marks-shared` and `marks-separate`, their cards and the circuits that solve each task.

    python benchmarks/marks_models.py [--out DIR] [--circuits DIR] [--rows N] [--seed K]

Nothing is trained: weights are written by hand (`marks_wiring.py`), and what the cards say is
measured (`marks_evidence.py`). The same each time.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from attrs import evolve
from marks_evidence import evidence
from marks_wiring import PLANS, ROOT, Finder, Role, Wired, config, marks, wired
from safetensors.torch import save_file

from scrub import Circuit, heads, write_circuit
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
SOURCE = "wired by hand: benchmarks/marks_models.py"


def does(role: Role) -> str:
    """What a role does, in words."""
    if isinstance(role, Finder):
        return f"attend to `{role.mark}` and write its place"
    side = "after" if role.beside > 0 else "before"
    return f"attend to the word {side} the place that they are told, and copy it to the answer"


def save(model: Wired, directory: Path, tokenizer: Tokenizer, rows: int, seed: int) -> None:
    """Write the weights, the configuration, the roles and the card, beside the tokenizer."""
    token = token_ids(tokenizer)
    settings = json.dumps(config(token), indent=1) + "\n"
    (directory / "config.json").write_text(settings, encoding="utf-8")
    path = directory / "model.safetensors"
    save_file(dict(model.state), path)
    path.chmod(0o644)
    table = [f'"{role}" = {[list(head) for head in heads]}' for role, heads in model.roles.items()]
    text = "\n".join(["# Where each role sits: [layer, head].", "", "[roles]", *table, ""])
    (directory / "roles.toml").write_text(text, encoding="utf-8")
    plan = PLANS[model.name]
    lines = [
        f"| {role} | {', '.join(f'{layer}.{head}' for layer, head in heads)} "
        f"| {', '.join(f'`{task}`' for task in plan[role].tasks)} | {does(plan[role])} |"
        for role, heads in model.roles.items()
    ]
    card = CARD.format(
        name=model.name,
        width=config(token)["d_model"],
        story=STORIES[model.name],
        other=next(name for name in PLANS if name != model.name),
        roles="\n".join(lines),
        evidence=evidence(model, tokenizer, rows, seed),
    )
    (directory / "README.md").write_text(card, encoding="utf-8")


def save_circuit(model: Wired, task: str, path: Path) -> None:
    """Write the heads that solve a task."""
    parts = {
        role: heads(which, at="end").routes[0].cells for role, which in model.circuit(task).items()
    }
    circuit = Circuit.of(*(heads(which, at="end") for which in model.circuit(task).values()))
    told = {"name": path.stem, "model": model.name, "source": SOURCE, "roles": parts}
    write_circuit(evolve(circuit, free=("mlps",), **told), path)


def token_ids(tokenizer: Tokenizer) -> dict[str, int]:
    """Token ids of what rows hold."""
    return {text: tokenizer.encode(f" {text}")[0] for text in marks.vocabulary()}


def main() -> None:
    """Make both."""
    parser = argparse.ArgumentParser(description="Make marks-shared and marks-separate.")
    home = ROOT / "scrub" / "model" / "embedded"
    parser.add_argument("--out", type=Path, default=home, help="folder to write to (%(default)s)")
    circuits = ROOT / "circuits"
    parser.add_argument("--circuits", type=Path, default=circuits, help="default %(default)s")
    parser.add_argument("--rows", type=int, default=2_000, help="default %(default)s")
    parser.add_argument("--seed", type=int, default=7, help="default %(default)s")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.circuits.mkdir(parents=True, exist_ok=True)
    for name in PLANS:
        directory = given.out / name
        tokenizer = save_word_level(directory, marks.vocabulary(), marks.WIDTH)
        model = wired(name, token_ids(tokenizer))
        save(model, directory, tokenizer, given.rows, given.seed)
        for task in marks.TASKS:
            save_circuit(model, task, given.circuits / f"{name}-{task}.json")
        print(f"saved in {directory}")


if __name__ == "__main__":
    main()
