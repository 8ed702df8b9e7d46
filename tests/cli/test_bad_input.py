"""Bad input: each with its whole message, exit code 2, no traceback, and nothing written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from textwrap import dedent

import pytest

import scrub as package
from support.bad_input import DATA, FEATURES, HEADER, refused
from support.command import inside
from support.embedded import LISTED
from support.paths import ROOT

EMBEDDED = ROOT / "scrub" / "model" / "embedded"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a hypothesis file in which nothing is wrong."""
    legal = """
    @ioi_claim
    def legal(model):
        logits, movers = tree()
        return Correspondence({logits: output(at="end"), movers: heads([(3, 0)], at="end")})
    """
    (tmp_path / "good.py").write_text(HEADER + dedent(legal))
    return tmp_path


# Files that cannot be loaded

FILES = {
    "syntax.py": (
        "def f(:\n    pass\n",
        "syntax.py:1: Syntax error: invalid syntax.",
    ),
    "absent_module.py": (
        "import math\nimport scrubb\n",
        "absent_module.py:2: Loading it failed: ModuleNotFoundError: No module named 'scrubb'. "
        "Install it, or put it beside the file.",
    ),
    "absent_name.py": (
        "from scrub import Agre\n",
        'absent_name.py:1: There is no "Agre" in scrub. The nearest is "Agree"; '
        f"there are {len(package.__all__)}, and the closest are: Agree, Images, Paired, "
        "compare, unchanged, scale, Matrix, Recipe.",
    ),
    "absent_metric.py": (
        "from scrub.metrics import prob_diff\n",
        'absent_metric.py:1: There is no "prob_diff" in scrub.metrics. The nearest is '
        '"probability_diff"; there are: Metric, as_metric, attention, cross_entropy, custom, distance, kl, '
        "logit, logit_diff, mass, measure, probability, probability_diff, "
        "probability_difference, rank, top_1.",
    ),
    "raises.py": (
        "def half(x):\n    return x / 0\n\nY = half(1)\n",
        "raises.py:2: Loading it failed: ZeroDivisionError: division by zero.",
    ),
    "several_lines.py": (
        "raise ValueError('one line\\nand another.')\n",
        "several_lines.py:1: Loading it failed: ValueError: one line and another.",
    ),
    "exits.py": (
        "import sys\nsys.exit()\n",
        "exits.py:2: It exits while loading. A hypothesis file declares claims; scrub runs them.",
    ),
    "no_bound.py": (
        "from scrub import supported\nE = supported()\n",
        "no_bound.py:2: supported() needs a bound: above=… or below=….",
    ),
    "no_expectation.py": (
        "from scrub import claim\n@claim(data=1, metric=1, expect=0.7)\ndef f(model): ...\n",
        "no_expectation.py:2: expect= is of type float. Give supported(above=…), "
        "refuted(below=…), inconclusive(above=…) or vacuous().",
    ),
    "notes.txt": (
        "claims",
        "notes.txt: This is not a Python file. Its name must end in .py.",
    ),
}


def test_files_that_cannot_be_loaded_are_all_named_at_once(tmp_path: Path) -> None:
    for name, (text, _) in FILES.items():
        (tmp_path / name).write_text(text)
    message = refused(tmp_path, "test", *FILES, "--json", "results.json", isolated=True)
    assert message.splitlines() == [f"error: {message}" for _, message in FILES.values()]


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_loaded(name: str, tmp_path: Path) -> None:
    text, message = FILES[name]
    (tmp_path / name).write_text(text)
    assert refused(tmp_path, "check", name) == f"error: {message}\n"


def test_missing_file_and_unknown_claim(folder: Path) -> None:
    (folder / "gold.py").write_text("")
    message = refused(folder, "test", "goood.py", "good.py::ilegal", "gold.py::x", "dir/x.py")
    assert message.splitlines() == [
        'error: goood.py: There is no such file. The nearest is "good.py"; there are: gold.py, '
        "good.py.",
        'error: good.py: There is no claim "ilegal". The nearest is "legal"; there are: legal.',
        'error: gold.py: There is no claim "x". The file declares none.',
        "error: dir/x.py: There is no such file. Give the path of a hypothesis file.",
    ]


# Models


def copied(folder: Path) -> Path:
    return Path(shutil.copytree(EMBEDDED / "ioi-planted", folder / "copy"))


def test_weights_cut_in_half(folder: Path) -> None:
    weights = copied(folder) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    arguments = ("--model", "copy", "--json", "results.json", "--save-run", "runs")
    assert refused(folder, "test", "good.py", *arguments, isolated=True) == (
        "error: good.py::legal: copy/model.safetensors is not a complete safetensors file (Error "
        "while deserializing header: incomplete metadata, file not fully covered). Copy or "
        "download it again.\n"
    )


