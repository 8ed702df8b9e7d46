"""The command `scrub`: its group of commands, and its entry point.

A command imports torch, pandas and rich in its function, once the command line and the names of its
files are known to be right: `--help` and a misspelt option answer at once.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from scrub.cli.check import check_command
from scrub.cli.circuit import circuit_command
from scrub.cli.compare import compare_command
from scrub.cli.exit_codes import exit_code
from scrub.cli.explain import explain_command
from scrub.cli.find import find_command
from scrub.cli.look import look_command
from scrub.cli.matrix import matrix_command
from scrub.cli.options import ARGUMENTS
from scrub.cli.patch import patch_command
from scrub.cli.paths import paths_command
from scrub.cli.plan import plan_command
from scrub.cli.show import show_command
from scrub.cli.streams import open_closed_streams
from scrub.cli.tasks import tasks_command
from scrub.cli.test import test_command
from scrub.cli.watch import watch_command
from scrub.runner.opened_files import recorded


def main(arguments: Sequence[str] | None = None, prog_name: str = "scrub") -> NoReturn:
    """Run a command and exit with its code."""
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a "≥" must not break a pipe that takes ASCII
            stream.reconfigure(errors="replace")

    def command() -> int:
        given = sys.argv[1:] if arguments is None else list(arguments)
        with recorded(), group.make_context(prog_name, list(given)) as context:
            context.meta[ARGUMENTS] = given
            return group.invoke(context)

    sys.exit(exit_code(command))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="scrub")
def group() -> None:
    """Test mechanistic-interpretability claims by causal scrubbing."""
    # Before torch is imported. How long its threads spin before they sleep, in turns of GNU's
    # OpenMP: the default, 300,000, takes 25 times as long where other processes want the cores
    # (197 s against 8 s for 1,500 samples of parens.py::exp_2b), and not to spin at all twice as
    # long where none does (17 s). With 1,000 it is 9 s quiet and 22 s busy.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


group.add_command(test_command)
group.add_command(check_command)
group.add_command(plan_command)
group.add_command(show_command)
group.add_command(patch_command)
group.add_command(find_command)
group.add_command(circuit_command)
group.add_command(paths_command)
group.add_command(look_command)
group.add_command(explain_command)
group.add_command(compare_command)
group.add_command(tasks_command)
group.add_command(watch_command)
group.add_command(matrix_command)
