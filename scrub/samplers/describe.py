"""A sampler in words."""

from __future__ import annotations

from typing import Any

from scrub.samplers.protocol import differ_of, features_of, is_own


def describe_sampler(sampler: Any) -> str:
    """A sampler as its file writes it: "Agree(io, differ=s)", "Pool(4, names)".

    A user's own is named with its features, if it has any.
    """
    said: list[str] = []
    if isinstance(getattr(sampler, "size", None), int):
        said.append(str(sampler.size))
    for attribute in ("name", "weights", "function", "pair"):
        given = getattr(sampler, attribute, None)
        if given is not None:
            said.append(_told(given))
    said += () if is_own(sampler) else getattr(sampler, "words", ())
    said += features_of(sampler)
    differ = differ_of(sampler)
    if differ:
        said.append(("differ=" if features_of(sampler) else "") + ", ".join(differ))
    if not is_own(sampler) and getattr(sampler, "of", None) is not None:
        said.append(f"of={_told(sampler.of)}")
    name = type(sampler).__name__
    return f"{name}({', '.join(said)})" if said else name


def _told(given: Any) -> str:
    if isinstance(given, str):
        return given
    return getattr(given, "__name__", None) or getattr(given, "name", None) or type(given).__name__
