"""The promise of the run record: somebody else recomputes it, with transformers and hooks alone.

`recompute.py` is that somebody. Here it is run on records of all that it handles; records in which
one thing was changed, which it must not accept, are in `test_record_mutants.py`.
"""

from __future__ import annotations

import ast
import hashlib
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from scrub import Correspondence, Exact, InterpNode, Uncond, heads, mlp_part, mlps, output
from scrub.hypothesis.collect import collect
from scrub.hypothesis.sites import summand
from scrub.hypothesis.splits import neurons, source_positions
from scrub.metrics import cross_entropy
from scrub.model.registry import EMBEDDED
from scrub.stats.intervals import loss_recovered
from support import recorded
from support.command import fork, inside
from support.paths import HYPOTHESES
from support.recorded import CLAIMS, SAMPLES, SCRIPT, recomputed, record_of

IOI = HYPOTHESES / "ioi_claim3.py"
IOI_MODEL = "ioi-planted"

model, folders = recorded.model, recorded.folders  # fixtures


@pytest.mark.parametrize("name", CLAIMS)
def test_every_number_is_recomputed(name: str, folders: dict[str, Path], model: Path) -> None:
    numbers = load_file(folders[name] / "run.safetensors")
    assert np.ptp(numbers["metric.scrubbed"] - numbers["metric.original"]) > 0.1, "no test"
    assert recomputed(folders[name], model) == 0


def test_as_a_script_of_its_own(folders: dict[str, Path], model: Path) -> None:
    done = fork(str(SCRIPT), str(folders["nested"]), str(model))
    assert done.code == 0, done.out + done.err


# The claims of the repository, by the command line


@pytest.fixture(scope="module")
def ioi_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ioi")
    done = inside("test", IOI, "--model", IOI_MODEL, "--samples", "200", "--save-run", folder)
    assert done.code in (0, 1), done.out + done.err  # 1: a verdict was not as expected
    return folder


@pytest.mark.parametrize("name", [item.claim.name for item in collect([str(IOI)])])
def test_every_number_of_ioi_claim_3_is_recomputed(name: str, ioi_folder: Path) -> None:
    assert recomputed(ioi_folder / name, EMBEDDED / IOI_MODEL) == 0


# The script itself, and what of the record it leaves out


def test_the_script_is_short_and_knows_nothing_of_scrub() -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 240
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import)]
    found_from = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    names = {alias.name for node in found for alias in node.names}
    names |= {str(node.module) for node in found_from}
    packages = {name.split(".")[0] for name in names} - sys.stdlib_module_names
    assert packages == {"torch", "safetensors", "transformers"}


@pytest.mark.parametrize("name", CLAIMS)
def test_the_interval_follows_from_the_numbers(name: str, folders: dict[str, Path]) -> None:
    """From what is recorded, and nothing else: no draw is needed."""
    known = json.loads((folders[name] / "run.json").read_text())["recovered"]
    tensors = load_file(folders[name] / "run.safetensors")
    numbers = (tensors[f"metric.{which}"] for which in ("original", "scrubbed", "baseline"))
    found = loss_recovered(*numbers, confidence=known["confidence"], looks=known["looks"])
    assert known["reason"] == (found.reason or None)
    for end in ("low", "high"):
        here = getattr(found, end)
        assert known[end] == (pytest.approx(here) if math.isfinite(here) else None)


def test_the_weights_are_named_by_their_hash(folders: dict[str, Path], model: Path) -> None:
    record = json.loads((folders["nested"] / "run.json").read_text())
    weights = (model / "model.safetensors").read_bytes()
    assert record["model"]["weights_sha256"] == hashlib.sha256(weights).hexdigest()


# What a record says of splits


def test_a_projection_is_recorded_with_its_bases(folders: dict[str, Path]) -> None:
    record = json.loads((folders["projected"] / "run.json").read_text())
    tensors = load_file(folders["projected"] / "run.safetensors")
    assert record["splits"] == [
        {
            "site": site,
            "kind": "projection",
            "summands": summands,
            "recomputable": True,
        }
        for site, summands in (
            ("blocks.0.mlp", ["one", "rest"]),
            ("blocks.2.attn.z", ["one", "plane", "rest"]),
        )
    ]
    plane = tensors["split.blocks.2.attn.z.plane"]
    np.testing.assert_allclose(plane.T @ plane, np.eye(2), atol=1e-12)


def test_an_estimate_is_recorded_by_its_values_and_named_as_not_recomputable(
    folders: dict[str, Path],
) -> None:
    record = json.loads((folders["estimated"] / "run.json").read_text())
    tensors = load_file(folders["estimated"] / "run.safetensors")
    assert [(s["site"], s["function"], s["recomputable"]) for s in record["splits"]] == [
        ("blocks.0.mlp", "by_token", False),
        ("blocks.1.mlp", "by_kind", False),
        ("blocks.2.mlp", "by_token", False),
    ]
    shapes = {name: array.shape for name, array in tensors.items() if ".split." in name}
    width = tensors["reference.tokens"].shape[1]
    assert shapes == {
        "node.0.other.split.blocks.1.mlp.kind": (SAMPLES, 1, 12),
        "node.0.other.split.blocks.2.mlp.phi": (SAMPLES, width, 12),
        "node.1.other.split.blocks.0.mlp.phi": (SAMPLES, width, 12),
        "node.1.other.split.blocks.1.mlp.kind": (SAMPLES, 1, 12),
        "node.2.own.split.blocks.0.mlp.phi": (SAMPLES, width, 12),
        "node.3.own.split.blocks.2.mlp.phi": (SAMPLES, width, 12),
    }
    tokens = tensors["node.3.own.tokens"]
    real = tensors["node.3.own.mask"].astype(bool)
    table = np.random.default_rng(4).normal(size=(14, 12))
    np.testing.assert_array_equal(
        tensors["node.3.own.split.blocks.2.mlp.phi"][real], table[tokens][real]
    )


def test_neurons_and_source_positions_are_recorded_by_number(model: Path, tmp_path: Path) -> None:
    neuron_sets = neurons(few=[3, 1], more=[20])

    def numbered(_: Any) -> Correspondence:
        logits = InterpNode("logits", Exact())
        late = heads([(2, 1)], at="end")
        return Correspondence(
            {
                logits: output(at="end"),
                logits.child("few", Uncond()): summand(
                    mlp_part("post", 1, at="end", through=mlps), neuron_sets, "few"
                ),
                logits.child("second", Uncond()): summand(late, source_positions(), "1"),
            }
        )

    folder = record_of("numbered", numbered, cross_entropy("right"), model, tmp_path)
    assert json.loads((folder / "run.json").read_text())["splits"] == [
        {
            "site": "blocks.1.mlp_post",
            "kind": "coordinates",
            "summands": ["few", "more", "rest"],
            "sets": {"few": [3, 1], "more": [20]},
            "recomputable": True,
        },
        {
            "site": "blocks.2.attn.z",
            "kind": "source positions",
            "summands": ["1", "rest"],
            "recomputable": True,
        },
    ]
