"""How much of a planted circuit `scrub find` finds, and how much else: precision and recall.

    python benchmarks/search_planted.py ioi-planted DIRECTORY…

The search reads no roles. What is true is read from them afterwards (`roles.toml`): the heads of
the roles, and the paths of the algorithm that was planted: name movers at END to the output,
S-inhibition at END into their queries, duplicate-token heads at S2 into its values; where there are
previous-token heads, they at S1 into the values of those, and at IO and S1 into the name movers'
keys.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from attrs import frozen

import scrub
from scrub.datasets import ioi
from scrub.model.registry import describe
from scrub.model.roles import Roles
from scrub.searches.found import Found

MOVER, INHIBITION, DUPLICATE = "name mover", "S-inhibition", "duplicate token"
PREVIOUS = "previous token"
PROMPTS, SAMPLES, SEED = 1_000, 1_000, 0
Head = tuple[int, int]
Edge = tuple[Head, str, Head | str, str]
"""Sender, its position, receiver and port."""


@frozen
class Score:
    """What was found of what is true.

    Attributes:
        wrong, missed: what was found and is not true, and the other way round.
    """

    found: int
    right: int
    true: int
    wrong: tuple[object, ...]
    missed: tuple[object, ...]

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else float("nan")

    @property
    def recall(self) -> float:
        return self.right / self.true if self.true else float("nan")


def score(found: set, true: set) -> Score:
    """Law: precision and recall are 1 if and only if both sets are equal."""
    wrong, missed = sorted(found - true, key=str), sorted(true - found, key=str)
    return Score(len(found), len(found & true), len(true), tuple(wrong), tuple(missed))


def planted_edges(roles: Roles) -> set[Edge]:
    """The paths between heads of the algorithm, and to the output."""
    edges: set[Edge] = {(head, "end", "output", "") for head in roles[MOVER]}
    edges |= {(one, "end", to, "q") for one in roles[INHIBITION] for to in roles[MOVER]}
    edges |= {(one, "s2", to, "v") for one in roles[DUPLICATE] for to in roles[INHIBITION]}
    for one in roles.get(PREVIOUS, ()):
        edges |= {(one, "s1", to, "v") for to in roles[DUPLICATE]}
        edges |= {(one, at, to, "k") for at in ("io", "s1") for to in roles[MOVER]}
    return edges


def found_edges(found: Found) -> Iterator[Edge]:
    """The paths between heads, and to the output, that a search has found; not from embeddings."""
    for link in found.every():
        receivers = [one.pair for one in link.receiver.components] or ["output"]
        for one in link.effects:
            if one.sender.kind == "heads":
                yield from ((one.sender.pair, str(one.at), to, link.port) for to in receivers)


def searched(model: str, prompts: int = PROMPTS, samples: int = SAMPLES) -> tuple[Score, Score]:
    """Heads and paths that the search with its default settings finds in a model."""
    behaviour = ioi.behaviour(prompts)
    search = scrub.find(behaviour, model=model, samples=samples, seed=SEED)
    roles = describe(model).roles
    heads = {head for group in roles.values() for head in group}
    return (
        score(set(search.heads), heads),
        score(set(found_edges(search.found)), planted_edges(roles)),
    )


def main(models: list[str]) -> None:
    print("| model | what | found | right | true | precision | recall | wrong | missed |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for model in models:
        started = time.perf_counter()
        for what, one in zip(("heads", "paths"), searched(model), strict=True):
            lists = (", ".join(map(str, which)) or "–" for which in (one.wrong, one.missed))
            print(
                f"| {model} | {what} | {one.found} | {one.right} | {one.true} | "
                f"{one.precision:.2f} | {one.recall:.2f} | {' | '.join(lists)} |",
                flush=True,
            )
        print(f"{model}: {time.perf_counter() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:] or ["ioi-planted"])
