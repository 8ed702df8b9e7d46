"""A circuit as a hypothesis file: that it is enough, that it is needed, and as a tree to fill.

The circuit is written out as code, not read from its JSON: what is claimed stands in the file, can
be edited there, and does not change when the circuit's file does.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from attrs import frozen

from scrub.checks.reachability import explore
from scrub.checks.structure import check
from scrub.circuits.check import check_circuit
from scrub.circuits.circuit_code import circuit_in_code, sites_by_role
from scrub.circuits.kept import Kept, keeping, removing
from scrub.circuits.measurements import INPUTS, ROOT
from scrub.circuits.subject import Subject, halves_of, subject_of
from scrub.circuits.tree_code import INPUTS_OF, inputs_in_code, tree_in_code
from scrub.circuits.unrolled import Part, as_tree, depth, places, size, unrolled
from scrub.data.dataset import Dataset
from scrub.errors import UserError
from scrub.hypothesis.ancestry import DEEPEST
from scrub.hypothesis.circuit import EMBEDDINGS, SHOWN, Circuit, Placed
from scrub.hypothesis.collect import CollectedBehaviour
from scrub.hypothesis.correspondence import InterpNode
from scrub.hypothesis.sites import Route
from scrub.hypothesis.tree import Occurrence
from scrub.names import EMBED, POS_EMBED, Cell, attention_site
from scrub.printing import printable
from scrub.runner.context import Context
from scrub.samplers import Exact, Paired, source_of
from scrub.sweeps.code import Call, lines, sites_in_code
from scrub.sweeps.hypothesis_file import OFFERED, check_importable, imports, shared_corruption
from scrub.sweeps.run import origin_of
from scrub.sweeps.save import save_checked
from scrub.sweeps.sweep import Origin

ALSO = ("Agree", "Circuit", "edge", "held_out")
HALF, CIRCUIT = "HELD_OUT", "CIRCUIT"
NAMES = (*OFFERED, *ALSO, HALF, CIRCUIT, "MODEL", "model", ROOT)
NOWHERE = "No path of the circuit leads from the embeddings to the root."
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
            circuit is empty, or not this model's (`scrub.circuits.check`), or leads from no
            embedding to what the metric reads.
    """
    origin = origin_of(item, context)
    check_importable(origin, item.behaviour.name, "the same command")
    session, options = context.session, context.options
    subject = halves_of(item, session, options)[1] if held else subject_of(item, session, options)
    check_circuit(circuit, subject.model, subject.data)
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

    @property
    def tables(self) -> tuple[Dataset, ...]:
        """The datasets on whose rows nodes may be computed."""
        brought = source_of(self.subject.corrupt)
        return (self.subject.data, *([] if brought is None else [brought]))

    def aligned(self) -> frozenset[str]:
        """Columns that point to one index in a row and in every input that may stand in for it."""
        subject = self.subject
        mine = subject.data.positions
        pair = subject.corrupt.pair if isinstance(subject.corrupt, Paired) else None
        if isinstance(pair, Dataset):
            there = {name: pair.positions.get(name, np.array([])) for name in mine}
            return frozenset(name for name in mine if np.array_equal(mine[name], there[name]))
        tables = [table.positions for table in self.tables]
        return frozenset(
            name
            for name in mine
            if all(name in one for one in tables)
            and len({int(at) for one in tables for at in np.unique(one[name])}) == 1
        )

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

    def alone(self) -> str:
        """The claim that the circuit is enough.

        Raises:
            UserError: no path of it leads from the embeddings to the root.
        """
        reached = self.reached(keeping(self.circuit, self.subject.model))
        if not reached:
            raise UserError(
                f"{NOWHERE} Edges into {self.root_in_words()} and from the embeddings are among "
                "those that a circuit names."
            )
        on_model = ".on(model)" if self.circuit.free else ""
        says = "The circuit is enough: all outside of it may come from the corrupted run."
        way = f"through={CIRCUIT}{on_model}"
        return self.of_embeddings("circuit_alone", "above", says, [], reached, way)

    def without(self) -> str:
        """The claim that the circuit is needed; "" where it has no node to be left out."""
        nodes = [placed for placed in self.circuit.nodes if not _embedding(placed)]
        reached = self.reached(removing(nodes)) if nodes else ()
        if not reached:
            return ""
        calls = tuple(sites_by_role(nodes, self.roles))
        outside = lines(Call("outside = anything.excluding(", calls), 4)
        says = "The circuit is needed: with its sites as in the corrupted run, the model fails."
        return self.of_embeddings(
            "without_circuit", "below", says, [outside], reached, "through=outside"
        )

    def of_embeddings(
        self,
        name: str,
        side: str,
        says: str,
        before: Sequence[str],
        cells: tuple[Cell, ...],
        through: str,
    ) -> str:
        """A claim of two nodes: what comes from the embeddings along some paths."""
        (embeddings,) = sites_in_code([Route(cells)], {})
        made = Call(f"{INPUTS}: {embeddings.opens}", (*embeddings.items, through))
        mapping = Call("{", (f"{ROOT}: {self.root}", made), "}")
        return "\n".join(
            [
                self.decorator(side),
                f"def {name}(model):",
                f'    """{says}"""',
                f'    {ROOT} = InterpNode("{ROOT}", Exact(), other={self.holder}.corrupt)',
                f'    {INPUTS} = {ROOT}.child("{INPUTS}", Exact())',
                *before,
                lines(Call("return Correspondence(", (mapping,)), 4),
            ]
        )

    def reached(self, through: Kept) -> tuple[Cell, ...]:
        """The embeddings that paths from the root lead to."""
        if through is None:
            return ()
        subject = self.subject
        there = tuple(Cell(one) for one in (EMBED, POS_EMBED) if one in subject.graph.sites)
        node = InterpNode(ROOT, Exact())
        below = Occurrence((ROOT, INPUTS), node, (Route(there, through=through),), ())
        root = Occurrence((ROOT,), node, subject.root.routes, (below,))
        found = explore(root, subject.graph, *self.tables).reached.get((0, 0), {})
        return tuple(cell for cell in there if cell in found)

    def root_in_words(self) -> str:
        return " and ".join(str(cell) for route in self.subject.root.routes for cell in route.cells)

    @property
    def root(self) -> str:
        return f"{self.holder}.build(model)"

    def tree(self) -> str:
        """The claim of the tree, or why there is none, in a comment."""
        subject = self.subject
        (route,) = subject.root.routes
        root = unrolled(self.circuit, subject.graph, route, self.tables, self.roles, self.aligned())
        if problem := self.no_tree(root):
            return _comment(f"No tree is written. {problem}")
        listed = places(root, folded=size(root) > WRITTEN)
        by_edges = any(place.route.through.circuit for place in listed)
        says = inputs_in_code(CIRCUIT, free=bool(self.circuit.free))
        helper = f"{says}\n\n\n" if by_edges else ""
        body = tree_in_code(listed, self.root, self.other, (*NAMES, INPUTS_OF))
        return (
            f"{helper}{_comment(' '.join(self.remarks(root)))}\n"
            f"{self.decorator('above')}\ndef as_tree(model):\n"
            f'    """The circuit unrolled: what reads what, by which port and where."""\n{body}'
        )

    @property
    def other(self) -> str:
        """The sampler in code, by which all nodes draw one corrupted input where that is known."""
        own = f"{self.holder}.corrupt"
        return shared_corruption(self.subject.item.behaviour.corrupt, own) or own

    def no_tree(self, root: Part) -> str:
        """Why no tree is written; "" where one is."""
        if root.is_leaf:
            return NOWHERE
        nodes, generations = size(root), depth(root)
        if nodes > LARGEST:
            return (
                f"Unrolled the circuit has {nodes:,} nodes, one for each way to each of its parts; "
                f"at most {LARGEST:,} are written. Where edges are known, or heads have roles, "
                "there are fewer."
            )
        if generations > DEEPEST:
            return f"Unrolled the circuit is {generations} nodes deep; at most {DEEPEST} are taken."
        subject = self.subject
        tree = as_tree(root, subject.corrupt, folded=True)
        if problems := check(tree, subject.graph, subject.data, *subject.metrics):
            return f"Unrolled the circuit is no legal hypothesis: {problems[0]}"
        return ""

    def remarks(self, root: Part) -> Iterator[str]:
        yield (
            "Every node may carry all that it does, as yet. To say what one carries, replace its "
            f"Exact() by a feature, such as {self.example()}: its input may then be any that "
            "agrees."
        )
        if len(set(self.subject.data.lengths.tolist())) > 1:
            yield (
                "Rows differ in length, and embeddings are taken index by index: where a feature "
                "lets in rows of other lengths, name the positions of the embeddings below (at=)."
            )
        if size(root) > WRITTEN:
            yield (
                f"The tree has {size(root):,} nodes: what several nodes read in one way is written "
                "once, as a child of each. To say of one of them what the others do not carry, "
                "give it a child of its own."
            )
        there = {cell for part in root.walk() for cell in part.cells}
        left_out = [str(one.cell) for one in self.circuit.nodes if self.lost(one, there)]
        if left_out:
            yield (
                "Left out, since no path of the circuit leads by them from the embeddings to the "
                f"root: {_few(left_out)}."
            )
        if self.circuit.free and self.circuit.edges:
            yield (
                "MLPs run freely in the circuit, and carry what no edge does from any node to any "
                "later one. Here a path passes them where an edge is, and from the embeddings."
            )

    def lost(self, placed: Placed, there: set[Cell]) -> bool:
        """Whether a node of the circuit is none of the tree's, and not among free MLPs."""
        free = bool(self.circuit.free) and placed.cell.name.of_mlp
        return placed.cell not in there and not free and not _embedding(placed)

    def example(self) -> str:
        """A feature of the data: the one with the fewest values."""
        columns = self.subject.data.columns
        counts = {name: len(set(columns[name].tolist())) for name in columns}
        several = [name for name in counts if counts[name] > 1]
        if not several:
            return "Agree(column)"
        return f'Agree("{min(several, key=lambda name: counts[name])}")'


def _embedding(placed: Placed) -> bool:
    return placed.cell.site in EMBEDDINGS


def _few(said: Sequence[str]) -> str:
    more = f" and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
    return f"{', '.join(said[:SHOWN])}{more}"


def _comment(said: str) -> str:
    return textwrap.fill(_plain(said), 98, initial_indent="# ", subsequent_indent="# ")


def _plain(text: str) -> str:
    """Somebody's text in a comment or docstring: on one line, and no end of either."""
    return printable(" ".join(text.split())).replace("\\", "/").replace('"""', "'''")
