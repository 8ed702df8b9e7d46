"""False claims: each is a true one, changed in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from attrs import evolve

from scrub.hypothesis.sites import Sites
from scrub.samplers import Agree, Differ, Sampler, differ_of, features_of
from validating.claims import WRONG, Part, Place, Planted, Told, coarser, half_right, turned

REFUTABLE = ("node", "feature", "coarser", "port", "position", "missing")
"""Mistakes that a scrub can show, unless what they get wrong does not matter in the data."""
HARDER = ("half-right", "inverted", "swapped", "fewer")
"""The same, and nearer to the truth."""
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
    "half-right": "it is said to carry what is its feature in most rows, and something else in "
    + ", ".join(f"{share:.0%}" for share in WRONG[:-1])
    + f" or {WRONG[-1]:.0%} of them",
    "inverted": "it is said to carry the opposite: any other value of its feature; or a feature "
    "that is moved on by one value in about half of the rows",
    "swapped": "two nodes side by side are said to carry each other's features",
    "fewer": "of the heads that share its work some are left out",
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
        said, where = f"{child.name}: {what}", place if part is not None else ()
        return Told(kind, said, truth.put(place, part), truth, where)

    if kind == "swapped":
        yield from _swapped(truth, place, child)
    elif kind == "fewer":
        yield from _fewer(truth, place, child)
    elif kind == "missing":
        if len(truth.at(place[:-1]).children) > 1:  # else its parent would be a leaf
            yield [one("left out", None)]
    elif kind in OTHER_SAMPLERS:
        if isinstance(child.sampler, Agree):
            for sampler in OTHER_SAMPLERS[kind](planted, child.sampler):
                yield [one(f"carries {_carried(sampler)}", evolve(child, sampler=sampler))]
    else:
        for mistake, sites in planted.elsewhere(truth.at(place[:-1]), child):
            if mistake == kind:
                moved = evolve(child, sites=sites)
                forms = [moved, evolve(moved, children=())] if child.children else [moved]
                yield [one(f"is at {_said(form)}", form) for form in forms]


def _said(part: Part) -> str:
    from scrub.hypothesis.describe import describe_route

    return " | ".join(describe_route(route) for route in part.sites.routes)


def _carried(sampler: Sampler) -> str:
    another = [f"another {name}" for name in differ_of(sampler)]
    return " and ".join([*features_of(sampler), *another])


def _swapped(truth: Part, place: Place, child: Part) -> Iterator[list[Told]]:
    """It and a sibling after it, each with the other's feature."""
    *above, number = place
    for later, sibling in enumerate(truth.at(tuple(above)).children):
        both = isinstance(child.sampler, Agree) and isinstance(sibling.sampler, Agree)
        if later > number and both and child.sampler != sibling.sampler:
            part = truth.put(place, evolve(child, sampler=sibling.sampler))
            part = part.put((*above, later), evolve(sibling, sampler=child.sampler))
            what = f"{child.name} carries {_carried(sibling.sampler)}, {sibling.name} the reverse"
            yield [Told("swapped", what, part, truth, place)]


def _fewer(truth: Part, place: Place, child: Part) -> Iterator[list[Told]]:
    """One of its heads is left out; or it and a sibling after it, where a third is left."""
    (*above, number), routes = place, child.sites.routes
    for route in routes:
        for cell in route.cells if len(route.cells) > 1 else ():
            fewer = evolve(route, cells=tuple(c for c in route.cells if c != cell))
            sites = Sites(tuple(fewer if r is route else r for r in routes))
            part = truth.put(place, evolve(child, sites=sites))
            yield [Told("fewer", f"{child.name}: without {cell}", part, truth, place)]
    siblings = truth.at(tuple(above)).children
    for later in range(number + 1, len(siblings)) if len(siblings) > 2 else ():
        part = truth.put((*above, later), None).put(place, None)
        what = f"{child.name} and {siblings[later].name}: left out"
        yield [Told("fewer", what, part, truth)]


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


def _half_right(planted: Planted, sampler: Agree) -> Iterator[Agree]:
    for name in sampler.features:
        rest = tuple(other for other in sampler.features if other != name)
        for share in WRONG:
            if half_right(name, share) in planted.data.columns:
                yield Agree((*rest, half_right(name, share)))


def _inverted(planted: Planted, sampler: Agree) -> Iterator[Sampler]:
    if len(sampler.features) == 1:
        yield Differ(sampler.features)
    for name in sampler.features:
        rest = tuple(other for other in sampler.features if other != name)
        if turned(name) in planted.data.columns:
            yield Agree((*rest, turned(name)))


OTHER_SAMPLERS: dict[str, Callable[[Planted, Agree], Iterator[Sampler]]] = {
    "feature": _feature,
    "coarser": _coarser,
    "finer": _finer,
    "half-right": _half_right,
    "inverted": _inverted,
}


def _idle(planted: Planted, truth: Part) -> Iterator[list[Told]]:
    for number, sites in enumerate(planted.idle):
        feature = planted.features[number % len(planted.features)]
        sampler: Sampler = Agree(feature)
        child = Part("idle", sampler, sites)
        part = evolve(truth, children=(*truth.children, child))
        place = (len(truth.children),)
        yield [Told("idle", f"{_said(child)} carries {feature}", part, truth, place)]


def chosen(
    options: list[list[Told]], random: np.random.Generator, legal: Callable[[Part], bool]
) -> Told | None:
    """One of these mistakes by chance, in its first legal form; None where none is legal."""
    for number in random.permutation(len(options)):
        for form in options[number]:
            if legal(form.part):
                return form
    return None
