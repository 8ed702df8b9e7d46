"""What is not recorded as it was must not pass: changed records and scripts, and refusals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from scrub import Correspondence, Exact, InterpNode, Uncond, heads, input_stream, mlps, output
from scrub.hypothesis.sites import summand
from scrub.hypothesis.splits import projection, source_positions
from scrub.metrics import cross_entropy, custom
from support import recorded
from support.recorded import SCRIPT, WORDS, alone, recomputed, record_of

model, folders = recorded.model, recorded.folders  # fixtures


Tensors = dict[str, np.ndarray]


def moved(name: str) -> Callable[[Tensors], None]:
    """Every token of an input becomes the next one; a position becomes that before it."""

    def change(tensors: Tensors) -> None:
        step = -1 if name.endswith(".at") else 1
        tensors[name] = np.maximum(tensors[name] + step, 0) % (2 + len(WORDS))

    return change


def one_number(name: str) -> Callable[[Tensors], None]:
    """One sample's number is off by a hundredth of the largest."""

    def change(tensors: Tensors) -> None:
        tensors[name] = tensors[name].copy()
        tensors[name][17] += 0.01 * np.abs(tensors[name]).max()

    return change


def one_token(tensors: Tensors) -> None:
    """One token of one sample's reference, at the position whose logits are read."""
    tokens = tensors["reference.tokens"] = tensors["reference.tokens"].copy()
    end = tensors["reference.at"][17, 0]
    tokens[17, end] = 2 + (tokens[17, end] - 1) % len(WORDS)


def one_mask(tensors: Tensors) -> None:
    """The second token of the root's other inputs is taken for padding."""
    mask = tensors["node.0.other.mask"] = tensors["node.0.other.mask"].copy()
    mask[:, 1] = 0


TENSORS: dict[str, Callable[[Tensors], None]] = {
    **{name: one_number(f"metric.{name}") for name in ("original", "scrubbed", "baseline")},
    **{
        name: moved(name)
        for name in (
            "reference.tokens",
            "baseline.tokens",
            "baseline.at",
            "label.wrong",
            "node.0.other.tokens",
            "node.1.other.tokens",
            "node.0.0.other.at",
            "node.1.0.other.at",
            "node.1.0.parent.at",
        )
    },
    "one token": one_token,
    "mask": one_mask,
}


