"""Execute a hypothesis file as a module; what goes wrong says in which line of it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

from scrub.errors import Problem, UserError, did_you_mean, in_words, line_of
from scrub.hypothesis.sibling_modules import new_module


def load(path: Path, shown: str | None = None) -> ModuleType:
    """Execute a hypothesis file; it finds the modules beside it.

    See `scrub.hypothesis.sibling_modules`.

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
