"""Which heads are looked at: all of a model, a role, or those that are named."""

from __future__ import annotations

import re
from typing import Any

from scrub.errors import UserError, did_you_mean
from scrub.hypothesis.arguments import pairs, several
from scrub.hypothesis.sites import Head, Sites
from scrub.model.registry import Model
from scrub.observations.subject import weights_of
from scrub.printing import printed
from scrub.sweeps.senders import HEADS, heads_of

MLP = re.compile(r"(all )?mlps?\b.*", flags=re.IGNORECASE)


def named_heads(given: Any, model: Model, asked: str) -> tuple[Head, ...]:
    """Heads (layer, head) in the model's order.

    Args:
        given: None: all; a role; "9.9,9.6"; pairs [(9, 9)]; sites of heads.
        asked: what is asked of them, for messages: "attention patterns", "OV circuits".

    Raises:
        UserError: there is no such role or head, or an MLP is named.
    """
    every = every_head(model)
    if given is None:
        return every
    if isinstance(given, str):
        found = _by_text(given.strip(), model, asked)
    elif isinstance(given, Sites):
        found = _of_sites(given, asked)
    else:
        found = pairs(several(given))
    if not found:
        raise UserError(f"{printed(given)} names no head. Give heads, such as [(1, 0)], or a role.")
    for layer, head in found:
        if (layer, head) not in every:
            near = min(every, key=lambda pair: (abs(pair[0] - layer), abs(pair[1] - head)))
            raise UserError(
                f'Model "{model.name}" has no head {layer}.{head}: it has heads 0.0 to '
                f"{every[-1][0]}.{every[-1][1]}. The nearest is {near[0]}.{near[1]}."
            )
    return tuple(head for head in every if head in set(found))


def every_head(model: Model) -> tuple[Head, ...]:
    """Every head of a transformer."""
    return tuple(
        (layer, head)
        for layer, block in enumerate(weights_of(model).blocks)
        for head in range(len(block.attention.output))
    )


def by_layer(heads: tuple[Head, ...]) -> dict[int, list[int]]:
    """Numbers of heads by layer."""
    found: dict[int, list[int]] = {}
    for layer, head in heads:
        found.setdefault(layer, []).append(head)
    return found


def role_of(head: Head, model: Model) -> str:
    """The roles that a head plays by the model's roles.toml; "" where it plays none."""
    return ", ".join(role for role, heads in model.roles.items() if head in map(tuple, heads))


def head_name(head: Head) -> str:
    """ "head 9.9"."""
    return f"head {head[0]}.{head[1]}"


def _by_text(given: str, model: Model, asked: str) -> list[Head]:
    if MLP.fullmatch(given) and given not in model.roles:
        raise _no_head(given, asked)
    if HEADS.fullmatch(given):
        return heads_of(given)
    if given in model.roles:
        return list(model.roles[given])
    raise UserError(
        f'Model "{model.name}" has no heads "{given}". '
        f"{did_you_mean(given, [*model.roles, '0.0'])} Give a role, or heads such as 9.9,9.6."
    )


def _of_sites(sites: Sites, asked: str) -> list[Head]:
    found = []
    for cell in (cell for route in sites.routes for cell in route.cells):
        layer = cell.name.layer
        if layer is None or cell.head is None:
            raise _no_head(str(cell), asked)
        found.append((layer, cell.head))
    return found


def _no_head(named: str, asked: str) -> UserError:
    return UserError(
        f"{named}: only attention heads have {asked}. Give heads, such as 9.9,9.6, or a role."
    )
