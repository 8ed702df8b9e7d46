"""Make `sequences-planted`, `sequences-separate` and `sequences-offset`, cards and circuits.

    python benchmarks/sequences_models.py [--out DIR] [--circuits DIR] [--rows N] [--seed K]

Nothing is trained: weights are written by hand (`sequences_wiring.py`), and what the cards say is
measured (`sequences_evidence.py`). The same each time.
"""

from __future__ import annotations

from attrs import evolve
from cards import listed
from sequences_evidence import evidence
from sequences_wiring import GROUPS, KINDS, LAYOUT, LONGEST, SEEDS, circuit, made, sequences
from wiring_models import Family, circuit_of, main
from wiring_parts import Wired

from scrub import Circuit, heads, mlp
from scrub.data.dataset import Tokenizer
from scrub.model.tokenizer import save_word_level

CARD = """# {name}

A transformer of {layers} layers with 4 heads each (width {width}, no norms, word-level tokenizer)
that goes on with sequences: "Van done in 1. Hat done in 2. Ring done in 3. Desk done in" → 4.
Digits, number words and months of 12 each; up and down by 1 or 2, and repeated.
{story}

It is made to test tools on: its weights are written by hand (`benchmarks/sequences_wiring.py`),
with noise on all of them, so that one knows what is true.

| part | where | does |
| --- | --- | --- |
{parts}

Two heads of a role do the same, and each says half of it. {idle} `roles.toml` holds the heads.

To make it again: `python benchmarks/sequences_models.py`.

## Evidence

{evidence}"""

STORIES = {
    "sequences-planted": """\
Heads look for a member of a sequence, whatever stands between, and the same heads do so for digits,
words and months. [`sequences-separate`](../sequences-separate/README.md) has heads and MLPs of
their own for digits, and [`sequences-offset`](../sequences-offset/README.md) looks so many tokens
back.""",
    "sequences-separate": """\
Heads look for a member of a sequence, whatever stands between: some for digits, others for words
and months, one layer above. MLPs are separate, too: those of digits do nothing at a word or month,
and those of words nothing at a digit. In [`sequences-planted`](../sequences-planted/README.md),
which has the same accuracy and a layer less, the same heads and MLPs do all three.""",
    "sequences-offset": """\
Heads look exactly so many tokens back, whatever stands there: where other words stand in between,
the model is lost. [`sequences-planted`](../sequences-planted/README.md), of the same shape and of
the same accuracy where none do, looks for members of a sequence.""",
}
FINDS = {
    "similar type": "the {one} before{kind}",
    "sequence detection": "all {one}s{kind}",
    "next": "the last {one}{kind}",
}
OFFSETS = {
    "similar type": "what stands 5 tokens back",
    "sequence detection": "what stands 4 tokens back",
    "next": "what stands 4 tokens back",
}
IDLE = """\
Heads without a role, the MLP of layer 1
and the other neurons compute something that nobody reads."""
IDLE_IN_SEPARATE = """\
Heads without a role, and neurons
of which nothing is said here, compute something that nobody reads."""
DOES = {
    "similar type": "from each member, look for {found} and write its place in its kind",
    "sequence detection": "from END, look for {found} and carry the difference that stands there",
    "next": "from END, look for {found} and say what comes after it: 1 → 2, May → June",
}


def does(name: str, role: str) -> str:
    """What a role does, in words."""
    plain = role.removesuffix(" of words")
    one, kind = "member", " of the kind"
    if name == "sequences-separate":
        one, kind = ("digit" if plain == role else "word or month"), ""
    found = (
        OFFSETS[plain] if name == "sequences-offset" else FINDS[plain].format(one=one, kind=kind)
    )
    return DOES[plain].format(found=found.replace("word or months", "words or months"))


def table(model: Wired) -> list[str]:
    """Where each part is and what it does, from the first layer to the last; MLPs after heads."""
    found = [
        ((heads[0][0], False), f"| {role} | {listed(heads)} | {does(model.name, role)} |")
        for role, heads in model.roles.items()
    ]
    separate = model.name == "sequences-separate"
    for kinds in GROUPS.values() if separate else (KINDS,):
        of = f" of {' or '.join(kinds)}" if separate else ""
        sequence = f"a sequence{of}" if separate else "it"
        _, (differences, corrections) = circuit(model, kinds[0])
        one = " or ".join(kind.removesuffix("s") for kind in kinds) if separate else "member"
        how = f"at each {one}, by how much it is more than the one before"
        found.append(((differences, True), f"| differences{of} | MLP {differences} | {how} |"))
        how = f"at END, where {sequence} does not go up by 1: say another place"
        found.append(((corrections, True), f"| corrections{of} | MLP {corrections} | {how} |"))
    return [row for _, row in sorted(found, key=lambda pair: pair[0])]


def card(model: Wired, tokenizer: Tokenizer, rows: int, seed: int) -> str:
    """The card, as Markdown."""
    return CARD.format(
        name=model.name,
        layers=model.layers,
        idle=IDLE_IN_SEPARATE if model.name == "sequences-separate" else IDLE,
        width=LAYOUT.size,
        story=STORIES[model.name],
        parts="\n".join(table(model)),
        evidence=evidence(model, tokenizer, rows, seed),
    )


def circuits(model: Wired) -> dict[str, Circuit]:
    """The parts that go on with sequences, by the file's name; of one way for all MLPs are free."""
    script, members = "sequences_models.py", ("member2", "member3")
    separate = model.name == "sequences-separate"
    found = {}
    for suffix, kind in (
        (("digits", "digits"), ("words", "words")) if separate else (("", KINDS[0]),)
    ):
        roles, layers = circuit(model, kind)
        sites = {
            role: heads(list(own), at=members if role.startswith("similar") else "end")
            for role, own in roles.items()
        }
        if separate:
            sites["differences"] = mlp(layers[0], at=members)
            sites["corrections"] = mlp(layers[1], at="end")
        file = f"{model.name}-{suffix}" if suffix else model.name
        one = circuit_of(model, sites, suffix or model.name, script)
        found[file] = evolve(one, free=()) if separate else one
    return found


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
