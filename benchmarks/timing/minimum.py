"""The least work that hypotheses ask for, counted on the reference evaluator's paths.

A symbolic twin of `scrub.reference.transformer`: the same recursion over the same paths, with a
fingerprint (64 random-looking bits) in the place of every value. Two values with one fingerprint
are one value: made by one site from the same inputs, hence on the same rows with the same paths
open. Each is counted once over all samples, nodes and hypotheses, and only at positions that the
roots' values depend on. What it costs is its matrix products, which is what torch's counter counts.

It shares no line with the engine. For sequential causal transformers, and nodes that stand for
whole sites with positions.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable

import torch
from attrs import evolve, field, frozen
from torch import Tensor

from scrub.data.dataset import Rows
from scrub.draw import Draws
from scrub.hypothesis.correspondence import Correspondence
from scrub.names import Cell
from scrub.reference.components import (
    LEADS_TO,
    READERS,
    allows,
    component_of,
    kind_of,
    still_open,
)
from scrub.reference.path import Path
from scrub.reference.tree import Tree, positions, widest
from timing.ledger import Ledger, up_to
from timing.setting import Shape
from timing.sources import BEFORE, INPUTS, inputs_of, stream_of, writers

State = frozenset[tuple[int, bool, frozenset[str] | None]]
"""The paths that are open: which, whether they may leave the component, and by which ports."""
AT_ONCE = 250
"""Samples whose values are expanded together: enough for speed, few enough for memory."""


def count(ledger: Ledger, correspondence: Correspondence, draws: Draws) -> Tensor:
    """Enter all values of a hypothesis into the ledger.

    Returns: the fingerprints of the root's cells, [samples, positions, cells].
    """
    found = []
    for start in range(0, len(draws.references), AT_ONCE):
        some = _some(draws, slice(start, start + AT_ONCE))
        found.append(_Expansion(ledger).roots(correspondence, some))
    return torch.cat(found)


def _some(draws: Draws, samples: slice) -> Draws:
    def cut(rows: Rows) -> Rows:
        return rows.at(rows.index[samples])

    nodes = {
        path: evolve(node, own=cut(node.own), other=node.other and cut(node.other))
        for path, node in draws.nodes.items()
    }
    return Draws(cut(draws.references), cut(draws.baseline), nodes)


@frozen(eq=False)
class Value:
    """A site, or a stream, in one state of a node.

    Attributes:
        name: of the site's cell or of the stream.
        keys: fingerprints, int64 [samples, width].
        plain: those of the plain model on the same rows.
        reads: what it is computed from; of a stream the writers that differ from plain.
        demand: where it is read, bool [samples, width]; filled in from the roots down.
    """

    name: Cell | str
    rows: Rows
    keys: Tensor
    plain: Tensor
    reads: tuple[Read, ...]
    demand: Tensor


@frozen(eq=False)
class Read:
    """A value as its reader sees it: a child's at the positions where a path ends.

    Attributes:
        keys: fingerprints as read, [samples, width].
        landed: where they are a child's, bool [samples, width].
    """

    value: Value
    keys: Tensor
    landed: Tensor


@frozen(eq=False)
class Frame:
    """The inputs that a node is evaluated on, and what has been expanded on them."""

    rows: Rows
    width: int
    known: dict[tuple[Cell | str, State], Value] = field(factory=dict)


@frozen(eq=False)
class _Expansion:
    """A model, for `scrub.reference.tree`, whose values are fingerprints."""

    ledger: Ledger
    made: list[Value] = field(factory=list)
    """Every value, after what it reads."""
    starts: dict[int, Cell] = field(factory=dict)
    """Values (by number) that are a node's own sites."""
    leaves: dict[Cell, list[Tensor]] = field(factory=dict)
    """Fingerprints that leaves bring."""
    wanted: dict[Cell, list[Tensor]] = field(factory=dict)
    """Fingerprints that are read of a node's sites by its parents."""

    @property
    def shape(self) -> Shape:
        return self.ledger.shape

    def roots(self, correspondence: Correspondence, draws: Draws) -> Tensor:
        """Fingerprints of the root, and everything that they depend on in the ledger."""
        (root,) = (node for node in correspondence.sites if not node.parents)
        (route,) = correspondence.sites[root].routes
        tree = Tree(correspondence, draws, self, widest(draws))
        (values,) = tree.values(root, (root.name,))
        keys = torch.stack([values[cell] for cell in route.cells], dim=2)
        for rows in (draws.references, draws.baseline):  # what the scrubbed root is compared with
            at = positions(route, rows, tree.width)
            for cell in route.cells:
                self.ledger.need(cell, rows, _mask(at, tree.width))
        for number, value in reversed(list(enumerate(self.made))):
            cell = self.starts.get(number)
            if cell in route.cells and cell is not None:
                self.wanted.setdefault(cell, []).append(values[cell])
            if cell is not None and cell in self.wanted:
                value.demand.logical_or_(torch.isin(value.keys, torch.cat(
                    [keys.flatten() for keys in self.wanted[cell]]
                )))  # fmt: skip
            self._settle(value)
        return keys

    def plain(self, rows: Rows, width: int) -> Frame:
        return Frame(rows, width)

    def scrubbed(self, cell: Cell, frame: Frame, paths: list[Path]) -> Tensor:
        assert cell.part is None, "summands are not counted"
        value = self._computed(cell, frame, paths)
        if not paths:
            self.leaves.setdefault(cell, []).append(value.keys)
        self.starts[self.made.index(value)] = cell
        return value.keys

    # Expansion, as in scrub.reference.transformer

    def _computed(self, cell: Cell, frame: Frame, paths: list[Path]) -> Value:
        paths = still_open(paths, cell)
        if kind_of(cell) in READERS:
            port = READERS[kind_of(cell)]
            return self._stream(
                stream_of(cell, self.shape), cell, frame, [p for p in paths if p.leaves_by(port)]
            )
        return self._remembered(
            cell, frame, paths, lambda: [self._read(c, frame, paths) for c in inputs_of(cell)]
        )

    def _read(self, cell: Cell, frame: Frame, paths: list[Path]) -> Read:
        value = self._computed(cell, frame, paths)
        keys, landed = value.keys, torch.zeros_like(value.demand)
        for path in paths:
            if path.ends_at(cell, LEADS_TO[kind_of(cell)]):
                keys = path.landed_on(keys, cell)
                landed = landed | _mask(path.positions, frame.width)
        return Read(value, keys, landed)

    def _remembered(
        self, cell: Cell, frame: Frame, paths: list[Path], read: Callable[[], list[Read]]
    ) -> Value:
        state = _state(paths)
        if (cell, state) not in frame.known:
            plain = self._computed(cell, frame, []).keys if paths else None
            reads = read()
            keys = _made_of(cell, frame, reads)
            self._put(cell, state, frame, keys, keys if plain is None else plain, reads)
        return frame.known[cell, state]

    def _stream(self, name: str, reader: Cell, frame: Frame, leaving: list[Path]) -> Value:
        """The plain stream, plus what the writers that differ from plain differ by."""
        state = _state(leaving)
        if (name, state) not in frame.known:
            base = _base(name, frame)
            keys, reads = base, []
            for writer in writers(name, self.shape) if leaving else ():
                component = component_of(writer)
                entering = [p.entering(allows(p.route.through, component)) for p in leaving]
                if not still_open(entering, writer):
                    continue
                found = self._read(writer, frame, entering)
                plain = self._computed(writer, frame, []).keys
                if not torch.equal(found.keys, plain):
                    keys = keys + _salted(found.keys, str(writer)) - _salted(plain, str(writer))
                    reads.append(found)
            self._put(name, state, frame, keys, base, reads)
        return frame.known[name, state]

    def _put(
        self, name: Cell | str, state: State, frame: Frame, keys: Tensor, plain: Tensor,
        reads: list[Read],
    ) -> None:  # fmt: skip
        value = Value(
            name, frame.rows, keys, plain, tuple(reads), torch.zeros_like(keys, dtype=torch.bool)
        )
        frame.known[name, state] = value
        self.made.append(value)

    def _kept(self, cell: Cell) -> Tensor:
        """Fingerprints that leaves have brought of a site: plain values of rows."""
        return torch.cat(
            [keys.flatten() for keys in self.leaves.get(cell, [torch.empty(0, dtype=torch.int64)])]
        )

    # Demand, from the roots down

    def _settle(self, value: Value) -> None:
        """Enter where a value is read, and ask its inputs for what it is computed from."""
        changed = value.keys != value.plain
        self.ledger.need(value.name, value.rows, value.demand & ~changed)
        asked = value.demand & changed
        if not asked.any():
            return
        if isinstance(value.name, str):
            self._settle_stream(value, value.name, asked)
            return
        self.ledger.enter(value.name, value.keys, asked)
        for read in value.reads:
            before = (kind_of(value.name), kind_of(_cell(read))) in BEFORE
            self._ask(read, up_to(asked) if before else asked)

    def _settle_stream(self, value: Value, name: str, asked: Tensor) -> None:
        self.ledger.need(name, value.rows, asked)
        for read in value.reads:
            plain = read.value.plain
            differs = asked & (read.keys != plain)
            if kind_of(_cell(read)) == "result":
                (z_read,) = read.value.reads
                kept = torch.isin(z_read.keys, self._kept(_cell(z_read))) & z_read.landed
                new, old = read.keys[differs], plain[differs]
                self.ledger.write(_cell(read), new, old, kept[differs])
                self.ledger.need(_cell(z_read), value.rows, differs)
            self._ask(read, differs)

    def _ask(self, read: Read, asked: Tensor) -> None:
        cell = read.value.name
        if isinstance(cell, Cell) and (asked & read.landed).any():
            self.wanted.setdefault(cell, []).append(read.keys[asked & read.landed])
        read.value.demand.logical_or_(asked & ~read.landed)


