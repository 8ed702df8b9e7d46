"""Datasets: frozen tables of model inputs, their features and their named positions.

A dataset is never padded by meaning, only by layout: every row's first real token stands at index
0, `lengths` says how many tokens are real, and what follows is padding. Positions are counted from
the first real token.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from attrs import evolve, field, frozen

from scrub.data.image_layout import IMAGE
from scrub.data.images import Images
from scrub.data.validation import Tables, shape_problems, value_problems
from scrub.data.values import as_array, wholes
from scrub.errors import UserError, did_you_mean
from scrub.printing import free_name, html_of, in_brief, one_line, printed

if TYPE_CHECKING:
    import pandas as pd

    from scrub.data.virtual import Given


class Tokenizer(Protocol):
    """What a recipe needs of a tokenizer. `scrub.model` makes one from any `tokenizer.json`."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    @property
    def pad(self) -> int:
        """The token id that fills a row up."""
        ...

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, no special tokens added."""
        ...

    def decode(self, tokens: Sequence[int]) -> list[str]:
        """The text of each token, one string a token."""
        ...


def _frozen_array(values: Any) -> np.ndarray:
    array = as_array(values)
    if array.dtype.kind == "U" or array.dtype.kind == "T":
        array = array.astype(object)
    array.setflags(write=False)
    return array


def _frozen_arrays(mapping: Mapping[str, Any]) -> dict[str, np.ndarray]:
    if not isinstance(mapping, Mapping):
        raise UserError(
            f"A dataset takes columns by name, as in {{name: values}}, not {printed(mapping)}."
        )
    return {str(name): _frozen_array(values) for name, values in mapping.items()}


def _frozen_wholes(values: Any) -> np.ndarray:
    """Whole numbers as int64; what holds others as it is, to be refused."""
    array = _frozen_array(values)
    found, wrong = wholes(array)
    found.setflags(write=False)
    return array if wrong.any() else found


def _frozen_numbers(mapping: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name: _frozen_wholes(values) for name, values in _frozen_arrays(mapping).items()}


def _frozen_inputs(mapping: Mapping[str, Any]) -> dict[str, np.ndarray]:
    inputs = _frozen_arrays(mapping)
    whole = [name for name in ("tokens", "images") if name in inputs]
    return inputs | {name: _frozen_wholes(inputs[name]) for name in whole}


RUN_OF_IMAGE_TOKENS = re.compile(rf"( ?){IMAGE}( ?{IMAGE})*")


@frozen(eq=False, repr=False)
class Dataset:
    """A table of inputs. Rows are what samplers draw; columns are what they agree on.

    Attributes:
        name: what reports call it.
        inputs: what the model reads, by name. For a token model one entry `"tokens"`, int64
            [rows, width], right-padded. Of a vision-language model also `"images"`, int64 [rows,
            most]: which of `images` a row has, in the order of their image tokens, −1 where it has
            fewer. For a generic graph one entry per input site, numbers [rows, ...].
        lengths: int64 [rows], the number of real tokens (1 for a graph without positions).
        columns: features, one hashable value a row: what `Agree` compares and `--by` breaks down
            by. None and NaN are a value like any other: rows that lack one agree.
        positions: position columns, int64 [rows], counted from the first real token.
        labels: token ids, int64 [rows], that metrics read ("io", "s", "next").
        pieces: per row the text of each token, for showing; () for data without text.
        generated_from: for inputs that a sampler generated, the dataset whose rows its references
            belong to, where later samplers find their donors; None for a dataset of its own.
        given: of virtual rows, what their plain values are; they have no inputs. None for inputs.
        images: the pictures that rows may have; None where the data has none.

    Floats that are whole numbers are taken for tokens, lengths, positions and labels.

    Raises:
        UserError: a table has other rows than the rest, or values that are not as said above; with
            every column that has.
    """

    name: str
    inputs: Mapping[str, np.ndarray] = field(converter=_frozen_inputs)
    lengths: np.ndarray = field(converter=_frozen_wholes)
    columns: Mapping[str, np.ndarray] = field(converter=_frozen_arrays, factory=dict)
    positions: Mapping[str, np.ndarray] = field(converter=_frozen_numbers, factory=dict)
    labels: Mapping[str, np.ndarray] = field(converter=_frozen_numbers, factory=dict)
    pieces: tuple[tuple[str, ...], ...] = ()
    generated_from: Dataset | None = None
    given: Given | None = None
    images: Images | None = None

    def __attrs_post_init__(self) -> None:
        if self.given is not None:
            return
        tables = Tables(
            self.name, self.inputs, self.lengths, self.columns, self.positions, self.labels,
            self.pieces, self.images,
        )  # fmt: skip
        problems = [*shape_problems(tables)] or [*value_problems(tables)]
        if problems:
            raise UserError(*(f'Dataset "{self.name}": {what}' for what in problems))

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def width(self) -> int:
        """Number of positions in the widest row."""
        return int(self.lengths.max())

    def feature(self, name: str) -> np.ndarray:
        """Values of a feature, [rows]: a column, or failing that a position or label column.

        Raises:
            UserError: there is no such column; names the nearest.
        """
        for table in (self.columns, self.positions, self.labels):
            if name in table:
                return table[name]
        raise self.lacks("feature", name)

    def position(self, spec: str | int) -> np.ndarray:
        """Index of a named position, or of an int, in every row: int64 [rows].

        Raises:
            UserError: there is no such position column; names the nearest.
        """
        if isinstance(spec, int):
            return np.full(len(self), spec)
        if spec not in self.positions:
            raise self.lacks("position column", spec)
        return self.positions[spec]

    def label(self, name: str) -> np.ndarray:
        """Token ids of a label column, int64 [rows].

        Raises:
            UserError: there is no such label; names the nearest.
        """
        if name not in self.labels:
            raise self.lacks("label", name)
        return self.labels[name]

    def lacks(self, kind: str, name: str) -> UserError:
        """What to say of a feature, position column or label that it does not have."""
        features = [*self.columns, *self.positions]
        features += [label for label in self.labels if label not in self.columns]
        known = {"position column": self.positions, "label": self.labels}.get(kind, features)
        if self.generated_from is not None:
            listed = ", ".join(known) or "none"
            return UserError(
                f'The inputs that {self.name} makes have no {kind} "{name}". '
                f"Let its function return it; it returns: {listed}."
            )
        return UserError(
            f'Dataset "{self.name}" has no {kind} "{name}". {did_you_mean(name, known)}'
        )

    def text(self, row: int) -> str:
        """The row as one string, for people; an image's tokens as one."""
        text = "".join(self.pieces[row]).strip() if self.pieces else f"row {row}"
        return text if self.images is None else RUN_OF_IMAGE_TOKENS.sub(rf"\1{IMAGE}", text)

    def take(self, rows: Iterable[int], name: str | None = None) -> Dataset:
        """The dataset of these rows, in this order (a row may come twice)."""
        index = np.asarray(list(rows), dtype=np.int64)

        def pick(table: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {key: values[index] for key, values in table.items()}

        return evolve(
            self,
            name=name or self.name,
            inputs=pick(self.inputs),
            lengths=self.lengths[index],
            columns=pick(self.columns),
            positions=pick(self.positions),
            labels=pick(self.labels),
            pieces=tuple(self.pieces[i] for i in index) if self.pieces else (),
        )

    def with_columns(self, **columns: Any) -> Dataset:
        """The same dataset with further features (values of length `rows`)."""
        return evolve(self, columns={**self.columns, **columns})

    @property
    def frame(self) -> pd.DataFrame:
        """The table as pandas shows it: text, features, positions ("at NAME"), length in tokens.

        Of these, those whose name a feature has stand under another: "text of the input".
        """
        import pandas as pd

        texts = {"text": [self.text(i) for i in range(len(self))]} if self.pieces else {}
        at = {f"at {name}": values for name, values in self.positions.items()}
        shown: dict[str, Any] = {
            free_name(name, self.columns): values for name, values in texts.items()
        }
        shown |= self.columns
        for name, values in (at | {"length": self.lengths}).items():
            shown[free_name(name, shown)] = values
        return pd.DataFrame(shown)

    def __repr__(self) -> str:
        return one_line(f"Dataset({self.name!r}, {len(self)} rows, {self.width} positions)")

    def _repr_html_(self) -> str:
        return html_of(self)

    @property
    def sha256(self) -> str:
        """Hash of inputs, lengths and pixels: two datasets with one hash ask the model the same."""
        digest = hashlib.sha256()
        for name in sorted(self.inputs):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(self.inputs[name]).tobytes())
        digest.update(np.ascontiguousarray(self.lengths).tobytes())
        if self.images is not None:
            digest.update(" ".join(self.images.hashes).encode())
        return digest.hexdigest()


