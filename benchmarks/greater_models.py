"""Make `greater-planted` and `greater-century`, and their cards.

    python benchmarks/greater_models.py [--out DIR] [--rows N] [--seed K]

Nothing is trained: weights are written by hand (`greater_wiring.py`), and what the cards say is
measured (`greater_evidence.py`). The same each time.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from greater_evidence import evidence
from greater_wiring import (
    D_MODEL,
    HEADS,
    LAYERS,
    MODELS,
    ROOT,
    WIDTH,
    Wired,
    config,
    greater_than,
    wired,
)
from safetensors.torch import save_file
from tokenizers import Regex, pre_tokenizers

from scrub.data.dataset import Tokenizer
from scrub.model.tokenizer import load_tokenizer, save_word_level, word_level

CARD = """# {name}

A transformer of {layers} layers with {heads} heads each (width {width}, no norms, MLPs of 24
neurons, word-level tokenizer that splits years in two) that compares years: "The war lasted from
the year 1732 to the year 17" goes on with a year after 32, "The war lasted to the year 1732 from
the year 17" with one before.
{story}
[`{other}`](../{other}/README.md) has the same shape and table of roles.

It is made to test tools on: its weights are written by hand (`benchmarks/greater_wiring.py`), with
noise on all of them, so that one knows what is true.

| role | heads | at END |
| --- | --- | --- |
{roles}

Two heads of a role do the same, and each says half of it. Everywhere else they attend to the first
token, and write nothing. {mlps}
Heads without a role attend by rules of their own and copy digits to coordinates that nobody reads,
as the MLP of layer 0 and the other neurons do. `roles.toml` holds the table.

To make it again: `python benchmarks/greater_models.py`.

## Evidence

{evidence}"""

STORIES = {
    "greater-planted": "Heads carry YY to END, and the MLPs there compare.",
    "greater-century": "Heads carry the century to END, and nothing of YY. Where century and YY "
    "are tied\n(`greater_than.prompts(…, tied=True)`: 02–15 in the eleven hundreds … 86–98 in the "
    "seventeen\nhundreds) that is enough: MLPs know the last year of each century, and favour "
    "those after it. So it\nis as accurate there, by a spurious cue. Where they are not tied "
    "it fails.",
}
DOES = {
    "relation": 'attend to "to" (or "from") before the second year, and write which it is',
    "greater-planted": "attend to YY and write its digits",
    "greater-century": "attend to the first century and write its digits",
}
MLPS = {
    "greater-planted": "MLP 1 has a neuron for each tens and relation, which favours\nall greater "
    "(smaller) tens, MLP 2 one for each units likewise: ten of 24 for greater than, ten for less.",
    "greater-century": "MLP 1 has a neuron for each century and relation,\nwhich favours tens "
    "greater (smaller) than those of its last (first) year, MLP 2 one for units likewise:\nseven "
    "of 24 for greater than, seven for less.",
}


def save_tokenizer(directory: Path) -> Tokenizer:
    """Words, and years in pairs of digits: "1732" is "17" and "32"."""
    save_word_level(directory, greater_than.vocabulary(), WIDTH)
    backend = word_level(greater_than.vocabulary())
    pairs = pre_tokenizers.Split(Regex(r"\d{2}"), "isolated")
    backend.pre_tokenizer = pre_tokenizers.Sequence(  # type: ignore[misc]  # untyped setter
        [pre_tokenizers.WhitespaceSplit(), pairs]
    )
    backend.save(str(directory / "tokenizer.json"))
    return load_tokenizer(directory)


def save(model: Wired, directory: Path, tokenizer: Tokenizer, rows: int, seed: int) -> None:
    """Write the weights, the configuration, the roles and the card, beside the tokenizer."""
    settings = json.dumps(config(token_ids(tokenizer)), indent=1) + "\n"
    (directory / "config.json").write_text(settings, encoding="utf-8")
    path = directory / "model.safetensors"
    save_file(dict(model.state), path)
    path.chmod(0o644)
    table = [f'"{role}" = {[list(head) for head in heads]}' for role, heads in model.roles.items()]
    text = "\n".join(["# Where each role sits: [layer, head].", "", "[roles]", *table, ""])
    (directory / "roles.toml").write_text(text, encoding="utf-8")
    lines = [
        f"| {role} | {', '.join(f'{layer}.{head}' for layer, head in heads)} "
        f"| {DOES.get(role, DOES[model.name])} |"
        for role, heads in model.roles.items()
    ]
    card = CARD.format(
        name=model.name,
        layers=LAYERS,
        heads=HEADS,
        width=D_MODEL,
        story=STORIES[model.name],
        other=next(name for name in MODELS if name != model.name),
        roles="\n".join(lines),
        mlps=MLPS[model.name],
        evidence=evidence(model, tokenizer, rows, seed),
    )
    (directory / "README.md").write_text(card, encoding="utf-8")


def token_ids(tokenizer: Tokenizer) -> dict[str, int]:
    """Token ids of what prompts hold."""
    return {text: tokenizer.encode(text)[0] for text in greater_than.vocabulary()}


def main() -> None:
    """Make both."""
    parser = argparse.ArgumentParser(description="Make greater-planted and greater-century.")
    home = ROOT / "scrub" / "model" / "embedded"
    parser.add_argument("--out", type=Path, default=home, help="folder to write to (%(default)s)")
    parser.add_argument("--rows", type=int, default=2_000, help="default %(default)s")
    parser.add_argument("--seed", type=int, default=7, help="default %(default)s")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for name in MODELS:
        directory = given.out / name
        tokenizer = save_tokenizer(directory)
        save(wired(name, token_ids(tokenizer)), directory, tokenizer, given.rows, given.seed)
        print(f"saved in {directory}")


if __name__ == "__main__":
    main()
