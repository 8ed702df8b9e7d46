"""Python text of sites and paths, laid out as a formatter would."""

from __future__ import annotations

import keyword
import re
from collections.abc import Container, Iterable, Mapping, Sequence

from attrs import frozen

from scrub import names
from scrub.hypothesis.circuit import Placed
from scrub.hypothesis.positions import ALL, At
from scrub.hypothesis.sites import Route, Through
from scrub.hypothesis.splits import Coordinates, Split
from scrub.names import Cell

LINE = 100
"""Characters of the longest line."""
Roles = Mapping[str, Sequence[tuple[int, int]]]


@frozen
class Call:
    """Something in brackets: a call, a list, a mapping."""

    opens: str
    items: tuple[str | Call, ...]
    closes: str = ")"

    @property
    def flat(self) -> str:
        return f"{self.opens}{_listed(self.items)}{self.closes}"


def _flat(item: str | Call) -> str:
    return item if isinstance(item, str) else item.flat


def _listed(items: Iterable[str | Call]) -> str:
    return ", ".join(map(_flat, items))


def lines(item: str | Call, indent: int = 0, before: str = "", after: str = "") -> str:
    """The text on as few lines as fit: whole, the items on a line of their own, or a line each.

    The items of a list, tuple or mapping have a line each where they are not on one with it.
    """
    margin = " " * indent
    whole = f"{margin}{before}{_flat(item)}{after}"
    if isinstance(item, str) or len(whole) <= LINE:
        return whole
    inner = f"{margin}    {_listed(item.items)}"
    if len(inner) <= LINE and not item.opens.endswith(("[", "{", "=(")):
        return f"{margin}{before}{item.opens}\n{inner}\n{margin}{item.closes}{after}"
    each = "\n".join(lines(one, indent + 4, after=",") for one in item.items)
    return f"{margin}{before}{item.opens}\n{each}\n{margin}{item.closes}{after}"


def sites_in_code(routes: Iterable[Route], roles: Roles) -> list[Call]:
    """Calls that make these sites, to be joined with `|`: those of one kind and path are one."""
    alike: dict[tuple[object, ...], list[Cell]] = {}
    paths: dict[tuple[object, ...], Route] = {}
    for route in routes:
        for cell in route.cells:
            split = str(route.split) if cell.part is not None else ""
            key = (*_kind(cell), route.at, route.into, route.through, split)
            alike.setdefault(key, []).append(cell)
            paths.setdefault(key, route)
    return [_made(list(dict.fromkeys(cells)), paths[key], roles) for key, cells in alike.items()]


def _kind(cell: Cell) -> tuple[str, str]:
    """What tells calls apart: heads by their part, MLPs, embeddings, a neuron, any other site."""
    name = cell.name
    if cell.part is not None:
        return "summand", f"{cell.site} {cell.part}"
    if name.of_attention and cell.head is not None:
        return "heads", name.part
    if _is_mlp(cell):
        return "mlp", ""
    if cell.site in (names.EMBED, names.POS_EMBED):
        return "embeddings", ""
    return "site", f"{cell.site} {cell.head}"


def _is_mlp(cell: Cell) -> bool:
    layer = cell.name.layer
    return layer is not None and cell.site == names.mlp(layer)


def _made(cells: Sequence[Cell], route: Route, roles: Roles) -> Call:
    kind, part = _kind(cells[0])
    path, split = _path_of(route, roles), route.split
    layers = [cell.name.layer for cell in cells if cell.name.layer is not None]
    if kind == "heads":
        pairs = sorted((cell.name.layer or 0, cell.head or 0) for cell in cells)
        named = () if part == "z" else (f'part="{part}"',)
        return Call("heads(", (_heads(pairs, roles), *named, *path))
    if kind == "mlp":
        return Call("mlp(", (*map(str, sorted(layers)), *path))
    if kind == "embeddings":
        both = len(cells) == 2
        one = "token_embedding(" if cells[0].site == names.EMBED else "position_embedding("
        return Call("embeddings(" if both else one, tuple(path))
    if kind == "summand":
        (cell,) = cells
        assert cell.part is not None
        whole = Call("mlp_part(", ('"post"', str(layers[0]), *path))
        return Call("summand(", (whole, _neurons(split), f'"{cell.part}"'))
    (cell,) = cells
    head = () if cell.head is None else (str(cell.head),)
    return Call("site(", (f'"{cell.site}"', *head, *path))


def _neurons(split: Split | None) -> Call:
    assert isinstance(split, Coordinates), "neurons are what a sweep splits"
    sets = (f"{name}={list(numbers)}" for name, numbers in split.sets.items())
    return Call("neurons(", tuple(sets))


def _heads(pairs: Sequence[tuple[int, int]], roles: Roles) -> str | Call:
    """A role by its name, where its heads are these; else the heads in a list."""
    for role, members in roles.items():
        if sorted(members) == list(pairs):
            return f'model.role("{role}")'
    return Call("[", tuple(map(str, pairs)), "]")


def _path_of(route: Route, roles: Roles) -> list[str | Call]:
    found: list[str | Call] = []
    if route.at != ALL:
        found.append(f"at={_at(route.at)}")
    if route.into is not None:
        ports = sorted(route.into)
        found.append(f"into={_quoted(ports)}")
    if route.through != Through("none"):
        found.append(_through(route.through, roles))
    return found


def _at(at: At) -> str:
    assert not isinstance(at, str)
    return _quoted(list(at))


def _quoted(items: Sequence[str | int]) -> str:
    said = [f'"{item}"' if isinstance(item, str) else str(item) for item in items]
    return said[0] if len(said) == 1 else f"({', '.join(said)})"


def _through(through: Through, roles: Roles) -> str | Call:
    said = f"through={through.kinds}"
    also = _exceptions(through.also, through.also_at, roles)
    never = _exceptions(through.never, through.never_at, roles)
    if also:
        said = f"{said}.including({_listed(also)})"
    return Call(f"{said}.excluding(", tuple(never)) if never else said


def _exceptions(
    whole: tuple[Cell, ...], placed: tuple[Placed, ...], roles: Roles
) -> list[str | Call]:
    """The sites that `including` or `excluding` takes."""
    routes = [Route(whole)] if whole else []
    routes += [Route((one.cell,), at=one.at) for one in placed]
    return [*sites_in_code(routes, roles)]


def variable_name(name: str, taken: set[str], reserved: Container[str]) -> str:
    """A name in Python that nothing else in the file has; it is taken from then on."""
    stem = re.sub(r"\W+", "_", name).strip("_").lower()
    if not stem.isidentifier() or keyword.iskeyword(stem) or stem in reserved:
        stem = f"node_{stem}"
    found, more = stem, 2
    while found in taken:
        found, more = f"{stem}_{more}", more + 1
    taken.add(found)
    return found
