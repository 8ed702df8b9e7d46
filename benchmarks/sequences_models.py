"""Make `sequences-planted`, `sequences-separate` and `sequences-offset`, cards and circuits.

    python benchmarks/sequences_models.py [--out DIR] [--circuits DIR] [--rows N] [--seed K]

Nothing is trained: weights are written by hand (`sequences_wiring.py`), and what the cards say is
measured (`sequences_evidence.py`). The same each time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from attrs import evolve
from sequences_evidence import evidence
from sequences_wiring import LAYOUT, LONGEST, ROOT, SEEDS, circuit, made, sequences
from wiring_parts import Wired, save

from scrub import Circuit, heads, write_circuit
from scrub.data.dataset import Tokenizer
from scrub.model.tokenizer import save_word_level

CARD = """# {name}

A transformer of 3 layers with 4 heads each (width {width}, no norms, word-level tokenizer) that
goes on with sequences: "Van done in 1. Hat done in 2. Ring done in 3. Desk done in" → 4. Digits,
number words and months of 12 each; up and down by 1 or 2, and repeated.
{story}

It is made to test tools on: its weights are written by hand (`benchmarks/sequences_wiring.py`),
with noise on all of them, so that one knows what is true.

| part | where | does |
| --- | --- | --- |
{parts}

Two heads of a role do the same, and each says half of it. Heads without a role, the MLP of layer 1
and the other neurons compute something that nobody reads. `roles.toml` holds the heads.

To make it again: `python benchmarks/sequences_models.py`.

## Evidence

{evidence}"""

STORIES = {
    "sequences-planted": """\
Heads look for a member of a sequence, whatever stands between, and the same heads do so for digits,
words and months. [`sequences-separate`](../sequences-separate/README.md) has heads of their own for
digits, and [`sequences-offset`](../sequences-offset/README.md) looks so many tokens back.""",
    "sequences-separate": """\
Heads look for a member of a sequence, whatever stands between: some for digits, others for words
and months. In [`sequences-planted`](../sequences-planted/README.md), which has the same shape and
accuracy, the same heads do all three. MLPs do not know the kind in either: they are the same.""",
    "sequences-offset": """\
Heads look exactly so many tokens back, whatever stands there: where other words stand in between,
the model is lost. [`sequences-planted`](../sequences-planted/README.md), of the same shape and of
the same accuracy where none do, looks for members of a sequence.""",
}
FINDS = {
    "similar type": "the member before of {kinds}",
    "sequence detection": "all members of {kinds}",
    "next": "the last member of {kinds}",
}
OFFSETS = {
    "similar type": "what stands 5 tokens back",
    "sequence detection": "what stands 4 tokens back",
    "next": "what stands 4 tokens back",
}
DOES = {
    "similar type": "from each member, look for {found} and write its place in its kind",
    "sequence detection": "from END, look for {found} and carry the difference that stands there",
    "next": "from END, look for {found} and say what comes after it: 1 → 2, May → June",
}


def does(name: str, role: str) -> str:
    """What a role does, in words."""
    plain = role.removesuffix(" of words")
    kinds = "the kind"
    if name == "sequences-separate":
        kinds = "digits" if plain == role else "words or months"
    found = OFFSETS[plain] if name == "sequences-offset" else FINDS[plain].format(kinds=kinds)
    return DOES[plain].format(found=found)


def card(model: Wired, tokenizer: Tokenizer, rows: int, seed: int) -> str:
    """The card, as Markdown."""
    parts = [
        f"| {role} | {', '.join(f'{i}.{j}' for i, j in heads)} | {does(model.name, role)} |"
        for role, heads in model.roles.items()
    ]
    parts.insert(
        sum(heads[0][0] == 0 for heads in model.roles.values()),
        "| differences | MLP 0 | at each member, by how much it is more than the one before |",
    )
    parts.append(
        "| corrections | MLP 2 | at END, where it does not go up by 1: say another place |"
    )
    return CARD.format(
        name=model.name,
        width=LAYOUT.size,
        story=STORIES[model.name],
        parts="\n".join(parts),
        evidence=evidence(model, tokenizer, rows, seed),
    )


def circuits(model: Wired) -> dict[str, Circuit]:
    """The heads that go on with sequences, by the file's name; MLPs are free."""
    separate = {"digits": "digits", "words": "words"} if model.name == "sequences-separate" else {}
    found = {}
    for suffix, kind in (separate or {"": "digits"}).items():
        roles = circuit(model, kind)
        sites = {
            role: heads(list(places), at=("member2", "member3") if places[0][0] == 0 else "end")
            for role, places in roles.items()
        }
        file = f"{model.name}-{suffix}" if suffix else model.name
        found[file] = evolve(
            Circuit.of(*sites.values(), free="mlps"),
            name=f"{suffix}-heads" if suffix else model.name,
            model=model.name,
            source="wired by hand: benchmarks/sequences_models.py",
            roles={
                role: [cell.cell for cell in Circuit.of(site).cells] for role, site in sites.items()
            },
        )
    return found


def token_ids(tokenizer: Tokenizer) -> dict[str, int]:
    """Token ids of what rows hold."""
    return {text: tokenizer.encode(f" {text}")[0] for text in sequences.vocabulary()}


def main() -> None:
    """Make all three, and their circuits."""
    parser = argparse.ArgumentParser(description="Make the models that go on with sequences.")
    home = ROOT / "scrub" / "model" / "embedded"
    parser.add_argument("--out", type=Path, default=home, help="folder to write to (%(default)s)")
    folder = ROOT / "circuits"
    parser.add_argument("--circuits", type=Path, default=folder, help="default %(default)s")
    parser.add_argument("--rows", type=int, default=1_000, help="default %(default)s")
    parser.add_argument("--seed", type=int, default=7, help="default %(default)s")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for name in SEEDS:
        directory = given.out / name
        tokenizer = save_word_level(directory, sequences.vocabulary(), LONGEST)
        model = made(name, token_ids(tokenizer))
        save(model, directory, card(model, tokenizer, given.rows, given.seed))
        for called, found in circuits(model).items():
            write_circuit(found, given.circuits / f"{called}.json")
        print(f"saved in {directory}")


if __name__ == "__main__":
    main()
