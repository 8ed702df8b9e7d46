"""Models with edited weights: named in a file, checked, and made once the base model is loaded."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import FunctionType
from typing import Any

import torch

from scrub.errors import UserError, did_you_mean, shortened
from scrub.hypothesis.load_file import load as load_file
from scrub.model.directory import check_finite
from scrub.model.edit_reading import change
from scrub.model.edit_weights import mapped, scaled, swapped
from scrub.model.edits import Edit, Edited, RankOne, Scale, Swap
from scrub.model.given import Model
from scrub.model.graph import Graph
from scrub.model.transformer import transformer
from scrub.model.weights import Weights, tensors


def is_variable(name: str) -> bool:
    """Whether a model is named as a variable of a file: `edits.py::without_3_0`."""
    return name.partition("::")[0].endswith(".py") and "::" in name


def variable(name: str) -> Any:
    """The model that a file holds in a variable.

    Raises:
        UserError: there is no such file, it cannot be loaded, or has no such variable.
    """
    file, _, called = name.partition("::")
    path = Path(os.path.expanduser(file))
    if not os.path.isfile(path):  # Path's raises on a name that is too long
        raise UserError(
            f'There is no model "{shortened(name)}": there is no file {shortened(file)}. Write '
            "FILE.py::VARIABLE, where the variable is a model, such as edited(…)."
        )
    found = vars(load_file(path, file))
    if called not in found:
        models = [known for known, value in found.items() if _may_be_model(value, path)]
        hint = did_you_mean(called, models) if models else "It has no model."
        raise UserError(f'There is no "{called}" in {file}. {hint}')
    return found[called]


def _may_be_model(value: object, path: Path) -> bool:
    """Whether it is a model, or a function of the file at a path that may make one."""
    if isinstance(value, FunctionType):
        taken = value.__code__.co_argcount + value.__code__.co_kwonlyargcount
        return taken == 0 and Path(value.__code__.co_filename).resolve() == path.resolve()
    return isinstance(value, Edited | Model | Graph | torch.nn.Module)


def edited_graph(
    edits: tuple[Edit, ...], graph: Graph, tokenizer: Any, model: Any
) -> tuple[Graph, str]:
    """The graph of a loaded model with edited weights, and the sha256 of those.

    Args:
        model: the model before the edits, for data that is a function of it.

    Raises:
        UserError: a key or value cannot be read, or the weights are not finite any more.
    """
    for edit in edits:
        assert graph.weights is not None
        graph = transformer(_after(edit, graph, tokenizer, model), graph.vision)
    assert graph.weights is not None
    check_finite("The edited weights", tensors(graph.weights))
    return graph, sha256_of(graph.weights)


def _after(edit: Edit, graph: Graph, tokenizer: Any, model: Any) -> Weights:
    assert graph.weights is not None
    match edit:
        case Scale():
            return scaled(graph.weights, edit)
        case Swap():
            return swapped(graph.weights, edit)
        case RankOne():
            return mapped(graph.weights, edit.layer, change(edit, graph, tokenizer, model))


def sha256_of(weights: Weights) -> str:
    """Hash of weights by the names that scrub has for them, as float32 whatever their precision."""
    digest = hashlib.sha256()
    for name, tensor in tensors(weights):
        flat = tensor.detach().to("cpu", torch.float32).contiguous()
        digest.update(f"{name} {list(flat.shape)}".encode())
        digest.update(flat.numpy().tobytes())
    return digest.hexdigest()
