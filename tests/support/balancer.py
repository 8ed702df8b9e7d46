"""A paren balancer with strings, and the claims about it that `hypotheses/` holds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from attrs import frozen
from torch import Tensor

from oracle.engines import ENGINE
from scrub.data.dataset import Dataset, Rows
from scrub.datasets import parens
from scrub.draw import Draws, draw
from scrub.hypothesis.collect import collect
from scrub.hypothesis.correspondence import Correspondence
from scrub.hypothesis.tree import treeify
from scrub.model.graph import Graph
from scrub.model.registry import Model, describe, load
from scrub.model.verify import plain_values
from support.paths import HYPOTHESES

FILES = [str(HYPOTHESES / "parens.py"), str(HYPOTHESES / "parens_alt.py")]
CLAIMS = {item.claim.name: item.claim for item in collect(FILES)}
SAMPLES = 4


@frozen(eq=False)
class Balancer:
    """A paren balancer in float64, with strings."""

    model: Model
    data: Dataset
    graph: Graph

    @staticmethod
    def of(directory: Path, rows: int) -> Balancer:
        described = describe(directory)
        loaded = load(described, dtype=torch.float64, device="cpu")
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv(parens.VARIABLE, raising=False)
            data = parens.strings(described).take(range(rows))
        return Balancer(described, data, loaded.graph)

    def drawn(self, correspondence: Correspondence, samples: int = SAMPLES) -> Draws:
        return draw(treeify(correspondence), self.data, samples=samples, seed=0)

    def scrubbed(self, correspondence: Correspondence, draws: Draws) -> Tensor:
        """The two logits of each sample, by the engine: [samples, 2]."""
        (output,) = ENGINE.outputs(treeify(correspondence), draws, self.graph)
        return output.scrubbed[:, 0, 0]

    def plain(self, rows: Rows, name: str) -> Tensor:
        """A site or stream of the plain model on these rows."""
        tokens = torch.tensor(rows.data.inputs["tokens"][rows.index])
        lengths = torch.tensor(rows.data.lengths[rows.index])
        return plain_values(self.graph, tokens, lengths, [name])[name]
