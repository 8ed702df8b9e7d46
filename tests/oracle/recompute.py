"""Recompute a run record (`scrub test … --save-run DIR`) with transformers and hooks alone.

    python recompute.py RUN_FOLDER MODEL_DIRECTORY

For GPT-2 models and direct paths. A leaf of a claim's tree stands for sites of the plain model on
its `own` input. Another node's sites are computed on its `other` input, save what its children
claim: what a site reads is the stream of `other`, plus what the children write, minus what the
plain model writes in their places; what follows (LayerNorm, attention, MLP) is computed anew.
Of virtual rows the plain values are means over rows that are in the record, or given there.
Exit code: 0 every number agrees, 1 some do not, 2 this script cannot recompute the record.
"""

import hashlib
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import GPT2LMHeadModel

BATCH, TOLERANCE = 64, 1e-3  # samples at a time; allowed deviation, of the largest number
KNOWN = {"embed", "pos_embed", "q_in", "k_in", "v_in", "z", "mlp_in", "mlp", "logits"}  # sites


class Frame:
    """The plain model on one input a sample: values and input streams of all sites, [n, w, …]."""

    def __init__(self, model: GPT2LMHeadModel, run: dict[str, Tensor], name: str) -> None:
        self.model, self.core, self.real = model, model.transformer, run[f"{name}.mask"].bool()
        self.run, self.name = run, name
        self.kept, hooks = {}, []  # by site, in the order in which the model computes them

        def keep(site: str, module: torch.nn.Module, incoming: bool = False) -> None:
            def hook(module: torch.nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
                self.kept[site] = args[0] if incoming else output

            hooks.append(module.register_forward_hook(hook))

        keep("embed", self.core.wte)
        keep("pos_embed", self.core.wpe)
        for layer, block in enumerate(self.core.h):
            for port in ("q", "k", "v"):
                keep(f"blocks.{layer}.attn.{port}_in", block.ln_1, incoming=True)
            keep(f"blocks.{layer}.attn.z", block.attn.c_proj, incoming=True)
            keep(f"blocks.{layer}.mlp_in", block.ln_2, incoming=True)
            keep(f"blocks.{layer}.mlp", block.mlp)
        keep("logits_in", self.core.ln_f, incoming=True)
        keep("logits", model.lm_head)
        self.row, self.heads = torch.arange(len(self.real))[:, None], model.config.n_head
        self.index = torch.arange(self.real.shape[1]).expand(self.real.shape)
        model(run[f"{name}.tokens"], attention_mask=self.real.long(), position_ids=self.index)
        for hook in hooks:
            hook.remove()
        self.written = self.kept  # input streams, as they are the sums of what is written

    @classmethod
    def virtual(cls, model: GPT2LMHeadModel, run: dict[str, Tensor], name: str) -> "Frame":
        """The frame of virtual rows: means over the rows of a class, or a value that is given."""
        if f"{name}.shift" in run:
            return cls(model, run, name)
        if f"{name}.class" in run:
            frame = cls(model, run, f"{name}.mean")
            which = run[f"{name}.class"][:, None] == run[f"{name}.mean.class"]
            weights = which.double() / which.sum(1, keepdim=True)
            frame.kept = {
                site: torch.einsum("nm,m...->n...", weights, value.double()).to(value.dtype)
                for site, value in frame.kept.items()
            }
            frame.written = frame.kept
        else:
            frame = cls(model, run | {f"{name}.tokens": run[f"{name}.mask"].long() * 0}, name)
            frame.kept = {site: torch.zeros_like(value) for site, value in frame.kept.items()}
            frame.written, total = dict(frame.kept), torch.zeros_like(frame.kept["embed"])
            for layer, block in enumerate(frame.core.h):
                total = total + block.attn.c_proj.bias
                frame.written[f"blocks.{layer}.mlp_in"] = total
            frame.written["logits_in"] = total
        frame.real = run[f"{name}.mask"].bool()
        frame.row = torch.arange(len(frame.real))[:, None]
        frame.index = torch.arange(frame.real.shape[1]).expand(frame.real.shape)
        frame.name = name
        return frame

    def given(self, value: Tensor) -> Tensor:
        """A site's value on virtual rows, whose plain value this is: what is given, or added."""
        if f"{self.name}.value" in self.run:
            given = self.run[f"{self.name}.value"].to(value.dtype)
            return torch.zeros_like(value) + (given[: value.shape[1]] if given.ndim == 2 else given)
        shift = self.run.get(f"{self.name}.shift")
        return value if shift is None else value + shift.to(value.dtype)

    def part(self, site: str, head: int | None, value: Tensor) -> Tensor:
        return value.unflatten(-1, (self.heads, -1))[:, :, head] if site.endswith("z") else value

    def summand(self, site: str, part: str | None, value: Tensor) -> Tensor:
        """A summand of a site's value [n, w, size]: φ, a projection, or the rest of such."""
        found = {}
        for key, tensor in self.run.items():
            owner, _, named = key.partition(f"split.{site}.")
            if named and owner in ("", f"{self.name}."):
                basis = tensor.to(value.dtype)
                found[named] = basis.expand_as(value) if owner else value @ basis @ basis.T
        return value - sum(found.values()) if part == "rest" else found.get(part, value)

    def stream(self, name: str, head: int | None, landings: list[tuple]) -> Tensor:
        """What is read by a port. Children claim some of what is written to it, or it itself."""
        total, port, written = self.written[name], name.rpartition(".")[2], {}
        before = list(self.kept)[: list(self.kept).index(name)]
        for site, of, part, into, value, at in landings:
            claims = (site, of) == (name, head) or (site in before and not site.endswith("_in"))
            if claims and (into is None or {port, port.removesuffix("_in")} & set(into)):
                now, old = written.setdefault(site, self.kept[site].clone()), self.kept[site]
                old = self.summand(site, part, self.part(site, of, old))[self.row, at]
                self.part(site, of, now)[self.row, at] += value - old
        for site, value in written.items():
            change = value - self.kept[site]
            if site.endswith("z"):
                change = change @ self.core.h[int(site.split(".")[1])].attn.c_proj.weight
            total = total + change
        return total

    def changed(self, site: str, head: int | None, landings: list[tuple]) -> Tensor:
        """A site, computed from the streams into which the children have written."""
        if site.endswith("_in"):
            return self.stream(site, head, landings)
        if site == "logits":
            return self.model.lm_head(self.core.ln_f(self.stream("logits_in", None, landings)))
        block = self.core.h[int(site.split(".")[1])]
        if site.endswith("mlp"):
            return block.mlp(block.ln_2(self.stream(f"{site}_in", None, landings)))
        read = [self.stream(f"{site[:-1]}{port}_in", head, landings) for port in "qkv"]
        every = [block.attn.c_attn(block.ln_1(x)).chunk(3, -1)[i] for i, x in enumerate(read)]
        q, k, v = (self.part(site, head, x) for x in every)
        seen = self.real[:, None] & torch.ones(q.shape[1], q.shape[1], dtype=torch.bool).tril()
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)


