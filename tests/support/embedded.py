"""The embedded models, as messages list them."""

from __future__ import annotations

NAMES = (
    "comparisons-planted",
    "comparisons-value",
    "contractions-copying",
    "contractions-pattern",
    "contractions-planted",
    "greater-century",
    "greater-planted",
    "ioi-planted",
    "ioi-planted-2",
    "ioi-shortcut",
    "marks-separate",
    "marks-shared",
    "numbers-separate",
    "numbers-shared",
    "parens",
    "rgb-planted",
    "rgb-shortcut",
    "sequences-offset",
    "sequences-planted",
    "sequences-separate",
)
LISTED = ", ".join(NAMES)
OF_TEXT = tuple(name for name in NAMES if name != "parens" and not name.startswith("rgb"))
"""Those with a tokenizer and roles, that read no images."""
