"""Options that several commands have."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scrub.runner.sizes import EXAMPLES, in_bytes

if TYPE_CHECKING:
    from scrub.runner.options import Options
    from scrub.runner.session import Session

ARGUMENTS = "scrub.arguments"
"""Where a command's context keeps what the command line was."""


def typed() -> list[str]:
    """The command line of the command that runs, without the program's name."""
    return list(click.get_current_context().meta.get(ARGUMENTS, sys.argv[1:]))


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


MODEL = click.option(
    "--model",
    metavar="NAME|DIR",
    help="Use this model instead of the one the file names; FILE.py::VARIABLE: one made there.",
)
KEYWORD = click.option(
    "-k",
    "keyword",
    default="",
    metavar="EXPR",
    help='Only claims whose names match: "position and not absolute".',
)
SAMPLES = click.option(
    "--samples",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="References to draw.",
)
SEED = click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
DEVICE = click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, ...")
DTYPE = click.option(
    "--dtype",
    type=click.Choice(["float32", "float64", "bfloat16"]),
    default="float32",
    show_default=True,
    help="Precision of weights and values.",
)
MEMORY = click.option(
    "--max-memory",
    type=Size(),
    default=2**30,
    metavar="SIZE",
    help="For values while computing: 500MB, 2GiB.  [default: 1GiB]",
)
RECHECK = click.option(
    "--recheck",
    is_flag=True,
    help="Compare the model's weights with TransformerLens again.",
)
CACHE = click.option(
    "--cache",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep what the plain model computes here, for the next command to start from.",
)
CACHE_SIZE = click.option(
    "--cache-size",
    type=Size(),
    default=2 * 10**9,
    metavar="SIZE",
    help="For all files in --cache; the oldest go first.  [default: 2GB]",
)


def json_option(help_text: str) -> Callable[[Any], Any]:
    """`--json`, with the help text of the command."""
    return click.option("--json", "json_file", type=click.Path(path_type=Path), help=help_text)


def options_of(**chosen: Any) -> Options:
    """The run's options from those of a command; those that it does not have keep their defaults.

    It imports torch: call it once the command line and the files are known to be right.
    """
    from scrub.runner.options import Options

    return Options(**chosen)


def session_of(cache: Path | None, cache_size: int) -> Session:
    """A session, which keeps plain values in the folder of `--cache` where that is given.

    Raises:
        UserError: nothing can be written there.
    """
    from scrub.cli.streams import print_error
    from scrub.runner.session import Session

    if cache is None:
        return Session()
    from scrub.runner.kept import kept_in

    def warn(text: str) -> None:
        print_error(f"warning: --cache: {text}")

    return Session(kept=kept_in(cache, cache_size, warn))


def html_option(help_text: str) -> Callable[[Any], Any]:
    """`--html`, with the help text of the command."""
    path = click.Path(path_type=Path)
    return click.option("--html", "html_file", type=path, metavar="FILE", help=help_text)
