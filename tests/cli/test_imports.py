"""What is imported by `python -m scrub`: it must not wait for torch where it need not.

What each command loads is in `test_light_commands.py`.
"""

from __future__ import annotations

from support.command import python


def _imported(*arguments: str) -> set[str]:
    lines = python("-X", "importtime", "-m", "scrub", *arguments).err.splitlines()
    names = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time")}
    assert "click" in names
    return names


def test_heavy_modules_are_imported_where_they_are_needed() -> None:
    heavy = {"torch", "pandas", "transformers", "transformer_lens", "scipy"}
    for arguments in (("--help",), ("test", "--help"), ("test", "nowhere.py")):
        assert not heavy & _imported(*arguments), arguments
