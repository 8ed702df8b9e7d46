"""What paths may pass is recorded: somebody else recomputes circuits from the record alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from oracle.recompute_circuit import recomputed
from scrub import Circuit, Correspondence, Exact, InterpNode, Uncond, edge
from scrub.hypothesis.sites import (
    Through,
    anything,
    embeddings,
    heads,
    mlp,
    mlps,
    none,
    output,
)
from scrub.metrics import logit_diff
from support import recorded
from support.recorded import record_of

model = recorded.model  # a fixture
EARLY, LATE = heads([(0, 0), (0, 1)]), heads([(2, 0), (1, 1)])

CIRCUITS: dict[str, Through | Circuit] = {
    "positions included": none.including(heads([(2, 0)], at=("late", "end")), mlp(1)),
    "positions excluded": anything.excluding(heads([(1, 0), (2, 1)], at="end"), mlp(0, at=1)),
    "MLPs but for one": mlps.excluding(mlp(2, at=("early", "end"))),
    "sites": Circuit.of(heads([(1, 0)], at="end"), mlp(0, 2), embeddings()),
    "edges": Circuit.of_edges(
        edge(embeddings(), EARLY),
        edge(EARLY, LATE, into=("q", "v"), at=("late", "end")),
        edge(EARLY, mlp(0, 1), at=("early", 2)),
        edge(mlp(0), LATE, into="k"),
        edge(LATE | mlp(1), output()),
    ),
}


@pytest.mark.parametrize("name", CIRCUITS)
def test_a_circuit_is_recomputed(name: str, tmp_path: Path, model: Path) -> None:
    def build(_: Any) -> Correspondence:
        logits = InterpNode("logits", Exact(), other=Uncond())
        inside = logits.child("inside", Exact())
        return Correspondence(
            {logits: output(at="end"), inside: embeddings(through=CIRCUITS[name])}
        )

    folder = record_of("circuit", build, logit_diff("right", "wrong"), model, tmp_path)
    assert np.ptp(load_file(folder / "run.safetensors")["metric.scrubbed"]) > 0.1
    with torch.no_grad():
        assert recomputed(folder, model) < 1e-5
        record = json.loads((folder / "run.json").read_text())
        through = record["tree"][1]["routes"][0]["through"]
        through["including"], through["excluding"] = [], []
        if "edges" in through:
            through["edges"] = through["edges"][1:]
        (folder / "run.json").write_text(json.dumps(record))
        assert recomputed(folder, model) > 1e-5, "no test"
