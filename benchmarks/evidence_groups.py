"""Print, as Markdown, what `ioi-planted-2` does and how: the evidence on its card.

    python benchmarks/evidence_groups.py ioi-planted-2
    python benchmarks/evidence_groups.py DIRECTORY [--rows N] [--seed K] [--card]

`--card` also puts it in the directory's README.md. Prompts are held out and the models are run by
transformers with hooks, as in `evidence.py`. Nothing is shared with the training but the prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from attrs import evolve, frozen
from cards import answer, parser, table
from evidence import PREFIXES, behaviour, by_donor, load
from evidence_claims import Subject, agree, difference, opposite, recovered, right, uncond
from evidence_hooks import Heads, Output, Read, forward, pick, written, z_of
from ioi_batches import Batch
from torch import Tensor


@frozen
class Place:
    """Where a role's heads stand, what they attend to, and who hears them by which port there."""

    columns: tuple[str, ...]
    target: str
    listeners: tuple[str, ...] = ()
    port: str = ""


SPEAKERS = ("name mover", "negative name mover")
PLACES = {
    "previous token": Place(("s1+1", "io+1"), "s1", ("induction",), "k"),
    "duplicate token": Place(("s2",), "s1", ("S-inhibition",), "v"),
    "induction": Place(("s2",), "s1+1", ("S-inhibition",), "v"),
    "S-inhibition": Place(("end",), "s2", SPEAKERS, "q"),
    "name mover": Place(("end",), "io"),
    "negative name mover": Place(("end",), "io"),
}
"""The roles, lowest first. Who has no listener speaks to the logits."""


def position(batch: Batch, column: str) -> Tensor:
    """Position of a column, [B]; "s1+1" is the position after S1."""
    name, _, further = column.partition("+")
    return getattr(batch, name) + int(further or 0)


def heads_of(s: Subject, roles: Sequence[str]) -> Heads:
    """The heads of some roles."""
    return tuple(head for role in roles for head in s.roles[role])


def written_at(s: Subject, heads: Heads, column: str) -> Tensor:
    """What heads add to the stream at a column, [B, D]."""
    return written(s.model, heads, z_of(s.record, heads, position(s.batch, column)))


def after(s: Subject, *edits: Output | Read) -> Tensor:
    """Logits at END under edits; everything downstream follows."""
    return s.logits(forward(s.model, s.batch.tokens, edits))


def kept(s: Subject, logits: Tensor) -> float:
    """Mean logit difference of these logits at END, over the original one."""
    original = difference(s.logits(s.record), s.batch).mean()
    return (difference(logits, s.batch).mean() / original).item()


def elsewhere(s: Subject, heads: Heads, column: str, donors: Tensor) -> Output:
    """The heads' z at a column from other rows."""
    at = position(s.batch, column)
    return Output(heads, at, z_of(s.record, heads, at)[donors])


def exchanged(s: Subject, heads: Heads) -> list[Output]:
    """The heads' z after the two names, each where the other was."""
    places = [position(s.batch, column) for column in PLACES["previous token"].columns]
    return [
        Output(heads, at, z_of(s.record, heads, other))
        for at, other in zip(places, reversed(places), strict=True)
    ]


def swap(s: Subject, role: str, heads: Heads, donors: Tensor) -> list[Output]:
    """The heads' z where their role counts: of other rows, or exchanged for previous-token heads.

    What these write is the name before, at the word after it: a donor is the other name.
    """
    if role == "previous token":
        return exchanged(s, heads)
    return [elsewhere(s, heads, PLACES[role].columns[0], donors)]


def along_edge(s: Subject, role: str, heads: Heads, donors: Tensor) -> list[Read]:
    """What `swap` gives, for the listeners of the role alone (or the final norm)."""
    columns = PLACES[role].columns
    sources = reversed(columns) if role == "previous token" else columns
    rows = torch.arange(len(donors)) if role == "previous token" else donors
    listeners = heads_of(s, PLACES[role].listeners)
    return [
        Read(
            listeners,
            PLACES[role].port,
            position(s.batch, column),
            written_at(s, heads, source)[rows] - written_at(s, heads, column),
        )
        for column, source in zip(columns, sources, strict=True)
    ]


