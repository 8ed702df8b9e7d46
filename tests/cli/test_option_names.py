"""One name for one thing: each option of a command stands in docs/options.md beside its keyword."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import click

import scrub
from scrub import observe
from scrub.cli.main import group
from scrub.runner.options import RunOptions
from scrub.searches.keywords import SearchOptions
from support.paths import ROOT

OF_COMMAND: dict[str, tuple[Callable[..., Any], ...]] = {
    "test": (scrub.run,),
    "explain": (scrub.explain,),
    "find": (scrub.find,),
    "patch": (scrub.patch,),
    "paths": (scrub.paths,),
    "circuit": (scrub.circuit_scores,),
    "look": tuple(getattr(observe, name) for name in observe.__all__ if name != "Observation"),
}
RENAMED = {
    ("--from", "senders"): "a word of Python's",
    ("--convention", "ablate"): "an older name of --ablate",
    ("--no-diagnose", "diagnose"): "its opposite",
    ("--corrupt", "restore"): "its opposite",
    ("--greedy", "sets"): "all about sets is one value",
    ("--runs", "sets"): "all about sets is one value",
    ("-q", "alone"): "in one row with -v",
    ("--quiet", "alone"): "in one row with -v",
    ("-v", "alone"): "it prints, too",
    ("--verbose", "alone"): "it prints, too",
}
"""Options whose keyword has another name, and why."""
Row = tuple[list[str], str, str]


def rows() -> list[Row]:
    """Options, commands and Python, of each row of the page's tables."""
    text = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| (`-.*?) \| (.*?) \| (.*?) \|$", text, flags=re.MULTILINE)
    return [(re.findall(r"`(-[\w-]+)", options), of, python) for options, of, python in found]


def options() -> list[tuple[str, str]]:
    """Every option of every command that tells of a model: (command, option)."""
    context = click.Context(group)
    commands = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return [
        (name, option)
        for name, command in commands.items()
        if command is not None
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in (*parameter.opts, *parameter.secondary_opts)
        if option != "--help"
    ]


def unsaid(said: list[Row]) -> set[tuple[str, str]]:
    """Options that stand in no row of their command."""

    def stands(command: str, option: str) -> bool:
        ofs = [of for listed, of, _ in said if option in listed]
        return any(of.startswith("all") or command in re.findall(r"\w+", of) for of in ofs)

    return {(command, option) for command, option in options() if not stands(command, option)}


def test_every_option_stands_on_the_page() -> None:
    """Who adds an option adds it there, beside what it is in Python."""
    assert unsaid(rows()) == set()
    assert ("patch", "--from") in unsaid([row for row in rows() if "--from" not in row[0]])


def test_the_page_has_no_option_that_no_command_has() -> None:
    known = {option for _, option in options()}
    assert {option for listed, _, _ in rows() for option in listed} <= known


def keywords_of(command: str) -> set[str]:
    """The keywords of a command's functions, with those of their options."""
    found = {*RunOptions.__annotations__}
    for function in OF_COMMAND[command]:
        found |= {*inspect.signature(function).parameters}
    return found | ({*SearchOptions.__annotations__} if command == "find" else set())


def test_names_are_the_same() -> None:
    """What a row says with `=` is a keyword of its commands' functions, and named as its option."""
    every = set().union(*map(keywords_of, OF_COMMAND))
    for listed, of, python in rows():
        named = re.findall(r"`(\w+)=", python)
        ours = [command for command in re.findall(r"\w+", of) if command in OF_COMMAND]
        taken = set().union(*map(keywords_of, ours)) if ours else every
        assert set(named) <= taken, listed
        for option in listed if named else []:
            name = option.lstrip("-").replace("-", "_")
            assert name in named or any((option, one) in RENAMED for one in named), option


def test_an_option_and_a_keyword_of_one_name_are_one() -> None:
    """A command's option that is a keyword of its function is so on the page."""
    for command, option in options():
        name = option.lstrip("-").replace("-", "_")
        if command not in OF_COMMAND or name not in keywords_of(command):
            continue
        said = [p for listed, of, p in rows() if option in listed and command in of.split(", ")]
        said += [p for listed, of, p in rows() if option in listed and of.startswith("all")]
        assert any(f"`{name}=" in python for python in said), (command, option)
