"""What a claim would run: the steps of its plan, and their cost."""

from __future__ import annotations

import torch
from attrs import evolve
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scrub.draw import Draws, draw
from scrub.engine.activations import ActivationCache
from scrub.engine.budget import fit
from scrub.engine.plan import plan
from scrub.engine.prediction import predict
from scrub.engine.sharing import by_dataset
from scrub.engine.steps import Plan, SiteStep, Step
from scrub.engine.vision_cost import vision_cost
from scrub.model.graph import Graph
from scrub.model.weights import tensors
from scrub.report.console import claim_line
from scrub.report.tree_text import samplers_in_words, tree_picture
from scrub.runner.options import Options
from scrub.runner.prepare import Prepared


def show_plan(
    claim: Prepared, options: Options, console: Console, *, verbose: bool = False
) -> None:
    """Print the tree, what would run, and its cost.

    Args:
        verbose: also every step, in order.
    """
    console.print(claim_line(claim.name, claim.claim.belief))
    console.print(tree_picture(claim.tree), highlight=False)
    console.print(samplers_in_words(claim.tree), highlight=False)
    if verbose:
        console.print(plan_table(claim), highlight=False)
    console.print(cost_line(claim, options), highlight=False)


def plan_table(claim: Prepared) -> Table:
    """The steps of a plan, in order."""
    shown = Table(box=None, pad_edge=False)
    for name in ("step", "value", "heads", "positions", "in", "depends on"):
        shown.add_column(name, justify="right" if name == "step" else "left")
    for number, step in enumerate(_plan(claim, claim.model.graph.dtype).steps):
        needs = ", ".join(f"{v.path[-1]}.{v.which}" for v in sorted(step.needs))
        shown.add_row(str(number), *map(Text, (*_step(step), step.node[-1], needs)))
    return shown


def _step(step: Step) -> tuple[str, str, str]:
    at = ", ".join(map(str, step.at)) if isinstance(step.at, tuple) else str(step.at)
    if isinstance(step, SiteStep):
        return step.site, ", ".join(str(h) for h in step.heads if h is not None), at
    return f"change of {step.stream}", "", at


def cost_line(claim: Prepared, options: Options) -> str:
    """What a run will take, drawn as it would be."""
    dtype = claim.model.graph.dtype if claim.model.directory is None else options.dtype
    planned = _plan(claim, dtype)
    draws = draw(claim.tree, claim.data, samples=options.samples, seed=options.seed)
    within = fit(planned, draws, ActivationCache(planned.graph), options.max_memory)
    found = predict(planned, draws, within)
    rows = sum(len(rows) for rows in by_dataset(draws.rows()))
    return (
        f"{_si(found.flops + found.plain_flops)}FLOP and {_si(found.peak)}B for "
        f"{options.samples:,} references, which draw {rows:,} rows (plain model: "
        f"{_si(found.plain_flops)}FLOP of them, once per session)."
        f"{_seen(planned.graph, draws)}"
    )


def _seen(graph: Graph, draws: Draws) -> str:
    """What images take, and the weights of a model that reads them; "" for one that does not."""
    if graph.vision is None or graph.weights is None:
        return ""
    seen = vision_cost(graph, draws.rows())
    numbers = sum(tensor.numel() for _, tensor in tensors(graph.weights))
    weights = (numbers + graph.vision.shape.parameters) * graph.dtype.itemsize
    dtype = str(graph.dtype).removeprefix("torch.")
    return (
        f" {seen.images:,} images are seen once each ({_si(seen.flops)}FLOP of them, "
        f"{_si(seen.bytes)}B kept); the weights take {_si(weights)}B beside, in {dtype}."
    )


def _plan(claim: Prepared, dtype: torch.dtype) -> Plan:
    whole = claim.model.graph
    vision = None if whole.vision is None else evolve(whole.vision, dtype=dtype)
    graph = evolve(whole, dtype=dtype, vision=vision)
    return plan(claim.tree, graph, columns=claim.of_labels, before=claim.is_effect)


def _si(number: float) -> str:
    for prefix in ("", "k", "M", "G", "T"):
        if number < 1000:
            return f"{number:.3g} {prefix}"
        number /= 1000
    return f"{number:.3g} P"
