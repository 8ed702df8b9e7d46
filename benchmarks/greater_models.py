"""Make `greater-planted` and `greater-century`, and their cards.

    python benchmarks/greater_models.py [--out DIR] [--rows N] [--seed K]

Nothing is trained: weights are written by hand (`greater_wiring.py`), and what the cards say is
measured (`greater_evidence.py`). The same each time.
"""

from __future__ import annotations

from pathlib import Path

from greater_evidence import evidence
from greater_wiring import HEADS, LAYERS, LAYOUT, MODELS, WIDTH, greater_than, made
from tokenizers import Regex, pre_tokenizers
from wiring_models import Family, main, role_rows
from wiring_parts import Wired

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


def card(model: Wired, tokenizer: Tokenizer, rows: int, seed: int) -> str:
    """What the model's README says."""
    return CARD.format(
        name=model.name,
        layers=LAYERS,
        heads=HEADS,
        width=LAYOUT.size,
        story=STORIES[model.name],
        other=next(name for name in MODELS if name != model.name),
        roles=role_rows(model, lambda role: DOES.get(role, DOES[model.name])),
        mlps=MLPS[model.name],
        evidence=evidence(model, tokenizer, rows, seed),
    )


FAMILY = Family(
    names=MODELS,
    words=greater_than.vocabulary(),
    tokenizer=save_tokenizer,
    made=made,
    card=card,
    rows=2_000,
)


if __name__ == "__main__":
    main(FAMILY)
