"""Plain values on disk, so that the next command need not compute them (`--cache DIR`).

A file holds one site or stream of some rows of one dataset. Its name is a hash of all that decides
the values, and of which rows they are. It is written beside and renamed, so that commands that run
at the same time see whole files only; two that write the same file write the same values.
"""

from __future__ import annotations

import hashlib
import os
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from attrs import field, frozen
from jaxtyping import Int
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from scrub.data.dataset import Dataset
from scrub.engine.activation_store import ActivationTable
from scrub.engine.wanted import Masks
from scrub.model.forward import model_inputs
from scrub.model.graph import Graph

SUFFIX, HALF = ".values", ".half"
"""Of a file of values, and of one that is being written."""
LEFT = 3600.0
"""Seconds after which a file that is being written was left by a command that was killed."""


class DamagedError(Exception):
    """A file does not hold what was written."""


@frozen(eq=False)
class ValueFolder:
    """A folder of plain values, within a budget.

    Attributes:
        budget: bytes of all files together; those that were used longest ago go first.
        says: is told, once each, that a file is damaged and that none can be written.
    """

    folder: Path
    budget: int
    says: Callable[[str], None]
    _said: set[str] = field(factory=set, init=False)

    def read(
        self, key: str, rows: Int[np.ndarray, " n"]
    ) -> Iterator[tuple[Int[np.ndarray, " some"], Tensor]]:
        """What is there of these rows, file by file: which rows, and their values [some, …]."""
        for file in sorted(self.folder.glob(f"{key}.*{SUFFIX}")):
            try:
                there, values = _read(file, rows)
            except FileNotFoundError:  # another command has just made room
                continue
            except (OSError, DamagedError):
                self._once("damaged", f"{file} is damaged. Its values are computed again.")
                file.unlink(missing_ok=True)
                continue
            if values is not None:
                os.utime(file)
                yield there, values

    def write(self, key: str, rows: Int[np.ndarray, " n"], values: Tensor) -> None:
        """Keep the values of these rows; files that were used longest ago make room for them."""
        if values.nbytes > self.budget:
            return
        name = f"{key}.{_digest(rows.tobytes())[:16]}{SUFFIX}"
        half = self.folder / f"{uuid.uuid4().hex}{HALF}"
        values = values.contiguous()
        tensors = {"rows": torch.from_numpy(rows), "values": values}
        try:
            save_file(tensors, half, metadata={"crc32": str(_sum(**tensors))})
            os.replace(half, self.folder / name)
            self._make_room()
        except (OSError, SafetensorError) as error:
            self._once("unwritten", f"values cannot be kept in {self.folder}: {error}.")
        finally:
            half.unlink(missing_ok=True)

    def _make_room(self) -> None:
        """Remove the files that were used longest ago, and what killed commands left."""
        found: list[tuple[float, int, Path]] = []
        for entry in os.scandir(self.folder):
            try:
                about = entry.stat()
            except FileNotFoundError:
                continue
            if entry.name.endswith(SUFFIX):
                found.append((about.st_mtime, about.st_size, Path(entry)))
            elif entry.name.endswith(HALF) and about.st_mtime < time.time() - LEFT:
                Path(entry).unlink(missing_ok=True)
        held = sum(size for _, size, _ in found)
        for _, size, file in sorted(found):
            if held <= self.budget:
                break
            file.unlink(missing_ok=True)
            held -= size

    def _once(self, what: str, text: str) -> None:
        if what not in self._said:
            self._said.add(what)
            self.says(text)


@frozen(eq=False)
class KeptValues:
    """The plain values of one model in a folder.

    Attributes:
        model: hash of its weights and configuration, and of the code that computes with them.
        graph: the model's, not specialised to a hypothesis: summands are kept by no name.
    """

    folder: ValueFolder
    model: str
    graph: Graph
    _datasets: dict[tuple[int, int], tuple[Dataset, str]] = field(factory=dict, init=False)
    """With the dataset, so that its identity stays its own."""

    def load(
        self,
        table: ActivationTable,
        graph: Graph,
        data: Dataset,
        width: int,
        index: Int[np.ndarray, " rows"],
        wanted: Masks,
    ) -> None:
        """Put into a table what it lacks and the folder has.

        Args:
            graph: as it is specialised to a hypothesis.
            index: rows of the dataset; `wanted`: of which of them each site or stream is wanted.
        """
        for name, mask in wanted.items():
            if not self._keeps(graph, data, name):
                continue
            value = graph.values[name]
            lacking = index[mask & ~table.has(value, index)]
            if not len(lacking):
                continue
            room = table.filled(value) + len(lacking)
            for rows, values in self.folder.read(self._key(data, width, name), lacking):
                new = ~table.has(value, rows)
                table.append(value, rows[new], values[torch.from_numpy(new)], room)

    def save(
        self,
        table: ActivationTable,
        graph: Graph,
        data: Dataset,
        width: int,
        index: Int[np.ndarray, " rows"],
        made: Masks,
    ) -> None:
        """Keep what was computed: of which rows each site or stream, as in `load`."""
        for name, mask in made.items():
            rows = np.sort(index[mask])
            if len(rows) and self._keeps(graph, data, name):
                buffer = table.buffers[graph.values[name]]
                self.folder.write(
                    self._key(data, width, name), rows, buffer.values[buffer.at(rows)]
                )

    def _keeps(self, graph: Graph, data: Dataset, name: str) -> bool:
        """Whether a value is kept: not of virtual rows, nor of inputs that a sampler makes."""
        given = data.given is not None or data.generated_from is not None
        return not given and graph.values[name] is self.graph.values.get(name)

    def _key(self, data: Dataset, width: int, name: str) -> str:
        if (id(data), width) not in self._datasets:
            self._datasets[id(data), width] = (data, _read_of(data, width))
        read = self._datasets[id(data), width][1]
        numbers = (str(self.graph.dtype), self.graph.device.type)
        return _digest(repr((self.model, read, width, numbers, name)).encode())[:40]


def _read_of(data: Dataset, width: int) -> str:
    """Hash of all that a model reads of a dataset."""
    read = {name: tensor.numpy() for name, tensor in model_inputs(data, width).items()}
    read["lengths of rows"] = data.lengths
    said = [
        (name, values.dtype.str, values.shape, _digest(np.ascontiguousarray(values).tobytes()))
        for name, values in sorted(read.items())
    ]
    images = [] if data.images is None else list(data.images.hashes)
    return _digest(repr((said, images)).encode())


def _read(
    file: Path, rows: Int[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, " some"], Tensor | None]:
    """The values of these rows in a file; None where it has none of them."""
    if not file.exists():
        raise FileNotFoundError(file)
    try:
        with safe_open(file, "pt") as opened:
            there = opened.get_tensor("rows")
            which = np.isin(there.numpy(), rows)
            if not which.any():
                return rows[:0], None
            values = opened.get_tensor("values")
            if opened.metadata()["crc32"] != str(_sum(there, values)):
                raise DamagedError
    except (SafetensorError, KeyError, TypeError, RuntimeError, ValueError) as error:
        raise DamagedError from error
    return there.numpy()[which], values[torch.from_numpy(which)]


def _sum(rows: Tensor, values: Tensor) -> int:
    first, second = (t.reshape(-1).view(torch.uint8).numpy().data for t in (rows, values))
    return zlib.crc32(second, zlib.crc32(first))


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
