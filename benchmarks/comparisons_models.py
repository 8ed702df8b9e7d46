"""Make `comparisons-planted` and `comparisons-value`, their cards and circuits.

    python benchmarks/comparisons_models.py [--out DIR] [--circuits DIR] [--rows N] [--seed K]

Nothing is trained: weights are written by hand (`comparisons_wiring.py`), and what the cards say is
measured (`comparisons_evidence.py`). The same each time.
"""

from __future__ import annotations

from comparisons_evidence import evidence
from comparisons_wiring import HEADS, LAYOUT, MODELS, WIDTH, built, comparisons
from wiring_models import Family, circuit_of, main, role_rows
from wiring_parts import Wired

from scrub import Circuit, heads
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
WHERE: dict[str, str | tuple[str, ...]] = {
    "holder": ("word1", "word2"),
    "question": "end",
    "comparison": "end",
    "name mover": "end",
}
"""Where a role's heads matter."""


def card(model: Wired, tokenizer: Tokenizer, rows: int, seed: int) -> str:
    """What the model's README says."""
    held = "name" if model.name == "comparisons-value" else "place"
    return CARD.format(
        name=model.name,
        heads=HEADS,
        width=LAYOUT.size,
        story=STORIES[model.name],
        other=next(name for name in MODELS if name != model.name),
        roles=role_rows(model, lambda role: DOES[role].format(held=held)),
        evidence=evidence(model, tokenizer, rows, seed),
    )


def circuits(model: Wired) -> dict[str, Circuit]:
    """The heads that tell which of two is right."""
    roles = {role: heads(list(own), at=WHERE[role]) for role, own in model.roles.items()}
    return {model.name: circuit_of(model, roles, model.name, "comparisons_models.py")}


FAMILY = Family(
    names=MODELS,
    words=comparisons.vocabulary(),
    tokenizer=lambda directory: save_word_level(directory, comparisons.vocabulary(), WIDTH),
    made=built,
    card=card,
    rows=1_000,
    circuits=circuits,
)


if __name__ == "__main__":
    main(FAMILY)
