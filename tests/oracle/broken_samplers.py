"""Samplers that break one law each, a little: what the laws of `scrub.testing` must catch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import field, frozen

from scrub import Agree, Dataset, Differ, Generate, Input, Uncond, Weighted
from scrub.data.dataset import Rows
from scrub.samplers import Sampler

ROWS = 24
KINDS = np.repeat([0, 1, 2], [4, 8, 12])
DATA = Dataset(
    "kinds",
    inputs={"tokens": np.arange(3 * ROWS).reshape(ROWS, 3)},
    lengths=np.full(ROWS, 3),
    columns={
        "kind": KINDS,
        "name": [f"row {i}" for i in range(ROWS)],
        "weight": 1.0 + (np.arange(ROWS) % 3),
        "pair": np.arange(ROWS) // 2,
    },
    positions={"end": np.full(ROWS, 2), "middle": np.full(ROWS, 1)},
    labels={"label": np.arange(ROWS) % 2},
)
"""Three kinds of 4, 8 and 12 rows, with a label that alternates."""


def any_row(references: Rows, randomness: Any) -> np.ndarray:
    return Uncond().draw(references, randomness).index


def the_reference(references: Rows, randomness: Any) -> np.ndarray:
    return references.index


def first_of_its_kind(references: Rows, randomness: Any) -> np.ndarray:
    return np.array([0, 4, 12])[references.feature("kind")]


def with_its_label(references: Rows, randomness: Any) -> np.ndarray:
    return Agree(["kind", "label"]).draw(references, randomness).index


def one_for_all_nodes(references: Rows, randomness: Any) -> np.ndarray:
    return Agree("kind").draw(references, randomness.shared("all")).index


def whatever_the_seed(references: Rows, randomness: Any) -> np.ndarray:
    class Own:
        def uniform(self) -> np.ndarray:
            return np.random.default_rng(0).random(len(references))

    return Agree("kind").draw(references, Own()).index  # type: ignore[arg-type]


@frozen
class Bent:
    """As `Agree("kind")`, but now and then another draw.

    Attributes:
        other: the rows that it then draws.
        often: probability of that.
    """

    other: Callable[[Rows, Any], np.ndarray]
    often: float
    laws: tuple[str, ...] = ("agreement", "reach", "uniformity", "marginals", "independence")
    features = ("kind",)

    def draw(self, references: Rows, randomness: Any) -> Rows:
        straight = Agree("kind").draw(references, randomness).index
        bent = self.other(references, randomness)
        return references.donors(np.where(randomness.uniform() < self.often, bent, straight))


@frozen
class Without:
    """As `Agree("kind")`, but never a certain row: the last, or the reference's own."""

    itself: bool
    features = ("kind",)
    laws = ("reach",)

    def draw(self, references: Rows, randomness: Any) -> Rows:
        kind = KINDS[references.index]
        first, size = np.array([0, 4, 12])[kind], np.array([4, 8, 12])[kind]
        never = references.index - first if self.itself else size - 1
        place = (randomness.uniform() * (size - 1)).astype(int)
        return references.donors(first + place + (place >= never))


@frozen
class OtherWeights:
    """Says that it goes by a column of weights, and does not."""

    weights = "weight"
    laws = ("uniformity",)

    def draw(self, references: Rows, randomness: Any) -> Rows:
        return Uncond().draw(references, randomness)


@frozen
class Drifting:
    """As `Differ("kind")`, which it says keeps the dataset's distribution."""

    differ = ("kind",)
    laws = ("marginals",)

    def draw(self, references: Rows, randomness: Any) -> Rows:
        return Differ("kind").draw(references, randomness)


@frozen
class Global:
    """With numpy's global random numbers."""

    def draw(self, references: Rows, randomness: Any) -> Rows:
        return references.donors(np.random.randint(0, ROWS, len(references)))


@frozen
class Backwards:
    """A sample's number depends on how many samples there are."""

    def draw(self, references: Rows, randomness: Any) -> Rows:
        return references.donors((randomness.uniform()[::-1] * ROWS).astype(int))


@frozen
class Neighbours:
    """In one sample of a hundred, the donor is the next sample's reference."""

    def draw(self, references: Rows, randomness: Any) -> Rows:
        some = randomness.uniform() < 0.01
        return references.donors(np.where(some, np.roll(references.index, 1), references.index))


@frozen
class Counting:
    """Keeps a list of what it drew."""

    drawn: list[int] = field(factory=list)

    def draw(self, references: Rows, randomness: Any) -> Rows:
        self.drawn.append(len(references))
        return references


CALLS: Counter[str] = Counter()
"""Calls of samplers that count theirs, where nobody looks for them."""