def node_values(model: GPT2LMHeadModel, tree: list[dict], node: dict, run: dict) -> list[tuple]:
    """Of each cell (site, head, summand, ports, value [n, p, …], where it lands above [n, p])."""
    name, which = f"node.{node['id']}", "own" if node["leaf"] else "other"
    made = Frame.virtual if which in node.get("virtual", ()) else Frame
    frame, landings, found = made(model, run, f"{name}.{which}"), [], []
    for child in (entry for entry in tree if entry["parent"] == node["id"]):
        landings += node_values(model, tree, child, run)
    for i, route in enumerate(node["routes"]):
        here, lands = (run.get(f"{name}.{i}.{x}.at", frame.index) for x in (which, "parent"))
        for cell in route["sites"]:
            site, head, part = cell["site"], cell["head"], cell.get("part")
            plain = frame.part(site, head, frame.kept[site])
            value = plain if node["leaf"] else frame.changed(site, head, landings)
            value = frame.summand(site, part, value)
            value = frame.given(value) if node["leaf"] else value
            found.append((site, head, part, route["into"], value[frame.row, here], lands))
    return found


def whole(name: str) -> bool:
    """Whether a tensor of the record is of all samples together."""
    return name[:6] == "split." or ".mean." in name or name.endswith((".value", ".shift"))