def direct(s: Subject, head: Heads, donors: Tensor, *edits: Output) -> float:
    """How much of the logit difference is lost when the final norm alone hears another row's.

    Under `edits`, if any, with which the record of `s` was made.
    """
    change = written_at(s, head, "end")[donors] - written_at(s, head, "end")
    lost = difference(s.logits(s.record), s.batch) - difference(
        after(s, *edits, Read((), "", s.batch.end, change)), s.batch
    )
    return lost.mean().item()


def per_head(s: Subject, rng: np.random.Generator) -> list[str]:
    """The circuit, head by head."""
    flipped, anyone = opposite(s.batch.io_is_first, rng), uncond(len(s.batch), rng)
    rows = []
    for role, place in PLACES.items():
        query, key = position(s.batch, place.columns[0]), position(s.batch, place.target)
        for layer, head in s.roles[role]:
            one = ((layer, head),)
            seen = s.record.attention[layer][torch.arange(len(s.batch)), head, query, key]
            donors = anyone if role in SPEAKERS else flipped
            numbers = [
                f"{seen.mean():.3f}",
                f"{direct(s, one, anyone):+.2f}",
                f"{kept(s, after(s, *along_edge(s, role, one, donors))):.2f}",
                f"{kept(s, after(s, *swap(s, role, one, donors))):.2f}",
            ]
            looks = f"{place.columns[0]} → {place.target}"
            rows.append([role, f"{layer}.{head}", looks, *numbers])
    header = ["role", "head", "attention", "mean", "direct effect at END"]
    return table([*header, "edge swapped: kept", "z swapped: kept"], rows)


def per_group(s: Subject, rng: np.random.Generator) -> list[str]:
    """Groups and pairs of groups, beside what the algorithm says."""
    flipped, anyone = opposite(s.batch.io_is_first, rng), uncond(len(s.batch), rng)
    every = tuple(
        (layer, head)
        for layer in range(s.model.config.n_layer)
        for head in range(s.model.config.n_head)
    )
    outside = tuple(head for head in every if head not in heads_of(s, tuple(s.roles)))

    def swapped(*roles: str, donors: Tensor = flipped) -> list[Output]:
        return [e for role in roles for e in swap(s, role, s.roles[role], donors)]

    movers = s.roles["name mover"]
    edits = {
        "previous token, exchanged": (swapped("previous token"), "0"),
        "duplicate token": (swapped("duplicate token"), "0"),
        "induction": (swapped("induction"), "0"),
        "duplicate token and induction": (swapped("duplicate token", "induction"), "−1"),
        "previous token, exchanged, and duplicate token": (
            swapped("previous token", "duplicate token"),
            "−1",
        ),
        "S-inhibition": (swapped("S-inhibition"), "−1"),
        **{
            f"name mover {layer}.{head}": (
                [elsewhere(s, ((layer, head),), "end", anyone)],
                "0.38",
            )
            for layer, head in movers
        },
        "all name movers": (swapped("name mover", donors=anyone), "−0.25"),
        "negative name mover": (swapped("negative name mover", donors=anyone), "1.25"),
        "all speakers": (swapped(*SPEAKERS, donors=anyone), "0"),
        "all heads outside the roles, at S2": ([elsewhere(s, outside, "s2", flipped)], "1"),
        "all heads outside the roles, at END": ([elsewhere(s, outside, "end", flipped)], "1"),
    }
    rows = [[name, f"{kept(s, after(s, *edit)):.2f}", says] for name, (edit, says) in edits.items()]
    return table(["z swapped", "kept", "the algorithm says"], rows)


