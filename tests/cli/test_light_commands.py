"""Help, bad options and misspelt files answer without torch; each command has its own file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scrub.cli.main import group
from support.command import IOI, ROOT, python

HEAVY = ("torch", "pandas", "scipy", "rich", "matplotlib", "transformers", "transformer_lens")
TARGETS = {"show": ["--row", "0"], "compare": ["nowhere.py"], "matrix": ["--out", "nowhere"]}
"""Further arguments that a command cannot do without."""
RUN = """
import contextlib, io, json, sys
from scrub.cli.main import main
found = []
for arguments in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            main(arguments)
        except SystemExit as finished:
            code = finished.code
    found.append((code, sorted(sys.modules)))
print(json.dumps(found))
"""


def loaded(*commands: list[str]) -> list[tuple[int, set[str]]]:
    """Of commands that one new process runs in turn: exit codes, and what is loaded by then."""
    done = python("-c", RUN, json.dumps(commands))
    assert done.err == ""
    return [(code, set(modules)) for code, modules in json.loads(done.out)]


def test_help_bad_options_and_misspelt_files_load_nothing_heavy() -> None:
    commands = [["--help"], ["--version"], ["tset"]]
    for name in group.commands:
        more = TARGETS.get(name, [])
        commands += [
            [name, "--help"],
            [name, "nowhere.py", *more, "--smaples", "10"],
            [name, "nowhere.py", *more],
        ]
    for arguments, (code, modules) in zip(commands, loaded(*commands), strict=True):
        answered = arguments[-1] in ("--help", "--version")
        assert code == (0 if answered else 2), arguments
        assert not modules.intersection(HEAVY), arguments


def test_commands_on_embedded_models_load_no_transformers() -> None:
    """What a command loads is seen: torch. It stays loaded for the next, in one process."""
    check, test, refused = loaded(
        ["check", IOI],
        ["test", IOI, "--samples", "20", "--no-diagnose"],
        ["test", IOI, "--model", "ioi-plantde"],
    )
    assert (check[0], refused[0]) == (0, 2)
    assert "torch" in check[1]
    assert "scrub.report.terminal" in test[1]
    assert not {"transformers", "transformer_lens", "huggingface_hub", "matplotlib"} & test[1]
    assert not {"transformers", "transformer_lens"} & refused[1]


@pytest.mark.parametrize("name", group.commands)
def test_a_command_is_defined_in_the_file_of_its_name(name: str) -> None:
    callback = group.commands[name].callback
    assert callback is not None
    assert Path(callback.__code__.co_filename) == ROOT / "scrub" / "cli" / f"{name}.py"