@frozen(eq=False, repr=False)
class Rows:
    """Some rows of a dataset, one per sample: what samplers take and give.

    Attributes:
        data: the dataset that the rows belong to.
        index: int64 [samples], row numbers of `data`.
        root: the reference inputs of the same samples at the root of the tree, for samplers that
            ask for them; given to them by `draw`, and the rows themselves elsewhere.
    """

    data: Dataset
    index: np.ndarray = field(converter=_frozen_array)
    _root: Rows | None = None

    @property
    def root(self) -> Rows:
        return self if self._root is None else self._root

    @property
    def population(self) -> Dataset:
        """The dataset that donors for these rows are drawn from: their own.

        For generated inputs it is the one they were generated from. What was generated depends on
        how many samples there are, and a draw must not.
        """
        return self.data if self.data.generated_from is None else self.data.generated_from

    def donors(self, index: np.ndarray) -> Rows:
        """Rows of the population, one a sample, as a sampler returns them."""
        return Rows(self.population, index, self.root)

    def under(self, root: Rows) -> Rows:
        """The same rows as references of a node below this root."""
        return Rows(self.data, self.index, root)

    def __len__(self) -> int:
        return len(self.index)

    def feature(self, name: str) -> np.ndarray:
        """The feature's value per sample."""
        return self.data.feature(name)[self.index]

    def at(self, index: np.ndarray) -> Rows:
        """Other rows of the same dataset."""
        return Rows(self.data, index)

    def __repr__(self) -> str:
        return in_brief("Rows", f"{len(self):,} of {self.data.name}")


