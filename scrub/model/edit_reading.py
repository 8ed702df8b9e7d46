"""Rank-one edits: keys, values and second moments of keys, read from a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scrub import names
from scrub.data.dataset import Dataset, Recipe, Tokenizer
from scrub.errors import UserError
from scrub.model.edits import Activation, RankOne
from scrub.model.graph import Graph
from scrub.model.verify import plain_values

CHUNK = 256
"""Rows of data that are read at once."""
SMALLEST = 1e-9
"""Least share of a key that lies in the span of the keys of the data."""


def change(edit: RankOne, graph: Graph, tokenizer: Tokenizer | None, model: Any) -> Tensor:
    """What the edit adds to the MLP's output weights: float64 [d_mlp, d_model], of rank one.

    Args:
        graph: the model, as the edits before have left it.
        tokenizer: of the model; None where it has none.
        model: what data that is a function of the model is made for.

    Raises:
        UserError: data cannot be made, has no such row or position, or the key is zero, or is none
            of what the data's keys span.
    """
    assert graph.weights is not None
    mlp = graph.weights.blocks[edit.layer].mlp
    assert mlp is not None
    reader = _Reader(edit, graph, tokenizer, model)
    key = reader.vector(edit.key, names.mlp_site(edit.layer, "post"))
    value = reader.vector(edit.value, names.mlp(edit.layer))
    weight, bias = mlp.post.weight.double(), mlp.post.bias
    now = key @ weight + (0 if bias is None else bias.double())
    direction = key
    if edit.over is not None:
        moment = reader.second_moment(names.mlp_site(edit.layer, "post"))
        direction = torch.linalg.pinv(moment, hermitian=True) @ key
    share = float(direction @ key)
    if not share > SMALLEST * float(direction.norm() * key.norm()):
        what = "is zero" if not key.any() else "has nothing in common with those of over="
        raise UserError(f'Edit "{edit}": the key {what}. Read it at another position.')
    return torch.outer(direction, value - now) / share


class _Reader:
    """Reads what one edit names."""

    def __init__(
        self, edit: RankOne, graph: Graph, tokenizer: Tokenizer | None, model: Any
    ) -> None:
        self._edit, self._graph, self._tokenizer, self._model = edit, graph, tokenizer, model

    def vector(self, given: np.ndarray | Activation, site: str) -> Tensor:
        """A key or value: numbers as they are, or what the model has at a site. float64."""
        device = self._graph.device
        if isinstance(given, np.ndarray):
            return torch.from_numpy(given.copy()).to(device)
        data = self._data(given.of)
        rows = range(len(data)) if given.rows is None else given.rows
        past = [row for row in rows if row >= len(data)]
        if past:
            raise self._error(f'"{data.name}" has no row {past[0]}: it has {len(data)}.')
        chosen = data.take(rows)
        at = chosen.position(given.at)
        at = np.where(at < 0, at + chosen.lengths, at)
        if ((at < 0) | (at >= chosen.lengths)).any():
            raise self._error(f"position {given.at} is past the end of a row.")
        found: list[Tensor] = []
        for some, values in self._values(chosen, site):
            index = torch.from_numpy(at[some]).to(device)
            found.append(values[torch.arange(len(index), device=device), index])
        return torch.cat(found).double().mean(dim=0)

    def second_moment(self, site: str) -> Tensor:
        """Of the neurons at all real positions of the edit's data: float64 [d_mlp, d_mlp]."""
        data = self._data(self._edit.over)
        total: Any = 0
        for some, values in self._values(data, site):
            lengths = torch.from_numpy(data.lengths[some].copy()).to(values.device)
            real = torch.arange(values.shape[1], device=values.device) < lengths[:, None]
            keys = values[real].double()
            total = total + keys.T @ keys
        return total / int(data.lengths.sum())

    def _values(self, data: Dataset, site: str) -> Iterator[tuple[slice, Tensor]]:
        """Rows, and the plain values of a site: [rows, positions, size]."""
        device = self._graph.device
        for start in range(0, len(data), CHUNK):
            some = slice(start, start + CHUNK)
            tokens = torch.from_numpy(data.inputs["tokens"][some].copy()).to(device)
            lengths = torch.from_numpy(data.lengths[some].copy()).to(device)
            with torch.no_grad():
                values = plain_values(self._graph, tokens, lengths, [site])[site]
            yield some, values[:, :, 0]

    def _data(self, source: Any) -> Dataset:
        if not isinstance(source, Dataset | Recipe | str):
            source = source(self._model)
        if isinstance(source, Dataset):
            data = source
        elif self._tokenizer is None:
            raise self._error("the model has no tokenizer. Give a Dataset.")
        elif isinstance(source, str):
            data = _of_text(source, self._tokenizer)
        else:
            data = source.make(self._tokenizer)
        if data.images is not None or "tokens" not in data.inputs:
            raise self._error(f'"{data.name}" is no data of text alone.')
        return data

    def _error(self, what: str) -> UserError:
        return UserError(f'Edit "{self._edit}": {what}')


def _of_text(text: str, tokenizer: Tokenizer) -> Dataset:
    tokens = tokenizer.encode(text)
    return Dataset("a text", inputs={"tokens": np.array([tokens])}, lengths=np.array([len(tokens)]))
