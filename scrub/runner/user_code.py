"""Calls into the user's code: whatever it raises names the claim and the line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from scrub.errors import UserError, in_line, in_words
from scrub.hypothesis.claim import Claim

RUNNING = "Running it"
"""What `located` says was done."""


def call_users(function: Callable[..., Any], *arguments: Any, doing: str) -> Any:
    """Call a function of the user's file. What it raises is a UserError that says the line."""
    try:
        return function(*arguments)
    except (UserError, KeyboardInterrupt):
        raise
    except BaseException as error:  # whatever the user's function raises, sys.exit() too
        where = in_line(error, _file(function))
        raise UserError(f"{doing} failed{where}: {in_words(error)}.") from error


def _file(function: Callable[..., Any]) -> str:
    code = getattr(function, "__code__", None)
    return code.co_filename if code else ""


@contextmanager
def located(file: str, claim: Claim, doing: str) -> Iterator[None]:
    """Errors of the user's say in which claim, and where it can be told in which line."""
    try:
        yield
    except UserError as error:
        raise error.at(file=file, claim=claim.name) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # in the user's code sys.exit() is an error like any other
        where = in_line(error, _file(claim.build))
        if not where:
            raise
        problem = UserError(f"{doing} failed{where}: {in_words(error)}.")
        raise problem.at(file=file, claim=claim.name) from error
