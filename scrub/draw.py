"""Draw the donors of every node: hypothesis + data → row numbers. No tensors, no model.

Randomness is keyed by (seed, name path, sample number): a sample's draw at a node depends on
nothing else, so that adding a node, reordering nodes or adding samples leaves every other draw as
it was, and a row that is drawn twice as reference gets fresh donors.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping, Sequence

import numpy as np
from attrs import field, frozen

from scrub.data.dataset import Dataset, Rows
from scrub.errors import UserError, in_line, in_words
from scrub.hypothesis.tree import NamePath, Tree
from scrub.printing import brief, in_brief
from scrub.samplers import Sampler, Uncond

BASELINE = "baseline"
"""Reserved name: the draws of the independent random input that the baseline is computed on."""
SHARED = ""
"""Stands before a shared name where keys of nodes have the root's: no node is called this."""


@frozen(eq=False, repr=False)
class NodeDraw:
    """What one occurrence of a node drew.

    Attributes:
        own: the inputs that stand in for the reference.
        other: the inputs for everything that no child claims; None for a leaf.
    """

    own: Rows
    other: Rows | None = None

    @property
    def frame(self) -> Rows:
        """The inputs that the node is computed on: its frame (docs/semantics.md, Frames)."""
        return self.own if self.other is None else self.other

    def __repr__(self) -> str:
        return brief(self)


@frozen(eq=False, repr=False)
class Draws:
    """Everything random about a run.

    Attributes:
        references: the reference inputs, drawn from the data with replacement.
        baseline: independent random inputs, scored against the references' labels.
        nodes: per occurrence, keyed by the names from the root down.
    """

    references: Rows
    baseline: Rows
    nodes: Mapping[NamePath, NodeDraw]

    def rows(self) -> list[Rows]:
        """Every list of inputs that was drawn."""
        drawn = [rows for node in self.nodes.values() for rows in (node.own, node.other)]
        return [self.references, self.baseline, *(rows for rows in drawn if rows is not None)]

    def at(self, samples: np.ndarray) -> Draws:
        """The draws of some samples, int64 [those]."""

        def of(rows: Rows) -> Rows:
            return rows.at(rows.index[samples])

        nodes = {
            path: NodeDraw(of(node.own), None if node.other is None else of(node.other))
            for path, node in self.nodes.items()
        }
        return Draws(of(self.references), of(self.baseline), nodes)

    def first(self, samples: int) -> Draws:
        """The draws of the first samples."""
        return self if samples == len(self.references) else self.at(np.arange(samples))

    def __repr__(self) -> str:
        return in_brief("Draws", f"{len(self.references):,} samples, {len(self.nodes)} nodes")


@frozen(eq=False)
class KeyedRandomness:
    """Uniform numbers from a counter-based generator whose key is (seed, name path, purpose).

    The i-th number of a stream belongs to sample i, and a second call reads another stream.
    """

    seed: int
    key: tuple[str, ...]
    samples: int
    _calls: list[None] = field(factory=list, init=False)

    def uniform(self) -> np.ndarray:
        """Uniform on [0, 1), float64 [samples]."""
        text = repr((self.seed, self.key, len(self._calls)))
        self._calls.append(None)
        digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
        raw = np.random.Philox(key=int.from_bytes(digest, "little")).random_raw(self.samples)
        return (raw >> np.uint64(11)) * 2.0**-53

    def shared(self, name: str) -> KeyedRandomness:
        """Randomness that belongs to a name, whoever asks for it."""
        return KeyedRandomness(self.seed, (SHARED, name), self.samples)


def draw(
    tree: Tree,
    data: Dataset,
    *,
    samples: int,
    seed: int,
    references: Sequence[int] | None = None,
) -> Draws:
    """Draw references, baseline and every node's inputs, from the root down.

    Args:
        references: rows to take as references, `samples` of them, instead of drawing them.

    Raises:
        UserError: a sampler returned what is not a row of a dataset.
    """

    def sample(sampler: Sampler, reference: Rows, path: NamePath, purpose: str) -> Rows:
        return donors(sampler, reference, KeyedRandomness(seed, (*path, purpose), samples), path)

    def every_node() -> dict[NamePath, NodeDraw]:
        found: dict[NamePath, NodeDraw] = {}
        waiting = [(tree, drawn)]
        while waiting:
            here, reference = waiting.pop()
            node, path = here.node, here.path
            own = sample(node.sampler, reference.under(drawn), path, "own")
            other = None if here.is_leaf else sample(node.other, own.under(drawn), path, "other")
            found[path] = NodeDraw(own, other)
            waiting += [(child, own) for child in reversed(here.children)]
        return found

    every = Rows(data, np.zeros(samples, dtype=np.int64))
    if references is None:
        drawn = every.at(sample(Uncond(), every, (), "reference").index)
    else:
        drawn = every.at(np.array(references))
    baseline = sample(Uncond(), drawn, (BASELINE,), "own")
    return Draws(drawn, baseline, every_node())


def donors(sampler: Sampler, references: Rows, randomness: KeyedRandomness, path: NamePath) -> Rows:
    """What a sampler draws for a node.

    Raises:
        UserError: it is not a row of a dataset for each reference; or the sampler refuses.
    """
    name = type(sampler).__name__
    try:
        drawn = sampler.draw(references, randomness)
    except UserError as error:
        raise error.at(node=path[-1]) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # in the user's code sys.exit() is an error like any other
        failed = f"Sampler {name} failed{in_line(error)}: {in_words(error)}."
        raise UserError(failed).at(node=path[-1]) from error
    wrong = _no_rows(drawn, len(references))
    if inspect.iscoroutine(drawn):
        drawn.close()  # or Python says itself that nobody awaited it
    if wrong:
        raise UserError(f"Sampler {name} returned {wrong}").at(node=path[-1])
    if drawn.index.dtype == np.int64:
        return drawn
    return Rows(drawn.data, drawn.index.astype(np.int64), drawn.root)


def _no_rows(drawn: object, samples: int) -> str:
    """Why this is not a row of a dataset for each sample, going on from "it returned"; or ""."""
    if inspect.iscoroutine(drawn):
        return "a coroutine, not Rows. Write def draw, without async."
    if not isinstance(drawn, Rows):
        return f"{type(drawn).__name__}, not Rows. Return references.donors(row numbers)."
    if not isinstance(drawn.data, Dataset):
        return (
            f"Rows of a {type(drawn.data).__name__}, not of a Dataset. "
            "Return references.donors(row numbers)."
        )
    index = drawn.index
    if index.ndim != 1:
        return (
            f"row numbers of shape {list(index.shape)} for {samples} references. "
            "Return references.donors(row numbers), one number for each."
        )
    if len(index) != samples:
        return f"{len(index)} donors for {samples} references. Return one row for each reference."
    if index.dtype.kind not in "iu":
        return f"rows of type {index.dtype}. Return references.donors(row numbers), whole numbers."
    outside = np.flatnonzero((index < 0) | (index >= len(drawn.data)))
    if len(outside):
        return (
            f"row {index[outside[0]]} for sample {outside[0]}, which is not in the dataset "
            f'"{drawn.data.name}": its rows are 0 to {len(drawn.data) - 1}.'
        )
    return ""
