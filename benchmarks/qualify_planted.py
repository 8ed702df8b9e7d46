"""Whether a planted model is what its roles say: measured by hooks, before any search of it.

    python benchmarks/qualify_planted.py DIRECTORY… [--rows N] [--seed K]

Roles are read from `roles.toml`, and what they should do is `ALGORITHM`. The corruption is that of
`ioi.behaviour`: each prompt's copy in which both are flipped, column by column. A model qualifies
if it meets every one of `CRITERIA`; exit code 1 if one does not. The models are run by
transformers, with hooks: neither the package's engine nor its search nor the training code's
forward pass is involved.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from attrs import field, frozen
from cards import directory_of, table
from evidence_hooks import Heads, Output, Read, Record, forward, pick, written, z_of
from torch import Tensor
from transformers import AutoModelForCausalLM, GPT2LMHeadModel

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that this runs from a checkout that is not installed

from scrub.data.dataset import Dataset  # noqa: E402
from scrub.datasets import ioi  # noqa: E402
from scrub.model.tokenizer import load_tokenizer  # noqa: E402

OUTPUT = "output"
ALGORITHM: Mapping[str, tuple[tuple[str, ...], tuple[tuple[str, str, str], ...]]] = {
    "previous token": (
        ("io", "s1"),
        (
            ("s1", "duplicate token", "v"),
            ("io", "name mover", "k"),
            ("s1", "name mover", "k"),
        ),
    ),
    "duplicate token": (("s2",), (("s2", "S-inhibition", "v"),)),
    "S-inhibition": (("end",), (("end", "name mover", "q"),)),
    "name mover": (("end",), (("end", OUTPUT, ""),)),
}
"""By role the columns where its heads play it, and the paths from there: the column, the role that
hears it, and the port."""
TARGETS = {
    "previous token": -1,
    "duplicate token": "s1",
    "S-inhibition": "s2",
    "name mover": "io",
}
"""What each role's heads attend to: a column, or so many words further."""

ACCURACY = 0.99
"""1. Share of prompts, at least, in which the answer is the likeliest of all words."""
ATTENTION = 0.9
"""2. Mean attention of each role's head to its target, at least, from each of its columns."""
ONE_OUTSIDE = 0.05
"""3. A head where it has no role, at all of those columns at once, changes the logit difference by
this share of it at most."""
ALL_OUTSIDE = 0.1
"""4. All of these at once, likewise."""
ROLE = 0.1
"""5. A head at one column of its role: its share of the total effect, original − corrupted, at
least. 6. So does its direct path to each group that it sends to in the algorithm."""
NO_PATH = 0.05
"""7. Share of any other direct path from a head in its role to a role's heads or the output, less
than this."""


@frozen(eq=False)
class Side:
    """A model's ordinary pass on prompts, and where their columns stand."""

    data: Dataset
    tokens: Tensor
    record: Record

    def at(self, column: str) -> Tensor:
        """Position of a column, [B]."""
        return torch.tensor(self.data.position(column))


@frozen(eq=False)
class Subject:
    """A model, its roles, prompts and their flipped copies."""

    model: GPT2LMHeadModel
    roles: Mapping[str, Heads]
    own: Side
    flipped: Side

    def logits(self, record: Record) -> Tensor:
        """At END, [B, vocabulary]."""
        return pick(record.logits, self.own.at("end"))

    def difference(self, logits: Tensor) -> float:
        """Mean logit difference IO − S of the prompts' own names."""
        names = (pick(self.own.tokens, self.own.at(column)) for column in ("io", "s1"))
        io, s1 = (logits.gather(1, name[:, None]) for name in names)
        return (io - s1).mean().item()

    @property
    def original(self) -> float:
        return self.difference(self.logits(self.own.record))

    @property
    def total(self) -> float:
        """Original − corrupted."""
        corrupted = pick(self.flipped.record.logits, self.flipped.at("end"))
        return self.original - self.difference(corrupted)

    def after(self, edits: Sequence[Output | Read]) -> float:
        """Logit difference of the prompts with these edits."""
        return self.difference(self.logits(forward(self.model, self.own.tokens, edits)))

    def swap(self, heads: Heads, column: str) -> Output:
        """Heads' z at a column, of the flipped copies."""
        z = z_of(self.flipped.record, heads, self.flipped.at(column))
        return Output(heads, self.own.at(column), z)

    def path(self, heads: Heads, column: str, to: Heads, port: str) -> Read:
        """What heads write at a column, of the flipped copies, as only `to` reads it by a port."""
        there, here = (
            written(self.model, heads, z_of(side.record, heads, side.at(column)))
            for side in (self.flipped, self.own)
        )
        return Read(to, port, self.own.at(column), there - here)


@frozen
class Finding:
    """One thing that was measured, and whether it is as it must be."""

    criterion: str
    what: str
    figure: float
    holds: bool = field(converter=bool)


def subject(directory: Path, rows: int, seed: int) -> Subject:
    """The model on prompts and their flipped copies."""
    model = AutoModelForCausalLM.from_pretrained(directory, attn_implementation="eager").eval()
    assert isinstance(model, GPT2LMHeadModel)
    tokenizer = load_tokenizer(directory)
    read = tomllib.loads((directory / "roles.toml").read_text(encoding="utf-8"))["roles"]
    roles = {role: tuple((layer, head) for layer, head in heads) for role, heads in read.items()}
    recipe = ioi.prompts(rows, seed=seed)

    def side(data: Dataset) -> Side:
        tokens = torch.tensor(data.inputs["tokens"])
        return Side(data, tokens, forward(model, tokens))

    own, flipped = (one.make(tokenizer) for one in (recipe, ioi.flip(recipe, "both")))
    return Subject(model, roles, side(own), side(flipped))


