"""False claims: each is a true one, changed in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from attrs import evolve

from scrub.samplers import Agree, Sampler
from validating.claims import Part, Planted, Told, coarser

REFUTABLE = ("node", "feature", "coarser", "port", "position", "missing")
"""Mistakes that a scrub can show, unless what they get wrong does not matter in the data."""
UNREFUTABLE = ("finer", "idle")
"""Mistakes that no scrub can show: see `MEANING`."""

MEANING = {
    "node": "another site is said to do it, in the same place",
    "feature": "it is said to carry another feature",
    "coarser": "it is said to carry less: two values of its feature are said to be one, or one of "
    "two features is left out",
    "port": "it is said to enter its parent by another port",
    "position": "it is said to stand at another position (in graphs: another input)",
    "missing": "it is left out",
    "finer": "it is said to carry one more feature: that permits fewer swaps than the truth does",
    "idle": "a site that does nothing is said to carry a feature: any swap of it is harmless",
}


def falsehoods(planted: Planted, truth: Part, kind: str) -> list[list[Told]]:
    """All ways to make this mistake in a true claim.

    Each is a list of one mistake's forms, the first legal one of which is meant: a node that is
    said to be elsewhere keeps what is below it, where paths lead there; else it is a leaf.
    """
    if kind == "idle":
        return list(_idle(planted, truth))
    found = []
    for place, child in truth.walk():
        if place:
            found += list(_mistakes(planted, truth, place, child, kind))
    return found


def _mistakes(
    planted: Planted, truth: Part, place: tuple[int, ...], child: Part, kind: str
) -> Iterator[list[Told]]:
    def one(what: str, part: Part | None) -> Told:
        return Told(kind, f"{child.name}: {what}", truth.put(place, part))

    if kind == "missing":
        if len(truth.at(place[:-1]).children) > 1:  # else its parent would be a leaf
            yield [one("left out", None)]
    elif kind in OTHER_SAMPLERS:
        if isinstance(child.sampler, Agree):
            for sampler in OTHER_SAMPLERS[kind](planted, child.sampler):
                said = " and ".join(sampler.features)
                yield [one(f"carries {said}", evolve(child, sampler=sampler))]
    else:
        for mistake, sites in planted.elsewhere(truth.at(place[:-1]), child):
            if mistake == kind:
                moved = evolve(child, sites=sites)
                forms = [moved, evolve(moved, children=())] if child.children else [moved]
                yield [one(f"is at {_said(form)}", form) for form in forms]


def _said(part: Part) -> str:
    from scrub.results import describe_route

    return " | ".join(describe_route(route) for route in part.sites.routes)


def _feature(planted: Planted, sampler: Agree) -> Iterator[Agree]:
    for name in planted.features:
        if name not in sampler.features:
            yield Agree(name)


def _coarser(planted: Planted, sampler: Agree) -> Iterator[Agree]:
    for name in sampler.features:
        rest = tuple(other for other in sampler.features if other != name)
        if coarser(name) in planted.data.columns:
            yield Agree((*rest, coarser(name)))
        if rest:
            yield Agree(rest)


def _finer(planted: Planted, sampler: Agree) -> Iterator[Agree]:
    for name in planted.features:
        if name not in sampler.features:
            yield Agree((*sampler.features, name))


OTHER_SAMPLERS: dict[str, Callable[[Planted, Agree], Iterator[Agree]]] = {
    "feature": _feature,
    "coarser": _coarser,
    "finer": _finer,
}


def _idle(planted: Planted, truth: Part) -> Iterator[list[Told]]:
    for number, sites in enumerate(planted.idle):
        feature = planted.features[number % len(planted.features)]
        sampler: Sampler = Agree(feature)
        child = Part("idle", sampler, sites)
        part = evolve(truth, children=(*truth.children, child))
        yield [Told("idle", f"{_said(child)} carries {feature}", part)]


def chosen(
    options: list[list[Told]], random: np.random.Generator, legal: Callable[[Part], bool]
) -> Told | None:
    """One of these mistakes by chance, in its first legal form; None where none is legal."""
    for number in random.permutation(len(options)):
        for form in options[number]:
            if legal(form.part):
                return form
    return None
