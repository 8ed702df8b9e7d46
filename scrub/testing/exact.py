"""Laws that one draw can break: what is found is no chance."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from inspect import isdatadescriptor
from typing import Any

import numpy as np
from attrs import evolve

from scrub.data.dataset import Dataset, Rows
from scrub.errors import UserError
from scrub.samplers import Sampler, differ_of, features_of, is_own
from scrub.samplers.declarations import from_elsewhere
from scrub.testing.cases import Broken, Case, entry, is_theirs, numbered, same

AROUND = 48
"""Characters of a long text that are shown around the place where it changed."""


def legality(case: Case) -> Broken | None:
    """Donors are inputs of the kind of the reference, with the positions that paths ask for.

    They are rows of the references' dataset, or of one that the sampler declares.
    """
    references = case.every_row()
    try:
        drawn = case.drawn(references)
    except UserError as error:
        return Broken("legality", str(error.problems[0].what), _alone(case, references))
    elsewhere = from_elsewhere(case.sampler, references, drawn)
    if elsewhere:
        return Broken("legality", elsewhere, [_swap(references, drawn, 0, ())])
    wrong = _illegal(case, drawn.data)
    if not wrong:
        return None
    what, row = wrong
    samples = np.flatnonzero(drawn.index == row) if row is not None else np.array([0])
    sample = int(samples[0]) if len(samples) else 0
    return Broken("legality", what, [_swap(references, drawn, sample, ())])


def _illegal(case: Case, data: Dataset) -> tuple[str, int | None] | None:
    """What is wrong with the inputs of a dataset, and in which row."""
    if data is case.data:
        return None
    expected, found = (sorted(table.inputs) for table in (case.data, data))
    if expected != found:
        return f"donors are inputs of {', '.join(found)}, references of {', '.join(expected)}", None
    for name in case.data.inputs:
        like, here = case.data.inputs[name], data.inputs[name]
        shapes = like.shape[1:], here.shape[1:]
        if name != "tokens" and shapes[0] != shapes[1]:
            return f'input "{name}" has shape {shapes[1]}, that of a reference {shapes[0]}', None
        if name == "tokens" and (here < 0).any():
            return "a token id is below 0", int(np.flatnonzero((here < 0).any(axis=1))[0])
    if (data.lengths < 1).any():
        return "an input is empty", int(np.flatnonzero(data.lengths < 1)[0])
    wanted = tuple(case.data.positions) if case.at is None else case.at
    for name in wanted:
        if name not in data.positions:
            return f'donors do not say where "{name}" is', None
    for name in sorted(case.data.labels.keys() & data.labels.keys()):
        if data.labels[name].dtype.kind not in "iu" or (data.labels[name] < 0).any():
            return f'label "{name}" is no token id', None
    return None


def _alone(case: Case, references: Rows) -> Iterator[dict[str, Any]]:
    """The first reference for which the sampler fails by itself; the first one, if none does."""
    for row in dict.fromkeys(references.index[:1000].tolist()):
        alone = case.references([row])
        try:
            case.drawn(alone)
        except UserError:
            yield entry("reference", alone, 0, features_of(case.sampler))
            return
    yield entry("reference", references, 0, features_of(case.sampler))


def agreement(case: Case) -> Broken | None:
    """Donors agree with the reference on `features`, and differ from it on each of `differ`."""
    references = case.every_row()
    drawn = case.drawn(references)
    for names, must, verb in (
        (features_of(case.sampler), True, "differs from"),
        (differ_of(case.sampler), False, "agrees with"),
    ):
        for name in names:
            try:
                theirs = drawn.feature(name)
            except UserError as error:
                return Broken("agreement", str(error), [_swap(references, drawn, 0, ())])
            wrong = np.flatnonzero(same(references.feature(name), theirs) != must)
            if len(wrong):
                what = (
                    f"a donor {verb} its reference on {name}, in {len(wrong):,} of "
                    f"{len(references):,} draws"
                )
                return Broken("agreement", what, [_swap(references, drawn, wrong[0], (name,))])
    return None


def determinism(case: Case) -> Broken | None:
    """A draw depends on seed, node, number of the sample, and reference; on nothing else."""
    references = case.every_row()
    first = case.drawn(references)
    half = 1 + len(references) // 2
    fewer = case.references(references.index[:half])
    turned = references.index.copy()
    turned[1::2] = turned[1::2][::-1]
    questions = (
        ("drawn again", references, np.arange(len(references))),
        ("with fewer samples", fewer, np.arange(half)),
        ("beside other references", case.references(turned), np.arange(0, len(references), 2)),
    )
    for asked, others, samples in questions:
        again = case.drawn(others)
        one, two = numbered(first, again)
        wrong = samples[one[samples] != two[samples]]
        if len(wrong):
            what = f"{asked}, a sample has another donor ({len(wrong):,} of {len(samples):,} do)"
            row: dict[str, Any] = {"sample": int(wrong[0])}
            row |= entry("reference", references, wrong[0])
            row |= entry("donor", first, wrong[0]) | entry(f"donor {asked}", again, wrong[0])
            return Broken("determinism", what, [row])
    return _at_some_call(case)


CALLS = 30
"""Further calls that determinism makes, of as many samples each: one in some calls may differ."""


def _at_some_call(case: Case) -> Broken | None:
    """Whether one of many draws is another, as of a sampler that counts its calls.

    Ours are not asked: no call of theirs knows of another.
    """
    if not is_theirs(case.sampler):
        return None
    few = case.references(case.every_row().index[:CALLS])
    first = case.drawn(few)
    for call in range(1, CALLS):
        again = case.drawn(few)
        one, two = numbered(first, again)
        wrong = np.flatnonzero(one != two)
        if len(wrong):
            what = f"at call {call + 1}, a sample has another donor than at call 1"
            row: dict[str, Any] = {"sample": int(wrong[0])} | entry("reference", few, wrong[0])
            row |= entry("donor", first, wrong[0]) | entry("donor then", again, wrong[0])
            return Broken("determinism", what, [row])
    return None


def immutability(case: Case) -> Broken | None:
    """Drawing changes neither the data nor the sampler, nor anybody else's random numbers."""
    copy = evolve(case.data)  # its arrays are copied
    copied = evolve(case, data=copy)
    references = copied.every_row()
    before = _state(case, copy, references)
    copied.drawn(references)
    for name, now in _state(case, copy, references).items():
        was = before[name]
        alike = same(was, now) if len(was) == len(now) else np.zeros(1, dtype=bool)
        if not alike.all():
            row = int(np.argmin(alike))
            return Broken("immutability", f"drawing changed {name}", [_change(row, was, now)])
    return None


