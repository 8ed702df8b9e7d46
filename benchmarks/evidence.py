"""Print, as Markdown, what an embedded model does and how: the evidence on its card.

    python benchmarks/evidence.py ioi-planted
    python benchmarks/evidence.py DIRECTORY [--rows N] [--seed K] [--card]

`--card` also puts it in the directory's README.md, under the heading "Evidence". All prompts are
held out: their pairs of names never occur in training, nor does their seed. The models are run by
transformers, with hooks; the package's engine is not involved.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from cards import answer, parser, table
from evidence_claims import (
    Subject,
    agree,
    circuit_alone,
    difference,
    opposite,
    parts,
    query_swapped,
    recovered,
    right,
    subject,
    swapped,
    uncond,
)
from evidence_hooks import Read, forward, pick
from ioi_batches import batch_of, renamed
from torch import Tensor
from transformers import AutoModelForCausalLM, GPT2LMHeadModel

from scrub.datasets import ioi
from scrub.model.tokenizer import load_tokenizer

PREFIXES = 12
"""Longest prefix of the prompts, tokens."""
PLACES = {
    "duplicate token": ("s2", "s1"),
    "S-inhibition": ("end", "s2"),
    "name mover": ("end", "io"),
}
"""Per role where its heads stand and what they should attend to."""


def load(directory: Path, rows: int, seed: int) -> tuple[Subject, np.ndarray]:
    """The model on held-out prompts, and the template of each."""
    model = AutoModelForCausalLM.from_pretrained(directory, attn_implementation="eager").eval()
    assert isinstance(model, GPT2LMHeadModel)
    tokenizer = load_tokenizer(directory)
    data = ioi.prompts(rows, seed=seed, prefixes=PREFIXES).make(tokenizer)
    names = np.array([tokenizer.encode(name)[0] for name in ioi.NAMES])
    rng = np.random.default_rng(seed)
    batch = renamed(batch_of(data), names, rng, size=len(names), keep=True)
    table = tomllib.loads((directory / "roles.toml").read_text(encoding="utf-8"))["roles"]
    roles = {role: tuple((layer, head) for layer, head in heads) for role, heads in table.items()}
    return subject(model, roles, batch), data.columns["template"]


def behaviour(s: Subject, template: np.ndarray) -> list[str]:
    """Accuracy and mean logit difference per template."""
    logits = s.logits(s.record)
    gap = difference(logits, s.batch)
    correct = logits.argmax(-1) == s.batch.name("io")
    rows = []
    for index in range(len(ioi.TEMPLATES)):
        mine = torch.tensor(template == index)
        some = correct[mine].float().mean().item()
        rows.append([f"`{ioi.TEMPLATES[index]}`", f"{some:.1%}", f"{gap[mine].mean():.2f}"])
    rows.append(["all", f"{correct.float().mean():.2%}", f"{gap.mean():.2f} (sd {gap.std():.2f})"])
    return table(["template", "answer is the likeliest word", "logit difference"], rows)


def attention(s: Subject) -> list[str]:
    """Attention of each role's heads to their target."""
    rows = []
    for role, (query, key) in PLACES.items():
        for layer, head in s.roles[role]:
            pattern = s.record.attention[layer][:, head]
            index = torch.arange(len(pattern)), getattr(s.batch, query), getattr(s.batch, key)
            rows.append(
                [role, f"{layer}.{head}", f"{query} → {key}", f"{pattern[index].mean():.3f}"]
            )
    return table(["role", "head", "attention", "mean"], rows)


def effects(s: Subject, rng: np.random.Generator) -> list[str]:
    """Logit difference kept, per role, when z comes from a row of the other order; or any row."""
    original = difference(s.logits(s.record), s.batch).mean()
    other, anyone = opposite(s.batch.io_is_first, rng), uncond(len(s.batch), rng)
    layers, heads = range(s.model.config.n_layer), range(s.model.config.n_head)
    every = tuple((layer, head) for layer in layers for head in heads)
    circuit = {head for group in s.roles.values() for head in group}
    outside = tuple(head for head in every if head not in circuit)
    rows = []
    groups = [(role, s.roles[role], at) for role, (at, _) in PLACES.items()]
    groups += [("all heads", every, "s2"), ("all heads outside the roles", outside, "s2")]
    groups += [("all heads outside the roles", outside, "end")]
    for name, group, at in groups:
        flipped = swapped(s, group, at, other)
        # What the algorithm says: name movers hand over the donor's IO, the others the order only.
        says = s.batch.name("io")[other] if name == "name mover" else s.batch.name("s1")
        if name == "all heads outside the roles":
            says = s.batch.name("io")
        random = swapped(s, group, at, anyone)
        rows.append(
            [
                f"{name} at {at.upper()}",
                f"{difference(flipped, s.batch).mean() / original:.2f}",
                f"{right(flipped, says):.1%}",
                f"{difference(random, s.batch).mean() / original:.2f}",
            ]
        )
    answers = "says what the algorithm would"
    return table(["z swapped", "other order: kept", answers, "any prompt: kept"], rows)


