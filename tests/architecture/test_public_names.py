"""Every public name says what it is, and importing the package loads nothing heavy."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest

import scrub
from scrub import datasets, metrics, observe, samplers, testing
from support.command import python
from support.paths import ROOT

DATASETS = [
    importlib.import_module(f"scrub.datasets.{found.name}")
    for found in pkgutil.iter_modules(datasets.__path__)
]


def plain(value: object) -> bool:
    """Whether it is data of a type of Python's: a docstring would be that of the type."""
    named = inspect.isclass(value) or inspect.isfunction(value)
    return not named and type(value).__module__ in ("builtins", "typing")


def public(module: ModuleType) -> list[str]:
    """What `__all__` lists; without one, what is defined here and has no underscore."""
    here = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    ]
    names = getattr(module, "__all__", here)
    return sorted(name for name in names if not plain(getattr(module, name)))


NAMES = [
    pytest.param(getattr(module, name), id=f"{module.__name__}.{name}")
    for module in (scrub, metrics, observe, samplers, testing, *DATASETS)
    for name in public(module)
]


def documented(value: object) -> bool:
    """Whether a class, function or instance of a class of ours has a sentence to say."""
    where = value if inspect.isclass(value) or inspect.isfunction(value) else type(value)
    text = vars(where).get("__doc__") if inspect.isclass(where) else where.__doc__
    first, *_ = inspect.cleandoc(text or "").split("\n\n")
    return len(first.split()) > 2 and first.endswith((".", ":", "?"))


@pytest.mark.parametrize("value", NAMES)
def test_every_public_name_is_documented(value: object) -> None:
    assert documented(value)


def test_what_is_not_documented_is_found() -> None:
    class Inherits(scrub.Agree): ...

    def word() -> None:
        """Prompts"""

    for value in (Inherits, Inherits("x"), word, lambda: None):
        assert not documented(value)


# What an import costs

LIGHT = ("scrub", "scrub.cli", "scrub.samplers", "scrub.testing", "scrub.metrics")
HEAVY = {"torch", "pandas", "scipy", "matplotlib", "transformers", "transformer_lens"}


def test_importing_loads_nothing_heavy() -> None:
    """`scrub --help` neither: tests/cli/test_imports.py."""
    code = f"import sys, {', '.join(LIGHT)}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    assert python("-c", code).out == "\n"
    code = code.replace("print", "import scipy; print", 1)
    assert "scipy" in python("-c", code).out.split(), "this test sees what is loaded"


@pytest.mark.parametrize(
    "file",
    [
        path
        for path in sorted((ROOT / "scrub").rglob("__init__.py"))
        if path.parent.name not in ("scrub", "datasets", "testing")  # these load on demand
    ],
    ids=lambda path: path.parent.name,
)
def test_packages_are_empty_or_only_import(file: Path) -> None:
    """From themselves alone: what is imported here is loaded with any module of the package."""
    package = ".".join(file.parent.relative_to(ROOT).parts)
    docstring, *body = ast.parse(file.read_text(encoding="utf-8")).body
    assert isinstance(docstring, ast.Expr)
    for statement in body:
        if isinstance(statement, ast.ImportFrom):
            assert (statement.module or "").startswith(f"{package}.")
        else:
            assert isinstance(statement, ast.Assign)
            assert [ast.unparse(target) for target in statement.targets] == ["__all__"]
