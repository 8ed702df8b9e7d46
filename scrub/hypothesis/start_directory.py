"""The directory that a command was started in."""

from __future__ import annotations

from pathlib import Path

from scrub.errors import UserError


def started_in() -> Path:
    """The directory in which one works, before the user's code can change it.

    Raises:
        UserError: it was deleted. Then torch cannot be imported either: MKL ends the process.
    """
    try:
        return Path.cwd()
    except OSError as error:
        raise UserError(
            f"The working directory cannot be found: {error.strerror}. "
            "Change into one that is there."
        ) from error