def per_head(s: Subject, rng: np.random.Generator) -> list[str]:
    """Per head: logit difference kept under interchange, and where it looks from END."""
    original = difference(s.logits(s.record), s.batch).mean()
    other = opposite(s.batch.io_is_first, rng)
    role_of = {head: role for role, heads in s.roles.items() for head in heads}
    rows = []
    for layer in range(s.model.config.n_layer):
        for head in range(s.model.config.n_head):
            kept = [
                difference(swapped(s, ((layer, head),), at, other), s.batch).mean() / original
                for at in ("s2", "end")
            ]
            seen = s.record.attention[layer][torch.arange(len(s.batch)), head, s.batch.end]
            looks = [
                seen.gather(1, getattr(s.batch, at)[:, None]).mean() for at in ("io", "s1", "s2")
            ]
            numbers = [f"{number:.2f}" for number in (*kept, *looks)]
            rows.append([f"{layer}.{head}", role_of.get((layer, head), ""), *numbers])
    swaps = ["z at S2 swapped: kept", "z at END swapped: kept"]
    return table(["head", "role", *swaps, "END → IO", "END → S1", "END → S2"], rows)


def first_layer(s: Subject, rng: np.random.Generator) -> list[str]:
    """Logit difference kept when layer 0's values at a name read another prompt's name."""
    original = difference(s.logits(s.record), s.batch).mean()
    heads = tuple((0, head) for head in range(s.model.config.n_head))
    rows = []
    for column in ("io", "s1", "s2"):
        at: torch.Tensor = getattr(s.batch, column)
        stream = pick(s.record.stream[0], at)
        change = stream[uncond(len(s.batch), rng)] - stream
        after = s.logits(forward(s.model, s.batch.tokens, [Read(heads, "v", at, change)]))
        rows.append([column.upper(), f"{difference(after, s.batch).mean() / original:.2f}"])
    return table(["values of layer 0 at", "from any prompt: kept"], rows)


def by_donor(s: Subject, rng: np.random.Generator, heard: Callable[[Tensor], Tensor]) -> list[str]:
    """Loss recovered when S-inhibition is heard from a donor that agrees on X.

    Args:
        s: the model on its prompts.
        rng: which donors.
        heard: each prompt's donor, int64 [B], to the logits.
    """
    batch = s.batch
    features = {
        "which name comes first": batch.io_is_first,
        "the IO's name": batch.name("io"),
        "the name of S": batch.name("s1"),
        "the IO's position": batch.io,
        "the distance from IO to END": batch.end - batch.io,
        "nothing": torch.zeros_like(batch.io),
    }
    rows = []
    for name, feature in features.items():
        donors = agree(feature, rng)
        order = batch.io_is_first[donors] == batch.io_is_first
        ideal = 2 * order.float().mean().item() - 1
        rows.append([name, f"{recovered(s, heard(donors), rng):.3f}", f"{ideal:.3f}"])
    return table(["donor agrees on", "loss recovered", "if only the order travels"], rows)


def signal(s: Subject, rng: np.random.Generator) -> list[str]:
    """Loss recovered when name movers' queries read S-inhibition from a donor that agrees on X."""
    return by_donor(s, rng, lambda donors: query_swapped(s, donors))


def sufficiency(s: Subject, rng: np.random.Generator) -> list[str]:
    """Loss recovered by the circuit alone."""
    rows = []
    for name, own in (("its own prompt", True), ("a random prompt, at its names' places", False)):
        logits = circuit_alone(s, parts(s, rng, own_prompt=own))
        rows.append(
            [
                name,
                f"{recovered(s, logits, rng):.3f}",
                f"{right(logits, s.batch.name('io')):.1%}",
            ]
        )
    return table(["name movers read the reference's names in", "loss recovered", "right"], rows)


def evidence(directory: Path, rows: int, seed: int) -> str:
    """The whole report."""
    s, template = load(directory, rows, seed)
    rng = np.random.default_rng(seed + 1)
    command = f"python benchmarks/evidence.py {directory.name} --rows {rows} --seed {seed}"
    lines = [
        f"Printed by `{command}`:",
        f"{rows} held-out prompts of all templates and both orders, after prefixes of 0 to",
        f'{PREFIXES} tokens. "Kept" is the mean logit difference over the original one: 1 is no',
        "effect, −1 a full flip.",
        "",
        "### Behaviour",
        "",
        *behaviour(s, template),
        "### Attention of the roles",
        "",
        *attention(s),
        "### Interchange and necessity, per role",
        "",
        "z of all heads of a role at once, from a prompt with the other order, or from any prompt;",
        "everything downstream follows.",
        "",
        *effects(s, rng),
        "### Head by head",
        "",
        "z of one head, from a prompt with the other order; and its mean attention from END.",
        "",
        *per_head(s, rng),
        "### What layer 0 reads of the names",
        "",
        *first_layer(s, rng),
        "### What S-inhibition heads tell the name movers' queries",
        "",
        "Direct path only; everything else is the reference's own.",
        "",
        *signal(s, rng),
        "### The circuit alone",
        "",
        "Duplicate-token heads of a prompt with the same order → S-inhibition values → name",
        "movers' queries → logits, each along its direct path, all else from random prompts.",
        "",
        *sufficiency(s, rng),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    answer(parser(), evidence)
