"""What groups are called: by their role in the model, where all of its heads are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scrub.hypothesis.arguments import Head
from scrub.searches.measured import Attends, Component, Receiver, in_words

Roles = Mapping[str, Sequence[Head]]


def group_name(components: Sequence[Component], roles: Roles) -> str:
    """ "name mover" where these are all heads of that role; else "heads 2.0, 2.1"."""
    if components[0].kind == "heads":
        pairs = sorted(one.pair for one in components)
        for role, heads in roles.items():
            if sorted(heads) == pairs:
                return role
    return in_words(tuple(components))


def placed_name(receiver: Receiver, roles: Roles) -> str:
    """ "name mover at end", "the output"."""
    if receiver.is_root:
        return str(receiver)
    where = "" if receiver.at == "all" else f" at {receiver.at}"
    return f"{group_name(receiver.components, roles)}{where}"


def attended(receiver: Receiver, attends: Attends) -> str:
    """What the heads of a group attend to most, "io" or "io, s1"; "" where that is not known."""
    known = [attends.get((one.pair, receiver.at)) for one in receiver.components]
    return ", ".join(dict.fromkeys(one.to for one in known if one is not None))
