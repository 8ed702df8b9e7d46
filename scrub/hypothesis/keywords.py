"""`-k` expressions: which names they select."""

from __future__ import annotations

import ast
import fnmatch
import re
from collections.abc import Callable

from scrub.errors import UserError


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
