"""What determines a claim's scores, as one hash: those of a checkpoint hold only under it.

Hashed are the text of the hypothesis file and of the modules beside it that it imports; scrub's own
code and the versions below it; the model's weights and configuration; the data with all columns;
the tree; every row that was drawn (so the seed and the samplers); precision, dtype, kind of device.
Not seen is what functions of the user's read by themselves: for files that is
`scrub.runner.opened_files`, and for all else `scrub.runner.resume` computes
some of the samples again.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from attrs import field, frozen

from scrub.data.dataset import Dataset
from scrub.data.virtual import Averages, Filled, Given, Shifted
from scrub.draw import Draws
from scrub.errors import is_users
from scrub.hypothesis.circuit import Circuit
from scrub.hypothesis.claim import Claim, unwrapped
from scrub.hypothesis.sibling_modules import imported
from scrub.hypothesis.sites import Route, Through
from scrub.hypothesis.splits import Coordinates, Projection
from scrub.model.registry import Model
from scrub.names import Cell
from scrub.runner.options import Options
from scrub.runner.prepare import Prepared

PACKAGE = Path(__file__).parents[1]
"""All of scrub."""


@frozen(eq=False)
class Fingerprints:
    """Makes the fingerprints of a run's claims.

    Attributes:
        sources: hash of each claim's source text by the claim's name, taken before anything runs:
            a file that is edited meanwhile is not the one that was loaded.
        code: hash of scrub itself.
    """

    sources: Mapping[str, str]
    code: str
    _datasets: dict[int, tuple[Dataset, str]] = field(factory=dict)
    """With the dataset, so that its identity stays its own."""

    @staticmethod
    def of_claims(claims: Iterable[Prepared]) -> Fingerprints:
        known: dict[tuple[str, str], str] = {}
        sources = {}
        for item in claims:
            key = _made_in(item.claim)
            if key not in known:
                known[key] = _sources(*key)
            sources[item.name] = known[key]
        return Fingerprints(sources, _own_code())

    def of(self, prepared: Prepared, model: Model, options: Options, draws: Draws) -> str:
        """The fingerprint of one scrub: a claim's tree on these draws, for its metrics."""
        tree = prepared.tree
        said = {
            "claim": prepared.name,
            "sources": self.sources[prepared.name],
            "code": self.code,
            "model": [model.sha256, model_files(model.directory)],
            "data": self._dataset(prepared.data),
            "metrics": [[m.name, m.kind, list(m.labels)] for m in prepared.metrics],
            "before": prepared.is_effect,
            "tree": [[list(n.path), [_route(r) for r in n.routes]] for n in tree.walk()],
            "draws": [[self._dataset(rows.data), _array(rows.index)] for rows in draws.rows()],
            "seed": options.seed,
            "precision": options.precision,
            "dtype": [str(options.dtype), str(model.graph.dtype)],
            "device": torch.device(options.device).type,
        }
        return _digest([repr(said).encode()])

    def _dataset(self, data: Dataset) -> str:
        if id(data) not in self._datasets:
            self._datasets[id(data)] = (data, _table(data))
        return self._datasets[id(data)][1]


def source_hash(claim: Claim) -> str:
    """Hash of the files of a claim and of its function, and of the user's modules they import."""
    return _sources(*_made_in(claim))


def _made_in(claim: Claim) -> tuple[str, str]:
    """The file in which a claim was made, and the module of its function."""
    return claim.made[0], unwrapped(claim.build).__module__


def _sources(file_made: str, module_of_function: str) -> str:
    made = [m for m in list(sys.modules.values()) if scope_of(m).get("__file__") == file_made]
    waiting = [*made, sys.modules[module_of_function]]
    texts: dict[str, bytes] = {}
    while waiting:
        module = waiting.pop()
        file = str(module.__file__)
        if file not in texts:
            texts[file] = Path(file).read_bytes()  # in whatever encoding it says that it is
            waiting += [found for found in _imported(texts[file], module) if _is_users(found)]
    return _digest(texts[file] for file in sorted(texts))


def scope_of(module: object) -> dict[str, Any]:
    """The names of what stands among the loaded modules: None does where one is not to be found."""
    return getattr(module, "__dict__", {})


