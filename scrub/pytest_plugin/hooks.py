"""What pytest calls: options, and which files are collected.

pytest loads this module by its entry point in every project, so that it imports nothing but pytest:
scrub is imported when a file that may hold claims is collected, torch when one is tested.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from scrub.pytest_plugin.files import holds_claims, holds_tests, is_test_file

SEED_HELP = "Seed of the claims' draws (default: 0)."


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("scrub", "claims about models (scrub)")
    group.addoption(
        "--scrub",
        action="store_true",
        help="Test the claims of every Python file that imports scrub, but of test files.",
    )
    group.addoption(
        "--scrub-model",
        action="append",
        default=[],
        metavar="NAME|DIR",
        help="Test claims on this model, not on those that their files name; may be repeated.",
    )
    group.addoption(
        "--scrub-samples", metavar="N", help="References that each claim draws (default: 1000)."
    )
    group.addoption("--scrub-seed", metavar="K", help=SEED_HELP)
    parser.addini(
        "scrub_files",
        "Hypothesis files, whose claims are tested: patterns such as hypotheses/*.py.",
        type="args",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "scrub: a claim of a hypothesis file (scrub)")
    _whole(config, "--scrub-samples", 1)
    _whole(config, "--scrub-seed", 0)


def _whole(config: pytest.Config, option: str, least: int) -> None:
    given = config.getoption(option)
    if given is not None and not (given.isdecimal() and int(given) >= least):
        raise pytest.UsageError(f"{option} is {given!r}. Give a whole number, {least} or more.")


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """A file's claims, in the place of its tests where it has none.

    pytest imports every file that is named to it, to look for tests. A hypothesis file without
    tests is executed once only, and what is wrong with it is said once.
    """
    found = yield
    if not (_is_asked(file_path, parent.session) and holds_claims(file_path)):
        return found
    from scrub.pytest_plugin.items import ClaimsFile

    tests = found if holds_tests(file_path) else []
    return [*tests, ClaimsFile.from_parent(parent, path=file_path)]


def _is_asked(path: Path, session: pytest.Session) -> bool:
    """Whether the user asks for a file's claims.

    By `scrub_files`, by `--scrub`, or by naming the file or its folder, as in `pytest hypotheses/`.
    Files that pytest takes for tests are asked for by the first alone.
    """
    config = session.config
    if path.suffix != ".py":
        return False
    patterns = config.getini("scrub_files")
    if patterns and is_test_file(path, config.rootpath, patterns):
        return True
    if is_test_file(path, config.rootpath, config.getini("python_files")):
        return False
    if config.getoption("--scrub"):
        return True
    if config.args_source == config.ArgsSource.INVOCATION_DIR:  # nothing was named
        return False
    return session.isinitpath(path) or session.isinitpath(path.parent)
