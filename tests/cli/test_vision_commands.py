"""The command line on a tiny LLaVA: its plan, its test in another precision, its run record."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from support import tiny_llava
from support.command import SUMS, inside

FILE = '''
"""Two pictures."""

import numpy as np

from scrub import *
from scrub.metrics import logit_diff

MODEL = "{model}"
PIXELS = np.random.default_rng(0).integers(256, size=(6, 8, 8, 3), dtype=np.uint8)
PIXELS[5] = PIXELS[0]
DATA = Dataset(
    "pictures",
    inputs={{"tokens": [[3, 10, 10, 10, 10, 4, 5]] * 6, "images": [[i] for i in range(6)]}},
    lengths=[7] * 6,
    columns={{"which": list("aabbca")}},
    positions={{"end": [6] * 6, "patch": [1, 2, 3, 4, 1, 2]}},
    labels={{"io": [3] * 6, "s": [4] * 6}},
    images=Images(PIXELS),
)


def another(reference, rng):
    """The same text with another image."""
    return reference.but(images=[(int(reference.inputs["images"][0]) + 1) % 5])


def by(sampler):
    logits = InterpNode("logits", Exact(), other=Exact())
    seen = logits.child("image", sampler)
    passing = none.including(heads([(0, 0), (0, 2), (1, 1)]), mlp(0))
    patch = projector(at="patch", through=passing)
    return Correspondence({{logits: output(at="end"), seen: patch}})


@claim(data=DATA, metric=logit_diff("io", "s"))
def by_image(model):
    """A patch of any image that is called the same."""
    return by(Agree("which"))


@claim(data=DATA, metric=logit_diff("io", "s"))
def generated(model):
    """A patch of an image that is made."""
    return by(Generate(another))
'''


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vision") / "pictures.py"
    path.write_text(FILE.format(model=tiny_llava.directory()))
    return path


def planned(file: Path, *more: str) -> str:
    done = inside("plan", f"{file.name}::by_image", "--samples", "200", *more, cwd=file.parent)
    assert done.code == 0, done.err
    return " ".join(done.out.split())


def test_the_plan_counts_each_picture_once(file: Path) -> None:
    graph = tiny_llava.graph()
    assert graph.vision is not None
    shown = planned(file)
    flops, kept = 5 * graph.vision.shape.flops, 5 * 4 * 16 * 4
    assert f"5 images are seen once each ({flops / 1000:.3g} kFLOP of them, " in shown
    assert f"{kept / 1000:.3g} kB kept); the weights take " in shown
    assert shown.endswith("beside, in float32.")


def test_a_plan_in_half_the_precision_takes_half_the_bytes(file: Path) -> None:
    def sizes(shown: str) -> list[float]:
        found = re.findall(r"([\d.]+) (k?)B", shown)
        peak, kept, weights = [float(n) * (1000 if thousand else 1) for n, thousand in found]
        return [peak, kept, weights]

    whole, half = sizes(planned(file)), sizes(planned(file, "--dtype", "bfloat16"))
    assert np.allclose(whole[1:], np.multiply(half[1:], 2), rtol=0.01)
    assert whole[0] > 1.5 * half[0]


def test_a_run_and_its_record(file: Path) -> None:
    folder = file.parent
    done = inside(
        "test", file.name, "--samples", "60", "--dtype", "float64", "--no-diagnose",
        "--save-run", "runs", "--json", "results.json", cwd=folder,
    )  # fmt: skip
    assert done.code == 0, done.out + done.err
    results = json.loads((folder / "results.json").read_text())["results"]
    assert [result["claim"] for result in results] == ["by_image", "generated"]
    for result in results:
        assert abs(result["loss"]["scrubbed"] - result["loss"]["original"]) > 0
    pixels = np.random.default_rng(0).integers(256, size=(6, 8, 8, 3), dtype=np.uint8)
    for name in ("by_image", "generated"):
        record = load_file(folder / "runs" / name / "run.safetensors")
        described = json.loads((folder / "runs" / name / "run.json").read_text())
        assert described["model"]["dtype"] == "float64"
        assert len(record["images"]) == 5
        assert {p.tobytes() for p in record["images"]} == {p.tobytes() for p in pixels[:5]}
        for input_ in ("reference", "baseline", "node.1.own"):
            assert record[f"{input_}.images"].shape == (60, 1)
    same = load_file(folder / "runs" / "by_image" / "run.safetensors")
    shown = {of: same["images"][same[f"{of}.images"][:, 0]] for of in ("reference", "node.1.own")}
    called = {pixels[n].tobytes(): "aabbca"[n] for n in range(5)}
    pairs = zip(shown["reference"], shown["node.1.own"], strict=True)
    assert all(called[one.tobytes()] == called[other.tobytes()] for one, other in pairs)


def test_a_precision_that_there_is_not(file: Path) -> None:
    done = inside("test", file.name, "--dtype", "int8", cwd=file.parent)
    assert done.code == 2
    assert "'int8' is not one of 'float32', 'float64', 'bfloat16'." in done.err


def test_a_graph_keeps_its_own_precision() -> None:
    shown = {inside("plan", SUMS, "--dtype", dtype).out for dtype in ("float32", "float64")}
    assert len(shown) == 1
    assert "FLOP and" in shown.pop()
