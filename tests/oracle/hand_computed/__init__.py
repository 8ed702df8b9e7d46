"""Cases of the semantics (docs/semantics.md) whose numbers are worked out by hand.

A case is a function without arguments, and fails where an engine is wrong about it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

from oracle.hand_computed import arithmetic, circuits, heads, patterns

CASES: Mapping[str, Callable[[], None]] = {
    name: case
    for module in (arithmetic, circuits, heads, patterns)
    for name, case in inspect.getmembers(module, inspect.isfunction)
    if case.__module__ == module.__name__ and not inspect.signature(case).parameters
}