def test_directories_that_are_no_model(folder: Path) -> None:
    copy = copied(folder)
    config = (copy / "config.json").read_text()
    test = ("test", "good.py", "--model", "copy")

    (copy / "config.json").write_text(config.replace('"n_layer": 4', '"n_layer": 5'))
    assert refused(folder, *test) == (
        "error: good.py::legal: copy holds the weights of 4 layers, and its config.json says 5. "
        "Copy both from the same model.\n"
    )
    (copy / "config.json").write_text(config.replace('"n_layer"', '"layers"'))
    assert refused(folder, *test) == (
        'error: good.py::legal: Model "copy" cannot be used. Its config.json is incomplete or '
        "wrong: n_layer is missing. Copy the model's own.\n"
    )
    (copy / "config.json").write_text("[]")
    assert refused(folder, *test) == (
        "error: good.py::legal: copy/config.json holds no table of settings. "
        "Copy the model's own config.json.\n"
    )
    (copy / "config.json").write_text(config)
    (copy / "model.safetensors").unlink()
    assert refused(folder, *test) == (
        "error: good.py: copy holds no weights: model.safetensors is missing.\n"
    )
    (copy / "config.json").unlink()
    assert refused(folder, *test) == (
        "error: good.py::legal: copy/config.json is missing. A model directory holds "
        "config.json, model.safetensors and tokenizer.json.\n"
    )


def test_unknown_models(folder: Path) -> None:
    assert refused(folder, "plan", "good.py", "--model", "ioi-shortcutt") == (
        'error: good.py::legal: There is no model "ioi-shortcutt". The nearest is '
        f'"ioi-shortcut"; there are: {LISTED}.\n'
    )
    message = refused(folder, "check", "good.py", "--model", "some/body", isolated=True)
    assert message.startswith(
        'error: good.py::legal: There is no model "some/body": it is not embedded '
        f"({LISTED}), not a directory, and the Hugging Face hub did not give it: "
    )
    assert message.count("\n") == 1


def test_no_model_is_named(folder: Path) -> None:
    text = (folder / "good.py").read_text()
    (folder / "good.py").write_text(text.replace("MODEL =", "NAME ="))
    assert refused(folder, "check", "good.py") == (
        "error: good.py::legal: It does not say which model it is about. Set MODEL in the file, "
        f"or give model= (--model on the command line). Embedded: {LISTED}.\n"
    )


# Options

USAGE = "Usage: scrub test [OPTIONS] PATH[::CLAIM]...\nTry 'scrub test --help' for help.\n\nError: "


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--samples", "0"], "Invalid value for '--samples': 0 is not in the range x>=1."),
        (["--seed", "-1"], "Invalid value for '--seed': -1 is not in the range x>=0."),
        (["--precision", "0"], "Invalid value for '--precision': 0.0 is not in the range x>0."),
        (
            ["--samples", "ten"],
            "Invalid value for '--samples': 'ten' is not a valid integer range.",
        ),
        (
            ["--max-memory", "64 lots"],
            "Invalid value for '--max-memory': '64 lots' is not a number of bytes. Give one, such "
            "as 500000000, 500MB or 2GiB.",
        ),
        (["-q", "-v"], "-q and -v exclude each other."),
    ],
)
def test_bad_usage(arguments: list[str], message: str, folder: Path) -> None:
    found = refused(folder, "test", "good.py", *arguments, "--json", "results.json")
    assert found.replace("-h'", "--help'") == USAGE + message + "\n"


def test_options_that_make_no_sense(folder: Path) -> None:
    test = ("test", "good.py", "--json", "results.json")
    assert refused(folder, *test, "--device", "cuda:7") == (
        f'error: There is no device "cuda:7" on this machine. There are: {_devices()}.\n'
    )
    assert refused(folder, *test, "--device", "meta") == (
        f'error: There is no device "meta" on this machine. There are: {_devices()}.\n'
    )
    assert refused(folder, *test, "--precision", "nan") == (
        "error: precision is nan. Give a number above 0, such as 0.05.\n"
    )
    assert refused(folder, *test, "--by", "tempalte") == (
        f'error: good.py::legal: Dataset {DATA} has no feature "tempalte". '
        f'The nearest is "template"; there are: {FEATURES}.\n'
    )
    assert refused(folder, *test, "-k", "legal illegal") == (
        'error: -k "legal illegal" is not an expression. Join words by and, or, not: '
        '-k "position and not absolute".\n'
    )
    assert refused(folder, "show", "good.py::legal", "--row", "40") == (
        f"error: good.py::legal: Dataset {DATA} has no row 40: its rows are 0 to 39.\n"
    )


def _devices() -> str:
    import torch

    return ", ".join(["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))])


def test_outputs_that_cannot_be_written(folder: Path) -> None:
    assert refused(folder, "test", "good.py", "--json", "nowhere/results.json") == (
        "error: --json nowhere/results.json: there is no folder nowhere. Create it first.\n"
    )
    assert refused(folder, "test", "good.py", "--json", ".") == (
        "error: --json .: this is a folder. Give a file.\n"
    )
    assert refused(folder, "test", "good.py", "--save-run", "good.py/runs") == (
        "error: --save-run good.py/runs: cannot be written. Give another folder.\n"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folders_that_may_not_be_written(folder: Path) -> None:
    locked = folder / "locked"
    locked.mkdir(mode=0o500)
    outputs = ("--json", "locked/results.json", "--save-run", "locked/runs")
    assert refused(folder, "test", "good.py", *outputs) == (
        "error: --json locked/results.json: cannot be written. Give another file.\n"
        "error: --save-run locked/runs: cannot be written. Give another folder.\n"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_disk_that_is_full_does_not_cost_the_table(folder: Path) -> None:
    done = inside("test", "good.py", "--samples", "5", "--json", "/dev/full", cwd=folder)
    assert done.code == 2
    assert "legal" in done.out
    assert done.err == "error: --json /dev/full: cannot be written: No space left on device.\n"
