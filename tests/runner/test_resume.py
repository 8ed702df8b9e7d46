"""A run that is stopped keeps what it computed, and the same command goes on from there."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from scrub.model.registry import EMBEDDED
from support.stoppable import Place, made

SMALL = ("--samples", "300", "--max-memory", "5000", "--no-diagnose")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return made(tmp_path)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    place = made(tmp_path_factory.mktemp("whole"))
    done = place.inside("-k", "not ioi", *SMALL, "--json", "r.json")
    assert (done.code, done.err) == (0, "")
    assert place.asked() == {"slow": 900, "second": 900}
    return place.json()


def without_seconds(found: dict[str, Any]) -> dict[str, Any]:
    results = [{k: v for k, v in r.items() if k != "seconds"} for r in found["results"]]
    return found | {"results": results}


def same_interval(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for name in ("mean", "low", "high"):
        assert found[name] == pytest.approx(expected[name], abs=1e-4)


# Stopped from outside


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_the_same_command_resumes(
    place: Place, uninterrupted: dict[str, Any], number: int, code: int, word: str
) -> None:
    """A process from the start, since what it does about signals is what is tested."""
    arguments = ("-k", "not ioi", *SMALL, "--json", "r.json")
    running = place.start_anew(*arguments, WAIT_AT="second 4")  # three a chunk: in the second one
    done = place.stop(running, number)
    kept = "what was computed is in r.json.partial, and the same command resumes"
    assert (done.code, done.err) == (code, f"{word}: 1 of 2 claims finished; {kept}\n")
    partial = place.json("r.json.partial")
    assert partial["schema"] == "scrub.results/1"
    assert partial["partial"] is True
    assert without_seconds(partial)["results"] == without_seconds(uninterrupted)["results"][:1]
    first, begun = partial["kept"]
    assert (first["samples"], first["finished"], begun["finished"]) == (300, True, False)
    assert 0 < begun["samples"] < 300
    place.asked()
    done = place.run(*arguments)
    known = f"1 of 2 claims and {begun['samples']} of 300 references of second"
    assert (done.code, done.err) == (0, f"resuming: {known} were computed before\n")
    assert without_seconds(place.json()) == without_seconds(uninterrupted)
    # 8 samples of each are computed again, to see that they still hold
    left = 3 * (300 - begun["samples"])
    assert place.asked() == {"slow": 24, "second": 24 + left}
    assert not (place.folder / ".scrub").exists()


def test_a_killed_run_keeps_the_claims_that_were_finished(
    place: Place, uninterrupted: dict[str, Any]
) -> None:
    arguments = ("-k", "not ioi", *SMALL)
    place.stopped(signal.SIGKILL, "second 4", *arguments, SLEEP="0.1")
    (file,) = (place.folder / ".scrub").glob("*.json")
    assert (place.folder / ".scrub" / ".gitignore").read_text() == "*\n"
    assert [r["claim"] for r in place.json(str(file))["results"]] == ["slow"]
    place.asked()
    done = place.inside(*arguments, "-q")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert place.asked() == {"slow": 24, "second": 900}
    assert not (place.folder / ".scrub").exists()


def test_stopped_while_every_node_is_scrubbed_alone_and_with_a_record(place: Place) -> None:
    """In float32 batches fall otherwise: 1e-5 of the largest number (docs/semantics.md, Laws)."""
    arguments = ("-k", "ioi", "--samples", "40", "--max-memory", "4000000", "--no-diagnose", "-v")
    whole, resumed = (
        ("--json", "w.json", "--save-run", "w"),
        ("--json", "r.json", "--save-run", "r"),
    )
    assert place.inside(*arguments, *whole).code == 0
    chunks = len(place.log.read_text().splitlines()) // 3
    assert chunks >= 8, "the record must be stopped in the middle of something"
    asked = place.asked()["ioi"]
    place.stopped(signal.SIGINT, f"ioi {3 * chunks // 2}", *arguments, *resumed)
    assert len(place.json("r.json.partial")["kept"]) > 1, "nodes that were scrubbed alone are kept"
    place.asked()
    assert place.inside(*arguments, *resumed).code == 0
    assert place.asked()["ioi"] < 0.9 * asked
    (found,), (expected,) = (place.json(n)["results"] for n in ("r.json", "w.json"))
    scale = abs(expected["loss"]["original"])
    for name in ("original", "scrubbed", "baseline"):
        assert found["loss"][name] == pytest.approx(expected["loss"][name], abs=1e-5 * scale)
    same_interval(found["recovered"], expected["recovered"])
    for ours, theirs in zip(found["nodes"], expected["nodes"], strict=True):
        same_interval(ours.pop("recovered_alone"), theirs.pop("recovered_alone"))
        assert ours == theirs
    ours, theirs = (load_file(place.folder / n / "ioi" / "run.safetensors") for n in "rw")
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        scale = 1e-5 * np.abs(values).max() if name.startswith("metric.") else 0
        assert np.allclose(ours[name], values, rtol=0, atol=scale), name


CIRCUIT = """