def outsiders(s: Subject, rng: np.random.Generator) -> list[str]:
    """Heads without a role whose z, from the other order, moves the logit difference by 5%."""
    flipped = opposite(s.batch.io_is_first, rng)
    named = heads_of(s, tuple(s.roles))
    rows = []
    for layer in range(s.model.config.n_layer):
        for head in range(s.model.config.n_head):
            if (layer, head) in named:
                continue
            numbers = [
                kept(s, after(s, elsewhere(s, ((layer, head),), column, flipped)))
                for column in ("s1+1", "s2", "end")
            ]
            if max(abs(number - 1) for number in numbers) > 0.05:
                rows.append([f"{layer}.{head}", *(f"{number:.2f}" for number in numbers)])
    if not rows:
        return ["None does.", ""]
    return table(["head", "at S1+1: kept", "at S2: kept", "at END: kept"], rows)


def backup(s: Subject, rng: np.random.Generator) -> list[str]:
    """Direct effect of the later speakers, before and after an earlier mover is another prompt's.

    Backed up is what is lost less than the mover's own direct effect.
    """
    anyone = uncond(len(s.batch), rng)
    first = s.roles["name mover"][:1]
    removed = elsewhere(s, first, "end", anyone)
    without = evolve(s, record=forward(s.model, s.batch.tokens, [removed]))
    rows = []
    for layer in range(first[0][0], s.model.config.n_layer):
        for head in range(s.model.config.n_head):
            one = ((layer, head),)
            if one == first:
                continue
            before, later = direct(s, one, anyone), direct(without, one, anyone, removed)
            if max(abs(before), abs(later)) > 0.2:
                rows.append([f"{layer}.{head}", f"{before:+.2f}", f"{later:+.2f}"])
    name = f"{first[0][0]}.{first[0][1]}"
    return table(["head", "direct effect", f"with {name} of another prompt"], rows)


def repeated(s: Subject, rng: np.random.Generator, length: int = 14) -> list[str]:
    """Attention on random words that come twice in the same order."""
    words = s.model.config.vocab_size
    once = torch.tensor(np.stack([rng.permutation(words - 2)[:length] + 2 for _ in range(300)]))
    attention = forward(s.model, torch.cat([once, once], 1)).attention
    distances = {"previous token": 1, "duplicate token": length, "induction": length - 1}
    rows = []
    for role, distance in distances.items():
        for layer, head in s.roles[role]:
            seen = attention[layer][:, head].diagonal(-distance, 1, 2)[:, -length:]
            rows.append([role, f"{layer}.{head}", f"{distance} before", f"{seen.mean():.2f}"])
    return table(["role", "head", "looks", "attention"], rows)


def signal(s: Subject, rng: np.random.Generator) -> list[str]:
    """Loss recovered when speakers' queries hear S-inhibition of a donor that agrees on X."""
    heads = s.roles["S-inhibition"]
    return by_donor(s, rng, lambda donors: after(s, *along_edge(s, "S-inhibition", heads, donors)))


