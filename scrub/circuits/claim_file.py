"""A circuit as a hypothesis file: that it is enough, that it is needed, and as a tree to go on from.

The circuit is written out as code, not read from its JSON: what is claimed stands in the file, can
be edited there, and does not change when the circuit's file does.
"""

from __future__ import annotations

import ast
import json
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from scrub.checks.structure import check
from scrub.circuits.circuit_code import circuit_in_code, sites_by_role
from scrub.circuits.subject import Subject, halves_of, subject_of
from scrub.circuits.unrolled import Part, Place, as_tree, depth, places, size, unrolled
from scrub.errors import UserError
from scrub.hypothesis.ancestry import DEEPEST
from scrub.hypothesis.circuit import EMBEDDINGS, Circuit, Placed
from scrub.hypothesis.collect import CollectedBehaviour
from scrub.names import Cell, attention_site
from scrub.printing import printable
from scrub.runner.context import Context
from scrub.sweeps.code import Call, lines, sites_in_code, variable_name
from scrub.sweeps.hypothesis_file import OFFERED, check_importable, imports, shared_corruption
from scrub.sweeps.question import ROOT
from scrub.sweeps.run import origin_of
from scrub.sweeps.save import save_checked
from scrub.sweeps.sweep import Origin

ALSO = ("Circuit", "InterpNode", "edge", "held_out")
HALF, CIRCUIT = "HELD_OUT", "CIRCUIT"
NAMES = (*OFFERED, *ALSO, HALF, CIRCUIT, "MODEL", "model", ROOT)
BOUND = 0.5
"""What the file believes is recovered, at least or at most: most of it. Written down before any of
the file's claims was run."""
WRITTEN = 60
"""Nodes of a tree that is written with every one at its place. Of a larger one, what several nodes
read alike is written once, as a child of each."""
LARGEST = 2_000
"""Nodes of a tree that is written at all: each is drawn, and computed, by itself."""


def claim_text(circuit: Circuit, item: CollectedBehaviour, context: Context, *, held: bool) -> str:
    """The text of a file with claims about a circuit, beside the file of the behaviour.

    `circuit_alone`: with all outside the circuit corrupted, the model does most of what it did.
    `without_circuit`: with all of it corrupted, it does not. `as_tree`: the circuit unrolled, a
    node for each role or component at each place, all of them `Exact()`, for features to be put in.

    Laws: what `circuit_alone` recovers is what the circuit alone is measured to recover, F(C), on
    the same rows, seed and samples. Where corrupted inputs are not drawn at random, and MLPs are
    not free beside known edges, `as_tree` recovers the same.

    Args:
        item: the behaviour, on all its rows.
        held: whether the claims are about the rows that a search with this seed has not seen; else
            about all.

    Raises:
        UserError: the behaviour is held by no variable of a file that another could import; or the
            circuit is empty, or not this model's.
    """
    origin = origin_of(item, context)
    check_importable(origin, item.behaviour.name, "scrub circuit")
    if not circuit:
        raise UserError("The circuit is empty: there is nothing to make a claim of.")
    session, options = context.session, context.options
    subject = halves_of(item, session, options)[1] if held else subject_of(item, session, options)
    writer = _Writer(circuit, subject, origin, options.seed if held else None)
    return writer.text()


def save_claim(
    circuit: Circuit, item: CollectedBehaviour, file: Path, context: Context, *, held: bool
) -> None:
    """Write the file of `claim_text` once its claims have passed their check. None of them is run.

    Args:
        file: where, beside the behaviour's file (see `scrub.sweeps.save.check_beside`).

    Raises:
        UserError: as `claim_text`; or a claim is illegal. Nothing is written.
        OSError: the file cannot be written.
    """
    save_checked(claim_text(circuit, item, context, held=held), file, context)


def roles_of(circuit: Circuit, subject: Subject) -> dict[str, tuple[Cell, ...]]:
    """The circuit's roles; of one that has none, those of the model."""
    if circuit.roles:
        return dict(circuit.roles)
    return {
        role: tuple(Cell(attention_site(layer, "z"), head) for layer, head in heads)
        for role, heads in subject.model.roles.items()
    }


@frozen(eq=False)
class _Writer:
    """What the parts of one file share.

    Attributes:
        split: the seed of the rows that are held out; None: all rows are meant.
    """

    circuit: Circuit
    subject: Subject
    origin: Origin
    split: int | None

    @property
    def holder(self) -> str:
        """What holds the behaviour in the file."""
        return self.origin.variable if self.split is None else HALF

    @property
    def roles(self) -> dict[str, tuple[Cell, ...]]:
        return roles_of(self.circuit, self.subject)

    def text(self) -> str:
        claims = [self.alone(), self.without(), self.tree()]
        body = "\n\n\n".join(
            [circuit_in_code(self.circuit, self.roles, CIRCUIT), *(one for one in claims if one)]
        )
        half = f"{HALF} = held_out({self.origin.variable}, seed={self.split})"
        rows = f"{half}  # rows that no search has seen\n\n" if self.split is not None else ""
        used = {n.id for n in ast.walk(ast.parse(rows + body)) if isinstance(n, ast.Name)}
        offered = sorted({*OFFERED, *ALSO} & used, key=lambda name: (name.islower(), name))
        more = () if self.origin.model else ("MODEL",)
        held = sorted({self.origin.variable, *more})
        return (
            f'"""{self.about()}"""\n\n'
            f"{imports('scrub', offered)}\n\n"
            f"{imports(self.origin.module, held)}\n\n"
            f"{rows}{body}\n"
        )

    def about(self) -> str:
        circuit = self.circuit
        called = f", {_plain(circuit.name)}" if circuit.name else ""
        first = f"{_plain(self.subject.item.behaviour.name)}: a circuit{called}."
        if not circuit.source:
            return first
        return f"{first}\n\n{textwrap.fill(_plain(circuit.source), 98)}\n"

    def decorator(self, side: str) -> str:
        holder = self.holder
        arguments = [f"data={holder}.data", f"metric={holder}.metric"]
        arguments.append(f"expect=supported({side}={BOUND})")
        if self.origin.model:
            arguments.append(f"model={self.origin.model}")
        return lines(Call("@claim(", tuple(arguments)))

    def embeddings(self, through: str | Call) -> Call:
        """The embeddings that the model has, with a path to them."""
        graph = self.subject.graph
        cells = tuple(Cell(name) for name in ("embed", "pos_embed") if name in graph.sites)
        (made,) = sites_in_code([Place_route(cells)], {})
        return Call(made.opens, (*made.items, through))