from scrub import Circuit, Correspondence, Exact, InterpNode, embeddings, heads, mlp, output


@claim(data=ioi_claim3.PROMPTS, metric=watched("kept", ioi_claim3.METRIC.function))
def kept(model):
    logits = InterpNode("logits", Exact(), other=Uncond())
    inside = logits.child("inside", Exact())
    through = Circuit.of(mlp(0), heads(model.role("name mover"), at="end"))
    return Correspondence({logits: output(at="end"), inside: embeddings(through=through)})
"""


def test_a_claim_about_a_circuit_resumes(place: Place) -> None:
    file = place.folder / "claims.py"
    file.write_text(file.read_text() + CIRCUIT)
    arguments = ("-k", "kept", "--samples", "150", "--max-memory", "20000000", "--no-diagnose")
    assert place.inside(*arguments, "--json", "w.json").code == 0
    chunks = len(place.log.read_text().splitlines()) // 3
    assert chunks >= 3, "it must be stopped in the middle of something"
    place.asked()
    place.stopped(signal.SIGINT, f"kept {3 * chunks // 2}", *arguments, "--json", "r.json")
    (begun,) = place.json("r.json.partial")["kept"]
    assert 0 < begun["samples"] < 150
    place.asked()
    assert place.inside(*arguments, "--json", "r.json").code == 0
    assert place.asked() == {"kept": 3 * (8 + 150 - begun["samples"])}
    (found,), (expected,) = (place.json(name)["results"] for name in ("r.json", "w.json"))
    same_interval(found["recovered"], expected["recovered"])
    assert found["verdict"] == expected["verdict"]


def test_a_run_that_is_stopped_before_anything_is_computed_leaves_nothing(place: Place) -> None:
    done = place.stopped(signal.SIGINT, "slow 1", "-k", "slow", "--json", "r.json")
    assert (done.code, done.out, done.err) == (130, "", "interrupted\n")
    left = {path.name for path in place.folder.iterdir()}
    assert left - {"__pycache__"} == {"claims.py", "log.txt"}


def test_a_run_that_fails_keeps_what_was_computed(place: Place) -> None:
    arguments = ("-k", "not ioi", "--samples", "300", "--json", "r.json", "--no-diagnose")
    file = place.folder / "claims.py"
    file.write_text(file.read_text() + FAILING, encoding="utf-8")
    done = place.inside(*arguments)
    assert done.code == 2
    assert "third" in done.err
    partial = place.json("r.json.partial")
    assert [r["claim"] for r in partial["results"]] == ["slow", "second"]
    place.asked()
    done = place.inside(*arguments, WORKS="1")
    assert done.err == "resuming: 2 of 3 claims were computed before\n"
    assert place.asked() == {"slow": 24, "second": 24, "third": 900}


FAILING = """

def sometimes(value, references):
    if "WORKS" not in os.environ:
        raise ValueError("not today")
    return distance(value, references)


@claim(data=DATA, metric=watched("third", sometimes), model=SUMS)
def third(model):
    return product_is(Uncond())
