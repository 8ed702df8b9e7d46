"""Recompute the run record of a circuit: the model with everything outside of it from elsewhere.

    python recompute_circuit.py RUN_FOLDER MODEL_DIRECTORY

For GPT-2 models and claims of two nodes: the logits, and below them the embeddings along paths that
pass what the record says under `through`: sites and positions, or edges. Prints the largest
deviation. Exit code: 0 every number agrees, 1 some do not, 2 its inputs are virtual rows.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import GPT2LMHeadModel

sys.path.insert(0, str(Path(__file__).parents[1]))

from oracle.recompute import TOLERANCE, measured
from oracle.two_sources import Writer, two_sources

KINDS = {"none": (), "mlps": ("mlp",), "anything": ("mlp", "head")}


def writer_of(cell: dict) -> Writer:
    """What a site is called in the forward pass."""
    _, layer, *part = [*cell["site"].split("."), None, None][:3]
    if layer is None:
        return (cell["site"], None, None)
    return ("mlp", int(layer), None) if part == ["mlp"] else ("head", int(layer), cell["head"])


def recomputed(folder: Path, directory: Path) -> float:
    """The largest deviation of the scrubbed numbers, over the largest of them."""
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    run = load_file(folder / "run.safetensors")
    (route,) = record["tree"][1]["routes"]
    assert {cell["site"] for cell in route["sites"]} == {"embed", "pos_embed"}
    assert (route["at"], route["into"]) == ("all", None)
    through, real = route["through"], run["node.0.other.mask"].bool()

    def among(at: list | str) -> Tensor:
        mask = torch.full(real.shape, at == "all")
        for spec in () if at == "all" else at:
            mask[torch.arange(len(mask)), run[f"node.1.0.through.{spec}"].long()] = True
        return mask

    def kept(writer: Writer, reader: Writer, port: str) -> Tensor:
        if "edges" in through:
            where = among([])
            for edge in through["edges"]:
                ends = writer_of(edge["writer"]), writer_of(edge["reader"])
                if ends == (writer, reader) and edge["into"] in (None, port):
                    where |= among(edge["at"])
            return where
        if writer[1] is None:  # the path ends at the embeddings
            return among("all")
        where = among("all" if writer[0] in KINDS[through["base"]] else [])
        for cell in through["including"]:
            if writer_of(cell) == writer:
                where = where | among(cell.get("at", "all"))
        for cell in through["excluding"]:
            if writer_of(cell) == writer:
                where = where & ~among(cell.get("at", "all"))
        return where

    model = GPT2LMHeadModel.from_pretrained(directory).eval()
    model = model.to(getattr(torch, record["model"]["dtype"]))
    tokens = (run[f"node.{which}.tokens"] for which in ("1.own", "0.other"))
    logits = two_sources(model, kept, *tokens, real)
    (end,) = run["node.0.0.other.at"].unbind(dim=1)
    numbers = measured(record["metric"], logits[torch.arange(len(logits)), end], run)
    known = run["metric.scrubbed"]
    return float((numbers - known).abs().max() / known.abs().max())


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    tree = json.loads((Path(sys.argv[1]) / "run.json").read_text(encoding="utf-8"))["tree"]
    if any("virtual" in node for node in tree):
        print("Cannot recompute: virtual rows")
        sys.exit(2)
    found = recomputed(Path(sys.argv[1]), Path(sys.argv[2]))
    print(f"largest deviation {found:.1e}")
    sys.exit(0 if found <= TOLERANCE else 1)
