"""Collect the claims of hypothesis files. No model is loaded here."""

from __future__ import annotations

import ast
import fnmatch
import importlib.util
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

from attrs import frozen

from scrub.errors import NoClaimError, Problem, UserError, did_you_mean, in_words, line_of
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
        keyword: keep only claims whose names it selects: see `selector`.

    Raises:
        UserError: every target that cannot be loaded, or names a claim that is not there.
        NoClaimError: there is none left.
    """
    targets = list(targets)
    selected = selector(keyword)
    found: list[Collected] = []
    problems: list[Problem] = []
    for target in targets:
        path, _, name = target.partition("::")
        try:
            for file in _files(path):
                found += named(_claims(file), name, str(file))
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(*problems)
    unique = {item.name: item for item in found}
    chosen = [item for item in unique.values() if selected(item.claim.name)]
    if not chosen:
        where = " ".join(targets)
        if not unique:
            raise NoClaimError(f"No claim found in {where}. Decorate a function with @claim(…).")
        there = ", ".join(item.claim.name for item in unique.values())
        raise NoClaimError(f'No claim in {where} matches -k "{keyword}". There are: {there}.')
    return chosen


def _files(path: str) -> list[Path]:
    here = Path(path)
    if here.is_dir():
        return sorted(file for file in here.glob("*.py") if not file.name.startswith("_"))
    if not here.exists():
        near = sorted(map(str, here.parent.glob("*.py"))) if here.parent.is_dir() else []
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


def named(claims: list[Collected], name: str, file: str) -> list[Collected]:
    """The claim of this name, or all if it is empty.

    Raises:
        UserError: there is none.
    """
    if not name:
        return claims
    chosen = [item for item in claims if item.claim.name == name]
    if not chosen:
        known = [item.claim.name for item in claims]
        hint = did_you_mean(name, known) if known else "The file declares none."
        raise UserError(Problem(f'There is no claim "{name}".', hint, file=file))
    return chosen


def selector(keyword: str) -> Callable[[str], bool]:
    """Which names a `-k` expression selects; all, if it is empty.

    A word selects the names that contain it (or match it, with * and ?); words are joined by
    `and`, `or`, `not` and parentheses: "position and not absolute".

    Raises:
        UserError: it is no such expression.
    """
    if not keyword.strip():
        return lambda name: True
    words: dict[str, str] = {}
    source = ""
    for part in re.findall(r"[()]|[^\s()]+", keyword):
        if part not in ("and", "or", "not", "(", ")"):
            words[f"_{len(words)}"] = part
            part = f"_{len(words) - 1}"
        source += f" {part}"
    allowed = (ast.Expression, ast.BoolOp, ast.UnaryOp, ast.Name, ast.boolop, ast.Not, ast.Load)
    try:
        tree = ast.parse(source.strip(), mode="eval")
    except SyntaxError:
        tree = None
    if tree is None or not all(isinstance(node, allowed) for node in ast.walk(tree)):
        raise UserError(
            f'-k "{keyword}" is not an expression. '
            'Join words by and, or, not: -k "position and not absolute".'
        )
    code = compile(tree, "-k", "eval")

    def selects(name: str) -> bool:
        has = {key: word in name or fnmatch.fnmatch(name, word) for key, word in words.items()}
        return bool(eval(code, {"__builtins__": {}}, has))

    return selects


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
    sys.modules[name] = module  # dataclasses and pickle look a class's module up there
    try:
        spec.loader.exec_module(module)
    except UserError as error:
        raise error.at(file=_place(error, file)) from error
    except SyntaxError as error:
        there = Path(error.filename or file)  # a module that it imports, perhaps
        here = file if there.resolve() == file.resolve() else there
        place = f"{here}:{error.lineno}" if error.lineno else str(here)
        raise UserError(Problem(f"Syntax error: {error.msg}.", file=place)) from error
    except ImportError as error:
        raise UserError(_import_problem(error, _place(error, file))) from error
    except SystemExit as error:
        fix = "A hypothesis file declares claims; scrub runs them."
        raise UserError(
            Problem("It exits while loading.", fix, file=_place(error, file))
        ) from error
    except Exception as error:  # whatever the user's file raises while it loads
        what = f"Loading it failed: {in_words(error)}."
        raise UserError(Problem(what, file=_place(error, file))) from error
    finally:
        sys.path.remove(folder)
    return module


def _public(module: ModuleType) -> list[str]:
    """What a module offers: what it says, or else what it defines."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    defined = {
        n for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__
    }
    return sorted(name for name in defined if not name.startswith("_"))


def _import_problem(error: ImportError, place: str) -> Problem:
    missing = re.match(r"cannot import name '(\w+)' from '(scrub(?:\.\w+)*)' ", str(error))
    if missing:
        name, module = missing.groups()
        hint = did_you_mean(name, _public(sys.modules[module]))
        return Problem(f'There is no "{name}" in {module}.', hint, file=place)
    hint = "Install it, or put it beside the file." if error.name else ""
    return Problem(f"Loading it failed: {in_words(error)}.", hint, file=place)


def _place(error: BaseException, file: Path) -> str:
    """The file, with the line in it that an exception came through."""
    line = line_of(error, file)
    return f"{file}:{line}" if line else str(file)