def outside(s: Subject) -> dict[tuple[int, int], tuple[str, ...]]:
    """By head the columns at which it plays no role."""
    layers, heads = range(s.model.config.n_layer), range(s.model.config.n_head)
    plays = {
        (head, column)
        for role, group in s.roles.items()
        for head in group
        for column in ALGORITHM[role][0]
    }
    return {
        head: tuple(column for column in s.own.data.positions if (head, column) not in plays)
        for head in ((layer, number) for layer in layers for number in heads)
    }


def behaves(s: Subject) -> Iterator[Finding]:
    answer = pick(s.own.tokens, s.own.at("io"))
    right = (s.logits(s.own.record).argmax(-1) == answer).float().mean().item()
    yield Finding("1 accuracy", "likeliest word", right, right >= ACCURACY)


def attends(s: Subject) -> Iterator[Finding]:
    for role, heads in s.roles.items():
        for column in ALGORITHM[role][0]:
            query, target = s.own.at(column), TARGETS[role]
            key = s.own.at(target) if isinstance(target, str) else query + target
            for layer, head in heads:
                seen = s.own.record.attention[layer][torch.arange(len(query)), head, query, key]
                share = seen.mean().item()
                what = f"{layer}.{head} from {column}, {role}"
                yield Finding("2 attention", what, share, share >= ATTENTION)


def others_do_nothing(s: Subject) -> Iterator[Finding]:
    edits: list[Output] = []
    for head, columns in outside(s).items():
        mine = [s.swap((head,), column) for column in columns]
        edits += mine
        change = s.after(mine) / s.original - 1
        what = f"{head[0]}.{head[1]}"
        yield Finding("3 one outside", what, change, abs(change) <= ONE_OUTSIDE)
    change = s.after(edits) / s.original - 1
    yield Finding("4 all outside", "together", change, abs(change) <= ALL_OUTSIDE)


def roles_matter(s: Subject) -> Iterator[Finding]:
    for role, heads in s.roles.items():
        for column in ALGORITHM[role][0]:
            for head in heads:
                share = (s.original - s.after([s.swap((head,), column)])) / s.total
                what = f"{head[0]}.{head[1]} at {column}, {role}"
                yield Finding("5 role", what, share, abs(share) >= ROLE)


def possible_paths(s: Subject, role: str, column: str) -> Iterator[tuple[str, str]]:
    """To which roles, and by which ports, a role's heads can send directly from a column."""
    names = list(ALGORITHM)
    for receiver in names[names.index(role) + 1 :]:
        if receiver in s.roles:
            same = column in ALGORITHM[receiver][0]
            yield from ((receiver, port) for port in ("qkv" if same else "kv"))
    if column == "end":
        yield OUTPUT, ""


def paths(s: Subject) -> Iterator[Finding]:
    for role, heads in s.roles.items():
        columns, planted = ALGORITHM[role]
        for column in columns:
            for receiver, port in possible_paths(s, role, column):
                to = () if receiver == OUTPUT else s.roles[receiver]
                for head in heads:
                    read = s.path((head,), column, to, port)
                    share = (s.original - s.after([read])) / s.total
                    what = f"{head[0]}.{head[1]} at {column} → {receiver} {port}".rstrip()
                    if (column, receiver, port) in planted:
                        yield Finding("6 path", what, share, abs(share) >= ROLE)
                    else:
                        yield Finding("7 no path", what, share, abs(share) < NO_PATH)


CRITERIA = (behaves, attends, others_do_nothing, roles_matter, paths)


def qualify(s: Subject) -> list[Finding]:
    """All that was measured."""
    return [finding for criterion in CRITERIA for finding in criterion(s)]


def report(name: str, findings: Sequence[Finding]) -> str:
    """The least and largest figure of each criterion, and what does not hold."""
    rows = []
    for criterion in dict.fromkeys(one.criterion for one in findings):
        mine = [one for one in findings if one.criterion == criterion]
        figures = [one.figure for one in mine]
        bad = [f"{one.what} ({one.figure:.1%})" for one in mine if not one.holds]
        shown = f"{min(figures):.1%} to {max(figures):.1%}"
        rows.append([criterion, str(len(mine)), shown, ", ".join(bad) or "–"])
    verdict = "qualifies" if all(one.holds for one in findings) else "does not qualify"
    header = ["criterion", "measured", "figures", "not met"]
    return "\n".join([f"{name}: {verdict}", "", *table(header, rows)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what each model gives."""
    parser = argparse.ArgumentParser(description="Whether planted models are what roles say.")
    parser.add_argument("models", nargs="+", help="embedded models' names, or directories")
    parser.add_argument("--rows", type=int, default=500, help="default %(default)s")
    parser.add_argument("--seed", type=int, default=7, help="default %(default)s")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    every = True
    for model in given.models:
        findings = qualify(subject(directory_of(model), given.rows, given.seed))
        print(report(model, findings), flush=True)
        every &= all(one.holds for one in findings)
    return 0 if every else 1


if __name__ == "__main__":
    sys.exit(main())
