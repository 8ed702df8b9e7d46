"""Exit codes, and the messages of errors that end a command."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable

import click

from scrub.cli.streams import flush_or_discard, print_error
from scrub.errors import NoClaimError, UserError, in_line, in_words
from scrub.runner.interrupts import Terminated

AS_EXPECTED, UNEXPECTED, BAD_INPUT, OUR_FAULT, NO_CLAIM = 0, 1, 2, 3, 5
INTERRUPTED, BROKEN_PIPE, TERMINATED = 130, 141, 143


def exit_code(command: Callable[[], int]) -> int:
    """Run a command. Its exit code is what it returns; an exception is printed and has its own."""
    try:
        code = command()
        sys.stdout.flush()
    except BaseException as error:
        code = _printed(error)
    flush_or_discard(sys.stdout)
    flush_or_discard(sys.stderr)
    return code


def _unbuffered(error: BaseException) -> OSError | None:
    """What went wrong with standard output where nothing is buffered (PYTHONUNBUFFERED).

    An error of a file that is opened has the file's name; scrub handles all its other writing.
    """
    direct = getattr(sys.stdout, "write_through", False)
    return error if direct and isinstance(error, OSError) and error.filename is None else None


def _printed(error: BaseException) -> int:
    """Print an error on standard error; its exit code."""
    match error:
        case UserError():
            for problem in error.problems:
                print_error(f"error: {problem}")
            return NO_CLAIM if isinstance(error, NoClaimError) else BAD_INPUT
        case click.exceptions.Exit():  # after --help and --version
            return error.exit_code
        case click.ClickException():
            with contextlib.suppress(OSError):
                error.show()
            return BAD_INPUT
        case Terminated():
            print_error(": ".join(filter(None, ("terminated", str(error)))))
            return TERMINATED
        case KeyboardInterrupt() | click.Abort():
            print_error(": ".join(filter(None, ("interrupted", str(error)))))
            return INTERRUPTED
        case OSError() | ValueError() if broken := flush_or_discard(sys.stdout) or _unbuffered(
            error
        ):
            if isinstance(broken, BrokenPipeError):  # as in `scrub check … | head`
                return BROKEN_PIPE
            reason = getattr(broken, "strerror", "the user's code closed it")
            print_error(f"error: Standard output cannot be written: {reason}.")
            return BAD_INPUT
        case Exception():  # a bug in scrub: print the traceback
            print_error("".join(traceback.format_exception(error)).rstrip())
            print_error("This is a fault of scrub, not of your file. Please report it.")
            return OUR_FAULT
        case _:  # scrub raises none of these, and a user's sys.exit(0) must not pass for success
            print_error(f"error: The user's code ends scrub{in_line(error)}: {in_words(error)}.")
            return BAD_INPUT
