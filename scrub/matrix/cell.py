"""A cell: one claim on one model with one seed, or one shard of its samples, as a frozen value.

Everything that its record depends on is in it, and its key is a hash of that. So a record that lies
under a cell's key is the cell's, whoever computed it and when.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import asdict, frozen

from scrub.errors import UserError

if TYPE_CHECKING:
    from scrub.runner.options import Options

MOST_SEEDS = 10_000


@frozen
class How:
    """How the cells of a matrix are run: what is the same for all of them.

    Attributes:
        samples: references of a claim, those of all its shards together.
        shards: into how many parts they are divided.
        precision: stop as soon as the interval's half-width is at most this; only where there is
            one shard, since it takes all samples so far to say so.
        dtype: "float32", …
        device: "cpu" or "cuda"; a worker says which of several.
        max_memory: bytes for values while computing.
    """

    samples: int
    shards: int = 1
    precision: float | None = None
    dtype: str = "float32"
    device: str = "cpu"
    max_memory: int = 2**30

    def __attrs_post_init__(self) -> None:
        problems = []
        if self.shards > self.samples:
            problems.append(
                f"{self.shards:,} shards of {self.samples:,} samples: some would be empty. Give "
                f"--shards {self.samples} or fewer."
            )
        if self.shards > 1 and self.precision is not None:
            problems.append(
                "--precision and --shards exclude each other: a shard cannot tell how wide the "
                "interval of all samples is. Leave one of them out."
            )
        if problems:
            raise UserError(*problems)

    def range_of(self, shard: int) -> tuple[int, int]:
        """The first sample of a shard, and the first after it. Law: shards partition the samples,
        and differ by one sample at most.
        """
        return shard * self.samples // self.shards, (shard + 1) * self.samples // self.shards

    def options(self, model: str, seed: int, device: str | None = None) -> Options:
        """The options of a run on one model. `device`: which of several."""
        from scrub.runner.options import DTYPES, Options

        return Options(
            model=model or None,
            samples=self.samples,
            precision=self.precision,
            seed=seed,
            device=device or self.device,
            dtype=DTYPES[self.dtype],
            max_memory=self.max_memory,
        )


@frozen
class Depends:
    """Hashes of what a claim's numbers depend on.

    Attributes:
        source: of the claim's file and of the modules beside it that it imports.
        code: of scrub itself and the versions below it.
        data: of the rows.
        weights: of the model's weights; its name where there are none to be hashed.
    """

    source: str
    code: str
    data: str
    weights: str


@frozen
class Cell:
    """One claim on one model with one seed, or a shard of it.

    Attributes:
        file: as messages call it.
        path: where it is: the same on all machines.
        start: the directory in which the command was started, on which relative paths depend.
        claim: its name.
        model: as it was asked for; "": the one that the file names.
        model_name: what it is called in tables.
        seed: of the draws.
        shard: which part of the samples, from 0 on.
        judged: whether the claim is held against a bound on this model, and so is one of those
            that verdicts are corrected for.
    """

    file: str
    path: str
    start: str
    claim: str
    model: str
    model_name: str
    seed: int
    shard: int
    how: How
    depends: Depends
    judged: bool

    @property
    def key(self) -> str:
        """A hash of all that the record depends on. Where the file lies does not matter."""
        said = asdict(self)
        for name in ("path", "file", "start", "judged"):
            del said[name]
        del said["how"]["max_memory"]  # changes nothing beyond rounding
        said["file"] = Path(self.file).name
        return hashlib.sha256(repr(sorted(said.items())).encode()).hexdigest()[:24]

    @property
    def place(self) -> tuple[str, str, str, int, int]:
        """Where in the matrix it stands."""
        return Path(self.file).name, self.claim, self.model, self.seed, self.shard

    @property
    def samples(self) -> tuple[int, int]:
        """Its first sample, and the first after it."""
        return self.how.range_of(self.shard)

    @property
    def words(self) -> str:
        """ "claims.py::by_position on ioi-planted, seed 3, shard 2 of 4"."""
        shards = self.how.shards
        shard = f", shard {self.shard + 1} of {shards}" if shards > 1 else ""
        return f"{self.file}::{self.claim} on {self.model_name}, seed {self.seed}{shard}"


def as_json(cell: Cell) -> dict[str, Any]:
    return asdict(cell)


def from_json(found: dict[str, Any]) -> Cell:
    """The opposite. Raises a TypeError or KeyError if it is no cell."""
    how, depends = How(**found["how"]), Depends(**found["depends"])
    return Cell(**found | {"how": how, "depends": depends})


def seeds_of(text: str) -> tuple[int, ...]:
    """ "0..4" is 0 to 4, both included; "0,3,7..9" is five seeds. Each once, in their order.

    Raises:
        UserError: it names no seeds.
    """
    found: list[int] = []
    for part in map(str.strip, text.split(",")):
        match = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", part, re.ASCII)
        if match is None:
            raise UserError(
                f'--seeds {text}: "{part}" is no seed. Write whole numbers from 0 on: 0..4, or '
                "0,2,5."
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise UserError(
                f"--seeds {text}: {part} runs backwards and is empty. Write {last}..{first}."
            )
        if last - first >= MOST_SEEDS:
            raise UserError(f"--seeds {text}: give at most {MOST_SEEDS:,} seeds.")
        found += range(first, last + 1)
    return tuple(dict.fromkeys(found))