"""


# What no longer holds is not used


def test_a_module_beside_the_file_belongs_to_its_text(place: Place) -> None:
    (place.folder / "signal_words.py").write_text("from deeper import AGREE\n", encoding="utf-8")
    (place.folder / "deeper.py").write_text('AGREE = "x"\n', encoding="utf-8")
    file = place.folder / "claims.py"
    file.write_text(file.read_text().replace("import os\n", "import os\nimport signal_words\n"))
    arguments = ("-k", "slow", *SMALL, "--json", "r.json")
    place.stopped(signal.SIGINT, "slow 4", *arguments)
    (place.folder / "deeper.py").write_text('AGREE = "x"  # why\n', encoding="utf-8")
    place.asked()
    changed = f"{place.folder / 'deeper.py'}, which the claims read, has changed"
    anew = f"r.json.partial cannot be resumed from: {changed}. Everything is computed anew.\n"
    assert place.inside(*arguments).err == anew
    assert place.asked() == {"slow": 900}


@pytest.mark.parametrize("what", ["file", "seed"])
def test_what_was_changed_is_computed_anew(place: Place, what: str) -> None:
    arguments = ("-k", "second", *SMALL, "--json", "r.json")
    place.stopped(signal.SIGINT, "second 4", *arguments)
    assert place.json("r.json.partial")["kept"]
    if what == "file":
        file = place.folder / "claims.py"
        file.write_text(file.read_text() + "\n# what it means\n", encoding="utf-8")
    else:
        arguments += ("--seed", "1")
    place.asked()
    assert place.inside(*arguments).err == ""
    assert place.asked() == {"second": 900}


def test_other_weights_in_the_same_folder_are_another_model(place: Place) -> None:
    model = place.folder / "model"
    shutil.copytree(EMBEDDED / "ioi-planted", model)
    command = ("-k", "ioi", "--samples", "100", "--max-memory", "6000000", "--model", "model")
    arguments = (*command, "--no-diagnose", "--json", "r.json")
    place.stopped(signal.SIGINT, "ioi 4", *arguments)
    tensors = load_file(model / "model.safetensors")
    louder = {name: values * np.float32(1.001) for name, values in tensors.items()}
    save_file(louder, model / "model.safetensors", {"format": "pt"})
    place.asked()
    assert place.inside(*arguments).err == ""
    assert place.asked() == {"ioi": 600}, "the claim, and the same with any input"


def test_what_a_metric_takes_from_elsewhere_is_found_out(place: Place) -> None:
    file = place.folder / "claims.py"
    text = file.read_text().replace(
        'watched("second", distance)',
        'watched("second", lambda v, r: float(os.environ["SCALE"]) * distance(v, r))',
    )
    file.write_text(text, encoding="utf-8")
    arguments = ("-k", "second", *SMALL, "--json", "r.json")
    place.stopped(signal.SIGINT, "second 10", *arguments, SCALE="1")
    place.asked()
    done = place.inside(*arguments, SCALE="1.001")
    anew = "what was computed before is not what is computed now, so all of it was computed anew"
    assert done.err.splitlines()[1:] == [f"second: {anew}"]
    assert place.asked() == {"second": 24 + 900}
    resumed = place.json()
    place.inside("-k", "second", *SMALL, "--json", "fresh.json", SCALE="1.001")
    assert without_seconds(resumed) == without_seconds(place.json("fresh.json"))


def test_a_truncated_file_is_said_so_and_not_used(
    place: Place, uninterrupted: dict[str, Any]
) -> None:
    arguments = ("-k", "not ioi", *SMALL, "--json", "r.json")
    place.stopped(signal.SIGINT, "second 4", *arguments)
    file = place.folder / "r.json.partial"
    text = file.read_text(encoding="utf-8")
    file.write_text(text[: len(text) // 2], encoding="utf-8")
    place.asked()
    done = place.inside(*arguments)
    assert done.err == (
        "r.json.partial cannot be resumed from: it is damaged, or no results file. "
        "Everything is computed anew.\n"
    )
    assert place.asked() == {"slow": 900, "second": 900}
    assert without_seconds(place.json()) == without_seconds(uninterrupted)


def test_a_complete_file_is_written_over(place: Place, uninterrupted: dict[str, Any]) -> None:
    (place.folder / "r.json").write_text(json.dumps(uninterrupted), encoding="utf-8")
    done = place.inside("-k", "not ioi", *SMALL, "--json", "r.json")
    assert done.err == ""
    assert place.asked() == {"slow": 900, "second": 900}
