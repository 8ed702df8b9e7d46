"""Collect the claims of hypothesis files. No model is loaded here."""

from __future__ import annotations

import fnmatch
import importlib.util
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from attrs import frozen

from scrub.errors import Problem, UserError, did_you_mean
from scrub.hypothesis import Claim


@frozen(eq=False)
class Collected:
    """A claim, the file it stands in, and the model that it is about by default."""

    file: str
    claim: Claim
    model: object

    @property
    def name(self) -> str:
        return f"{self.file}::{self.claim.name}"


def collect(targets: Iterable[str], *, keyword: str = "") -> list[Collected]:
    """The claims of `PATH[::CLAIM]` targets, in the order of the file.

    Args:
        targets: files, folders, or files with `::claim`.
        keyword: keep only claims whose name contains it (or matches it, with * and ?).

    Raises:
        UserError: every target that cannot be loaded, or names a claim that is not there.
    """
    found: list[Collected] = []
    problems: list[Problem] = []
    for target in targets:
        path, _, name = target.partition("::")
        try:
            for file in _files(path):
                found += _named(_claims(file), name, str(file))
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(*problems)
    unique = {item.name: item for item in found}
    return [item for item in unique.values() if _matches(item.claim.name, keyword)]


def _files(path: str) -> list[Path]:
    here = Path(path)
    if here.is_dir():
        return sorted(file for file in here.glob("*.py") if not file.name.startswith("_"))
    if not here.exists():
        near = [str(file) for file in here.parent.glob("*.py")] if here.parent.is_dir() else []
        hint = did_you_mean(path, near) if near else "Give the path of a hypothesis file."
        raise UserError(Problem("There is no such file.", hint, file=path))
    return [here]


def _claims(file: Path) -> list[Collected]:
    module = load(file)
    default = getattr(module, "MODEL", None)
    return [
        Collected(str(file), value, value.model if value.model is not None else default)
        for value in vars(module).values()
        if isinstance(value, Claim)
    ]


def _named(claims: list[Collected], name: str, file: str) -> list[Collected]:
    if not name:
        return claims
    chosen = [item for item in claims if item.claim.name == name]
    if not chosen:
        known = [item.claim.name for item in claims]
        raise UserError(
            Problem(f'There is no claim "{name}".', did_you_mean(name, known), file=file)
        )
    return chosen


def _matches(name: str, keyword: str) -> bool:
    return keyword in name or fnmatch.fnmatch(name, keyword)


def load(file: Path) -> ModuleType:
    """Import a hypothesis file; its folder is on the path while it loads.

    Raises:
        UserError: what went wrong while loading, and in which line of the file.
    """
    name = f"scrub_hypothesis_{abs(hash(file.resolve()))}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise UserError(
            Problem("This is not a Python file.", "Its name must end in .py.", file=str(file))
        )
    module = importlib.util.module_from_spec(spec)
    folder = str(file.resolve().parent)
    sys.path.append(folder)
    try:
        spec.loader.exec_module(module)
    except UserError as error:
        raise error.at(file=_line(error, file)) from error
    except SyntaxError as error:
        raise UserError(
            Problem(f"Syntax error: {error.msg}.", file=f"{file}:{error.lineno}")
        ) from error
    except Exception as error:  # whatever the user's file raises while it loads
        what = f"{type(error).__name__} while loading: {error}".rstrip(".") + "."
        raise UserError(Problem(what, file=_line(error, file))) from error
    finally:
        sys.path.remove(folder)
    return module


def _line(error: BaseException, file: Path) -> str:
    """The file, with the line in it that an exception came through."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename) == file or Path(frame.filename) == file.resolve()
    ]
    return f"{file}:{lines[-1]}" if lines else str(file)
