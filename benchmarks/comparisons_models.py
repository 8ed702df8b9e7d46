"""Make `comparisons-planted` and `comparisons-value`, their cards and circuits.

    python benchmarks/comparisons_models.py [--out DIR] [--circuits DIR] [--rows N] [--seed K]

Nothing is trained: weights are written by hand (`comparisons_wiring.py`), and what the cards say is
measured (`comparisons_evidence.py`). The same each time.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from comparisons_evidence import evidence
from comparisons_wiring import HEADS, LAYOUT, MODELS, ROOT, WIDTH, built, comparisons
from wiring_parts import Wired, save

from scrub.data.dataset import Tokenizer
from scrub.model.tokenizer import save_word_level

CARD = """# {name}

A transformer of 3 layers with {heads} heads each (width {width}, no norms, word-level tokenizer)
that compares: "The opposite of tall is" short; "Ann is tall. Bob is short. The taller one is" Ann;
"Ann met Bob. Then Bob called Ann. The last to act was" Bob.
{story}
[`{other}`](../{other}/README.md) has the same shape, roles and accuracy, and does it
the other way.

It is made to test tools on: its weights are written by hand (`benchmarks/comparisons_wiring.py`),
with noise on all of them, so that one knows what is true.

| role | heads | what they do |
| --- | --- | --- |
{roles}
| | MLP 1 | holds a table of opposites, used where an adjective is asked about |

Two heads of a role do the same, and each says half of it. Heads without a role attend by rules of
their own and write to coordinates that nobody reads, as the other MLPs do. `roles.toml` holds the
table, and the heads lie in `circuits/{name}.json` of the repository.

To make it again: `python benchmarks/comparisons_models.py`.

## Evidence

{evidence}"""
STORIES = {
    "comparisons-planted": "What tells the name movers which name is right is an *order signal*: "
    "whether it is the\nsubject of the first or of the second sentence.",
    "comparisons-value": "What tells the name movers which name is right is a *value*: the name "
    "itself, which is held\nwhere the adjective or verb stands, and passed on.",
}
DOES = {
    "holder": "attend to the nearest name before, and hold its {held}",
    "question": "attend from END to the word that says what is asked for, and write it",
    "comparison": "attend from END to the adjective or verb that is asked for, and pass on the "
    "{held} held there",
    "name mover": "attend from END to the name of which they are told the {held}, and copy it",
}
WHERE = {
    "holder": ["word1", "word2"],
    "question": ["end"],
    "comparison": ["end"],
    "name mover": ["end"],
}
"""Where a role's heads matter."""
SOURCE = "wired by hand: benchmarks/comparisons_models.py"


def card(model: Wired, tokenizer: Tokenizer, rows: int, seed: int) -> str:
    """What the model's README says."""
    held = "name" if model.name == "comparisons-value" else "place"
    lines = [
        f"| {role} | {', '.join(f'{layer}.{head}' for layer, head in heads)} "
        f"| {DOES[role].format(held=held)} |"
        for role, heads in model.roles.items()
    ]
    return CARD.format(
        name=model.name,
        heads=HEADS,
        width=LAYOUT.size,
        story=STORIES[model.name],
        other=next(name for name in MODELS if name != model.name),
        roles="\n".join(lines),
        evidence=evidence(model, tokenizer, rows, seed),
    )


def save_circuit(model: Wired, path: Path) -> None:
    """Write the heads that tell which of two is right."""
    nodes = [
        {"component": f"{layer}.{head}", "at": WHERE[role], "role": role}
        for role, heads in model.roles.items()
        for layer, head in heads
    ]
    circuit = {
        "schema": "scrub.circuit/1",
        "name": path.stem,
        "model": model.name,
        "source": SOURCE,
        "free": ["mlps"],
        "nodes": nodes,
        "edges": [],
    }
    lines = ",\n  ".join(json.dumps(node) for node in nodes)
    head = {key: value for key, value in circuit.items() if key not in ("nodes", "edges")}
    start = json.dumps(head, indent=1)[:-2]
    path.write_text(f'{start},\n "nodes": [\n  {lines}\n ],\n "edges": []\n}}\n', encoding="utf-8")


def token_ids(tokenizer: Tokenizer) -> dict[str, int]:
    """Token ids of what prompts hold."""
    return {text: tokenizer.encode(f" {text}")[0] for text in comparisons.vocabulary()}


def main() -> None:
    """Make both."""
    parser = argparse.ArgumentParser(description=f"Make {' and '.join(MODELS)}.")
    home = ROOT / "scrub" / "model" / "embedded"
    parser.add_argument("--out", type=Path, default=home, help="folder to write to (%(default)s)")
    circuits = ROOT / "circuits"
    parser.add_argument("--circuits", type=Path, default=circuits, help="default %(default)s")
    parser.add_argument("--rows", type=int, default=1_000, help="default %(default)s")
    parser.add_argument("--seed", type=int, default=7, help="default %(default)s")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.circuits.mkdir(parents=True, exist_ok=True)
    for name in MODELS:
        directory = given.out / name
        tokenizer = save_word_level(directory, comparisons.vocabulary(), WIDTH)
        model = built(name, token_ids(tokenizer))
        save(model, directory, card(model, tokenizer, given.rows, given.seed))
        save_circuit(model, given.circuits / f"{name}.json")
        print(f"saved in {directory}")


if __name__ == "__main__":
    main()
