"""Make `contractions-planted`, `contractions-copying` and `contractions-pattern`, with their cards.

    python benchmarks/contractions_models.py [--out DIR] [--rows N] [--seed K]

Nothing is trained: weights are written by hand (`contractions_wiring.py`), and what the cards say
is measured (`contractions_evidence.py`). The same each time.
"""

from __future__ import annotations

from cards import listed
from contractions_evidence import evidence
from contractions_wiring import LAYOUT, POSITIONS, READER, WIRINGS, contractions, made
from wiring_models import Family, main
from wiring_parts import Wired

from scrub.data.dataset import Tokenizer
from scrub.model.tokenizer import save_word_level

CARD = """# {name}

A transformer of 3 layers with 8 heads each (width {width}, no norms, word-level tokenizer) that
goes on with "'re" after "We're helping our friend while they", and with "are" after "We are
helping …".
{story}
It has twins of the same shape,
{others}.
On pairs of pronouns that take the same contraction, all three have the same accuracy.

It is made to test tools on: its weights are written by hand (`benchmarks/contractions_wiring.py`),
with noise on all of them, so that one knows what is true.

| part | does |
| --- | --- |
| MLP 0 | writes which contraction a pronoun takes; that alone makes both forms of its verb likely |
| heads {readers}, {role} | {reading} |
| MLPs 1 and 2 | {table} |

The two heads do the same, and each says half of it. Heads without a role and neurons without a
line in a table do as they like, and write to coordinates that nobody reads. `roles.toml` names the
heads.

To make it again: `python benchmarks/contractions_models.py`.

## Evidence

{evidence}"""

LOOKS = (
    "from any pronoun they attend to the verb of the first clause, whatever its form, and write "
)
AGREE = "a table: what the pronoun takes and {told} → the answer, half of it in each layer"
STORIES = {
    "contractions-planted": (
        "That the first clause is contracted lies in the *value* of what stands there; which form\n"
        "agrees with the last pronoun is looked up by MLPs.",
        LOOKS + "whether it is contracted",
        AGREE.format(told="whether the clause is contracted"),
    ),
    "contractions-copying": (
        'It *copies* the form of the first clause: where pronouns differ ("We\'re … he") it says\n'
        "the wrong one.",
        LOOKS + "that form to the answer",
        "nothing",
    ),
    "contractions-pattern": (
        "That the first clause is contracted lies in the *pattern*: in where heads look, not in\n"
        "what they read there. Which form agrees with the last pronoun is looked up by MLPs.",
        "from any pronoun they attend to the verb of the first clause if it is contracted, else to "
        "the first token, and write whether a verb stands where they look",
        AGREE.format(told="whether a verb was seen"),
    ),
}


def card(model: Wired, tokenizer: Tokenizer, rows: int, seed: int) -> str:
    """What README.md says of a model."""
    story, reading, table = STORIES[model.name]
    others = (f"[`{name}`](../{name}/README.md)" for name in WIRINGS if name != model.name)
    return CARD.format(
        name=model.name,
        width=LAYOUT.size,
        story=story,
        others=" and\n".join(others),
        readers=listed(model.roles[READER]),
        role=READER,
        reading=reading,
        table=table,
        evidence=evidence(model, tokenizer, rows, seed),
    )


FAMILY = Family(
    names=tuple(WIRINGS),
    words=contractions.vocabulary(),
    tokenizer=lambda directory: save_word_level(directory, contractions.vocabulary(), POSITIONS),
    made=made,
    card=card,
    rows=2_000,
)


if __name__ == "__main__":
    main(FAMILY)
