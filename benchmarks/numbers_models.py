"""Make `numbers-shared` and `numbers-separate`, their cards and circuits.

    python benchmarks/numbers_models.py [--out DIR] [--circuits DIR] [--rows N] [--seed K]

Nothing is trained: weights are written by hand (`numbers_wiring.py`), and what the cards say is
measured (`numbers_evidence.py`). The same each time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from attrs import evolve
from numbers_evidence import evidence
from numbers_layout import LAYOUT, LONGEST, NAMES, ROOT, vocabulary
from numbers_wiring import BEHAVIOURS, MLPS, ROLES, SEEDS, SEPARATE, SHARED, made
from tokenizers import Regex, pre_tokenizers
from wiring_parts import Wired, save

from scrub import Circuit, heads, mlp, write_circuit
from scrub.data.dataset import Tokenizer
from scrub.model.tokenizer import load_tokenizer, save_word_level, word_level

CARD = """# {name}

A transformer of 5 layers with 5 heads each (width {width}, no norms, MLPs of 48 neurons, word-level
tokenizer that splits years in two) that does five things: it goes on with sequences of digits,
number words and months of 12 each, up and down by 1 or 2, and repeated ("Van done in 1. Hat done in
2. Ring done in 3. Desk done in" → 4); it compares years ("The war lasted from the year 1732 to the
year 17" → 33 … 99); and it finds indirect objects ("When Mary and John went to the store, John gave
a drink to" → Mary).
{story}

It is made to test tools on: its weights are written by hand (`benchmarks/numbers_wiring.py`), with
noise on all of them, so that one knows what is true. Of the names of `scrub.datasets.ioi` it knows
twelve: {names}.
It does not do less-than.

| part | where | does | for |
| --- | --- | --- | --- |
{parts}

Heads without a role, the other MLPs and neurons compute something that nobody reads. `roles.toml`
holds the heads, `circuits/{name}-*.json` of the repository the circuit of each behaviour.

| in common | {columns} |
| --- |{lines}
{common}

To make it again: `python benchmarks/numbers_models.py`.

## Evidence

{evidence}"""

STORIES = {
    SHARED: """\
One head does a thing for whoever needs it. Digits and words are one circuit, of which months have
two heads of three, and greater-than one; greater-than and indirect objects both find something by
induction; months and greater-than, sequences and indirect objects have nothing in common.
[`numbers-separate`](../numbers-separate/README.md), of the same shape and as accurate, has heads
and MLPs of its own for each.""",
    SEPARATE: """\
Each behaviour has heads of its own, which look at nothing else, and an MLP of its own. In
[`numbers-shared`](../numbers-shared/README.md), of the same shape and as accurate, one head does a
thing for whoever needs it.""",
}
KIND = {"digits": "digits", "words": "number words", "months": "months"}
DOES = {
    "similar type": "from each member, look for the member before and write it there",
    "sequence detection": "from END, look for the last member and carry the one before it",
    "last number": "from END, look for the last digit, number word or YY and carry it, of YY the "
    "tens",
    "last digit": "from END, look for the last digit and carry it",
    "last word": "from END, look for the last number word and carry it",
    "last month": "from END, look for the last month and carry it",
    "last year": "from END, look for YY and carry its tens",
    "previous token": "write at each token which stood before it",
    "induction": "look for the token after an earlier one that is the same: from the second S for "
    "the token after the first, and write S; from END for YY, and carry its units",
    "induction of names": "from the second S, look for the token after the first, and write S",
    "induction of years": "from END, look for what came after the same century: YY, and carry its "
    "units",
    "S-inhibition": "from END, look for the name that is repeated and carry what induction wrote",
    "name mover": "from END, look for the names that are not carried there and say them",
}
MLP_DOES = {
    "greater": "at END, favour greater tens, and of those units",
    "sequence": "at END, from the last member and the one before it, say what comes next",
}


def does(role: str) -> str:
    """What a role does, in words."""
    return DOES.get(role) or DOES[role.partition(" of ")[0]]


def users(name: str, role: str) -> list[str]:
    """The behaviours whose circuit has a role."""
    return [behaviour for behaviour in BEHAVIOURS if role in ROLES[name][behaviour]]


def parts_of(model: Wired, behaviour: str) -> set[tuple[str, tuple[int, ...]]]:
    """A behaviour's heads and MLPs."""
    found = {("head", head) for role in ROLES[model.name][behaviour] for head in model.roles[role]}
    return found | {("MLP", (layer,)) for layer in MLPS[model.name][behaviour]}


def card(model: Wired, tokenizer: Tokenizer, rows: int, seed: int) -> str:
    """The card, as Markdown."""
    parts = [
        f"| {role} | {', '.join(f'{i}.{j}' for i, j in heads)} | {does(role)} "
        f"| {', '.join(users(model.name, role))} |"
        for role, heads in model.roles.items()
    ]
    by_layer: dict[int, list[str]] = {}
    for behaviour, layers in MLPS[model.name].items():
        for layer in layers:
            by_layer.setdefault(layer, []).append(behaviour)
    parts += [
        f"| MLP | {layer} | {MLP_DOES.get(whose[0], MLP_DOES['sequence'])} | {', '.join(whose)} |"
        for layer, whose in by_layer.items()
    ]
    common = [
        f"| {one} | "
        + " | ".join(
            str(len(parts_of(model, one) & parts_of(model, other))) for other in BEHAVIOURS
        )
        + " |"
        for one in BEHAVIOURS
    ]
    return CARD.format(
        name=model.name,
        width=LAYOUT.size,
        story=STORIES[model.name],
        names=", ".join(NAMES),
        parts="\n".join(parts),
        columns=" | ".join(BEHAVIOURS),
        lines=" --- |" * len(BEHAVIOURS),
        common="\n".join(common),
        evidence=evidence(model, tokenizer, rows, seed),
    )


def circuits(model: Wired) -> dict[str, Circuit]:
    """Each behaviour's heads and MLPs, at all positions, by the file's name."""
    found = {}
    for behaviour in BEHAVIOURS:
        roles = {role: heads(list(model.roles[role])) for role in ROLES[model.name][behaviour]}
        layers = MLPS[model.name][behaviour]
        sites = [*roles.values(), *([mlp(*layers)] if layers else [])]
        found[f"{model.name}-{behaviour}"] = evolve(
            Circuit.of(*sites),
            name=behaviour,
            model=model.name,
            source="wired by hand: benchmarks/numbers_models.py",
            roles={
                role: [cell.cell for cell in Circuit.of(site).cells] for role, site in roles.items()
            },
        )
    return found


def save_tokenizer(directory: Path) -> Tokenizer:
    """Words and punctuation marks, and years in pairs of digits: "1732" is "17" and "32"."""
    save_word_level(directory, vocabulary(), LONGEST)
    backend = word_level(vocabulary())
    backend.pre_tokenizer = pre_tokenizers.Sequence(  # type: ignore[misc]  # untyped setter
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Punctuation(),
            pre_tokenizers.Split(Regex(r"\d{2}"), "isolated"),
        ]
    )
    backend.save(str(directory / "tokenizer.json"))
    return load_tokenizer(directory)


def token_ids(tokenizer: Tokenizer) -> dict[str, int]:
    """Token ids of what rows hold."""
    return {text: tokenizer.encode(text)[0] for text in vocabulary()}


def main() -> None:
    """Make both, and their circuits."""
    parser = argparse.ArgumentParser(description="Make the models that do five things.")
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
        tokenizer = save_tokenizer(directory)
        model = made(name, token_ids(tokenizer))
        save(model, directory, card(model, tokenizer, given.rows, given.seed))
        for called, found in circuits(model).items():
            write_circuit(found, given.circuits / f"{called}.json")
        print(f"saved in {directory}")


if __name__ == "__main__":
    main()