def circuit_alone(s: Subject, rng: np.random.Generator) -> Tensor:
    """Logits at END when only the circuit works and everything else is from other prompts.

    Votes are of two prompts with the same order; from there on it goes along `PLACES` from group to
    group, each on a random prompt but for what it hears. Speakers read the reference's names.
    """
    rows, batch = len(s.batch), s.batch
    order = batch.io_is_first

    frame, listeners = s.take(uncond(rows, rng)), s.roles["S-inhibition"]
    votes = torch.zeros_like(s.record.stream[0][:, 0])
    for role in ("duplicate token", "induction"):
        votes += written_at(s, s.roles[role], "s2")[agree(order, rng)]
        votes -= written_at(frame, s.roles[role], "s2")
    record = forward(s.model, frame.batch.tokens, [Read(listeners, "v", frame.batch.s2, votes)])
    inhibition = written(s.model, listeners, z_of(record, listeners, frame.batch.end))
    asking, prompt, rest = (s.take(uncond(rows, rng)) for _ in range(3))
    reads = []
    for layer in sorted({layer for layer, _ in heads_of(s, SPEAKERS)}):
        mine = tuple(head for head in heads_of(s, SPEAKERS) if head[0] == layer)
        asked = pick(asking.record.stream[layer], asking.batch.end)
        asked = asked - written_at(asking, s.roles["S-inhibition"], "end") + inhibition
        here = pick(prompt.record.stream[layer], prompt.batch.end)
        reads.append(Read(mine, "q", prompt.batch.end, asked - here))
        for column in ("io", "s1"):
            at = position(prompt.batch, column)
            theirs = pick(s.record.stream[layer], position(batch, column))
            reads.append(Read(mine, "kv", at, theirs - pick(prompt.record.stream[layer], at)))
    speak = s.roles["name mover"] + s.roles["negative name mover"]
    total = torch.zeros_like(inhibition)
    for layer in sorted({layer for layer, _ in speak}):
        # Layer by layer: a later one must not hear what an earlier one now says.
        mine = tuple(head for head in speak if head[0] == layer)
        record = forward(s.model, prompt.batch.tokens, [r for r in reads if r.heads[0][0] == layer])
        total = total + written(s.model, mine, z_of(record, mine, prompt.batch.end))
    change = total - written_at(rest, speak, "end")
    return after(rest, Read((), "", rest.batch.end, change))


def sufficiency(s: Subject, rng: np.random.Generator) -> list[str]:
    """What the circuit alone recovers."""
    logits = circuit_alone(s, rng)
    numbers = [f"{recovered(s, logits, rng):.3f}", f"{right(logits, s.batch.name('io')):.1%}"]
    return table(["", "loss recovered", "right"], [["the circuit alone", *numbers]])


SECTIONS: dict[str, tuple[str, Callable[[Subject, np.random.Generator], list[str]]]] = {
    "The circuit, head by head": (
        "Attention; the logit difference that the head's direct path from END carries, against\n"
        "any prompt's; and what is kept when its output is swapped, for its listeners alone\n"
        "(edge) or for all. Swapped for that of a prompt of the other order; for any prompt's\n"
        "(name movers); for what it writes after the other name (previous token).",
        per_head,
    ),
    "Groups": (
        "All heads of a role at once, everything downstream follows. Votes of duplicate-token\n"
        "and induction heads are meant to add up; shares of the logit difference are 5, 5, −2.",
        per_group,
    ),
    "Heads without a role": ("One at a time, from a prompt of the other order.", outsiders),
    "Backup": ("Direct effects at END when the first name mover is gone.", backup),
    "What S-inhibition heads tell the queries of name movers": (
        "Direct path only; everything else is the reference's own.",
        signal,
    ),
    "The circuit alone": (
        "Duplicate-token and induction heads of prompts with the same order → S-inhibition\n"
        "values → speakers' queries → logits, each along its direct path, all else from random\n"
        "prompts.",
        sufficiency,
    ),
    "Outside IOI": ("300 rows of 14 random words, twice in the same order.", repeated),
}


def evidence(directory: Path, rows: int, seed: int) -> str:
    """The whole report."""
    s, template = load(directory, rows, seed)
    command = f"python benchmarks/evidence_groups.py {directory.name} --rows {rows} --seed {seed}"
    lines = [
        f"Printed by `{command}`:",
        f"{rows} held-out prompts of all templates and both orders, after prefixes of 0 to",
        f'{PREFIXES} tokens. "Kept" is the mean logit difference over the original one: 1 is no',
        "effect, −1 a full flip.",
        "",
        "### Behaviour",
        "",
        *behaviour(s, template),
    ]
    for title, (says, make) in SECTIONS.items():
        rng = np.random.default_rng(seed + 1)
        lines += [f"### {title}", "", *says.split("\n"), "", *make(s, rng)]
    return "\n".join(lines)


if __name__ == "__main__":
    answer(parser(), evidence)
