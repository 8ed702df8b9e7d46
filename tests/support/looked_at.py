"""Tiny random models to look at, beside TransformerLens' own: their bridge, cache and graph."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from attrs import frozen
from torch import Tensor

from scrub.data.dataset import Dataset, Rows
from scrub.engine.activations import ActivationCache
from scrub.metrics import logit_diff
from scrub.model.bridge import graph_of
from scrub.model.registry import Model
from scrub.observations.subject import Subject, Values
from support import family_models
from support.family_models import FAMILIES

ROWS, WIDTH, AT = 5, 10, 7
FINAL = ("ln_f", "final_layer_norm", "model.norm")
"""What the families call the final norm."""


@frozen(eq=False)
class Looked:
    """A model and five rows of tokens, as scrub and as TransformerLens see them.

    Attributes:
        cache: TransformerLens' activations on the tokens.
    """

    subject: Subject
    bridge: Any
    cache: Any
    tokens: Tensor

    @property
    def model(self) -> Model:
        return self.subject.model

    def label(self, name: str) -> Tensor:
        return torch.tensor(self.subject.data.labels[name])


@functools.cache
def looked_at(name: str) -> Looked:
    """A family's model, whose final norm has neither weight nor bias.

    TransformerLens applies the final norm's scale alone to what it attributes to logits, and means
    models whose weight is folded into the unembedding.
    """
    model = family_models.hugging_face_model(name)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if any(final in key for final in FINAL):
                parameter.fill_(1.0 if key.endswith("weight") else 0.0)
    with tempfile.TemporaryDirectory() as directory:
        family_models.save(model, Path(directory))
        bridge = family_models.boot(directory, torch.float64)
    bridge.set_use_attn_result(True)
    tokens = torch.randint(
        family_models.VOCABULARY, (ROWS, WIDTH), generator=torch.Generator().manual_seed(3)
    )
    with torch.no_grad():
        _, cache = bridge.run_with_cache(tokens)
    graph = graph_of(bridge)
    assert graph.weights is not None
    heads = len(graph.weights.blocks[0].attention.output)
    tiny = Model(name, graph, layers=len(graph.weights.blocks), heads=heads)
    return Looked(subject_of(tiny, tokens), bridge, cache, tokens)


def subject_of(model: Model, tokens: Tensor, memory: int = 2**24) -> Subject:
    """Rows of tokens with two labels, four positions and a feature."""
    count = len(tokens)
    outputs = model.graph.outputs or 0
    data = Dataset(
        "tiny",
        {"tokens": tokens.numpy()},
        np.full(count, tokens.shape[1]),
        columns={"odd": np.arange(count) % 2 == 1},
        positions={"first": np.zeros(count), "end": np.full(count, AT), "moved": np.arange(count)},
        labels={"plus": np.arange(count) % outputs, "minus": (np.arange(count) + 1) % outputs},
    )
    values = Values(ActivationCache(model.graph), Rows(data, np.arange(count)), memory)
    return Subject("tiny", model, values, "end", logit_diff("plus", "minus"))


__all__ = ["AT", "FAMILIES", "Looked", "looked_at", "subject_of"]
