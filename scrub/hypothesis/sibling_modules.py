"""Modules beside a hypothesis file: each file finds those of its own folder, whenever it asks.

A folder's files are modules of a package that only they see, so that two folders may each have a
`helper.py`. What the files import is looked for there first, as Python does for a script, at the
time of the import: while the file is loaded, or later in a claim's function.
"""

from __future__ import annotations

import builtins
import hashlib
import importlib
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

PREFIX = "_scrub_beside_"


class _Loader(SourceFileLoader):
    """Loads a file so that its import statements look beside it first."""

    def exec_module(self, module: ModuleType) -> None:
        package = module.__name__.partition(".")[0]
        imports = {"__import__": partial(_import, package)}
        module.__dict__["__builtins__"] = vars(builtins) | imports
        super().exec_module(module)


class _Finder:
    """Finds the modules of our packages."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith(PREFIX):
            return None
        found = PathFinder.find_spec(name, path, target)
        if found is not None and isinstance(found.loader, SourceFileLoader):
            found.loader = _Loader(name, found.loader.path)
        return found


def new_module(file: Path) -> ModuleType:
    """A module for a hypothesis file, not yet executed: `module.__spec__.loader.exec_module`.

    A file that is loaded twice is another module each time.
    """
    file = file.resolve()
    name = f"{_package(file.parent)}.{file.stem.replace('.', '_')}"
    spec = spec_from_loader(name, _Loader(name, str(file)))
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look a class's module up there
    return module


def imported(module: ModuleType, name: str) -> ModuleType | None:
    """The loaded module that `import NAME` in a module means; None where it is not loaded."""
    package = module.__name__.partition(".")[0]
    own = sys.modules.get(f"{package}.{name}") if package.startswith(PREFIX) else None
    return own or sys.modules.get(name)


def loaded_files() -> set[Path]:
    """The files of all loaded modules of hypothesis files, and of those beside them."""
    found = (getattr(module, "__file__", None) for module in _loaded().values())
    return {Path(file) for file in found if file is not None}


def forget_modules() -> None:
    """Let go of all modules of hypothesis files and beside them: imports read them anew."""
    gone = _loaded()
    for name in [name for name, module in list(sys.modules.items()) if module in gone.values()]:
        del sys.modules[name]  # pickles know a module by its bare name too
    importlib.invalidate_caches()  # a file may have come meanwhile


def _loaded() -> dict[str, ModuleType]:
    """Modules of our packages, but not these themselves, by name."""
    every = list(sys.modules.items())
    return {name: found for name, found in every if name.startswith(PREFIX) and "." in name}


def _package(folder: Path) -> str:
    """The name of a folder's package, which is made if it is not there."""
    name = PREFIX + hashlib.sha256(str(folder).encode(errors="surrogateescape")).hexdigest()[:12]
    if name not in sys.modules:
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)  # before the one that finds them as any other module
    return name


def _import(
    package: str,
    name: str,
    variables: Mapping[str, Any] | None = None,
    local: Mapping[str, Any] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """What `import NAME` does in a file of a package, in the place of `builtins.__import__`."""
    top, (folder,) = name.partition(".")[0], sys.modules[package].__path__
    if level == 0 and _is_beside(Path(folder), top):
        return _import_beside(package, name, variables, local, fromlist)
    try:
        return builtins.__import__(name, variables, local, fromlist or (), level)
    except ModuleNotFoundError as error:
        if error.name == top and PathFinder.find_spec(top, [folder]):  # a folder of modules
            return _import_beside(package, name, variables, local, fromlist)
        raise


def _is_beside(folder: Path, top: str) -> bool:
    """Whether a folder has a module of this name, which stands before all but Python's own."""
    if top in sys.stdlib_module_names or top == "scrub":
        return False
    return (folder / f"{top}.py").is_file() or (folder / top / "__init__.py").is_file()


def _import_beside(
    package: str,
    name: str,
    variables: Mapping[str, Any] | None,
    local: Mapping[str, Any] | None,
    fromlist: Sequence[str] | None,
) -> ModuleType:
    whole = f"{package}.{name}"
    found = builtins.__import__(whole, variables, local, fromlist or (), 0)
    top = sys.modules[f"{package}.{name.partition('.')[0]}"]
    if top.__file__ is not None:  # what was pickled has this name
        sys.modules.setdefault(top.__name__.removeprefix(f"{package}."), top)
    return found if fromlist else top