@frozen
class EverySeventh:
    """At every seventh call another draw."""

    def draw(self, references: Rows, randomness: Any) -> Rows:
        CALLS["seventh"] += 1
        drawn = any_row(references, randomness)
        return references.donors((drawn + (CALLS["seventh"] % 7 == 0)) % ROWS)


@frozen
class FromThird:
    """From the third call on another draw: no two that come later differ."""

    def draw(self, references: Rows, randomness: Any) -> Rows:
        CALLS["third"] += 1
        drawn = any_row(references, randomness)
        return references.donors((drawn + (CALLS["third"] > 2)) % ROWS)


@frozen
class Salted:
    """Rows in the order of the hashes of their names, which each process salts otherwise."""

    def draw(self, references: Rows, randomness: Any) -> Rows:
        names = references.population.columns["name"]
        order = np.argsort([hash(name) for name in names], kind="stable")
        return references.donors(order[any_row(references, randomness)])


@frozen
class SetOrder:
    """Rows in the order of the set of their names."""

    def draw(self, references: Rows, randomness: Any) -> Rows:
        names = references.population.columns["name"].tolist()
        order = np.array([names.index(name) for name in set(names)])
        return references.donors(order[any_row(references, randomness)])


def salted(reference: Input, generator: np.random.Generator) -> Input:
    tokens = [hash(str(token)) % 97 for token in reference.tokens]
    return reference.but(tokens=tokens)


@frozen
class Sorting:
    """Sorts a column of the data in place."""

    def draw(self, references: Rows, randomness: Any) -> Rows:
        column = references.data.columns["weight"]
        column.setflags(write=True)
        column[:] = np.sort(column)
        return references


@frozen
class Beyond:
    """A row too far, one time in a hundred."""

    def draw(self, references: Rows, randomness: Any) -> Rows:
        return references.donors(references.index + ROWS * (randomness.uniform() < 0.01))


BARE = Dataset("bare", DATA.inputs, DATA.lengths, positions={"end": [2] * ROWS})
TWIN = DATA.take(range(ROWS), "twin")


@frozen
class Bare:
    """Rows of a dataset that does not say where the middle is."""

    source = BARE

    def draw(self, references: Rows, randomness: Any) -> Rows:
        return Rows(BARE, references.index)


@frozen
class Elsewhere:
    """Rows of another dataset than it declares."""

    source: Dataset | None = None

    def draw(self, references: Rows, randomness: Any) -> Rows:
        return Rows(TWIN, references.index)


def mislabelled(reference: Input, generator: np.random.Generator) -> Input:
    return reference.but(labels={"label": -1})


BROKEN: dict[str, tuple[Sampler, str]] = {
    "a row too far": (Beyond(), "legality"),
    "no position": (Bare(), "legality"),
    "another dataset": (Elsewhere(), "legality"),
    "not the dataset that it says": (Elsewhere(source=BARE), "legality"),
    "no token as label": (Generate(mislabelled), "legality"),
    "global random numbers": (Global(), "determinism"),
    "every seventh call": (EverySeventh(), "determinism"),
    "another number of samples": (Backwards(), "determinism"),
    "the neighbour's reference": (Neighbours(), "determinism"),
    "a list of draws": (Counting(), "immutability"),
    "a column sorted": (Sorting(), "immutability"),
    "the global state": (Global(), "immutability"),
    "any row, one time in 200": (Bent(any_row, 0.005), "agreement"),
    "never the last row": (Without(itself=False), "reach"),
    "never the reference": (Without(itself=True), "reach"),
    "the reference, one time in 10": (Bent(the_reference, 0.1), "uniformity"),
    "the first row, one time in 10": (Bent(first_of_its_kind, 0.1), "uniformity"),
    "the label too, one time in 4": (Bent(with_its_label, 0.25), "uniformity"),
    "other weights": (OtherWeights(), "uniformity"),
    "differs": (Drifting(), "marginals"),
    "the first row of a class": (Bent(first_of_its_kind, 0.1), "marginals"),
    "one donor for all nodes, one time in 4": (Bent(one_for_all_nodes, 0.5), "independence"),
    "the seed ignored": (Bent(whatever_the_seed, 1.0), "independence"),
    "the seed ignored, one time in 4": (Bent(whatever_the_seed, 0.5), "independence"),
}
"""Sampler and the law that it breaks."""

BETWEEN_PROCESSES: dict[str, Sampler] = {
    "the hashes of names": Salted(),
    "the order of a set": SetOrder(),
    "tokens by their hashes": Generate(salted),
}
"""Samplers that keep determinism in one process, and draw otherwise in another."""

KEEPING: tuple[Sampler, ...] = (
    Uncond(),
    Agree("kind"),
    Agree(["kind", "label"]),
    Agree("label", differ="kind"),
    Differ("kind"),
    Differ(["kind", "label"]),
    Weighted("weight"),
    Weighted("weight", "kind"),
)
