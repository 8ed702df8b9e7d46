"""Roles: names of heads by what they are said to do ("name mover"), from a `roles.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scrub.errors import UserError
from scrub.hypothesis.arguments import Head, pairs
from scrub.model.config_values import shown
from scrub.model.directory import and_others

Roles = Mapping[str, tuple[Head, ...]]

PUBLISHED = Path(__file__).parent / "roles"
WRITE = 'Write: [roles] and, a line each, "name mover" = [[9, 9], [10, 0]].'


def read_roles(directory: Path | None, name: str, layers: int, heads: int) -> Roles:
    """The roles beside a model's weights; failing that those that were published for its name.

    Args:
        directory: where the model's files lie; None: nowhere.
        name: the model's name on the hub.
        layers, heads: of the model; a role's heads must be among them.

    Raises:
        UserError: roles.toml cannot be read, or with everything that is wrong in it.
    """
    if directory is not None:
        path = directory / "roles.toml"
        if path.exists() or path.is_symlink():
            return _checked(path, layers, heads)
    path = PUBLISHED / f"{name.split('/')[-1]}.toml"
    if not path.is_file():
        return {}
    try:
        return _checked(path, layers, heads)
    except UserError:  # another model that is called so: the roles are not its
        return {}


def _checked(path: Path, layers: int, heads: int) -> Roles:
    table = _table(path)
    wrong = [f'"{key}" is not [roles]' for key in table if key != "roles"]
    roles = table.get("roles")
    if not isinstance(roles, dict):
        wrong.append("there is no table [roles]" if roles is None else "roles is no table")
        roles = {}
    read: dict[str, tuple[Head, ...]] = {}
    for role, listed in roles.items():
        read[role], more = _heads(role, listed, layers, heads)
        wrong += more
    if wrong:
        raise UserError(f"{path} is no table of roles: {and_others(wrong, 10, '; ')}. {WRITE}")
    return read


def given_roles(roles: Mapping[str, Any], layers: int, heads: int) -> Roles:
    """The roles of `scrub.Model(…, roles=…)`: heads by role, as `heads(…)` takes them.

    Raises:
        UserError: with everything that is wrong in them.
    """
    read: dict[str, tuple[Head, ...]] = {}
    wrong: list[str] = []
    for role, listed in roles.items():
        try:
            found = [list(head) for head in pairs(listed)]
        except UserError as error:
            wrong.append(f'"{role}": {str(error).rstrip(".")}')
        else:
            read[role], more = _heads(role, found, layers, heads)
            wrong += more
    if wrong:
        raise UserError(f"roles= is no table of roles: {and_others(wrong, 10, '; ')}.")
    return read


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except IsADirectoryError as error:
        raise UserError(f"{path} is a folder, where a file is expected. {WRITE}") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except RecursionError as error:
        raise UserError(f"{path} is nested too deep for a table of roles. {WRITE}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not text in UTF-8. {WRITE}") from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not TOML: {error}. {WRITE}") from error


def _heads(
    role: str, listed: object, layers: int, heads: int
) -> tuple[tuple[Head, ...], list[str]]:
    """The heads of a role, and what is wrong with them."""
    if not isinstance(listed, list) or not listed:
        return (), [f'"{role}" is {shown(listed)}, not a list of heads [layer, head]']
    read: list[Head] = []
    wrong: list[str] = []
    for head in listed:
        match head:
            case [int() as layer, int() as number] if bool not in map(type, head):
                if not (0 <= layer < layers and 0 <= number < heads):
                    wrong.append(
                        f'"{role}" names head {layer}.{number}, and the model has layers 0 to '
                        f"{layers - 1} with heads 0 to {heads - 1} each"
                    )
                elif (layer, number) in read:
                    wrong.append(f'"{role}" names head {layer}.{number} twice')
                read.append((layer, number))
            case _:
                wrong.append(f'"{role}" holds {shown(head)}, not a head [layer, head]')
    return tuple(read), wrong
