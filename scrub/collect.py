"""Collect the claims of hypothesis files. No model is loaded here."""

from __future__ import annotations

import ast
import fnmatch
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

from attrs import frozen

from scrub.beside import new_module
from scrub.errors import NoClaimError, Problem, UserError, did_you_mean, in_words, line_of
from scrub.hypothesis import Claim, claims_made
from scrub.outputs import started_in

NAMED = 5
"""Files that a folder's note names; of more it says how many they are."""


@frozen(eq=False)
class Collected:
    """A claim, the file it stands in, and the model that it is about by default.

    Attributes:
        file: what messages call the file.
        path: where it is, whatever directory one works in.
    """

    file: str
    claim: Claim
    model: object
    path: Path = Path()

    @property
    def name(self) -> str:
        return f"{self.file}::{self.claim.name}"


def collect(
    targets: Iterable[str],
    here: Path | None = None,
    *,
    keyword: str = "",
    note: Callable[[str], None] = lambda text: None,
) -> list[Collected]:
    """The claims of `PATH[::CLAIM]` targets, in the order in which their files make them.

    Args:
        targets: files, folders, or files with `::claim`.
        here: from where (default: where one works; a file that is loaded may change that).
        keyword: keep only claims whose names it selects: see `selector`.
        note: is told which files of a folder are left out.

    Raises:
        UserError: every target that cannot be loaded, or names a claim that is not there.
        NoClaimError: there is none left.
    """
    targets = list(targets)
    selected = selector(keyword)
    here = here or started_in()
    known: dict[Path, list[Collected]] = {}
    found: list[Collected] = []
    problems: list[Problem] = []
    for target in targets:
        path, _, name = target.partition("::")
        try:
            for file, shown in hypothesis_files(here, path, note).items():
                if file not in known:
                    known[file] = []
                    known[file] = _claims(file, shown)
                found += named(known[file], name, shown)
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(*dict.fromkeys(problems))
    started_in()  # a file may have deleted it
    unique = list({id(item): item for item in found}.values())
    chosen = [item for item in unique if selected(item.claim.name)]
    if not chosen:
        where = " ".join(targets)
        if not unique:
            raise NoClaimError(f"No claim found in {where}. Decorate a function with @claim(…).")
        there = ", ".join(item.claim.name for item in unique)
        raise NoClaimError(f'No claim in {where} matches -k "{keyword}". There are: {there}.')
    return chosen


def hypothesis_files(here: Path, path: str, note: Callable[[str], None]) -> dict[Path, str]:
    """The file of a path from here; or of a folder the Python files in it that import scrub.

    No file is executed to tell. Those of a folder that are left out are said, in one line; so are
    folders in it, which may be packages that hypothesis files use.

    Returns:
        Whole paths, with links resolved, and what messages call them.

    Raises:
        UserError: there is no such file.
    """
    place = here / path
    if place.is_dir():
        why = {file: _left_out(file) for file in sorted(place.glob("*.py"))}
        out = [f"{file.name} ({reason})" for file, reason in why.items() if reason]
        out += [f"{folder.name}/ (a folder: name it too)" for folder in _folders(place)]
        if out:
            more = f" and {len(out) - NAMED} more" if len(out) > NAMED else ""
            note(f"left out of {path}: {', '.join(out[:NAMED])}{more}")
        return {f.resolve(): str(Path(path) / f.name) for f, reason in why.items() if not reason}
    if not place.exists():
        beside = sorted(place.parent.glob("*.py")) if place.parent.is_dir() else []
        near = [str(Path(path).parent / file.name) for file in beside]
        hint = did_you_mean(path, near) if near else "Give the path of a hypothesis file."
        if place.is_symlink():
            raise UserError(Problem("This is a link that leads to no file.", file=path))
        raise UserError(Problem("There is no such file.", hint, file=path))
    return {place.resolve(): str(Path(path))}


def _folders(place: Path) -> list[Path]:
    """Folders in a folder that have Python files which may hold claims."""
    there = sorted(path for path in place.glob("*") if path.is_dir() and path.name[0] not in "._")
    return [folder for folder in there if any(not _left_out(file) for file in folder.glob("*.py"))]