def _cell(read: Read) -> Cell:
    """The site that is read: a stream is read as a reader's input, which no node claims."""
    name = read.value.name
    return name if isinstance(name, Cell) else Cell(name)


def _state(paths: list[Path]) -> State:
    return frozenset((id(path.values), path.leaves, path.ports) for path in paths)


def _mask(at: Tensor, width: int) -> Tensor:
    return torch.zeros(len(at), width, dtype=torch.bool).scatter(1, at, True)


# Fingerprints


def _made_of(cell: Cell, frame: Frame, reads: list[Read]) -> Tensor:
    """The fingerprint of a site's value from those of its inputs."""
    if not INPUTS[kind_of(cell)]:
        return _base(str(cell), frame)
    total = torch.zeros(len(frame.rows), frame.width, dtype=torch.int64)
    for read, name in zip(reads, INPUTS[kind_of(cell)], strict=True):
        part = _salted(read.keys, name)
        if (kind_of(cell), name) in BEFORE:
            part = _salted(part + 7919 * torch.arange(frame.width), name).cumsum(1)
        total = total + part
    return _salted(total, str(cell))


def _base(name: str, frame: Frame) -> Tensor:
    """Fingerprints of what a plain value that is computed from no other here: one a row and place.

    A plain stream is one: it stands for all that was written to it.
    """
    rows = torch.tensor(frame.rows.index)[:, None] * 1_000_003 + torch.arange(frame.width)
    return _salted(rows, f"{name} of {id(frame.rows.data)}")


@functools.cache
def _number(salt: str) -> int:
    return int.from_bytes(hashlib.blake2b(salt.encode(), digest_size=8).digest(), signed=True)


def _salted(keys: Tensor, salt: str) -> Tensor:
    """Fingerprints mixed with a word: the finaliser of splitmix64, modulo 2**64."""
    z = keys + _number(salt)
    z = (z ^ (z >> 30)) * -0x40A7B892E31B1A47
    z = (z ^ (z >> 27)) * -0x6B2FB644ECCEEE15
    return z ^ (z >> 31)
