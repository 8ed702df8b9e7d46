"""Which files hold claims, and which hold tests; without executing them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path


def is_test_file(path: Path, root: Path, patterns: Sequence[str]) -> bool:
    """Whether a file matches one of some patterns, by its name or by its path below the root."""
    below = path.relative_to(root) if path.is_relative_to(root) else path
    return any(
        fnmatch(below.as_posix() if "/" in pattern else path.name, pattern) for pattern in patterns
    )


def holds_claims(path: Path) -> bool:
    """Whether a file may hold claims: it imports scrub.

    A file that mentions scrub and cannot be parsed is one too: what is wrong with it is to be said.
    """
    try:
        if b"scrub" not in path.read_bytes():
            return False
    except OSError:
        return False
    from scrub.hypothesis.collect import left_out

    return not left_out(path)


def holds_tests(path: Path) -> bool:
    """Whether a file defines tests at its top level, by the names that pytest takes by default."""
    try:
        statements = ast.parse(path.read_bytes()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # what the parser raises
        return False
    return any(name.startswith(("test", "Test")) for name in map(_defines, statements))


def _defines(statement: ast.stmt) -> str:
    """The name that a statement defines; "" if it is none."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return statement.name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case _:
            return ""
