"""Make `sequences-planted`, `sequences-separate` and `sequences-offset`, cards and circuits.

    python benchmarks/sequences_models.py [--out DIR] [--circuits DIR] [--rows N] [--seed K]

Nothing is trained: weights are written by hand (`sequences_wiring.py`), and what the cards say is
measured (`sequences_evidence.py`). The same each time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sequences_evidence import evidence
from sequences_wiring import LAYOUT, LONGEST, SEEDS, circuit, made, sequences
from wiring_models import Family, circuit_of, main, role_rows
from wiring_parts import Place, Wired

from scrub import Circuit
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
    parts = role_rows(model, lambda role: does(model.name, role)).split("\n")
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
    """The heads that go on with sequences, by the file's name."""
    called = {model.name: (model.name, "digits")}
    if model.name == "sequences-separate":
        called = {f"{model.name}-{kind}": (f"{kind}-heads", kind) for kind in ("digits", "words")}
    return {
        file: circuit_of(model, _placed(circuit(model, kind)), name, "sequences_models.py")
        for file, (name, kind) in called.items()
    }


def _placed(
    roles: Mapping[str, Sequence[Place]],
) -> dict[str, tuple[Sequence[Place], str | tuple[str, ...]]]:
    """Heads, and the positions that they matter at."""
    return {
        role: (heads, ("member2", "member3") if heads[0][0] == 0 else "end")
        for role, heads in roles.items()
    }


FAMILY = Family(
    names=tuple(SEEDS),
    words=sequences.vocabulary(),
    tokenizer=lambda directory: save_word_level(directory, sequences.vocabulary(), LONGEST),
    made=made,
    card=card,
    rows=1_000,
    circuits=circuits,
)


if __name__ == "__main__":
    main(FAMILY)
