"""Collect the claims and behaviours of hypothesis files. No model is loaded here."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from scrub.errors import NoClaimError, Problem, UserError, did_you_mean
from scrub.hypothesis.behaviour import Behaviour
from scrub.hypothesis.claim import Claim, definitions_made, unwrapped
from scrub.hypothesis.keywords import selector
from scrub.hypothesis.load_file import load
from scrub.hypothesis.start_directory import started_in

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


def collected(claim: Claim) -> Collected:
    """A claim as the file says that it stands in, about the model that the file names."""
    scope = getattr(unwrapped(claim.build), "__globals__", {})
    model = claim.model if claim.model is not None else scope.get("MODEL")
    return Collected(Path(scope.get("__file__", "")).name, claim, model)


@frozen(eq=False)
class CollectedBehaviour:
    """A behaviour, the file it stands in, and the model that it is about by default.

    Attributes:
        file: what messages call the file.
        path: where it is, whatever directory one works in.
        variable: the file's variable that holds it; "" where none does.
    """

    file: str
    behaviour: Behaviour
    model: object
    path: Path = Path()
    variable: str = ""

    @property
    def name(self) -> str:
        return f"{self.file}::{self.behaviour.name}" if self.file else self.behaviour.name


@frozen
class Definitions:
    """The claims and the behaviours of a file, in the order in which they were made."""

    claims: tuple[Collected, ...] = ()
    behaviours: tuple[CollectedBehaviour, ...] = ()


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
    known: dict[Path, Definitions] = {}
    found: list[Collected] = []
    problems: list[Problem] = []
    for target in targets:
        path, _, name = target.partition("::")
        try:
            for file, shown in hypothesis_files(here, path, note).items():
                if file not in known:
                    known[file] = Definitions()
                    known[file] = definitions(file, shown)
                there = known[file]
                found += named(list(there.claims), name, shown, there.behaviours)
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
            behaviours = [item for file in known.values() for item in file.behaviours]
            raise NoClaimError(f"No claim found in {where}. {_instead(behaviours)}")
        names = ", ".join(item.claim.name for item in unique)
        raise NoClaimError(f'No claim in {where} matches -k "{keyword}". There are: {names}.')
    return chosen


def _instead(behaviours: Sequence[CollectedBehaviour]) -> str:
    """What to do with files that hold no claim."""
    if not behaviours:
        return "Decorate a function with @claim(…)."
    names = ", ".join(item.behaviour.name for item in behaviours)
    are = "There is the behaviour" if len(behaviours) == 1 else "There are the behaviours"
    return (
        f"{are} {names}, which `scrub patch {behaviours[0].name}` sweeps; "
        "a claim is a function decorated with @claim(…)."
    )


def collect_behaviour(target: str, here: Path | None = None) -> CollectedBehaviour:
    """The behaviour of a `FILE::BEHAVIOUR` target; or of a file that has but one.

    Raises:
        UserError: the file cannot be loaded, has no such behaviour, or several and none is named.
        NoClaimError: it has none.
    """
    path, _, name = target.partition("::")
    place = (here or started_in()) / path
    if place.is_dir():
        raise UserError(f"{path} is a folder. Name a behaviour: FILE::BEHAVIOUR.")
    ((file, shown),) = hypothesis_files(here or started_in(), path, lambda text: None).items()
    there = definitions(file, shown)
    started_in()  # the file may have deleted it
    names = [item.behaviour.name for item in there.behaviours]
    if not names:
        raise NoClaimError(
            f"No behaviour found in {path}. Decorate a function with @behaviour(…), or make one: "
            "ioi.behaviour(1_000)."
        )
    if not name and len(names) > 1:
        listed = ", ".join(names)
        raise UserError(
            f"A sweep is of one behaviour, and {path} has {len(names)}. Name one, as in "
            f"{there.behaviours[0].name}; there are: {listed}."
        )
    if name and name not in names:
        hint = did_you_mean(name, names)
        raise UserError(Problem(f'There is no behaviour "{name}".', hint, file=shown))
    return next(item for item in there.behaviours if name in ("", item.behaviour.name))


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
        why = {file: left_out(file) for file in sorted(place.glob("*.py"))}
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
    return [folder for folder in there if any(not left_out(file) for file in folder.glob("*.py"))]


def left_out(file: Path) -> str:
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


def definitions(path: Path, file: str) -> Definitions:
    """The claims and behaviours of a file, each once, in the order in which they were made.

    Those that its variables hold, by themselves or in lists and the like; and those that it made
    and holds no more, as in a loop of which only the last has a name.

    Raises:
        UserError: it cannot be loaded, or different claims (or behaviours) of it have one name.
    """
    with definitions_made() as made:
        module = load(path, file)
    held = _defined_in(vars(module).values())
    here = [item for item in made if Path(item.made[0]) == path]
    imported = [item for item in held if item not in here]
    every = list(dict.fromkeys([*imported, *here]))
    claims = [item for item in every if isinstance(item, Claim)]
    behaviours = [item for item in every if isinstance(item, Behaviour)]
    problems = [
        *_of_one_name(claims, "claim", path, file),
        *_of_one_name(behaviours, "behaviour", path, file),
    ]
    if problems:
        raise UserError(*problems)
    default = getattr(module, "MODEL", None)

    def model(item: Claim | Behaviour) -> object:
        return item.model if item.model is not None else default

    variables = {id(value): name for name, value in vars(module).items()}
    return Definitions(
        tuple(Collected(file, claim, model(claim), path) for claim in claims),
        tuple(
            CollectedBehaviour(file, item, model(item), path, variables.get(id(item), ""))
            for item in behaviours
        ),
    )


def _of_one_name(
    made: Sequence[Claim] | Sequence[Behaviour], kind: str, path: Path, file: str
) -> list[Problem]:
    """A problem for each name that several have."""
    return [
        Problem(
            f'{len(alike)} {kind}s are called "{name}": they are made in {_lines(alike, path)}.',
            f'Give each a name of its own: @{kind}(name="…", …).',
            file=file,
        )
        for name in dict.fromkeys(item.name for item in made)
        if len(alike := [item for item in made if item.name == name]) > 1
    ]


def _defined_in(values: Iterable[object]) -> list[Any]:
    """The claims and behaviours among values, and in the lists, tuples, sets and mappings there."""
    found: dict[Any, None] = {}
    waiting, seen = list(values)[::-1], set[int]()
    while waiting:
        value = waiting.pop()
        if isinstance(value, Claim | Behaviour):
            found[value] = None
        elif isinstance(value, list | tuple | set | frozenset | dict) and id(value) not in seen:
            seen.add(id(value))
            if isinstance(value, set | frozenset):
                inner = sorted(_defined_in(list(value)), key=lambda one: (one.made, one.name))
            else:
                inner = list(value.values() if isinstance(value, dict) else value)
            waiting += inner[::-1]
    return list(found)


def _lines(claims: Sequence[Claim | Behaviour], path: Path) -> str:
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


def named(
    claims: list[Collected], name: str, file: str, beside: Sequence[CollectedBehaviour] = ()
) -> list[Collected]:
    """The claim of this name, or all if it is empty.

    Args:
        beside: the behaviours of the same file.

    Raises:
        UserError: there is none.
    """
    if not name:
        return claims
    chosen = [item for item in claims if item.claim.name == name]
    if not chosen:
        known = [item.claim.name for item in claims]
        hint = did_you_mean(name, known) if known else "The file declares none."
        if name in [item.behaviour.name for item in beside]:
            hint = f"It is a behaviour: scrub patch {file}::{name} sweeps it."
        raise UserError(Problem(f'There is no claim "{name}".', hint, file=file))
    return chosen
