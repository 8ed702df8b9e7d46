"""Sites as Python text mean the same sites, and no line is longer than a formatter would leave."""

from __future__ import annotations

from typing import Any

import scrub
from hypothesis import given
from hypothesis import strategies as st
from scrub.hypothesis.sites import Route, Sites, Through, anything, mlps, none
from scrub.names import Cell, attention_site, mlp
from scrub.sweeps.code import LINE, Call, lines, sites_in_code

ROLES = {"mover": ((3, 0), (3, 1))}
HEADS = [Cell(attention_site(layer, "z"), head) for layer in range(4) for head in range(3)]
QUERIES = [Cell(attention_site(layer, "q"), head) for layer in range(4) for head in range(3)]
MLPS = [Cell(mlp(layer)) for layer in range(4)]
OTHERS = [Cell("embed"), Cell("pos_embed"), Cell("blocks.2.attn_out"), Cell("x"), Cell("y", 1)]
cells = st.lists(st.sampled_from([*HEADS, *QUERIES, *MLPS, *OTHERS]), min_size=1, unique=True)
through = st.sampled_from(
    [none, mlps, anything, anything.excluding(scrub.heads([(0, 0)]), scrub.mlp(1)),
     none.including(scrub.heads([(1, 2), (3, 1)]))]
)  # fmt: skip
routes = st.builds(
    Route,
    cells.map(tuple),
    at=st.sampled_from(["all", "end", ("io", "s1"), (3,), ("end", 0)]),
    into=st.sampled_from([None, "q", ("k", "v")]),
    through=through,
)


def said(found: Sites) -> set[Any]:
    """What sites say, whatever the order: every cell with its path."""
    return {
        (cell, route.at, route.into, _through(route.through))
        for route in found.routes
        for cell in route.cells
    }


def _through(path: Through) -> Any:
    return path.kinds, frozenset(path.also), frozenset(path.never)


class Model:
    """Knows the roles of a model."""

    def role(self, name: str) -> Any:
        return ROLES[name]


SPACE = {name: getattr(scrub, name) for name in scrub.__all__} | {"model": Model()}


def evaluated(calls: list[Call]) -> Sites:
    return eval(" | ".join(call.flat for call in calls), dict(SPACE))


@given(st.lists(routes, min_size=1, max_size=3))
def test_the_code_of_sites_makes_them(found: list[Route]) -> None:
    assert said(evaluated(sites_in_code(found, ROLES))) == said(Sites(tuple(found)))


@given(st.lists(routes, min_size=1, max_size=2), st.integers(0, 5))
def test_lines_are_short_and_say_the_same(found: list[Route], indent: int) -> None:
    for call in sites_in_code(found, ROLES):
        text = lines(call, 4 * indent, before="sites = ")
        assert max(map(len, text.splitlines())) <= LINE
        held: dict[str, Any] = {}
        exec(text.strip(), dict(SPACE), held)
        assert said(held["sites"]) == said(evaluated([call]))


def test_a_role_is_called_by_its_name_where_all_its_heads_are_there() -> None:
    (call,) = sites_in_code(scrub.heads([(3, 1), (3, 0)], at="end").routes, ROLES)
    assert call.flat == 'heads(model.role("mover"), at="end")'
    (call,) = sites_in_code(scrub.heads([(3, 1)]).routes, ROLES)
    assert call.flat == "heads([(3, 1)])"


def test_long_calls_are_broken_as_a_formatter_breaks_them() -> None:
    short = Call("f(", ("a" * 60, "b" * 30))
    assert lines(short, before="x = ") == f"x = f({'a' * 60}, {'b' * 30})"
    longer = Call("f(", ("a" * 60, "b" * 34))
    assert lines(longer) == f"f({'a' * 60}, {'b' * 34})"
    assert lines(longer, before="x = ") == f"x = f(\n    {'a' * 60}, {'b' * 34}\n)"
    longest = Call("f(", ("a" * 60, "b" * 40))
    assert lines(longest) == f"f(\n    {'a' * 60},\n    {'b' * 40},\n)"
