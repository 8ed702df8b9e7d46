"""Edits of a model's weights, as values: what is zeroed, scaled, swapped, or changed by rank one.

What they do to weights is in `scrub.model.edit_weights`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from attrs import field, frozen

from scrub import names
from scrub.data.dataset import Dataset, Recipe
from scrub.data.values import whole
from scrub.errors import UserError
from scrub.hypothesis.positions import ALL
from scrub.hypothesis.sites import Sites, none
from scrub.hypothesis.splits import Coordinates, Projection
from scrub.names import Cell
from scrub.printing import html_of, one_line, printed

EDITABLE = (
    "heads(…), heads(…, part=) with q, k, v or result, mlp(…), mlp_part(…) with pre or post, "
    "token_embedding(), position_embedding(), or a summand of these by projection(…) or neurons(…)"
)
PARTS_OF_HEADS = ("q", "k", "v", "z", "result")
PARTS_OF_MLPS = ("mlp", "mlp_pre", "mlp_post")


@frozen(eq=False)
class Part:
    """A part of a model that an edit changes.

    Attributes:
        cell: a head or a part of one, an MLP or its neurons, an embedding.
        split: where the cell is a summand, how its site is split.
    """

    cell: Cell
    split: Projection | Coordinates | None = None

    @property
    def layer(self) -> int | None:
        return self.cell.name.layer

    @property
    def kind(self) -> str:
        """ "q", "k", "v", "z" (a whole head), "mlp", "mlp_pre", "mlp_post", or an embedding."""
        part = self.cell.name.part
        return "z" if part == "result" else part

    def __str__(self) -> str:
        named = self.cell.part
        if isinstance(self.split, Coordinates) and named is not None and named in self.split.sets:
            numbers = self.split.sets[named]
            some = ", ".join(f"{self.layer}.{number}" for number in numbers[:3])
            more = f" and {len(numbers) - 3} more" if len(numbers) > 3 else ""
            return f"neuron{'s' * (len(numbers) > 1)} {some}{more}"
        return str(self.cell).replace("result of head", "head")


@frozen(eq=False)
class Scale:
    """The outputs of some parts times a number."""

    parts: tuple[Part, ...]
    by: float

    def __str__(self) -> str:
        listed = ", ".join(map(str, self.parts))
        return f"zero {listed}" if self.by == 0 else f"scale {listed} by {self.by:g}"


@frozen(eq=False)
class Swap:
    """Parts that trade places, one by one."""

    first: tuple[Part, ...]
    second: tuple[Part, ...]

    def __str__(self) -> str:
        return f"swap {', '.join(map(str, self.first))} and {', '.join(map(str, self.second))}"


@frozen(eq=False)
class Activation:
    """What the model has at a position of some rows, their mean; see `activation`."""

    of: Any
    rows: tuple[int, ...] | None
    at: str | int

    def __str__(self) -> str:
        if isinstance(self.of, str):
            return f"at {self.at} of {printed(self.of)}"
        listed = "all rows" if self.rows is None else f"row {', '.join(map(str, self.rows))}"
        return f"at {self.at} of {listed}"


@frozen(eq=False)
class RankOne:
    """An MLP that maps one key to a value; see `rank_one`."""

    layer: int
    key: np.ndarray | Activation
    value: np.ndarray | Activation
    over: Any = None

    def __str__(self) -> str:
        return f"rank one MLP {self.layer} {_said(self.key)} to {_said(self.value)}"


Edit = Scale | Swap | RankOne


def _said(given: np.ndarray | Activation) -> str:
    if isinstance(given, Activation):
        return str(given)
    digest = hashlib.sha256(np.ascontiguousarray(given).tobytes()).hexdigest()
    return f"direction {digest[:6]}"


def zero(sites: Sites) -> Scale:
    """The weights that write these parts become 0, and so do the parts.

    Law: the model is what it is with the parts' values set to zero by a hook, at all positions.

    Args:
        sites: heads (their results; the output bias is the layer's, and stays), MLPs (with the
            bias), `heads(…, part="q")`, `mlp_part("pre" | "post", …)`, embeddings; or summands of
            heads' results, MLPs and neurons.

    Raises:
        UserError: no weights write them, or they name positions or a path.
    """
    return Scale(_parts(sites, "zero"), 0.0)


def scale(sites: Sites, by: float) -> Scale:
    """The same with the parts times a number: 1 changes nothing, −1 turns them round.

    Raises:
        UserError: as `zero`; or `by` is no number.
    """
    if isinstance(by, bool) or not isinstance(by, int | float) or not math.isfinite(by):
        raise UserError(f"scale: by={printed(by)}. Give a number, such as 0.5.")
    return Scale(_parts(sites, "scale"), float(by))


def swap(first: Sites, second: Sites) -> Swap:
    """Heads trade places with heads, MLPs with MLPs, neurons with neurons, in the order given.

    All that a part is moves: a head's q, k, v and output; an MLP with its norm; a neuron's input
    and output weights. Norm and output bias of an attention layer are the layer's. Law: twice is
    the original. Heads of one layer that are swapped change no output, but for rounding: they have
    changed names.

    Raises:
        UserError: the two sides are not as many parts of one kind, or name a part twice.
    """
    ours, theirs = _parts(first, "swap"), _parts(second, "swap")
    kinds = {_kind_to_swap(part) for part in (*ours, *theirs)}
    if len(ours) != len(theirs) or len(kinds) != 1 or "" in kinds:
        raise UserError(
            f"swap: {', '.join(map(str, ours))} and {', '.join(map(str, theirs))} cannot trade "
            'places. Give as many whole heads, MLPs or neurons (summands of mlp_part("post", …)) '
            "on both sides."
        )
    listed = [str(part) for part in (*ours, *theirs)]
    twice = next((part for part in listed if listed.count(part) > 1), None)
    if twice is not None:
        raise UserError(f"swap: {twice} is named twice. Each part trades places once.")
    return Swap(ours, theirs)


def rank_one(sites: Sites, *, at: Any, to: Any, over: Any = None) -> RankOne:
    """An MLP writes `to` wherever its neurons are `at`: the rank-one edit of ROME.

    Meng et al. 2022 (arXiv 2202.05262), eq. 2: with key k* (neurons after the activation), value v*
    (the MLP's output) and C the second moment of keys, the output weights W become
    W + (v* − W k*) (C⁻¹ k*)ᵀ / ((C⁻¹ k*)ᵀ k*). Of all W that map k* to v* it changes the outputs
    for keys of second moment C least, in squares. The output bias counts as part of
    the output, as in the authors' code. Laws: the MLP maps the key to the value, but for rounding;
    a key k with kᵀ C⁻¹ k* = 0 is mapped to what it was.

    What the edit of the paper has besides, a value that is optimised so that a prompt gets another
    answer and a key that is averaged over random prefixes, is the user's to give: `to` is what the
    MLP has at another row, and `at` may be the mean of rows.

    Args:
        sites: `mlp(2)`.
        at: the key: numbers [d_mlp], or `activation(…)`: the neurons there.
        to: the value: numbers [d_model], or `activation(…)`: the MLP's output there.
        over: data (a Dataset, a recipe, or a function of the model) over all of whose real
            positions C is taken; where C is singular its pseudo-inverse is. None: C is the
            identity, so that the change of the weights is the smallest in squares, and what
            happens to other keys is by how much they have in common with this one.

    Raises:
        UserError: it is not one MLP, or a key or value is neither numbers nor an `activation`.
    """
    parts = _parts(sites, "rank_one")
    if len(parts) != 1 or parts[0].kind != "mlp" or parts[0].split is not None:
        raise UserError(
            f"rank_one: {', '.join(map(str, parts))} is not one MLP. Write rank_one(mlp(2), …)."
        )
    layer = parts[0].layer
    assert layer is not None
    if over is not None and not (isinstance(over, Dataset | Recipe) or callable(over)):
        raise UserError(
            f"rank_one: over={printed(over)}. Give data, such as ioi.prompts(1_000), or leave it "
            "out."
        )
    return RankOne(layer, _vector(at, "at"), _vector(to, "to"), over)


def activation(of: Any, *, rows: int | Iterable[int] | None = 0, at: str | int = -1) -> Activation:
    """What an MLP has at a position: its neurons as a key of `rank_one`, its output as a value.

    It is read from the model as the edits before have left it.

    Args:
        of: a text; or data: a Dataset, a recipe, or a function of the model.
        rows: of data, which row; of several (None: all) the mean.
        at: a position column of the data, or an index from the first token; negative from the last.

    Raises:
        UserError: it is neither text nor data, or rows are no whole numbers.
    """
    if not (isinstance(of, str | Dataset | Recipe) or callable(of)) or of == "":
        raise UserError(
            f"activation: {printed(of)} is neither a text nor data. Give a prompt in quotes, or "
            "data such as ioi.prompts(1_000)."
        )
    chosen = None if rows is None else tuple(rows) if isinstance(rows, Iterable) else (rows,)
    wrong = [] if chosen is None else [r for r in chosen if whole(r) is None or r < 0]
    if wrong or chosen == ():
        raise UserError(
            f"activation: rows={printed(rows)}. Give the number of a row, several, or None for all."
        )
    if isinstance(of, str) and not isinstance(at, int):
        raise UserError(f"activation: at={printed(at)}: a text has no columns. Give an index.")
    return Activation(of, None if chosen is None else tuple(map(int, chosen)), at)


def _vector(given: Any, argument: str) -> np.ndarray | Activation:
    if isinstance(given, Activation):
        return given
    try:
        if hasattr(given, "detach"):
            given = given.detach().cpu().double().numpy()
        array = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(())
    if array.ndim != 1 or not len(array) or not np.isfinite(array).all():
        raise UserError(
            f"rank_one: {argument}={printed(given)}. Give a vector of finite numbers, or "
            'activation(PROMPTS, rows=3, at="end").'
        )
    array.setflags(write=False)
    return array


def _kind_to_swap(part: Part) -> str:
    """What may trade places: "" for what may not."""
    if part.cell.head is not None:
        whole_head = part.kind == "z" and part.split is None
        return "head" if whole_head else ""
    if part.kind == "mlp":
        return "mlp" if part.split is None else ""
    named = isinstance(part.split, Coordinates) and part.cell.part in part.split.sets
    return "neurons" if part.kind == "mlp_post" and named else ""


def _parts(sites: Any, called: str) -> tuple[Part, ...]:
    """The parts that some sites name, without positions and paths: weights have none."""
    if not isinstance(sites, Sites):
        raise UserError(f"{called}: {printed(sites)} is of no sites. Give {EDITABLE}.")
    found: list[Part] = []
    problems: dict[str, None] = {}
    for route in sites.routes:
        if route.at != ALL or route.into is not None or route.through != none:
            problems[
                f"{called}: {route.cells[0]} is given with at=, into= or through=. Weights are the "
                "same at all positions and on all paths: leave them out."
            ] = None
        for cell in route.cells:
            if _is_editable(cell, route.split):
                split = route.split if isinstance(route.split, Projection | Coordinates) else None
                found.append(Part(cell, split if cell.part is not None else None))
            else:
                problems[f"{called}: no weights write {cell}. Give {EDITABLE}."] = None
    if problems:
        raise UserError(*problems)
    return tuple(found)


def _is_editable(cell: Cell, split: Any) -> bool:
    part = cell.name.part
    if cell.part is not None:
        written = part == "mlp" or (cell.head is not None and part == "result")
        return (isinstance(split, Projection) and written) or (
            isinstance(split, Coordinates) and part == "mlp_post"
        )
    if cell.head is not None:
        return cell.name.of_attention and part in PARTS_OF_HEADS
    return (cell.name.of_mlp and part in PARTS_OF_MLPS) or cell.site in (
        names.EMBED, names.POS_EMBED,
    )  # fmt: skip


@frozen(eq=False, repr=False)
class Edited:
    """A model that is another with its weights edited; see `edited`.

    Attributes:
        base: what `model=` takes: a name, a directory, a model in memory.
        edits: made one after the other.
        name: what reports call it; "": after the base and the edits.
    """

    base: Any
    edits: tuple[Edit, ...]
    name: str = field(default="")

    def named(self, base: str) -> str:
        """What reports call it, given what they call its base."""
        return self.name or (f"{base}, edited: {'; '.join(map(str, self.edits))}" * bool(self.edits)
                             or base)  # fmt: skip

    def __repr__(self) -> str:
        base = self.base if isinstance(self.base, str) else type(self.base).__name__
        said = f"{base}, {'; '.join(map(str, self.edits))}"
        named = f", name={self.name!r}" if self.name else ""
        return one_line(f"edited({said}{named})")

    def _repr_html_(self) -> str:
        return html_of(self)


def edited(model: Any, *edits: Edit, name: str = "") -> Edited:
    """A model that is another with its weights edited: usable wherever a model is given.

        MODEL = edited("ioi-planted", zero(heads([(3, 0)])), swap(mlp(1), mlp(2)))

    Files name it in MODEL, Python in `model=`, and the command line as `--model FILE.py::VARIABLE`.
    Run records and checkpoints have the hash of the weights after the edits. Nothing is read or
    computed until the model is loaded. Laws: without edits it is the model, bit for bit; an edit of
    an edited model is all edits in turn.

    Args:
        model: a name, a directory, a TransformerBridge, a model of Hugging Face, a `scrub.Model`,
            or one that is edited already.
        edits: `zero`, `scale`, `swap`, `rank_one`, made one after the other.
        name: what reports call it (default: the model's name and the edits).

    Raises:
        UserError: something is no edit. What the model lacks is said once the model is known.
    """
    wrong = [edit for edit in edits if not isinstance(edit, Scale | Swap | RankOne)]
    if wrong:
        raise UserError(
            *(
                f"edited: {printed(edit)} is no edit. Give zero(…), scale(…), swap(…) or "
                "rank_one(…)."
                for edit in wrong
            )
        )
    if not isinstance(name, str):
        raise UserError(f"edited: name={printed(name)} is no name. Give a text.")
    if isinstance(model, Edited):
        return Edited(model.base, (*model.edits, *edits), name or model.name)
    return Edited(model, tuple(edits), name)