def _imported(text: bytes, module: ModuleType) -> Iterator[ModuleType]:
    """The loaded modules that import statements anywhere in a module's text name."""
    for statement in ast.walk(ast.parse(text)):
        names: list[str] = []
        if isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            stem = "." * statement.level + (statement.module or "")
            if statement.level:
                stem = importlib.util.resolve_name(stem, module.__package__)
            names = [stem, *(f"{stem}.{alias.name}" for alias in statement.names)]
        found = (imported(module, name) for name in names)
        yield from (there for there in found if there is not None)


def _is_users(module: ModuleType) -> bool:
    return is_users(module.__name__, getattr(module, "__file__", None) or "")


@functools.cache
def _own_code() -> str:
    """Of scrub as it was first hashed: a process goes on with what it has loaded."""
    return code_hash(PACKAGE)


def code_hash(package: Path) -> str:
    """Hash of a package's modules, those of its subpackages too, and of the libraries' versions."""
    versions = [f"{name} {version(name)}".encode() for name in ("torch", "numpy", "transformers")]
    files = sorted(package.rglob("*.py"))
    named = (str(file.relative_to(package)).encode() for file in files)
    return _digest([*versions, *named, *(file.read_bytes() for file in files)])


def model_files(directory: Path | None) -> str:
    """Hash of what lies beside the weights and changes the model: its configuration."""
    if directory is None:
        return ""
    files = sorted(path for path in directory.glob("*.json") if path.is_file())
    return _digest(part for file in files for part in (file.name.encode(), file.read_bytes()))


def _route(route: Route) -> list[Any]:
    def cells(which: tuple[Cell, ...]) -> list[Any]:
        return [[cell.site, cell.head, cell.part] for cell in which]

    through = route.through
    return [
        cells(route.cells),
        route.at,
        None if route.into is None else sorted(route.into),
        [through.kinds, cells(through.also), cells(through.never), *_passed(through)],
        _split(route.split),
    ]


def _passed(through: Through) -> list[Any]:
    """What a path may pass at single positions, and along which edges; [] where that is nothing."""
    circuit = through.circuit or Circuit()
    if not (through.also_at or through.never_at or through.circuit):
        return []
    placed = [
        [[placed.cell.site, placed.cell.head, placed.at] for placed in which]
        for which in (through.also_at, through.never_at, circuit.cells)
    ]
    edges = [
        [e.writer.site, e.writer.head, e.reader.site, e.reader.head, e.into, e.at]
        for e in circuit.edges
    ]
    return [*placed, edges]


def _split(split: object) -> list[Any]:
    if isinstance(split, Projection):
        return [str(split), {name: _array(basis) for name, basis in split.bases.items()}]
    if isinstance(split, Coordinates):
        return [str(split), {name: list(numbers) for name, numbers in split.sets.items()}]
    return [str(split)]


def _table(data: Dataset) -> str:
    """Hash of everything in a dataset: metrics may read any column of it."""
    tables = (data.inputs, data.columns, data.positions, data.labels)
    arrays = [{name: _array(values) for name, values in table.items()} for table in tables]
    said = repr((data.name, [sorted(table.items()) for table in arrays], _array(data.lengths)))
    pixels = [] if data.images is None else [" ".join(data.images.hashes).encode()]
    return _digest([said.encode(), repr(data.pieces).encode(), *_given(data.given), *pixels])


def _given(given: Given | None) -> list[bytes]:
    """What virtual rows are made of."""
    match given:
        case None:
            return []
        case Averages():
            numbers = given.class_of
        case Filled():
            numbers = given.value
        case Shifted():
            numbers = given.by
    said = repr((type(given).__name__, _table(given.source), _array(numbers)))
    return [said.encode()]


def _array(values: np.ndarray) -> str:
    if values.dtype.hasobject:
        return _digest([repr(values.tolist()).encode()])
    head = f"{values.dtype.str} {values.shape}".encode()
    return _digest([head, np.ascontiguousarray(values).tobytes()])


def _digest(parts: Iterable[bytes]) -> str:
    """Hash of some byte strings, each of which ends where it ends."""
    found = hashlib.sha256()
    for part in parts:
        found.update(hashlib.sha256(part).digest())
    return found.hexdigest()
