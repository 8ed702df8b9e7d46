"""What a user did wrong, as data: one sentence each, all of them at once."""

from __future__ import annotations

import difflib
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from attrs import evolve, field, frozen


@frozen
class Problem:
    """One thing that is wrong: where it is, what it is, and what to do about it."""

    what: str
    fix: str = ""
    node: str = ""
    claim: str = ""
    file: str = ""

    def __str__(self) -> str:
        place = "::".join(part for part in (self.file, self.claim) if part)
        if self.node:
            place = f'{place} · node "{self.node}"' if place else f'node "{self.node}"'
        sentence = f"{self.what} {self.fix}".strip()
        return f"{place}: {sentence}" if place else sentence


class UserError(Exception):
    """Refusal of the user's input, with every problem that was found."""

    problems: tuple[Problem, ...]

    def __init__(self, *problems: Problem | str) -> None:
        self.problems = tuple(Problem(p) if isinstance(p, str) else p for p in problems)
        assert self.problems
        super().__init__("\n".join(str(p) for p in self.problems))

    def at(self, *, file: str = "", claim: str = "", node: str = "") -> UserError:
        """The same problems, placed in a file, claim or node where they do not say so yet."""
        return UserError(
            *(
                evolve(p, file=p.file or file, claim=p.claim or claim, node=p.node or node)
                for p in self.problems
            )
        )

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the message, and no page of traceback above it."""
        return [f"{type(self).__name__}: {problem}" for problem in self.problems]


class NoClaimError(UserError):
    """Nothing is wrong with the input, but there is no claim in it to look at."""


@frozen
class Problems:
    """A list of problems that grows while the input is read, and is raised once at the end."""

    _found: dict[Problem, None] = field(factory=dict, init=False)

    @property
    def found(self) -> list[Problem]:
        return list(self._found)

    def add(self, what: str, fix: str = "", *, node: str = "", claim: str = "") -> None:
        self._found[Problem(what, fix, node=node, claim=claim)] = None

    def extend(self, problems: Iterable[Problem]) -> None:
        """Add problems that are made already."""
        self._found.update(dict.fromkeys(problems))

    def refuse(self) -> None:
        """Raise `UserError` with everything found, if anything was."""
        if self._found:
            raise UserError(*self._found)


NEAR = 0.6
"""Likeness, as difflib counts it, from which a name may be what was meant: its own default. Below
it, what is nearest has little to do with what was written."""
LISTED = 30
"""Longest list of choices that a message spells out."""


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """The choice whose spelling is closest to `name`; None where none is near."""
    return next(iter(_by_likeness(name, choices, NEAR)), None)


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """A sentence that lists the valid choices, after the nearest one if one is near."""
    options = list(dict.fromkeys(choices))
    if not options:
        return "There are none to choose from."
    near = nearest(name, options)
    if len(options) <= LISTED:
        listed = f"here are: {', '.join(options)}."
    elif near is None:
        listed = f"here are {len(options)}: {', '.join(options[:LISTED])}, …"
    else:
        close = _by_likeness(name, options, NEAR / 2)[:8]
        listed = f"here are {len(options)}, and the closest are: {', '.join(close)}."
    return f"T{listed}" if near is None else f'The nearest is "{near}"; t{listed}'


def _by_likeness(name: str, choices: Iterable[str], least: float) -> list[str]:
    """The choices that are at least so like `name`, the likest first; case does not count.

    Names with one beginning, such as files in one folder, are told apart by what follows it.
    """

    def like(choice: str) -> float:
        one, other = choice.lower(), name.lower()
        for part in re.findall(r"[^./]*[./]", one):
            if not other.startswith(part):
                break
            one, other = one.removeprefix(part), other.removeprefix(part)
        begins = min(len(one), len(other)) > 1 and (one.startswith(other) or other.startswith(one))
        return max(NEAR if begins else 0.0, difflib.SequenceMatcher(None, one, other).ratio())

    ranked = sorted(((like(choice), choice) for choice in choices), key=lambda pair: -pair[0])
    return [choice for likeness, choice in ranked if likeness >= least]


def shortened(text: str, most: int = 300) -> str:
    """The text, its middle left out where it is longer than so many characters."""
    if len(text) <= most:
        return text
    half = (most - 3) // 2
    return f"{text[: most - 3 - half]} … {text[-half:]}"


def in_words(error: BaseException) -> str:
    """An exception of the user's code as one line: "KeyError: 'io'", without a full stop."""
    whole = re.sub(
        r"_scrub_beside_\w+\.?", "", str(error)
    )  # said without (see scrub.hypothesis.sibling_modules)
    said = shortened(" ".join(whole.split()).rstrip("."))
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def line_of(error: BaseException, file: str | Path) -> int | None:
    """The line of a file that an exception came through last; None where it did not."""
    here = os.path.realpath(file)
    frames = traceback.extract_tb(error.__traceback__)
    files = [frame for frame in frames if os.path.isabs(frame.filename)]  # the others are none
    lines = [frame.lineno for frame in files if os.path.realpath(frame.filename) == here]
    return lines[-1] if lines else None


def is_users(name: str, file: str) -> bool:
    """Whether a module is the user's: neither scrub's, nor Python's, nor installed."""
    return not is_scrubs(name) and file.endswith(".py") and not installed(file)


def is_scrubs(name: str) -> bool:
    """Whether a module is scrub's."""
    return name.split(".")[0] == "scrub"


def installed(file: str) -> bool:
    """Whether a file belongs to Python or to a library."""
    path = Path(file)
    here = {"site-packages", "dist-packages"} & set(path.parts)
    return bool(here) or path.is_relative_to(sysconfig.get_paths()["stdlib"])


def is_users_frame(frame: FrameType) -> bool:
    """Whether a frame runs the user's code."""
    return is_users(str(frame.f_globals.get("__name__")), frame.f_code.co_filename)


def in_line(error: BaseException, file: str = "") -> str:
    """Where an exception came through the user's code last: " in line 7 of mine.py"; or "".

    Args:
        file: the one that need not be named.
    """
    frames = [(f, line) for f, line in traceback.walk_tb(error.__traceback__) if is_users_frame(f)]
    if not frames:
        return ""
    frame, line = frames[-1]
    there = frame.f_code.co_filename
    named = cell_name(there) or ("" if there == file else Path(there).name)
    return f" in line {line}" + (f" of {named}" if named else "")


def cell_name(file: str) -> str:
    """What a notebook calls the cell whose code it runs as this file, "cell In[3]"; "" if none."""
    compiler = getattr(notebook_shell(), "compile", None)
    told = getattr(compiler, "format_code_name", lambda file: None)(file)
    return f"cell {told[1]}" if told else ""


def notebook_shell() -> Any:
    """IPython's shell that this process runs in; None without one. It imports nothing."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()