def _change(row: int, was: np.ndarray, now: np.ndarray) -> dict[str, Any]:
    """What changed, as a row of a table: of long texts, where they begin to differ."""
    before, after = (str(each[row]) if row < len(each) else "nothing" for each in (was, now))
    letters = enumerate(zip(before, after, strict=False))
    alike = next(
        (place for place, (one, other) in letters if one != other), min(len(before), len(after))
    )
    start = max(0, alike - AROUND // 3) if max(len(before), len(after)) > AROUND else 0

    def shown(text: str) -> str:
        part = text[start : start + AROUND]
        return "…" * (start > 0) + part + "…" * (start + len(part) < len(text))

    numbered = {"entry": row} if max(len(was), len(now)) > 1 else {}
    return numbered | {"before": shown(before), "after": shown(after)}


def _state(case: Case, data: Dataset, references: Rows) -> dict[str, np.ndarray]:
    """Everything that a draw might change, as arrays of values."""
    found = {"the references": references.index.copy(), "the lengths": data.lengths.copy()}
    tables = {"column": data.columns, "position": data.positions, "label": data.labels}
    for kind, table in tables.items():
        found |= {f"{kind} {name}": values.copy() for name, values in table.items()}
    for name, values in data.inputs.items():
        found[f"input {name}"] = values.flatten()
    for name, value in _held(case.sampler).items():
        if isinstance(value, np.ndarray):
            found[name] = value.flatten()
        else:
            known = value.sha256 if isinstance(value, Dataset) else repr(value)
            found[name] = np.array([known], dtype=object)
    theirs = [x.tobytes() if isinstance(x, np.ndarray) else x for x in np.random.get_state()]
    states = {"numpy's": repr(theirs), "Python's": repr(random.getstate())}
    for whose, state in states.items():
        known = hashlib.blake2b(state.encode(), digest_size=4).hexdigest()
        found[f"{whose} global random numbers"] = np.array([f"state {known}"], dtype=object)
    return found


def _held(sampler: Sampler) -> dict[str, object]:
    """What a sampler keeps, and what its class does where it is the user's own."""
    kind = type(sampler)
    slots = [name for base in kind.__mro__ for name in getattr(base, "__slots__", ())]
    names = dict.fromkeys([*slots, *getattr(sampler, "__dict__", {})])
    found: dict[str, object] = {
        f"the sampler's {name}": getattr(sampler, name, None) for name in names
    }
    found.pop("the sampler's __weakref__", None)
    for base in kind.__mro__ if is_own(sampler) else ():
        for name, value in vars(base).items():
            if not (name.startswith("__") or callable(value) or isdatadescriptor(value)):
                found.setdefault(f"the class's {name}", value)
    return found


def _swap(references: Rows, drawn: Rows, sample: int, columns: tuple[str, ...]) -> dict[str, Any]:
    """One swap as a row of a table."""
    return (
        {"sample": int(sample)}
        | entry("reference", references, sample, columns)
        | entry("donor", drawn, sample, columns)
    )
