"""The claims that a command line names: collected, and bound to their models and data."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from scrub.cli.options import options_of
from scrub.cli.streams import print_error
from scrub.hypothesis.start_directory import started_in

if TYPE_CHECKING:
    from scrub.runner.prepare import Prepared


def print_notice(*, quiet: bool = False) -> Callable[[str], None]:
    """Prints a notice on standard error, which keeps it out of a pipe; with -q it does nothing."""
    return (lambda text: None) if quiet else print_error


def prepared_claims(targets: tuple[str, ...], keyword: str, **chosen: Any) -> list[Prepared]:
    """The claims of files, ready to be planned and drawn. No weights are read.

    Those that are not about their models are said on standard error, and left out.

    Args:
        targets: FILE or FILE::CLAIM, or folders, from the directory in which scrub was started.
        keyword: an expression that names must match; "" for all.
        chosen: options of the command, by name.

    Raises:
        UserError: files cannot be loaded or claims are illegal; it lists every problem.
        NoClaimError: no claim applies.
    """
    from scrub.hypothesis.collect import collect

    claims = collect(targets, started_in(), keyword=keyword, note=print_notice())
    from scrub.runner.prepare import applicable, prepare_all
    from scrub.runner.session import Session

    return applicable(prepare_all(claims, Session(), options_of(**chosen)), print_notice())
