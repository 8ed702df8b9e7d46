"""Laws of how often: each says which test it is, and why a law that holds passes it.

A law that holds fails with probability below `Case.level`, whatever the sampler and the data; see
`scrub.testing.frequencies`. The draws are those of fixed seeds, so that what passes once passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from attrs import frozen

from scrub.data.dataset import Rows
from scrub.errors import shortened
from scrub.samplers import features_of, laws_of
from scrub.testing.cases import AT_MOST, REFERENCES, TEXT, Broken, Case, entry, numbered, same
from scrub.testing.frequencies import Cell, coin, draws_to_reach, groups, rarest

SHARE = 0.1
"""A sampler that claims reach and not uniformity is asked to draw every row of the class with at
least this share of the probability that it would have if all had the same. Rarer is out of reach,
as nobody could wait for it."""
COLUMNS = 30
"""Columns that are looked at, the first ones: each is one more cell."""
WORK = 100_000
"""References times rows of their classes, at most, of which probabilities are added up."""
VALUES = 12
"""Most frequent values of a column that are looked at."""


@frozen(eq=False)
class Block:
    """Draws for one reference, many times.

    Attributes:
        row: the reference.
        members: the rows that it may be swapped for, int64 [m].
        probabilities: of each, as declared.
        parts: members taken together, because the class is too large to look at each: indices.
        start, draws: where its samples stand.
    """

    row: int
    members: np.ndarray
    probabilities: np.ndarray
    parts: list[np.ndarray]
    start: int
    draws: int


def _blocks(case: Case, share: float = 1.0) -> list[Block]:
    """A few references with classes of more than one row, and how often to draw for each."""
    every = case.references(np.arange(len(case.data)))
    choices, weights = case.choices(every), case.weights()
    several = np.flatnonzero(choices.size > 1)
    if not len(several):
        return []
    sizes = choices.size[several]
    rng = np.random.default_rng([case.seed, 0])
    chosen = [int(several[np.argmin(sizes)]), int(several[np.argmax(sizes)])]
    chosen += rng.choice(several, REFERENCES).tolist()
    blocks: list[Block] = []
    start = 0
    for row in list(dict.fromkeys(chosen))[:REFERENCES]:
        members = np.sort(choices.of(row))
        odds = case.odds(row, members, weights)
        members, probabilities = members[odds > 0], share * odds[odds > 0]
        cells = REFERENCES * len(members)
        needed = draws_to_reach(float(probabilities.min()), cells, case.level)
        draws = min(max(needed, case.draws // REFERENCES), AT_MOST)
        least = -np.expm1(np.log(case.level / cells) / draws)
        parts = groups(probabilities, least * (1 - 1e-9))
        blocks.append(Block(row, members, probabilities, parts, start, draws))
        start += draws
    return blocks


def _drawn_in(case: Case, blocks: Sequence[Block]) -> tuple[Rows, Rows]:
    index = np.concatenate([np.full(block.draws, block.row) for block in blocks])
    references = case.references(index)
    return references, case.drawn(references)


def reach(case: Case) -> Broken | None:
    """Every row that the claim allows can be drawn, the reference's own included.

    Test: n draws for one reference, n so large that a row of probability p is missing with
    probability (1 − p)ⁿ ≤ level / cells. In a class so large that n > AT_MOST, neighbouring rows
    are taken together until that holds for the group.
    """
    blocks = _blocks(case, 1.0 if "uniformity" in laws_of(case.sampler) else SHARE)
    if not blocks:
        return None
    _, drawn = _drawn_in(case, blocks)
    if drawn.data is not case.data:
        return _elsewhere("reach", case, drawn)
    for block in blocks:
        here = np.isin(block.members, drawn.index[block.start : block.start + block.draws])
        for part in block.parts:
            if not here[part].any():
                what = (
                    f"of {block.draws:,} draws for row {block.row}, none is a row that may be drawn"
                    f" ({here.sum()} of {len(here)} such rows were)"
                )
                chance = float(block.probabilities[part].sum())
                return Broken(
                    "reach",
                    what,
                    [
                        entry("reference", case.references([block.row]), 0, _told(case))
                        | entry("never drawn", case.references([row]), 0, _told(case))
                        | {"expected": f"{block.draws * chance:.1f}"}
                        for row in block.members[part[:3]].tolist()
                    ],
                )
    return None


def uniformity(case: Case) -> Broken | None:
    """Each row of the class is drawn with equal probability, or in proportion to the weights.

    Test: exact binomial tails of how often each row (or group of rows) is drawn for one reference;
    Hoeffding's bound of how often, over references that are all rows in turn, donors are the
    reference itself, stand in the first half of the class, and agree with the reference on each
    further column.
    """
    drawn = case.drawn(case.every_row())
    if drawn.data is not case.data:
        return _elsewhere("uniformity", case, drawn)
    cells = _per_row(case) + _over_references(case)
    return _found("uniformity", case, cells)


def _per_row(case: Case) -> list[Cell]:
    blocks = _blocks(case)
    if not blocks:
        return []
    _, drawn = _drawn_in(case, blocks)
    cells = []
    for block in blocks:
        index = drawn.index[block.start : block.start + block.draws]
        counts = np.bincount(index, minlength=len(case.data))
        for part in block.parts:
            rows = block.members[part]
            expected = block.draws * block.probabilities[part].sum()
            what = f"for reference {block.row} the donor is row {rows[0]}"
            what += f" or one of {len(rows) - 1} after it" if len(rows) > 1 else ""
            where = (block.row, int(rows[0]))
            cells.append(Cell(what, int(counts[rows].sum()), expected, block.draws, where))
    return cells


def _over_references(case: Case) -> list[Cell]:
    """Cells over many references: each draw has a probability of its own."""
    every = case.references(np.arange(len(case.data)))
    allowed = max(1, WORK // max(1, round(float(case.choices(every).size.mean()))))
    rows = np.arange(len(every))
    if allowed < len(rows):
        rows = np.linspace(0, len(rows) - 1, allowed).astype(np.int64)
    which = np.resize(np.arange(len(rows)), case.draws)
    references = case.references(rows[which])
    drawn, weights = case.drawn(references), case.weights()
    choices = case.choices(case.references(rows))
    names = _columns(case)
    first = np.arange(len(case.data)) < len(case.data) // 2
    itself = np.arange(len(case.data))
    codes = np.stack([itself, *(_codes(case.data.feature(name)) for name in names)])
    chances = []
    for number, row in enumerate(rows.tolist()):
        members = choices.of(number)
        share = case.odds(row, members, weights)
        alike = codes[:, members] == codes[:, [row]]
        chances.append([share[first[members]].sum(), *(alike @ share)])
    kinds = ("first half", "itself", *names)
    chance = dict(zip(kinds, np.array(chances).T, strict=True))
    alike = codes[:, drawn.index] == codes[:, references.index]
    happened = dict(zip(kinds, [first[drawn.index], *alike], strict=True))
    said = {
        "itself": "the donor is the reference's own row",
        "first half": "the donor stands in the first half of the data",
    }
    cells = []
    for name, here in happened.items():
        what = said.get(name, f'the donor agrees with the reference on "{name}"')
        expected = float(chance[name][which].sum())
        sample = int(np.argmax(here == (here.sum() > expected)))  # one that it did to, or not
        shown = (int(references.index[sample]), int(drawn.index[sample]))
        columns = (name,) if name in names else ()
        cells.append(Cell(what, int(here.sum()), expected, len(references), shown, columns))
    return cells


def marginals(case: Case) -> Broken | None:
    """Over references drawn from the dataset, donors are distributed as the dataset.

    Test: references are drawn uniformly, so each donor is any row with probability 1/rows; exact
    binomial tails of how often each row (or group of rows), and each value of a column, is drawn.
    """
    rows = len(case.data)
    draws = min(max(case.draws, draws_to_reach(1 / rows, 4 * rows, case.level)), AT_MOST)
    rng = np.random.default_rng([case.seed, 1])
    references = case.references(rng.integers(0, rows, draws))
    drawn = case.drawn(references)
    if drawn.data is not case.data:
        return _elsewhere("marginals", case, drawn)
    counts = np.bincount(drawn.index, minlength=rows)
    least = -np.expm1(np.log(case.level / (4 * rows)) / draws)
    cells = []
    for part in groups(np.full(rows, 1 / rows), least * (1 - 1e-9)):
        what = f"the donor is row {part[0]}" + (f" to {part[-1]}" if len(part) > 1 else "")
        expected = draws * len(part) / rows
        cells.append(Cell(what, int(counts[part].sum()), expected, draws, (None, int(part[0]))))
    for name in _columns(case):
        codes = _codes(case.data.feature(name))
        frequent = np.argsort(-np.bincount(codes), kind="stable")[:VALUES]
        for code in frequent.tolist():
            members = np.flatnonzero(codes == code)
            value = case.data.feature(name)[members[0]]
            cells.append(
                Cell(
                    f"the donor's {name} is {shortened(str(value), TEXT)}",
                    int(counts[members].sum()),
                    draws * len(members) / rows,
                    draws,
                )
            )
    return _found("marginals", case, cells)


def independence(case: Case) -> Broken | None:
    """Given the reference, draws of different nodes, and of different seeds, are independent.

    Test: two nodes' donors in one sample are compared (the same? alike on a column?), and so are
    one node's donor in a sample with the other's in another sample of the same reference. If nodes
    are independent the two comparisons are equally likely to hold, whatever the sampler draws from:
    an exact sign test of those where one holds and the other does not.
    """
    triples = max(case.draws // 3, 1)
    rows = np.resize(np.arange(len(case.data)), triples)
    if len(case.data) > triples:
        rows = np.linspace(0, len(case.data) - 1, triples).astype(np.int64)
    references = case.references(np.repeat(rows, 3))
    one = case.drawn(references)
    others = {
        "two nodes": case.drawn(references, "two"),
        "two seeds": case.drawn(references, "one", seed=1),
    }
    cells, shown = [], {}
    for pair, other in others.items():
        for what, alike in _alike(case, one, other):
            first, second = alike(0, 0), alike(1, 2)
            cell = coin(f"{pair} have donors of one sample that are {what}", first, second)
            cells.append(cell)
            more = first & ~second if cell.count > cell.expected else second & ~first
            shown[cell.what] = (other, 3 * np.flatnonzero(more)[:3])
    found = rarest(cells, case.level)
    if found is None:
        return None
    cell, chance = found
    other, samples = shown[cell.what]
    return Broken(
        "independence",
        f"{cell.what}, where those of different samples are not: {cell.count:,} times, and the "
        f"other way round {cell.draws - cell.count:,} times (by chance with probability "
        f"{chance:.1g})",
        [
            {"sample": sample}
            | entry("reference", references, sample)
            | entry("donor", one, sample)
            | entry("the other's donor", other, sample)
            for sample in samples.tolist()
        ],
    )


def _alike(case: Case, one: Rows, other: Rows) -> list[tuple[str, Any]]:
    """Comparisons of donors in a triple of samples: (words, (place, place) → bool [triples])."""
    names = [name for name in _columns(case) if _has(one, name) and _has(other, name)]
    mine, theirs = numbered(one, other)
    features = [(name, one.feature(name), other.feature(name)) for name in names]
    comparisons: list[tuple[str, Any]] = [("the same", lambda i, j: mine[i::3] == theirs[j::3])]
    comparisons += [
        (f"alike on {name}", lambda i, j, a=a, b=b: same(a[i::3], b[j::3]))
        for name, a, b in features
    ]
    return comparisons


def _has(rows: Rows, name: str) -> bool:
    return any(name in t for t in (rows.data.columns, rows.data.positions, rows.data.labels))


def _columns(case: Case) -> list[str]:
    """Features of the data, the first of them."""
    data = case.data
    return list(dict.fromkeys([*data.columns, *data.positions, *data.labels]))[:COLUMNS]


def _codes(values: np.ndarray) -> np.ndarray:
    import pandas as pd

    return pd.factorize(values, use_na_sentinel=False)[0]


def _told(case: Case) -> tuple[str, ...]:
    return features_of(case.sampler)


def _found(law: str, case: Case, cells: Sequence[Cell]) -> Broken | None:
    found = rarest(cells, case.level)
    if found is None:
        return None
    cell, chance = found
    what = (
        f"{cell.what} in {cell.count:,} of {cell.draws:,} draws, where {cell.expected:,.1f} are "
        f"expected (by chance with probability {chance:.1g})"
    )
    row: dict[str, Any] = {}
    for name, number in zip(("reference", "donor"), cell.rows, strict=True):
        if number is not None:
            columns = tuple(dict.fromkeys([*_told(case), *cell.columns]))
            row |= entry(name, case.references([number]), 0, columns)
    return Broken(law, what, [row | {"drawn": cell.count, "expected": f"{cell.expected:.1f}"}])


def _elsewhere(law: str, case: Case, drawn: Rows) -> Broken:
    what = f'donors are rows of "{drawn.data.name}", not of the data "{case.data.name}"'
    return Broken(law, what, [entry("donor", drawn, 0)])