@pytest.mark.parametrize("name", TENSORS)
def test_a_changed_tensor_is_found(
    name: str, folders: dict[str, Path], model: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(folders["nested"], tmp_path / "changed")
    tensors = load_file(folder / "run.safetensors")
    TENSORS[name](tensors)
    save_file(tensors, folder / "run.safetensors")
    assert recomputed(folder, model) == 1


def test_every_leaf_and_frame_counts(folders: dict[str, Path], model: Path, tmp_path: Path) -> None:
    """Whatever a node is computed on is in the record, and makes the numbers."""
    tree = json.loads((folders["nested"] / "run.json").read_text())["tree"]
    for node in tree:
        folder = shutil.copytree(folders["nested"], tmp_path / str(node["id"]))
        tensors = load_file(folder / "run.safetensors")
        moved(f"node.{node['id']}.{'own' if node['leaf'] else 'other'}.tokens")(tensors)
        save_file(tensors, folder / "run.safetensors")
        assert recomputed(folder, model) == 1, node["path"]


Record = dict[str, Any]


def edited(change: Callable[[Record], None], folder: Path, to: Path) -> Path:
    folder = shutil.copytree(folder, to)
    record = json.loads((folder / "run.json").read_text())
    change(record)
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def named(record: Record, name: str) -> Record:
    (route,) = next(node for node in record["tree"] if node["path"][-1] == name)["routes"]
    return route


EDITS: dict[str, Callable[[Record], None]] = {
    "port": lambda record: named(record, "source").update(into=["k"]),
    "any port": lambda record: named(record, "query").update(into=None),
    "head": lambda record: named(record, "late")["sites"][0].update(head=1),
    "layer": lambda record: named(record, "query")["sites"][0].update(site="blocks.0.mlp"),
    "parent": lambda record: record["tree"][-1].update(parent=0),
    "metric": lambda record: record["metric"].update(kind="probability_diff"),
    "labels": lambda record: record["metric"].update(labels=["wrong", "right"]),
    "recovered": lambda record: record["recovered"].update(mean=record["recovered"]["mean"] + 0.01),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_changed_description_is_found(
    name: str, folders: dict[str, Path], model: Path, tmp_path: Path
) -> None:
    assert recomputed(edited(EDITS[name], folders["nested"], tmp_path / "changed"), model) == 1


# Splits


SPLIT_TENSORS = {
    "projected": (
        "split.blocks.2.attn.z.one",
        "split.blocks.2.attn.z.plane",
        "split.blocks.0.mlp.one",
    ),
    "estimated": (
        "node.0.other.split.blocks.1.mlp.kind",
        "node.0.other.split.blocks.2.mlp.phi",
        "node.1.other.split.blocks.0.mlp.phi",
        "node.1.other.split.blocks.1.mlp.kind",
        "node.2.own.split.blocks.0.mlp.phi",
        "node.3.own.split.blocks.2.mlp.phi",
    ),
}


@pytest.mark.parametrize(
    ("claim", "name"), [(claim, name) for claim, names in SPLIT_TENSORS.items() for name in names]
)
def test_a_changed_basis_or_estimate_is_found(
    claim: str, name: str, folders: dict[str, Path], model: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(folders[claim], tmp_path / "changed")
    tensors = load_file(folder / "run.safetensors")
    coordinates = -1 if claim == "estimated" else -2
    tensors[name] = np.ascontiguousarray(np.roll(tensors[name], 1, axis=coordinates))
    save_file(tensors, folder / "run.safetensors")
    assert recomputed(folder, model) == 1


@pytest.mark.parametrize(("claim", "name"), [("projected", "one"), ("estimated", "token")])
def test_another_summand_is_found(
    claim: str, name: str, folders: dict[str, Path], model: Path, tmp_path: Path
) -> None:
    def change(record: Record) -> None:
        for cell in named(record, name)["sites"]:
            cell["part"] = "rest"

    assert recomputed(edited(change, folders[claim], tmp_path / "changed"), model) == 1


# The claims above use all of the script: leave out any of it, and some number is not recomputed

LEFT_OUT = {
    "ports": ('(into is None or {port, port.removesuffix("_in")} & set(into))', "True"),
    "what is upstream": ("list(self.kept)[: list(self.kept).index(name)]", "list(self.kept)"),
    "padding": ("self.real[:, None] & ", ""),
    "causal order": (".tril()", ""),
    "other inputs": ('"own" if node["leaf"] else "other"', '"own"'),
    "where values land": ("value[frame.row, here], lands)", "value[frame.row, here], here)"),
    "where values are taken": ("value[frame.row, here]", "value[frame.row, lands]"),
    "what a summand replaces": ("+= value - old", "+= value"),
    "summands": ("found.get(part, value)", "value"),
    "the rest": ('value - sum(found.values()) if part == "rest"', 'value if part == "rest"'),
    "projections": ("value @ basis @ basis.T", "value"),
    "LayerNorm": ("block.mlp(block.ln_2(self.stream(", "block.mlp((self.stream("),
}


@pytest.mark.parametrize("what", LEFT_OUT)
def test_all_of_the_script_is_needed(what: str, folders: dict[str, Path], model: Path) -> None:
    text, (there, instead) = SCRIPT.read_text(encoding="utf-8"), LEFT_OUT[what]
    assert text.count(there) == 1
    mutant: dict[str, Any] = {"__name__": "mutant"}
    exec(compile(text.replace(there, instead), "mutant", "exec"), mutant)
    with torch.no_grad():
        found = {mutant["main"](folder, model) for folder in folders.values()}
    assert 1 in found


# What the script cannot recompute, it says


def test_what_it_cannot_recompute_is_refused_in_words(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def indirect(_: Any) -> Correspondence:
        logits = InterpNode("logits", Exact())
        return Correspondence(
            {
                logits: output(at="end"),
                logits.child("early", Uncond()): heads([(0, 0)], at="end", through=mlps),
            }
        )

    def inside(_: Any) -> Correspondence:
        logits = InterpNode("logits", Exact())
        late = logits.child("late", Exact())
        patterns = late.child("patterns", Uncond())
        late_heads = heads([(2, 0)], at="end")
        return Correspondence(
            {
                logits: output(at="end"),
                late: late_heads,
                patterns: heads([(2, 0)], "pattern", at="end"),
            }
        )

    def further(_: Any) -> Correspondence:
        logits = InterpNode("logits", Exact())
        stream = logits.child("stream", Uncond())
        return Correspondence(
            {
                logits: output(at="end"),
                stream: input_stream(heads([(2, 0)]), by="q", at="end"),
            }
        )

    def by_source(_: Any) -> Correspondence:
        logits = InterpNode("logits", Exact())
        second = logits.child("second", Uncond())
        late = heads([(2, 0)], at="end")
        return Correspondence(
            {logits: output(at="end"), second: summand(late, source_positions(), "1")}
        )

    def its_own(_: Any) -> Correspondence:
        logits = InterpNode("logits", Exact())
        late = logits.child("late", Exact())
        direction = late.child("direction", Uncond())
        late_heads = heads([(2, 0)], at="end")
        one = projection(one=np.arange(6))
        return Correspondence(
            {
                logits: output(at="end"),
                late: late_heads,
                direction: summand(late_heads, one, "one"),
            }
        )

    own = custom(lambda logits, references: logits[:, 3])
    for claim, why in (
        (("indirect", indirect, cross_entropy("right")), "paths that are not direct"),
        (("inside", inside, cross_entropy("right")), "parts of heads"),
        (("further", further, cross_entropy("right")), "other sites' streams"),
        (("by_source", by_source, cross_entropy("right")), "such a split"),
        (("its_own", its_own, cross_entropy("right")), "summands of a parent's own"),
        (("own", alone, own), "a metric of the user's own"),
    ):
        assert recomputed(record_of(*claim, model, tmp_path), model) == 2
        assert why in capsys.readouterr().out


def test_other_weights_are_refused(
    folders: dict[str, Path], model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from transformers import GPT2LMHeadModel

    gpt2 = GPT2LMHeadModel.from_pretrained(model)
    gpt2.lm_head.weight.data *= 1.1
    gpt2.save_pretrained(tmp_path)
    assert recomputed(folders["nested"], tmp_path) == 2
    assert "other weights" in capsys.readouterr().out
