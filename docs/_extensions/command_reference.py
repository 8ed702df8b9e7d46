"""The directive `scrub-commands`: every command, its arguments and options, as click has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from scrub.cli.main import group


class Commands(SphinxDirective):
    """A section a command."""

    def run(self) -> list[nodes.Node]:
        found: list[nodes.Node] = []
        for name, command in group.commands.items():
            found.append(self._section(name, command))
        return found

    def _section(self, name: str, command: click.Command) -> nodes.section:
        context = click.Context(command, info_name=f"scrub {name}")
        section = nodes.section(ids=[f"scrub-{name}"])
        section += nodes.title(text=f"scrub {name}")
        section += nodes.paragraph(text=(command.help or "").partition("\n")[0])
        usage = command.get_usage(context).removeprefix("Usage: ")
        section += nodes.literal_block(usage, usage, language="text")
        section += _options(command, context)
        return section


def _options(command: click.Command, context: click.Context) -> nodes.definition_list:
    listed = nodes.definition_list()
    for names, told in _records(command, context):
        term = nodes.term()
        term += nodes.literal(text=names)
        definition = nodes.definition()
        definition += nodes.paragraph(text=told)
        listed += nodes.definition_list_item("", term, definition)
    return listed


def _records(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            yield record


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("scrub-commands", Commands)
    return {"parallel_read_safe": True}
