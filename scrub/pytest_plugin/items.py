"""A hypothesis file as pytest's collector, and its claims as items."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from scrub.errors import Problem, UserError
from scrub.hypothesis.claim import unwrapped
from scrub.hypothesis.collect import Collected, definitions

if TYPE_CHECKING:
    from scrub.pytest_plugin.testing import FileOnModel

BRIEF = 60
"""Characters of a sentence that was said before."""


class ClaimsFile(pytest.File):
    """A hypothesis file. Each of its claims is an item, on each of the models asked for."""

    def collect(self) -> Iterator[ClaimItem]:
        models = self.config.getoption("--scrub-model") or [None]
        claims = definitions(self.path.resolve(), self.nodeid).claims
        for model in models:
            asked = {"model": model, **_numbers(self.config)}
            together = Together(claims, {k: v for k, v in asked.items() if v is not None})
            for claim in claims:
                name = claim.claim.name + (f"[{model}]" if model else "")
                yield ClaimItem.from_parent(self, name=name, collected=claim, together=together)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:
        """A user's mistake as sentences, without the traceback."""
        if isinstance(excinfo.value, UserError):
            return _sentences(excinfo.value)
        return super().repr_failure(excinfo)


def _numbers(config: pytest.Config) -> dict[str, int | None]:
    given = {name: config.getoption(f"--scrub-{name}") for name in ("samples", "seed")}
    return {name: None if value is None else int(value) for name, value in given.items()}


class Together:
    """A file's claims on one model, which are prepared when the first of them is tested.

    Attributes:
        claims: all of the file, whichever pytest selects.
        options: of the run, as in `scrub.runner.options.Options`.
    """

    def __init__(self, claims: tuple[Collected, ...], options: dict[str, Any]) -> None:
        self.claims = claims
        self.options = options
        self._prepared: FileOnModel | None = None
        self._said: dict[tuple[tuple[str, str, str], ...], str] = {}

    def prepared(self, session: pytest.Session) -> FileOnModel:
        if self._prepared is None:
            from scrub.pytest_plugin.testing import prepared_file

            self._prepared = prepared_file(self.claims, self.options, session)
        return self._prepared

    def said_once(self, error: UserError, of: Collected) -> UserError:
        """An error as it is; in short where it was said of another claim, as of a wrong model."""
        first, *more = error.problems
        said = tuple((problem.node, problem.what, problem.fix) for problem in error.problems)
        claim = self._said.setdefault(said, of.claim.name)
        if claim == of.claim.name:
            return error
        rest = f" And {len(more)} more." if more else ""
        what = f"as {claim}: {shorten(first.what, BRIEF, placeholder=' …')}{rest}"
        return UserError(Problem(what, node=first.node, claim=first.claim, file=first.file))


class ClaimItem(pytest.Item):
    """A claim as a test: it passes where its verdict is what its file expects."""

    def __init__(self, *, collected: Collected, together: Together, **known: Any) -> None:
        super().__init__(**known)
        self.collected = collected
        self.together = together
        self.obj = unwrapped(collected.claim.build)
        """What pytest shows the docstring of, and evaluates conditions of marks beside."""
        self.add_marker("scrub")
        for mark in _marks(self.obj):
            self.add_marker(mark)

    def setup(self) -> None:
        """Bind the claim to its model and data, check it, and read the weights."""
        with _sentences_alone():
            try:
                reason = self.together.prepared(self.session).ready(self.collected)
            except UserError as error:
                raise self.together.said_once(error, self.collected) from error
        if reason:
            pytest.skip(reason)

    def runtest(self) -> None:
        width = self.config.get_terminal_writer().fullwidth
        with _sentences_alone():
            tested = self.together.prepared(self.session).tested(self.collected, width)
        self.user_properties += tested.properties
        if tested.failure:
            pytest.fail(tested.failure, pytrace=False)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        file, line = self.collected.claim.made
        is_here = bool(file) and Path(file) == self.path.resolve()
        belief = self.collected.claim.belief
        return self.path, line - 1 if is_here else None, f"{self.name}: {belief or 'a claim'}"


def _marks(build: Any) -> list[Any]:
    """The marks that a hypothesis file gives all of its claims: `pytestmark`."""
    given = getattr(inspect.unwrap(build), "__globals__", {}).get("pytestmark", [])
    return given if isinstance(given, list) else [given]


@contextmanager
def _sentences_alone() -> Iterator[None]:
    """A user's mistake fails the item, without a traceback; which claim it is the item says."""
    try:
        yield
    except UserError as error:
        here = [evolve(problem, file="", claim="") for problem in error.problems]
        raise pytest.fail.Exception("\n".join(map(str, here)), pytrace=False) from None


def _sentences(error: UserError) -> str:
    return "\n".join(f"error: {problem}" for problem in error.problems)
