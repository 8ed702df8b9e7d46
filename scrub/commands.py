"""What the commands share: exit codes, options, and how errors are said.

Heavy modules are imported where they are used: `--help` must not wait.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from scrub.errors import NoClaimError, UserError, in_line, in_words
from scrub.outputs import started_in
from scrub.sizes import EXAMPLES, in_bytes
from scrub.stopping import Terminated
from scrub.streams import say, settled

if TYPE_CHECKING:
    from scrub.options import Options
    from scrub.prepare import Prepared
    from scrub.suite import Outcome

AS_EXPECTED, UNEXPECTED, BAD_INPUT, OUR_FAULT, NO_CLAIM = 0, 1, 2, 3, 5
INTERRUPTED, BROKEN_PIPE, TERMINATED = 130, 141, 143


def exit_code(command: Callable[[], int]) -> int:
    """Run a command: what it returns is the exit code, and its errors become messages."""
    try:
        code = command()
        sys.stdout.flush()
    except BaseException as error:
        code = _explained(error)
    settled(sys.stdout)
    settled(sys.stderr)
    return code


def _unbuffered(error: BaseException) -> OSError | None:
    """What went wrong with standard output where nothing waits to be written (PYTHONUNBUFFERED).

    An error of a file that is opened has its name; all other writing of ours is looked after.
    """
    direct = getattr(sys.stdout, "write_through", False)
    return error if direct and isinstance(error, OSError) and error.filename is None else None


def _explained(error: BaseException) -> int:
    """Say what went wrong, and give the exit code for it."""
    match error:
        case UserError():
            for problem in error.problems:
                say(f"error: {problem}")
            return NO_CLAIM if isinstance(error, NoClaimError) else BAD_INPUT
        case click.exceptions.Exit():  # after --help and --version
            return error.exit_code
        case click.ClickException():
            with contextlib.suppress(OSError):
                error.show()
            return BAD_INPUT
        case Terminated():
            say(": ".join(filter(None, ("terminated", str(error)))))
            return TERMINATED
        case KeyboardInterrupt() | click.Abort():
            say(": ".join(filter(None, ("interrupted", str(error)))))
            return INTERRUPTED
        case OSError() | ValueError() if broken := settled(sys.stdout) or _unbuffered(error):
            if isinstance(broken, BrokenPipeError):  # as in `scrub check … | head`
                return BROKEN_PIPE
            reason = getattr(broken, "strerror", "the user's code closed it")
            say(f"error: Standard output cannot be written: {reason}.")
            return BAD_INPUT
        case Exception():  # a bug of ours: show it whole
            say("".join(traceback.format_exception(error)).rstrip())
            say("This is a fault of scrub, not of your file. Please report it.")
            return OUR_FAULT
        case _:  # no code of ours raises these, and sys.exit(0) must not pass for success
            say(f"error: The user's code ends scrub{in_line(error)}: {in_words(error)}.")
            return BAD_INPUT


MODEL = click.option(
    "--model", metavar="NAME|DIR", help="Use this model instead of the one the file names."
)
KEYWORD = click.option(
    "-k",
    "keyword",
    default="",
    metavar="EXPR",
    help='Only claims whose names match: "position and not absolute".',
)


class Size(click.ParamType):
    """A number of bytes, with or without a unit: 1073741824, 64MB, 1.5GiB."""

    name = "size"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        size = in_bytes(str(value))
        if size is None:
            self.fail(
                f"{value!r} is not a number of bytes. Give one, such as {EXAMPLES}.", param, ctx
            )
        return size


MEMORY = click.option(
    "--max-memory",
    type=Size(),
    default=2**30,
    metavar="SIZE",
    help="For values while computing: 500MB, 2GiB.  [default: 1GiB]",
)
SAMPLES = click.option(
    "--samples",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="References to draw.",
)
SEED = click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))


def what_is_kept(outcome: Outcome, claims: int) -> str:
    """What became of a run that was stopped; "" where it had computed nothing."""
    if outcome.partial is not None:
        return (
            f"{len(outcome.results)} of {claims} claims finished; what was computed is in "
            f"{outcome.partial}, and the same command resumes"
        )
    finished = f"{len(outcome.results)} of {claims} claims finished"
    if outcome.trouble:
        return f"{finished}; what was computed could not be kept: {outcome.trouble}"
    return finished if outcome.results else ""


def note_unless(quiet: bool) -> Callable[[str], None]:
    """Says a line beside the report, where it does not get into a pipe."""
    return (lambda text: None) if quiet else say


def prepared_claims(targets: tuple[str, ...], keyword: str, **chosen: Any) -> list[Prepared]:
    from scrub.collect import collect

    claims = collect(targets, started_in(), keyword=keyword, note=note_unless(False))
    from scrub.prepare import Session, prepare

    return prepare(claims, Session(), options_of(**chosen))


def options_of(max_memory: int | None = None, **chosen: Any) -> Options:
    from scrub.options import Options

    memory: dict[str, Any] = {} if max_memory is None else {"memory": max_memory}
    return Options(**chosen, **memory)