@frozen(repr=False)
class Recipe:
    """How to make a dataset once the tokenizer is known: `make(tokenizer)`.

    The law: the same recipe and tokenizer make the same table, bit for bit.
    """

    name: str
    function: Callable[..., Dataset]
    arguments: Mapping[str, Any] = field(factory=dict)

    @property
    def seed(self) -> int | None:
        """The whole number that it takes as `seed`; None where it takes none."""
        seed = self.arguments.get("seed")
        if not isinstance(seed, Integral) or isinstance(seed, bool):
            return None
        return int(seed)

    def with_seed(self, seed: int) -> Recipe:
        """The same recipe with another seed."""
        arguments = {**self.arguments, "seed": seed}
        return Recipe(f"{self.name}, but for its seed, {seed}", self.function, arguments)

    def make(self, tokenizer: Tokenizer) -> Dataset:
        """The dataset, in the tokens of this tokenizer."""
        return self.function(tokenizer, **self.arguments)

    def __repr__(self) -> str:
        return in_brief("Recipe", repr(self.name))

    def _repr_html_(self) -> str:
        return html_of(self)


def pad(rows: Sequence[Sequence[int]], token: int) -> np.ndarray:
    """Token lists as one right-padded int64 array [rows, width]."""
    width = max((len(row) for row in rows), default=0)
    padded = np.full((len(rows), width), token, dtype=np.int64)
    for i, row in enumerate(rows):
        padded[i, : len(row)] = row
    return padded


def padded_tokens(dataset: Dataset, width: int) -> np.ndarray:
    """The token ids of every row at positions 0 to width - 1, int64 [rows, width].

    A dataset narrower than `width` goes on with its `pad_token`.
    """
    tokens = dataset.inputs["tokens"][:, :width]
    missing = (len(tokens), width - tokens.shape[1])
    fill = np.full(missing, pad_token(dataset), dtype=np.int64)
    return np.concatenate([tokens, fill], axis=1)


def pad_token(dataset: Dataset) -> int:
    """The token that a dataset pads its rows with; 0 where all its rows are full.

    Generated inputs are padded as what they were generated from: with which token must not depend
    on what else was generated.
    """
    written = dataset.generated_from or dataset
    tokens = written.inputs["tokens"]
    short = np.flatnonzero(written.lengths < tokens.shape[1])
    return int(tokens[short[0], -1]) if len(short) else 0


def what_is_read(data: Dataset) -> dict[str, np.ndarray]:
    """What the model reads, by name, one row a row: images by what they show, not by number.

    Law: two rows, of whatever datasets, have equal entries if and only if they ask the same of the
    model, as far as they are of one width.
    """
    if data.images is None:
        return dict(data.inputs)
    shown = np.append(codes_of(data.images), -1)[data.inputs["images"]]
    return {**data.inputs, "images": shown}


def codes_of(images: Images) -> np.ndarray:
    """A number from 0 for each image that is the same for the same picture: int64 [images]."""
    return np.array([int(one[:15], 16) for one in images.hashes], dtype=np.int64)