def _left_out(file: Path) -> str:
    """Why a file in a folder is not taken for a hypothesis file; "" if it is."""
    if not file.is_file():
        return "not a file"
    if file.name.startswith("_"):
        return "its name begins with _"
    try:
        text = file.read_bytes()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    try:
        imported = set(_imported(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # what the parser raises
        return "" if b"scrub" in text else "not Python"
    return "" if "scrub" in imported else "does not import scrub"


def _imported(tree: ast.Module) -> Iterator[str]:
    """The first parts of all names that a file imports."""
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            yield statement.module.partition(".")[0]


def _claims(path: Path, file: str) -> list[Collected]:
    """The claims of a file, each once, in the order in which they were made.

    Those that its variables hold, by themselves or in lists and the like; and those that it made
    and holds no more, as in a loop of which only the last has a name.

    Raises:
        UserError: it cannot be loaded, or different claims of it have one name.
    """
    with claims_made() as made:
        module = load(path, file)
    held = _claims_in(vars(module).values())
    here = [claim for claim in made if Path(claim.made[0]) == path]
    imported = [claim for claim in held if claim not in here]
    claims = list(dict.fromkeys([*imported, *here]))
    problems = [
        Problem(
            f'{len(alike)} claims are called "{name}": they are made in {_lines(alike, path)}.',
            'Give each a name of its own: @claim(name="…", …).',
            file=file,
        )
        for name in dict.fromkeys(claim.name for claim in claims)
        if len(alike := [claim for claim in claims if claim.name == name]) > 1
    ]
    if problems:
        raise UserError(*problems)
    default = getattr(module, "MODEL", None)
    return [
        Collected(file, claim, claim.model if claim.model is not None else default, path)
        for claim in claims
    ]


def _claims_in(values: Iterable[object]) -> list[Claim]:
    """The claims among values, and in the lists, tuples, sets and mappings among them."""
    found: dict[Claim, None] = {}
    waiting, seen = list(values)[::-1], set[int]()
    while waiting:
        value = waiting.pop()
        if isinstance(value, Claim):
            found[value] = None
        elif isinstance(value, list | tuple | set | frozenset | dict) and id(value) not in seen:
            seen.add(id(value))
            inner = value.values() if isinstance(value, dict) else value
            waiting += list(inner)[::-1]
    return list(found)


def _lines(claims: Sequence[Claim], path: Path) -> str:
    """Where claims are made: "line 12 (3 times) and other.py:4"."""
    places = [
        f"line {line}" if Path(file) == path else f"{Path(file).name}:{line}"
        for file, line in (claim.made for claim in claims)
    ]
    counted = [
        f"{place} ({count} times)" if count > 1 else place
        for place, count in Counter(places).items()
    ]
    return " and ".join(counted)


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


def load(path: Path, shown: str | None = None) -> ModuleType:
    """Execute a hypothesis file; it finds the modules beside it (see `scrub.beside`).

    Args:
        shown: what messages call the file (default: its path).

    Raises:
        UserError: what went wrong while loading, and in which line of the file.
    """
    file = Path(path if shown is None else shown)
    if path.suffix != ".py":
        raise UserError(
            Problem("This is not a Python file.", "Its name must end in .py.", file=str(file))
        )
    module = new_module(path)
    folder = str(path.resolve().parent)
    sys.path.append(folder)
    try:
        assert module.__spec__ is not None
        assert module.__spec__.loader is not None
        module.__spec__.loader.exec_module(module)
    except UserError as error:
        raise error.at(file=_place(error, path, file)) from error
    except SyntaxError as error:
        there = Path(error.filename or path)  # a module that it imports, perhaps
        here = file if there.resolve() == path.resolve() else there
        place = f"{here}:{error.lineno}" if error.lineno else str(here)
        raise UserError(Problem(f"Syntax error: {error.msg}.", file=place)) from error
    except ImportError as error:
        raise UserError(_import_problem(error, _place(error, path, file))) from error
    except SystemExit as error:
        fix = "A hypothesis file declares claims; scrub runs them."
        raise UserError(
            Problem("It exits while loading.", fix, file=_place(error, path, file))
        ) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever the user's file raises while it loads
        what = f"Loading it failed: {in_words(error)}."
        raise UserError(Problem(what, file=_place(error, path, file))) from error
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
    absent = isinstance(error, ModuleNotFoundError)
    hint = "Install it, or put it beside the file." if absent else ""
    return Problem(f"Loading it failed: {in_words(error)}.", hint, file=place)


def _place(error: BaseException, path: Path, shown: Path) -> str:
    """The file, with the line in it that an exception came through."""
    line = line_of(error, path)
    return f"{shown}:{line}" if line else str(shown)