def measured(metric: dict, logits: Tensor, run: dict[str, Tensor]) -> Tensor:
    kind, soft = metric["kind"], logits.softmax(-1)
    of = {"cross_entropy": -logits.log_softmax(-1), "probability_diff": soft, "probability": soft}
    value, ids = of.get(kind, logits), torch.stack([run[f"label.{x}"] for x in metric["labels"]], 1)
    label, *other = value.gather(-1, ids).unbind(1)
    larger, among = (value > label[:, None]).sum(-1), torch.zeros_like(soft).scatter(1, ids, 1)
    if kind == "probability_difference":
        sets = [torch.stack([run[f"label.{x}"] for x in labels], 1) for labels in metric["sets"]]
        first, second = (torch.zeros_like(soft).scatter(1, ids, 1) for ids in sets)
        return (soft * (first - second)).sum(-1).double()
    others = {"rank": larger, "top_1": larger == 0, "mass": (soft * among).sum(-1)}
    return others.get(kind, label - sum(other)).double()


def main(folder: Path, directory: Path) -> int:
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    tensors, tree, metric = load_file(folder / "run.safetensors"), record["tree"], record["metric"]
    weights = b"".join(path.read_bytes() for path in sorted(directory.glob("*.safetensors")))
    routes = [route for node in tree for route in node["routes"]]
    ways = [route["through"] for route in routes]
    paths = [(way["base"], way["including"], "edges" in way) for way in ways]
    sites = [{cell["site"] for route in node["routes"] for cell in route["sites"]} for node in tree]
    families = [(sites[node["id"]], sites[node["parent"]]) for node in tree[1:]]
    streams = [(site, up) for own, up in families for site in own if site.endswith("_in")]
    parts = {site.split(".")[-1] for site in set().union(*sites)}
    splits = {split["site"]: split["kind"] for split in record["splits"]}
    obstacles = {
        "other weights": hashlib.sha256(weights).hexdigest() != record["model"]["weights_sha256"],
        "a metric of the user's own": not metric["recomputable"],
        "a metric that compares": metric["kind"] in ("kl", "distance"),
        "paths that are not direct": any(path != ("none", [], False) for path in paths),
        "parts of heads or MLPs": parts - KNOWN,
        "such a split": {*splits.values()} - {"projection", "estimate"} or sites[0] & {*splits},
        "summands of a parent's own": any(splits.keys() & own & up for own, up in families),
        "virtual other inputs of heads": any(
            "other" in node.get("virtual", ()) and any(x.endswith("z") for x in sites[node["id"]])
            for node in tree
        ),
        "other sites' streams": any(not p.startswith(s[:-4]) for s, up in streams for p in up),
    }
    if any(obstacles.values()):
        print("Cannot recompute:", ", ".join(what for what in obstacles if obstacles[what]))
        return 2
    dtype, batches = getattr(torch, record["model"]["dtype"]), []
    effect, at = record["kind"] == "effect", {x: f"{x}.at" for x in ("reference", "baseline")}
    at |= {"node.0.other": "node.0.0.other.at"} if effect else {}
    made = {"node.0.other": Frame.virtual} if "other" in tree[0].get("virtual", ()) else {}
    columns = ["original", "baseline", *["before"] * effect, "scrubbed"]
    model = GPT2LMHeadModel.from_pretrained(directory).eval().to(dtype)
    for start in range(0, record["samples"], BATCH):
        batch = {x: t if whole(x) else t[start:][:BATCH] for x, t in tensors.items()}
        frames = [(place, made.get(name, Frame)(model, batch, name)) for name, place in at.items()]
        outputs = [frame.kept["logits"][frame.row, batch[place]] for place, frame in frames]
        outputs.append(node_values(model, tree, tree[0], batch)[0][4])
        batches.append(torch.stack([measured(metric, value[:, 0], batch) for value in outputs]))
    numbers = torch.cat(batches, dim=1)
    recorded = torch.stack([tensors[f"metric.{x}"] for x in columns])
    deviation = float((numbers - recorded).abs().max() / recorded.abs().max())
    original, baseline, before, scrubbed = numbers.mean(dim=1)[[0, 1, -2, -1]]
    recovered = (baseline - scrubbed) / (baseline - original)
    which = "effect" if effect else "recovered"
    found, known = scrubbed - before if effect else recovered, record[which]["mean"]
    print(f"largest deviation {deviation:.1e}; {which} {found:.6f}, recorded {known}")
    same = known is None or abs(found - known) <= TOLERANCE * max(1, abs(known))
    return 0 if deviation <= TOLERANCE and same else 1


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
